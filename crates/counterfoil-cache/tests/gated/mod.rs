//! A store whose reads the test counts, holds back after they have their row, and lets fail.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and fails by panicking")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use counterfoil::{
    KeyId, Mark, MemoryStore, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeTarget, StoreError, StoreErrorKind, Stored},
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Gated {
    inner: MemoryStore,
    is_open: watch::Sender<bool>,
    held: AtomicUsize,
    reads: AtomicUsize,
    failure: Mutex<Option<StoreErrorKind>>,
}

impl Gated {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        let (held, reads) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner, is_open: watch::Sender::new(true), held, reads, failure: Mutex::default() }
    }

    /// Reads that begin from now on wait, each with its row in hand.
    pub(crate) fn hold(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.is_open.send_replace(true);
    }

    /// How many wait.
    pub(crate) fn held(&self) -> usize {
        self.held.load(SeqCst)
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    pub(crate) fn fail(&self, kind: Option<StoreErrorKind>) {
        *self.failure.lock().unwrap() = kind;
    }
}

impl TokenStore for Gated {
    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.reads.fetch_add(1, SeqCst);
        let failure = self.failure.lock().unwrap().clone();
        if let Some(kind) = failure {
            return Err(kind.into());
        }
        let found = self.inner.find(selectors).await;
        let mut is_open = self.is_open.subscribe();
        if !*is_open.borrow() {
            self.held.fetch_add(1, SeqCst);
            let _ = is_open.wait_for(|is_open| *is_open).await;
            self.held.fetch_sub(1, SeqCst);
        }
        found
    }
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.inner.insert(record, limit, now).await
    }
    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.inner.get(id).await
    }
    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        self.inner.list(query, now).await
    }
    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.update(record, expected, limit, now).await
    }
    async fn revoke(&self, target: &RevokeTarget, mark: &Mark, now: Timestamp) -> Result<Revocation, StoreError> {
        self.inner.revoke(target, mark, now).await
    }
    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.inner.record_uses(uses).await
    }
    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.inner.purge(revoked_before, expired_before, max_rows).await
    }
    async fn claim_warning(&self, id: TokenId, expiry: Timestamp, threshold: Duration) -> Result<bool, StoreError> {
        self.inner.claim_warning(id, expiry, threshold).await
    }
    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.inner.count_by_key(key).await
    }
}
