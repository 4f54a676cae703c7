//! The connections of a store: who may take one, and when its place is free again.

use std::{
    ops::{Deref, DerefMut},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection as _, Error, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The application's pool, of which writes get a part.
#[derive(Debug)]
pub(super) struct Connections {
    pool: PgPool,
    writes: Arc<Semaphore>,
    /// The last answer to [`WAITING`], and when it was asked for. One connection asks at a time, for all who want to know.
    waiting: Mutex<Option<(Instant, Waiting)>>,
}

impl Connections {
    /// Half of the pool for writes, so that verifications go on while every write waits for a standby.
    pub(super) fn of(pool: PgPool) -> Self {
        let half = pool.options().get_max_connections().div_ceil(2);
        Self::with_writes(pool, half)
    }

    pub(super) fn with_writes(pool: PgPool, writes: u32) -> Self {
        let writes = Arc::new(Semaphore::new(writes.max(1) as usize));
        Self { pool, writes, waiting: Mutex::default() }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether a backend of this role has been waiting for longer than `patience`.
    async fn waiting(&self, patience: Duration) -> Waiting {
        let asked = Instant::now();
        let mut last = self.waiting.lock().await;
        if let Some((begun, answer)) = *last
            && begun >= asked
        {
            return answer;
        }
        let begun = Instant::now();
        // A connection of its own: those of the pool may all be waiting.
        let answer = match timeout(PROBE, ask(&self.pool, patience)).await {
            Ok(Ok(true)) => Waiting::Some,
            Ok(Ok(false)) => Waiting::None,
            // Answered, and does not know: another database than PostgreSQL.
            Ok(Err(Error::Database(error))) if is_of_the_query(error.code().as_deref()) => Waiting::None,
            Ok(Err(_)) | Err(_) => Waiting::Unknown,
        };
        *last = Some((begun, answer));
        answer
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Some,
    None,
    /// The server is not reached.
    Unknown,
}

/// How long the server may take to say who waits.
const PROBE: Duration = Duration::from_secs(1);

/// How long to wait before a server that was not reached is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Backends wait for a lock, for a standby, or in their commit. Those of the own role alone are shown.
const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity \
     WHERE usename = session_user AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() \
     AND (wait_event = 'SyncRep' OR wait_event_type = 'Lock' OR state = 'active' AND query = 'COMMIT') \
     AND coalesce(pg_catalog.clock_timestamp() - query_start > pg_catalog.make_interval(secs => $1), TRUE))";

async fn ask(pool: &PgPool, patience: Duration) -> Result<bool, Error> {
    let mut connection = pool.connect_options().connect().await?;
    let waits = sqlx::query_scalar(WAITING).bind(patience.as_secs_f64()).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(waits)
}

/// Syntax and names (class 42), and features that are not there (0A).
fn is_of_the_query(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.starts_with("42") || code.starts_with("0A"))
}

/// A connection of the pool's, which goes back when this is dropped.
///
/// Its place is free once the server has answered, which also ends a transaction that was left in the middle. If the server
/// does not answer in time, either the network is cut, and then the connection is closed; or its backend still waits for a
/// lock or a standby, and then the connection is kept: a closed one would leave its backend behind, and the next would make
/// another. The pool alone would wait for a cut network for as long as the system does.
#[derive(Debug)]
pub(super) struct Lease {
    /// INVARIANT: there until this is dropped.
    held: Option<Held>,
    connections: Arc<Connections>,
    patience: Duration,
    is_answered: bool,
}

/// A connection and the right to write on it, which end together.
#[derive(Debug)]
struct Held {
    connection: PoolConnection<Postgres>,
    _writes: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closes what has not been given back. By itself the connection would spawn a task, which needs a runtime.
        drop(self.connection.return_to_pool());
    }
}

impl Lease {
    /// Takes one. After a failover every idle connection may be dead; `is_tested` passes those over.
    pub(super) async fn take(
        connections: &Arc<Connections>,
        patience: Duration,
        writes: bool,
        is_tested: bool,
    ) -> Result<Self, Error> {
        let writes = match writes {
            // INVARIANT: the semaphore is never closed.
            true => Arc::clone(&connections.writes).acquire_owned().await.ok(),
            false => None,
        };
        let mut held = Held { connection: connections.pool.acquire().await?, _writes: writes };
        while is_tested && held.connection.ping().await.is_err() {
            let connection = connections.pool.acquire().await?;
            drop(std::mem::replace(&mut held.connection, connection).return_to_pool());
        }
        Ok(Self { held: Some(held), connections: Arc::clone(connections), patience, is_answered: false })
    }

    /// The server has answered the last statement, or the connection is lost: nothing is under way.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "an invariant")]
    fn deref(&self) -> &PgConnection {
        &self.held.as_ref().expect("there until this is dropped").connection
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "an invariant")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.held.as_mut().expect("there until this is dropped").connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        // Without a runtime the connection is closed.
        if let Ok(runtime) = Handle::try_current() {
            let (connections, patience) = (Arc::clone(&self.connections), self.patience);
            runtime.spawn(give_back(held, connections, patience, self.is_answered));
        }
    }
}

/// What is not given back at the end is closed.
async fn give_back(mut held: Held, connections: Arc<Connections>, patience: Duration, is_answered: bool) {
    if is_answered || has_answered(&mut held.connection, &connections, patience).await {
        // Tests the connection first, which also ends a transaction.
        let _ = timeout(patience, held.connection.return_to_pool()).await;
    }
}

/// Waits for the answer to what was given up, for as long as it may still come.
async fn has_answered(connection: &mut PgConnection, connections: &Connections, patience: Duration) -> bool {
    let mut answer = pin!(connection.ping());
    let mut wait = patience;
    while !connections.pool.is_closed() {
        if let Ok(answer) = timeout(wait, &mut answer).await {
            return answer.is_ok();
        }
        wait = match connections.waiting(patience).await {
            Waiting::Some => patience,
            Waiting::Unknown => PAUSE,
            Waiting::None => return false,
        };
    }
    false
}
