//! What is listed, and in which order.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    digest::KeyId,
    record::{CorruptRecord, Record, Status, Usage},
    subject::{Owner, Tenant},
    time::Timestamp,
    token::TokenId,
};

/// Which records: all that hold for every field that is set.
///
/// The fields are open so that a store can take the value apart; a new one must break its build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this owner, in its tenant or in none.
    pub owner: Option<Owner>,
    /// Of any owner in this tenant.
    pub tenant: Option<Tenant>,
    /// Of this status now.
    pub status: Option<Status>,
    /// Made before this moment.
    pub created_before: Option<Timestamp>,
    /// Ending before this moment.
    pub expires_before: Option<Timestamp>,
    /// Used at this moment or later.
    pub used_since: Option<Timestamp>,
    /// Not used at this moment or later; a token never used counts from when it was made.
    pub unused_since: Option<Timestamp>,
    /// With a digest of this server key in any slot.
    pub key: Option<KeyId>,
}

impl Filter {
    /// Every record.
    pub fn all() -> Self {
        Self::default()
    }

    /// The records of this owner.
    pub fn owner(owner: Owner) -> Self {
        Self { owner: Some(owner), ..Self::default() }
    }

    /// The predicate, for stores that hold records, and as the meaning of the fields for those that write queries.
    pub fn matches(&self, record: &Record, usage: Option<&Usage>, now: Timestamp) -> bool {
        let Self { owner, tenant, status, created_before, expires_before, used_since, unused_since, key } = self;
        let last_used = usage.map(|usage| usage.at);
        owner.as_ref().is_none_or(|owner| owner == record.owner())
            && tenant.as_ref().is_none_or(|tenant| Some(tenant) == record.owner().tenant())
            && status.is_none_or(|status| status == record.status(now))
            && created_before.is_none_or(|moment| record.created_at() < moment)
            && expires_before.is_none_or(|moment| record.expiry().at().is_some_and(|end| end < moment))
            && used_since.is_none_or(|moment| last_used.is_some_and(|at| at >= moment))
            && unused_since.is_none_or(|moment| last_used.unwrap_or(record.created_at()) < moment)
            && key.is_none_or(|key| record.slots().iter().any(|(_, slot)| slot.digest.key_id() == key))
    }
}

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which records.
    pub filter: Filter,
    /// In which order, and after which.
    pub order: Order,
    /// At most so many rows; at least 1.
    pub limit: u32,
}

impl ListQuery {
    /// The first 50 records by id.
    pub fn new(filter: Filter) -> Self {
        Self { filter, order: Order::ById { after: None }, limit: 50 }
    }

    /// The rows after `cursor`, in the order that the cursor is of.
    pub fn after(self, cursor: Cursor) -> Self {
        let order = match cursor {
            Cursor::Id(id) => Order::ById { after: Some(id) },
            Cursor::LastUse(place) => Order::ByLastUse { after: Some(place) },
        };
        Self { order, ..self }
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id, which is the order in which tokens were made.
    ById {
        /// Only rows behind this id, which need not be there any more.
        after: Option<TokenId>,
    },
    /// By last use, the latest first, tokens never used at the end; then by id.
    ByLastUse {
        /// Only rows behind this place.
        after: Option<LastUseCursor>,
    },
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// In a list by id: the last id.
    Id(TokenId),
    /// In a list by last use.
    LastUse(LastUseCursor),
}

/// A place in a list by last use. Its text is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUseCursor {
    /// The last use of the last row, if it was ever used.
    pub at: Option<Timestamp>,
    /// The id of the last row.
    pub id: TokenId,
}

impl fmt::Display for LastUseCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}.{}", at.unix_millis(), self.id),
            None => write!(f, "-.{}", self.id),
        }
    }
}

impl FromStr for LastUseCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (at, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let id = id.parse().map_err(|_| InvalidCursor)?;
        if at == "-" {
            return Ok(Self { at: None, id });
        }
        let at = at.parse().ok().and_then(|millis| Timestamp::from_unix_millis(millis).ok());
        Ok(Self { at: Some(at.ok_or(InvalidCursor)?), id })
    }
}

/// A text that is no cursor of a list by last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a list by last use")]
pub struct InvalidCursor;

/// A record and its usage.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The record.
    pub record: Arc<Record>,
    /// Its last use, if it was ever used.
    pub usage: Option<Usage>,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The records, in order.
    pub tokens: Vec<Stored>,
    /// Rows that cannot be read: each verifies nothing and can be revoked.
    pub corrupt: Vec<CorruptRecord>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}
