//! Running the schema's steps, for every database.

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migrate, MigrateError, Migration, MigrationType},
};

/// Where the steps that were made are noted.
pub(crate) const TABLE: &str = "_counterfoil_migrations";

/// What sqlx's `Migrator` does, which itself can be run on a pool or in a future that is not `Send`.
pub(crate) async fn run(
    connection: &mut (impl Migrate + Send),
    migrations: &[(i64, &'static str)],
) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    for (version, sql) in migrations {
        let step = Migration::new(*version, "counterfoil".into(), MigrationType::Simple, sql.into_sql_str(), false);
        match applied.iter().find(|applied| applied.version == *version) {
            None => connection.apply(TABLE, &step).await.map(drop)?,
            Some(applied) if applied.checksum == step.checksum => {}
            Some(_) => return Err(MigrateError::VersionMismatch(*version)),
        }
    }
    Ok(())
}

/// The version of the schema that is there, unless it is a newer one than is `known` here. Both are looked at: what the
/// schema says of itself, and what was noted.
pub(crate) fn not_newer(schema: Option<i64>, noted: Option<i64>, known: i64) -> Result<Option<i64>, StoreError> {
    match schema.max(noted) {
        Some(found) if found > known => Err(StoreErrorKind::NewerSchema { found, known }.into()),
        _ => Ok(schema),
    }
}

/// Holds the schema that a host's own migrator has made against the version known here.
pub(crate) fn expect(found: Option<i64>, known: i64) -> Result<(), StoreError> {
    let wrong = match found {
        Some(found) if found == known => return Ok(()),
        Some(older) => format!("the schema is of version {older}, expected {known}: run the later migrations"),
        None => "no table `counterfoil_schema`: run the migrations first".into(),
    };
    Err(StoreError::new(StoreErrorKind::Other).with_source(wrong))
}

/// The driver's error in a step, by the database's own way to tell one.
pub(crate) fn migration_fault(error: MigrateError, fault: impl FnOnce(sqlx::Error) -> StoreError) -> StoreError {
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
