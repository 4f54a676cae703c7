//! The schema: which one is there, and how it gets there.

use std::time::Duration;

use counterfoil::store::{StoreError, StoreErrorKind, StoreId};
use sqlx::{Connection as _, Row as _, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{
    fault::{fault, is_no_database, other},
    transaction::{Operation, Reader, read_within},
};
use crate::migrate::{
    Creation, Inventory, SCHEMA, SchemaRow, Step, Steps, TABLE, TABLES, migration_fault, newest, require_current, run,
};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`SqliteStore::open`](super::SqliteStore::open) and [`from_pool`](super::SqliteStore::from_pool) run them, and note
/// them in a table of their own, `_counterfoil_migrations`. A host that lets its own migrator run them, each in one
/// transaction, opens the store with [`from_migrated_pool`](super::SqliteStore::from_migrated_pool). A step that was
/// ever published does not change.
pub const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../../migrations/sqlite/1_tokens.sql")),
    (2, include_str!("../../migrations/sqlite/2_store_id.sql")),
];

/// Brings the schema to the version known here and returns the store's id. Where it is, nothing is written, so that a
/// read-only file will do.
pub(super) async fn migrate(writer: &SqlitePool, creation: Creation) -> Result<StoreId, StoreError> {
    let location = location_of(writer);
    let mut connection = writer.acquire().await.map_err(fault)?;
    let current = find_current(&mut connection, &location, creation).await?;
    drop(connection);
    if let Some(id) = current {
        return Ok(id);
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

async fn migrate_on(
    connection: &mut SqliteConnection,
    location: &str,
    creation: Creation,
) -> Result<StoreId, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    let id = match find_current(&mut transaction, location, creation).await? {
        Some(id) => id,
        None => {
            run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
            let made = find_current(&mut transaction, location, Creation::Refused).await?;
            made.ok_or_else(|| other("the migrations did not bring the schema up to date"))?
        }
    };
    transaction.commit().await.map_err(fault)?;
    Ok(id)
}

/// Refuses a database without a store that this crate can migrate. Writes nothing.
pub(super) async fn require_store(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    find_current(&mut connection, &location_of(pool), Creation::Refused).await.map(drop)
}

/// Refuses anything but a store of the version known here, and returns its id. Writes nothing.
pub(super) async fn check(pool: &SqlitePool) -> Result<StoreId, StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    let inventory = inventory(&mut connection, &location_of(pool)).await?;
    let Some(row) = inventory.store(MIGRATIONS)? else {
        return Err(inventory.no_store(format!("no table `{SCHEMA}`: run the migrations first")));
    };
    require_current(row.version, newest(MIGRATIONS))?;
    inventory.current_id(row)
}

/// Refuses anything but the whole store with this id.
pub(super) struct CheckHealth {
    pub(super) location: String,
    pub(super) store: StoreId,
    pub(super) steps: Steps,
}

impl Operation for CheckHealth {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let inventory = inventory(connection, &self.location).await?;
        inventory.require(self.store, MIGRATIONS)?;
        if self.steps == Steps::Recorded { inventory.require_steps() } else { Ok(()) }
    }
}

/// Refuses anything but the store with this id, by its one row alone: for a read that has found nothing.
pub(super) async fn confirm(readers: &Reader, deadline: Duration, store: StoreId) -> Result<(), StoreError> {
    let ids = sqlx::query_scalar("SELECT store_id FROM counterfoil_schema LIMIT 2").fetch_all(&readers.pool);
    let ids: Result<Vec<Option<String>>, StoreError> = read_within(deadline, ids).await;
    match &ids {
        Ok(ids) if matches!(&ids[..], [Some(id)] if id.parse() == Ok(store)) => return Ok(()),
        Err(error) if *error.kind() == StoreErrorKind::Unavailable => return ids.map(drop),
        Ok(_) | Err(_) => {}
    }
    let health = CheckHealth { location: location_of(&readers.pool), store, steps: Steps::Elsewhere };
    let mut connection = readers.pool.acquire().await.map_err(fault)?;
    health.run(&mut connection).await?;
    // It was put right between the two statements, and what was read before is not known to be true.
    Err(StoreErrorKind::Unavailable.into())
}

/// Refuses a pool on which nothing would go with a token's row when that is deleted.
pub(super) async fn check_foreign_keys(pool: &SqlitePool) -> Result<(), StoreError> {
    let are_enforced: bool = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.map_err(fault)?;
    if are_enforced { Ok(()) } else { Err(other("foreign keys are off on this pool, expected on, as sqlx sets them")) }
}

pub(super) fn location_of(pool: &SqlitePool) -> String {
    pool.connect_options().get_filename().display().to_string()
}

/// The id of a store of the version known here, or `None` if there is something to migrate or to create.
async fn find_current(
    connection: &mut SqliteConnection,
    location: &str,
    creation: Creation,
) -> Result<Option<StoreId>, StoreError> {
    let inventory = inventory(connection, location).await?;
    match inventory.store(MIGRATIONS)? {
        Some(row) => {
            inventory.require_steps()?;
            if row.version == newest(MIGRATIONS) { inventory.current_id(row).map(Some) } else { Ok(None) }
        }
        None if creation == Creation::Allowed => Ok(None),
        None => Err(inventory
            .no_store(format!("no table `{SCHEMA}`; `open_or_create` and `from_pool_or_create` create a store"))),
    }
}

async fn inventory(connection: &mut SqliteConnection, location: &str) -> Result<Inventory, StoreError> {
    let mut inventory = Inventory::of(location.to_owned());
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| match error {
            error if is_no_database(&error) => inventory.no_store("the file is not a SQLite database".into()),
            error => fault(error),
        })?;
    if names.iter().any(|name| name == SCHEMA) {
        // All columns, because an older schema has no `store_id`.
        let rows =
            sqlx::query("SELECT * FROM counterfoil_schema LIMIT 3").persistent(false).try_map(|row: SqliteRow| {
                let id: Option<String> = row.try_get("store_id").ok().flatten();
                Ok(SchemaRow { version: row.try_get("version")?, id: id.and_then(|id| id.parse().ok()) })
            });
        inventory.rows = rows.fetch_all(&mut *connection).await.map_err(fault)?;
    }
    if names.iter().any(|name| name == TABLE) {
        let steps = sqlx::query("SELECT version, checksum, success FROM _counterfoil_migrations ORDER BY version")
            .try_map(|row: SqliteRow| {
                Ok(Step { version: row.try_get(0)?, checksum: row.try_get(1)?, is_complete: row.try_get(2)? })
            });
        inventory.steps = Some(steps.fetch_all(&mut *connection).await.map_err(fault)?);
    }
    inventory.tables = names.into_iter().filter(|name| TABLES.contains(&name.as_str())).collect();
    Ok(inventory)
}
