//! From the form for a new token to what is asked for.

use counterfoil::{
    Audience, Grant, Lifetime, Name, Network, Owner, Registry, Restrictions, Scopes, Timestamp, annotation::Description,
};

use super::{
    Field, SettingsPage,
    expiries::{self, Choice},
    form::{Form, Wrong},
    scopes::ScopeGroup,
    words::fill,
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
        self.page.fields.contains(&field)
    }

    /// The form as it opens.
    pub(super) fn open(&self) -> Form {
        let mut form = Form::default();
        if let Some(first) = self.page.expiries.as_ref().and_then(|expiries| expiries.first(&self.expiries)) {
            form.add("expiry", first);
        }
        self.groups.iter().for_each(|group| group.open(&mut form));
        form
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

        let name = Name::new(form.text("name"));
        let name = name.map_err(|_| wrong.push(Wrong::new("name", words.wrong_name.as_ref()))).ok();
        let description = Some(form.text("description")).filter(|text| !text.is_empty()).map(Description::new);
        let description = description.transpose().unwrap_or_else(|_| {
            wrong.push(Wrong::new("description", words.wrong_description.as_ref()));
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

    fn lifetime(&self, form: &Form, registry: &Registry) -> Result<Lifetime, Wrong> {
        let words = &self.page.words;
        if self.has(Field::Expiry) && !self.expiries.is_empty() {
            return expiries::read(form, &self.expiries, words, self.now);
        }
        let usual = registry.issue_policy().lifetime(None);
        usual.map_err(|error| Wrong::new("", fill(&words.refused_expiry, &[("why", &error.to_string())])))
    }

    fn scopes(&self, form: &Form, wrong: &mut Vec<Wrong>) -> Scopes {
        let mut texts = Vec::new();
        for group in &self.groups {
            match group.read(form, &self.page.words) {
                Ok(chosen) => texts.extend(chosen.into_iter().flat_map(Scopes::texts)),
                Err(error) => wrong.push(error),
            }
        }
        Scopes::from_texts(texts).unwrap_or_else(|error| {
            let why = error.to_string();
            wrong.push(Wrong::new("", fill(&self.page.words.refused_scopes, &[("why", &why)])));
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
                let why = error.to_string();
                wrong.push(Wrong::new("networks", fill(&words.wrong_networks, &[("why", &why)])));
                break;
            }
        }
        match Some(form.text("audience")).filter(|text| !text.is_empty()).map(Audience::new) {
            Some(Ok(audience)) => restrictions.set_audience(audience),
            Some(Err(_)) => wrong.push(Wrong::new("audience", words.wrong_audience.as_ref())),
            None => {}
        }
        restrictions
    }
}
