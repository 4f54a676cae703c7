//! A store whose writes can be turned away, as on a node that has lost the primary, or met by something else, and whose
//! lookups are counted.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and fails by panicking")]

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use counterfoil::{
    KeyId, Mark, Record, Selector, SharedStore, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeTarget, StoreError, StoreErrorKind, Stored},
};

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A store behind a gate. Clones share the gate.
#[derive(Clone)]
pub(crate) struct Gated {
    store: SharedStore,
    is_read_only: Arc<AtomicBool>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    lookups: Arc<AtomicUsize>,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Gated {
    pub(crate) fn new(store: SharedStore) -> Self {
        Self { store, is_read_only: Arc::default(), meanwhile: Arc::default(), lookups: Arc::default() }
    }

    /// How many lookups there were since this was asked last.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.swap(0, Ordering::SeqCst)
    }

    /// Does this while the next uses are being written.
    pub(crate) fn meanwhile(&self, step: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(step));
    }

    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    fn writable(&self) -> Result<&SharedStore, StoreError> {
        if self.is_read_only.load(Ordering::SeqCst) { Err(StoreErrorKind::ReadOnly.into()) } else { Ok(&self.store) }
    }
}

impl TokenStore for Gated {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.writable()?.insert(record, limit, now).await
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.store.find(selectors).await
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
        self.writable()?.update(record, expected, limit, now).await
    }

    async fn revoke(&self, target: &RevokeTarget, mark: &Mark, now: Timestamp) -> Result<Revocation, StoreError> {
        self.writable()?.revoke(target, mark, now).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        meanwhile.into_iter().for_each(|step| step());
        self.writable()?.record_uses(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.writable()?.purge(revoked_before, expired_before, max_rows).await
    }

    async fn claim_warning(&self, id: TokenId, expiry: Timestamp, threshold: Duration) -> Result<bool, StoreError> {
        self.writable()?.claim_warning(id, expiry, threshold).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.store.count_by_key(key).await
    }
}
