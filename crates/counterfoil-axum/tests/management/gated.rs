//! A store that fails when it is told to, or lets something else come in between.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use counterfoil::{
    KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{
        IdempotencyStore, ListQuery, Page, Reservation, Reserved, Revocation, RevokeStep, RevokeTarget, StoreError,
        StoreErrorKind, Stored, WarningClaim,
    },
};

use crate::support::Store;

type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a gate does to those who pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Nothing passes, of tokens or of reservations.
    Shut(StoreErrorKind),
    /// Nothing that writes passes.
    WritesShut(StoreErrorKind),
    /// New records do not pass.
    InsertLost,
    /// New records pass, and nobody is told.
    InsertUntold,
}

/// A store behind a gate. Clones share both.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    store: S,
    gate: Arc<Mutex<Gate>>,
    meanwhile: Arc<Mutex<Option<Step>>>,
}

impl<S: Store> fmt::Debug for Gated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl<S: Store> Gated<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, gate: Arc::new(Mutex::new(Gate::Open)), meanwhile: Arc::default() }
    }

    pub(crate) fn set(&self, gate: Gate) {
        *self.gate.lock().unwrap() = gate;
    }

    /// Does this before the next record is written, anew or changed.
    pub(crate) fn meanwhile(&self, step: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::pin(step));
    }

    async fn step(&self) {
        let step = self.meanwhile.lock().unwrap().take();
        if let Some(step) = step {
            step.await;
        }
    }

    fn gate(&self) -> Gate {
        self.gate.lock().unwrap().clone()
    }

    fn reading(&self) -> Result<&S, StoreError> {
        if let Gate::Shut(kind) = self.gate() { Err(kind.into()) } else { Ok(&self.store) }
    }

    fn writing(&self) -> Result<&S, StoreError> {
        if let Gate::Shut(kind) | Gate::WritesShut(kind) = self.gate() { Err(kind.into()) } else { Ok(&self.store) }
    }
}

impl<S: Store> TokenStore for Gated<S> {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.step().await;
        let store = self.writing()?;
        match self.gate() {
            Gate::InsertLost => Err(StoreErrorKind::Unavailable.into()),
            Gate::InsertUntold => {
                store.insert(record, limit, now).await?;
                Err(StoreErrorKind::Unavailable.into())
            }
            _ => store.insert(record, limit, now).await,
        }
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.reading()?.find(selectors).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.reading()?.get(id).await
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        self.reading()?.list(query, now).await
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step().await;
        self.writing()?.update(record, expected, limit, now).await
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        self.writing()?.revoke(target, mark, now, step).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.writing()?.record_uses(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.writing()?.purge(revoked_before, expired_before, max_rows).await
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        self.writing()?.claim_warnings(claims).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.reading()?.count_by_key(key).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.writing()?.confirm_durable().await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.reading()?.check_health().await
    }
}

impl<S: Store> IdempotencyStore for Gated<S> {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        self.writing()?.reserve(reservation).await
    }

    async fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        self.writing()?.take_over(abandoned, reservation).await
    }

    async fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.writing()?.complete(reservation).await
    }

    async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.writing()?.release(reservation).await
    }

    async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        self.writing()?.forget(before, max_rows).await
    }
}
