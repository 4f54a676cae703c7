//! The schema: which one is there, and how it gets there.

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{
    SqlSafeStr as _, SqliteConnection, SqlitePool,
    migrate::{Migrate as _, MigrateError, Migration, MigrationType},
};

use super::{
    fault::{fault, other},
    write::{begin, commit},
};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`SqliteStore::open`](super::SqliteStore::open) and [`from_pool`](super::SqliteStore::from_pool) run them, and note
/// them in a table of their own, `_counterfoil_migrations`. A host that lets its own migrator run them, each in one
/// transaction, opens the store with [`from_migrated_pool`](super::SqliteStore::from_migrated_pool). A step that was
/// ever published does not change.
pub const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("../../migrations/sqlite/1_tokens.sql"))];

const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

const TABLE: &str = "_counterfoil_migrations";

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
        run(&mut transaction).await.map_err(migration_fault)?;
    }
    commit(transaction).await
}

/// Holds the schema that a host's own migrator has made against the version known here.
pub(super) async fn check(readers: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = readers.acquire().await.map_err(fault)?;
    match found(&mut connection).await? {
        Some(KNOWN) => Ok(()),
        Some(older) => {
            Err(other(format!("the schema is of version {older}, expected {KNOWN}: run the later migrations")))
        }
        None => Err(other("no table `counterfoil_schema`: run the migrations first")),
    }
}

/// Refuses a pool on which nothing would go with a token's row when that is deleted.
pub(super) async fn check_foreign_keys(pool: &SqlitePool) -> Result<(), StoreError> {
    let are_enforced: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.map_err(fault)?;
    if are_enforced { Ok(()) } else { Err(other("foreign keys are off on this pool, expected on, as sqlx sets them")) }
}

/// The version of the schema, if there is one.
async fn found(connection: &mut SqliteConnection) -> Result<Option<i64>, StoreError> {
    let version = version_in(connection, "counterfoil_schema", "SELECT max(version) FROM counterfoil_schema").await?;
    let migrated = version_in(connection, TABLE, "SELECT max(version) FROM _counterfoil_migrations").await?;
    match version.max(migrated) {
        Some(found) if found > KNOWN => Err(StoreErrorKind::NewerSchema { found, known: KNOWN }.into()),
        _ => Ok(version),
    }
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

/// What sqlx's `Migrator` does, which itself can be run on a pool or in a future that is not `Send`.
async fn run(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    for (version, sql) in MIGRATIONS {
        let step = Migration::new(*version, "counterfoil".into(), MigrationType::Simple, sql.into_sql_str(), false);
        match applied.iter().find(|applied| applied.version == *version) {
            None => connection.apply(TABLE, &step).await.map(drop)?,
            Some(applied) if applied.checksum == step.checksum => {}
            Some(_) => return Err(MigrateError::VersionMismatch(*version)),
        }
    }
    Ok(())
}

fn migration_fault(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            let fault = fault(error);
            // A duplicate here is a table's row, not a token's.
            let kind = match fault.kind() {
                StoreErrorKind::Duplicate => StoreErrorKind::Other,
                kind => kind.clone(),
            };
            StoreError::new(kind).with_source(fault)
        }
        error => StoreError::new(StoreErrorKind::Other).with_source(error),
    }
}
