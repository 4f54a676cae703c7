//! The keys that sign tokens, and their public halves: Ed25519 and P-256, each with a name.

#[cfg(test)]
mod vectors;

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use p256::ecdsa::{
    self,
    signature::{Signer, Verifier},
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A key that signs, with the name that tokens call it by (`kid`, RFC 7515, section 4.1.4).
///
/// There are two kinds, and the kind fixes the algorithm: Ed25519 signs as `EdDSA` (RFC 8037, section 3.1), P-256 as
/// `ES256` (RFC 7518, section 3.4). Neither draws randomness to sign: ECDSA takes its nonce from the key and the message
/// (RFC 6979), so that a weak random source cannot give the key away. The key is wiped when it is dropped, and `Debug`
/// shows its name and algorithm alone.
///
/// The name is the key's thumbprint (RFC 7638), unless you give another one with [`with_kid`](Self::with_kid). A thumbprint
/// is different for each key, so that a verifier that has cached the key set finds an unknown name after a change of the
/// key, and fetches the set again. A name of your own must never be given to a second key.
///
/// ```
/// use counterfoil_jwt::SigningKey;
///
/// // openssl genpkey -algorithm ed25519
/// let pem = "-----BEGIN PRIVATE KEY-----
/// MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
/// -----END PRIVATE KEY-----
/// ";
/// let key = SigningKey::from_pem(pem)?;
/// assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"); // RFC 8037, appendix A.3
/// let key = key.with_kid("2026-01")?;
/// assert_eq!(format!("{key:?}"), "SigningKey(2026-01, EdDSA, ..)");
/// # Ok::<(), counterfoil_jwt::InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    kid: Kid,
    private: Private,
}

#[derive(Clone)]
enum Private {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<ecdsa::SigningKey>),
}

impl Private {
    fn point(&self) -> Point {
        match self {
            Self::Ed25519(key) => Point::Ed25519(key.verifying_key()),
            Self::P256(key) => Point::P256(*key.verifying_key()),
        }
    }
}

impl SigningKey {
    /// Reads PKCS#8 in PEM (`BEGIN PRIVATE KEY`, RFC 7468, section 10), as `openssl genpkey` writes it.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if it is anything else, or a key of another kind.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let ed25519 = || Ok(Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_pkcs8_pem(pem)?)));
        let p256 = || Ok(Private::P256(Box::new(ecdsa::SigningKey::from_pkcs8_pem(pem)?)));
        Self::of_either(ed25519, p256)
    }

    /// Reads PKCS#8 in DER (RFC 5958).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] as for [`from_pem`](Self::from_pem).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, InvalidKey> {
        let ed25519 = || Ok(Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_pkcs8_der(der)?)));
        let p256 = || Ok(Private::P256(Box::new(ecdsa::SigningKey::from_pkcs8_der(der)?)));
        Self::of_either(ed25519, p256)
    }

    /// Draws an Ed25519 key that is kept nowhere, for development and tests: what it signs ends with the process. A service
    /// has its key from a file or a secret manager.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::NoEntropy`] if the system gives no randomness.
    pub fn draw() -> Result<Self, InvalidKey> {
        let drawn = Zeroizing::new(counterfoil::draw_server_key().map_err(|_| InvalidKey::NoEntropy)?);
        let mut secret = Zeroizing::new([0; 32]);
        // INVARIANT: a server key is the base64 of 32 bytes.
        STANDARD.decode_slice(&*drawn, &mut *secret).map_err(|_| InvalidKey::NoEntropy)?;
        Ok(Self::ed25519(&secret))
    }

    /// An Ed25519 key by its 32 secret bytes: `d` of a JWK (RFC 8037, section 2).
    pub fn ed25519(secret: &[u8; 32]) -> Self {
        Self::of(Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(secret))))
    }

    /// A P-256 key by its secret number, 32 bytes, the highest first: `d` of a JWK (RFC 7518, section 6.2.2.1).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Private`] if the number is none of the curve's.
    pub fn p256(secret: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = ecdsa::SigningKey::from_slice(secret).map_err(|_| InvalidKey::Private)?;
        Ok(Self::of(Private::P256(Box::new(key))))
    }

    /// With this name instead of the thumbprint.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Kid`] unless `kid` is 1 to 64 letters, digits, `-`, `.`, `_` and `~`.
    pub fn with_kid(self, kid: &str) -> Result<Self, InvalidKey> {
        Ok(Self { kid: Kid::new(kid)?, ..self })
    }

    fn of(private: Private) -> Self {
        Self { kid: Kid::thumbprint(&private.point()), private }
    }

    fn of_either(
        ed25519: impl FnOnce() -> Result<Private, ed25519_dalek::pkcs8::Error>,
        p256: impl FnOnce() -> Result<Private, ed25519_dalek::pkcs8::Error>,
    ) -> Result<Self, InvalidKey> {
        let private = ed25519().or_else(|_| p256()).map_err(|_| InvalidKey::Private)?;
        Ok(Self::of(private))
    }

    /// The half that may be shown: what verifies.
    pub fn public(&self) -> PublicKey {
        PublicKey { kid: self.kid.clone(), point: self.private.point() }
    }

    /// The name.
    pub fn kid(&self) -> &str {
        &self.kid.0
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        match &self.private {
            Private::Ed25519(key) => key.sign(message).to_bytes(),
            Private::P256(key) => {
                let signature: ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().into()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {}, ..)", self.kid(), self.public().algorithm())
    }
}

/// The public half of a key, with its name: it verifies and cannot sign.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: Kid,
    pub(crate) point: Point,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(ecdsa::VerifyingKey),
}

/// The members of a JWK that say which key it is (RFC 7518, section 6.2.1; RFC 8037, section 2).
pub(crate) struct Members {
    pub(crate) kty: &'static str,
    pub(crate) crv: &'static str,
    pub(crate) x: String,
    pub(crate) y: Option<String>,
}

impl Point {
    pub(crate) fn members(&self) -> Members {
        match self {
            Self::Ed25519(key) => {
                Members { kty: "OKP", crv: "Ed25519", x: URL_SAFE_NO_PAD.encode(key.as_bytes()), y: None }
            }
            Self::P256(key) => {
                let sec1 = key.to_sec1_point(false);
                let coordinate = |at: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&sec1.as_bytes()[at]);
                Members { kty: "EC", crv: "P-256", x: coordinate(1..33), y: Some(coordinate(33..65)) }
            }
        }
    }
}

/// Of both kinds of signature: R and S (RFC 8032, section 5.1.6; RFC 7518, section 3.4).
pub(crate) const SIGNATURE_LEN: usize = 64;

impl PublicKey {
    /// Reads a public key in PEM (`BEGIN PUBLIC KEY`, RFC 7468, section 13).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if it is anything else, a key of another kind, or a weak one.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let point = match ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
            Ok(key) => Point::Ed25519(key),
            Err(_) => Point::P256(ecdsa::VerifyingKey::from_public_key_pem(pem).map_err(|_| InvalidKey::Public)?),
        };
        Self::of(point)
    }

    /// By the coordinates of a JWK: `x` alone of an Ed25519 key, `x` and `y` of a P-256 key.
    pub(crate) fn from_coordinates(x: &[u8; 32], y: Option<&[u8; 32]>) -> Result<Self, InvalidKey> {
        let point = match y {
            None => Point::Ed25519(ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| InvalidKey::Public)?),
            Some(y) => {
                let sec1 = [[4].as_slice(), x, y].concat();
                Point::P256(ecdsa::VerifyingKey::from_sec1_bytes(&sec1).map_err(|_| InvalidKey::Public)?)
            }
        };
        Self::of(point)
    }

    fn of(point: Point) -> Result<Self, InvalidKey> {
        if matches!(point, Point::Ed25519(key) if key.is_weak()) {
            return Err(InvalidKey::Public);
        }
        Ok(Self { kid: Kid::thumbprint(&point), point })
    }

    /// With this name instead of the thumbprint.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Kid`] unless `kid` is 1 to 64 letters, digits, `-`, `.`, `_` and `~`.
    pub fn with_kid(self, kid: &str) -> Result<Self, InvalidKey> {
        Ok(Self { kid: Kid::new(kid)?, ..self })
    }

    /// The thumbprint of the key: SHA-256 of its required members, in unpadded base64 (RFC 7638, section 3; RFC 8037,
    /// section 2).
    pub fn thumbprint(&self) -> String {
        Kid::thumbprint(&self.point).0.into()
    }

    /// The name.
    pub fn kid(&self) -> &str {
        &self.kid.0
    }

    /// The algorithm, as tokens and key sets name it: `EdDSA` or `ES256`.
    ///
    /// RFC 9864 has since given Ed25519 the name `Ed25519` as well. What is deployed reads `EdDSA`, so that is written;
    /// in key sets both are read.
    pub fn algorithm(&self) -> &'static str {
        match self.point {
            Point::Ed25519(_) => "EdDSA",
            Point::P256(_) => "ES256",
        }
    }

    /// Whether the signature is the key's own over `message`, in its one form.
    ///
    /// Ed25519 is checked strictly (RFC 8032, section 5.1.7, and no points of small order). For every ECDSA signature
    /// (r, s) there is a second one, (r, -s), that anybody can make; here only the lower s is good, so that nobody makes a
    /// second text of a token.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        match self.point {
            Point::Ed25519(key) => key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok(),
            Point::P256(key) => ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| signature.normalize_s() == signature && key.verify(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.kid(), self.algorithm())
    }
}

/// A name that stands in JSON as it is: 1 to 64 of the unreserved characters of RFC 3986 (section 2.3).
#[derive(Clone, PartialEq, Eq)]
struct Kid(Box<str>);

impl Kid {
    fn new(text: &str) -> Result<Self, InvalidKey> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(is_unreserved) {
            return Err(InvalidKey::Kid);
        }
        Ok(Self(text.into()))
    }

    fn thumbprint(point: &Point) -> Self {
        let Members { kty, crv, x, y } = point.members();
        // The required members in the order of their names, without spaces. None of them needs escaping.
        let y = y.map_or(String::new(), |y| format!(r#","y":"{y}""#));
        let members = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(members)).into())
    }
}

/// A text or bytes that are no key, or a name that is none. Nothing of the key is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The name is empty, too long, or holds other characters.
    #[error("invalid key name: expected 1 to 64 letters, digits, `-`, `.`, `_` and `~`")]
    Kid,
    /// No private key of a kind that signs here.
    #[error("not a private key: expected pkcs#8 (`BEGIN PRIVATE KEY`) of an ed25519 or p-256 key")]
    Private,
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    NoEntropy,
    /// No public key of a kind that verifies here.
    #[error("not a public key: expected one (`BEGIN PUBLIC KEY`) of an ed25519 or p-256 key, and no weak one")]
    Public,
}
