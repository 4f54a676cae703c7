//! What goes on beside the records: purging, warnings, counts.

use std::collections::HashSet;

use counterfoil::{KeyId, Timestamp, store::WarningClaim};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    call::{Manner, Operation},
    fault::Failure,
    rows::uuid_of,
};

/// Each half is bounded by itself, so that neither walks its whole index. A row is judged once more when it is locked,
/// and one that somebody is changing is left for the next time. The rest goes with the token's row.
const PURGE: &str = "WITH \
     revoked AS MATERIALIZED (SELECT id FROM counterfoil_token WHERE revoked_at < $1 LIMIT $3 \
     FOR UPDATE SKIP LOCKED), \
     expired AS MATERIALIZED (SELECT id FROM counterfoil_token WHERE expires_at < $2 LIMIT $3 \
     FOR UPDATE SKIP LOCKED) \
     DELETE FROM counterfoil_token WHERE id IN \
     (SELECT id FROM (SELECT id FROM revoked UNION SELECT id FROM expired) AS due LIMIT $3) \
     RETURNING tenant, owner";

/// An owner whose lock somebody holds is about to have a token, as a rule. Where it is revoked at this very moment, a row
/// without tokens may stay until its owner is minted for or revoked again: that is only a name.
const LOCK_OWNERS: &str = "SELECT tenant, owner FROM counterfoil_owner \
     WHERE (tenant, owner) IN (SELECT * FROM unnest($1, $2)) FOR UPDATE SKIP LOCKED";

const DELETE_OWNERS: &str = "DELETE FROM counterfoil_owner AS o \
     WHERE (tenant, owner) IN (SELECT * FROM unnest($1, $2)) \
     AND NOT EXISTS (SELECT 1 FROM counterfoil_token AS t WHERE t.tenant = o.tenant AND t.owner = o.owner)";

pub(super) struct Purge {
    pub(super) revoked_before: Timestamp,
    pub(super) expired_before: Option<Timestamp>,
    pub(super) max_rows: u32,
}

impl Operation for Purge {
    type Output = u64;

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        let deleted = sqlx::query(PURGE)
            .bind(self.revoked_before.unix_millis())
            .bind(self.expired_before.map(Timestamp::unix_millis))
            .bind(i64::from(self.max_rows))
            .fetch_all(&mut *connection)
            .await?;
        let owner = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        let mut owners: Vec<(String, String)> = deleted.iter().map(owner).collect::<Result<_, sqlx::Error>>()?;
        owners.sort_unstable();
        owners.dedup();
        if !owners.is_empty() {
            let (tenants, owners): (Vec<String>, Vec<String>) = owners.into_iter().unzip();
            let locked: Vec<(String, String)> =
                sqlx::query_as(LOCK_OWNERS).bind(tenants).bind(owners).fetch_all(&mut *connection).await?;
            let (tenants, owners): (Vec<String>, Vec<String>) = locked.into_iter().unzip();
            delete_owners(connection, tenants, owners).await?;
        }
        Ok(deleted.len() as u64)
    }
}

/// Deletes the rows of those that have no token. Their locks were taken by a statement before, so that this one sees
/// what the last holders have written.
pub(super) async fn delete_owners(
    connection: &mut PgConnection,
    tenants: Vec<String>,
    owners: Vec<String>,
) -> Result<(), sqlx::Error> {
    sqlx::query(DELETE_OWNERS).bind(tenants).bind(owners).execute(connection).await.map(drop)
}

/// In one order, so that two batches wait for each other and do not lock each other out. A token that is being deleted is
/// waited for; a deleted one is left out.
const CLAIM: &str = "INSERT INTO counterfoil_warning (token_id, expiry, threshold_ms) \
     SELECT c.token_id, c.expiry, c.threshold_ms \
     FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS c (token_id, expiry, threshold_ms) \
     JOIN counterfoil_token AS t ON t.id = c.token_id \
     ORDER BY c.token_id, c.expiry, c.threshold_ms FOR KEY SHARE OF t \
     ON CONFLICT DO NOTHING RETURNING token_id, expiry, threshold_ms";

pub(super) struct ClaimWarnings<'a>(pub(super) &'a [WarningClaim]);

impl Operation for ClaimWarnings<'_> {
    type Output = Vec<bool>;

    // A second claim would find the first, and nobody would warn.
    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Vec<bool>, Failure> {
        let claims: Vec<_> = self.0.iter().map(key_of).collect();
        let column = |of: fn(&Key) -> i64| claims.iter().map(of).collect::<Vec<_>>();
        let claimed: Vec<Key> = sqlx::query_as(CLAIM)
            .bind(claims.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
            .bind(column(|(_, expiry, _)| *expiry))
            .bind(column(|(.., threshold)| *threshold))
            .fetch_all(connection)
            .await?;
        let mut claimed: HashSet<Key> = claimed.into_iter().collect();
        // Of equal ones the first.
        Ok(claims.iter().map(|claim| claimed.remove(claim)).collect())
    }
}

type Key = (Uuid, i64, i64);

fn key_of(claim: &WarningClaim) -> Key {
    let threshold = i64::try_from(claim.threshold.as_millis()).unwrap_or(i64::MAX);
    (uuid_of(claim.id), claim.expiry.unix_millis(), threshold)
}

pub(super) struct CountByKey(pub(super) KeyId);

impl Operation for CountByKey {
    type Output = u64;

    const MANNER: Manner = Manner::Read;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        let slots: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM counterfoil_token WHERE key_id = $1) \
             + (SELECT count(*) FROM counterfoil_token WHERE retiring_key_id = $1) \
             + (SELECT count(*) FROM counterfoil_token WHERE spent_key_id = $1)",
        )
        .bind(self.0.as_str())
        .fetch_one(connection)
        .await?;
        Ok(slots.unsigned_abs())
    }

    /// It says that there are no more slots, and a key without slots is deleted.
    fn is_absence(&self, _: &u64) -> bool {
        true
    }
}
