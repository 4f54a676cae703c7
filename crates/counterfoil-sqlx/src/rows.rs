//! Columns ↔ [`Row`], for every database.

use std::net::IpAddr;

use counterfoil::{
    Record, Row, Timestamp, TokenId, Usage,
    record::{Agent, CorruptRecord, MarkRow, SlotRow},
};

/// The columns of a token `t`, in the order in which they are read.
macro_rules! token_columns {
    () => {
        "t.id, t.tenant, t.owner, t.version, t.digest_version, t.created_at, t.expires_at, \
         t.revoked_at, t.revoked_detail, t.suspended_at, t.suspended_detail, t.blocked_at, t.blocked_detail, \
         t.selector, t.digest, t.key_id, t.retiring_selector, t.retiring_digest, t.retiring_key_id, \
         t.spent_selector, t.spent_digest, t.spent_key_id, t.retiring_until, t.body"
    };
}
pub(crate) use token_columns;

/// The columns of a token `t` and, behind them, of its usage `u`.
macro_rules! stored_columns {
    () => {
        concat!($crate::rows::token_columns!(), ", u.at, u.address, u.agent")
    };
}
pub(crate) use stored_columns;

const USED_AT: usize = 24;

/// A row that was read. A value of another type than is asked for is an error.
pub(crate) trait Cells {
    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error>;
    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error>;
}

/// Reads [`token_columns`]. A value of another type than its column's is as corrupt as one that breaks its rules.
pub(crate) fn record_of(row: &impl Cells, id: TokenId) -> Result<Record, CorruptRecord> {
    let columns = Columns { row, id };
    Record::from_row(Row {
        id,
        tenant: columns.text(1, "owner")?,
        owner: columns.text(2, "owner")?,
        version: columns.number(3, "version")?,
        digest_version: columns.number(4, "digest_version")?,
        created_at: columns.number(5, "created_at")?,
        expires_at: columns.number_or_null(6, "expires_at")?,
        revoked: columns.mark(7, "revoked")?,
        suspended: columns.mark(9, "suspended")?,
        blocked: columns.mark(11, "blocked")?,
        current: columns.slot(13, "current")?.ok_or(CorruptRecord { id, column: "current" })?,
        retiring: columns.slot(16, "retiring")?,
        spent: columns.slot(19, "spent")?,
        retiring_until: columns.number_or_null(22, "retiring_until")?,
        body: columns.text(23, "body")?,
    })
}

/// Reads the usage behind [`token_columns`]. What cannot be read of it counts as not known: it is no part of the
/// record, and the next use writes it anew.
pub(crate) fn usage_of(row: &impl Cells) -> Option<Usage> {
    let text = |index| row.text(index).ok().flatten();
    Some(Usage {
        at: Timestamp::from_unix_millis(row.number(USED_AT).ok()??).ok()?,
        address: text(USED_AT + 1).and_then(|address| address.parse::<IpAddr>().ok()),
        agent: text(USED_AT + 2).and_then(|agent| Agent::new(agent).ok()),
    })
}

struct Columns<'r, R> {
    row: &'r R,
    id: TokenId,
}

impl<R: Cells> Columns<'_, R> {
    fn number(&self, index: usize, column: &'static str) -> Result<i64, CorruptRecord> {
        self.number_or_null(index, column)?.ok_or(CorruptRecord { id: self.id, column })
    }

    fn number_or_null(&self, index: usize, column: &'static str) -> Result<Option<i64>, CorruptRecord> {
        self.row.number(index).map_err(|_| CorruptRecord { id: self.id, column })
    }

    fn text(&self, index: usize, column: &'static str) -> Result<String, CorruptRecord> {
        self.text_or_null(index, column)?.ok_or(CorruptRecord { id: self.id, column })
    }

    fn text_or_null(&self, index: usize, column: &'static str) -> Result<Option<String>, CorruptRecord> {
        self.row.text(index).map_err(|_| CorruptRecord { id: self.id, column })
    }

    fn mark(&self, first: usize, column: &'static str) -> Result<Option<MarkRow>, CorruptRecord> {
        match (self.number_or_null(first, column)?, self.text_or_null(first + 1, column)?) {
            (None, None) => Ok(None),
            (Some(at), Some(detail)) => Ok(Some(MarkRow { at, detail })),
            _ => Err(CorruptRecord { id: self.id, column }),
        }
    }

    fn slot(&self, first: usize, column: &'static str) -> Result<Option<SlotRow>, CorruptRecord> {
        let text = |index| self.text_or_null(index, column);
        match (text(first)?, text(first + 1)?, text(first + 2)?) {
            (None, None, None) => Ok(None),
            (Some(selector), Some(digest), Some(key)) => Ok(Some(SlotRow { selector, digest, key })),
            _ => Err(CorruptRecord { id: self.id, column }),
        }
    }
}

/// A statement that takes its values in order.
pub(crate) trait Binds: Sized {
    fn id(self, id: TokenId) -> Self;
    fn number(self, number: Option<i64>) -> Self;
    fn text(self, text: Option<&str>) -> Self;
}

/// Binds the id as the first value, what a change may write as the second to the 21st, and what is written once as the
/// 22nd to the 24th.
pub(crate) fn bind_row<B: Binds>(statement: B, row: &Row) -> B {
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
    let statement = statement.id(*id).number(Some(*version)).number(Some(*digest_version)).number(*expires_at);
    let statement = [revoked, suspended, blocked].into_iter().fold(statement, |statement, mark| {
        let mark = mark.as_ref();
        statement.number(mark.map(|mark| mark.at)).text(mark.map(|mark| mark.detail.as_str()))
    });
    let statement =
        [Some(current), retiring.as_ref(), spent.as_ref()].into_iter().fold(statement, |statement, slot| {
            statement
                .text(slot.map(|slot| slot.selector.as_str()))
                .text(slot.map(|slot| slot.digest.as_str()))
                .text(slot.map(|slot| slot.key.as_str()))
        });
    let statement = statement.number(*retiring_until).text(Some(body));
    statement.text(Some(tenant)).text(Some(owner)).number(Some(*created_at))
}

/// The selectors of all slots of a row, each once.
pub(crate) fn selectors_of(row: &Row) -> std::collections::BTreeSet<&str> {
    let slots: [Option<&SlotRow>; 3] = [Some(&row.current), row.retiring.as_ref(), row.spent.as_ref()];
    slots.into_iter().flatten().map(|slot| slot.selector.as_str()).collect()
}

/// A count as its column holds it: as [`Record::to_row`] writes it.
pub(crate) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
