//! Files and pools.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    SqliteStore,
    fault::{fault, other},
    migrate::{check, check_foreign_keys, migrate},
};

/// How a file is opened.
///
/// ```
/// use counterfoil_sqlx::sqlite::SqliteOptions;
/// use std::time::Duration;
///
/// let options = SqliteOptions::default().read_connections(8).busy_timeout(Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct SqliteOptions {
    read_connections: u32,
    busy_timeout: Duration,
}

impl Default for SqliteOptions {
    /// Four read connections, and five seconds of patience.
    fn default() -> Self {
        Self { read_connections: 4, busy_timeout: Duration::from_secs(5) }
    }
}

impl SqliteOptions {
    /// At most so many connections that read, each with a thread of its own; at least 1.
    pub fn read_connections(self, read_connections: u32) -> Self {
        Self { read_connections: read_connections.max(1), ..self }
    }

    /// How long to wait for another process to finish its write, in whole milliseconds; at most 24 days.
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        // More would overflow the driver's number.
        Self { busy_timeout: busy_timeout.min(Duration::from_secs(24 * 24 * 60 * 60)), ..self }
    }

    fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .busy_timeout(self.busy_timeout)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
    }
}

impl SqliteStore {
    /// Opens a file, makes it if it is not there, and brings its schema up to date.
    ///
    /// It has one connection that writes and four that read, a write-ahead log, and does not answer a write before it
    /// is on the disk. The directory must be there and on a local disk. Other processes may have the file open too.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](StoreErrorKind::Unavailable) if the file cannot be opened or is locked for longer than five
    /// seconds; [`NewerSchema`](StoreErrorKind::NewerSchema) if a newer version of this crate has changed the schema;
    /// [`ReadOnly`](StoreErrorKind::ReadOnly) if the schema must be brought up to date and the file cannot be written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// [`open`](Self::open) with other numbers.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        // Absolute, so that SQLite takes neither `:memory:` nor `file:` for more than a name.
        let path = std::path::absolute(path)
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable).with_source(error))?;
        let connect = options.connect().filename(path);
        let writing = connect.clone().create_if_missing(true);
        let writer = lasting(1).connect_with(writing).await.map_err(fault)?;
        set_write_ahead_log(&writer, options.busy_timeout).await?;
        migrate(&writer).await?;
        let reading = connect.pragma("query_only", "ON");
        let readers = lasting(options.read_connections).connect_with(reading).await.map_err(fault)?;
        Ok(Self { writer, readers })
    }

    /// Opens a database in memory, which is gone with the last clone of the store: for tests.
    ///
    /// # Errors
    ///
    /// Only SQLite's own.
    pub async fn in_memory() -> Result<Self, StoreError> {
        // One connection: each would have a database of its own.
        let options = SqliteOptions::default().connect().in_memory(true);
        let pool = lasting(1).connect_with(options).await.map_err(fault)?;
        migrate(&pool).await?;
        Ok(Self { writer: pool.clone(), readers: pool })
    }

    /// Keeps the tables in the host's database, through the host's pool, and brings their schema up to date.
    ///
    /// Their names begin with `counterfoil_`, and the migrations are noted in `_counterfoil_migrations`, apart from the
    /// host's own. The connections must enforce foreign keys, which sqlx's do unless told otherwise; a write-ahead log,
    /// `synchronous = FULL` and a busy timeout are the host's to set, and what [`open`](Self::open) promises of
    /// durability depends on them.
    ///
    /// A pool that tries each connection before it hands it out, as sqlx's do unless told otherwise, makes every read
    /// take about twice as long: `test_before_acquire(false)` is safe with a local file.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); [`Other`](StoreErrorKind::Other) if foreign keys are off.
    pub async fn from_pool(pool: SqlitePool) -> Result<Self, StoreError> {
        check_foreign_keys(&pool).await?;
        migrate(&pool).await?;
        Ok(Self { writer: pool.clone(), readers: pool })
    }

    /// Keeps the tables in a database whose migrations the host runs by itself: those of
    /// [`MIGRATIONS`](super::MIGRATIONS). None are run, and nothing is written.
    ///
    /// # Errors
    ///
    /// [`NewerSchema`](StoreErrorKind::NewerSchema) if the schema is newer than this version of the crate;
    /// [`Other`](StoreErrorKind::Other) if it is older or not there, or foreign keys are off.
    pub async fn from_migrated_pool(pool: SqlitePool) -> Result<Self, StoreError> {
        check_foreign_keys(&pool).await?;
        check(&pool).await?;
        Ok(Self { writer: pool.clone(), readers: pool })
    }

    /// Closes the connections, the host's pool too if that was given, once the calls that run have ended. What is
    /// called afterwards is [`Unavailable`](StoreErrorKind::Unavailable).
    pub async fn close(&self) {
        self.readers.close().await;
        // The last to go: it writes the log back into the file.
        self.writer.close().await;
    }
}

/// A pool whose connections last as long as it does. A local file does not hang up, so none is tried before use.
fn lasting(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// The file remembers the log. Setting it up takes the file for oneself, which is the one lock that SQLite does not
/// wait for: of several who open a new file at once all but one are turned away at first.
async fn set_write_ahead_log(writer: &SqlitePool, patience: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(writer).await.map_err(fault);
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(other(format!("the file has journal mode `{mode}`, expected `wal`"))),
            Err(busy) if *busy.kind() == StoreErrorKind::Unavailable && begun.elapsed() < patience => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Row as _, Sqlite, pool::PoolConnection};

    use super::*;

    async fn settings(connection: &mut PoolConnection<Sqlite>) -> sqlx::Result<(String, [i64; 4])> {
        let mode = sqlx::query("PRAGMA journal_mode").fetch_one(&mut **connection).await?.try_get(0)?;
        let mut numbers = [0; 4];
        let pragmas = ["PRAGMA synchronous", "PRAGMA foreign_keys", "PRAGMA busy_timeout", "PRAGMA query_only"];
        for (number, pragma) in numbers.iter_mut().zip(pragmas) {
            *number = sqlx::query_scalar(pragma).fetch_one(&mut **connection).await?;
        }
        Ok((mode, numbers))
    }

    #[tokio::test]
    async fn every_connection_is_set_as_promised() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let store = SqliteStore::open(directory.path().join("tokens.db")).await?;

        let mut writer = store.writer.acquire().await?;
        assert_eq!(settings(&mut writer).await?, ("wal".into(), [2, 1, 5000, 0]));
        assert!(store.writer.try_acquire().is_none(), "one connection writes");

        let mut readers = Vec::new();
        for _ in 0..4 {
            let mut reader = store.readers.acquire().await?;
            assert_eq!(settings(&mut reader).await?, ("wal".into(), [2, 1, 5000, 1]));
            readers.push(reader);
        }
        assert_eq!(store.readers.size(), 4);
        assert_eq!(store.readers.options().get_max_connections(), 4);
        assert!(sqlx::query("DELETE FROM counterfoil_token").execute(&mut *readers[0]).await.is_err());

        let options = SqliteOptions::default().read_connections(0).busy_timeout(Duration::MAX);
        let other = SqliteStore::open_with(directory.path().join("other.db"), options).await?;
        assert_eq!(other.readers.options().get_max_connections(), 1);

        let memory = SqliteStore::in_memory().await?;
        let mut connection = memory.writer.acquire().await?;
        assert_eq!(settings(&mut connection).await?, ("memory".into(), [2, 1, 5000, 0]));
        assert!(memory.readers.try_acquire().is_none(), "the same pool, of one connection");
        Ok(())
    }
}
