//! How long to leave alone what has failed.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::time::Timestamp;

/// When something failed last, over all threads.
#[derive(Debug, Default)]
pub(crate) struct Backoff(AtomicI64);

impl Backoff {
    /// It has just failed.
    pub(crate) fn fail(&self, now: Timestamp) {
        self.0.store(now.unix_millis(), Ordering::Relaxed);
    }

    /// Whether it may be tried.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        // INVARIANT: zero, where it starts, lies before every moment.
        is_over(Timestamp::from_unix_millis(self.0.load(Ordering::Relaxed)).ok(), now)
    }
}

const PAUSE: Duration = Duration::from_secs(60);

/// A clock that was set back must not make the pause longer than it is: then it is over.
fn is_over(failed: Option<Timestamp>, now: Timestamp) -> bool {
    failed.is_none_or(|failed| now < failed || failed.checked_add(PAUSE).is_ok_and(|end| now >= end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_minute_of_the_clock() -> Result<(), crate::time::InvalidTimestamp> {
        let at = |millis: i64| Timestamp::from_unix_millis(1_767_225_600_000 + millis);
        for (failed, now, over) in [
            (None, at(0)?, true),
            (Some(at(0)?), at(0)?, false),
            (Some(at(0)?), at(59_999)?, false),
            (Some(at(0)?), at(60_000)?, true),
            (Some(at(0)?), at(-1)?, true),
            (Some(Timestamp::MAX), Timestamp::MAX, false),
        ] {
            assert_eq!(is_over(failed, now), over, "{failed:?} {now}");
            let backoff = Backoff::default();
            failed.into_iter().for_each(|failed| backoff.fail(failed));
            assert_eq!(backoff.is_over(now), over, "{failed:?} {now}");
        }
        Ok(())
    }
}
