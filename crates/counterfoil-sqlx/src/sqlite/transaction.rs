//! Runs calls within a deadline, changes in transactions, and replaces connections after a failure.
//!
//! `BEGIN`, `COMMIT` and `ROLLBACK` are sent as plain statements. SQLite may roll a transaction back on its own, for
//! example when the disk is full; sqlx does not notice that, and refuses to begin another transaction on that connection.

use std::{
    hash::{BuildHasher as _, RandomState},
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    fault::{fault, is_busy, is_misplaced, is_read_only, unavailable},
    open::{LOG_LIMIT, next_to},
};

/// The work of one call, as a value that can be run on any connection.
pub(super) trait Operation: Sync {
    type Output: Send;

    /// Runs the statements. If this fails inside a transaction, it is rolled back.
    fn run(&self, connection: &mut SqliteConnection) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// Who opened the connections, which decides what may be done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The store opened the file.
    Store,
    /// The application gave its pool. What is set on a connection is restored.
    Application,
    /// A database in memory, which is lost when its only connection is closed.
    Memory,
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until its first statement may run: with the earlier writes of this process, the pool, and the file's lock.
    pub(super) wait: Duration,
    /// From its beginning to its end.
    pub(super) total: Duration,
}

/// How long a failed connection may take to roll back before it is closed instead.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// Steps of SQLite's virtual machine, well under a millisecond, after which a running statement notices that its call
/// was given up.
const STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// The connections that write.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) pool: SqlitePool,
    origin: Origin,
    // INVARIANT: held by the call that asks for the file's write lock, so that at most one connection of the pool waits
    // for it, in the order in which the calls came, and the others can read.
    turn: Arc<Semaphore>,
    /// When the file's write lock was last found taken.
    contention: Arc<Mutex<Option<Instant>>>,
}

impl Writer {
    pub(super) fn new(pool: SqlitePool, origin: Origin) -> Self {
        Self { pool, origin, turn: Arc::new(Semaphore::new(1)), contention: Arc::default() }
    }

    /// Runs a change in a transaction. A commit that was sent is awaited beyond the deadline, so that its outcome is
    /// known.
    pub(super) async fn run<O: Operation>(&self, limits: Limits, change: &O) -> Result<O::Output, StoreError> {
        let (begun, wait) = (Instant::now(), limits.wait.min(limits.total));
        let turn = timeout_at(begun + wait, self.turn.acquire()).await;
        let Ok(_turn) = turn else {
            return Err(unavailable(format!("earlier writes of this process took longer than {wait:?}")));
        };
        let mut lease = match timeout_at(begun + wait, self.begin(begun + wait)).await {
            Ok(lease) => lease?,
            Err(_) => return Err(unavailable(format!("no connection to write with was free within {wait:?}"))),
        };
        let end = begun + limits.total;
        match timeout_at(end, change.run(&mut lease)).await {
            Ok(Ok(output)) => {
                lease.commit().await?;
                Ok(output)
            }
            Ok(Err(error)) => {
                lease.roll_back(error.kind()).await;
                Err(error)
            }
            // The lease is dropped, which interrupts the statement and closes the connection.
            Err(_) => Err(unavailable(format!("the change took longer than {:?} and was undone", limits.total))),
        }
    }

    /// Takes the write lock of the whole file before the first read: a transaction that reads first, and finds the file
    /// changed when it comes to write, fails however long it waits.
    async fn begin(&self, end: Instant) -> Result<Lease, StoreError> {
        let (mut pauses, mut misplaced) = (0, 0);
        // Without this the process that has just written would be the first again, while the others pause.
        if self.contention.lock().is_ok_and(|seen| seen.is_some_and(|seen| seen.elapsed() < CONTENTION)) {
            sleep(pause(LONGEST_PAUSE)).await;
        }
        let mut lease = Lease::writing(&self.pool, self.origin).await.map_err(fault)?;
        loop {
            match lease.execute("BEGIN IMMEDIATE").await {
                Ok(()) => {
                    lease.wait_for_locks_until(end).await.map_err(fault)?;
                    return Ok(lease);
                }
                Err(error) if is_busy(&error) => {
                    if let Ok(mut seen) = self.contention.lock() {
                        *seen = Some(Instant::now());
                    }
                    let pause = pause(pauses);
                    if Instant::now() + pause >= end {
                        lease.give_back().await;
                        return Err(fault(error));
                    }
                    pauses += 1;
                    // Nothing was begun. Meanwhile a connection of the application can serve a read.
                    if self.origin == Origin::Store {
                        sleep(pause).await;
                        continue;
                    }
                    lease.give_back().await;
                    sleep(pause).await;
                }
                Err(error) if is_read_only(&error) => {
                    lease.give_back().await;
                    return Err(fault(error));
                }
                // A transaction was left open on this connection: dropping the lease ends it.
                Err(error) if is_misplaced(&error) && misplaced < self.pool.options().get_max_connections() => {
                    misplaced += 1;
                    drop(lease);
                }
                Err(error) => return Err(fault(error)),
            }
            lease = Lease::writing(&self.pool, self.origin).await.map_err(fault)?;
        }
    }
}

/// The connections that read.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) pool: SqlitePool,
    origin: Origin,
}

impl Reader {
    pub(super) fn new(pool: SqlitePool, origin: Origin) -> Self {
        Self { pool, origin }
    }

    /// Runs a read that may take long, and interrupts it at its deadline where the connection is the store's own.
    pub(super) async fn run<O: Operation>(&self, limits: Limits, read: &O) -> Result<O::Output, StoreError> {
        let begun = Instant::now();
        let lease = timeout_at(begun + limits.wait.min(limits.total), Lease::reading(&self.pool, self.origin)).await;
        let Ok(lease) = lease else {
            return Err(unavailable(format!("no connection to read with was free within {:?}", limits.wait)));
        };
        let mut lease = lease.map_err(fault)?;
        match timeout_at(begun + limits.total, read.run(&mut lease)).await {
            Ok(outcome) => {
                lease.give_back().await;
                outcome
            }
            Err(_) => Err(unavailable(format!("the read took longer than {:?}", limits.total))),
        }
    }
}

impl Reader {
    /// Copies the write-ahead log into the file and truncates it, if it is longer than its limit, the file is the
    /// store's own and no reader needs the log. Otherwise the log would keep its length until it is next written from
    /// the start.
    pub(super) async fn shrink_log(&self, limits: Limits) {
        let log = next_to(self.pool.connect_options().get_filename(), "-wal");
        if self.origin == Origin::Store && std::fs::metadata(log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            // What fails here is tried again by the next purge.
            let _ = self.run(limits, &ShrinkLog).await;
        }
    }
}

struct ShrinkLog;

impl Operation for ShrinkLog {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        // This locks nobody out. The second one does, so it runs only if there is nothing left to copy.
        let passive = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *connection).await.map_err(fault)?;
        let (log, copied): (i64, i64) = (passive.get(1), passive.get(2));
        if log == copied {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await.map_err(fault)?;
        }
        Ok(())
    }
}

/// A short read, within a deadline. Nothing is set on its connection, because every verification waits for it.
pub(super) async fn read_within<T>(
    deadline: Duration,
    read: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(deadline, read).await {
        Ok(outcome) => outcome.map_err(fault),
        Err(_) => Err(unavailable(format!("the read took longer than {deadline:?}"))),
    }
}

/// A connection for the time of one call. Unless it is given back it is closed, and a statement that still runs on it
/// is interrupted.
#[derive(Debug)]
struct Lease {
    // INVARIANT: there until the lease ends.
    connection: Option<PoolConnection<Sqlite>>,
    origin: Origin,
    is_writing: bool,
    is_abandoned: Arc<AtomicBool>,
    /// What to restore, in milliseconds.
    busy_timeout: Option<i64>,
}

impl Lease {
    async fn take(pool: &SqlitePool, origin: Origin, is_writing: bool) -> Result<Self, sqlx::Error> {
        let connection = Some(pool.acquire().await?);
        let mut lease = Self { connection, origin, is_writing, is_abandoned: Arc::default(), busy_timeout: None };
        // A connection has one handler, which the application may use for itself.
        if origin == Origin::Store {
            let is_abandoned = Arc::clone(&lease.is_abandoned);
            let mut handle = lease.lock_handle().await?;
            handle.set_progress_handler(STEPS_BETWEEN_CHECKS, move || !is_abandoned.load(Ordering::Relaxed));
        }
        Ok(lease)
    }

    async fn reading(pool: &SqlitePool, origin: Origin) -> Result<Self, sqlx::Error> {
        Self::take(pool, origin, false).await
    }

    /// A connection on which SQLite does not wait for a lock: its own waits grow longer with each attempt, so that of
    /// many processes those that have waited longest have the least chance.
    async fn writing(pool: &SqlitePool, origin: Origin) -> Result<Self, sqlx::Error> {
        let mut lease = Self::take(pool, origin, true).await?;
        match origin {
            Origin::Store => lease.set_busy_timeout(0).await?,
            Origin::Application => {
                let row = sqlx::raw_sql("PRAGMA busy_timeout").fetch_one(&mut *lease).await?;
                lease.busy_timeout = Some(row.try_get(0)?);
                lease.set_busy_timeout(0).await?;
            }
            Origin::Memory => {}
        }
        Ok(lease)
    }

    /// Without a write-ahead log, which an application need not have, statements and the commit wait for readers.
    async fn wait_for_locks_until(&mut self, end: Instant) -> Result<(), sqlx::Error> {
        if self.origin != Origin::Application {
            return Ok(());
        }
        let millis = end.saturating_duration_since(Instant::now()).as_millis();
        self.set_busy_timeout(i64::try_from(millis).unwrap_or(i64::MAX)).await
    }

    /// The statement is not prepared in advance, because SQLite carries it out when it prepares it.
    async fn set_busy_timeout(&mut self, millis: i64) -> Result<(), sqlx::Error> {
        let statement = AssertSqlSafe(format!("PRAGMA busy_timeout = {}", millis.min(i64::from(i32::MAX))));
        sqlx::raw_sql(statement).execute(&mut **self).await.map(drop)
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut **self).await.map(drop)
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        match self.execute("COMMIT").await {
            Ok(()) => {
                self.give_back().await;
                Ok(())
            }
            Err(error) => {
                let error = fault(error);
                self.roll_back(error.kind()).await;
                Err(error)
            }
        }
    }

    /// Ends the transaction after a failure, and gives the connection back if its state is known to be clean.
    async fn roll_back(mut self, failure: &StoreErrorKind) {
        let Ok(ended) = timeout(ROLLBACK_TIMEOUT, self.execute("ROLLBACK")).await else { return };
        let is_kept = match (self.origin, &ended) {
            (Origin::Memory, ended) => ended.as_ref().map_or_else(is_misplaced, |()| true),
            (_, Ok(())) => is_verdict(failure),
            (_, Err(_)) => false,
        };
        if is_kept {
            self.give_back().await;
        }
    }

    async fn give_back(mut self) {
        if let Some(before) = self.busy_timeout
            && self.set_busy_timeout(before).await.is_err()
        {
            return;
        }
        self.connection = None;
    }
}

/// Returns whether a working database gave this answer because of what it holds.
fn is_verdict(failure: &StoreErrorKind) -> bool {
    use StoreErrorKind::{Corrupt, Duplicate, LimitReached, LostRace, NotFound};
    matches!(failure, Duplicate | LimitReached { .. } | LostRace | NotFound | Corrupt(_))
}

impl Deref for Lease {
    type Target = SqliteConnection;

    #[expect(clippy::expect_used, reason = "a lease has its connection until it ends, and these need one")]
    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("a lease has its connection until it ends")
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "a lease has its connection until it ends, and these need one")]
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("a lease has its connection until it ends")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        self.is_abandoned.store(true, Ordering::Relaxed);
        let runtime = Handle::try_current();
        match (self.origin, self.is_writing) {
            (Origin::Memory, true) => {
                // Without a runtime nothing can be sent, and the pool would panic.
                let Ok(runtime) = runtime else { return drop(connection.detach()) };
                runtime.spawn(async move {
                    // It fails if there is no transaction, which is as good.
                    let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                });
            }
            (Origin::Application | Origin::Memory, false) if runtime.is_ok() => {}
            _ if runtime.is_ok() => connection.close_on_drop(),
            _ => drop(connection.detach()),
        }
    }
}

/// How long a process goes on pausing before its writes after it has found the write lock taken.
const CONTENTION: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: u32 = 5;

/// Up to 1, 2, 4, 8, 16 and 32 milliseconds. They are random, so that of many processes each has the same chance, and do
/// not grow further, so that none has less chance the longer it waits.
fn pause(attempt: u32) -> Duration {
    let most = 1_000_u64 << attempt.min(LONGEST_PAUSE);
    Duration::from_micros(RandomState::new().hash_one(attempt) % most)
}
