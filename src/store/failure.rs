//! What can go wrong in a store.

use std::{error::Error, fmt};

use crate::record::CorruptRecord;

/// A store's failure: what kind, and the cause beneath it.
///
/// Its text says the kind alone; log its [`source`](Error::source) too, which is the driver's own error.
///
/// It is never a refusal of a token: whoever sees one answers "try again", not "unauthorized".
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
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
    /// Anything else; the cause tells.
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
