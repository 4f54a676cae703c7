//! Which scopes are offered, and what the form has chosen of them.

use counterfoil::{Registry, Scopes};

use super::{
    InvalidSettingsPage,
    form::{Form, Wrong},
    words::Words,
};

/// Scopes that are chosen together: a part of the form of its own.
///
/// What is not offered cannot be had through the page, whatever is sent.
///
/// ```
/// use counterfoil_axum::page::{ScopeChoice, ScopeGroup};
///
/// let collections = ScopeGroup::all_or(
///     "collections",
///     "API collection scope",
///     ScopeChoice::new("collections:*".parse()?, "All permitted collections"),
///     "Specific collections",
/// )
/// .choice(ScopeChoice::new("collections:7".parse()?, "Seven"))
/// .choice(ScopeChoice::new("collections:8".parse()?, "Eight"));
///
/// let proxy = ScopeGroup::any_of("proxy", "AI/LLM Proxy Access")
///     .choice(ScopeChoice::new("ai:chat".parse()?, "Allow this token to call the AI / LLM chat proxy"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ScopeGroup {
    pub(super) key: String,
    pub(super) legend: String,
    pub(super) hint: Option<String>,
    pub(super) kind: Kind,
    pub(super) choices: Vec<ScopeChoice>,
    pub(super) required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    One,
    AllOr { all: ScopeChoice, some: String },
}

/// One choice of a [`ScopeGroup`]: some scopes under one label.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ScopeChoice {
    pub(super) scopes: Scopes,
    pub(super) label: String,
    pub(super) hint: Option<String>,
    pub(super) chosen: bool,
}

impl ScopeChoice {
    /// A choice that grants these, under this label.
    pub fn new(scopes: Scopes, label: impl Into<String>) -> Self {
        Self { scopes, label: label.into(), hint: None, chosen: false }
    }

    /// With a text beside it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// It stands chosen when the form opens.
    pub fn chosen(self) -> Self {
        Self { chosen: true, ..self }
    }

    /// What the form sends.
    pub(super) fn value(&self) -> String {
        self.scopes.to_string()
    }
}

impl ScopeGroup {
    fn new(key: impl Into<String>, legend: impl Into<String>, kind: Kind) -> Self {
        let (key, legend) = (key.into(), legend.into());
        Self { key, legend, hint: None, kind, choices: Vec::new(), required: false }
    }

    /// Any number of the choices, none among them: a checkbox each.
    ///
    /// The key names the field: 1 to 40 of `a` to `z`, `0` to `9` and `_`, and no two groups have the same.
    pub fn any_of(key: impl Into<String>, legend: impl Into<String>) -> Self {
        Self::new(key, legend, Kind::Any)
    }

    /// One of the choices.
    pub fn one_of(key: impl Into<String>, legend: impl Into<String>) -> Self {
        Self::new(key, legend, Kind::One)
    }

    /// `all`, or else, under the label `some`, at least one of the choices.
    pub fn all_or(
        key: impl Into<String>,
        legend: impl Into<String>,
        all: ScopeChoice,
        some: impl Into<String>,
    ) -> Self {
        Self::new(key, legend, Kind::AllOr { all, some: some.into() }).required()
    }

    /// With a further choice.
    pub fn choice(mut self, choice: ScopeChoice) -> Self {
        self.choices.push(choice);
        self
    }

    /// With a text beside it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Something must be chosen.
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// All that the registry's catalog grants, with its descriptions; what is reserved is left out.
    pub(super) fn of_catalog(registry: &Registry, words: &Words) -> Option<Self> {
        let (catalog, _) = registry.issue_policy().scopes.as_ref()?;
        let is_open = |scope: &counterfoil::Scope| catalog.knows(scope) && !catalog.is_reserved(scope);
        let scopes = catalog.scopes().filter(|(scope, _)| is_open(scope)).map(|(scope, text)| (scope.as_str(), text));
        let families = catalog.families().map(|(family, text)| (family.as_str(), text));
        let mut group = Self::any_of("catalog", words.scopes.as_ref()).hint(words.hint_scopes.as_ref());
        for (scope, text) in scopes.chain(families) {
            let Ok(scopes) = scope.parse() else { continue };
            group = group.choice(ScopeChoice::new(scopes, scope).hint(text));
        }
        (!group.choices.is_empty()).then_some(group)
    }

    /// That each group has a key, and one of its own: the fields of groups are told apart by nothing else.
    pub(super) fn check(groups: &[Self]) -> Result<(), InvalidSettingsPage> {
        for (at, group) in groups.iter().enumerate() {
            let key = &group.key;
            // Without `-`, which stands before what a field's or a text's name adds to it.
            let is_plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !is_plain || !(1..=40).contains(&key.len()) {
                return Err(InvalidSettingsPage::GroupKey { key: key.clone() });
            }
            if groups[..at].iter().any(|other| other.key == *key) {
                return Err(InvalidSettingsPage::GroupTwice { key: key.clone() });
            }
        }
        Ok(())
    }

    /// The field of the choices, and of `all` or `some` where there are these.
    pub(super) fn field(&self) -> String {
        format!("scopes-{}", self.key)
    }

    pub(super) fn among_field(&self) -> String {
        format!("scopes-{}-among", self.key)
    }

    /// The field that may be sent more than once.
    pub(super) fn repeated(&self) -> Option<String> {
        match self.kind {
            Kind::Any => Some(self.field()),
            Kind::One => None,
            Kind::AllOr { .. } => Some(self.among_field()),
        }
    }

    /// Writes into a new form what stands chosen.
    pub(super) fn open(&self, form: &mut Form) {
        let field = match &self.kind {
            Kind::AllOr { all, .. } => {
                if all.chosen {
                    form.add(&self.field(), ALL);
                } else if self.choices.iter().any(|choice| choice.chosen) {
                    form.add(&self.field(), SOME);
                }
                self.among_field()
            }
            Kind::Any | Kind::One => self.field(),
        };
        for choice in self.choices.iter().filter(|choice| choice.chosen) {
            form.add(&field, choice.value());
        }
    }

    /// What was chosen.
    pub(super) fn read(&self, form: &Form, words: &Words) -> Result<Vec<&Scopes>, Wrong> {
        let wrong = || Wrong::new(self.field(), words.wrong_choice.as_ref());
        let missing = || Wrong::new(self.field(), words.missing_choice.as_ref());
        let (field, must_choose) = match &self.kind {
            Kind::AllOr { all, .. } => match form.first(&self.field()) {
                Some(ALL) => return Ok(vec![&all.scopes]),
                Some(SOME) => (self.among_field(), true),
                Some(_) => return Err(wrong()),
                None => return Err(missing()),
            },
            Kind::Any | Kind::One => (self.field(), self.required),
        };
        let offered = |value: &str| self.choices.iter().find(|choice| choice.value() == value).ok_or_else(wrong);
        let chosen: Result<Vec<_>, _> =
            form.all(&field).map(|value| offered(value).map(|choice| &choice.scopes)).collect();
        let chosen = chosen?;
        if must_choose && chosen.is_empty() { Err(missing()) } else { Ok(chosen) }
    }
}

/// Says that all is meant, or some.
pub(super) const ALL: &str = "all";
pub(super) const SOME: &str = "some";
