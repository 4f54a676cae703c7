//! Records in SQLite.
//!
//! # A file of its own
//!
//! [`SqliteStore::open`] opens a file that holds a store. [`SqliteStore::open_or_create`] creates it.
//!
//! # Your application's database
//!
//! [`SqliteStore::from_pool`] and [`SqliteStore::from_pool_or_create`] take your application's pool. The tables' names
//! begin with `counterfoil_`, and the migrations are recorded apart from yours, so both may be run in either order. If
//! you want every migration in your own list, write them as files with
//! [`migration_files`](crate::migration_files) and open the store with [`SqliteStore::from_migrated_pool`].
//!
//! The pool must be of sqlx 0.9; [the crate's page](crate#the-version-of-sqlx) has the ways out for an application on
//! sqlx 0.8.
//!
//! While the store writes, it sets the busy timeout of the connection that it uses, and restores it afterwards. It closes
//! a connection that fails, and one that comes from the pool with an open transaction. A database in memory that belongs
//! to such a connection is lost with it, so use [`SqliteStore::in_memory`] for tests.
//!
//! # Many processes
//!
//! Any number of processes may have the file open, and SQLite lets one of them write at a time. The store asks for the
//! write lock again after short random pauses until its [deadline](SqliteStore::deadline). Measured on two busy
//! processors, with processes that do nothing but write: of 16 no write took longer than 0.2 seconds, and of 64 none
//! longer than 2.4 seconds, at about 340 writes a second in all. With more processes, or a slower disk, writes begin to
//! miss the deadline of five seconds. Several machines need PostgreSQL: SQLite must not be used over a network file
//! system.

mod fault;
mod file;
mod find;
mod idempotency;
mod list;
mod migrate;
mod open;
mod pause;
mod revoke;
mod rows;
mod transaction;
mod upkeep;
mod write;

use std::{sync::Arc, time::Duration};

use counterfoil::{
    KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{
        ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, StoreId, Stored,
        WarningClaim,
    },
};
use tokio::time::Instant;
use transaction::{Limits, Operation, Reader, Writer};

use crate::migrate::Steps;
use file::OpenFile;

pub use migrate::MIGRATIONS;
pub use open::SqliteOptions;

/// A [`TokenStore`] and [`IdempotencyStore`](counterfoil::store::IdempotencyStore) in SQLite.
///
/// Clones share the connections. If the future of a call is dropped, the call has written everything or nothing.
///
/// Every call ends within the store's [deadline](Self::deadline). After a failure that SQLite may have answered with a
/// rollback of its own, the connection is closed and another one is opened, in the store's own pools and in a pool that
/// the application gave. The next call therefore succeeds as soon as the cause is gone; no restart is needed.
///
/// # The cost of a list
///
/// A page of one owner, or one that many tokens match, is read along an index in its order, whatever the number of
/// tokens. A page of all owners or of a tenant with a filter that few tokens match looks at 10,000 tokens in that order,
/// and then reads the table once from its beginning to its end: with a million tokens that takes 0.3 to 0.9 seconds,
/// and it grows with their number. Filters by expiry, use or revocation alone use an index instead. Verification goes
/// on meanwhile, on the other read connections.
///
/// # Errors
///
/// In addition to what each method lists:
///
/// | what SQLite reports | kind | was the change written? |
/// |---|---|---|
/// | read-only file (`READONLY`), full disk (`FULL`) | [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly): retry after somebody has made room or given write access | no |
/// | the write lock is held by another process or connection (`BUSY`), no free connection, or the deadline passed | [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable): retry | no |
/// | I/O error (`IOERR`, `CANTOPEN`), out of memory (`NOMEM`), an interrupt (`INTERRUPT`) | [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable): retry | no, except that an I/O error at the commit may leave it written |
/// | everything else, such as a trigger that rolls back, a damaged file, or an [`update`](TokenStore::update) that would change a record's owner | [`Other`](counterfoil::store::StoreErrorKind::Other): a retry fails in the same way | no |
///
/// The driver's error is the source.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Writer,
    // INVARIANT: may be the same pool, of one connection, so a call never asks for a second one while it holds one.
    readers: Reader,
    deadline: Duration,
    bulk_deadline: Duration,
    id: StoreId,
    steps: Steps,
    file: Option<Arc<OpenFile>>,
}

impl SqliteStore {
    /// Refuses a file that is not at its path any more: before a write, which would be lost with it.
    fn check_file(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    /// The same before a read, at a cost that is not noticed.
    fn check_file_sometimes(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check_sometimes())
    }

    /// A read's failure, or the reason for it that SQLite does not give: a file that is gone cannot be opened again.
    fn explain<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if read.is_err() {
            self.check_file()?;
        }
        read
    }

    fn location(&self) -> String {
        migrate::location_of(&self.readers.pool)
    }

    /// Confirms that what was not found is not there: that this is still the store that was opened.
    async fn confirm(&self) -> Result<(), StoreError> {
        self.check_file()?;
        migrate::confirm(&self.readers, self.deadline, self.id).await
    }

    async fn write<O: Operation>(&self, change: &O) -> Result<O::Output, StoreError> {
        self.check_file()?;
        self.writer.run(Limits { wait: self.deadline, total: self.deadline }, change).await
    }

    async fn write_in_bulk<O: Operation>(&self, change: &O) -> Result<O::Output, StoreError> {
        self.check_file()?;
        self.writer.run(self.bulk_limits(), change).await
    }

    async fn read_in_bulk<O: Operation>(&self, read: &O) -> Result<O::Output, StoreError> {
        self.check_file_sometimes()?;
        self.explain(self.readers.run(self.bulk_limits(), read).await)
    }

    fn bulk_limits(&self) -> Limits {
        Limits { wait: self.deadline, total: self.bulk_deadline }
    }
}

impl TokenStore for SqliteStore {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        // A token that goes into another store is lost to this one.
        self.confirm().await?;
        self.write(&write::Insert { row: &record.to_row(), limit, now }).await
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.check_file_sometimes()?;
        let found = self.explain(find::find(&self.readers, self.deadline, selectors).await)?;
        if found.is_none() {
            self.confirm().await?;
        }
        Ok(found)
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.check_file_sometimes()?;
        let stored = self.explain(list::get(&self.readers, self.deadline, id).await)?;
        if stored.is_none() {
            self.confirm().await?;
        }
        Ok(stored)
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        let page = self.read_in_bulk(&list::List { query, now }).await?;
        if page.next.is_none() {
            // The last page says that there are no more.
            self.confirm().await?;
        }
        Ok(page)
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let updated = self.write(&write::Update { row: &record.to_row(), expected, limit, now }).await;
        if updated.as_ref().is_err_and(|error| *error.kind() == StoreErrorKind::NotFound) {
            self.confirm().await?;
        }
        updated
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
            RevokeTarget::Token(_) => {
                let revocation = self.write(&revoke).await?;
                if revocation.revoked.is_empty() && revocation.already == 0 {
                    self.confirm().await?;
                }
                Ok(revocation)
            }
            RevokeTarget::Owner(_) | RevokeTarget::Matching(_) | RevokeTarget::Among { .. } => {
                let begun = Instant::now();
                let revocation = self.write_in_bulk(&revoke).await?;
                if revocation.revoked.is_empty() && revocation.already == 0 {
                    self.confirm().await?;
                }
                if revocation.next.is_some() || matches!(target, RevokeTarget::Among { .. }) {
                    pause::let_others_write(begun.elapsed()).await;
                }
                Ok(revocation)
            }
        }
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        if uses.is_empty() { Ok(()) } else { self.write_in_bulk(&upkeep::RecordUses(uses)).await }
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        let begun = Instant::now();
        let purged = self.write_in_bulk(&upkeep::Purge { revoked_before, expired_before, max_rows }).await?;
        if purged == u64::from(max_rows) {
            pause::let_others_write(begun.elapsed()).await;
        }
        self.readers.shrink_log(self.bulk_limits()).await;
        Ok(purged)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        if claims.is_empty() { Ok(Vec::new()) } else { self.write_in_bulk(&upkeep::ClaimWarnings(claims)).await }
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        let slots = self.read_in_bulk(&upkeep::CountByKey(key)).await?;
        // A key of which no slot is found is deleted, so the number must be of the right store.
        self.confirm().await?;
        Ok(slots)
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.check_file()?;
        self.read_in_bulk(&migrate::CheckHealth { location: self.location(), store: self.id, steps: self.steps }).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.write(&write::ConfirmDurable).await
    }
}
