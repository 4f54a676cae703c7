//! Pools and deadlines.

use std::{sync::Arc, time::Duration};

use counterfoil::store::{StoreError, StoreErrorKind, StoreId};
use sqlx::PgPool;

use super::{
    PostgresStore,
    lease::Connections,
    migrate::{check, check_encoding, migrate},
};
use crate::migrate::{Creation, Steps};

impl PostgresStore {
    /// Opens the store in your application's database, through its pool of sqlx 0.9, and migrates it if its schema is
    /// older.
    ///
    /// There must be a store in the search path: nothing is created, so a restored database whose search path was not
    /// set is an error and not an empty store that rejects every token.
    /// [`from_pool_or_create`](Self::from_pool_or_create) creates one.
    ///
    /// Any number of nodes may open it at once: one migrates, the others wait for it, for as long as it takes. With
    /// nothing to migrate nothing is written, so a role without the right to change tables suffices, and so does a
    /// standby.
    ///
    /// # Errors
    ///
    /// [`NoStore`](counterfoil::store::StoreErrorKind::NoStore) if the search path leads to no tables of a store;
    /// [`Incomplete`](counterfoil::store::StoreErrorKind::Incomplete) if it leads to only some of them;
    /// [`EditedMigration`](counterfoil::store::StoreErrorKind::EditedMigration) if a migration differs from the one
    /// that ran; [`NewerSchema`](counterfoil::store::StoreErrorKind::NewerSchema) if a newer version of this crate has
    /// changed the schema; [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) if the server is not
    /// reached; [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly) if the schema must be migrated and the
    /// server takes no writes; [`Other`](counterfoil::store::StoreErrorKind::Other) if the role lacks a right, or the
    /// database's encoding is not UTF-8.
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::in_pool(pool, Creation::Refused).await
    }

    /// Opens the store as [`from_pool`](Self::from_pool) does, and creates it first, in the first schema of the search
    /// path, if the search path leads to no tables of a store.
    ///
    /// Let the step of your deployment that migrates call this, as the owner of the tables, and the service
    /// [`from_pool`](Self::from_pool).
    ///
    /// # Errors
    ///
    /// As for [`from_pool`](Self::from_pool), except for a database without a store.
    pub async fn from_pool_or_create(pool: PgPool) -> Result<Self, StoreError> {
        Self::in_pool(pool, Creation::Allowed).await
    }

    async fn in_pool(pool: PgPool, creation: Creation) -> Result<Self, StoreError> {
        check_encoding(&pool).await?;
        let id = migrate(&pool, creation).await?;
        Ok(Self::over(pool, id, Steps::Recorded))
    }

    /// Opens the store in a database whose migrations your own migrator runs: those of
    /// [`MIGRATIONS`](super::MIGRATIONS). Runs no migration and writes nothing.
    ///
    /// # Errors
    ///
    /// [`NoStore`](counterfoil::store::StoreErrorKind::NoStore) if the search path leads to no tables of a store;
    /// [`Incomplete`](counterfoil::store::StoreErrorKind::Incomplete) if it leads to only some of them;
    /// [`OlderSchema`](counterfoil::store::StoreErrorKind::OlderSchema) or
    /// [`NewerSchema`](counterfoil::store::StoreErrorKind::NewerSchema) if the schema is of another version than the one
    /// known here; [`Other`](counterfoil::store::StoreErrorKind::Other) if the database's encoding is not UTF-8.
    pub async fn from_migrated_pool(pool: PgPool) -> Result<Self, StoreError> {
        check_encoding(&pool).await?;
        let id = check(&pool).await?;
        Ok(Self::over(pool, id, Steps::Elsewhere))
    }

    fn over(pool: PgPool, id: StoreId, steps: Steps) -> Self {
        let connections = Arc::new(Connections::of(pool));
        Self { connections, id, steps, deadline: Duration::from_secs(5), bulk_deadline: Duration::from_secs(60) }
    }

    /// Returns the random id that this store got when it was created.
    ///
    /// In SQL it is `SELECT store_id FROM counterfoil_schema`.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// Refuses any store but the one with this id.
    ///
    /// Pin the id of your production store in the service's configuration, and a start with another database or schema
    /// is an error. The id is checked again whenever a read finds nothing, and by
    /// [`check_health`](counterfoil::TokenStore::check_health).
    ///
    /// ```no_run
    /// use counterfoil_sqlx::PostgresStore;
    ///
    /// # async fn start(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let pinned = std::env::var("TOKEN_STORE_ID")?.parse()?;
    /// let store = PostgresStore::from_pool(pool).await?.require_id(pinned)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WrongStore`](counterfoil::store::StoreErrorKind::WrongStore).
    pub fn require_id(self, expected: StoreId) -> Result<Self, StoreError> {
        let found = self.id;
        if found == expected { Ok(self) } else { Err(StoreErrorKind::WrongStore { found, expected }.into()) }
    }

    /// How long a call may take that looks at one token or at one owner's number of them, with all its attempts and
    /// with waiting for a connection: five seconds, unless told otherwise.
    #[must_use = "it is another store that has the deadline"]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// How long a call may take that walks many rows, which grows with them: `list`, `record_uses`, `purge`,
    /// `claim_warnings`, `count_by_key`, `forget`, and `revoke` by owner, filter or list. A minute, unless told otherwise.
    #[must_use = "it is another store that has the deadline"]
    pub fn bulk_deadline(self, deadline: Duration) -> Self {
        Self { bulk_deadline: deadline, ..self }
    }

    /// Sets how many connections of the pool may write at the same time, at least one. By default it is half of the pool's
    /// `max_connections`, rounded up.
    ///
    /// The others are left for verifications. A write that waits for a synchronous standby keeps its connection, also after
    /// the call has given up, until the server answers: see [the pool](super#the-pool). Clones share the limit;
    /// stores that are made of one pool separately do not.
    #[must_use = "it is another store that has the limit"]
    pub fn write_connections(self, connections: u32) -> Self {
        let pool = self.connections.pool().clone();
        Self { connections: Arc::new(Connections::with_writes(pool, connections)), ..self }
    }

    /// Closes the host's pool, once the calls that run have ended. What is called afterwards is
    /// [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable).
    pub async fn close(&self) {
        self.connections.pool().close().await;
    }
}
