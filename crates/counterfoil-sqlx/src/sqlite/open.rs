//! Files and pools.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use counterfoil::store::{StoreError, StoreErrorKind, StoreId};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    SqliteStore,
    fault::{fault, is_no_database, other},
    file::OpenFile,
    migrate::{check, check_foreign_keys, migrate, require_store},
    transaction::{Origin, Reader, Writer},
};
use crate::migrate::{Creation, Steps};

const DEADLINE: Duration = Duration::from_secs(5);
const BULK_DEADLINE: Duration = Duration::from_secs(60);
/// Bytes to which SQLite truncates the write-ahead log when it begins to write it from the start again. Four times the
/// size at which SQLite begins to copy the log into the file.
pub(super) const LOG_LIMIT: u64 = 16 * 1024 * 1024;
/// More milliseconds would overflow SQLite's number.
const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// Options for opening a file.
///
/// ```
/// use counterfoil_sqlx::sqlite::SqliteOptions;
/// use std::time::Duration;
///
/// let options = SqliteOptions::default().read_connections(8).deadline(Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct SqliteOptions {
    read_connections: u32,
    deadline: Duration,
    bulk_deadline: Duration,
    is_immutable: bool,
}

impl Default for SqliteOptions {
    /// Four read connections, a deadline of five seconds, and one minute for calls that concern many rows.
    fn default() -> Self {
        Self { read_connections: 4, deadline: DEADLINE, bulk_deadline: BULK_DEADLINE, is_immutable: false }
    }
}

impl SqliteOptions {
    /// Limits the number of connections that read. Each has a thread of its own. At least 1.
    pub fn read_connections(self, read_connections: u32) -> Self {
        Self { read_connections: read_connections.max(1), ..self }
    }

    /// Limits how long it may take to open the file while another process is busy with it, and sets the
    /// [`deadline`](SqliteStore::deadline) of the store.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: deadline.min(LONGEST), ..self }
    }

    /// Sets the [`bulk_deadline`](SqliteStore::bulk_deadline) of the store.
    pub fn bulk_deadline(self, deadline: Duration) -> Self {
        Self { bulk_deadline: deadline.min(LONGEST), ..self }
    }

    /// Opens a file that nobody changes while it is open, such as a snapshot on a read-only disk. SQLite then takes no
    /// locks and needs no files next to it. Every write returns [`ReadOnly`](StoreErrorKind::ReadOnly). Off by default.
    ///
    /// Do not use it for a file that another process writes to: a revocation in that process is not seen, and reads may
    /// return wrong rows. A read-only mount of a directory that is writable elsewhere is such a file.
    pub fn immutable(self, is_immutable: bool) -> Self {
        Self { is_immutable, ..self }
    }

    fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .busy_timeout(self.deadline)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_LIMIT.to_string())
            .immutable(self.is_immutable)
    }
}

impl SqliteStore {
    /// Opens the store in a file, and migrates it if its schema is older.
    ///
    /// The file must hold a store: nothing is created, so a volume that is not mounted or a wrong path is an error and
    /// not an empty store that rejects every token. [`open_or_create`](Self::open_or_create) creates one.
    ///
    /// The store has one connection that writes and four that read, keeps a write-ahead log, and acknowledges a write
    /// when it is on the disk. The file must be on a local disk. Other processes may have it open too.
    ///
    /// # Errors
    ///
    /// [`NoStore`](StoreErrorKind::NoStore) if the file does not exist, is empty, is not a SQLite database or has no
    /// tables of a store; [`Incomplete`](StoreErrorKind::Incomplete) if it has only some of them, or if the file is
    /// mounted without its directory;
    /// [`EditedMigration`](StoreErrorKind::EditedMigration) if a migration differs from the one that ran;
    /// [`NewerSchema`](StoreErrorKind::NewerSchema) if a newer version of this crate has changed the schema;
    /// [`Unavailable`](StoreErrorKind::Unavailable) if the file cannot be opened or is locked for longer than five
    /// seconds; [`ReadOnly`](StoreErrorKind::ReadOnly) if the schema must be migrated and the file cannot be written, or
    /// if the directory cannot be written and SQLite therefore cannot open the file.
    ///
    /// # Read-only files
    ///
    /// A file that cannot be written opens if its schema is current. Tokens are verified, and writes return
    /// [`ReadOnly`](StoreErrorKind::ReadOnly). If the directory cannot be written either, SQLite opens the file only
    /// while a process that can write has it open; see [`SqliteOptions::immutable`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// [`open`](Self::open) with options.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        Self::open_file(path.as_ref(), options, Creation::Refused).await
    }

    /// Opens the store in a file as [`open`](Self::open) does, and creates it first if the file does not exist or has
    /// no tables of a store. The directory must exist.
    ///
    /// A service that calls this at every start creates an empty store when its disk is not mounted, and then rejects
    /// every token. Create the store once, and let the service call [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); [`NoStore`](StoreErrorKind::NoStore) only if the path leads to something that
    /// cannot become a store.
    pub async fn open_or_create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_or_create_with(path, SqliteOptions::default()).await
    }

    /// [`open_or_create`](Self::open_or_create) with options.
    ///
    /// # Errors
    ///
    /// As for [`open_or_create`](Self::open_or_create).
    pub async fn open_or_create_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        Self::open_file(path.as_ref(), options, Creation::Allowed).await
    }

    async fn open_file(path: &Path, options: SqliteOptions, creation: Creation) -> Result<Self, StoreError> {
        // Absolute, so that SQLite takes neither `:memory:` nor `file:` for more than a name.
        let path = std::path::absolute(path).map_err(|error| no_store(path, error.to_string()))?;
        check_path(&path, creation)?;
        if options.is_immutable {
            check_log(&path)?;
        } else {
            check_mount(&path)?;
        }
        Self::open_path(&path, &options, creation).await.map_err(|error| explain(error, &path))
    }

    async fn open_path(path: &Path, options: &SqliteOptions, creation: Creation) -> Result<Self, StoreError> {
        let connect = options.connect().filename(path);
        let writing = connect.clone().create_if_missing(creation == Creation::Allowed);
        let writer = lasting(1).connect_with(writing).await.map_err(|error| match error {
            error if is_no_database(&error) => no_store(path, "the file is not a SQLite database".into()),
            error => fault(error),
        })?;
        if creation == Creation::Refused {
            // Before the journal mode, which would change a database of somebody else.
            require_store(&writer).await?;
        }
        if !options.is_immutable {
            set_write_ahead_log(&writer, options.deadline).await?;
        }
        let id = migrate(&writer, creation).await?;
        let reading = connect.pragma("query_only", "ON");
        let readers = lasting(options.read_connections).connect_with(reading).await.map_err(fault)?;
        let file = OpenFile::at(path).map(Arc::new);
        let (writer, readers) = (Writer::new(writer, Origin::Store), Reader::new(readers, Origin::Store));
        let store = Self::over(writer, readers, id, Steps::Recorded, file);
        Ok(store.deadline(options.deadline).bulk_deadline(options.bulk_deadline))
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
        let id = migrate(&pool, Creation::Allowed).await?;
        let (writer, readers) = (Writer::new(pool.clone(), Origin::Memory), Reader::new(pool, Origin::Memory));
        Ok(Self::over(writer, readers, id, Steps::Recorded, None))
    }

    /// Opens the store in your application's database, through its pool of sqlx 0.9, and migrates it if its schema is
    /// older. [The crate's page](crate#the-version-of-sqlx) has the ways out for an application on sqlx 0.8.
    ///
    /// The database must hold a store. [`from_pool_or_create`](Self::from_pool_or_create) creates one.
    ///
    /// The tables' names begin with `counterfoil_`. The migrations are recorded in `_counterfoil_migrations`, apart
    /// from your own. The connections must enforce foreign keys, as sqlx's do by default. A write-ahead log,
    /// `synchronous = FULL` and a busy timeout are yours to set, and the durability that [`open`](Self::open) promises
    /// depends on them.
    ///
    /// A pool that tests each connection before it hands it out, as sqlx's do by default, makes every read take about
    /// twice as long: `test_before_acquire(false)` is safe with a local file.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); [`Other`](StoreErrorKind::Other) if foreign keys are off.
    pub async fn from_pool(pool: SqlitePool) -> Result<Self, StoreError> {
        Self::in_pool(pool, Creation::Refused).await
    }

    /// Opens the store in your application's database as [`from_pool`](Self::from_pool) does, and creates it first if
    /// the database has no tables of a store.
    ///
    /// # Errors
    ///
    /// As for [`from_pool`](Self::from_pool), except for a database without a store.
    pub async fn from_pool_or_create(pool: SqlitePool) -> Result<Self, StoreError> {
        Self::in_pool(pool, Creation::Allowed).await
    }

    async fn in_pool(pool: SqlitePool, creation: Creation) -> Result<Self, StoreError> {
        check_foreign_keys(&pool).await?;
        let id = migrate(&pool, creation).await?;
        Ok(Self::over_application_pool(pool, id, Steps::Recorded))
    }

    /// Opens the store, through a pool of sqlx 0.9, in a database whose migrations your own migrator runs: those of
    /// [`MIGRATIONS`](super::MIGRATIONS). Runs no migration and writes nothing.
    ///
    /// # Errors
    ///
    /// [`NoStore`](StoreErrorKind::NoStore) if the database has no tables of a store;
    /// [`Incomplete`](StoreErrorKind::Incomplete) if it has only some of them;
    /// [`OlderSchema`](StoreErrorKind::OlderSchema) or [`NewerSchema`](StoreErrorKind::NewerSchema) if the schema is of
    /// another version than the one known here; [`Other`](StoreErrorKind::Other) if foreign keys are off.
    pub async fn from_migrated_pool(pool: SqlitePool) -> Result<Self, StoreError> {
        check_foreign_keys(&pool).await?;
        let id = check(&pool).await?;
        Ok(Self::over_application_pool(pool, id, Steps::Elsewhere))
    }

    fn over_application_pool(pool: SqlitePool, id: StoreId, steps: Steps) -> Self {
        let file = OpenFile::at(pool.connect_options().get_filename()).map(Arc::new);
        let (writer, readers) =
            (Writer::new(pool.clone(), Origin::Application), Reader::new(pool, Origin::Application));
        Self::over(writer, readers, id, steps, file)
    }

    fn over(writer: Writer, readers: Reader, id: StoreId, steps: Steps, file: Option<Arc<OpenFile>>) -> Self {
        Self { writer, readers, deadline: DEADLINE, bulk_deadline: BULK_DEADLINE, id, steps, file }
    }

    /// Returns the random id that this store got when it was created.
    ///
    /// In SQL it is `SELECT store_id FROM counterfoil_schema`.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// Refuses any store but the one with this id.
    ///
    /// Pin the id of your production store in the service's configuration, and a start with another file is an error.
    /// The id is checked again whenever a read finds nothing, and by [`check_health`](counterfoil::TokenStore::check_health).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("tokens.db");
    /// # let pinned = counterfoil_sqlx::SqliteStore::open_or_create(&path).await?.id().to_string();
    /// use counterfoil_sqlx::SqliteStore;
    ///
    /// let store = SqliteStore::open(path).await?.require_id(pinned.parse()?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WrongStore`](StoreErrorKind::WrongStore).
    pub fn require_id(self, expected: StoreId) -> Result<Self, StoreError> {
        let found = self.id;
        if found == expected { Ok(self) } else { Err(StoreErrorKind::WrongStore { found, expected }.into()) }
    }

    /// Limits how long a call may take that concerns one token. The time in which it waits for earlier writes, for a
    /// connection and for the file's lock is included. Defaults to five seconds; at most 24 days.
    ///
    /// After that the call fails with [`Unavailable`](StoreErrorKind::Unavailable), and a change that was not
    /// committed is never written. Only a commit that has begun is awaited longer, because it writes to the disk and
    /// waits for no lock.
    ///
    /// In a pool of yours a statement that takes too long is not interrupted: the call ends, and the connection is
    /// closed when the statement has ended. Only the waiting for locks is bounded there, except for readers in the way
    /// of a database without a write-ahead log.
    #[must_use = "the deadline belongs to the store that is returned"]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: deadline.min(LONGEST), ..self }
    }

    /// Limits how long a call may take that concerns many rows: `list`, `record_uses`, `purge`, `count_by_key`,
    /// `forget`, and `revoke` by owner or filter. Defaults to one minute; at most 24 days.
    ///
    /// Such a call waits for a connection and for the file's lock no longer than the [`deadline`](Self::deadline).
    #[must_use = "the deadline belongs to the store that is returned"]
    pub fn bulk_deadline(self, deadline: Duration) -> Self {
        Self { bulk_deadline: deadline.min(LONGEST), ..self }
    }

    /// Closes the connections once the running calls have ended. This includes your own pool if you gave one. Later
    /// calls return [`Unavailable`](StoreErrorKind::Unavailable).
    pub async fn close(&self) {
        self.readers.pool.close().await;
        // The last to go: it writes the log back into the file.
        self.writer.pool.close().await;
    }
}

/// Refuses a path that cannot lead to a store, with the reason that SQLite does not give.
fn check_path(path: &Path, creation: Creation) -> Result<(), StoreError> {
    let is_missing = |path: &Path| std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let detail = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => "the path is a directory".into(),
        Ok(found) if found.len() == 0 && creation == Creation::Refused => {
            "the file is empty; `open_or_create` creates a store".into()
        }
        // SQLite takes a file that is shorter than the least page for an empty one, and writes over it.
        Ok(found) if (1..512).contains(&found.len()) => "the file is not a SQLite database".into(),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            Some(parent) if is_missing(parent) => format!("the directory {} does not exist", parent.display()),
            _ if creation == Creation::Allowed => return Ok(()),
            _ => "the file does not exist; `open_or_create` creates a store".into(),
        },
        // The rest is SQLite's to judge.
        Ok(_) | Err(_) => return Ok(()),
    };
    Err(no_store(path, detail))
}

fn no_store(path: &Path, detail: String) -> StoreError {
    StoreErrorKind::NoStore { location: path.display().to_string(), detail }.into()
}

/// Refuses an immutable file whose log holds writes, because SQLite would read the file without them.
fn check_log(path: &Path) -> Result<(), StoreError> {
    let log = next_to(path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let detail = format!(
            "{} may hold writes that an immutable file is read without; open the file once where it can be written",
            log.display()
        );
        return Err(StoreErrorKind::Incomplete { location: path.display().to_string(), detail }.into());
    }
    Ok(())
}

/// Refuses a file that is mounted without its directory, as by `docker run -v ./tokens.db:/data/tokens.db`. The log next
/// to it holds acknowledged writes, and would be in another place: lost with the container, and not seen by others who
/// have the file open. Only Linux lists its mounts; elsewhere nothing is found.
fn check_mount(path: &Path) -> Result<(), StoreError> {
    let (Ok(path), Ok(mounts)) = (path.canonicalize(), std::fs::read_to_string("/proc/self/mountinfo")) else {
        return Ok(());
    };
    if !mounts.lines().any(|mount| mount.split(' ').nth(4).is_some_and(|point| path == Path::new(&unescape(point)))) {
        return Ok(());
    }
    let detail = format!(
        "the file is mounted without its directory, so {} with the latest writes is in another place; mount the \
         directory",
        next_to(&path, "-wal").display()
    );
    Err(StoreErrorKind::Incomplete { location: path.display().to_string(), detail }.into())
}

/// A path of `/proc/self/mountinfo`, in which space, tab, line feed and backslash are written in octal.
fn unescape(point: &str) -> String {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
        .into_iter()
        .fold(point.to_owned(), |point, (escaped, plain)| point.replace(escaped, plain))
}

/// Says why a file that is there cannot be opened, which SQLite does not, where the reason is its directory.
fn explain(error: StoreError, path: &Path) -> StoreError {
    let (StoreErrorKind::Unavailable, Some(directory), true) = (error.kind(), path.parent(), path.is_file()) else {
        return error;
    };
    // A file of another name: closing one that SQLite has open would end the locks of this process on it.
    let probe = next_to(path, &format!("-probe-{}", std::process::id()));
    let refusal = match File::options().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            let _ = std::fs::remove_file(probe);
            return error;
        }
        Err(refusal) => refusal,
    };
    if !matches!(refusal.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) {
        return error;
    }
    StoreError::new(StoreErrorKind::ReadOnly).with_source(format!(
        "cannot create {}, which SQLite needs next to a file with a write-ahead log, even to read it: the directory {} \
         cannot be written ({refusal}). Give write access to the directory, or, if nobody changes the file while it is \
         open, open it with `SqliteOptions::immutable`",
        next_to(path, "-shm").display(),
        directory.display(),
    ))
}

/// The path with something appended to the file's name.
pub(super) fn next_to(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
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
            // A file that cannot be written keeps the journal mode that it has.
            Err(error) if *error.kind() == StoreErrorKind::ReadOnly => return Ok(()),
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
        let store = SqliteStore::open_or_create(directory.path().join("tokens.db")).await?;

        let mut writer = store.writer.pool.acquire().await?;
        assert_eq!(settings(&mut writer).await?, ("wal".into(), [2, 1, 5000, 0]));
        assert!(store.writer.pool.try_acquire().is_none(), "one connection writes");

        let mut readers = Vec::new();
        for _ in 0..4 {
            let mut reader = store.readers.pool.acquire().await?;
            assert_eq!(settings(&mut reader).await?, ("wal".into(), [2, 1, 5000, 1]));
            readers.push(reader);
        }
        assert_eq!(store.readers.pool.size(), 4);
        assert_eq!(store.readers.pool.options().get_max_connections(), 4);
        assert!(sqlx::query("DELETE FROM counterfoil_token").execute(&mut *readers[0]).await.is_err());

        let options = SqliteOptions::default().read_connections(0).deadline(Duration::MAX);
        let other = SqliteStore::open_or_create_with(directory.path().join("other.db"), options).await?;
        assert_eq!(other.readers.pool.options().get_max_connections(), 1);

        let memory = SqliteStore::in_memory().await?;
        let mut connection = memory.writer.pool.acquire().await?;
        assert_eq!(settings(&mut connection).await?, ("memory".into(), [2, 1, 5000, 0]));
        assert!(memory.readers.pool.try_acquire().is_none(), "the same pool, of one connection");
        Ok(())
    }
}
