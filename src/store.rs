//! The contract that a store signs.

mod failure;
mod id;
mod idempotency;
mod query;
mod shared;
mod shared_requests;

use std::{fmt, future::Future, sync::Arc, time::Duration};

pub use failure::{StoreError, StoreErrorKind};
pub use id::{InvalidStoreId, StoreId};
pub use idempotency::{IdempotencyKey, IdempotencyStore, RequestKey, Reservation, Reserved, Route};
pub use query::{Columns, Cursor, Filter, InvalidCursor, LastUseCursor, ListQuery, Order, Page, Stored};
pub use shared::SharedStore;
pub(crate) use shared_requests::SharedRequests;

use crate::{
    digest::KeyId,
    record::{Record, Revision, Use},
    subject::{Mark, Owner},
    time::Timestamp,
    token::{Selector, TokenId},
};

/// Keeps records. A store is dumb: it returns rows as they are and judges none.
///
/// Write the methods as plain `async fn`. `examples/custom_store.rs` is a whole store in some 200 lines, and the crate
/// `counterfoil-testkit` holds one against what is promised here.
///
/// ```
/// use counterfoil::store::{
///     ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, Stored, WarningClaim,
/// };
/// use counterfoil::{KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore, record::{Revision, Use}};
/// use std::sync::Arc;
///
/// /// A store around another one, which counts what is looked up.
/// #[derive(Debug)]
/// struct Counted<S> {
///     inner: S,
///     lookups: std::sync::atomic::AtomicU64,
/// }
///
/// impl<S: TokenStore> TokenStore for Counted<S> {
///     async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
///         self.lookups.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         self.inner.find(selectors).await
///     }
///     async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
///         self.inner.insert(record, limit, now).await
///     }
///     async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
///         self.inner.get(id).await
///     }
///     async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
///         self.inner.list(query, now).await
///     }
///     async fn update(
///         &self,
///         record: &Record,
///         expected: Revision,
///         limit: Option<u32>,
///         now: Timestamp,
///     ) -> Result<(), StoreError> {
///         self.inner.update(record, expected, limit, now).await
///     }
///     async fn revoke(
///         &self,
///         target: &RevokeTarget,
///         mark: &Mark,
///         now: Timestamp,
///         step: RevokeStep,
///     ) -> Result<Revocation, StoreError> {
///         self.inner.revoke(target, mark, now, step).await
///     }
///     async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
///         self.inner.record_uses(uses).await
///     }
///     async fn purge(
///         &self,
///         revoked_before: Timestamp,
///         expired_before: Option<Timestamp>,
///         max_rows: u32,
///     ) -> Result<u64, StoreError> {
///         self.inner.purge(revoked_before, expired_before, max_rows).await
///     }
///     async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
///         self.inner.claim_warnings(claims).await
///     }
///     async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
///         self.inner.count_by_key(key).await
///     }
///     async fn confirm_durable(&self) -> Result<(), StoreError> {
///         self.inner.confirm_durable().await
///     }
///     async fn check_health(&self) -> Result<(), StoreError> {
///         self.inner.check_health().await
///     }
/// }
/// ```
///
/// # Contract
///
/// - A write that has returned `Ok` is durable and is seen by every read that starts afterwards, on every node.
/// - A write that has returned an error has written nothing. Only where its outcome is unknown, as after a connection
///   lost at the commit, may it have: that is [`Unavailable`](StoreErrorKind::Unavailable) or
///   [`Other`](StoreErrorKind::Other), and whoever cares looks.
/// - A call that reports a change as already made, as `revoke` does with [`already`](Revocation::already), returns only
///   when that change is as durable as one of its own. See [`confirm_durable`](Self::confirm_durable).
/// - Where the time matters (status, limit) it comes in as `now`; a store reads no clock.
/// - No method has a default body: what a wrapper forgets to pass on must not compile.
///
/// The trait is complete: it will not grow within this major version.
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a record.
    ///
    /// With a limit, the tokens of the same tenant and owner whose [`status`](Record::status) at `now` is active are
    /// counted, and the record added, under one lock on the owner: of many that come at once no more are added than the
    /// limit leaves room for.
    ///
    /// # Errors
    ///
    /// [`Duplicate`](StoreErrorKind::Duplicate) if the id, or a selector in any slot of any record, is there already;
    /// [`LimitReached`](StoreErrorKind::LimitReached) if `limit` tokens are active, whatever the record's own status. If
    /// both hold, either may come.
    fn insert(
        &self,
        record: &Record,
        limit: Option<u32>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The record that one of `selectors` belongs to, in whichever slot and of whatever status: one indexed read.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`](StoreErrorKind::Ambiguous) if the selectors belong to more than one record;
    /// [`Corrupt`](StoreErrorKind::Corrupt) if the row cannot be read.
    fn find(&self, selectors: &[Selector]) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send;

    /// A record and its usage.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](StoreErrorKind::Corrupt) if the row cannot be read.
    fn get(&self, id: TokenId) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// A page of the records that [`Filter::matches`] holds for, at most [`ListQuery::limit`] rows.
    ///
    /// By id, rows that are there throughout appear exactly once over all pages, and a cursor is good after its row is
    /// gone. By last use, rows that are used meanwhile may appear twice or not at all. Rows that cannot be read are
    /// listed apart, and count.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn list(&self, query: &ListQuery, now: Timestamp) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Replaces a record, if the one that is stored is of `expected`.
    ///
    /// The record carries its new revision. Its selectors, in all its slots, replace the stored ones. With a limit, the
    /// owner's other active tokens are counted in the same transaction, as in [`insert`](Self::insert): it is given
    /// where the change makes a token active again. The stored body is not read, so a corrupt record can be replaced.
    ///
    /// # Errors
    ///
    /// [`NotFound`](StoreErrorKind::NotFound); [`LostRace`](StoreErrorKind::LostRace) if the stored record is of
    /// another revision; [`LimitReached`](StoreErrorKind::LimitReached); [`Duplicate`](StoreErrorKind::Duplicate) if a
    /// selector belongs to another record.
    fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Marks records as revoked, without reading their bodies, so that a corrupt row can be revoked too.
    ///
    /// A filter is judged at `now`, which need not be the mark's moment. A store of rows writes
    /// [`MarkRow::from(mark)`](crate::record::MarkRow). A record that is revoked keeps its first mark. Each one newly
    /// marked goes up by one version.
    ///
    /// This is one step of a revocation. It considers the target's records in the order of their ids, after
    /// [`RevokeStep::after`]. It marks at most [`RevokeStep::max_rows`] of them, together with those it counts as revoked
    /// before, and [`Revocation::next`] is where the next step begins. A store with one writer also looks at no more
    /// records than that, since every other change waits meanwhile. Each step is one transaction under the owner's lock.
    ///
    /// So a token that was minted before the first step is revoked by the steps together, and one that is minted after
    /// the last step is not. A token that is minted between two steps may be either. A token id and a list of tokens are
    /// done in one step.
    ///
    /// # Errors
    ///
    /// Only the store's own; nothing to revoke is an empty [`Revocation`].
    ///
    /// # Durability
    ///
    /// The answer is durable even if this call had nothing to write. An earlier attempt may have revoked the records and
    /// returned an error, and its change may be visible without being durable.
    fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> impl Future<Output = Result<Revocation, StoreError>> + Send;

    /// Notes uses, several at once. An earlier use never replaces a later one, and of two at the same moment either may
    /// stay; uses of records that are gone are dropped. Neither version of a record moves, and no lock on a record is waited for.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn record_uses(&self, uses: &[Use]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes at most `max_rows` records, with all that belongs to them (selectors, usage, warnings): those revoked before one moment, and, if a
    /// second is given, those that expired before it. Returns how many.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Claims warnings, and returns for each claim, in the same order, whether it is the first one over all nodes.
    ///
    /// Of two equal claims in one call the first one counts. A claim of a record that does not exist is `false`. Thresholds
    /// that differ by a millisecond are different. The records and both of their versions remain as they are.
    ///
    /// # Errors
    ///
    /// Only the store's own. Then none is claimed, as for every write.
    fn claim_warnings(&self, claims: &[WarningClaim]) -> impl Future<Output = Result<Vec<bool>, StoreError>> + Send;

    /// How many slots, of all kinds and all records, hold a digest of this server key.
    ///
    /// At zero the key may go, unless tokens carry a [keyed checksum](crate::Checksum::Keyed): no row tells with which
    /// key that was made, so such a key stays until the last token minted with it has ended.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn count_by_key(&self, key: KeyId) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Waits until everything that earlier calls on this store have read is as durable as a write that returned `Ok`.
    ///
    /// A registry calls it before it reports a change as made that it has only found made, for example a second block or a
    /// repeated rotation. The first attempt may have returned an error and still be visible: on a primary whose
    /// synchronous standby is away, a commit whose wait is cut short is visible there and lost with a failover.
    ///
    /// Where a commit can be visible before it is durable, a store writes something of its own and waits for that write.
    /// One write covers everything that was read before it, however many records that is. No other call returns anything
    /// different afterwards.
    ///
    /// # Errors
    ///
    /// Only the store's own. The registry then returns the error, and the caller asks again.
    fn confirm_durable(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Checks that the store can be reached, is complete and is the one that was opened.
    ///
    /// [`Registry::maintain`](crate::Registry::maintain) calls it before every run, a cache calls it with its
    /// heartbeats, and the readiness probe of your service may. The cost is that of a few small reads. A store that
    /// nobody can empty, replace or hide from this process, such as one in memory, returns `Ok`.
    ///
    /// A read that finds nothing must not return "there is none" where this call would fail: an empty or wrong store
    /// rejects every token.
    ///
    /// # Errors
    ///
    /// [`NoStore`](StoreErrorKind::NoStore), [`Incomplete`](StoreErrorKind::Incomplete),
    /// [`WrongStore`](StoreErrorKind::WrongStore) or [`RowSecurity`](StoreErrorKind::RowSecurity); those of any read.
    fn check_health(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeTarget {
    /// One token.
    Token(TokenId),
    /// All tokens of an owner.
    Owner(Owner),
    /// All tokens that match.
    Matching(Filter),
    /// Those of these tokens that match.
    Among {
        /// The tokens.
        ids: Vec<TokenId>,
        /// The condition, judged when a token is marked.
        filter: Filter,
    },
}

/// A part of a revocation: where it begins, and how many records it may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokeStep {
    /// Records with greater ids are considered; all, if none.
    pub after: Option<TokenId>,
    /// At most this many records are marked or counted; at least 1.
    pub max_rows: u32,
}

impl RevokeStep {
    /// Everything in one step.
    pub const WHOLE: Self = Self { after: None, max_rows: u32::MAX };
}

/// A claim to report that the end of a token is nearer than a threshold.
///
/// `expiry` and `threshold` only identify the warning. They are not compared with the record, and its status is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WarningClaim {
    /// The token.
    pub id: TokenId,
    /// Its end.
    pub expiry: Timestamp,
    /// The threshold, to the millisecond.
    pub threshold: Duration,
}

impl From<TokenId> for RevokeTarget {
    fn from(id: TokenId) -> Self {
        Self::Token(id)
    }
}

impl From<Owner> for RevokeTarget {
    fn from(owner: Owner) -> Self {
        Self::Owner(owner)
    }
}

impl From<Filter> for RevokeTarget {
    fn from(filter: Filter) -> Self {
        Self::Matching(filter)
    }
}

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revocation {
    /// The tokens that this call revoked.
    pub revoked: Vec<TokenId>,
    /// How many more were the target, and were revoked before.
    pub already: u64,
    /// Where the next step begins, if there may be more. None for a whole revocation, as
    /// [`Registry::revoke_all`](crate::Registry::revoke_all) returns it.
    pub next: Option<TokenId>,
}
