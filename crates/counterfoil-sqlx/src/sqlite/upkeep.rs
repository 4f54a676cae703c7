//! What goes on beside the records: uses, purging, warnings, counts.

use std::{collections::BTreeSet, time::Duration};

use counterfoil::{KeyId, Timestamp, TokenId, record::Use, store::StoreError};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use super::{
    fault::fault,
    rows::value,
    write::{begin, commit},
};

/// Uses in one statement: few enough for one to be prepared in passing, many enough to make the hand-over small.
const USES_AT_ONCE: usize = 200;

pub(super) async fn record_uses(writer: &SqlitePool, uses: &[Use]) -> Result<(), StoreError> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut transaction = begin(writer).await?;
    for uses in uses.chunks(USES_AT_ONCE) {
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
             ON CONFLICT (token_id) DO UPDATE SET at = excluded.at, address = excluded.address, agent = excluded.agent \
             WHERE excluded.at >= at",
        );
        // Not kept: its text differs with the number of uses, and would push better ones out of the cache.
        query.build().persistent(false).execute(&mut *transaction).await.map_err(fault)?;
    }
    commit(transaction).await
}

pub(super) async fn purge(
    writer: &SqlitePool,
    revoked_before: Timestamp,
    expired_before: Option<Timestamp>,
    max_rows: u32,
) -> Result<u64, StoreError> {
    let mut transaction = begin(writer).await?;
    // Each half is bounded by itself, so that neither walks its whole index. The rest goes with the token's row.
    let deleted = sqlx::query(
        "DELETE FROM counterfoil_token WHERE rowid IN (\
         SELECT * FROM (SELECT rowid FROM counterfoil_token WHERE revoked_at < ?1 LIMIT ?3) UNION \
         SELECT * FROM (SELECT rowid FROM counterfoil_token WHERE expires_at < ?2 LIMIT ?3) LIMIT ?3) \
         RETURNING tenant, owner",
    )
    .bind(revoked_before.unix_millis())
    .bind(expired_before.map(Timestamp::unix_millis))
    .bind(max_rows)
    .fetch_all(&mut *transaction)
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
        .execute(&mut *transaction)
        .await
        .map_err(fault)?;
    }
    commit(transaction).await?;
    Ok(deleted.len() as u64)
}

/// One statement is a transaction by itself.
pub(super) async fn claim_warning(
    writer: &SqlitePool,
    id: TokenId,
    expiry: Timestamp,
    threshold: Duration,
) -> Result<bool, StoreError> {
    let claimed = sqlx::query(
        "INSERT OR IGNORE INTO counterfoil_warning (token_id, expiry, threshold_ms) \
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM counterfoil_token WHERE id = ?1)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(expiry.unix_millis())
    .bind(i64::try_from(threshold.as_millis()).unwrap_or(i64::MAX))
    .execute(writer)
    .await
    .map_err(fault)?;
    Ok(claimed.rows_affected() > 0)
}

pub(super) async fn count_by_key(readers: &SqlitePool, key: KeyId) -> Result<u64, StoreError> {
    let slots: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM counterfoil_token WHERE key_id = ?1) \
         + (SELECT count(*) FROM counterfoil_token WHERE retiring_key_id = ?1) \
         + (SELECT count(*) FROM counterfoil_token WHERE spent_key_id = ?1)",
    )
    .bind(key.as_str())
    .fetch_one(readers)
    .await
    .map_err(fault)?;
    Ok(slots.unsigned_abs())
}
