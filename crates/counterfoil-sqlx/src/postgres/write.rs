//! Adding a record and replacing it.

use counterfoil::{
    Row, Timestamp,
    record::Revision,
    store::{StoreError, StoreErrorKind, StoreId},
};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{
    call::{Manner, Operation},
    fault::{Failure, other},
    migrate::{confirm, is_whole},
    rows::{Statement, uuid_of},
};
use crate::rows::{bind_row, column, selectors_of};

const INSERT: &str = "INSERT INTO counterfoil_token (id, version, digest_version, expires_at, \
     revoked_at, revoked_detail, suspended_at, suspended_detail, blocked_at, blocked_detail, \
     selector, digest, key_id, retiring_selector, retiring_digest, retiring_key_id, \
     spent_selector, spent_digest, spent_key_id, retiring_until, body, tenant, owner, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
     $22, $23, $24)";

const INSERT_BESIDE: &str = "WITH usage AS (INSERT INTO counterfoil_usage (token_id) VALUES ($1)) \
     INSERT INTO counterfoil_selector (token_id, selector) SELECT $1, unnest($2)";

/// The comparison and the swap are one statement. It waits for whoever is changing the row, and then compares what that
/// one has left.
const UPDATE: &str = "UPDATE counterfoil_token SET version = $2, digest_version = $3, expires_at = $4, \
     revoked_at = $5, revoked_detail = $6, suspended_at = $7, suspended_detail = $8, \
     blocked_at = $9, blocked_detail = $10, selector = $11, digest = $12, key_id = $13, \
     retiring_selector = $14, retiring_digest = $15, retiring_key_id = $16, \
     spent_selector = $17, spent_digest = $18, spent_key_id = $19, retiring_until = $20, body = $21 \
     WHERE id = $1 AND tenant = $22 AND owner = $23 AND version = $25 AND digest_version = $26";

const REPLACE_SELECTORS: &str = "WITH gone AS \
     (DELETE FROM counterfoil_selector WHERE token_id = $1 AND selector <> ALL ($2)) \
     INSERT INTO counterfoil_selector (token_id, selector) SELECT $1, n.selector FROM unnest($2) AS n (selector) \
     WHERE NOT EXISTS \
     (SELECT 1 FROM counterfoil_selector AS s WHERE s.selector = n.selector AND s.token_id = $1)";

const WHY_NOT: &str = "SELECT tenant = $2 AND owner = $3, version = $4 AND digest_version = $5 \
     FROM counterfoil_token WHERE id = $1";

pub(super) struct Insert<'a> {
    pub(super) store: StoreId,
    pub(super) row: &'a Row,
    pub(super) limit: Option<u32>,
    pub(super) now: Timestamp,
}

impl Operation for Insert<'_> {
    type Output = ();

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        if !lock_owner_in(connection, self.store, &self.row.tenant, &self.row.owner).await? {
            // A token that goes into another store is lost to this one.
            confirm(connection, self.store).await?;
            return Err(StoreErrorKind::Unavailable.into());
        }
        bind_row(sqlx::query(INSERT), self.row).execute(&mut *connection).await?;
        bind_selectors(sqlx::query(INSERT_BESIDE), self.row).execute(&mut *connection).await?;
        check_limit(connection, self.row, self.limit, self.now).await
    }
}

pub(super) struct Update<'a> {
    pub(super) row: &'a Row,
    pub(super) expected: Revision,
    pub(super) limit: Option<u32>,
    pub(super) now: Timestamp,
}

impl Operation for Update<'_> {
    type Output = ();

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        // Before the token's row, as everybody does: an owner's lock that is waited for while holding a row that its
        // holder wants next is a deadlock.
        if self.limit.is_some() {
            lock_owner(connection, &self.row.tenant, &self.row.owner).await?;
        }
        let swap = bind_row(sqlx::query(UPDATE), self.row)
            .bind(column(self.expected.version))
            .bind(column(self.expected.digest_version));
        if swap.execute(&mut *connection).await?.rows_affected() == 0 {
            return Err(self.why_not(connection).await?.into());
        }
        bind_selectors(sqlx::query(REPLACE_SELECTORS), self.row).execute(&mut *connection).await?;
        check_limit(connection, self.row, self.limit, self.now).await
    }
}

impl Update<'_> {
    async fn why_not(&self, connection: &mut PgConnection) -> Result<StoreError, sqlx::Error> {
        let stored = sqlx::query(WHY_NOT)
            .bind(uuid_of(self.row.id))
            .bind(self.row.tenant.as_str())
            .bind(self.row.owner.as_str())
            .bind(column(self.expected.version))
            .bind(column(self.expected.digest_version))
            .fetch_optional(connection)
            .await?;
        let Some(stored) = stored else { return Ok(StoreErrorKind::NotFound.into()) };
        let (is_of_owner, is_of_revision): (bool, bool) = (stored.try_get(0)?, stored.try_get(1)?);
        Ok(if is_of_revision && !is_of_owner {
            other("the owner and tenant of a record never change")
        } else {
            StoreErrorKind::LostRace.into()
        })
    }
}

/// Takes the lock on the owner: until the end of the transaction nobody else adds or brings back a token of its. The
/// row is made if it is not there, so that whoever is making it is waited for as well. What is counted next is counted
/// by a statement of its own, which sees what the holder before has written.
pub(super) async fn lock_owner(connection: &mut PgConnection, tenant: &str, owner: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO counterfoil_owner (tenant, owner) VALUES ($1, $2) \
         ON CONFLICT (tenant, owner) DO UPDATE SET owner = excluded.owner",
    )
    .bind(tenant)
    .bind(owner)
    .execute(connection)
    .await
    .map(drop)
}

/// [`lock_owner`], if the store is the whole one with this id: `false` if it is not.
async fn lock_owner_in(
    connection: &mut PgConnection,
    store: StoreId,
    tenant: &str,
    owner: &str,
) -> Result<bool, sqlx::Error> {
    let locked = sqlx::query(concat!(
        "INSERT INTO counterfoil_owner (tenant, owner) \
         SELECT $1, $2 WHERE EXISTS (SELECT FROM counterfoil_schema AS s WHERE s.store_id = $3 AND ",
        is_whole!(),
        ") ON CONFLICT (tenant, owner) DO UPDATE SET owner = excluded.owner",
    ))
    .bind(tenant)
    .bind(owner)
    .bind(Uuid::from_bytes(*store.as_bytes()))
    .execute(connection)
    .await?;
    Ok(locked.rows_affected() > 0)
}

fn bind_selectors<'q>(statement: Statement<'q>, row: &Row) -> Statement<'q> {
    let selectors: Vec<String> = selectors_of(row).into_iter().map(str::to_owned).collect();
    statement.bind(uuid_of(row.id)).bind(selectors)
}

/// Counts the owner's other tokens that are active at `now`. It comes last, so that a duplicate is told as one even
/// where the limit is reached; the transaction takes back what was written.
async fn check_limit(
    connection: &mut PgConnection,
    row: &Row,
    limit: Option<u32>,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(limit) = limit else { return Ok(()) };
    let others: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM counterfoil_token WHERE tenant = $1 AND owner = $2 AND id <> $3 \
         AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $4) \
         AND suspended_at IS NULL AND blocked_at IS NULL LIMIT $5) AS others",
    )
    .bind(row.tenant.as_str())
    .bind(row.owner.as_str())
    .bind(uuid_of(row.id))
    .bind(now.unix_millis())
    .bind(i64::from(limit))
    .fetch_one(connection)
    .await?;
    if others >= i64::from(limit) { Err(StoreErrorKind::LimitReached { limit }.into()) } else { Ok(()) }
}
