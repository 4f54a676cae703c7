//! From the form for a new token to what is asked for.

use counterfoil::{
    Audience, Grant, Lifetime, Name, Network, Owner, Registry, Restrictions, Scopes, Timestamp,
    annotation::Description, restriction::InvalidNetwork, text::InvalidText,
};

use super::{
    Field, SettingsPage,
    expiries::{self, Choice},
    filling::fill,
    form::{Form, Wrong},
    lettering::is_visible,
    scopes::ScopeGroup,
    words::Words,
};
use crate::management::ApiError;

/// What is offered for a new token at one moment, to one owner.
pub(super) struct Offer<'a> {
    pub(super) page: &'a SettingsPage,
    pub(super) groups: Vec<ScopeGroup>,
    pub(super) expiries: Vec<&'a Choice>,
    pub(super) now: Timestamp,
}

impl Offer<'_> {
    pub(super) fn has(&self, field: Field) -> bool {
        let may_be_offered = field != Field::Networks || self.page.registry.are_client_addresses_known();
        may_be_offered && self.page.fields.contains(&field)
    }

    /// The form as it opens.
    pub(super) fn open(&self) -> Form {
        let mut form = Form::default();
        let default = self.page.lifetimes().default_lifetime();
        if let Some(first) = self.page.expiries.as_ref().and_then(|expiries| expiries.first(&self.expiries, default)) {
            form.add("expiry", first);
        }
        self.groups.iter().for_each(|group| group.open(&mut form));
        form
    }

    pub(super) fn has_expiry(&self) -> bool {
        self.has(Field::Expiry) && !self.expiries.is_empty()
    }

    /// The ids of the fields that the form has.
    pub(super) fn fields(&self) -> Vec<String> {
        let has_date = self.expiries.iter().any(|choice| choice.is_date());
        let there = [
            ("name", true),
            ("description", self.has(Field::Description)),
            ("expiry", self.has_expiry()),
            ("date", self.has_expiry() && has_date),
            ("networks", self.has(Field::Networks)),
            ("audience", self.has(Field::Audience)),
        ];
        let there = there.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.to_owned());
        there.chain(self.groups.iter().map(ScopeGroup::field)).collect()
    }

    /// Refuses a form with other fields than these.
    pub(super) fn check_fields(&self, form: &Form) -> Result<(), ApiError> {
        let mut once = vec!["form", "name"];
        for (field, names) in [
            (Field::Description, &["description"][..]),
            (Field::Expiry, &["expiry", "date"]),
            (Field::Networks, &["networks"]),
            (Field::Audience, &["audience"]),
        ] {
            once.extend(self.has(field).then_some(names).into_iter().flatten());
        }
        let fields: Vec<String> = self.groups.iter().map(ScopeGroup::field).collect();
        once.extend(fields.iter().map(String::as_str));
        let often: Vec<String> = self.groups.iter().filter_map(ScopeGroup::repeated).collect();
        form.check(&once, &often)
    }

    /// What the form asks for, or all that is wrong with it.
    pub(super) fn grant(&self, form: &Form, owner: Owner, registry: &Registry) -> Result<Grant, Vec<Wrong>> {
        let words = &self.page.words;
        let mut wrong = Vec::new();

        let name = self.name(form).map_err(|error| wrong.push(error)).ok();
        let description = Some(form.text("description")).filter(|text| !text.is_empty()).map(Description::new);
        let description = description.transpose().unwrap_or_else(|error| {
            let text = of_text(&error, &words.long_description, &words.wrong_description);
            wrong.push(Wrong::new("description", text));
            None
        });
        let lifetime = self.lifetime(form, registry).map_err(|error| wrong.push(error)).ok();
        let scopes = self.scopes(form, &mut wrong);
        let restrictions = self.restrictions(form, &mut wrong);

        match (name, lifetime) {
            (Some(name), Some(lifetime)) if wrong.is_empty() => {
                let mut grant = Grant::new(owner, lifetime).scopes(scopes).restrictions(restrictions).name(name);
                grant.annotations.description = description;
                Ok(grant)
            }
            _ => Err(wrong),
        }
    }

    fn name(&self, form: &Form) -> Result<Name, Wrong> {
        let (words, text) = (&self.page.words, form.text("name"));
        if !is_visible(text) {
            return Err(Wrong::new("name", words.missing_name.as_ref()));
        }
        Name::new(text).map_err(|error| Wrong::new("name", of_text(&error, &words.long_name, &words.wrong_name)))
    }

    fn lifetime(&self, form: &Form, registry: &Registry) -> Result<Lifetime, Wrong> {
        let words = &self.page.words;
        if self.has_expiry() {
            return expiries::read(form, &self.expiries, words, self.now);
        }
        let usual = registry.issue_policy().lifetime(None);
        usual.map_err(|_| Wrong::new("", words.refused_expiry.as_ref()))
    }

    fn scopes(&self, form: &Form, wrong: &mut Vec<Wrong>) -> Scopes {
        let mut texts = Vec::new();
        for group in &self.groups {
            match group.read(form, &self.page.words) {
                Ok(chosen) => texts.extend(chosen.into_iter().flat_map(Scopes::texts)),
                Err(error) => wrong.push(error),
            }
        }
        Scopes::from_texts(texts).unwrap_or_else(|_| {
            // INVARIANT: texts of scopes, of which there can only be too many.
            let limit = Scopes::MAX_COUNT.to_string();
            wrong.push(Wrong::new("", fill(&self.page.words.many_scopes, &[("limit", &limit)])));
            Scopes::none()
        })
    }

    fn restrictions(&self, form: &Form, wrong: &mut Vec<Wrong>) -> Restrictions {
        let words = &self.page.words;
        let mut restrictions = Restrictions::none();
        let networks = form.text("networks").split([',', '\n', '\r', ' ', '\t']).filter(|text| !text.is_empty());
        for text in networks {
            let added = text.parse::<Network>().and_then(|network| restrictions.add_network(network));
            if let Err(error) = added {
                wrong.push(Wrong::new("networks", of_network(words, text, &error)));
                break;
            }
        }
        match Some(form.text("audience")).filter(|text| !text.is_empty()).map(Audience::new) {
            Some(Ok(audience)) => restrictions.set_audience(audience),
            Some(Err(error)) => {
                let text = of_text(&error, &words.long_audience, &words.wrong_audience);
                wrong.push(Wrong::new("audience", text));
            }
            None => {}
        }
        restrictions
    }
}

/// What is said of a text that cannot be taken.
fn of_text(error: &InvalidText, long: &str, wrong: &str) -> String {
    match error {
        InvalidText::TooLong { found, limit, .. } => {
            fill(long, &[("count", &found.to_string()), ("limit", &limit.to_string())])
        }
        _ => wrong.to_owned(),
    }
}

/// What is said of a network that cannot be taken: of its text no more than a line.
fn of_network(words: &Words, text: &str, error: &InvalidNetwork) -> String {
    let network: String = text.chars().take(64).collect();
    match error {
        InvalidNetwork::HostBits { expected } => {
            fill(&words.wrong_network_bits, &[("network", &network), ("expected", expected)])
        }
        InvalidNetwork::Mapped => fill(&words.wrong_network_mapped, &[("network", &network)]),
        InvalidNetwork::TooMany => fill(&words.many_networks, &[("limit", &Restrictions::MAX_NETWORKS.to_string())]),
        _ => fill(&words.wrong_networks, &[("network", &network)]),
    }
}
