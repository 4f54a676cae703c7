//! When a token may end: the choices of the form, which nothing behind it can leave.

use counterfoil::{Lifetime, Timestamp, policy::Lifetimes};
use time::{Date, Month, Time};

use super::{
    form::{Form, Wrong},
    words::Words,
};

/// The ends that are offered for a token, and the only ones that are taken.
///
/// What the registry's [`Lifetimes`] refuse is not offered either. The choice added first stands chosen when the form
/// opens, unless another one is.
///
/// ```
/// use counterfoil_axum::page::Expiries;
///
/// let expiries = Expiries::none()
///     .days(30, "30 days")
///     .days(365, "1 year")
///     .never("No expiration ⚠️", "Whoever finds this token can use it for ever.")
///     .on_date("Custom date");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Expiries {
    choices: Vec<Choice>,
    chosen: Chosen,
}

/// What stands chosen when the form opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Chosen {
    #[default]
    First,
    At(usize),
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
        let days = |days: u32| super::words::fill(&words.expiry_days, &[("days", &days.to_string())]);
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
        self.chosen = self.choices.len().checked_sub(1).map_or(Chosen::First, Chosen::At);
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
            End::OnDate => lifetimes.offered().among.is_none(),
        };
        self.choices.iter().filter(is_possible).collect()
    }

    /// What stands chosen when the form opens.
    pub(super) fn first(&self, offered: &[&Choice]) -> Option<String> {
        let wished = match self.chosen {
            Chosen::First => None,
            Chosen::At(at) => self.choices.get(at).filter(|wished| offered.contains(wished)),
            Chosen::Nothing => return None,
        };
        wished.or(offered.first().copied()).map(|choice| choice.value.clone())
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

/// The last second of a day that is written as `YYYY-MM-DD`, in UTC.
fn end_of_day(text: &str) -> Option<Timestamp> {
    let is_shaped = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 10 || !is_shaped {
        return None;
    }
    let month = text[5..7].parse::<u8>().ok().and_then(|month| Month::try_from(month).ok())?;
    let date = Date::from_calendar_date(text[..4].parse().ok()?, month, text[8..].parse().ok()?).ok()?;
    date.with_time(Time::from_hms(23, 59, 59).ok()?).assume_utc().try_into().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_one_way_and_ends_with_its_last_second() {
        for (text, expected) in [
            ("2026-01-31", Some("2026-01-31T23:59:59Z")),
            ("2028-02-29", Some("2028-02-29T23:59:59Z")),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-1-1", None),
            ("+026-01-01", None),
            ("2026-01-3\u{661}", None),
            ("1969-01-01", None),
            ("99999-01-01", None),
            ("", None),
        ] {
            let found = end_of_day(text).map(|end| end.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_registrys_lifetimes_narrow_what_is_offered() {
        let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
        let day = std::time::Duration::from_secs(86_400);
        let expiries = Expiries::usual(&Words::default());
        for (lifetimes, expected, first) in [
            (Lifetimes::any(), "30 60 90 365 date never", Some("30")),
            (Lifetimes::ending(), "30 60 90 365 date", Some("30")),
            (Lifetimes::at_most(60 * day), "30 60 date", Some("30")),
            (Lifetimes::among([90 * day]), "90", Some("90")),
            (Lifetimes::among([7 * day]), "", None),
        ] {
            let offered = expiries.within(&lifetimes, now);
            let values: Vec<&str> = offered.iter().map(|choice| choice.value.as_str()).collect();
            assert_eq!(values.join(" "), expected, "{lifetimes:?}");
            assert_eq!(expiries.first(&offered).as_deref(), first, "{lifetimes:?}");
        }
    }
}
