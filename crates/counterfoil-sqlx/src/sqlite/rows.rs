//! Columns ↔ [`Row`].

use std::net::IpAddr;

use counterfoil::{
    Record, Row, Timestamp, TokenId, Usage,
    record::{Agent, CorruptRecord, MarkRow, SlotRow},
    store::StoreError,
};
use sqlx::{Decode, Row as _, Sqlite, Type, query::Query, sqlite::SqliteArguments, sqlite::SqliteRow};

use super::fault::other;

/// The columns of a token `t`, in the order in which they are read.
macro_rules! token_columns {
    () => {
        "t.id, t.tenant, t.owner, t.version, t.digest_version, t.created_at, t.expires_at, \
         t.revoked_at, t.revoked_detail, t.suspended_at, t.suspended_detail, t.blocked_at, t.blocked_detail, \
         t.selector, t.digest, t.key_id, t.retiring_selector, t.retiring_digest, t.retiring_key_id, \
         t.spent_selector, t.spent_digest, t.spent_key_id, t.retiring_until, t.body"
    };
}
pub(super) use token_columns;

/// The columns of a token `t` and, behind them, of its usage `u`.
macro_rules! stored_columns {
    () => {
        concat!($crate::sqlite::rows::token_columns!(), ", u.at, u.address, u.agent")
    };
}
pub(super) use stored_columns;

const USED_AT: usize = 24;

/// The id in the first column. A row without a whole one cannot be named, so it is a failure and not a corrupt record.
pub(super) fn id_of(row: &SqliteRow) -> Result<TokenId, StoreError> {
    try_id(row, 0).ok_or_else(|| other("a row of `counterfoil_token` has an id that is not 16 bytes long"))
}

pub(super) fn try_id(row: &SqliteRow, index: usize) -> Option<TokenId> {
    let bytes: &[u8] = value(row, index)?;
    Some(TokenId::from_bytes(bytes.try_into().ok()?))
}

/// A value of a column that is never null. The driver alone would read a null as zero or as the empty text.
pub(super) fn value<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, index: usize) -> Option<T> {
    row.try_get::<Option<T>, _>(index).ok().flatten()
}

/// Reads [`token_columns`]. A value of another type than its column's is as corrupt as one that breaks its rules.
pub(super) fn record_of(row: &SqliteRow, id: TokenId) -> Result<Record, CorruptRecord> {
    let columns = Columns { row, id };
    Record::from_row(Row {
        id,
        tenant: columns.get(1, "owner")?,
        owner: columns.get(2, "owner")?,
        version: columns.get(3, "version")?,
        digest_version: columns.get(4, "digest_version")?,
        created_at: columns.get(5, "created_at")?,
        expires_at: columns.optional(6, "expires_at")?,
        revoked: columns.mark(7, "revoked")?,
        suspended: columns.mark(9, "suspended")?,
        blocked: columns.mark(11, "blocked")?,
        current: columns.slot(13, "current")?.ok_or(CorruptRecord { id, column: "current" })?,
        retiring: columns.slot(16, "retiring")?,
        spent: columns.slot(19, "spent")?,
        retiring_until: columns.optional(22, "retiring_until")?,
        body: columns.get(23, "body")?,
    })
}

/// Reads the usage behind [`token_columns`]. What cannot be read of it counts as not known: it is no part of the
/// record, and the next use writes it anew.
pub(super) fn usage_of(row: &SqliteRow) -> Option<Usage> {
    Some(Usage {
        at: Timestamp::from_unix_millis(value(row, USED_AT)?).ok()?,
        address: value(row, USED_AT + 1).and_then(|address: &str| address.parse::<IpAddr>().ok()),
        agent: value(row, USED_AT + 2).and_then(|agent: &str| Agent::new(agent).ok()),
    })
}

struct Columns<'r> {
    row: &'r SqliteRow,
    id: TokenId,
}

impl<'r> Columns<'r> {
    fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        index: usize,
        column: &'static str,
    ) -> Result<T, CorruptRecord> {
        value(self.row, index).ok_or(CorruptRecord { id: self.id, column })
    }

    fn optional<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        index: usize,
        column: &'static str,
    ) -> Result<Option<T>, CorruptRecord> {
        self.row.try_get(index).map_err(|_| CorruptRecord { id: self.id, column })
    }

    fn mark(&self, first: usize, column: &'static str) -> Result<Option<MarkRow>, CorruptRecord> {
        match (self.optional(first, column)?, self.optional(first + 1, column)?) {
            (None, None) => Ok(None),
            (Some(at), Some(detail)) => Ok(Some(MarkRow { at, detail })),
            _ => Err(CorruptRecord { id: self.id, column }),
        }
    }

    fn slot(&self, first: usize, column: &'static str) -> Result<Option<SlotRow>, CorruptRecord> {
        match (self.optional(first, column)?, self.optional(first + 1, column)?, self.optional(first + 2, column)?) {
            (None, None, None) => Ok(None),
            (Some(selector), Some(digest), Some(key)) => Ok(Some(SlotRow { selector, digest, key })),
            _ => Err(CorruptRecord { id: self.id, column }),
        }
    }
}

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds the id as `?1`, what a change may write as `?2` to `?21`, and what is written once as `?22` to `?24`.
pub(super) fn bind_row<'q>(statement: Statement<'q>, row: &Row) -> Statement<'q> {
    let Row {
        id,
        tenant,
        owner,
        version,
        digest_version,
        created_at,
        expires_at,
        revoked,
        suspended,
        blocked,
        current,
        retiring,
        retiring_until,
        spent,
        body,
    } = row;
    let statement = statement.bind(id.as_bytes().to_vec()).bind(*version).bind(*digest_version).bind(*expires_at);
    let statement = [revoked, suspended, blocked].into_iter().fold(statement, |statement, mark| {
        let mark = mark.as_ref();
        statement.bind(mark.map(|mark| mark.at)).bind(mark.map(|mark| mark.detail.clone()))
    });
    let statement =
        [Some(current), retiring.as_ref(), spent.as_ref()].into_iter().fold(statement, |statement, slot| {
            statement
                .bind(slot.map(|slot| slot.selector.clone()))
                .bind(slot.map(|slot| slot.digest.clone()))
                .bind(slot.map(|slot| slot.key.clone()))
        });
    let statement = statement.bind(*retiring_until).bind(body.clone());
    statement.bind(tenant.clone()).bind(owner.clone()).bind(*created_at)
}
