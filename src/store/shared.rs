//! A store with its type erased, once, at the edge.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, Stored, TokenStore, WarningClaim};
use crate::{
    digest::KeyId,
    record::{Record, Revision, Use},
    subject::Mark,
    time::Timestamp,
    token::{Selector, TokenId},
};

/// Any store, shared: what a registry holds, so that neither it nor a middleware carries a type parameter.
///
/// The erasure costs one boxed future a call, which is nothing beside a query.
#[derive(Clone)]
pub struct SharedStore(Arc<dyn DynTokenStore>);

impl SharedStore {
    /// Erases the type of `store`.
    pub fn new(store: impl TokenStore) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The twin of [`TokenStore`] with boxed futures. Private, so that nobody implements it.
trait DynTokenStore: fmt::Debug + Send + Sync {
    fn insert_dyn<'a>(&'a self, record: &'a Record, limit: Option<u32>, now: Timestamp) -> Boxed<'a, ()>;
    fn find_dyn<'a>(&'a self, selectors: &'a [Selector]) -> Boxed<'a, Option<Arc<Record>>>;
    fn get_dyn<'a>(&'a self, id: TokenId) -> Boxed<'a, Option<Stored>>;
    fn list_dyn<'a>(&'a self, query: &'a ListQuery, now: Timestamp) -> Boxed<'a, Page>;
    fn update_dyn<'a>(
        &'a self,
        record: &'a Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Boxed<'a, ()>;
    fn revoke_dyn<'a>(
        &'a self,
        target: &'a RevokeTarget,
        mark: &'a Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Boxed<'a, Revocation>;
    fn record_uses_dyn<'a>(&'a self, uses: &'a [Use]) -> Boxed<'a, ()>;
    fn purge_dyn<'a>(
        &'a self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Boxed<'a, u64>;
    fn claim_warnings_dyn<'a>(&'a self, claims: &'a [WarningClaim]) -> Boxed<'a, Vec<bool>>;
    fn count_by_key_dyn<'a>(&'a self, key: KeyId) -> Boxed<'a, u64>;
    fn confirm_durable_dyn(&self) -> Boxed<'_, ()>;
    fn check_health_dyn(&self) -> Boxed<'_, ()>;
}

impl<S: TokenStore> DynTokenStore for S {
    fn insert_dyn<'a>(&'a self, record: &'a Record, limit: Option<u32>, now: Timestamp) -> Boxed<'a, ()> {
        Box::pin(self.insert(record, limit, now))
    }

    fn find_dyn<'a>(&'a self, selectors: &'a [Selector]) -> Boxed<'a, Option<Arc<Record>>> {
        Box::pin(self.find(selectors))
    }

    fn get_dyn<'a>(&'a self, id: TokenId) -> Boxed<'a, Option<Stored>> {
        Box::pin(self.get(id))
    }

    fn list_dyn<'a>(&'a self, query: &'a ListQuery, now: Timestamp) -> Boxed<'a, Page> {
        Box::pin(self.list(query, now))
    }

    fn update_dyn<'a>(
        &'a self,
        record: &'a Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Boxed<'a, ()> {
        Box::pin(self.update(record, expected, limit, now))
    }

    fn revoke_dyn<'a>(
        &'a self,
        target: &'a RevokeTarget,
        mark: &'a Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Boxed<'a, Revocation> {
        Box::pin(self.revoke(target, mark, now, step))
    }

    fn record_uses_dyn<'a>(&'a self, uses: &'a [Use]) -> Boxed<'a, ()> {
        Box::pin(self.record_uses(uses))
    }

    fn purge_dyn<'a>(
        &'a self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Boxed<'a, u64> {
        Box::pin(self.purge(revoked_before, expired_before, max_rows))
    }

    fn claim_warnings_dyn<'a>(&'a self, claims: &'a [WarningClaim]) -> Boxed<'a, Vec<bool>> {
        Box::pin(self.claim_warnings(claims))
    }

    fn count_by_key_dyn<'a>(&'a self, key: KeyId) -> Boxed<'a, u64> {
        Box::pin(self.count_by_key(key))
    }

    fn confirm_durable_dyn(&self) -> Boxed<'_, ()> {
        Box::pin(self.confirm_durable())
    }

    fn check_health_dyn(&self) -> Boxed<'_, ()> {
        Box::pin(self.check_health())
    }
}

impl TokenStore for SharedStore {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        self.0.insert_dyn(record, limit, now).await
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.find_dyn(selectors).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.0.get_dyn(id).await
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        self.0.list_dyn(query, now).await
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.update_dyn(record, expected, limit, now).await
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        self.0.revoke_dyn(target, mark, now, step).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.0.record_uses_dyn(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        self.0.purge_dyn(revoked_before, expired_before, max_rows).await
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        self.0.claim_warnings_dyn(claims).await
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        self.0.count_by_key_dyn(key).await
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        self.0.confirm_durable_dyn().await
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        self.0.check_health_dyn().await
    }
}
