//! How long a token lives: the wish, and the fact.

use std::{fmt, time::Duration};

use crate::time::{InvalidTimestamp, Timestamp};

/// The wish: for how long a token is to live. There is no default; [`Forever`](Self::Forever) must be typed out.
///
/// ```
/// use counterfoil::{Expiry, Lifetime, Timestamp};
///
/// let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
/// assert_eq!(Lifetime::days(90).starting(now)?.to_string(), "2026-04-01T00:00:00Z");
/// assert_eq!(Lifetime::Forever.starting(now)?, Expiry::Never);
/// assert!(Lifetime::Until(now).starting(now).is_err()); // already over
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is revoked.
    Forever,
    /// For this long, cut to whole milliseconds.
    For(Duration),
    /// Until this moment.
    Until(Timestamp),
}

impl Lifetime {
    /// For so many days of 24 hours.
    pub const fn days(days: u32) -> Self {
        Self::For(Duration::from_secs(days as u64 * 86_400))
    }

    /// The fact that this wish comes to at `now`.
    ///
    /// # Errors
    ///
    /// [`InvalidLifetime`] if it would be over at once, or ends after the year 9999.
    pub fn starting(self, now: Timestamp) -> Result<Expiry, InvalidLifetime> {
        let end = match self {
            Self::Forever => return Ok(Expiry::Never),
            Self::For(duration) => now.checked_add(duration)?,
            Self::Until(end) => end,
        };
        if end <= now {
            return Err(InvalidLifetime::Over { end, now });
        }
        Ok(Expiry::At(end))
    }
}

/// The fact: when a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
// Deliberately no `Deserialize`: a field that is left out would be read as `Never`.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(into = "Option<Timestamp>"))]
pub enum Expiry {
    /// Not by itself.
    Never,
    /// At this moment: it is over when `now` has reached it.
    At(Timestamp),
}

impl Expiry {
    /// Whether the end has come: `now >= at`.
    pub fn has_passed(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::At(end) => now >= end,
        }
    }

    /// The moment of the end, if there is one.
    pub const fn at(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(end) => Some(end),
        }
    }
}

impl From<Expiry> for Option<Timestamp> {
    fn from(expiry: Expiry) -> Self {
        expiry.at()
    }
}

impl From<Option<Timestamp>> for Expiry {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Never, Self::At)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::At(end) => end.fmt(f),
        }
    }
}

/// A lifetime that cannot begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLifetime {
    /// It ends at once or has ended.
    #[error("lifetime ends at {end}, expected after {now}")]
    Over {
        /// The end.
        end: Timestamp,
        /// The moment at which it was to begin.
        now: Timestamp,
    },
    /// Its end is no moment that can be stored.
    #[error(transparent)]
    OutOfRange(#[from] InvalidTimestamp),
}
