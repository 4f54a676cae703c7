//! The store around a store.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use counterfoil::{
    KeyId, Mark, Record, Selector, Timer, Timestamp, TokenId, TokenStore,
    record::{Revision, Use},
    store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, Stored, WarningClaim},
};

use crate::{
    CacheEvent, Channel, Settings,
    changes::Changes,
    entries::{Entries, Entry},
    flight::{Flights, Read, SharedError},
    keeper,
    lease::Lease,
    moment::Moment,
};

/// A store that answers [`find`](TokenStore::find) from memory, as long as it can keep its word.
///
/// See [the crate](crate) for what it promises. Clones are one cache.
#[derive(Debug)]
pub struct CachedStore<S> {
    inner: Arc<S>,
    cache: Arc<Cache>,
}

impl<S> Clone for CachedStore<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), cache: Arc::clone(&self.cache) }
    }
}

/// What a cache holds, and how often it has gone to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Records in memory, of which some may not be current any more.
    pub entries: usize,
    /// The bytes that they are reckoned at.
    pub bytes: u64,
    /// Reads of the store for what was not in memory, or not current.
    pub misses: u64,
    /// How often a question waited for the read of another.
    pub joined: u64,
    /// Reads of the store because there was no lease.
    pub aside: u64,
}

/// All but the store.
pub(crate) struct Cache {
    pub(crate) settings: Settings,
    /// From which the monotonic clock is counted.
    start: Instant,
    /// None, where the age of an entry alone decides.
    lease: Option<Lease>,
    pub(crate) changes: Changes,
    entries: Entries,
    flights: Flights,
    misses: AtomicU64,
    joined: AtomicU64,
    aside: AtomicU64,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("settings", &self.settings).field("counts", &self.counts()).finish()
    }
}

impl<S: TokenStore> CachedStore<S> {
    /// For one process that has the store to itself: no entry is served that was read longer ago than the
    /// [bound](Settings::bound).
    pub fn by_age(inner: S, settings: Settings) -> Self {
        let longest = settings.longest.min(settings.bound);
        Self::new(inner, Settings { longest, ..settings }, None)
    }

    /// For a node of several: entries are served only while the node hears its own heartbeats on `channel`.
    ///
    /// The second value is what listens: spawn it on the runtime of the channel. It ends with the last clone of the store; until
    /// it runs, nothing is served from memory. It tells `on_event` when the cache stands aside, and when it serves; a panic in
    /// it is caught.
    ///
    /// The store's reads must go to the primary that the channel is of: what a replica does not know yet would be kept.
    ///
    /// The store's [`check_health`](TokenStore::check_health) is called before a lease is granted, and once in each
    /// [bound](Settings::bound) while there is one. If it finds another store or only part of one, the cache stands aside.
    /// An error that [may pass](counterfoil::store::StoreError::is_transient) ends nothing: the heartbeats decide then.
    ///
    /// ```
    /// use counterfoil::TokenStore;
    /// use counterfoil_cache::{CacheEvent, CachedStore, Channel, Settings};
    ///
    /// fn cached<S: TokenStore>(store: S, channel: impl Channel) -> CachedStore<S> {
    ///     let on_event = |event: &CacheEvent| eprintln!("{event:?}");
    ///     let (store, listening) =
    ///         CachedStore::by_lease(store, channel, Settings::default(), tokio::time::sleep, on_event);
    ///     tokio::spawn(listening);
    ///     store
    /// }
    /// ```
    pub fn by_lease<C, T, E>(
        inner: S,
        channel: C,
        settings: Settings,
        timer: T,
        on_event: E,
    ) -> (Self, impl Future<Output = ()> + Send + use<S, C, T, E>)
    where
        C: Channel,
        T: Timer,
        E: Fn(&CacheEvent) + Send + Sync + 'static,
    {
        let store = Self::new(inner, settings, Some(Lease::none()));
        let behind = Arc::downgrade(&store.inner);
        let check = move || {
            let behind = behind.upgrade();
            async move {
                match behind {
                    Some(store) => store.check_health().await,
                    None => Ok(()),
                }
            }
        };
        let listening = keeper::keep(Arc::downgrade(&store.cache), channel, check, timer, on_event);
        (store, listening)
    }

    fn new(inner: S, settings: Settings, lease: Option<Lease>) -> Self {
        let cache = Cache {
            settings,
            start: Instant::now(),
            lease,
            changes: Changes::new(settings.entries),
            entries: Entries::new(&settings),
            flights: Flights::default(),
            misses: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            aside: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), cache: Arc::new(cache) }
    }

    /// The store behind.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Takes note that a record was changed by other means in this process: what was read of it before is not served any
    /// more.
    pub fn changed(&self, id: TokenId) {
        self.cache.changes.changed(id);
    }

    /// What the cache holds, and how often it has gone to the store.
    pub fn counts(&self) -> Counts {
        self.cache.counts()
    }

    /// Reads the store, or waits for who does, if that read may serve a question that was asked at `now`.
    async fn read_once(&self, selectors: &[Selector], now: Moment) -> Result<Option<Arc<Record>>, StoreError> {
        let (mut read, is_ours) = self.join(selectors).await;
        let is_answer = is_ours
            || match &read {
                Read::Found(entry) => self.cache.may_serve(entry, now),
                Read::Missing => false,
                Read::Failed(_) => true,
            };
        if !is_answer {
            // It began before this question was asked: what was committed in between it may not have seen. What is under
            // way now began after it had ended.
            (read, _) = self.join(selectors).await;
        }
        match read {
            Read::Found(entry) => Ok(Some(entry.record)),
            Read::Missing => Ok(None),
            Read::Failed(error) => Err(StoreError::new(error.kind().clone()).with_source(error)),
        }
    }

    /// Waits for the read that is under way, or for one that begins now, and says whether it is the latter.
    async fn join(&self, selectors: &[Selector]) -> (Read, bool) {
        let (flight, is_ours) = self.cache.flights.join(selectors, || self.read(selectors));
        self.cache.joined.fetch_add(u64::from(!is_ours), Ordering::Relaxed);
        (flight.await, is_ours)
    }

    /// Reads the store, and keeps what it brings.
    fn read(&self, selectors: &[Selector]) -> impl Future<Output = Read> + Send + use<S> {
        self.cache.misses.fetch_add(1, Ordering::Relaxed);
        let (inner, cache, selectors) = (Arc::clone(&self.inner), Arc::clone(&self.cache), Box::from(selectors));
        let (began, began_at) = (cache.changes.begin(), cache.now());
        async move {
            match inner.find(&selectors).await {
                Ok(Some(record)) => {
                    let entry = Entry::new(record, began, began_at);
                    if cache.changes.is_current(entry.record.id(), began) {
                        cache.entries.insert(selectors, entry.clone());
                    }
                    Read::Found(entry)
                }
                Ok(None) => Read::Missing,
                Err(error) => Read::Failed(SharedError::new(error)),
            }
        }
    }
}

impl Cache {
    pub(crate) fn now(&self) -> Moment {
        Moment::now(self.start)
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    fn has_lease(&self, now: Moment) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.holds(now, self.settings.bound))
    }

    /// Whether a question that was asked at `now`, while there was a lease, may be answered with this.
    fn may_serve(&self, entry: &Entry, now: Moment) -> bool {
        entry.began_at.age(now) < self.settings.longest && self.changes.is_current(entry.record.id(), entry.began)
    }

    fn counts(&self) -> Counts {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            entries: self.entries.len(),
            bytes: self.entries.weight(),
            misses: count(&self.misses),
            joined: count(&self.joined),
            aside: count(&self.aside),
        }
    }
}

/// Takes note of a change when its call ends, in whichever way: one that has failed or was dropped may have been made.
struct Noted<'a> {
    changes: &'a Changes,
    what: What,
}

enum What {
    Record(TokenId),
    Records(Vec<TokenId>),
    All,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        match &self.what {
            What::Record(id) => self.changes.changed(*id),
            What::Records(ids) => ids.iter().for_each(|id| self.changes.changed(*id)),
            What::All => self.changes.all_changed(),
        }
    }
}

impl<S: TokenStore> TokenStore for CachedStore<S> {
    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let cache = &*self.cache;
        let now = cache.now();
        if !cache.has_lease(now) {
            cache.aside.fetch_add(1, Ordering::Relaxed);
            let found = self.inner.find(selectors).await?;
            // Once the lease is back, nothing older is served: no entry, and nothing that a read brings which is under way.
            match &found {
                Some(record) => cache.changes.changed(record.id()),
                None => cache.entries.remove(selectors),
            }
            return Ok(found);
        }
        if let Some(entry) = cache.entries.get(selectors) {
            if cache.may_serve(&entry, now) {
                return Ok(Some(entry.record));
            }
            cache.entries.remove(selectors);
        }
        // Boxed, so that what is served from memory need not carry what a read holds.
        Box::pin(self.read_once(selectors, now)).await
    }

    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        // There is nothing in memory about what is not in the store.
        self.inner.insert(record, limit, now).await
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        let stored = self.inner.get(id).await?;
        // So ends a change that has nothing to do, because another node has done it, or an attempt that seemed to fail.
        self.cache.changes.changed(id);
        Ok(stored)
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
        let _noted = Noted { changes: &self.cache.changes, what: What::Record(record.id()) };
        self.inner.update(record, expected, limit, now).await
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let what = match target {
            RevokeTarget::Token(id) => What::Record(*id),
            RevokeTarget::Among { ids, .. } => What::Records(ids.clone()),
            RevokeTarget::Owner(_) | RevokeTarget::Matching(_) => What::All,
        };
        let mut noted = Noted { changes: &self.cache.changes, what };
        let revocation = self.inner.revoke(target, mark, now, step).await?;
        // Those that were revoked before are not named; nor counted, by a filter that leaves them out.
        let may_leave_out = revocation.revoked.is_empty() && matches!(target, RevokeTarget::Matching(_));
        // Of several steps the last one counts for those before it: they may have met tokens that were revoked before.
        let is_for_all = step.after.is_some() || revocation.already > 0 || may_leave_out;
        if matches!(noted.what, What::All) && (revocation.next.is_some() || !is_for_all) {
            noted.what = What::Records(revocation.revoked.clone());
        }
        Ok(revocation)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        // A record holds no use.
        self.inner.record_uses(uses).await
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        // It names no record. With a lease each of them is told of; until then what is in memory refuses it as the store did
        // before, or is from before a revocation by another node, for which the bound stands.
        let what = if self.cache.lease.is_some() { What::Records(Vec::new()) } else { What::All };
        let mut noted = Noted { changes: &self.cache.changes, what };
        let purged = self.inner.purge(revoked_before, expired_before, max_rows).await?;
        if purged == 0 {
            noted.what = What::Records(Vec::new());
        }
        Ok(purged)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        // A record holds no warning.
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
