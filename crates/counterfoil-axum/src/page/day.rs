//! Days in UTC, as date fields have them.

use std::time::Duration;

use counterfoil::{Lifetime, Timestamp, policy::Lifetimes};
use time::{Date, Month, Time};

/// Today in UTC, as `YYYY-MM-DD`.
pub(super) fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The last day that the registry would take, if there is one.
pub(super) fn last_day(lifetimes: &Lifetimes, now: Timestamp) -> Option<String> {
    let latest = day_of(now.checked_add(lifetimes.offered().longest?).ok()?);
    if ends_in_time(&latest, lifetimes, now) {
        return Some(latest);
    }
    let day_before = end_of_day(&latest)?.checked_sub(Duration::from_secs(86_400)).ok()?;
    Some(day_of(day_before))
}

/// Whether the registry would take the end of a day.
pub(super) fn ends_in_time(day: &str, lifetimes: &Lifetimes, now: Timestamp) -> bool {
    end_of_day(day).is_some_and(|end| lifetimes.check(Lifetime::Until(end), now).is_ok())
}

/// The last second of a day that is written as `YYYY-MM-DD`, in UTC.
pub(super) fn end_of_day(text: &str) -> Option<Timestamp> {
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
    fn the_last_day_ends_within_the_longest_lifetime() {
        let day = Duration::from_secs(86_400);
        let midnight = 1_767_225_600_000; // 2026-01-01
        for (lifetimes, millis, expected) in [
            (Lifetimes::any(), 0, None),
            (Lifetimes::at_most(30 * day), 0, Some("2026-01-30")),
            (Lifetimes::at_most(30 * day), 86_399_000, Some("2026-01-31")),
            (Lifetimes::at_most(30 * day), 86_398_000, Some("2026-01-30")),
            (Lifetimes::at_most(day), 0, Some("2026-01-01")),
            (Lifetimes::at_most(Duration::MAX), 0, None),
        ] {
            let now = Timestamp::from_unix_millis(midnight + millis).unwrap();
            assert_eq!(last_day(&lifetimes, now).as_deref(), expected, "{lifetimes:?} {millis}");
        }
    }
}
