//! The public keys of an issuer, as a JSON Web Key Set (RFC 7517).

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::key::{Members, PublicKey};

/// The public keys of an issuer: what it publishes, and what verifiers fetch.
///
/// ```
/// use counterfoil_jwt::{KeySet, SigningKey};
///
/// let key = SigningKey::ed25519(&[7; 32]).with_kid("2026-01")?;
/// let published = KeySet::new([key.public()])?.to_json();
/// assert!(published.starts_with(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"2026-01","x":"#));
/// assert_eq!(KeySet::from_json(&published)?.keys(), [key.public()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Serve it as `application/jwk-set+json` (RFC 7517, section 8.5.2). It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    // INVARIANT: no two of one name.
    keys: Vec<PublicKey>,
}

impl KeySet {
    /// The greatest length of a document that is read, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;

    /// These keys.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet::Twice`] if two different keys have one name. A key that is given twice is kept once.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, InvalidKeySet> {
        let mut set = Self::default();
        for key in keys {
            set.insert(key)?;
        }
        Ok(set)
    }

    fn insert(&mut self, key: PublicKey) -> Result<(), InvalidKeySet> {
        match self.keys.iter().find(|other| other.kid() == key.kid()) {
            Some(same) if *same == key => {}
            Some(_) => return Err(InvalidKeySet::Twice { kid: key.kid().to_owned() }),
            None => self.keys.push(key),
        }
        Ok(())
    }

    /// The keys, in order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The document to publish.
    pub fn to_json(&self) -> String {
        let keys = self.keys.iter().map(Jwk::of).collect();
        // INVARIANT: texts, which are JSON always.
        serde_json::to_string(&Published { keys }).unwrap_or_default()
    }

    /// Reads a published document.
    ///
    /// Keys that cannot have signed these tokens are left out, as RFC 7517 (section 5) asks: of another kind or curve,
    /// meant for another use or algorithm, without a name, off the curve, or not of a key's form at all. Unknown members are
    /// ignored. A byte-order mark before the document is ignored as well (RFC 8259, section 8.1).
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] if it is not a key set, if two different keys that can verify have one name, or if it gives a
    /// private key of these kinds away.
    pub fn from_json(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidKeySet::TooLong { found: text.len() });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Document { keys } = serde_json::from_str(text).map_err(|_| InvalidKeySet::Json)?;
        let mut set = Self::default();
        for text in keys {
            let is_private = |members: HashMap<String, &RawValue>| members.get("d").is_some_and(|d| d.get() != "null");
            if serde_json::from_str(text.get()).is_ok_and(is_private) {
                return Err(InvalidKeySet::Private);
            }
            let Ok(jwk) = serde_json::from_str::<Jwk>(text.get()) else { continue };
            if let Some(key) = jwk.read() {
                set.insert(key)?;
            }
        }
        Ok(set)
    }
}

#[derive(Deserialize)]
struct Document<'t> {
    #[serde(borrow)]
    keys: Vec<&'t RawValue>,
}

#[derive(Serialize)]
struct Published {
    keys: Vec<Jwk>,
}

/// One key (RFC 7517, section 4; RFC 8037, section 2; RFC 7518, section 6.2.1). A member given twice is an error, as is one
/// of another type: the key is left out then.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Jwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwk {
    fn of(key: &PublicKey) -> Self {
        let Members { kty, crv, x, y } = key.point.members();
        Self {
            kty: kty.into(),
            crv: Some(crv.into()),
            usage: Some("sig".into()),
            alg: Some(key.algorithm().into()),
            kid: Some(key.kid().into()),
            x: Some(x),
            y,
            ..Self::default()
        }
    }

    /// The key, if it fits in every member that it has.
    fn read(&self) -> Option<PublicKey> {
        let is_meant = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let (kid, crv, x) = (self.kid.as_deref()?, self.crv.as_deref()?, coordinate(self.x.as_deref()?)?);
        let fits = |algorithms: &[&str]| self.alg.as_deref().is_none_or(|alg| algorithms.contains(&alg));
        match (self.kty.as_str(), crv, &self.y) {
            ("OKP", "Ed25519", None) if is_meant && fits(&["EdDSA", "Ed25519"]) => {
                PublicKey::from_coordinates(&x, None).ok()?.with_kid(kid).ok()
            }
            ("EC", "P-256", Some(y)) if is_meant && fits(&["ES256"]) => {
                PublicKey::from_coordinates(&x, Some(&coordinate(y)?)).ok()?.with_kid(kid).ok()
            }
            _ => None,
        }
    }
}

fn coordinate(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// A text or a list that is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeySet {
    /// Longer than any document that is read.
    #[error("key set too long: found {found} bytes, expected at most {}", KeySet::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// No key set at all.
    #[error("not a json web key set: expected an object with an array `keys`")]
    Json,
    /// Two different keys of one name: nothing shows which of them verifies a token.
    #[error("two different keys are named `{kid}`")]
    Twice {
        /// The name.
        kid: String,
    },
    /// A private key: whoever reads the set can sign.
    #[error("the key set holds a private key, which must be replaced")]
    Private,
}
