//! The schema's migrations as files in the directory of your own migrator.
//!
//! `sqlx::migrate!` and most other migrators read a directory of SQL files. [`write()`] puts the schema's steps there, and
//! [`check()`], called from a test of yours, fails when a new version of this crate has a step that the directory lacks.
//! Your migrator then runs the files, and the service opens the store with `from_migrated_pool`.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use counterfoil_sqlx::{migration_files, sqlite};
//!
//! # let directory = tempfile::tempdir()?;
//! # let migrations = directory.path();
//! // Once, and again after an update of this crate. The first new file gets this version, the next one the next higher.
//! migration_files::write(sqlite::MIGRATIONS, migrations, 20_261_128_120_000)?;
//!
//! // In a test:
//! migration_files::check(sqlite::MIGRATIONS, migrations)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is named `<version>_counterfoil_<step>.sql`. The version is yours, so that it has its place among your own
//! migrations; the step is the number in `MIGRATIONS`. Each database needs a directory of its own.

use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Writes the steps that the directory does not have yet, and returns the new files.
///
/// The first of them gets `version`, the next one the next higher number. Choose a version above those of your own
/// migrations. The directory must exist.
///
/// # Errors
///
/// [`MigrationFilesError::Edited`] if a file holds something else than its step, and [`MigrationFilesError::Io`] if the
/// directory cannot be read or written. Nothing is overwritten.
pub fn write(
    migrations: &[(i64, &str)],
    directory: impl AsRef<Path>,
    version: i64,
) -> Result<Vec<PathBuf>, MigrationFilesError> {
    let directory = directory.as_ref();
    let missing = missing(migrations, directory)?;
    let mut written = Vec::new();
    for ((step, sql), version) in missing.into_iter().zip(version..) {
        let file = directory.join(format!("{version}_counterfoil_{step}.sql"));
        let mut new = fs::File::create_new(&file).map_err(|source| io_error(&file, source))?;
        io::Write::write_all(&mut new, sql.as_bytes()).map_err(|source| io_error(&file, source))?;
        written.push(file);
    }
    Ok(written)
}

/// Checks that the directory has a file for each step, with the step's SQL in it.
///
/// # Errors
///
/// [`MigrationFilesError`], which names the steps that are missing or the file that was edited.
pub fn check(migrations: &[(i64, &str)], directory: impl AsRef<Path>) -> Result<(), MigrationFilesError> {
    let directory = directory.as_ref();
    let steps: Vec<i64> = missing(migrations, directory)?.into_iter().map(|(step, _)| step).collect();
    if steps.is_empty() { Ok(()) } else { Err(MigrationFilesError::Missing { directory: directory.to_owned(), steps }) }
}

fn missing<'m>(migrations: &[(i64, &'m str)], directory: &Path) -> Result<Vec<(i64, &'m str)>, MigrationFilesError> {
    let mut missing = migrations.to_vec();
    for entry in fs::read_dir(directory).map_err(|source| io_error(directory, source))? {
        let file = entry.map_err(|source| io_error(directory, source))?.path();
        let Some(step) = file.file_name().and_then(|name| step_of(name.to_str()?)) else { continue };
        let Some((_, sql)) = migrations.iter().find(|(known, _)| *known == step) else { continue };
        let found = fs::read(&file).map_err(|source| io_error(&file, source))?;
        if found != sql.as_bytes() {
            return Err(MigrationFilesError::Edited { file, step });
        }
        missing.retain(|(known, _)| *known != step);
    }
    Ok(missing)
}

/// The step in `<version>_counterfoil_<step>.sql`.
fn step_of(name: &str) -> Option<i64> {
    let (version, step) = name.strip_suffix(".sql")?.split_once("_counterfoil_")?;
    version.parse::<i64>().ok()?;
    step.parse().ok()
}

fn io_error(path: &Path, source: io::Error) -> MigrationFilesError {
    MigrationFilesError::Io { path: path.to_owned(), source }
}

/// The reason why a directory does not hold the schema's migrations.
#[derive(Debug)]
#[non_exhaustive]
pub enum MigrationFilesError {
    /// The directory has no file for these steps.
    #[non_exhaustive]
    Missing {
        /// The directory that was read.
        directory: PathBuf,
        /// The steps, in ascending order.
        steps: Vec<i64>,
    },
    /// A file holds something else than its step. A migrator that ran it has noted another checksum.
    #[non_exhaustive]
    Edited {
        /// The file.
        file: PathBuf,
        /// The step that its name has.
        step: i64,
    },
    /// A file or the directory cannot be read or written.
    #[non_exhaustive]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl fmt::Display for MigrationFilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { directory, steps } => write!(
                f,
                "no file `<version>_counterfoil_<step>.sql` in {} for the steps {steps:?}: add them with \
                 `migration_files::write`",
                directory.display()
            ),
            Self::Edited { file, step } => {
                write!(f, "{} differs from step {step} of the schema, expected its exact text", file.display())
            }
            Self::Io { path, .. } => write!(f, "{} cannot be read or written", path.display()),
        }
    }
}

impl Error for MigrationFilesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Missing { .. } | Self::Edited { .. } => None,
        }
    }
}
