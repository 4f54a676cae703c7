//! What can go wrong in a store.

use std::{error::Error, fmt};

use super::StoreId;
use crate::record::CorruptRecord;

/// A store's failure: its kind and its cause.
///
/// Its text has the kind and then all causes, so that one `%error` in a log is enough. The text may name files, hosts and
/// tables, so do not send it to clients. [`source`](Error::source) returns the driver's own error.
///
/// It is never a refusal of a token: respond with "try again", not "unauthorized".
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// A failure of this kind.
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// With its cause.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What kind.
    pub const fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }

    /// Returns [`StoreErrorKind::is_transient`] of its kind.
    pub const fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<CorruptRecord> for StoreError {
    fn from(corrupt: CorruptRecord) -> Self {
        Self::new(StoreErrorKind::Corrupt(corrupt))
    }
}

impl fmt::Display for StoreError {
    /// Writes the kind, then each cause beneath it. What a cause repeats of the text above it is left out: many errors print
    /// their own source, and a store around another one reports the same kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut above = self.kind.to_string();
        f.write_str(&above)?;
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            match text.strip_prefix(&above) {
                Some(rest) => f.write_str(rest)?,
                None if above.contains(&text) => {}
                None => write!(f, ": {text}")?,
            }
            if !above.contains(&text) {
                above = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The kinds of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The id or a selector is there already.
    #[error("a record with this id or selector exists")]
    Duplicate,
    /// The owner has as many active tokens as allowed.
    #[error("the owner has {limit} active tokens, the most allowed")]
    LimitReached {
        /// How many are allowed.
        limit: u32,
    },
    /// The record was changed in between.
    #[error("the record was changed in between")]
    LostRace,
    /// There is no such record.
    #[error("no such record")]
    NotFound,
    /// The row cannot be read.
    #[error(transparent)]
    Corrupt(CorruptRecord),
    /// The selectors of one token belong to more than one record.
    #[error("selectors of one token belong to several records")]
    Ambiguous,
    /// The store takes no writes now, for example because its disk is full. Nothing was written, and reads work.
    #[error("the store is read-only")]
    ReadOnly,
    /// The store cannot be reached now, or did not finish in time.
    #[error("the store is unavailable")]
    Unavailable,
    /// The tables were made by a newer version of this software.
    #[error("the store's schema is of version {found}, expected at most {known}: a newer version has changed it")]
    NewerSchema {
        /// The version found.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The tables were made by an older version of this software, and this way of opening them does not migrate.
    #[error("the store's schema is of version {found}, expected {known}: run the later migrations")]
    OlderSchema {
        /// The version found.
        found: i64,
        /// The version this software needs.
        known: i64,
    },
    /// There is no store where one was expected: a file or tables are missing. Nothing was created.
    #[error("no token store in {location}: {detail}")]
    NoStore {
        /// The file, or the database and its schemas, that was searched.
        location: String,
        /// What is missing, and how to create a store if that is wanted.
        detail: String,
    },
    /// There is a store, but a part of it is missing or does not fit the rest, as after a restore that did not finish.
    #[error("the token store in {location} is incomplete: {detail}")]
    Incomplete {
        /// The file, or the database and its schemas, that holds the store.
        location: String,
        /// What is missing or wrong.
        detail: String,
    },
    /// The store is another one than expected: its random id differs.
    #[error("the token store has the id {found}, expected {expected}: this is another store")]
    WrongStore {
        /// The id of the store that was found.
        found: StoreId,
        /// The id that the application pinned, or that the store had when it was opened.
        expected: StoreId,
    },
    /// PostgreSQL's row-level security applies to the connection's role, so tokens may be hidden from it.
    #[error(
        "row-level security is active on {tables} in {location} and may hide rows: exempt the role (ALTER ROLE … \
         BYPASSRLS), or disable it on these tables (ALTER TABLE … DISABLE ROW LEVEL SECURITY)"
    )]
    RowSecurity {
        /// The database, its schemas and the role.
        location: String,
        /// The tables, separated by commas.
        tables: String,
    },
    /// A migration was edited after it ran here: its checksum differs from the one that was recorded.
    #[error("migration {version} has the checksum {expected}, but {found} ran here: it was edited afterwards")]
    EditedMigration {
        /// The migration's version.
        version: i64,
        /// The checksum that the database recorded when the migration ran, in hexadecimal.
        found: String,
        /// The checksum of the migration that this software contains, in hexadecimal.
        expected: String,
    },
    /// Anything else. See the cause.
    #[error("the store failed")]
    Other,
}

impl StoreErrorKind {
    /// Returns whether the same call may succeed later.
    ///
    /// - [`Unavailable`](Self::Unavailable): retry after a short pause. The cause may be gone already, as with a lock, a
    ///   lost connection, an I/O error or an interrupted statement.
    /// - [`ReadOnly`](Self::ReadOnly): retry after somebody has made room on the disk, or made the database writable.
    ///
    /// Every other kind fails in the same way until the call, the record, the schema or the software changes.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable | Self::ReadOnly)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        event::Step,
        maintain::StepFailed,
        registry::{ChangeError, IssueError, IssueOnceError, ReadError, SurrenderError, VerifyError},
    };

    /// A driver's error, which prints its own source, as sqlx's errors do.
    #[derive(Debug, thiserror::Error)]
    #[error("error returned from database: {0}")]
    struct Driver(#[source] std::io::Error);

    fn error() -> StoreError {
        StoreError::new(StoreErrorKind::Other).with_source(Driver(std::io::Error::other("disk is full")))
    }

    #[test]
    fn text_of_an_error_has_each_cause_once() {
        const CAUSE: &str = "the store failed: error returned from database: disk is full";
        let step = StepFailed { step: Step::Purge, source: error() };
        for (text, expected) in [
            (error().to_string(), CAUSE.to_owned()),
            (StoreError::new(StoreErrorKind::ReadOnly).to_string(), "the store is read-only".into()),
            (VerifyError::Store(error()).to_string(), format!("the record could not be looked up: {CAUSE}")),
            (IssueError::Store(error()).to_string(), format!("the record could not be stored: {CAUSE}")),
            (IssueOnceError::Store(error()).to_string(), format!("the request could not be looked up: {CAUSE}")),
            (ChangeError::Store(error()).to_string(), format!("the change could not be stored: {CAUSE}")),
            (SurrenderError::Store(error()).to_string(), format!("the revocation could not be stored: {CAUSE}")),
            (ReadError::Store(error()).to_string(), format!("the records could not be read: {CAUSE}")),
            (step.to_string(), format!("maintenance step `purge` failed: {CAUSE}")),
        ] {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn text_of_an_error_of_a_store_around_another_one_has_the_kind_once() {
        let outer = StoreError::new(StoreErrorKind::Other).with_source(error());
        assert_eq!(outer.to_string(), error().to_string());
        let outer = StoreError::new(StoreErrorKind::Unavailable).with_source(error());
        assert_eq!(outer.to_string(), format!("the store is unavailable: {}", error()));
    }

    #[test]
    fn causes_that_print_nothing_of_their_own_source_are_all_shown() {
        #[derive(Debug, thiserror::Error)]
        #[error("connection lost")]
        struct Quiet(#[source] std::io::Error);
        let error = StoreError::new(StoreErrorKind::Unavailable).with_source(Quiet(std::io::Error::other("reset")));
        assert_eq!(error.to_string(), "the store is unavailable: connection lost: reset");
    }
}
