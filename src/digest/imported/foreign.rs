//! Reads a digest in the form in which other software wrote it, and names what cannot be imported.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

use super::Value;
use crate::digest::{
    InvalidDigest,
    argon2::{Argon2Cost, decimal, sections_of},
};

/// The algorithm of a digest that other software stored.
///
/// State it as the other software's source does. The text alone does not show it: an HMAC-SHA-256 and a BLAKE3 hash are
/// 64 hex digits like a SHA-256, and a row that is imported under the wrong name never verifies.
///
/// ```
/// use counterfoil::digest::ImportedAlgorithm;
///
/// assert_eq!("SHA-512".parse(), Ok(ImportedAlgorithm::Sha512));
/// let refused = "hmac-sha256".parse::<ImportedAlgorithm>().unwrap_err();
/// assert_eq!(refused.to_string(), "hmac-sha256 cannot be imported: expected sha256, sha512 or argon2id v=19");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportedAlgorithm {
    /// SHA-256 without key and salt: 64 hex digits, or base64 of 32 bytes.
    Sha256,
    /// SHA-512 without key and salt: 128 hex digits, or base64 of 64 bytes, also behind the label `sha512$$` of
    /// `djangorestframework-api-key`.
    Sha512,
    /// Argon2id, version 19, as a PHC string, also behind the label `argon2` of Django.
    Argon2id,
}

impl ImportedAlgorithm {
    /// The name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Argon2id => "argon2id",
        }
    }

    pub(in crate::digest) const fn expected(self) -> &'static str {
        match self {
            Self::Sha256 => "64 hex digits, or base64 of 32 bytes",
            Self::Sha512 => "128 hex digits, or base64 of 64 bytes",
            Self::Argon2id => "a phc string that begins with $argon2id$v=19$",
        }
    }
}

impl fmt::Display for ImportedAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ImportedAlgorithm {
    type Err = InvalidDigest;

    /// Reads a name in any case, with or without `-` and `_`.
    ///
    /// # Errors
    ///
    /// [`InvalidDigest::NotImportable`] for a known algorithm that cannot be imported, [`InvalidDigest::Algorithm`] for any
    /// other text.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let name: String = text.chars().filter(|char| !matches!(char, '-' | '_')).collect();
        let is = |algorithm: &Self| name.eq_ignore_ascii_case(algorithm.as_str());
        [Self::Sha256, Self::Sha512, Self::Argon2id]
            .into_iter()
            .find(is)
            .ok_or_else(|| named(text).map_or(InvalidDigest::Algorithm, |found| InvalidDigest::NotImportable { found }))
    }
}

/// Reads what the other software stored.
pub(super) fn read(algorithm: ImportedAlgorithm, text: &str) -> Result<Value, InvalidDigest> {
    let foreign = |text| InvalidDigest::Foreign { stated: algorithm, found: found_in(text) };
    match algorithm {
        ImportedAlgorithm::Sha256 => of_hash(text).map(Value::Sha256).ok_or_else(|| foreign(text)),
        ImportedAlgorithm::Sha512 => {
            let bare = text.strip_prefix("sha512$$").unwrap_or(text);
            of_hash(bare).map(|hash| Value::Sha512(Box::new(hash))).ok_or_else(|| foreign(text))
        }
        ImportedAlgorithm::Argon2id => {
            let phc =
                text.strip_prefix("argon2$").and_then(|rest| text.get(6..).filter(|_| rest.starts_with("argon2")));
            let phc = phc.unwrap_or(text);
            let Some(rest) = phc.strip_prefix("$argon2id$") else { return Err(foreign(text)) };
            if !rest.starts_with("v=") {
                return Err(InvalidDigest::NotImportable { found: "argon2id v=16 (no version in the text)" });
            }
            if !rest.starts_with("v=19$") {
                return Err(InvalidDigest::NotImportable { found: "argon2id of another version" });
            }
            of_phc(phc)
        }
    }
}

/// Reads a PHC string without a key id: each parameter once, in any order, since the parameters of a PHC string have names
/// and libraries write them in the order of their own maps.
fn of_phc(text: &str) -> Result<Value, InvalidDigest> {
    let [parameters, salt, hash] = sections_of(text)?;
    let (mut m, mut t, mut p) = (None, None, None);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.split_once('=').ok_or(InvalidDigest::Field("parameters"))?;
        let (name, place) = match name {
            "m" => ("m", &mut m),
            "t" => ("t", &mut t),
            "p" => ("p", &mut p),
            "keyid" => return Err(InvalidDigest::Parameter { name: "keyid", problem: "cannot be imported" }),
            "data" => return Err(InvalidDigest::Parameter { name: "data", problem: "cannot be imported" }),
            _ => return Err(InvalidDigest::Field("parameters")),
        };
        if place.replace(decimal(value, name)?).is_some() {
            return Err(InvalidDigest::Parameter { name, problem: "is given twice" });
        }
    }
    let given = |figure: Option<u32>, name| figure.ok_or(InvalidDigest::Parameter { name, problem: "is missing" });
    let cost = Argon2Cost::new(given(m, "m")?, given(t, "t")?, given(p, "p")?);
    Value::of_argon2id(cost.map_err(|_| InvalidDigest::Field("cost"))?, salt, hash)
}

/// A hash of `N` bytes in hex or base64.
fn of_hash<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() == 2 * N { of_hex(text) } else { of_base64(text) }
}

/// Digits in one case or the other. Both at once is what no software writes, so it is taken as damage.
fn of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if is_of_both_cases(text) {
        return None;
    }
    let mut hash = [0; N];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

fn is_of_both_cases(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_lowercase()) && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Base64 in either alphabet, padded or not.
fn of_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_url_safe = text.contains(['-', '_']);
    let bytes = match (is_url_safe, text.ends_with('=')) {
        (false, false) => STANDARD_NO_PAD.decode(text),
        (false, true) => STANDARD.decode(text),
        (true, false) => URL_SAFE_NO_PAD.decode(text),
        (true, true) => URL_SAFE.decode(text),
    };
    bytes.ok()?.try_into().ok()
}

/// What a text that is not of the stated form shows of itself. Nothing of the text is in it.
fn found_in(text: &str) -> &'static str {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_hex, text.len()) {
        (_, 0) => "an empty text",
        (true, 64 | 128) if is_of_both_cases(text) => "hex digits of both cases",
        (true, 32) => "32 hex digits (as md5 has)",
        (true, 40) => "40 hex digits (as sha1 has)",
        (true, 64) => "64 hex digits",
        (true, 96) => "96 hex digits (as sha384 has)",
        (true, 128) => "128 hex digits",
        _ => label_of(text).and_then(named).unwrap_or("another text"),
    }
}

/// The word before the first `$`, `:` or `}`, as hashes of passwords are labelled.
fn label_of(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['$', '{']).unwrap_or(text);
    text.split_once(['$', ':', '}']).map(|(label, _)| label)
}

/// The usual name of an algorithm, by the label of its hashes. It is a word of this list and never one of the text, which
/// may be a secret in the wrong column.
fn named(label: &str) -> Option<&'static str> {
    const LABELS: [(&str, &[&str]); 25] = [
        ("bcrypt", &["2", "2a", "2b", "2x", "2y", "bcrypt", "bcryptsha256"]),
        ("scrypt", &["7", "s0", "scrypt"]),
        ("yescrypt", &["y", "gy", "yescrypt"]),
        ("pbkdf2", &["pbkdf2", "pbkdf2sha1", "pbkdf2sha256", "pbkdf2sha384", "pbkdf2sha512", "pbkdf2digest"]),
        ("argon2i", &["argon2i"]),
        ("argon2d", &["argon2d"]),
        ("argon2id", &["argon2", "argon2id"]),
        ("sha256crypt", &["5", "sha256crypt"]),
        ("sha512crypt", &["6", "sha512crypt"]),
        ("md5crypt", &["1", "apr1", "md5crypt"]),
        ("phpass", &["p", "h", "phpass"]),
        ("md5", &["md5", "saltedmd5", "unsaltedmd5"]),
        ("sha1", &["sha", "sha1", "ssha", "unsaltedsha1"]),
        ("sha224", &["sha224"]),
        ("sha256 behind a label", &["sha256", "ssha256"]),
        ("sha384", &["sha384"]),
        ("sha512 behind a label", &["sha512", "ssha512"]),
        ("sha3", &["sha3", "sha3224", "sha3256", "sha3384", "sha3512", "keccak", "keccak256"]),
        ("blake2", &["blake2", "blake2b", "blake2s", "blake2b256", "blake2b512", "blake2s256"]),
        ("blake3", &["blake3", "b3"]),
        ("hmac-sha1", &["hmacsha1", "hs1"]),
        ("hmac-sha256", &["hmac", "hmacsha256", "hs256"]),
        ("hmac-sha384", &["hmacsha384", "hs384"]),
        ("hmac-sha512", &["hmacsha512", "hs512"]),
        ("ripemd160", &["ripemd160", "rmd160"]),
    ];
    let plain: String = label.chars().filter(|char| !matches!(char, '-' | '_' | '/')).collect();
    let is_label = |labels: &[&str]| labels.iter().any(|known| plain.eq_ignore_ascii_case(known));
    LABELS.iter().find(|(_, labels)| is_label(labels)).map(|(name, _)| *name)
}
