//! The schema: which one is there, and how it gets there.

use counterfoil::store::StoreError;
use sqlx::{Connection as _, Row as _, SqliteConnection, SqlitePool};

use super::fault::{fault, is_no_database, other};
use crate::migrate::{Creation, Inventory, SCHEMA, Step, TABLE, TABLES, migration_fault, require_current, run};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`SqliteStore::open`](super::SqliteStore::open) and [`from_pool`](super::SqliteStore::from_pool) run them, and note
/// them in a table of their own, `_counterfoil_migrations`. A host that lets its own migrator run them, each in one
/// transaction, opens the store with [`from_migrated_pool`](super::SqliteStore::from_migrated_pool). A step that was
/// ever published does not change.
pub const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("../../migrations/sqlite/1_tokens.sql"))];

const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Brings the schema to the version known here. Where it is, nothing is written, so that a read-only file will do.
pub(super) async fn migrate(writer: &SqlitePool, creation: Creation) -> Result<(), StoreError> {
    let location = location_of(writer);
    let mut connection = writer.acquire().await.map_err(fault)?;
    let version = version_to_migrate(&mut connection, &location, creation).await?;
    drop(connection);
    if version == Some(KNOWN) {
        return Ok(());
    }
    // Of two nodes that start at once the second finds the work done; all steps are made or none.
    let mut connection = writer.acquire().await.map_err(fault)?;
    let migrated = migrate_on(&mut connection, &location, creation).await;
    if migrated.is_err() {
        // SQLite may have rolled back by itself, which sqlx does not notice.
        connection.close_on_drop();
    }
    migrated
}

async fn migrate_on(connection: &mut SqliteConnection, location: &str, creation: Creation) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    if version_to_migrate(&mut transaction, location, creation).await? != Some(KNOWN) {
        run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
    }
    transaction.commit().await.map_err(fault)
}

/// Refuses a database without a store that this crate can migrate. Writes nothing.
pub(super) async fn require_store(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    version_to_migrate(&mut connection, &location_of(pool), Creation::Refused).await.map(drop)
}

/// Refuses anything but a store of the version known here. Writes nothing.
pub(super) async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    let inventory = inventory(&mut connection, &location_of(pool)).await?;
    match inventory.version(MIGRATIONS)? {
        Some(version) => require_current(version, KNOWN),
        None => Err(inventory.no_store(format!("no table `{SCHEMA}`: run the migrations first"))),
    }
}

/// Refuses a pool on which nothing would go with a token's row when that is deleted.
pub(super) async fn check_foreign_keys(pool: &SqlitePool) -> Result<(), StoreError> {
    let are_enforced: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.map_err(fault)?;
    if are_enforced { Ok(()) } else { Err(other("foreign keys are off on this pool, expected on, as sqlx sets them")) }
}

fn location_of(pool: &SqlitePool) -> String {
    pool.connect_options().get_filename().display().to_string()
}

async fn version_to_migrate(
    connection: &mut SqliteConnection,
    location: &str,
    creation: Creation,
) -> Result<Option<i64>, StoreError> {
    let inventory = inventory(connection, location).await?;
    let version = inventory.version(MIGRATIONS)?;
    match version {
        Some(_) => inventory.require_steps()?,
        None if creation == Creation::Refused => {
            return Err(inventory
                .no_store(format!("no table `{SCHEMA}`; `open_or_create` and `from_pool_or_create` create a store")));
        }
        None => {}
    }
    Ok(version)
}

async fn inventory(connection: &mut SqliteConnection, location: &str) -> Result<Inventory, StoreError> {
    let mut inventory =
        Inventory { location: location.to_owned(), tables: Vec::new(), versions: Vec::new(), steps: None };
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| match error {
            error if is_no_database(&error) => inventory.no_store("the file is not a SQLite database".into()),
            error => fault(error),
        })?;
    if names.iter().any(|name| name == SCHEMA) {
        inventory.versions = sqlx::query_scalar("SELECT version FROM counterfoil_schema LIMIT 3")
            .fetch_all(&mut *connection)
            .await
            .map_err(fault)?;
    }
    if names.iter().any(|name| name == TABLE) {
        let steps = sqlx::query("SELECT version, checksum, success FROM _counterfoil_migrations ORDER BY version")
            .try_map(|row: sqlx::sqlite::SqliteRow| {
                Ok(Step { version: row.try_get(0)?, checksum: row.try_get(1)?, is_complete: row.try_get(2)? })
            })
            .fetch_all(&mut *connection)
            .await
            .map_err(fault)?;
        inventory.steps = Some(steps);
    }
    inventory.tables = names.into_iter().filter(|name| TABLES.contains(&name.as_str())).collect();
    Ok(inventory)
}
