//! The schema: which one is there, and how it gets there.

use counterfoil::store::StoreError;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _, postgres::PgRow};

use super::fault::{fault, other};
use crate::migrate::{Creation, Inventory, SCHEMA, Step, TABLE, TABLES, migration_fault, require_current, run};

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
pub(super) async fn migrate(pool: &PgPool, creation: Creation) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    if version_to_migrate(&mut connection, creation).await? == Some(KNOWN) {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(fault)?;
    // Of many nodes that start at once one goes on; the others wait, and then find the work done.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(fault)?;
    if version_to_migrate(&mut transaction, creation).await? != Some(KNOWN) {
        stay_in_schema(&mut transaction).await.map_err(fault)?;
        run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
    }
    transaction.commit().await.map_err(fault)
}

/// Refuses anything but a store of the version known here. Writes nothing.
pub(super) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    let inventory = inventory(&mut connection).await.map_err(fault)?;
    match inventory.version(MIGRATIONS)? {
        Some(version) => require_current(version, KNOWN),
        None => Err(no_store(&mut connection, &inventory, "run the migrations first").await?),
    }
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

async fn version_to_migrate(connection: &mut PgConnection, creation: Creation) -> Result<Option<i64>, StoreError> {
    let inventory = inventory(connection).await.map_err(fault)?;
    let version = inventory.version(MIGRATIONS)?;
    match version {
        Some(_) => inventory.require_steps()?,
        None if creation == Creation::Refused => {
            return Err(no_store(connection, &inventory, "`from_pool_or_create` creates a store").await?);
        }
        None => {}
    }
    Ok(version)
}

/// The error for a search path without a store. It names the schemas of the database that have one: after a restore
/// without the setting of the search path the store is in one of those.
async fn no_store(
    connection: &mut PgConnection,
    inventory: &Inventory,
    remedy: &str,
) -> Result<StoreError, StoreError> {
    let elsewhere: Vec<(String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE') FROM pg_class AS c \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY n.nspname LIMIT 5",
    )
    .bind(SCHEMA)
    .fetch_all(connection)
    .await
    .map_err(fault)?;
    let mut detail = format!("no table `{SCHEMA}`");
    for (schema, is_usable) in elsewhere {
        detail += &if is_usable {
            format!("; there is one in schema `{schema}`, which is not in the search path")
        } else {
            format!("; there is one in schema `{schema}`, which this role has no USAGE on")
        };
    }
    Ok(inventory.no_store(format!("{detail}; {remedy}")))
}

async fn inventory(connection: &mut PgConnection) -> Result<Inventory, sqlx::Error> {
    let location: String = sqlx::query_scalar(
        "SELECT format('database `%s`, search path `%s` (schemas found: %s), as role `%s`', current_database(), \
         current_setting('search_path'), coalesce(nullif(array_to_string(current_schemas(FALSE), ', '), ''), 'none'), \
         current_user)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut names: Vec<&str> = TABLES.to_vec();
    names.push(TABLE);
    let relations: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, n.nspname::text FROM unnest($1::text[]) AS t (name) \
         JOIN pg_class AS c ON c.oid = to_regclass(t.name) JOIN pg_namespace AS n ON n.oid = c.relnamespace",
    )
    .bind(&names)
    .fetch_all(&mut *connection)
    .await?;
    let place = |name: &str| relations.iter().find(|(there, _)| there == name).map(|(_, schema)| schema.clone());
    let schema = place(SCHEMA);
    // What another schema of the search path holds is of another store.
    let is_ours = |place: Option<String>| place.is_some() && (schema.is_none() || place == schema);

    let mut inventory = Inventory { location, tables: Vec::new(), versions: Vec::new(), steps: None };
    inventory.tables = TABLES.iter().filter(|table| is_ours(place(table))).map(|table| (*table).to_owned()).collect();
    if schema.is_some() {
        inventory.versions =
            sqlx::query_scalar("SELECT version FROM counterfoil_schema LIMIT 3").fetch_all(&mut *connection).await?;
    }
    if is_ours(place(TABLE)) {
        let steps = sqlx::query("SELECT version, checksum, success FROM _counterfoil_migrations ORDER BY version")
            .try_map(|row: PgRow| {
                Ok(Step { version: row.try_get(0)?, checksum: row.try_get(1)?, is_complete: row.try_get(2)? })
            });
        inventory.steps = Some(steps.fetch_all(&mut *connection).await?);
    }
    Ok(inventory)
}
