//! A connection for the time of an attempt.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, time::timeout};

/// A connection of the pool's, which goes back when this is dropped: once it has answered, which also ends a transaction
/// that was left in the middle. If it does not answer in time it is closed, and its place in the pool is free. The pool
/// alone would wait for a server that is paused, or behind a cut network, for as long as the system does.
#[derive(Debug)]
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    patience: Duration,
}

impl Lease {
    /// Takes one. After a failover every idle connection may be dead; `is_tested` passes those over.
    pub(super) async fn take(pool: &PgPool, patience: Duration, is_tested: bool) -> Result<Self, sqlx::Error> {
        loop {
            let mut lease = Self { connection: pool.acquire().await?, patience };
            if !is_tested || lease.ping().await.is_ok() {
                return Ok(lease);
            }
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What the connection does by itself when it is dropped, but with an end. Without a runtime, where that would
        // panic, it is closed as well.
        let returning = self.connection.return_to_pool();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(self.patience, returning));
        }
    }
}
