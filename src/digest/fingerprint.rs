//! What a request is known by when it comes again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a request, to tell another one under the same idempotency key. It is no secret and binds nothing.
pub(crate) type Fingerprint = [u8; 32];

pub(crate) fn fingerprint(request: &[u8]) -> Fingerprint {
    Sha256::digest(request).into()
}

/// Unpadded URL-safe base64, in which a record keeps it.
pub(crate) fn to_text(fingerprint: &Fingerprint) -> String {
    URL_SAFE_NO_PAD.encode(fingerprint)
}

pub(crate) fn from_text(text: &str) -> Option<Fingerprint> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
