//! Translates the driver's errors into [`StoreError`]s.

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{Error, error::DatabaseError};

// Result codes of SQLite, <https://sqlite.org/rescode.html>. The low byte of an extended code is its primary code.
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const NOTADB: i32 = 26;

/// Translates the driver's error. SQLite's messages name tables and columns and never contain a value.
pub(super) fn fault(error: Error) -> StoreError {
    let kind = match &error {
        Error::Database(database) => kind_of(database.as_ref()),
        Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Io(_) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    };
    StoreError::new(kind).with_source(error)
}

/// A failure of kind [`Other`](StoreErrorKind::Other), described in words.
pub(super) fn other(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Other).with_source(what.into())
}

/// A failure of kind [`Unavailable`](StoreErrorKind::Unavailable), described in words.
pub(super) fn unavailable(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).with_source(what.into())
}

fn kind_of(error: &dyn DatabaseError) -> StoreErrorKind {
    // The application's own triggers may violate constraints of the application's tables.
    if error.is_unique_violation() && error.message().contains("counterfoil_") {
        return StoreErrorKind::Duplicate;
    }
    match primary_code(error) {
        // Reads still work on a full disk.
        Some(READONLY | FULL) => StoreErrorKind::ReadOnly,
        Some(BUSY | LOCKED | NOMEM | INTERRUPT | IOERR | CANTOPEN | PROTOCOL) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    }
}

/// Whether another connection holds the lock that was asked for.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(primary_code_of(error), Some(BUSY | LOCKED))
}

/// Whether the database takes no writes.
pub(super) fn is_read_only(error: &Error) -> bool {
    primary_code_of(error) == Some(READONLY)
}

/// Whether the statement was refused as it is, such as a `BEGIN` within a transaction or a `ROLLBACK` outside of one.
pub(super) fn is_misplaced(error: &Error) -> bool {
    primary_code_of(error) == Some(ERROR)
}

/// Whether the file is something else than a SQLite database.
pub(super) fn is_no_database(error: &Error) -> bool {
    primary_code_of(error) == Some(NOTADB)
}

fn primary_code_of(error: &Error) -> Option<i32> {
    error.as_database_error().and_then(primary_code)
}

fn primary_code(error: &(impl DatabaseError + ?Sized)) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
