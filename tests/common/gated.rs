//! A store whose writes can be turned away, as on a node that has lost the primary, or met by something else, and whose
//! lookups are counted.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and fails by panicking")]

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use counterfoil::{
    KeyId, Mark, Record, Selector, SharedStore, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, Stored, WarningClaim},
};

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A store behind a gate. Clones share the gate.
#[derive(Clone)]
pub(crate) struct Gated {
    store: SharedStore,
    is_read_only: Arc<AtomicBool>,
    is_unconfirmed: Arc<AtomicBool>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    lookups: Arc<AtomicUsize>,
    /// For each kind of write, how many rows the calls have changed or were given, one number for each call.
    rows: Arc<Mutex<BTreeMap<&'static str, Vec<usize>>>>,
    /// How many steps of revocations go through before they fail.
    revocations_left: Arc<AtomicUsize>,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Gated {
    pub(crate) fn new(store: SharedStore) -> Self {
        Self {
            store,
            is_read_only: Arc::default(),
            is_unconfirmed: Arc::default(),
            meanwhile: Arc::default(),
            lookups: Arc::default(),
            rows: Arc::default(),
            revocations_left: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    /// How many lookups there were since this was asked last.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.swap(0, Ordering::SeqCst)
    }

    /// The rows of each call since this was asked last.
    pub(crate) fn rows(&self) -> BTreeMap<&'static str, Vec<usize>> {
        std::mem::take(&mut *self.rows.lock().unwrap())
    }

    /// Lets so many steps of revocations go through, and the later ones fail.
    pub(crate) fn fail_revocations_after(&self, steps: usize) {
        self.revocations_left.store(steps, Ordering::SeqCst);
    }

    fn count(&self, kind: &'static str, rows: usize) {
        self.rows.lock().unwrap().entry(kind).or_default().push(rows);
    }

    /// Does this while the next uses are being written.
    pub(crate) fn meanwhile(&self, step: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(step));
    }

    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    /// Fails where a call has written nothing and must say that what it has read is durable.
    pub(crate) fn set_unconfirmed(&self, is_unconfirmed: bool) {
        self.is_unconfirmed.store(is_unconfirmed, Ordering::SeqCst);
    }

    fn confirm(&self) -> Result<(), StoreError> {
        if self.is_unconfirmed.load(Ordering::SeqCst) { Err(StoreErrorKind::Unavailable.into()) } else { Ok(()) }
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

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let left = self.revocations_left.load(Ordering::SeqCst);
        if left == 0 {
            return Err(StoreErrorKind::Unavailable.into());
        }
        self.revocations_left.store(left - 1, Ordering::SeqCst);
        let revocation = self.writable()?.revoke(target, mark, now, step).await?;
        self.count("revoke", revocation.revoked.len());
        if revocation.revoked.is_empty() {
            self.confirm()?;
        }
        Ok(revocation)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        meanwhile.into_iter().for_each(|step| step());
        self.count("record_uses", uses.len());
        self.writable()?.record_uses(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        let purged = self.writable()?.purge(revoked_before, expired_before, max_rows).await?;
        self.count("purge", purged as usize);
        Ok(purged)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        self.count("claim_warnings", claims.len());
        self.writable()?.claim_warnings(claims).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.store.count_by_key(key).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.confirm()?;
        self.writable()?.confirm_durable().await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.store.check_health().await
    }
}
