//! A token store held by a thread that waits.

use std::{any::Any, future::Future, sync::Arc, time::Duration};

use counterfoil::{
    FixedClock, IssuePolicy, KeyId, Mark, Record, Registry, Selector, SharedStore, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{Cursor, Filter, ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, Stored, WarningClaim},
};

use crate::{
    bench::{Turns, wait},
    harness::{BlockOn, Fresh, Harness, Hook},
    records,
    report::{Failure, same},
};

/// A store's nodes, with the trait's methods as plain calls. Clones hold the same store.
#[derive(Clone)]
pub(crate) struct Hand {
    nodes: Arc<Turns<SharedStore>>,
    block_on: BlockOn,
    corrupt: Option<Hook>,
    _kept: Arc<Vec<Box<dyn Any + Send + Sync>>>,
}

impl Hand {
    pub(crate) fn on_fresh<S: TokenStore>(harness: &Harness<S>) -> Self {
        let Fresh { nodes, corrupt, kept } = wait(&harness.block_on, harness.make());
        let nodes = Turns::of(nodes.into_iter().map(SharedStore::new));
        Self { nodes, block_on: Arc::clone(&harness.block_on), corrupt, _kept: Arc::new(kept) }
    }

    pub(crate) fn has_hook(&self) -> bool {
        self.corrupt.is_some()
    }

    /// Waits for anything, by the host's means.
    pub(crate) fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        wait(&self.block_on, future)
    }

    /// A registry on each node at `now`, whose owners may have any number of tokens.
    pub(crate) fn registries(&self, now: Timestamp) -> Vec<Registry> {
        (0..self.nodes.len()).map(|_| self.registry(None, now)).collect()
    }

    /// A registry on the next node at `now`, whose owners may have so many active tokens.
    pub(crate) fn registry(&self, limit: Option<u32>, now: Timestamp) -> Registry {
        let policy = IssuePolicy { limit, ..IssuePolicy::default() };
        let builder = Registry::builder(records::format(), records::minting_k1(), self.nodes.next());
        records::must(builder.clock(FixedClock::new(now)).issue_policy(policy).build())
    }

    /// Damages a row; only called by checks that need the hook.
    pub(crate) fn corrupt(&self, id: TokenId) {
        if let Some(corrupt) = &self.corrupt {
            (self.block_on)(corrupt(id));
        }
    }

    pub(crate) fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        let (store, record) = (self.nodes.next(), record.clone());
        self.wait(async move { store.insert(&record, limit, now).await })
    }

    /// Adds records without a limit, all of which must succeed.
    #[track_caller]
    pub(crate) fn put<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Result<(), Failure> {
        records.into_iter().try_for_each(|record| self.insert(record, None, records::now()))?;
        Ok(())
    }

    pub(crate) fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let (store, selectors) = (self.nodes.next(), selectors.to_vec());
        self.wait(async move { store.find(&selectors).await })
    }

    pub(crate) fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        let store = self.nodes.next();
        self.wait(async move { store.get(id).await })
    }

    /// A record that must be there.
    #[track_caller]
    pub(crate) fn stored(&self, id: TokenId) -> Result<Stored, Failure> {
        let stored = self.get(id)?;
        same(format!("whether `get` finds {id}"), stored.is_some(), true)?;
        stored.ok_or_else(|| unreachable!("it was just seen"))
    }

    pub(crate) fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        let (store, query) = (self.nodes.next(), query.clone());
        self.wait(async move { store.list(&query, now).await })
    }

    /// All ids that a filter finds, in order, over as many pages as it takes; corrupt ones are not among them.
    pub(crate) fn ids(&self, filter: &Filter, now: Timestamp) -> Result<Vec<TokenId>, Failure> {
        let mut query = ListQuery::new(filter.clone());
        let mut ids = Vec::new();
        self.walk(&mut query, now, |page| ids.extend(page.tokens.iter().map(|stored| stored.record.id())))?;
        Ok(ids)
    }

    /// Turns pages until there is no next one.
    pub(crate) fn walk(
        &self,
        query: &mut ListQuery,
        now: Timestamp,
        mut seen: impl FnMut(&Page),
    ) -> Result<(), Failure> {
        for _ in 0..MAX_PAGES {
            let page = self.list(query, now)?;
            same(
                "whether a page has at most as many rows as asked for",
                page.tokens.len() + page.corrupt.len() <= query.limit as usize,
                true,
            )?;
            seen(&page);
            match page.next {
                Some(next) => *query = query.clone().after(next),
                None => return Ok(()),
            }
        }
        same("whether a list ends", false, true)
    }

    pub(crate) fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (store, record) = (self.nodes.next(), record.clone());
        self.wait(async move { store.update(&record, expected, limit, now).await })
    }

    pub(crate) fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let (store, target, mark) = (self.nodes.next(), target.clone(), mark.clone());
        self.wait(async move { store.revoke(&target, &mark, now, step).await })
    }

    pub(crate) fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let (store, uses) = (self.nodes.next(), uses.to_vec());
        self.wait(async move { store.record_uses(&uses).await })
    }

    pub(crate) fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        let store = self.nodes.next();
        self.wait(async move { store.purge(revoked_before, expired_before, max_rows).await })
    }

    pub(crate) fn claim_warning(
        &self,
        id: TokenId,
        expiry: Timestamp,
        threshold: Duration,
    ) -> Result<bool, StoreError> {
        let claimed = self.claim_warnings(&[WarningClaim { id, expiry, threshold }])?;
        Ok(claimed == [true])
    }

    pub(crate) fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        let (store, claims) = (self.nodes.next(), claims.to_vec());
        self.wait(async move { store.claim_warnings(&claims).await })
    }

    pub(crate) fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        let store = self.nodes.next();
        self.wait(async move { store.count_by_key(key).await })
    }

    pub(crate) fn confirm_durable(&self) -> Result<(), StoreError> {
        let store = self.nodes.next();
        self.wait(async move { store.confirm_durable().await })
    }

    pub(crate) fn check_health(&self) -> Result<(), StoreError> {
        let store = self.nodes.next();
        self.wait(async move { store.check_health().await })
    }
}

/// More pages than any check can need.
const MAX_PAGES: usize = 1000;

/// The id that a page goes on behind, in a list by id.
pub(crate) fn id_of(cursor: Option<Cursor>) -> Option<TokenId> {
    match cursor {
        Some(Cursor::Id(id)) => Some(id),
        _ => None,
    }
}
