//! What goes on beside the records: uses, purging, warnings, counts.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use counterfoil::{
    KeyId, Timestamp,
    record::Use,
    store::{StoreError, WarningClaim},
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    fault::fault,
    rows::{try_id, value},
    transaction::Operation,
};

/// Uses in one statement: few enough for one to be prepared in passing, many enough to make the hand-over small.
const USES_AT_ONCE: usize = 200;

/// Notes uses, of which there is at least one.
pub(super) struct RecordUses<'a>(pub(super) &'a [Use]);

impl Operation for RecordUses<'_> {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for uses in self.0.chunks(USES_AT_ONCE) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO counterfoil_usage (token_id, at, address, agent) \
                 SELECT v.column1, v.column2, v.column3, v.column4 FROM (",
            );
            query.push_values(uses, |mut row, Use { id, usage }| {
                row.push_bind(id.as_bytes().as_slice())
                    .push_bind(usage.at.unix_millis())
                    .push_bind(usage.address.map(|address| address.to_string()))
                    .push_bind(usage.agent.as_ref().map(|agent| agent.as_str()));
            });
            query.push(
                ") AS v WHERE EXISTS (SELECT 1 FROM counterfoil_token AS t WHERE t.id = v.column1) \
                 ON CONFLICT (token_id) DO UPDATE SET at = excluded.at, address = excluded.address, \
                 agent = excluded.agent WHERE excluded.at >= at",
            );
            // Not kept: its text differs with the number of uses, and would push better ones out of the cache.
            query.build().persistent(false).execute(&mut *connection).await.map_err(fault)?;
        }
        Ok(())
    }
}

/// Deletes at most `max_rows` records that ended before.
pub(super) struct Purge {
    pub(super) revoked_before: Timestamp,
    pub(super) expired_before: Option<Timestamp>,
    pub(super) max_rows: u32,
}

impl Operation for Purge {
    type Output = u64;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
        // Each half is bounded by itself, so that neither walks its whole index. The rest goes with the token's row.
        let deleted = sqlx::query(
            "DELETE FROM counterfoil_token WHERE rowid IN (\
             SELECT * FROM (SELECT rowid FROM counterfoil_token WHERE revoked_at < ?1 LIMIT ?3) UNION \
             SELECT * FROM (SELECT rowid FROM counterfoil_token WHERE expires_at < ?2 LIMIT ?3) LIMIT ?3) \
             RETURNING tenant, owner",
        )
        .bind(self.revoked_before.unix_millis())
        .bind(self.expired_before.map(Timestamp::unix_millis))
        .bind(self.max_rows)
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;

        // An owner that cannot be read is no row of the other table either.
        let owners: BTreeSet<(&str, &str)> =
            deleted.iter().filter_map(|row| Some((value(row, 0)?, value(row, 1)?))).collect();
        for (tenant, owner) in owners {
            sqlx::query(
                "DELETE FROM counterfoil_owner WHERE tenant = ?1 AND owner = ?2 \
                 AND NOT EXISTS (SELECT 1 FROM counterfoil_token WHERE tenant = ?1 AND owner = ?2)",
            )
            .bind(tenant)
            .bind(owner)
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
        }
        Ok(deleted.len() as u64)
    }
}

/// Claims in one statement.
const CLAIMS_AT_ONCE: usize = 200;

/// Claims warnings, of which there is at least one.
pub(super) struct ClaimWarnings<'a>(pub(super) &'a [WarningClaim]);

impl Operation for ClaimWarnings<'_> {
    type Output = Vec<bool>;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Vec<bool>, StoreError> {
        let millis = |threshold: Duration| i64::try_from(threshold.as_millis()).unwrap_or(i64::MAX);
        let mut claimed = HashSet::new();
        for claims in self.0.chunks(CLAIMS_AT_ONCE) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT OR IGNORE INTO counterfoil_warning (token_id, expiry, threshold_ms) \
                 SELECT v.column1, v.column2, v.column3 FROM (",
            );
            query.push_values(claims, |mut row, WarningClaim { id, expiry, threshold }| {
                row.push_bind(id.as_bytes().as_slice()).push_bind(expiry.unix_millis()).push_bind(millis(*threshold));
            });
            query.push(
                ") AS v WHERE EXISTS (SELECT 1 FROM counterfoil_token AS t WHERE t.id = v.column1) \
                 RETURNING token_id, expiry, threshold_ms",
            );
            let rows = query.build().persistent(false).fetch_all(&mut *connection).await.map_err(fault)?;
            claimed.extend(rows.iter().filter_map(|row| Some((try_id(row, 0)?, value(row, 1)?, value(row, 2)?))));
        }
        // Of equal ones the first.
        let key = |claim: &WarningClaim| (claim.id, claim.expiry.unix_millis(), millis(claim.threshold));
        Ok(self.0.iter().map(|claim| claimed.remove(&key(claim))).collect())
    }
}

/// Counts the slots with a digest of this key.
pub(super) struct CountByKey(pub(super) KeyId);

impl Operation for CountByKey {
    type Output = u64;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
        let slots: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM counterfoil_token WHERE key_id = ?1) \
             + (SELECT count(*) FROM counterfoil_token WHERE retiring_key_id = ?1) \
             + (SELECT count(*) FROM counterfoil_token WHERE spent_key_id = ?1)",
        )
        .bind(self.0.as_str())
        .fetch_one(connection)
        .await
        .map_err(fault)?;
        Ok(slots.unsigned_abs())
    }
}
