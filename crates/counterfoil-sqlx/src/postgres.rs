//! Records in PostgreSQL.
//!
//! # Which schema
//!
//! The tables are in your application's database, in the first schema of the connections' search path. Their names begin
//! with `counterfoil_`, and the migrations are recorded apart from yours, so both may be run in either order.
//! [`PostgresStore::from_pool_or_create`] creates and migrates them, however many nodes start at once;
//! [`PostgresStore::from_pool`] migrates them and refuses to start where there are none. If you want every migration in
//! your own list, write them as files with [`migration_files`](crate::migration_files) and open the store with
//! [`PostgresStore::from_migrated_pool`].
//!
//! For a schema of their own make it, and put it in front on every connection of the pool:
//! `PgConnectOptions::options([("search_path", "tokens")])`, or `ALTER ROLE … SET search_path` where a pooler does not
//! let options through. All nodes must have the same one: another search path may be another table.
//!
//! The database's encoding must be UTF-8.
//!
//! # The least that a role needs
//!
//! Let the owner of the tables migrate, and the service connect as another role, which can delete tokens, as a purge
//! does, but neither truncate a table nor change its definition or its triggers:
//!
//! 1. `CREATE ROLE app LOGIN`, by whichever name. Whoever is to own the tables needs `CREATE` on the schema, which in
//!    `public` only the database's owner has from PostgreSQL 15 on.
//! 2. Before each deployment a program of yours connects as that owner, calls [`PostgresStore::from_pool_or_create`] and
//!    ends.
//! 3. The owner then runs the statements below, [`GRANTS`], with the name of the role in the place of `app`, who also
//!    needs `USAGE` on the schema. These are all of its rights.
//! 4. The service connects as `app`, and calls [`PostgresStore::from_pool`] too: with nothing to migrate it only reads.
//!
//! An error 42501 at the service's start says what was left out: `permission denied for schema` the second step, `for
//! table counterfoil_schema` the third.
//!
//! ```sql
#![doc = include_str!("../migrations/postgres/grants.sql")]
//! ```
//!
//! # The pool
//!
//! - The pool must be of sqlx 0.9; [the crate's page](crate#the-version-of-sqlx) has the way out for an application on
//!   sqlx 0.8.
//! - A pool that tries each connection before it hands it out, as sqlx's do unless told otherwise, adds a round trip to
//!   every read. `test_before_acquire(false)` is safe with this store: a call that meets a dead connection, and is
//!   known to have changed nothing, goes on with a live one.
//! - A server that refuses connections does not fail fast: the pool goes on trying for its `acquire_timeout`, 30 seconds
//!   unless told otherwise, and the store's [deadline](PostgresStore::deadline), five seconds, cuts that off. Every
//!   request waits so long for its "try again": a second for one of the two is kinder to people.
//! - The pool's first connection must be made, or [`from_pool`](PostgresStore::from_pool) fails: a service that may
//!   start before its database tries that again.
//! - A pooler that gives a connection for a transaction must carry prepared statements after their client, as PgBouncer
//!   does from 1.21 on with `max_prepared_statements` above zero. Without that let it give connections for a session:
//!   one client's statement may else be carried out in the place of another's, if it does not fail with 42P05 before.
//!   `statement_cache_capacity(0)` is no way out: sqlx prepares in a message exchange of its own, and the next one may
//!   go to another connection. Nothing else of a session is used: no `SET` outlives its transaction, and the
//!   migrations' lock ends with theirs. The tests take the PgBouncer that is installed: 1.18 passes by session, and
//!   1.24 by both.
//! - PgBouncer refuses a start with parameters that it does not know. sqlx sends one, `extra_float_digits`: leave it
//!   out, by `PgConnectOptions::extra_float_digits(None)`, or set `ignore_startup_parameters = extra_float_digits`; no
//!   column here is a float. Do not let it ignore `options`, which may hold the search path.
//! - Listening for [changes](CHANGES) needs a connection of its own to the server, past a pooler by transaction.
//! - `synchronous_commit` stays as your application has set it. If it is `off`, a write that was acknowledged may be lost
//!   with the server, for example a revocation. If there is a standby to fail over to, it must be `on` and the standby
//!   synchronous, and no node may reach the old primary any more when the standby begins to take writes.
//! - No change is acknowledged before the synchronous standby has it, also if the change is found already made: the store
//!   then locks one row, so that its commit waits as any other does. End a commit that waits with `pg_terminate_backend`
//!   if you must, and never with `pg_cancel_backend`: PostgreSQL then reports it as successful, and the driver passes its
//!   warning on to the log only, with the target `sqlx::postgres::notice`. `statement_timeout` does not end such a wait.
//! - Writes take at most half of the pool's connections, or what
//!   [`write_connections`](PostgresStore::write_connections) says. A call that gives up keeps its connection until the
//!   server has answered it, so `max_connections` bounds what the server sees of this pool, also while every write waits
//!   for a standby or a lock. One connection beside the pool asks `pg_stat_activity` at such times whether anything of
//!   this role still waits; if nothing does, the network was cut, and the silent connection is closed.
//!
//! # Failures
//!
//! Every call ends within the store's [deadline](PostgresStore::deadline): a server that is gone, paused or unreachable
//! is [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable), never a refusal. Within it, up to five attempts
//! are made, with pauses of some milliseconds between them:
//!
//! | the attempt failed by | then |
//! |---|---|
//! | a serialization failure or a deadlock (SQLSTATE 40001, 40P01), at a commit as well | it is repeated: the server has undone it |
//! | a lost connection, while reading or before a commit was sent | it is repeated on a connection that answers |
//! | a lost connection after a commit was sent | it is not repeated: it may have been done. [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) |
//! | a lock that was not free in time, at a commit as well (55P03) | it is not repeated: it is undone. [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) |
//! | a standby, a read-only database, a full disk | [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly); reads go on |
//! | a full queue of notifications (54000), at the commit of a change | it is not repeated: [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable); reads and minting go on |
//!
//! # Databases that speak its protocol
//!
//! What such a database must have: `INSERT … ON CONFLICT`, `FOR UPDATE SKIP LOCKED`, statements that change rows inside
//! `WITH`, and answers to conflicts of 40001, which are repeated as above: more often than in PostgreSQL, so keep an
//! eye on the tokens of one owner that are minted at once. Transactions ask for `READ COMMITTED` and are right under
//! anything stricter. Where there are no advisory locks, let one node start first. Where there are no triggers or no
//! `NOTIFY`, run [`MIGRATIONS`] without step 2 by your own migrator, open the store with
//! [`PostgresStore::from_migrated_pool`], and let no cache rely on [`CHANGES`]. `row_security_active` and
//! `gen_random_uuid` must be there. This crate is tested on PostgreSQL 15 alone.

mod call;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#[path = "../tests/cluster/mod.rs"]
mod cluster;
mod durable;
mod fault;
mod find;
mod idempotency;
mod lease;
mod list;
mod migrate;
mod open;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod plans;
mod revoke;
mod rows;
mod upkeep;
mod uses;
mod write;

use std::{sync::Arc, time::Duration};

use counterfoil::{
    KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, StoreId, Stored, WarningClaim},
};

use crate::migrate::Steps;

pub use migrate::MIGRATIONS;

/// The statements of [the least that a role needs](self#the-least-that-a-role-needs), for a role with the name `app`.
pub const GRANTS: &str = include_str!("../migrations/postgres/grants.sql");

/// The channel on which a trigger tells of every change of a token's row that a verdict may depend on, by whichever
/// hand: `LISTEN counterfoil_changes`.
///
/// A payload is a token's id and up to three selectors, separated by spaces: `0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa
/// EXAMPLEEXAMP`. A change tells those before it and, where they differ, those after it in a payload of their own. A
/// token that is deleted is told, and so is each row of `counterfoil_selector` that is changed or deleted, with its
/// token or by itself. `*` means all tokens, after a `TRUNCATE`. A token that is made is not told, nor is a use. It is
/// sent with the commit, so what is read afterwards is the change or a later one.
///
/// A channel belongs to the database, not to a schema, and is on the primary alone. The triggers fire under
/// `session_replication_role = replica` and for what logical replication writes too. Whoever changes rows while they
/// are switched off sends `*` by hand.
pub const CHANGES: &str = "counterfoil_changes";

/// A [`TokenStore`] and [`IdempotencyStore`](counterfoil::store::IdempotencyStore) in PostgreSQL.
///
/// Clones share the pool. A call whose future is dropped has written all or nothing.
///
/// ```no_run
/// use counterfoil::{Keyring, Registry, TokenFormat};
/// use counterfoil_sqlx::PostgresStore;
/// use sqlx::postgres::PgPoolOptions;
/// use std::time::Duration;
///
/// # async fn start(keyring: Keyring) -> Result<(), Box<dyn std::error::Error>> {
/// let pool = PgPoolOptions::new()
///     .max_connections(20)
///     .test_before_acquire(false)
///     .acquire_timeout(Duration::from_secs(1))
///     .connect("postgres://app@db.internal/shop")
///     .await?;
/// let store = PostgresStore::from_pool(pool).await?; // with nothing to migrate it only reads
/// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Beside what each method names: [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly) if the server takes no
/// writes; [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) if it is not reached, does not answer
/// within the deadline, or goes away in the middle, so that what was asked for may have been done;
/// [`Other`](counterfoil::store::StoreErrorKind::Other) for the rest, among it an [`update`](TokenStore::update) that
/// would change a record's owner. The source is the driver's error, or of the server's its code and message; its
/// detail, which holds values, is left out.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    connections: Arc<lease::Connections>,
    id: StoreId,
    steps: Steps,
    deadline: Duration,
    bulk_deadline: Duration,
}

impl PostgresStore {
    async fn call<O: call::Operation>(&self, operation: &O) -> Result<O::Output, StoreError> {
        call::call(&self.connections, self.id, self.deadline, operation).await
    }

    async fn call_in_bulk<O: call::Operation>(&self, operation: &O) -> Result<O::Output, StoreError> {
        call::call(&self.connections, self.id, self.bulk_deadline, operation).await
    }
}

impl TokenStore for PostgresStore {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.call(&write::Insert { store: self.id, row: &record.to_row(), limit, now }).await
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.call(&find::Find { store: self.id, selectors }).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.call(&list::Get(id)).await
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        self.call_in_bulk(&list::List { query, now }).await
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.call(&write::Update { row: &record.to_row(), expected, limit, now }).await
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let revoke = revoke::Revoke { target, mark: mark.into(), now, step };
        match target {
            RevokeTarget::Token(_) => self.call(&revoke).await,
            RevokeTarget::Owner(_) | RevokeTarget::Matching(_) | RevokeTarget::Among { .. } => {
                self.call_in_bulk(&revoke).await
            }
        }
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let uses = uses::RecordUses::of(uses);
        if uses.is_empty() { Ok(()) } else { self.call_in_bulk(&uses).await }
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.call_in_bulk(&upkeep::Purge { revoked_before, expired_before, max_rows }).await
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        self.call_in_bulk(&upkeep::ClaimWarnings(claims)).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.call_in_bulk(&upkeep::CountByKey(key)).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.call(&durable::ConfirmDurable).await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.call(&migrate::CheckHealth { store: self.id, steps: self.steps }).await
    }
}
