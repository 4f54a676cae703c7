//! What a request is known by when it comes again.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a request, to tell another one under the same idempotency key. It is no secret and binds nothing.
pub(crate) fn fingerprint(request: &[u8]) -> [u8; 32] {
    Sha256::digest(request).into()
}
