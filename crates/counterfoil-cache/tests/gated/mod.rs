//! A store whose reads the test counts, holds back after they have their row, and lets fail or panic.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use counterfoil::{
    KeyId, Mark, MemoryStore, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, Stored, WarningClaim},
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Gated {
    inner: MemoryStore,
    /// How many reads may go through, counted from the first one.
    open_to: watch::Sender<usize>,
    /// From which read on none is held back.
    free_from: AtomicUsize,
    held: AtomicUsize,
    reads: AtomicUsize,
    failure: Mutex<Option<StoreErrorKind>>,
    panics: AtomicBool,
}

impl Gated {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            open_to: watch::Sender::new(usize::MAX),
            free_from: AtomicUsize::new(usize::MAX),
            held: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            failure: Mutex::default(),
            panics: AtomicBool::new(false),
        }
    }

    /// Reads that begin from now on wait, each with its row in hand.
    pub(crate) fn hold(&self) {
        self.open_to.send_replace(self.reads());
    }

    /// Lets the first one of them go on.
    pub(crate) fn release_one(&self) {
        self.open_to.send_modify(|open_to| *open_to += 1);
    }

    /// Holds back those that wait, and none that begins from now on.
    pub(crate) fn release_from_now_on(&self) {
        self.free_from.store(self.reads(), SeqCst);
    }

    pub(crate) fn release(&self) {
        self.open_to.send_replace(usize::MAX);
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

    /// Reads panic from now on, those that are held back too.
    pub(crate) fn panic(&self) {
        self.panics.store(true, SeqCst);
    }
}

impl TokenStore for Gated {
    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let number = self.reads.fetch_add(1, SeqCst);
        let failure = self.failure.lock().unwrap().clone();
        if let Some(kind) = failure {
            return Err(kind.into());
        }
        let found = self.inner.find(selectors).await;
        let mut open_to = self.open_to.subscribe();
        let is_held = *open_to.borrow() <= number && number < self.free_from.load(SeqCst);
        if is_held {
            self.held.fetch_add(1, SeqCst);
            let _ = open_to.wait_for(|open_to| *open_to > number).await;
            self.held.fetch_sub(1, SeqCst);
        }
        assert!(!self.panics.load(SeqCst), "as the test wants it");
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
    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        self.inner.revoke(target, mark, now, step).await
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
    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        self.inner.claim_warnings(claims).await
    }
    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.inner.count_by_key(key).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.inner.confirm_durable().await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.inner.check_health().await
    }
}
