//! What is listed, and in which order.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    digest::KeyId,
    record::{CorruptRecord, Facts, Record, Row, SlotRow, Status, Statuses, Usage},
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
    /// Of one of these statuses now.
    pub statuses: Statuses,
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

    /// The active records that end before this moment.
    pub fn expiring(before: Timestamp) -> Self {
        Self { statuses: Status::Active.into(), expires_before: Some(before), ..Self::default() }
    }

    /// The predicate: the meaning of the fields, and what a store calls that writes no queries. It holds for a
    /// [`Record`], and for a [`Row`] whose body cannot be read as well.
    pub fn matches<'a>(&self, token: impl Into<Columns<'a>>, usage: Option<&Usage>, now: Timestamp) -> bool {
        let Self { owner, tenant, statuses, created_before, expires_before, used_since, unused_since, key } = self;
        let token: Columns<'_> = token.into();
        let last_used = usage.map(|usage| usage.at.unix_millis());
        let is_before = |millis: i64, moment: Timestamp| millis < moment.unix_millis();
        owner
            .as_ref()
            .is_none_or(|owner| owner.tenant_or_empty() == token.tenant && owner.subject().as_str() == token.owner)
            && tenant.as_ref().is_none_or(|tenant| tenant.as_str() == token.tenant)
            && statuses.contains(token.status(now))
            && created_before.is_none_or(|moment| is_before(token.created_at, moment))
            && expires_before.is_none_or(|moment| token.expires_at.is_some_and(|end| is_before(end, moment)))
            && used_since.is_none_or(|moment| last_used.is_some_and(|at| !is_before(at, moment)))
            && unused_since.is_none_or(|moment| is_before(last_used.unwrap_or(token.created_at), moment))
            && key.is_none_or(|key| token.keys.contains(&Some(key)))
    }
}

/// What a [`Filter`] looks at of a token.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    tenant: &'a str,
    owner: &'a str,
    created_at: i64,
    expires_at: Option<i64>,
    is_revoked: bool,
    is_suspended: bool,
    is_blocked: bool,
    keys: [Option<KeyId>; 3],
}

impl Columns<'_> {
    /// The status that the columns come to at `now`: as [`Record::status`].
    pub fn status(&self, now: Timestamp) -> Status {
        Status::of(&Facts {
            is_revoked: self.is_revoked,
            is_expired: self.expires_at.is_some_and(|end| now.unix_millis() >= end),
            is_suspended: self.is_suspended,
            is_blocked: self.is_blocked,
        })
    }
}

impl<'a> From<&'a Record> for Columns<'a> {
    fn from(record: &'a Record) -> Self {
        let mut keys = record.slots().iter().map(|(_, slot)| slot.digest.key_id());
        Self {
            tenant: record.owner().tenant_or_empty(),
            owner: record.owner().subject().as_str(),
            created_at: record.created_at().unix_millis(),
            expires_at: record.expiry().at().map(Timestamp::unix_millis),
            is_revoked: record.revoked().is_some(),
            is_suspended: record.suspended().is_some(),
            is_blocked: record.blocked().is_some(),
            keys: std::array::from_fn(|_| keys.next().flatten()),
        }
    }
}

impl<'a> From<&'a Row> for Columns<'a> {
    fn from(row: &'a Row) -> Self {
        let key = |slot: &SlotRow| slot.key.parse().ok();
        Self {
            tenant: &row.tenant,
            owner: &row.owner,
            created_at: row.created_at,
            expires_at: row.expires_at,
            is_revoked: row.revoked.is_some(),
            is_suspended: row.suspended.is_some(),
            is_blocked: row.blocked.is_some(),
            keys: [key(&row.current), row.retiring.as_ref().and_then(key), row.spent.as_ref().and_then(key)],
        }
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
///
/// ```
/// use counterfoil::store::LastUseCursor;
///
/// for text in ["1767312000000.0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa", "-.0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa"] {
///     assert_eq!(text.parse::<LastUseCursor>()?.to_string(), text);
/// }
/// # Ok::<(), counterfoil::store::InvalidCursor>(())
/// ```
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
