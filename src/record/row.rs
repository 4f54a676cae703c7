//! A record as a store keeps it: a few fixed columns, and a versioned body that stores need not understand.

mod body;
mod mark;

use std::fmt;

pub(crate) use body::Unread;
pub use mark::MarkRow;

use super::{Record, Retiring, Revision, Slot, Slots};
use crate::{
    annotation::Annotations, digest::KeyId, restriction::Restrictions, scope::Scopes, subject::Owner, time::Timestamp,
    token::TokenId,
};

/// A record in columns. Times are Unix milliseconds.
///
/// Every field is a column that a store filters, counts or swaps by, except `body`: JSON with whatever else a record
/// holds, so that a new part of it breaks no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record's public name; 16 bytes, in order.
    pub id: TokenId,
    /// The owner's tenant, empty where there is none.
    pub tenant: String,
    /// The owner's own name.
    pub owner: String,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Counts the digests made anew on use, from 1.
    pub digest_version: i64,
    /// When the token was made.
    pub created_at: i64,
    /// When it ends; none is never.
    pub expires_at: Option<i64>,
    /// That it was revoked.
    pub revoked: Option<MarkRow>,
    /// That it is suspended.
    pub suspended: Option<MarkRow>,
    /// That it is blocked.
    pub blocked: Option<MarkRow>,
    /// The current secret.
    pub current: SlotRow,
    /// The retiring secret.
    pub retiring: Option<SlotRow>,
    /// When the retiring secret's overlap ends; there exactly if `retiring` is.
    pub retiring_until: Option<i64>,
    /// The spent secret.
    pub spent: Option<SlotRow>,
    /// Everything else, as a JSON object.
    pub body: String,
}

/// A secret's columns.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// What finds the record: unique over all slots of all records.
    pub selector: String,
    /// The digest's text.
    pub digest: String,
    /// The id of the server key it was made with, empty where there is none: for [`count_by_key`](crate::TokenStore::count_by_key).
    pub key: String,
}

/// All but the digest, which belongs into no log.
impl fmt::Debug for SlotRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, digest: _, key } = self;
        f.debug_struct("SlotRow").field("selector", selector).field("key", key).finish_non_exhaustive()
    }
}

impl From<&Slot> for SlotRow {
    fn from(slot: &Slot) -> Self {
        Self {
            selector: slot.selector.to_string(),
            digest: slot.digest.to_text(),
            key: slot.digest.key_id().map(|key| key.to_string()).unwrap_or_default(),
        }
    }
}

impl Record {
    /// The greatest length of a row's body, in bytes.
    pub const MAX_BODY_LEN: usize = 128 * 1024;

    /// The record in columns.
    pub fn to_row(&self) -> Row {
        let Slots { current, retiring, spent } = &self.slots;
        Row {
            id: self.id,
            tenant: self.owner.tenant_or_empty().to_owned(),
            owner: self.owner.subject().as_str().to_owned(),
            version: i64::try_from(self.revision.version).unwrap_or(i64::MAX),
            digest_version: i64::try_from(self.revision.digest_version).unwrap_or(i64::MAX),
            created_at: self.created_at.unix_millis(),
            expires_at: self.expiry.at().map(Timestamp::unix_millis),
            revoked: self.revoked().map(MarkRow::from),
            suspended: self.suspended().map(MarkRow::from),
            blocked: self.blocked().map(MarkRow::from),
            current: current.into(),
            retiring: retiring.as_ref().map(|retiring| SlotRow::from(&retiring.slot)),
            retiring_until: retiring.as_ref().map(|retiring| retiring.until.unix_millis()),
            spent: spent.as_deref().map(SlotRow::from),
            body: self.to_body(),
        }
    }

    /// Reads a row. It is hostile: every value is held against its type's rules, and nothing is guessed.
    ///
    /// # Errors
    ///
    /// [`CorruptRecord`] names the first column that cannot be read.
    pub fn from_row(row: Row) -> Result<Self, CorruptRecord> {
        let id = row.id;
        let corrupt = |column: &'static str| move || CorruptRecord { id, column };
        let moment = |millis: i64, column| Timestamp::from_unix_millis(millis).ok().ok_or_else(corrupt(column));
        let count = |number: i64, column| {
            u64::try_from(number).ok().filter(|count| is_version(*count)).ok_or_else(corrupt(column))
        };
        let mark = |mark: Option<MarkRow>, column| {
            mark.map(|mark| mark.read().map(Box::new).ok_or_else(corrupt(column))).transpose()
        };
        let slot = |slot: &SlotRow, column| read_slot(slot).ok_or_else(corrupt(column));

        let retiring = match (&row.retiring, row.retiring_until) {
            (None, None) => None,
            (Some(retiring), Some(until)) => {
                let until = moment(until, "retiring_until")?;
                Some(Box::new(Retiring { slot: slot(retiring, "retiring")?, until }))
            }
            _ => return Err(corrupt("retiring_until")()),
        };
        let mut record = Self {
            id,
            owner: Owner::from_columns(&row.tenant, &row.owner).ok().ok_or_else(corrupt("owner"))?,
            revision: Revision {
                version: count(row.version, "version")?,
                digest_version: count(row.digest_version, "digest_version")?,
            },
            created_at: moment(row.created_at, "created_at")?,
            created_by: None,
            rotated_at: None,
            rotation_request: None,
            expiry: row.expires_at.map(|at| moment(at, "expires_at")).transpose()?.into(),
            revoked: mark(row.revoked, "revoked")?,
            suspended: mark(row.suspended, "suspended")?,
            blocked: mark(row.blocked, "blocked")?,
            slots: Slots {
                current: slot(&row.current, "current")?,
                retiring,
                spent: row.spent.as_ref().map(|spent| slot(spent, "spent").map(Box::new)).transpose()?,
            },
            public: "".into(),
            text_end: None,
            environment: None,
            routing: None,
            annotations: Annotations::default(),
            scopes: Scopes::none(),
            restrictions: Restrictions::none(),
            unread: None,
        };
        record.read_body(&row.body).ok_or_else(corrupt("body"))?;
        Ok(record)
    }
}

/// From 1, and below the greatest number, so that there is always a next one.
fn is_version(count: u64) -> bool {
    (1..i64::MAX.unsigned_abs()).contains(&count)
}

fn read_slot(row: &SlotRow) -> Option<Slot> {
    let slot = Slot { selector: row.selector.parse().ok()?, digest: row.digest.parse().ok()? };
    let key = slot.digest.key_id();
    (key.as_ref().map_or("", KeyId::as_str) == row.key).then_some(slot)
}

/// A stored row that cannot be read. It verifies nothing and can still be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {id} cannot be read: column `{column}` holds no valid value")]
pub struct CorruptRecord {
    /// Which record.
    pub id: TokenId,
    /// The first column that cannot be read.
    pub column: &'static str,
}
