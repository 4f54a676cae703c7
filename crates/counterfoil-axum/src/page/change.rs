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
