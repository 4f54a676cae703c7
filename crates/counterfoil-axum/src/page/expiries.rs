//! When a token may end: the choices of the form, which nothing behind it can leave.

use counterfoil::{Lifetime, Timestamp, policy::Lifetimes};

use super::{
    day::{day_of, end_of_day, ends_in_time},
    filling::fill,
    form::{Form, Wrong},
    words::Words,
};

/// The ends that are offered for a token, and the only ones that are taken.
///
/// What the registry's [`Lifetimes`] refuse is not offered either. When the form opens, the registry's own default stands
/// chosen if it is among these, and else the choice that was added first, unless another one [is](Self::chosen).
///
/// ```
/// use counterfoil_axum::page::Expiries;
///
/// let expiries = Expiries::none()
///     .days(30, "30 days")
///     .days(365, "1 year")
///     .never("No expiration", "Whoever finds this token can use it for ever.")
///     .on_date("Custom date");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Expiries {
    choices: Vec<Choice>,
    chosen: Chosen,
}

/// What stands chosen when the form opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Chosen {
    /// The registry's default, or else the first.
    #[default]
    Unsaid,
    /// The choice with this value.
    Said(String),
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// What the form sends.
    pub(super) value: String,
    pub(super) label: String,
    pub(super) end: End,
    pub(super) warning: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    After(Lifetime),
    OnDate,
}

impl Expiries {
    /// Nothing to choose: the registry's default holds for new tokens.
    pub fn none() -> Self {
        Self::default()
    }

    /// 30, 60 or 90 days, a year of 365 days, a date, or never, with a warning.
    pub(super) fn usual(words: &Words) -> Self {
        let days = |days: u32| fill(&words.expiry_days, &[("days", &days.to_string())]);
        Self::none()
            .days(30, days(30))
            .days(60, days(60))
            .days(90, days(90))
            .days(365, words.expiry_year.as_ref())
            .on_date(words.expiry_date.as_ref())
            .never(words.expiry_never.as_ref(), words.warning_never.as_ref())
    }

    fn with(mut self, value: String, label: String, end: End, warning: Option<String>) -> Self {
        self.choices.retain(|choice| choice.value != value);
        self.choices.push(Choice { value, label, end, warning });
        self
    }

    /// After so many days of 24 hours.
    pub fn days(self, days: u32, label: impl Into<String>) -> Self {
        self.with(days.to_string(), label.into(), End::After(Lifetime::days(days)), None)
    }

    /// Never, with a warning beside it; an empty one is left out.
    pub fn never(self, label: impl Into<String>, warning: impl Into<String>) -> Self {
        let warning = Some(warning.into()).filter(|warning| !warning.is_empty());
        self.with("never".into(), label.into(), End::After(Lifetime::Forever), warning)
    }

    /// With the end of a day that the person names, in UTC.
    pub fn on_date(self, label: impl Into<String>) -> Self {
        self.with("date".into(), label.into(), End::OnDate, None)
    }

    /// The choice that was added last stands chosen when the form opens.
    pub fn chosen(mut self) -> Self {
        self.chosen = self.choices.last().map_or(Chosen::Unsaid, |choice| Chosen::Said(choice.value.clone()));
        self
    }

    /// Nothing stands chosen when the form opens: the person must say.
    pub fn nothing_chosen(self) -> Self {
        Self { chosen: Chosen::Nothing, ..self }
    }

    /// Those that the registry would take.
    pub(super) fn within(&self, lifetimes: &Lifetimes, now: Timestamp) -> Vec<&Choice> {
        let is_possible = |choice: &&Choice| match choice.end {
            End::After(lifetime) => lifetimes.check(lifetime, now).is_ok(),
            // A closed set has durations in it, and a day ends after none of them.
            End::OnDate => lifetimes.offered().among.is_none() && ends_in_time(&day_of(now), lifetimes, now),
        };
        self.choices.iter().filter(is_possible).collect()
    }

    /// What stands chosen when the form opens.
    pub(super) fn first(&self, offered: &[&Choice], default: Option<Lifetime>) -> Option<String> {
        let is_wished = |choice: &&&Choice| match &self.chosen {
            Chosen::Unsaid => default.is_some_and(|default| choice.end == End::After(default)),
            Chosen::Said(value) => choice.value == *value,
            Chosen::Nothing => false,
        };
        let first = offered.first().filter(|_| self.chosen != Chosen::Nothing);
        offered.iter().find(is_wished).or(first).map(|choice| choice.value.clone())
    }
}

impl Choice {
    pub(super) fn is_date(&self) -> bool {
        self.end == End::OnDate
    }
}

/// What the form says of the end, if it is one of those offered.
pub(super) fn read(form: &Form, offered: &[&Choice], words: &Words, now: Timestamp) -> Result<Lifetime, Wrong> {
    let chosen = offered.iter().find(|choice| form.first("expiry") == Some(&choice.value));
    match chosen.map(|choice| choice.end) {
        None => Err(Wrong::new("expiry", words.wrong_expiry.as_ref())),
        Some(End::After(lifetime)) => Ok(lifetime),
        Some(End::OnDate) => {
            let end = form.first("date").and_then(end_of_day).filter(|end| *end > now);
            end.map(Lifetime::Until).ok_or_else(|| Wrong::new("date", words.wrong_date.as_ref()))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_lifetimes_narrow_what_is_offered() {
        let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
        let day = std::time::Duration::from_secs(86_400);
        let expiries = Expiries::usual(&Words::default());
        let by_default = |lifetimes: Lifetimes, days| lifetimes.by_default(Lifetime::days(days)).unwrap();
        for (lifetimes, expected, first) in [
            (Lifetimes::any(), "30 60 90 365 date never", Some("30")),
            (Lifetimes::ending(), "30 60 90 365 date", Some("30")),
            (Lifetimes::at_most(60 * day), "30 60 date", Some("30")),
            (Lifetimes::at_most(day / 2), "", None),
            (Lifetimes::among([90 * day]), "90", Some("90")),
            (Lifetimes::among([7 * day]), "", None),
            (by_default(Lifetimes::any(), 90), "30 60 90 365 date never", Some("90")),
            (by_default(Lifetimes::any(), 7), "30 60 90 365 date never", Some("30")),
            (Lifetimes::any().by_default(Lifetime::Forever).unwrap(), "30 60 90 365 date never", Some("never")),
        ] {
            let offered = expiries.within(&lifetimes, now);
            let values: Vec<&str> = offered.iter().map(|choice| choice.value.as_str()).collect();
            assert_eq!(values.join(" "), expected, "{lifetimes:?}");
            assert_eq!(expiries.first(&offered, lifetimes.default_lifetime()).as_deref(), first, "{lifetimes:?}");
        }
    }

    #[test]
    fn what_was_said_to_stand_chosen_does_whatever_is_added_later() {
        let said = Expiries::none().days(30, "").days(60, "").chosen().never("", "");
        for (expiries, expected) in [
            (said.clone(), Some("60")),
            (said.clone().days(30, "anew"), Some("60")),
            (said.clone().days(60, "anew"), Some("60")),
            (said.clone().nothing_chosen(), None),
            (said.nothing_chosen().days(90, "").chosen(), Some("90")),
            (Expiries::none().chosen().days(30, ""), Some("30")),
        ] {
            let offered: Vec<&Choice> = expiries.choices.iter().collect();
            let first = expiries.first(&offered, Some(Lifetime::days(30)));
            assert_eq!(first.as_deref(), expected, "{expiries:?}");
        }
    }
}
