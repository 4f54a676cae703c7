//! The name of a request that may come twice.

use crate::{digest::fingerprint::Fingerprint, text::bounded_text};

bounded_text! {
    /// A client's own name for one request.
    IdempotencyKey, "idempotency key", 255 bytes
}

/// A request as it is known again: the client's name for it, and what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRequest {
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}
