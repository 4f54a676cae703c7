//! A connection for the time of an attempt.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, time::timeout};

/// A connection of the pool's. One that is in the middle of something when its caller goes away is given back once it
/// has answered, and closed if it does not: the pool alone would wait for a server that is paused, or behind a cut
/// network, for as long as the system does, and each such connection would be one less.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    patience: Duration,
}

impl Lease {
    /// Takes one. After a failover every idle connection may be dead; `is_tested` passes those over.
    pub(super) async fn take(pool: &PgPool, patience: Duration, is_tested: bool) -> Result<Self, sqlx::Error> {
        loop {
            let connection = Some(pool.acquire().await?);
            let mut lease = Self { connection, patience };
            if !is_tested || lease.ping().await.is_ok() {
                return Ok(lease);
            }
            lease.connection.take().map(PoolConnection::detach);
        }
    }

    pub(super) fn give_back(mut self) {
        drop(self.connection.take());
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    #[allow(clippy::expect_used, reason = "it is there until the lease ends, which takes the lease")]
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("a lease that has not ended holds a connection")
    }
}

impl DerefMut for Lease {
    #[allow(clippy::expect_used, reason = "it is there until the lease ends, which takes the lease")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("a lease that has not ended holds a connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let patience = self.patience;
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    // A ping also ends the transaction that was dropped.
                    if !matches!(timeout(patience, connection.ping()).await, Ok(Ok(()))) {
                        drop(connection.detach());
                    }
                });
            }
            Err(_) => drop(connection.detach()),
        }
    }
}
