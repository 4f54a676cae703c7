//! The fields of forms, as they stand in the page.

use counterfoil::Timestamp;

use super::{
    day::day_of,
    expiries::Choice,
    filling::fill,
    form::{Form, Wrong},
    scopes::{ALL, Kind, SOME, ScopeGroup},
    words::Words,
};

/// A text field as it stands in the form.
pub(super) struct TextField<'a> {
    pub(super) id: &'static str,
    pub(super) kind: TextKind,
    pub(super) label: &'a str,
    pub(super) hint: &'a str,
    /// The greatest number of characters, if there is one.
    pub(super) limit: Option<usize>,
    pub(super) value: &'a str,
    pub(super) error: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// What people call it, which must be said.
    Name,
    Prose,
    /// One per line, and read from the left in every language.
    Networks,
}

impl TextField<'_> {
    /// The `maxlength` of the field. Browsers count UTF-16 code units, of which a character has at most two: a text that
    /// the registry takes is never cut, and a longer one that passes is refused by the registry with its length.
    pub(super) fn max_length(&self) -> Option<usize> {
        self.limit.map(|limit| 2 * limit)
    }

    pub(super) fn described(&self) -> String {
        let (hint, error) = (format!("{}-hint", self.id), format!("{}-error", self.id));
        described([(!self.hint.is_empty(), &hint), (self.error.is_some(), &error)])
    }
}

pub(super) struct OptionView<'a> {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) label: &'a str,
    pub(super) hint: Option<&'a str>,
    pub(super) is_chosen: bool,
}

/// The choice of an end.
pub(super) struct ExpiryField<'a> {
    pub(super) words: &'a Words,
    pub(super) options: Vec<OptionView<'a>>,
    /// Of a choice, which it names: it is read where nobody sees what stands chosen.
    pub(super) warning: Option<String>,
    pub(super) has_date: bool,
    pub(super) date: &'a str,
    pub(super) today: String,
    pub(super) last_day: Option<String>,
    pub(super) error: Option<&'a str>,
    pub(super) date_error: Option<&'a str>,
}

impl<'a> ExpiryField<'a> {
    pub(super) fn of(
        words: &'a Words,
        offered: &[&'a Choice],
        form: &'a Form,
        wrong: &'a [Wrong],
        now: Timestamp,
        last_day: Option<String>,
    ) -> Self {
        let warned = |choice: &&Choice| {
            let warning = choice.warning.as_deref()?;
            Some(fill(&words.expiry_warning, &[("choice", &choice.label), ("warning", warning)]))
        };
        let option = |choice: &&'a Choice| OptionView {
            id: String::new(),
            value: choice.value.clone(),
            label: &choice.label,
            hint: None,
            is_chosen: form.has("expiry", &choice.value),
        };
        Self {
            words,
            options: offered.iter().map(option).collect(),
            warning: offered.iter().find_map(warned),
            has_date: offered.iter().any(|choice| choice.is_date()),
            date: form.text("date"),
            today: day_of(now),
            last_day,
            error: error_of(wrong, "expiry"),
            date_error: error_of(wrong, "date"),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.options.iter().any(|option| option.is_chosen)
    }

    pub(super) fn described(&self) -> String {
        described([(!self.words.hint_expiry.is_empty(), "expiry-hint"), (self.error.is_some(), "expiry-error")])
    }
}

pub(super) fn error_of<'a>(wrong: &'a [Wrong], field: &str) -> Option<&'a str> {
    wrong.iter().find(|wrong| wrong.field == field).map(|wrong| wrong.text.as_str())
}

/// The ids of the texts that are there, as `aria-describedby` lists them.
fn described<const N: usize>(parts: [(bool, &str); N]) -> String {
    let there = parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, id)| id);
    there.collect::<Vec<_>>().join(" ")
}

/// A group of scopes as it stands in the form.
pub(super) struct GroupField<'a> {
    pub(super) id: String,
    pub(super) among: String,
    pub(super) legend: String,
    pub(super) is_required: bool,
    pub(super) hint: Option<&'a str>,
    pub(super) error: Option<&'a str>,
    pub(super) kind: &'static str,
    /// `all` and `some`, where there are these.
    pub(super) outer: Vec<OptionView<'a>>,
    pub(super) choices: Vec<OptionView<'a>>,
}

impl<'a> GroupField<'a> {
    /// Whether its buttons say so by themselves; of boxes, each would say it of itself.
    pub(super) fn needs_one(&self) -> bool {
        self.is_required && self.kind == "radio"
    }

    pub(super) fn of(words: &Words, group: &'a ScopeGroup, form: &Form, wrong: &'a [Wrong]) -> Self {
        let (id, among) = (group.field(), group.among_field());
        let (kind, outer, field) = match &group.kind {
            Kind::Any => ("checkbox", Vec::new(), &id),
            Kind::One => ("radio", Vec::new(), &id),
            Kind::AllOr { all, some } => {
                let options = [(ALL, &all.label, all.hint.as_deref()), (SOME, some, None)];
                let option = |(value, label, hint): (&str, &'a String, Option<&'a str>)| OptionView {
                    id: format!("{id}-{value}"),
                    value: value.to_owned(),
                    label,
                    hint,
                    is_chosen: form.has(&id, value),
                };
                ("checkbox", options.into_iter().map(option).collect(), &among)
            }
        };
        let choices = group.choices.iter().enumerate().map(|(at, choice)| OptionView {
            id: format!("{field}-{at}"),
            value: choice.value(),
            label: &choice.label,
            hint: choice.hint.as_deref(),
            is_chosen: form.has(field, &choice.value()),
        });
        let choices = choices.collect();
        let (error, is_required) = (error_of(wrong, &id), group.required);
        let legend = match is_required {
            true => fill(&words.required, &[("label", &group.legend)]),
            false => group.legend.clone(),
        };
        Self { legend, is_required, hint: group.hint.as_deref(), error, kind, outer, choices, id, among }
    }

    pub(super) fn described(&self) -> String {
        let (hint, error) = (format!("{}-hint", self.id), format!("{}-error", self.id));
        described([(self.hint.is_some(), &hint), (self.error.is_some(), &error)])
    }
}
