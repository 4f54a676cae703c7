//! A moment, and who tells us what it is.
//!
//! The system clock is read in this file and nowhere else; everything that decides takes `now` as an argument.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment, in whole milliseconds since the Unix epoch.
///
/// ```
/// use counterfoil::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_unix_millis(1_767_268_800_000)?;
/// assert_eq!(noon.to_string(), "2026-01-01T12:00:00Z");
/// assert_eq!(noon.checked_add(Duration::from_secs(1))?.unix_millis(), 1_767_268_801_000);
///
/// // A number of seconds is not a moment of this century: refused, not read as January 1970.
/// assert!(Timestamp::from_unix_millis(1_767_268_800).is_err());
/// # Ok::<(), counterfoil::time::InvalidTimestamp>(())
/// ```
///
/// # Range
///
/// From [`Timestamp::MIN`], the start of the year 2000, to [`Timestamp::MAX`], the end of the year 9999. The range is
/// chosen so that a time in seconds, microseconds or nanoseconds, handed over by mistake, never fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "i64", try_from = "i64"))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment, 2000-01-01T00:00:00Z.
    pub const MIN: Self = Self(946_684_800_000);

    /// The latest moment, 9999-12-31T23:59:59.999Z: the last one that RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Reads a number of milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] outside of [`MIN`](Self::MIN)`..=`[`MAX`](Self::MAX).
    pub const fn from_unix_millis(millis: i64) -> Result<Self, InvalidTimestamp> {
        if millis < Self::MIN.0 || millis > Self::MAX.0 {
            return Err(InvalidTimestamp { millis });
        }
        Ok(Self(millis))
    }

    /// The number of milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The moment `duration` later, cut to whole milliseconds.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] past [`MAX`](Self::MAX); nothing wraps.
    pub fn checked_add(self, duration: Duration) -> Result<Self, InvalidTimestamp> {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// The moment `duration` earlier, cut to whole milliseconds.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] before [`MIN`](Self::MIN).
    pub fn checked_sub(self, duration: Duration) -> Result<Self, InvalidTimestamp> {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from(*self).format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(millis: i64) -> Result<Self, InvalidTimestamp> {
        Self::from_unix_millis(millis)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        // INVARIANT: a timestamp lies after the epoch, so the sign is never lost.
        UNIX_EPOCH + Duration::from_millis(timestamp.0.unsigned_abs())
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(time: SystemTime) -> Result<Self, InvalidTimestamp> {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Self::from_unix_millis(millis)
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        // INVARIANT: every timestamp lies within the years that `time` can hold, so the addition cannot overflow.
        Self::UNIX_EPOCH + time::Duration::milliseconds(timestamp.0)
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(time: OffsetDateTime) -> Result<Self, InvalidTimestamp> {
        let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// A number that is no moment between the years 2000 and 9999, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "time out of range: found {millis}, expected Unix milliseconds from {} to {}",
    Timestamp::MIN.0,
    Timestamp::MAX.0
)]
pub struct InvalidTimestamp {
    millis: i64,
}

/// Tells the time.
///
/// A [`Registry`](crate::Registry) reads its clock and passes the moment down; nothing below it asks for the time.
///
/// ```
/// use counterfoil::{Clock, Timestamp, time::InvalidTimestamp};
///
/// /// A clock that runs a minute ahead.
/// #[derive(Debug)]
/// struct Ahead<C>(C);
///
/// impl<C: Clock> Clock for Ahead<C> {
///     fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
///         self.0.now()?.checked_add(std::time::Duration::from_secs(60))
///     }
/// }
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The moment it is now.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] if the clock is not set to a moment of this era, as on a machine that has just lost its
    /// battery. Whoever asked must fail: without a time nothing is known to be unexpired.
    fn now(&self) -> Result<Timestamp, InvalidTimestamp>;
}

/// A clock of any kind, shared.
impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        (**self).now()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        SystemTime::now().try_into()
    }
}

/// A clock that stands still until it is set: for tests.
///
/// Clones share the hands.
///
/// ```
/// use counterfoil::{Clock, FixedClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = FixedClock::new(Timestamp::MIN);
/// clock.set(clock.now()?.checked_add(Duration::from_secs(60))?);
/// assert_eq!(clock.now()?.to_string(), "2000-01-01T00:01:00Z");
/// # Ok::<(), counterfoil::time::InvalidTimestamp>(())
/// ```
#[derive(Debug, Clone)]
pub struct FixedClock(std::sync::Arc<std::sync::atomic::AtomicI64>);

impl FixedClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(std::sync::Arc::new(now.0.into()))
    }

    /// Sets the clock, forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        Timestamp::from_unix_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}
