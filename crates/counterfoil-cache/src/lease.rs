//! For how long entries may be served without asking the store.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::moment::Moment;

/// The moment at which the last heartbeat that came back was sent.
///
/// Its two clocks are kept apart and written one after the other: whoever reads one of them before and the other after a
/// renewal sees the older lease, never a younger one than there is.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Never, while it is zero.
    monotonic: AtomicU64,
    wall: AtomicU64,
}

impl Lease {
    pub(crate) const fn none() -> Self {
        Self { monotonic: AtomicU64::new(0), wall: AtomicU64::new(0) }
    }

    /// A heartbeat came back. Everything that was heard before it has been taken note of.
    pub(crate) fn renew(&self, sent: Moment) {
        let [monotonic, wall] = sent.parts();
        self.wall.store(wall, Ordering::Release);
        self.monotonic.store(monotonic.max(1), Ordering::Release);
    }

    pub(crate) fn lapse(&self) {
        self.monotonic.store(0, Ordering::Release);
    }

    pub(crate) fn holds(&self, now: Moment, bound: Duration) -> bool {
        let [monotonic, wall] = [&self.monotonic, &self.wall].map(|part| part.load(Ordering::Acquire));
        let sent = Moment::new(Duration::from_nanos(monotonic), Duration::from_nanos(wall));
        monotonic != 0 && sent.age(now) < bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_for_less_than_the_bound_from_its_sending() {
        let at = |millis| Moment::new(Duration::from_millis(millis), Duration::from_millis(1_000_000 + millis));
        let (lease, bound) = (Lease::none(), Duration::from_millis(2000));
        assert!(!lease.holds(at(0), bound));
        lease.renew(at(100));
        for (now, holds) in [(100, true), (2099, true), (2100, false), (90_000, false)] {
            assert_eq!(lease.holds(at(now), bound), holds, "{now}");
        }
        // The machine slept for an hour.
        let woken = Moment::new(Duration::from_millis(101), Duration::from_secs(4600));
        assert!(!lease.holds(woken, bound));
        lease.renew(at(90_000));
        assert!(lease.holds(at(90_001), bound));
        lease.lapse();
        assert!(!lease.holds(at(90_001), bound));
    }
}
