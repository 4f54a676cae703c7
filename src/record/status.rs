//! What the facts of a record come to.

use std::{fmt, str::FromStr};

/// What a record comes to at a moment: derived, never stored.
///
/// Exhaustive: a new status must break the caller's build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Status {
    /// Good for use.
    Active,
    /// Paused; can be unblocked.
    Blocked,
    /// Paused for another reason; can be resumed.
    Suspended,
    /// Its end has come; a later expiry brings it back.
    Expired,
    /// Ended for good.
    Revoked,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Active, Self::Blocked, Self::Suspended, Self::Expired, Self::Revoked];

    /// The first that holds: revoked, expired, suspended, blocked; else active.
    pub(crate) const fn of(facts: &Facts) -> Self {
        if facts.is_revoked {
            Self::Revoked
        } else if facts.is_expired {
            Self::Expired
        } else if facts.is_suspended {
            Self::Suspended
        } else if facts.is_blocked {
            Self::Blocked
        } else {
            Self::Active
        }
    }

    /// The stable name: `active`, `blocked`, `suspended`, `expired` or `revoked`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Reads the stable name.
impl FromStr for Status {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(InvalidStatus)
    }
}

/// A text that names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status: expected active, blocked, suspended, expired or revoked")]
pub struct InvalidStatus;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some of the statuses, all by default: which records a list shows.
///
/// ```
/// use counterfoil::{Status, record::Statuses};
///
/// assert!(Statuses::except(Status::Revoked).contains(Status::Expired));
/// assert!(!Statuses::from(Status::Active).contains(Status::Expired));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Statuses(u8);

impl Statuses {
    /// Every status.
    pub const ALL: Self = Self(0b1_1111);

    /// This one alone.
    pub const fn only(status: Status) -> Self {
        Self(1 << status as u8)
    }

    /// All but this one.
    pub const fn except(status: Status) -> Self {
        Self(Self::ALL.0 & !Self::only(status).0)
    }

    /// Whether it is one of them.
    pub const fn contains(self, status: Status) -> bool {
        self.0 & Self::only(status).0 != 0
    }

    /// Those that are in, in the order of [`Status`].
    pub fn iter(self) -> impl Iterator<Item = Status> {
        Status::ALL.into_iter().filter(move |status| self.contains(*status))
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self::ALL
    }
}

impl From<Status> for Statuses {
    fn from(status: Status) -> Self {
        Self::only(status)
    }
}

impl FromIterator<Status> for Statuses {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        Self(statuses.into_iter().fold(0, |set, status| set | Self::only(status).0))
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What a status is derived from.
pub(crate) struct Facts {
    pub(crate) is_revoked: bool,
    pub(crate) is_expired: bool,
    pub(crate) is_suspended: bool,
    pub(crate) is_blocked: bool,
}
