//! Counting what is not told one by one.

use std::time::Duration;

use crate::time::Timestamp;

/// Counts what happens, and tells the number at most once a second, so that a flood of it is no flood of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    untold: u64,
    told_at: Option<Timestamp>,
}

impl Tally {
    const PAUSE: Duration = Duration::from_secs(1);

    /// One more at this moment; and, if it is time to tell, how many there were since it was last told.
    ///
    /// A clock that was set back is no reason to keep silent until it has caught up.
    pub(crate) fn one_more(self, now: Timestamp) -> (Self, Option<u64>) {
        let count = self.untold.saturating_add(1);
        let pauses = |told: Timestamp| told <= now && told.checked_add(Self::PAUSE).is_ok_and(|end| now < end);
        if self.told_at.is_some_and(pauses) {
            return (Self { untold: count, ..self }, None);
        }
        (Self { untold: 0, told_at: Some(now) }, Some(count))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn one_number_a_second_stands_for_all() {
        let mut tally = Tally::default();
        // Milliseconds → the number told.
        for (millis, told) in [
            (0, Some(1)),
            (0, None),
            (1, None),
            (999, None),
            (1000, Some(4)),
            (1999, None),
            (2000, Some(2)),
            (9000, Some(1)),
            (9001, None),
            (8999, Some(2)), // the clock was set back
            (9000, None),
            (9998, None),
            (9999, Some(3)),
        ] {
            let now = Timestamp::MIN.checked_add(Duration::from_millis(millis)).unwrap();
            let (next, count) = tally.one_more(now);
            assert_eq!(count, told, "at {millis} ms");
            tally = next;
        }
        assert_eq!(tally.one_more(Timestamp::MAX).1, Some(1), "there is no second after the last");
    }
}
