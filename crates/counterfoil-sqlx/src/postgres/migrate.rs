//! The schema: which one is there, and how it gets there.

use counterfoil::{
    Selector,
    store::{StoreError, StoreErrorKind, StoreId},
};
use sqlx::{Connection as _, PgConnection, PgPool, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    call::{Manner, Operation},
    fault::{Failure, fault, other},
};
use crate::migrate::{
    Creation, Inventory, SCHEMA, SchemaRow, Step, Steps, TABLE, TABLES, migration_fault, newest, require_current, run,
};

/// The schema's steps, in order: each one's version and SQL, a script of several statements.
///
/// [`PostgresStore::from_pool`](super::PostgresStore::from_pool) runs them, and notes them in a table of their own,
/// `_counterfoil_migrations`. A host that lets its own migrator run them, each in one transaction and under its search
/// path, opens the store with [`from_migrated_pool`](super::PostgresStore::from_migrated_pool). A step that was ever
/// published does not change, and none takes away what an older version of this crate needs.
pub const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../../migrations/postgres/1_tokens.sql")),
    (2, include_str!("../../migrations/postgres/2_changes.sql")),
    (3, include_str!("../../migrations/postgres/3_store_id.sql")),
];

/// The advisory lock under which a schema is changed: "cfoil" and a one. Others who use it in this database wait too.
const LOCK: i64 = 0x6366_6f69_6c01;

/// Brings the schema to the version known here and returns the store's id. Where it is, nothing is written, so that a
/// standby will do.
pub(super) async fn migrate(pool: &PgPool, creation: Creation) -> Result<StoreId, StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    if let Some(id) = find_current(&mut connection, creation).await? {
        return Ok(id);
    }
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(fault)?;
    // Of many nodes that start at once one goes on; the others wait, and then find the work done.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(fault)?;
    let id = match find_current(&mut transaction, creation).await? {
        Some(id) => id,
        None => {
            stay_in_schema(&mut transaction).await.map_err(fault)?;
            run(&mut *transaction, MIGRATIONS).await.map_err(|error| migration_fault(error, fault))?;
            let made = find_current(&mut transaction, Creation::Refused).await?;
            made.ok_or_else(|| other("the migrations did not bring the schema up to date"))?
        }
    };
    transaction.commit().await.map_err(fault)?;
    Ok(id)
}

/// Refuses anything but a store of the version known here, and returns its id. Writes nothing.
pub(super) async fn check(pool: &PgPool) -> Result<StoreId, StoreError> {
    let mut connection = pool.acquire().await.map_err(fault)?;
    let inventory = inventory(&mut connection).await.map_err(fault)?;
    let Some(row) = inventory.store(MIGRATIONS)? else {
        return Err(no_store(&mut connection, &inventory, "run the migrations first").await?);
    };
    require_current(row.version, newest(MIGRATIONS))?;
    inventory.current_id(row)
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

/// The id of a store of the version known here, or `None` if there is something to migrate or to create.
async fn find_current(connection: &mut PgConnection, creation: Creation) -> Result<Option<StoreId>, StoreError> {
    let inventory = inventory(connection).await.map_err(fault)?;
    match inventory.store(MIGRATIONS)? {
        Some(row) => {
            inventory.require_steps()?;
            if row.version == newest(MIGRATIONS) { inventory.current_id(row).map(Some) } else { Ok(None) }
        }
        None if creation == Creation::Allowed => Ok(None),
        None => Err(no_store(connection, &inventory, "`from_pool_or_create` creates a store").await?),
    }
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
    let relations = sqlx::query_as::<_, (String, String, bool)>(
        "SELECT t.name, n.nspname::text, row_security_active(c.oid) FROM unnest($1::text[]) AS t (name) \
         JOIN pg_class AS c ON c.oid = to_regclass(t.name) JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p')",
    )
    .bind(&names)
    .fetch_all(&mut *connection)
    .await?;
    let schema = relations.iter().find(|(name, ..)| name == SCHEMA).map(|(_, schema, _)| schema);
    // What another schema of the search path holds is of another store.
    let ours = || relations.iter().filter(|(_, place, _)| schema.is_none_or(|schema| place == schema));

    let mut inventory = Inventory::of(location);
    let tables = || ours().filter(|(name, ..)| name != TABLE);
    inventory.tables = tables().map(|(name, ..)| name.clone()).collect();
    inventory.secured = tables().filter(|(.., is_secured)| *is_secured).map(|(name, ..)| name.clone()).collect();
    if schema.is_some() {
        // All columns, because an older schema has no `store_id`.
        let rows = sqlx::query("SELECT * FROM counterfoil_schema LIMIT 3").persistent(false).try_map(|row: PgRow| {
            let id: Option<Uuid> = row.try_get("store_id").ok().flatten();
            let id = id.map(|id| StoreId::from_bytes(*id.as_bytes()));
            Ok(SchemaRow { version: row.try_get("version")?, id })
        });
        inventory.rows = rows.fetch_all(&mut *connection).await?;
    }
    if ours().any(|(name, ..)| name == TABLE) {
        let steps = sqlx::query("SELECT version, checksum, success FROM _counterfoil_migrations ORDER BY version")
            .try_map(|row: PgRow| {
                Ok(Step { version: row.try_get(0)?, checksum: row.try_get(1)?, is_complete: row.try_get(2)? })
            });
        inventory.steps = Some(steps.fetch_all(&mut *connection).await?);
    }
    Ok(inventory)
}

/// Refuses anything but the whole store with this id, none of whose rows may be hidden.
pub(super) struct CheckHealth {
    pub(super) store: StoreId,
    pub(super) steps: Steps,
}

impl Operation for CheckHealth {
    type Output = ();

    const MANNER: Manner = Manner::Read;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        let inventory = inventory(connection).await?;
        match inventory.require(self.store, MIGRATIONS) {
            Err(error) if matches!(error.kind(), StoreErrorKind::NoStore { .. }) => {
                return Err(no_store(connection, &inventory, "it was there when the store was opened").await?.into());
            }
            outcome => outcome?,
        }
        if self.steps == Steps::Recorded {
            inventory.require_steps()?;
        }
        Ok(())
    }
}

/// Whether every table is next to the row `s` of `counterfoil_schema`, and shows its rows to this role.
macro_rules! is_whole {
    () => {
        "(SELECT count(*) FROM pg_class AS c WHERE c.oid = ANY (ARRAY[\
         to_regclass('counterfoil_schema'), to_regclass('counterfoil_owner'), to_regclass('counterfoil_token'), \
         to_regclass('counterfoil_selector'), to_regclass('counterfoil_usage'), \
         to_regclass('counterfoil_warning'), to_regclass('counterfoil_idempotency')]::oid[]) \
         AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = s.tableoid) \
         AND NOT row_security_active(c.oid)) = 7"
    };
}

pub(super) use is_whole;

macro_rules! state {
    ($($more:literal)?) => {
        concat!("SELECT s.store_id, ", is_whole!(), $($more,)? " FROM counterfoil_schema AS s LIMIT 2")
    };
}

/// The store's id, and whether it is whole.
const STATE: &str = state!();

/// With whether one of the selectors is there after all. It is one statement, which holds the tables as they are: what it
/// finds absent was absent from the store that it describes.
const STATE_WITHOUT: &str = state!(
    ", EXISTS (SELECT FROM counterfoil_selector AS f JOIN counterfoil_token AS t ON t.id = f.token_id \
     WHERE f.selector = ANY ($1))"
);

/// Refuses anything but the whole store with this id.
pub(super) async fn confirm(connection: &mut PgConnection, store: StoreId) -> Result<(), Failure> {
    let rows: Vec<(Option<Uuid>, bool)> = sqlx::query_as(STATE).fetch_all(&mut *connection).await?;
    match rows[..] {
        [(Some(id), true)] if *id.as_bytes() == *store.as_bytes() => Ok(()),
        _ => Err(diagnosis(connection, store).await),
    }
}

/// Whether none of the selectors is in the whole store with this id. Refuses anything else.
pub(super) async fn confirm_absence(
    connection: &mut PgConnection,
    store: StoreId,
    selectors: &[Selector],
) -> Result<bool, Failure> {
    let selectors: Vec<&str> = selectors.iter().map(Selector::as_str).collect();
    let rows: Vec<(Option<Uuid>, bool, bool)> =
        sqlx::query_as(STATE_WITHOUT).bind(selectors).fetch_all(&mut *connection).await?;
    match rows[..] {
        [(Some(id), true, is_there)] if *id.as_bytes() == *store.as_bytes() => Ok(!is_there),
        _ => Err(diagnosis(connection, store).await),
    }
}

/// What is wrong with the store.
pub(super) async fn diagnosis(connection: &mut PgConnection, store: StoreId) -> Failure {
    let health = CheckHealth { store, steps: Steps::Elsewhere };
    match health.attempt(connection).await {
        Err(failure) => failure,
        // It was put right between the two statements, and what was read before is not known to be true.
        Ok(()) => StoreErrorKind::Unavailable.into(),
    }
}
