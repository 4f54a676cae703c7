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
//! you want every migration in your own list, take the SQL from [`MIGRATIONS`] and open the store with
//! [`SqliteStore::from_migrated_pool`].

mod fault;
mod find;
mod idempotency;
mod list;
mod migrate;
mod open;
mod revoke;
mod rows;
mod upkeep;
mod write;

use std::{sync::Arc, time::Duration};

use counterfoil::{
    KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeTarget, StoreError, Stored},
};
use sqlx::SqlitePool;

pub use migrate::MIGRATIONS;
pub use open::SqliteOptions;

/// A [`TokenStore`] and [`IdempotencyStore`](counterfoil::store::IdempotencyStore) in SQLite.
///
/// Clones share the connections. A call whose future is dropped has written all or nothing.
///
/// # Errors
///
/// Beside what each method names: [`ReadOnly`](counterfoil::store::StoreErrorKind::ReadOnly) if the file cannot be
/// written; [`Unavailable`](counterfoil::store::StoreErrorKind::Unavailable) if another process holds the file's lock
/// for too long, or no connection comes free in time; [`Other`](counterfoil::store::StoreErrorKind::Other) for the
/// rest, among it an [`update`](TokenStore::update) that would change a record's owner. The driver's error is the
/// source.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    // INVARIANT: may be the same pool, of one connection, so a call never asks for a second one while it holds one.
    readers: SqlitePool,
}

impl TokenStore for SqliteStore {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        write::insert(&self.writer, record, limit, now).await
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        find::find(&self.readers, selectors).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        list::get(&self.readers, id).await
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        list::list(&self.readers, query, now).await
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        write::update(&self.writer, record, expected, limit, now).await
    }

    async fn revoke(&self, target: &RevokeTarget, mark: &Mark, now: Timestamp) -> Result<Revocation, StoreError> {
        revoke::revoke(&self.writer, target, mark, now).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        upkeep::record_uses(&self.writer, uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        upkeep::purge(&self.writer, revoked_before, expired_before, max_rows).await
    }

    async fn claim_warning(&self, id: TokenId, expiry: Timestamp, threshold: Duration) -> Result<bool, StoreError> {
        upkeep::claim_warning(&self.writer, id, expiry, threshold).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        upkeep::count_by_key(&self.readers, key).await
    }
}
