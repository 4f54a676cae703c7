//! Many records by bulk load, and a few real ones among them.

use std::path::Path;

use counterfoil::{Grant, Keyring, Lifetime, Owner, Scopes, Selector, Timestamp, TokenFormat, TokenStore};
use counterfoil_sqlx::{PostgresStore, SqliteStore};
use sqlx::{
    AssertSqlSafe, PgPool, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) struct Filled<S> {
    pub(crate) store: S,
    pub(crate) hot: Vec<Hot>,
}

/// A token that is looked up.
pub(crate) struct Hot {
    pub(crate) text: String,
    pub(crate) selector: Selector,
}

pub(crate) fn keyring() -> Keyring {
    "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap()
}

pub(crate) fn format() -> TokenFormat {
    TokenFormat::builder("acme").build().unwrap()
}

/// As long as a real one.
const DIGEST: &str = "$hmac-sha256$v=1$key=k1$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BODY: &str = r#"{"public":"acme_AAAAAAAAAAAA","scopes":["parts:read","parts:write"],"v":1}"#;
/// So many at once, so that no statement holds millions.
const CHUNK: u64 = 500_000;

/// The records for a run of maintenance, from the first one on: unused ones of one owner, ones to purge, and ones that end
/// soon. The others are in use. All are made on the first of January 2026.
pub(crate) const OF_ONE_OWNER: u64 = 50_000;
pub(crate) const TO_PURGE: u64 = 50_000;
pub(crate) const ENDING: u64 = 50_000;

/// The values of columns that differ among those records, as SQL over `n`, and the condition of being in use.
fn upkeep_columns(now: Timestamp) -> [String; 5] {
    let (purged, ending) = (OF_ONE_OWNER + TO_PURGE, OF_ONE_OWNER + TO_PURGE + ENDING);
    let soon = now.unix_millis() + 3 * 86_400_000;
    let is_purged = format!("n > {OF_ONE_OWNER} AND n <= {purged}");
    [
        format!("CASE WHEN n <= {OF_ONE_OWNER} THEN 'large' ELSE 'user-' || n END"),
        format!("CASE WHEN n > {purged} AND n <= {ending} THEN {soon} END"),
        format!("CASE WHEN {is_purged} THEN 1767225600001 END"),
        format!("CASE WHEN {is_purged} THEN '{{}}' END"),
        format!("n > {OF_ONE_OWNER}"),
    ]
}

/// A file with so many records for a run of maintenance.
pub(crate) async fn sqlite_for_upkeep(path: &Path, rows: u64, now: Timestamp) {
    let (pool, _) = sqlite_pool(path).await;
    let [owner, expires, revoked, detail, is_used] = upkeep_columns(now);
    let at = now.unix_millis();
    for from in (1..=rows).step_by(CHUNK as usize) {
        let to = (from + CHUNK - 1).min(rows);
        let script = format!(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n WHERE n < {to})
                 SELECT n, unhex(printf('%032x', n)) AS id, printf('%012d', n) AS selector FROM n;
             INSERT INTO counterfoil_token (id, tenant, owner, version, digest_version, created_at, expires_at,
                     revoked_at, revoked_detail, selector, digest, key_id, body)
                 SELECT id, 'acme', {owner}, 1, 1, 1767225600000, {expires}, {revoked}, {detail}, selector,
                     '{DIGEST}', 'k1', '{BODY}' FROM n;
             INSERT INTO counterfoil_selector SELECT selector, id FROM n;
             INSERT INTO counterfoil_usage (token_id, at) SELECT id, {at} FROM n WHERE {is_used};
             DROP TABLE n;"
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&pool).await.unwrap();
    }
    sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
    pool.close().await;
}

pub(crate) async fn postgres_for_upkeep(pool: &PgPool, rows: u64, now: Timestamp) {
    let mut connection = pool.acquire().await.unwrap();
    let [owner, expires, revoked, detail, is_used] = upkeep_columns(now);
    let at = now.unix_millis();
    for from in (1..=rows).step_by(CHUNK as usize) {
        let to = (from + CHUNK - 1).min(rows);
        let script = format!(
            "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off;
             INSERT INTO counterfoil_token (id, tenant, owner, version, digest_version, created_at, expires_at,
                     revoked_at, revoked_detail, selector, digest, key_id, body)
                 SELECT lpad(to_hex(n), 32, '0')::uuid, 'acme', {owner}, 1, 1, 1767225600000, {expires}, {revoked},
                     {detail}, lpad(n::text, 12, '0'), '{DIGEST}', 'k1', '{BODY}'
                 FROM generate_series({from}, {to}) AS n;
             INSERT INTO counterfoil_selector
                 SELECT lpad(n::text, 12, '0'), lpad(to_hex(n), 32, '0')::uuid FROM generate_series({from}, {to}) AS n;
             INSERT INTO counterfoil_usage (token_id, at)
                 SELECT lpad(to_hex(n), 32, '0')::uuid, CASE WHEN {is_used} THEN {at} END
                 FROM generate_series({from}, {to}) AS n;
             COMMIT;"
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.unwrap();
    }
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut *connection).await.unwrap();
}

async fn sqlite_pool(path: &Path) -> (SqlitePool, SqliteStore) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Off);
    let options = options.pragma("cache_size", "-500000");
    let pool: SqlitePool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let store = SqliteStore::from_pool_or_create(pool.clone()).await.unwrap();
    (pool, store)
}

/// Makes a file with so many records, without waiting for the disk; whoever measures opens it anew.
pub(crate) async fn sqlite(path: &Path, rows: u64) -> Vec<Hot> {
    let (pool, store) = sqlite_pool(path).await;
    for from in (1..=rows).step_by(CHUNK as usize) {
        let to = (from + CHUNK - 1).min(rows);
        let script = format!(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n WHERE n < {to})
                 SELECT n, unhex(printf('%032x', n)) AS id, printf('%012d', n) AS selector FROM n;
             INSERT INTO counterfoil_token
                 (id, tenant, owner, version, digest_version, created_at, selector, digest, key_id, body)
                 SELECT id, 'acme', 'user-' || n, 1, 1, 1767225600000, selector, '{DIGEST}', 'k1', '{BODY}' FROM n;
             INSERT INTO counterfoil_selector SELECT selector, id FROM n;
             DROP TABLE n;"
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&pool).await.unwrap();
    }
    sqlx::raw_sql("ANALYZE").execute(&pool).await.unwrap();
    let hot = hot(&store).await;
    pool.close().await;
    hot
}

pub(crate) async fn postgres(pool: &PgPool, store: &PostgresStore, rows: u64) -> Vec<Hot> {
    let mut connection = pool.acquire().await.unwrap();
    // Neither triggers nor checks of keys, for this transaction each.
    for from in (1..=rows).step_by(CHUNK as usize) {
        let to = (from + CHUNK - 1).min(rows);
        let script = format!(
            "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off;
             INSERT INTO counterfoil_token
                 (id, tenant, owner, version, digest_version, created_at, selector, digest, key_id, body)
                 SELECT lpad(to_hex(n), 32, '0')::uuid, 'acme', 'user-' || n, 1, 1, 1767225600000,
                     lpad(n::text, 12, '0'), '{DIGEST}', 'k1', '{BODY}' FROM generate_series({from}, {to}) AS n;
             INSERT INTO counterfoil_selector
                 SELECT lpad(n::text, 12, '0'), lpad(to_hex(n), 32, '0')::uuid FROM generate_series({from}, {to}) AS n;
             INSERT INTO counterfoil_usage (token_id)
                 SELECT lpad(to_hex(n), 32, '0')::uuid FROM generate_series({from}, {to}) AS n;
             COMMIT;"
        );
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.unwrap();
    }
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut *connection).await.unwrap();
    drop(connection);
    hot(store).await
}

/// Sixty-four real tokens of as many owners.
async fn hot(store: &impl TokenStore) -> Vec<Hot> {
    let (format, keyring) = (format(), keyring());
    let now: Timestamp = std::time::SystemTime::now().try_into().unwrap();
    let scopes: Scopes = "parts:read parts:write".parse().unwrap();
    let mut hot = Vec::new();
    for number in 0..64 {
        let owner = Owner::in_tenant("acme", format!("hot-{number}")).unwrap();
        let minted = Grant::new(owner, Lifetime::Forever).scopes(scopes.clone()).mint(&format, &keyring, now).unwrap();
        store.insert(&minted.record, None, now).await.unwrap();
        let selector = minted.record.slots().current.selector;
        hot.push(Hot { text: minted.token.expose().to_owned(), selector });
    }
    hot
}
