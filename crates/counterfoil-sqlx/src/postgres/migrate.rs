//! The schema: which one is there, and how it gets there.

use counterfoil::store::StoreError;
use sqlx::{Connection as _, PgConnection, PgPool};

use super::fault::{fault, other};
use crate::migrate::{TABLE, expect, migration_fault, not_newer, run};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`PostgresStore::from_pool`](super::PostgresStore::from_pool) runs them, and notes them in a table of their own,
/// `_counterfoil_migrations`. A host that lets its own migrator run them, each in one transaction and under its search
/// path, opens the store with [`from_migrated_pool`](super::PostgresStore::from_migrated_pool). A step that was ever
/// published does not change, and none takes away what an older version of this crate needs.
pub const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../../migrations/postgres/1_tokens.sql")),
    (2, include_str!("../../migrations/postgres/2_changes.sql")),
];

const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The advisory lock under which a schema is changed: "cfoil" and a one. Others who use it in this database wait too.
const LOCK: i64 = 0x6366_6f69_6c01;

/// Brings the schema to the version known here. Where it is, nothing is written, so that a standby will do.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    if found(&mut connection).await? == Some(KNOWN) {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(fault)?;
    // Of many nodes that start at once one goes on; the others wait, and then find the work done.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(fault)?;
    if found(&mut transaction).await? != Some(KNOWN) {
        stay_in_schema(&mut transaction).await.map_err(fault)?;
        run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
    }
    transaction.commit().await.map_err(fault)
}

pub(super) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    expect(found(&mut connection).await?, KNOWN)
}

/// Refuses a database that cannot hold every text.
pub(super) async fn check_encoding(pool: &PgPool) -> Result<(), StoreError> {
    let encoding: String =
        sqlx::query_scalar("SELECT current_setting('server_encoding')").fetch_one(pool).await.map_err(fault)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(other(format!("the database's encoding is `{encoding}`, expected `UTF8`")))
}

/// Later steps go where the first ones went, also if the search path has got another schema in front since.
async fn stay_in_schema(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT set_config('search_path', quote_ident(n.nspname), TRUE) FROM pg_class AS c \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('counterfoil_schema')",
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The version of the schema, if there is one.
async fn found(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let schema = version_in(connection, "counterfoil_schema", "SELECT max(version) FROM counterfoil_schema").await?;
    let noted = version_in(connection, TABLE, "SELECT max(version) FROM _counterfoil_migrations").await?;
    not_newer(schema, noted, KNOWN)
}

async fn version_in(
    connection: &mut PgConnection,
    table: &str,
    statement: &'static str,
) -> Result<Option<i64>, StoreError> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(fault)?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar(statement).fetch_one(&mut *connection).await.map_err(fault)
}
