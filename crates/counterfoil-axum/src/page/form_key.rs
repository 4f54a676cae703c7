//! The hidden field that binds a form to the session that it was shown to.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::entropy::{Entropy as _, SystemEntropy};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::management::ApiError;

/// The least number of bytes of a session's secret: 128 bits.
const LEAST: usize = 16;

const NONCE: usize = 16;

/// Makes and checks the hidden fields of one session: `base64url(nonce | HMAC-SHA-256(secret, label | purpose | nonce))`.
///
/// Each form has a nonce of its own, by which a form that is sent twice is known; and a purpose, so that none is good for
/// another. A purpose is a list of texts, each behind its length, so that no two are alike.
pub(super) struct FormKey(Hmac<Sha256>);

impl FormKey {
    pub(super) fn new(session_secret: &[u8]) -> Result<Self, ApiError> {
        let internal = || {
            let text = "the session has no secret for its forms";
            ApiError::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
        };
        if session_secret.len() < LEAST {
            return Err(internal());
        }
        Hmac::new_from_slice(session_secret).map(Self).map_err(|_| internal())
    }

    fn mac<P: AsRef<str>>(&self, purpose: &[P], nonce: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(b"counterfoil settings page form\0");
        mac.update(&(purpose.len() as u64).to_be_bytes());
        for part in purpose {
            mac.update(&(part.as_ref().len() as u64).to_be_bytes());
            mac.update(part.as_ref().as_bytes());
        }
        mac.update(nonce);
        mac
    }

    pub(super) fn field<P: AsRef<str>>(&self, purpose: &[P]) -> Result<String, ApiError> {
        let mut nonce = [0; NONCE];
        SystemEntropy.fill(&mut nonce).map_err(|_| ApiError::unavailable())?;
        let mac = self.mac(purpose, &nonce).finalize().into_bytes();
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &mac[..]].concat()))
    }

    /// Whether the field was made for this session and purpose. The comparison takes the same time wherever it fails.
    pub(super) fn check<P: AsRef<str>>(&self, purpose: &[P], field: Option<&str>) -> bool {
        let bytes = field.and_then(|field| URL_SAFE_NO_PAD.decode(field).ok()).unwrap_or_default();
        bytes.split_at_checked(NONCE).is_some_and(|(nonce, mac)| self.mac(purpose, nonce).verify_slice(mac).is_ok())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_good_for_its_session_and_its_purpose_alone() {
        let [ann, bob] = [b"the secret of ann", b"the secret of bob"].map(|secret| FormKey::new(secret).unwrap());
        let field = ann.field(&["create", "ann"]).unwrap();
        assert_ne!(field, ann.field(&["create", "ann"]).unwrap());
        let mut flipped = field.clone().into_bytes();
        flipped[0] = if flipped[0] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        for (key, purpose, field, is_good) in [
            (&ann, &["create", "ann"][..], Some(field.as_str()), true),
            (&bob, &["create", "ann"], Some(&field), false),
            (&ann, &["rotate", "ann"], Some(&field), false),
            (&ann, &["create", "ann", ""], Some(&field), false),
            (&ann, &["createann"], Some(&field), false),
            (&ann, &["createa", "nn"], Some(&field), false),
            (&ann, &["create", "ann"], Some(&flipped), false),
            (&ann, &["create", "ann"], Some(&field[..field.len() - 2]), false),
            (&ann, &["create", "ann"], Some(""), false),
            (&ann, &["create", "ann"], Some("\u{e9}"), false),
            (&ann, &["create", "ann"], None, false),
        ] {
            assert_eq!(key.check(purpose, field), is_good, "{purpose:?} {field:?}");
        }
    }

    #[test]
    fn a_session_without_a_secret_has_no_forms() {
        for (length, is_enough) in [(0, false), (15, false), (16, true), (200, true)] {
            assert_eq!(FormKey::new(&vec![b'x'; length]).is_ok(), is_enough, "{length}");
        }
    }
}
