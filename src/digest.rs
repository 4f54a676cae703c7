//! What is stored of a secret, and the keys it is made with: bytes in, bytes out.
//!
//! The only module that hashes, and the only one that compares secret bytes.

pub(crate) mod argon2;
pub(crate) mod fingerprint;
pub(crate) mod imported;
pub(crate) mod keyed;
mod keyring;
pub(crate) mod memo;
pub(crate) mod pool;

use std::{fmt, str::FromStr};

pub use argon2::{Argon2Bounds, Argon2Cost, InvalidCost};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use imported::Imported;
pub use imported::{ImportedAlgorithm, ImportedDigests, Over};
pub(crate) use keyed::Binding;
pub use keyring::{Algorithm, InvalidKeyId, InvalidKeyring, KeyId, Keyring, UnknownKey};

use self::argon2::Phc;

/// What is stored of a token's secret.
///
/// A digest has no `==`: two of them are compared in constant time, and only by [`check`](crate::check()).
///
/// ```compile_fail,E0369
/// fn same(one: &counterfoil::Digest, other: &counterfoil::Digest) -> bool {
///     one == other
/// }
/// ```
///
/// # Text
///
/// The algorithm, its version and parameters, the id of the server key, then the value:
///
/// ```text
/// $hmac-sha256$v=1$key=2026$<43 characters of unpadded URL-safe base64>
/// $argon2id$v=19$m=19456,t=2,p=1,keyid=<base64 of the key id>$<salt>$<hash>
/// ```
///
/// The second is a PHC string. These two are made of the same input, which binds the row: label, record id, tenant, owner
/// and the whole token text, each with its length before it, under a key derived from the server's key. A digest moved
/// to another row, owner or tenant is worthless.
///
/// A digest that other software made is kept as such until the token's first use, and says what it is over. It is bound
/// to no row:
///
/// ```text
/// $imported$over=text$sha256$<43 characters of unpadded URL-safe base64>
/// $imported$over=text$sha512$<86 characters of unpadded URL-safe base64>
/// $imported$over=secret$argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>
/// ```
#[derive(Clone)]
pub struct Digest(pub(crate) Form);

#[derive(Clone)]
pub(crate) enum Form {
    Keyed {
        key: KeyId,
        mac: [u8; 32],
    },
    Argon2id(Phc),
    /// Boxed: rare and large, where every verification reads what stands around a digest.
    Imported(Box<Imported>),
}

impl Digest {
    /// The greatest length of a digest's text, in bytes.
    pub const MAX_LEN: usize = 256;

    /// A digest of this algorithm as other software stored it, over the secret or the whole text of a token.
    ///
    /// | algorithm | read |
    /// |---|---|
    /// | [`Sha256`](ImportedAlgorithm::Sha256) | 64 hex digits in lower or in upper case, or base64 of 32 bytes in either alphabet, padded or not |
    /// | [`Sha512`](ImportedAlgorithm::Sha512) | 128 hex digits, or base64 of 64 bytes, likewise; also behind `sha512$$` |
    /// | [`Argon2id`](ImportedAlgorithm::Argon2id) | a PHC string of version 19 with `m`, `t` and `p`, each once and in any order, a salt of 8 to 64 bytes and a hash of 16 to 64; also behind Django's `argon2` |
    ///
    /// The token's format decides whether it accepts the digest, and at which cost, when it is imported and again when it
    /// is checked.
    ///
    /// ```
    /// use counterfoil::{Digest, digest::{ImportedAlgorithm::{Argon2id, Sha256}, Over}};
    ///
    /// let hex = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
    /// let digest = Digest::imported(Sha256, hex, Over::Text)?;
    /// assert_eq!(digest.to_text(), "$imported$over=text$sha256$n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg");
    /// assert_eq!(digest.key_id(), None);
    ///
    /// let refused = Digest::imported(Argon2id, "$2b$12$LQv3c1yqBWVHxkd0LHAkCO", Over::Text).unwrap_err();
    /// let expected = "argon2id digest: found bcrypt, expected a phc string that begins with $argon2id$v=19$";
    /// assert_eq!(refused.to_string(), expected);
    /// # Ok::<(), counterfoil::digest::InvalidDigest>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidDigest`] for anything else. It names the algorithm if the text shows one.
    pub fn imported(algorithm: ImportedAlgorithm, text: &str, over: Over) -> Result<Self, InvalidDigest> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidDigest::TooLong { found: text.len() });
        }
        Imported::from_foreign(algorithm, text, over).map(|imported| Self(Form::Imported(Box::new(imported))))
    }

    /// The id of the server key that the digest was made with; none for a digest that other software made.
    pub fn key_id(&self) -> Option<KeyId> {
        match &self.0 {
            Form::Keyed { key, .. } => Some(*key),
            Form::Argon2id(phc) => Some(phc.key),
            Form::Imported(_) => None,
        }
    }

    /// The text to store.
    pub fn to_text(&self) -> String {
        match &self.0 {
            Form::Keyed { key, mac } => {
                let mut text = format!("{KEYED_HEAD}{key}$");
                URL_SAFE_NO_PAD.encode_string(mac, &mut text);
                text
            }
            Form::Argon2id(phc) => phc.to_text(),
            Form::Imported(imported) => imported.to_text(),
        }
    }
}

const KEYED_HEAD: &str = "$hmac-sha256$v=1$key=";

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// Reads a stored text. Costs are only read here; they are held against the keyring's bounds before any work.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidDigest::TooLong { found: text.len() });
        }
        if text.starts_with("$argon2") {
            return Phc::from_text(text).map(|phc| Self(Form::Argon2id(phc)));
        }
        if text.starts_with("$imported$") {
            return Imported::from_text(text).map(|imported| Self(Form::Imported(Box::new(imported))));
        }
        let rest = text.strip_prefix(KEYED_HEAD).ok_or(InvalidDigest::Algorithm)?;
        let (key, mac) = rest.split_once('$').ok_or(InvalidDigest::Field("value"))?;
        let key = key.parse().map_err(|_| InvalidDigest::Field("key"))?;
        let bytes = URL_SAFE_NO_PAD.decode(mac).map_err(|_| InvalidDigest::Field("value"))?;
        let mac = bytes.try_into().map_err(|_| InvalidDigest::Field("value"))?;
        Ok(Self(Form::Keyed { key, mac }))
    }
}

/// The algorithm and the key id; never the value.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match &self.0 {
            Form::Keyed { .. } => "hmac-sha256",
            Form::Argon2id(_) => "argon2id",
            Form::Imported(imported) => imported.algorithm(),
        };
        let key = self.key_id().map_or("none".into(), |key| key.to_string());
        write!(f, "Digest({algorithm}, key {key}, ..)")
    }
}

/// A stored text that is no digest this build can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDigest {
    /// Longer than any digest.
    #[error("digest too long: found {found} bytes, expected at most {}", Digest::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// Neither keyed HMAC-SHA-256 in its version 1 nor Argon2id in its version 19.
    #[error("unknown digest algorithm: expected hmac-sha256 v=1 or argon2id v=19")]
    Algorithm,
    /// A text that is not of the form in which digests of the stated algorithm are stored.
    #[error("{stated} digest: found {found}, expected {}", stated.expected())]
    Foreign {
        /// The algorithm that was stated.
        stated: ImportedAlgorithm,
        /// The algorithm or the form that the text shows, in words of this library.
        found: &'static str,
    },
    /// An algorithm, or a version of one, that cannot be imported.
    #[error("{found} cannot be imported: expected sha256, sha512 or argon2id v=19")]
    NotImportable {
        /// The algorithm.
        found: &'static str,
    },
    /// A parameter of a PHC string that cannot be imported, is missing, or is given twice.
    #[error("malformed digest: parameter {name} {problem}")]
    Parameter {
        /// The name.
        name: &'static str,
        /// The problem.
        problem: &'static str,
    },
    /// A part that is missing, given twice, out of order, or not written in its one form.
    #[error("malformed digest: unreadable {0}")]
    Field(&'static str),
}
