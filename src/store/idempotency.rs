//! The contract for requests that may come twice.

use std::{fmt, future::Future};

use super::StoreError;
pub use crate::idempotency::IdempotencyKey;
use crate::{
    digest::fingerprint::fingerprint,
    idempotency::NamedRequest,
    record::Record,
    subject::Owner,
    text::bounded_text,
    time::Timestamp,
    token::{Selector, TokenId},
};

/// Keeps reservations for requests that carry an idempotency key, so that a repeated request makes no second token.
///
/// A reservation is written before the token is, with the id and selector that the token will have: after a crash in
/// between it can be told whether the token exists. The plaintext is never kept, so a repeat cannot show it again.
pub trait IdempotencyStore: fmt::Debug + Send + Sync + 'static {
    /// Writes the reservation, unless one of the same owner, route and key is there: then that one is returned.
    ///
    /// A reservation that is returned is as durable as one that is written: an earlier attempt may have made it and
    /// returned an error.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn reserve(&self, reservation: &Reservation) -> impl Future<Output = Result<Reserved, StoreError>> + Send;

    /// Puts `reservation` in the place of `abandoned`, which is of the same owner, route and key, if that one is still there, unchanged and not completed; `false`
    /// if another request was first.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn take_over(
        &self,
        abandoned: &Reservation,
        reservation: &Reservation,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Marks the reservation as completed, if it is there unchanged: its token is stored.
    ///
    /// # Errors
    ///
    /// Only the store's own; it is no error if the reservation is gone or another has taken it over.
    fn complete(&self, reservation: &Reservation) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the reservation, if it is there unchanged and not completed: the request was refused and may come again.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn release(&self, reservation: &Reservation) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes at most `max_rows` reservations made before a moment, completed or not, and returns how many.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    fn forget(&self, before: Timestamp, max_rows: u32) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

bounded_text! {
    /// The host's name of an operation, so that one key may serve several.
    Route, "route", 128 bytes
}

/// One request that may come twice: which operation, under which key, with which content.
///
/// ```
/// use counterfoil::store::{IdempotencyKey, RequestKey, Route};
///
/// let request = RequestKey::new(Route::new("create")?, IdempotencyKey::new("7f3c")?, br#"{"name":"CI"}"#);
/// # Ok::<(), counterfoil::text::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    route: Route,
    named: NamedRequest,
}

impl RequestKey {
    /// A request with this content, byte for byte, of which a SHA-256 is kept.
    pub fn new(route: Route, key: IdempotencyKey, content: &[u8]) -> Self {
        Self { route, named: NamedRequest { key, fingerprint: fingerprint(content) } }
    }

    /// All but the route.
    pub(crate) fn named(&self) -> &NamedRequest {
        &self.named
    }

    /// What the request sets aside before `record` is stored.
    pub(crate) fn reserving(&self, record: &Record, at: Timestamp) -> Reservation {
        Reservation {
            owner: record.owner().clone(),
            route: self.route.clone(),
            key: self.named.key.clone(),
            fingerprint: self.named.fingerprint,
            token: record.id(),
            selector: record.slots().current.selector,
            at,
        }
    }
}

/// What a request with an idempotency key has set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// For whom.
    pub owner: Owner,
    /// For which operation.
    pub route: Route,
    /// The client's key.
    pub key: IdempotencyKey,
    /// A hash of the request: another request under the same key is refused.
    pub fingerprint: [u8; 32],
    /// The id that the token has or will have.
    pub token: TokenId,
    /// The selector that the token has or will have.
    pub selector: Selector,
    /// When.
    pub at: Timestamp,
}

/// What became of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is made.
    Made,
    /// This one was there first, and is not completed.
    InFlight(Reservation),
    /// This one was there first, and its token is stored.
    Completed(Reservation),
}
