//! What the driver reports, as the store's own kinds of failure.

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{Error, error::DatabaseError};

// Primary result codes: the low byte of what SQLite reports.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// The driver's error as a store's. SQLite's messages name tables and columns and never hold a value.
pub(super) fn fault(error: Error) -> StoreError {
    let kind = match &error {
        Error::Database(database) => kind_of(database.as_ref()),
        Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Io(_) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    };
    StoreError::new(kind).with_source(error)
}

/// A failure of the kind that has no name, in words.
pub(super) fn other(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Other).with_source(what.into())
}

fn kind_of(error: &dyn DatabaseError) -> StoreErrorKind {
    if error.is_unique_violation() {
        return StoreErrorKind::Duplicate;
    }
    match primary_code(error) {
        // A full disk takes no writes either, and gives what it has.
        Some(READONLY | FULL) => StoreErrorKind::ReadOnly,
        Some(BUSY | LOCKED | CANTOPEN) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    }
}

/// Whether the file is something else than a SQLite database.
pub(super) fn is_no_database(error: &Error) -> bool {
    matches!(error, Error::Database(error) if primary_code(error.as_ref()) == Some(NOTADB))
}

fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    let code: i32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}
