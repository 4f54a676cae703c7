//! Adding a record and replacing it.

use std::collections::BTreeSet;

use counterfoil::{
    Row, Timestamp, TokenId,
    record::{CorruptRecord, Revision},
    store::{StoreError, StoreErrorKind},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::{fault, other},
    rows::value,
    transaction::Operation,
};
use crate::rows::{bind_row, column, selectors_of};

/// Waits until everything that was read before is durable.
pub(super) struct ConfirmDurable;

impl Operation for ConfirmDurable {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        write_something(connection).await
    }
}

/// Makes a transaction that has changed no row write all the same, so that its commit syncs the file.
///
/// A read may have seen the commit of a process that was killed after it wrote to the `-wal` file and before it synced that
/// file, or of one that syncs less. An update to the same value would not do: SQLite writes no page whose content stays. No
/// owner has an empty name.
pub(super) async fn write_something(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for statement in [
        "INSERT OR IGNORE INTO counterfoil_owner (tenant, owner) VALUES ('', '')",
        "DELETE FROM counterfoil_owner WHERE tenant = '' AND owner = ''",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

const INSERT: &str = "INSERT INTO counterfoil_token (id, version, digest_version, expires_at, \
     revoked_at, revoked_detail, suspended_at, suspended_detail, blocked_at, blocked_detail, \
     selector, digest, key_id, retiring_selector, retiring_digest, retiring_key_id, \
     spent_selector, spent_digest, spent_key_id, retiring_until, body, tenant, owner, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
     ?22, ?23, ?24)";

const UPDATE: &str = "UPDATE counterfoil_token SET version = ?2, digest_version = ?3, expires_at = ?4, \
     revoked_at = ?5, revoked_detail = ?6, suspended_at = ?7, suspended_detail = ?8, \
     blocked_at = ?9, blocked_detail = ?10, selector = ?11, digest = ?12, key_id = ?13, \
     retiring_selector = ?14, retiring_digest = ?15, retiring_key_id = ?16, \
     spent_selector = ?17, spent_digest = ?18, spent_key_id = ?19, retiring_until = ?20, body = ?21 \
     WHERE id = ?1";

/// Adds a record, unless the owner has `limit` active tokens.
pub(super) struct Insert<'a> {
    pub(super) row: &'a Row,
    pub(super) limit: Option<u32>,
    pub(super) now: Timestamp,
}

impl Operation for Insert<'_> {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let row = self.row;
        sqlx::query("INSERT OR IGNORE INTO counterfoil_owner (tenant, owner) VALUES (?1, ?2)")
            .bind(row.tenant.as_str())
            .bind(row.owner.as_str())
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
        bind_row(sqlx::query(INSERT), row).execute(&mut *connection).await.map_err(fault)?;
        for selector in selectors_of(row) {
            add_selector(connection, row.id, selector).await?;
        }
        check_limit(connection, row, self.limit, self.now).await
    }
}

/// Replaces the record that has the expected revision.
pub(super) struct Update<'a> {
    pub(super) row: &'a Row,
    pub(super) expected: Revision,
    pub(super) limit: Option<u32>,
    pub(super) now: Timestamp,
}

impl Operation for Update<'_> {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let Self { row, expected, limit, now } = *self;
        let earlier = sqlx::query(
            "SELECT t.version, t.digest_version, t.tenant, t.owner, \
             (SELECT group_concat(s.selector, ' ') FROM counterfoil_selector AS s WHERE s.token_id = t.id) \
             FROM counterfoil_token AS t WHERE t.id = ?1",
        )
        .bind(row.id.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await
        .map_err(fault)?
        .ok_or(StoreErrorKind::NotFound)?;
        let earlier = Earlier::of(&earlier, row.id)?;
        if (earlier.version, earlier.digest_version) != (column(expected.version), column(expected.digest_version)) {
            return Err(StoreErrorKind::LostRace.into());
        }
        if (earlier.tenant, earlier.owner) != (&row.tenant, &row.owner) {
            return Err(other("the owner and tenant of a record never change"));
        }

        bind_row(sqlx::query(UPDATE), row).execute(&mut *connection).await.map_err(fault)?;
        let selectors = selectors_of(row);
        for selector in earlier.selectors.difference(&selectors) {
            sqlx::query("DELETE FROM counterfoil_selector WHERE selector = ?1")
                .bind(*selector)
                .execute(&mut *connection)
                .await
                .map_err(fault)?;
        }
        for selector in selectors.difference(&earlier.selectors) {
            add_selector(connection, row.id, selector).await?;
        }
        check_limit(connection, row, limit, now).await
    }
}

/// What a replacement is held against.
struct Earlier<'r> {
    version: i64,
    digest_version: i64,
    tenant: &'r str,
    owner: &'r str,
    selectors: BTreeSet<&'r str>,
}

impl<'r> Earlier<'r> {
    fn of(row: &'r SqliteRow, id: TokenId) -> Result<Self, CorruptRecord> {
        let corrupt = |column| CorruptRecord { id, column };
        Ok(Self {
            version: value(row, 0).ok_or(corrupt("version"))?,
            digest_version: value(row, 1).ok_or(corrupt("digest_version"))?,
            tenant: value(row, 2).ok_or(corrupt("owner"))?,
            owner: value(row, 3).ok_or(corrupt("owner"))?,
            selectors: value(row, 4).unwrap_or("").split_ascii_whitespace().collect(),
        })
    }
}

async fn add_selector(connection: &mut SqliteConnection, id: TokenId, selector: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO counterfoil_selector (selector, token_id) VALUES (?1, ?2)")
        .bind(selector)
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await
        .map_err(fault)?;
    Ok(())
}

/// Counts the owner's other tokens that are active at `now`. It comes last, so that a duplicate is told as one even
/// where the limit is reached; the transaction takes back what was written.
async fn check_limit(
    connection: &mut SqliteConnection,
    row: &Row,
    limit: Option<u32>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(limit) = limit else { return Ok(()) };
    let others: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM counterfoil_token WHERE tenant = ?1 AND owner = ?2 AND id <> ?3 \
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?4) \
         AND suspended_at IS NULL AND blocked_at IS NULL LIMIT ?5)",
    )
    .bind(row.tenant.as_str())
    .bind(row.owner.as_str())
    .bind(row.id.as_bytes().as_slice())
    .bind(now.unix_millis())
    .bind(limit)
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    if others >= i64::from(limit) { Err(StoreErrorKind::LimitReached { limit }.into()) } else { Ok(()) }
}
