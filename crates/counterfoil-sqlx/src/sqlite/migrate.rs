//! The schema: which one is there, and how it gets there.

use counterfoil::store::StoreError;
use sqlx::{SqliteConnection, SqlitePool};

use super::{
    fault::{fault, other},
    write::{begin, commit},
};
use crate::migrate::{TABLE, expect, migration_fault, not_newer, run};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`SqliteStore::open`](super::SqliteStore::open) and [`from_pool`](super::SqliteStore::from_pool) run them, and note
/// them in a table of their own, `_counterfoil_migrations`. A host that lets its own migrator run them, each in one
/// transaction, opens the store with [`from_migrated_pool`](super::SqliteStore::from_migrated_pool). A step that was
/// ever published does not change.
pub const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("../../migrations/sqlite/1_tokens.sql"))];

const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Brings the schema to the version known here. Where it is, nothing is written, so that a read-only file will do.
pub(super) async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await.map_err(fault)?;
    let is_current = found(&mut connection).await? == Some(KNOWN);
    drop(connection);
    if is_current {
        return Ok(());
    }
    // Of two nodes that start at once the second finds the work done; all steps are made or none.
    let mut transaction = begin(writer).await?;
    if found(&mut transaction).await? != Some(KNOWN) {
        run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
    }
    commit(transaction).await
}

pub(super) async fn check(readers: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = readers.acquire().await.map_err(fault)?;
    expect(found(&mut connection).await?, KNOWN)
}

/// Refuses a pool on which nothing would go with a token's row when that is deleted.
pub(super) async fn check_foreign_keys(pool: &SqlitePool) -> Result<(), StoreError> {
    let are_enforced: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.map_err(fault)?;
    if are_enforced { Ok(()) } else { Err(other("foreign keys are off on this pool, expected on, as sqlx sets them")) }
}

/// The version of the schema, if there is one.
async fn found(connection: &mut SqliteConnection) -> Result<Option<i64>, StoreError> {
    let schema = version_in(connection, "counterfoil_schema", "SELECT max(version) FROM counterfoil_schema").await?;
    let noted = version_in(connection, TABLE, "SELECT max(version) FROM _counterfoil_migrations").await?;
    not_newer(schema, noted, KNOWN)
}

async fn version_in(
    connection: &mut SqliteConnection,
    table: &str,
    statement: &'static str,
) -> Result<Option<i64>, StoreError> {
    let is_there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)")
            .bind(table)
            .fetch_one(&mut *connection)
            .await
            .map_err(fault)?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar(statement).fetch_one(&mut *connection).await.map_err(fault)
}
