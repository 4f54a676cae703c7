//! What the driver reports, as the store's own kinds of failure.

use std::{error, fmt};

use counterfoil::{
    record::CorruptRecord,
    store::{StoreError, StoreErrorKind},
};
use sqlx::{Error, postgres::PgDatabaseError};

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The driver or the server.
    Driver(Error),
    /// The store's own answer, which no repetition changes.
    Store(StoreError),
}

impl Failure {
    /// Whether the server has undone everything, because others were in the way: a serialization failure or a deadlock.
    pub(super) fn is_undone(&self) -> bool {
        matches!(self.code(), Some("40001" | "40P01"))
    }

    /// Whether the connection is gone, or the server goes: what was sent last may have been done or not.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Driver(Error::Io(_)) => true,
            Self::Driver(Error::Database(_)) => {
                self.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
            }
            _ => false,
        }
    }

    /// Whether a record was looked for and is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(error) if *error.kind() == StoreErrorKind::NotFound)
    }

    pub(super) fn is_violation(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// The server's SQLSTATE: see appendix A, "PostgreSQL Error Codes", of its manual.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Driver(Error::Database(error)) => Some(error.try_downcast_ref::<PgDatabaseError>()?.code()),
            _ => None,
        }
    }

    fn kind(&self) -> StoreErrorKind {
        let Some(code) = self.code() else {
            return match self {
                Self::Driver(Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed | Error::Io(_)) => {
                    StoreErrorKind::Unavailable
                }
                Self::Driver(Error::Tls(_)) => StoreErrorKind::Unavailable,
                _ => StoreErrorKind::Other,
            };
        };
        match code {
            UNIQUE_VIOLATION => StoreErrorKind::Duplicate,
            // A standby, `default_transaction_read_only`; a disk that is full, on which tokens still verify.
            "25006" | "53100" => StoreErrorKind::ReadOnly,
            // A lock that was waited for too long, and a statement that took too long.
            "55P03" | "57014" => StoreErrorKind::Unavailable,
            // The queue of notifications is full: the commit of a change has told nothing, and is undone.
            "54000" => StoreErrorKind::Unavailable,
            // A transaction that sat idle for longer than the server allows.
            "25P03" | "25P04" => StoreErrorKind::Unavailable,
            // Connections; resources; whoever shuts down; and whoever was in the way more often than we tried.
            _ if ["08", "40", "53"].contains(&&code[..code.len().min(2)]) || code.starts_with("57P") => {
                StoreErrorKind::Unavailable
            }
            _ => StoreErrorKind::Other,
        }
    }
}

pub(super) const UNIQUE_VIOLATION: &str = "23505";
pub(super) const UNDEFINED_TABLE: &str = "42P01";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StoreErrorKind> for Failure {
    fn from(kind: StoreErrorKind) -> Self {
        Self::Store(kind.into())
    }
}

impl From<CorruptRecord> for Failure {
    fn from(corrupt: CorruptRecord) -> Self {
        Self::Store(corrupt.into())
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let kind = failure.kind();
        match failure {
            Failure::Store(error) => error,
            Failure::Driver(Error::Database(error)) => Self::new(kind).with_source(Told::by(error.as_ref())),
            Failure::Driver(error) => Self::new(kind).with_source(error),
        }
    }
}

/// The driver's error as a store's.
pub(super) fn fault(error: Error) -> StoreError {
    Failure::from(error).into()
}

/// A failure of the kind that has no name, in words.
pub(super) fn other(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Other).with_source(what.into())
}

/// What may be told of the server's error. Its detail is left out: it holds the values of the row, a selector or a
/// digest among them.
#[derive(Debug)]
struct Told {
    code: String,
    message: String,
}

impl Told {
    fn by(error: &dyn sqlx::error::DatabaseError) -> Self {
        Self { code: error.code().unwrap_or_default().into_owned(), message: error.message().to_owned() }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database answered {}: {}", self.code, self.message)
    }
}

impl error::Error for Told {}
