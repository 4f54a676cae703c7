//! An idempotency store with its type erased, as far as the upkeep of a registry needs it.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{IdempotencyStore, StoreError};
use crate::time::Timestamp;

/// Any idempotency store, shared, from which requests are forgotten.
#[derive(Clone)]
pub(crate) struct SharedRequests(Arc<dyn DynRequests>);

impl SharedRequests {
    pub(crate) fn new(requests: impl IdempotencyStore) -> Self {
        Self(Arc::new(requests))
    }

    /// Forgets as [`IdempotencyStore::forget`] does.
    pub(crate) async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        self.0.forget_dyn(before, max_rows).await
    }
}

impl fmt::Debug for SharedRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + 'a>>;

trait DynRequests: fmt::Debug + Send + Sync {
    fn forget_dyn(&self, before: Timestamp, max_rows: u32) -> Boxed<'_>;
}

impl<S: IdempotencyStore> DynRequests for S {
    fn forget_dyn(&self, before: Timestamp, max_rows: u32) -> Boxed<'_> {
        Box::pin(self.forget(before, max_rows))
    }
}
