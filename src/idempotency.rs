//! The name of a request that may come twice.

use crate::text::bounded_text;

bounded_text! {
    /// A client's own name for one request.
    IdempotencyKey, "idempotency key", 255
}
