//! Inspection and migration of the schema, for every database.

use counterfoil::store::{StoreError, StoreErrorKind, StoreId};
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migrate, MigrateError, Migration, MigrationType},
};

/// The table that records which migrations ran.
pub(crate) const TABLE: &str = "_counterfoil_migrations";

/// The table that holds the schema's version.
pub(crate) const SCHEMA: &str = "counterfoil_schema";

/// Every table of a store, in the order in which version 1 of the schema creates them.
pub(crate) const TABLES: [&str; 7] = [
    SCHEMA,
    "counterfoil_owner",
    "counterfoil_token",
    "counterfoil_selector",
    "counterfoil_usage",
    "counterfoil_warning",
    "counterfoil_idempotency",
];

/// Whether a store is created where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// There must be a store.
    Refused,
    /// A store is created where there is nothing of one.
    Allowed,
}

/// Who records which migrations ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// This crate, in [`TABLE`].
    Recorded,
    /// The application's own migrator, in a table that is not known here.
    Elsewhere,
}

/// Runs the migrations that have not run.
///
/// It does what sqlx's `Migrator` does, but inside the caller's transaction and in a future that is `Send`.
pub(crate) async fn run(
    connection: &mut (impl Migrate + Send),
    migrations: &[(i64, &'static str)],
) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    for (version, sql) in migrations {
        if applied.iter().all(|applied| applied.version != *version) {
            connection.apply(TABLE, &migration(*version, sql)).await?;
        }
    }
    Ok(())
}

fn migration(version: i64, sql: &'static str) -> Migration {
    Migration::new(version, "counterfoil".into(), MigrationType::Simple, sql.into_sql_str(), false)
}

/// The parts of a store that a database holds.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// The file, or the database and its schemas, that was searched, as an error names it.
    pub(crate) location: String,
    /// Those of [`TABLES`] that are there.
    pub(crate) tables: Vec<String>,
    /// Those of [`TABLES`] whose rows row-level security may hide.
    pub(crate) secured: Vec<String>,
    /// The rows of [`SCHEMA`]: exactly one in a whole store.
    pub(crate) rows: Vec<SchemaRow>,
    /// The recorded migrations in the order of their versions, or `None` without the table.
    pub(crate) steps: Option<Vec<Step>>,
}

/// A row of [`SCHEMA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaRow {
    pub(crate) version: i64,
    /// `None` in a schema from before there were ids, and where the text is not one.
    pub(crate) id: Option<StoreId>,
}

/// A migration that was recorded as run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) version: i64,
    pub(crate) checksum: Vec<u8>,
    pub(crate) is_complete: bool,
}

impl Inventory {
    /// An inventory of nothing, to be filled in.
    pub(crate) fn of(location: String) -> Self {
        Self { location, tables: Vec::new(), secured: Vec::new(), rows: Vec::new(), steps: None }
    }

    /// The row of a whole store, or `None` if there is nothing of a store.
    ///
    /// `migrations` are those known here. A store of a newer version is refused: what it consists of is not known.
    pub(crate) fn store(&self, migrations: &[(i64, &'static str)]) -> Result<Option<SchemaRow>, StoreError> {
        let known = newest(migrations);
        let noted = self.steps.iter().flatten().map(|step| step.version);
        let found = self.rows.iter().map(|row| row.version).chain(noted).max();
        if let Some(found) = found.filter(|found| *found > known) {
            return Err(StoreErrorKind::NewerSchema { found, known }.into());
        }
        self.whole(migrations)
    }

    /// Refuses anything but the store with this id. One that a newer node has migrated meanwhile is accepted.
    pub(crate) fn require(&self, id: StoreId, migrations: &[(i64, &'static str)]) -> Result<(), StoreError> {
        let Some(row) = self.whole(migrations)? else {
            return Err(self.no_store(format!("no table `{SCHEMA}`: the tables have gone since the store was opened")));
        };
        let found = self.current_id(row)?;
        if found == id { Ok(()) } else { Err(StoreErrorKind::WrongStore { found, expected: id }.into()) }
    }

    /// The id of a store that is of the version known here.
    pub(crate) fn current_id(&self, row: SchemaRow) -> Result<StoreId, StoreError> {
        row.id.ok_or_else(|| self.incomplete(format!("`{SCHEMA}` has no `store_id`")))
    }

    fn whole(&self, migrations: &[(i64, &'static str)]) -> Result<Option<SchemaRow>, StoreError> {
        let steps = self.steps.as_deref().unwrap_or_default();
        if self.tables.is_empty() && steps.is_empty() {
            return Ok(None);
        }
        if !self.secured.is_empty() {
            let (location, tables) = (self.location.clone(), listed(&self.secured));
            return Err(StoreErrorKind::RowSecurity { location, tables }.into());
        }
        let missing: Vec<_> = TABLES.iter().filter(|table| !self.tables.iter().any(|there| there == *table)).collect();
        if !missing.is_empty() {
            return Err(self.incomplete(format!("no table {}", listed(&missing))));
        }
        let [row] = self.rows[..] else {
            return Err(self.incomplete(format!("`{SCHEMA}` has {} rows, expected 1", self.rows.len())));
        };
        if self.steps.is_some() {
            self.compare(steps, row.version, migrations)?;
        }
        Ok(Some(row))
    }

    /// Compares the recorded migrations with ours, up to the schema's version.
    fn compare(&self, steps: &[Step], version: i64, migrations: &[(i64, &'static str)]) -> Result<(), StoreError> {
        for step in steps {
            if !step.is_complete {
                return Err(self.incomplete(format!("migration {} did not finish", step.version)));
            }
        }
        let known = newest(migrations);
        let due = migrations.iter().filter(|(step, _)| *step <= version);
        let steps = steps.iter().filter(|step| step.version <= known);
        if !due.clone().map(|(step, _)| *step).eq(steps.clone().map(|step| step.version)) {
            let found: Vec<_> = steps.map(|step| step.version).collect();
            return Err(self.incomplete(format!(
                "`{SCHEMA}` is of version {version}, but `{TABLE}` records the migrations {found:?}"
            )));
        }
        for ((version, sql), step) in due.zip(steps) {
            let expected = migration(*version, sql).checksum;
            if *expected != *step.checksum {
                let (found, expected) = (hex::encode(&step.checksum), hex::encode(&expected));
                return Err(StoreErrorKind::EditedMigration { version: *version, found, expected }.into());
            }
        }
        Ok(())
    }

    /// Refuses a store whose migrations this crate cannot continue, because it did not run the earlier ones.
    pub(crate) fn require_steps(&self) -> Result<(), StoreError> {
        match self.steps.as_deref() {
            Some([_, ..]) => Ok(()),
            None | Some([]) => Err(self.incomplete(format!(
                "`{TABLE}` records no migrations; if your own migrator runs them, open the store with \
                 `from_migrated_pool`"
            ))),
        }
    }

    pub(crate) fn incomplete(&self, detail: String) -> StoreError {
        StoreErrorKind::Incomplete { location: self.location.clone(), detail }.into()
    }

    pub(crate) fn no_store(&self, detail: String) -> StoreError {
        StoreErrorKind::NoStore { location: self.location.clone(), detail }.into()
    }
}

/// The latest version of the schema that is known here.
pub(crate) fn newest(migrations: &[(i64, &'static str)]) -> i64 {
    migrations.last().map_or(0, |(version, _)| *version)
}

fn listed(tables: &[impl std::fmt::Display]) -> String {
    tables.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ")
}

/// Refuses a schema that the application's own migrator left at an older version.
pub(crate) fn require_current(version: i64, known: i64) -> Result<(), StoreError> {
    if version == known { Ok(()) } else { Err(StoreErrorKind::OlderSchema { found: version, known }.into()) }
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
