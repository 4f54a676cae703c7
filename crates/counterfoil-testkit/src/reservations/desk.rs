//! An idempotency store held by a thread that waits.

use std::{any::Any, sync::Arc};

use counterfoil::{
    Timestamp,
    store::{IdempotencyStore, Reservation, Reserved, StoreError},
};

use crate::{
    bench::{Turns, wait},
    harness::{BlockOn, Fresh, Harness},
};

/// A store's nodes, with the trait's methods as plain calls.
pub(super) struct Desk<S> {
    nodes: Arc<Turns<Arc<S>>>,
    block_on: BlockOn,
    _kept: Vec<Box<dyn Any + Send + Sync>>,
}

impl<S: IdempotencyStore> Desk<S> {
    pub(super) fn on_fresh(harness: &Harness<S>) -> Self {
        let Fresh { nodes, kept, corrupt: _ } = wait(&harness.block_on, harness.make());
        Self { nodes: Turns::of(nodes.into_iter().map(Arc::new)), block_on: Arc::clone(&harness.block_on), _kept: kept }
    }

    pub(super) fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let (store, reservation) = (self.nodes.next(), reservation.clone());
        wait(&self.block_on, async move { store.reserve(&reservation).await })
    }

    pub(super) fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        let (store, abandoned, reservation) = (self.nodes.next(), abandoned.clone(), reservation.clone());
        wait(&self.block_on, async move { store.take_over(&abandoned, &reservation).await })
    }

    pub(super) fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let (store, reservation) = (self.nodes.next(), reservation.clone());
        wait(&self.block_on, async move { store.complete(&reservation).await })
    }

    pub(super) fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let (store, reservation) = (self.nodes.next(), reservation.clone());
        wait(&self.block_on, async move { store.release(&reservation).await })
    }

    pub(super) fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        let store = self.nodes.next();
        wait(&self.block_on, async move { store.forget(before, max_rows).await })
    }
}
