//! What the facts of a record come to.

use std::fmt;

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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a status is derived from.
pub(crate) struct Facts {
    pub(crate) is_revoked: bool,
    pub(crate) is_expired: bool,
    pub(crate) is_suspended: bool,
    pub(crate) is_blocked: bool,
}
