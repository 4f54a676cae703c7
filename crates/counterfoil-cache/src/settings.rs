//! How large a cache is, and how late it may be.

use std::time::Duration;

/// How large a cache is, and how late it may be.
///
/// ```
/// use counterfoil_cache::Settings;
/// use std::time::Duration;
///
/// let settings = Settings::default().entries(200_000).bytes(256 << 20).bound(Duration::from_secs(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Settings {
    pub(crate) entries: u32,
    pub(crate) bytes: u64,
    pub(crate) bound: Duration,
    pub(crate) longest: Duration,
}

impl Default for Settings {
    /// 100 000 entries, 128 MiB, a bound of 2 seconds, and no entry older than 5 minutes.
    fn default() -> Self {
        Self { entries: 100_000, bytes: 128 << 20, bound: Duration::from_secs(2), longest: Duration::from_secs(300) }
    }
}

impl Settings {
    /// At most so many records; at least 10.
    pub fn entries(self, entries: u32) -> Self {
        Self { entries: entries.max(10), ..self }
    }

    /// At most so many bytes, as far as they can be reckoned: a record counts for twice what its row holds, 32 bytes for each
    /// scope, tag and network, and 1 KiB for what stands around it. The table is in parts of some 64 KiB or more, or is one
    /// part; a record that is larger is read each time.
    ///
    /// Beside them stand notes of which records have changed, from the beginning: 32 to 64 bytes for each entry that is
    /// allowed, and at most 8 MiB.
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes: bytes.max(1), ..self }
    }

    /// After which a change is seen by every verification that starts then; from 100 milliseconds to a minute.
    ///
    /// With a lease a heartbeat is sent four times in it. A bound nearer than a few round trips to the database makes the
    /// cache stand aside whenever one of them is slow.
    pub fn bound(self, bound: Duration) -> Self {
        Self { bound: bound.clamp(Duration::from_millis(100), Duration::from_secs(60)), ..self }
    }

    /// Sets the age after which an entry is read again, with a lease or without. It limits the damage of a change that no
    /// channel reports. The default is 5 minutes. With [`CachedStore::by_age`](crate::CachedStore::by_age) the bound counts,
    /// if it is shorter.
    pub fn longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }
}
