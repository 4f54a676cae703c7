//! A store in memory whose lookups are counted, and can be made to fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use counterfoil::{
    KeyId, Mark, MemoryStore, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, Stored, WarningClaim},
};

/// Clones share store and count.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    store: MemoryStore,
    lookups: Arc<AtomicU64>,
    is_away: Arc<AtomicBool>,
}

impl Counted {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::new(), lookups: Arc::default(), is_away: Arc::default() }
    }

    /// How many lookups there were since this was asked last.
    pub(crate) fn lookups(&self) -> u64 {
        self.lookups.swap(0, SeqCst)
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, SeqCst);
    }
}

impl TokenStore for Counted {
    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.lookups.fetch_add(1, SeqCst);
        if self.is_away.load(SeqCst) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        self.store.find(selectors).await
    }

    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.store.insert(record, limit, now).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.store.get(id).await
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        self.store.list(query, now).await
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.update(record, expected, limit, now).await
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        self.store.revoke(target, mark, now, step).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.store.record_uses(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.store.purge(revoked_before, expired_before, max_rows).await
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        self.store.claim_warnings(claims).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.store.count_by_key(key).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.store.confirm_durable().await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.store.check_health().await
    }
}
