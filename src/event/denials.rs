//! How many denials are told, so that nobody can flood an audit.

use std::sync::{Mutex, PoisonError};

use crate::time::Timestamp;

/// A second of the clock, and the denials in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Second {
    second: i64,
    told: u32,
    suppressed: u64,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Telling {
    /// The denial itself.
    pub(crate) denial: bool,
    /// How many were suppressed in a second that is over: to be told first, if any.
    pub(crate) suppressed: u64,
}

impl Second {
    /// The second after one more denial at `now`, of which at most `limit` are told.
    fn count(self, now: Timestamp, limit: u32) -> (Self, Telling) {
        let (mut next, suppressed) = self.close(now);
        let denial = next.told < limit;
        if denial {
            next.told += 1;
        } else {
            next.suppressed = next.suppressed.saturating_add(1);
        }
        (next, Telling { denial, suppressed })
    }

    /// The second that `now` lies in, and how many were suppressed in this one if it is another. A clock that is set
    /// back begins another second too.
    fn close(self, now: Timestamp) -> (Self, u64) {
        let second = now.unix_millis().div_euclid(1000);
        if second == self.second {
            return (self, 0);
        }
        (Self { second, ..Self::default() }, self.suppressed)
    }
}

/// Which texts are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// Unknown ones, and ones with a wrong secret.
    Denied,
    /// Those for which a server key is missing. Apart from the others, a flood of which must not hide the gap.
    Unverifiable,
}

/// Bounds what is told one by one of texts that no secret was proven for: anybody can make those.
#[derive(Debug)]
pub(crate) struct DenialBound {
    pub(crate) limit: u32,
    denied: Mutex<Second>,
    unverifiable: Mutex<Second>,
}

impl Default for DenialBound {
    fn default() -> Self {
        Self { limit: 100, denied: Mutex::default(), unverifiable: Mutex::default() }
    }
}

impl DenialBound {
    pub(crate) fn count(&self, of: Unproven, now: Timestamp) -> Telling {
        let second = match of {
            Unproven::Denied => &self.denied,
            Unproven::Unverifiable => &self.unverifiable,
        };
        step(second, |second| second.count(now, self.limit))
    }

    /// How many were suppressed in a second that is over.
    pub(crate) fn close(&self, now: Timestamp) -> u64 {
        self.sum(|second| second.close(now))
    }

    /// How many were suppressed, also in the second that is not over.
    pub(crate) fn end(&self) -> u64 {
        self.sum(|second| (Second { suppressed: 0, ..second }, second.suppressed))
    }

    fn sum(&self, each: impl Fn(Second) -> (Second, u64)) -> u64 {
        step(&self.denied, &each).saturating_add(step(&self.unverifiable, &each))
    }
}

fn step<T>(second: &Mutex<Second>, step: impl FnOnce(Second) -> (Second, T)) -> T {
    // INVARIANT: a second is replaced as a whole, so a poisoned lock still guards one.
    let mut second = second.lock().unwrap_or_else(PoisonError::into_inner);
    let (next, told) = step(*second);
    *second = next;
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_767_225_600_000 + millis).unwrap()
    }

    #[test]
    fn denials_are_told_up_to_a_number_a_second_and_the_rest_is_counted() {
        // Milliseconds after the start of a second → whether the denial is told, and how many were suppressed before.
        let mut second = Second::default();
        for (millis, denial, suppressed) in [
            (0, true, 0),
            (1, true, 0),
            (998, false, 0),
            (999, false, 0),
            (1000, true, 2),
            (1999, true, 0),
            (1999, false, 0),
            (5000, true, 1),
            (4999, true, 0),
            (4999, true, 0),
            (4999, false, 0),
            (0, true, 1),
        ] {
            let (next, telling) = second.count(at(millis), 2);
            assert_eq!(telling, Telling { denial, suppressed }, "{millis} ms");
            second = next;
        }
    }

    #[test]
    fn what_was_suppressed_is_told_once() {
        let bound = DenialBound { limit: 0, ..DenialBound::default() };
        assert_eq!(bound.count(Unproven::Denied, at(0)), Telling { denial: false, suppressed: 0 });
        assert_eq!(bound.close(at(999)), 0, "the second is not over");
        assert_eq!((bound.close(at(1000)), bound.close(at(1000))), (1, 0));
        assert_eq!(bound.count(Unproven::Denied, at(1000)), Telling { denial: false, suppressed: 0 });
        assert_eq!((bound.end(), bound.end()), (1, 0), "over or not");
    }

    #[test]
    fn what_cannot_be_checked_is_counted_apart_and_suppressed_together() {
        let bound = DenialBound { limit: 1, ..DenialBound::default() };
        for (of, denial) in [
            (Unproven::Denied, true),
            (Unproven::Denied, false),
            (Unproven::Unverifiable, true),
            (Unproven::Unverifiable, false),
            (Unproven::Denied, false),
        ] {
            assert_eq!(bound.count(of, at(0)), Telling { denial, suppressed: 0 }, "{of:?}");
        }
        assert_eq!((bound.close(at(1000)), bound.end()), (3, 0));
    }
}
