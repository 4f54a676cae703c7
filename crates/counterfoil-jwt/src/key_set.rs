//! The public keys of an issuer, as a JSON Web Key Set (RFC 7517).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::key::{Point, PublicKey};

/// The public keys of an issuer: what it publishes, and what verifiers fetch.
///
/// ```
/// use counterfoil_jwt::{KeySet, SigningKey};
///
/// let key = SigningKey::ed25519("2026-01", &[7; 32])?;
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
    /// [`InvalidKeySet::Twice`] if two have one name.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, InvalidKeySet> {
        let mut set = Self::default();
        for key in keys {
            set.insert(key)?;
        }
        Ok(set)
    }

    fn insert(&mut self, key: PublicKey) -> Result<(), InvalidKeySet> {
        if self.keys.iter().any(|other| other.kid() == key.kid()) {
            return Err(InvalidKeySet::Twice { kid: key.kid().to_owned() });
        }
        self.keys.push(key);
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
        serde_json::to_string(&Document { keys }).unwrap_or_default()
    }

    /// Reads a published document.
    ///
    /// Keys that cannot have signed these tokens are left out, as RFC 7517 (section 5) asks: of another kind or curve,
    /// meant for another use or algorithm, without a name, or off the curve.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] if it is no key set, names two keys alike, or gives a private key away.
    pub fn from_json(text: &str) -> Result<Self, InvalidKeySet> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidKeySet::TooLong { found: text.len() });
        }
        let Document { keys } = serde_json::from_str(text).map_err(|_| InvalidKeySet::Json)?;
        let mut set = Self::default();
        let mut kids = Vec::new();
        for jwk in &keys {
            if jwk.d.is_some() {
                return Err(InvalidKeySet::Private);
            }
            let Some(kid) = &jwk.kid else { continue };
            if kids.contains(&kid) {
                return Err(InvalidKeySet::Twice { kid: kid.clone() });
            }
            kids.push(kid);
            set.keys.extend(jwk.read());
        }
        Ok(set)
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

/// One key (RFC 7517, section 4; RFC 8037, section 2; RFC 7518, section 6.2.1). A member given twice is an error.
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
    /// Private: never written.
    #[serde(skip_serializing)]
    d: Option<serde_json::Value>,
}

impl Jwk {
    fn of(key: &PublicKey) -> Self {
        let (kty, crv, x, y) = match &key.point {
            Point::Ed25519(point) => ("OKP", "Ed25519", URL_SAFE_NO_PAD.encode(point.as_bytes()), None),
            Point::P256(point) => {
                let sec1 = point.to_sec1_point(false);
                let coordinate = |at: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&sec1.as_bytes()[at]);
                ("EC", "P-256", coordinate(1..33), Some(coordinate(33..65)))
            }
        };
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
                PublicKey::from_coordinates(kid, &x, None).ok()
            }
            ("EC", "P-256", Some(y)) if is_meant && fits(&["ES256"]) => {
                PublicKey::from_coordinates(kid, &x, Some(&coordinate(y)?)).ok()
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
    /// Two keys of one name: which of them verifies a token is anybody's guess.
    #[error("two keys are named `{kid}`")]
    Twice {
        /// The name.
        kid: String,
    },
    /// A private key: whoever reads the set can sign.
    #[error("the key set holds a private key, which must be replaced")]
    Private,
}
