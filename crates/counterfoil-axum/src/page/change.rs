//! What a person may do to a token, and where each page stands.

use crate::management::Operation;

/// A change of a token that the page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// Gives it a new secret.
    Rotate,
    /// Gives it a new end.
    SetExpiry,
    /// Pauses it.
    Block,
    /// Ends a block.
    Unblock,
    /// Ends it for good.
    Revoke,
}

impl Change {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Rotate, Self::SetExpiry, Self::Block, Self::Unblock, Self::Revoke];

    /// What the session is asked for, and what [`without`](super::SettingsPage::without) leaves out.
    pub const fn operation(self) -> Operation {
        match self {
            Self::Rotate => Operation::Rotate,
            Self::SetExpiry => Operation::SetExpiry,
            Self::Block => Operation::Block,
            Self::Unblock => Operation::Unblock,
            Self::Revoke => Operation::Revoke,
        }
    }

    /// What stands behind the path of a token, and in an address after the change.
    pub(super) const fn segment(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::SetExpiry => "expiry",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Revoke => "revoke",
        }
    }

    /// The lines of its icon, 16 units wide and high.
    pub(super) const fn icon(self) -> &'static str {
        match self {
            Self::Rotate => "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
            Self::SetExpiry => "M2.5 4h11v9.5h-11zM2.5 7h11M5.5 2v3M10.5 2v3",
            Self::Block => "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M3.8 3.8l8.4 8.4",
            Self::Unblock => "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M5.5 8l2 2 3.5-4",
            Self::Revoke => "M2.5 4.5h11M6 4.5V3h4v1.5M4 4.5l.6 9h6.8l.6-9M6.5 7v4M9.5 7v4",
        }
    }

    pub(super) fn of_segment(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.segment() == text)
    }

    /// Whether it is made of the token that the person saw and of no other. What stops a token is made in any case: nobody
    /// who wants that is held up because somebody else changed the token meanwhile.
    pub(super) const fn minds_version(self) -> bool {
        match self {
            Self::Rotate | Self::SetExpiry | Self::Unblock => true,
            Self::Block | Self::Revoke => false,
        }
    }
}

/// One of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    List,
    Create,
    Token,
    Change(Change),
}

impl Place {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::List, Self::Create, Self::Token].into_iter().chain(Change::ALL.map(Self::Change))
    }

    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::List => Operation::List,
            Self::Create => Operation::Create,
            Self::Token => Operation::Get,
            Self::Change(change) => change.operation(),
        }
    }

    /// What stands behind the list's path, and how many segments that is.
    pub(super) fn behind(self) -> (String, usize) {
        match self {
            Self::List => (String::new(), 0),
            Self::Create => ("/new".into(), 1),
            Self::Token => ("/{token_id}".into(), 1),
            Self::Change(change) => (format!("/{{token_id}}/{}", change.segment()), 2),
        }
    }
}
