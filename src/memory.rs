//! Records in memory: for tests, for small hosts, and as the contract in its shortest form.

mod reservations;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use self::reservations::Reservations;
use crate::{
    digest::KeyId,
    record::{Record, Revision, Status, Usage, Use},
    store::{
        Cursor, Filter, LastUseCursor, ListQuery, Order, Page, Revocation, RevokeStep, RevokeTarget, StoreError,
        StoreErrorKind, Stored, TokenStore, WarningClaim,
    },
    subject::{Mark, Owner},
    time::Timestamp,
    token::{Selector, TokenId},
};

/// A [`TokenStore`] and [`IdempotencyStore`](crate::store::IdempotencyStore) in memory: everything is gone with the process.
///
/// Clones share the records.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<RwLock<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<TokenId, Arc<Record>>,
    selectors: HashMap<Selector, TokenId>,
    usage: HashMap<TokenId, Usage>,
    warnings: HashSet<WarningClaim>,
    reservations: Reservations,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // INVARIANT: every change below is checked first and then made without a step that can panic, so a poisoned lock
    // still guards whole tables.
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn stored(&self, record: &Arc<Record>) -> Stored {
        Stored { record: Arc::clone(record), usage: self.usage.get(&record.id()).cloned() }
    }

    fn check_limit(&self, owner: &Owner, besides: TokenId, limit: u32, now: Timestamp) -> Result<(), StoreError> {
        let others = self.records.values().filter(|record| record.owner() == owner && record.id() != besides);
        let active = others.filter(|record| record.status(now) == Status::Active).count();
        if active >= limit as usize { Err(StoreErrorKind::LimitReached { limit }.into()) } else { Ok(()) }
    }

    /// Whether every selector of `record` is free or its own.
    fn check_selectors(&self, record: &Record) -> Result<(), StoreError> {
        let taken = |selector| self.selectors.get(selector).is_some_and(|id| *id != record.id());
        let mut slots = record.slots().iter();
        if slots.any(|(_, slot)| taken(&slot.selector)) { Err(StoreErrorKind::Duplicate.into()) } else { Ok(()) }
    }

    fn put(&mut self, record: Record) {
        if let Some(earlier) = self.records.get(&record.id()) {
            for (_, slot) in earlier.slots().iter() {
                self.selectors.remove(&slot.selector);
            }
        }
        for (_, slot) in record.slots().iter() {
            self.selectors.insert(slot.selector, record.id());
        }
        self.records.insert(record.id(), Arc::new(record));
    }

    fn remove(&mut self, id: TokenId) {
        if let Some(record) = self.records.remove(&id) {
            for (_, slot) in record.slots().iter() {
                self.selectors.remove(&slot.selector);
            }
        }
        self.usage.remove(&id);
        self.warnings.retain(|warning| warning.id != id);
    }

    fn matching(&self, filter: &Filter, now: Timestamp) -> impl Iterator<Item = &Arc<Record>> {
        self.records.values().filter(move |record| filter.matches(record.as_ref(), self.usage.get(&record.id()), now))
    }
}

impl TokenStore for MemoryStore {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.write();
        if tables.records.contains_key(&record.id()) {
            return Err(StoreErrorKind::Duplicate.into());
        }
        tables.check_selectors(record)?;
        if let Some(limit) = limit {
            tables.check_limit(record.owner(), record.id(), limit, now)?;
        }
        tables.put(record.clone());
        Ok(())
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let tables = self.read();
        let mut ids = selectors.iter().filter_map(|selector| tables.selectors.get(selector));
        let Some(id) = ids.next() else { return Ok(None) };
        if ids.any(|other| other != id) {
            return Err(StoreErrorKind::Ambiguous.into());
        }
        Ok(tables.records.get(id).cloned())
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        let tables = self.read();
        Ok(tables.records.get(&id).map(|record| tables.stored(record)))
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        let tables = self.read();
        let limit = query.limit.max(1) as usize;
        let matching = tables.matching(&query.filter, now).map(|record| tables.stored(record));
        let mut tokens: Vec<_> = match query.order {
            Order::ById { after } => {
                matching.filter(|stored| after.is_none_or(|after| stored.record.id() > after)).take(limit + 1).collect()
            }
            Order::ByLastUse { after } => {
                // The latest first; `None`, never used, is the least and so the last. Ids ascend within.
                let place = |at: Option<Timestamp>, id: TokenId| (Reverse(at), id);
                let place_of = |stored: &Stored| place(stored.usage.as_ref().map(|usage| usage.at), stored.record.id());
                let behind = |stored: &Stored| after.is_none_or(|after| place_of(stored) > place(after.at, after.id));
                let mut all: Vec<_> = matching.filter(behind).collect();
                all.sort_by_key(place_of);
                all
            }
        };
        let is_full = tokens.len() > limit;
        tokens.truncate(limit);
        let next = tokens.last().filter(|_| is_full).map(|last| {
            let id = last.record.id();
            match query.order {
                Order::ById { .. } => Cursor::Id(id),
                Order::ByLastUse { .. } => {
                    Cursor::LastUse(LastUseCursor { at: last.usage.as_ref().map(|usage| usage.at), id })
                }
            }
        });
        Ok(Page { tokens, corrupt: Vec::new(), next })
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.write();
        let stored = tables.records.get(&record.id()).ok_or(StoreErrorKind::NotFound)?;
        if stored.revision() != expected {
            return Err(StoreErrorKind::LostRace.into());
        }
        tables.check_selectors(record)?;
        if let Some(limit) = limit {
            tables.check_limit(record.owner(), record.id(), limit, now)?;
        }
        tables.put(record.clone());
        Ok(())
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let mut tables = self.write();
        let is_due = |record: &&Arc<Record>| step.after.is_none_or(|after| record.id() > after);
        let max_rows = step.max_rows.max(1) as usize;
        let mut targets: Vec<_> = match target {
            RevokeTarget::Token(id) => tables.records.get(id).cloned().into_iter().collect(),
            RevokeTarget::Owner(owner) => {
                let filter = Filter::owner(owner.clone());
                tables.matching(&filter, now).filter(is_due).take(max_rows).cloned().collect()
            }
            RevokeTarget::Matching(filter) => {
                tables.matching(filter, now).filter(is_due).take(max_rows).cloned().collect()
            }
            RevokeTarget::Among { ids, filter } => {
                let ids: HashSet<&TokenId> = ids.iter().collect();
                tables.matching(filter, now).filter(|record| ids.contains(&record.id())).cloned().collect()
            }
        };
        targets.sort_by_key(|record| record.id());
        let is_in_steps = matches!(target, RevokeTarget::Owner(_) | RevokeTarget::Matching(_));
        let last = targets.last().filter(|_| is_in_steps && targets.len() == max_rows);
        let mut revocation = Revocation { next: last.map(|record| record.id()), ..Revocation::default() };
        for record in targets {
            if record.revoked().is_some() {
                revocation.already += 1;
                continue;
            }
            revocation.revoked.push(record.id());
            tables.put(record.as_ref().clone().marked_revoked(mark.clone()));
        }
        Ok(revocation)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let mut tables = self.write();
        for Use { id, usage } in uses {
            let is_later = tables.usage.get(id).is_none_or(|earlier| earlier.at <= usage.at);
            if is_later && tables.records.contains_key(id) {
                tables.usage.insert(*id, usage.clone());
            }
        }
        Ok(())
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        let mut tables = self.write();
        let is_due = |record: &&Arc<Record>| {
            record.revoked().is_some_and(|mark| mark.at < revoked_before)
                || record.expiry().at().zip(expired_before).is_some_and(|(end, before)| end < before)
        };
        let due: Vec<_> =
            tables.records.values().filter(is_due).take(max_rows as usize).map(|record| record.id()).collect();
        for id in &due {
            tables.remove(*id);
        }
        Ok(due.len() as u64)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        let mut tables = self.write();
        let claim = |claim: &WarningClaim| tables.records.contains_key(&claim.id) && tables.warnings.insert(*claim);
        Ok(claims.iter().map(claim).collect())
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        let tables = self.read();
        let slots = tables.records.values().flat_map(|record| record.slots().iter());
        Ok(slots.filter(|(_, slot)| slot.digest.key_id() == Some(key)).count() as u64)
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        // What a read sees here is all that there is.
        Ok(())
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
