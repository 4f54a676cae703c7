//! Moments of this process, by two clocks.

use std::time::{Duration, Instant, SystemTime};

/// A moment by the monotonic clock and by the wall's.
///
/// The monotonic one does not count while the machine sleeps, the wall's may be set back: an age is the larger of both, so
/// that neither makes an entry younger than it is. While a virtual machine is paused, or moved to another host, both stand
/// still, which no clock of its own can find out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Duration,
    wall: Duration,
}

impl Moment {
    /// By both clocks, the monotonic one counted from `start`.
    pub(crate) fn now(start: Instant) -> Self {
        // A wall that stands before 1970 has no age to add to the other clock's.
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { monotonic: start.elapsed(), wall }
    }

    pub(crate) const fn new(monotonic: Duration, wall: Duration) -> Self {
        Self { monotonic, wall }
    }

    /// In nanoseconds, for some centuries.
    pub(crate) fn parts(self) -> [u64; 2] {
        [self.monotonic, self.wall].map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long ago this was.
    pub(crate) fn age(self, now: Self) -> Duration {
        let monotonic = now.monotonic.saturating_sub(self.monotonic);
        monotonic.max(now.wall.saturating_sub(self.wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_the_larger_of_two_clocks() {
        let at = |monotonic, wall| Moment::new(Duration::from_secs(monotonic), Duration::from_secs(wall));
        for (then, now, expected) in [
            (at(10, 1000), at(12, 1002), 2),
            // The machine slept: its monotonic clock stood still.
            (at(10, 1000), at(10, 4600), 3600),
            // The wall was set back.
            (at(10, 1000), at(12, 400), 2),
            // And forward.
            (at(10, 1000), at(12, 9000), 8000),
            (at(10, 1000), at(10, 1000), 0),
        ] {
            assert_eq!(then.age(now), Duration::from_secs(expected), "{then:?} {now:?}");
        }
    }
}
