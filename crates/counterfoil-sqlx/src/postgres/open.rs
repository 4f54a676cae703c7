//! Pools and deadlines.

use std::time::Duration;

use counterfoil::store::StoreError;
use sqlx::PgPool;

use super::{
    PostgresStore,
    migrate::{check, check_encoding, migrate},
};

impl PostgresStore {
    /// Keeps the tables in the host's database, through the host's pool, and brings their schema up to date.
    ///
    /// Any number of nodes may do so at once: one makes the steps, the others wait for it, for as long as it takes.
    /// Where nothing is to be done nothing is written, so a role without the right to change tables will do, and a
    /// standby.
    ///
    /// # Errors
    ///
    /// [`NewerSchema`](counterfoil::store::StoreErrorKind::NewerSchema) if a newer version of this crate has changed
    /// the schema; [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) if the server is not reached;
    /// [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly) if the schema must be brought up to date and the
    /// server takes no writes; [`Other`](counterfoil::store::StoreErrorKind::Other) if the role may not, or the
    /// database's encoding is not UTF-8.
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        check_encoding(&pool).await?;
        migrate(&pool).await?;
        Ok(Self::over(pool))
    }

    /// Keeps the tables in a database whose migrations the host runs by itself: those of
    /// [`MIGRATIONS`](super::MIGRATIONS). None are run, and nothing is written.
    ///
    /// # Errors
    ///
    /// [`NewerSchema`](counterfoil::store::StoreErrorKind::NewerSchema) if the schema is newer than this version of the
    /// crate; [`Other`](counterfoil::store::StoreErrorKind::Other) if it is older or not there, or the database's
    /// encoding is not UTF-8.
    pub async fn from_migrated_pool(pool: PgPool) -> Result<Self, StoreError> {
        check_encoding(&pool).await?;
        check(&pool).await?;
        Ok(Self::over(pool))
    }

    fn over(pool: PgPool) -> Self {
        Self { pool, deadline: Duration::from_secs(5), bulk_deadline: Duration::from_secs(60) }
    }

    /// How long a call may take that looks at one token or at one owner's number of them, with all its attempts and
    /// with waiting for a connection: five seconds, unless told otherwise.
    #[must_use = "it is another store that has the deadline"]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// How long a call may take that walks many rows, which grows with them: `list`, `record_uses`, `purge`,
    /// `count_by_key`, `forget`, and `revoke` by owner or filter. A minute, unless told otherwise.
    #[must_use = "it is another store that has the deadline"]
    pub fn bulk_deadline(self, deadline: Duration) -> Self {
        Self { bulk_deadline: deadline, ..self }
    }

    /// Closes the host's pool, once the calls that run have ended. What is called afterwards is
    /// [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable).
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
