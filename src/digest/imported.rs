//! Digests as other software stored them: read, and held against a token until its first use; never made here.

mod foreign;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

pub use foreign::ImportedAlgorithm;

use super::{
    InvalidDigest,
    argon2::{Argon2Bounds, Argon2Cost, InvalidCost, Job, cost_of, sections_of},
};

/// Which digests of other software a token format accepts, until their first use replaces them: none by default.
///
/// Such a digest is bound to no row and to no key of the server's. While a format accepts them, whoever can write to
/// the database can make its tokens; and whoever has read a digest there can try out secrets, of which a token has too
/// many. Accept no more than what is to be imported, and nothing once the old tokens are used or ended.
///
/// ```
/// use counterfoil::{Argon2Bounds, TokenFormat, digest::ImportedDigests};
///
/// let sha256 = ImportedDigests { sha256: true, ..ImportedDigests::default() };
/// let slow = ImportedDigests { argon2id: Some(Argon2Bounds::default()), ..ImportedDigests::default() };
/// assert!(TokenFormat::builder("acme").accepts_imported(slow).build().is_ok());
///
/// // Without a selector only the hash itself can find a row, and a salted one cannot.
/// assert!(TokenFormat::builder("acme").without_selector().accepts_imported(sha256).build().is_ok());
/// assert!(TokenFormat::builder("acme").without_selector().accepts_imported(slow).build().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportedDigests {
    /// SHA-256.
    pub sha256: bool,
    /// SHA-512.
    pub sha512: bool,
    /// Argon2id at costs within these bounds, which are apart from the keyring's own.
    pub argon2id: Option<Argon2Bounds>,
}

impl ImportedDigests {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one of them is accepted that finds its own row.
    pub(crate) fn is_found_by_hash(&self) -> bool {
        self.sha256 || self.sha512
    }
}

/// What of a token the other software has hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Over {
    /// The secret segment alone, the checksum not counted.
    Secret,
    /// The whole text.
    Text,
}

impl Over {
    /// The part of a token that was hashed, if it is known.
    pub(crate) fn of<'t>(self, text: &'t str, secret: Option<&'t str>) -> Option<&'t str> {
        match self {
            Self::Secret => secret,
            Self::Text => Some(text),
        }
    }

    const fn head(self) -> &'static str {
        match self {
            Self::Secret => "$imported$over=secret",
            Self::Text => "$imported$over=text",
        }
    }
}

/// A digest that other software made.
#[derive(Clone)]
pub(crate) struct Imported {
    pub(crate) over: Over,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Sha256([u8; 32]),
    Sha512(Box<[u8; 64]>),
    Argon2id { cost: Argon2Cost, salt: Box<[u8]>, hash: Box<[u8]> },
}

/// The lengths of a salt and of a hash, in bytes. Below 8 no Argon2 takes a salt, and a hash below 16 can be hit by
/// chance; 64 is more than any software writes by itself, and keeps the text within that of a digest.
const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

const SHA256_HEAD: &str = "$sha256$";
const SHA512_HEAD: &str = "$sha512$";

impl Imported {
    /// Reads what the other software wrote.
    pub(crate) fn from_foreign(algorithm: ImportedAlgorithm, text: &str, over: Over) -> Result<Self, InvalidDigest> {
        foreign::read(algorithm, text).map(|value| Self { over, value })
    }

    /// Reads the one form that [`to_text`](Self::to_text) writes.
    pub(crate) fn from_text(text: &str) -> Result<Self, InvalidDigest> {
        let of = |over: Over| text.strip_prefix(over.head()).map(|rest| (over, rest));
        let (over, rest) = of(Over::Secret).or_else(|| of(Over::Text)).ok_or(InvalidDigest::Field("over"))?;
        let value = if let Some(value) = rest.strip_prefix(SHA256_HEAD) {
            Value::Sha256(hash_of(value)?)
        } else if let Some(value) = rest.strip_prefix(SHA512_HEAD) {
            Value::Sha512(Box::new(hash_of(value)?))
        } else {
            Value::of_phc(rest)?
        };
        Ok(Self { over, value })
    }

    /// What it is over, then the algorithm's own text.
    pub(crate) fn to_text(&self) -> String {
        let head = self.over.head();
        match &self.value {
            Value::Sha256(hash) => format!("{head}{SHA256_HEAD}{}", URL_SAFE_NO_PAD.encode(hash)),
            Value::Sha512(hash) => format!("{head}{SHA512_HEAD}{}", URL_SAFE_NO_PAD.encode(**hash)),
            Value::Argon2id { cost, salt, hash } => format!(
                "{head}$argon2id$v=19$m={},t={},p={}${}${}",
                cost.memory_kib(),
                cost.passes(),
                cost.lanes(),
                STANDARD_NO_PAD.encode(salt),
                STANDARD_NO_PAD.encode(hash)
            ),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.value {
            Value::Sha256(_) => "imported sha256",
            Value::Sha512(_) => "imported sha512",
            Value::Argon2id { .. } => "imported argon2id",
        }
    }

    /// Whether a format that accepts these accepts this one: asked when it comes in, and again at each check.
    pub(crate) fn admit(&self, accepted: &ImportedDigests) -> Result<(), NotAdmitted> {
        match &self.value {
            Value::Sha256(_) if accepted.sha256 => Ok(()),
            Value::Sha512(_) if accepted.sha512 => Ok(()),
            Value::Sha256(_) | Value::Sha512(_) => Err(NotAdmitted::Algorithm),
            Value::Argon2id { cost, .. } => {
                let bounds = accepted.argon2id.ok_or(NotAdmitted::Algorithm)?;
                bounds.check(*cost).map_err(NotAdmitted::Cost)
            }
        }
    }

    /// What finds a row of this digest where the token prints nothing that does: a salted hash finds none.
    pub(crate) fn selector(&self) -> Option<Selecting> {
        match &self.value {
            Value::Sha256(hash) => Some(Selecting::Sha256(selector_of(hash))),
            Value::Sha512(hash) => Some(Selecting::Sha512(selector_of(&**hash))),
            Value::Argon2id { .. } => None,
        }
    }

    /// Bits for an id of a row that has none: the same whenever the same row is imported, so that it comes in once,
    /// whatever has become of its selector and digest in between.
    pub(crate) fn id_bits(&self) -> [u8; 10] {
        let mut bits = [0; 10];
        bits.copy_from_slice(&sha256(&[b"counterfoil/1/imported-id", self.to_text().as_bytes()])[..10]);
        bits
    }

    /// What [`hash`](Self::hash) comes to for the right input.
    pub(crate) fn expected(&self) -> [u8; 32] {
        match &self.value {
            Value::Sha256(hash) => *hash,
            Value::Sha512(hash) => *folded(&**hash),
            Value::Argon2id { hash, .. } => *folded(hash),
        }
    }

    /// Hashes `input` as the other software did. The cost must have been [admitted](Self::admit) before.
    pub(crate) fn hash(&self, input: &str) -> Hashing {
        let input = input.as_bytes();
        match &self.value {
            Value::Sha256(_) => Hashing::Done(sha256(&[input])),
            Value::Sha512(_) => Hashing::Done(folded(&*sha512(input))),
            Value::Argon2id { cost, salt, hash } => {
                let foreign = Foreign { password: input.to_vec().into(), salt: salt.clone(), length: hash.len() };
                let foreign = Some(Box::new(foreign));
                Hashing::Slow(Job { input: sha256(&[input]), salt: [0; 16], cost: *cost, foreign })
            }
        }
    }
}

impl Value {
    /// Reads the one form of a PHC string that is stored: each parameter once, in order, and no key id.
    fn of_phc(text: &str) -> Result<Self, InvalidDigest> {
        let [parameters, salt, hash] = sections_of(text)?;
        let mut parameters = parameters.split(',');
        let cost = cost_of(&mut parameters)?;
        if parameters.next().is_some() {
            return Err(InvalidDigest::Field("parameters"));
        }
        Self::of_argon2id(cost, salt, hash)
    }

    /// Reads the salt and the hash. The cost is compared with the bounds later.
    fn of_argon2id(cost: Argon2Cost, salt: &str, hash: &str) -> Result<Self, InvalidDigest> {
        let bytes = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            let bytes = STANDARD_NO_PAD.decode(text).ok()?;
            lengths.contains(&bytes.len()).then(|| bytes.into_boxed_slice())
        };
        Ok(Self::Argon2id {
            cost,
            salt: bytes(salt, SALT_LENGTHS).ok_or(InvalidDigest::Field("salt"))?,
            hash: bytes(hash, HASH_LENGTHS).ok_or(InvalidDigest::Field("hash"))?,
        })
    }
}

/// A hash that is made, or is left to be made.
pub(crate) enum Hashing {
    Done(Zeroizing<[u8; 32]>),
    Slow(Job),
}

/// What other software gave to Argon2id, and how much it took: of other lengths than ours.
#[cfg_attr(not(feature = "argon2"), expect(dead_code, reason = "read only where there is Argon2"))]
pub(crate) struct Foreign {
    pub(crate) password: Zeroizing<Vec<u8>>,
    pub(crate) salt: Box<[u8]>,
    pub(crate) length: usize,
}

impl Foreign {
    #[cfg(feature = "argon2")]
    pub(crate) const MAX_LENGTH: usize = *HASH_LENGTHS.end();
}

/// A digest that a format does not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    Algorithm,
    Cost(InvalidCost),
}

/// What finds the row of an imported hash: the algorithm, and bits of a hash of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selecting {
    Sha256([u8; 16]),
    Sha512([u8; 16]),
}

impl Selecting {
    /// How many there are for one token.
    pub(crate) const MAX: usize = 4;
}

/// What the rows of a presented token may be found by, in a format that prints no selector.
pub(crate) fn selectors<'t>(
    accepted: ImportedDigests,
    text: &'t str,
    secret: Option<&'t str>,
) -> impl Iterator<Item = Selecting> {
    let inputs = || [Over::Text, Over::Secret].into_iter().filter_map(move |over| over.of(text, secret));
    let sha256 = inputs().filter(move |_| accepted.sha256);
    let sha512 = inputs().filter(move |_| accepted.sha512);
    let sha256 = sha256.map(|input| Selecting::Sha256(selector_of(&*self::sha256(&[input.as_bytes()]))));
    sha256.chain(sha512.map(|input| Selecting::Sha512(selector_of(&*self::sha512(input.as_bytes())))))
}

/// A hash of any length as 32 bytes, equal where the whole hashes are, so that there is one comparison for all.
pub(crate) fn folded(hash: &[u8]) -> Zeroizing<[u8; 32]> {
    sha256(&[hash])
}

/// As many bits as a keyed selector has, of a hash of the hash: a selector may be shown, and a digest may not.
fn selector_of(hash: &[u8]) -> [u8; 16] {
    let mut selector = [0; 16];
    selector.copy_from_slice(&sha256(&[b"counterfoil/1/imported-selector", hash])[..16]);
    selector
}

fn sha256(parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let mut hash = Zeroizing::new([0; 32]);
    hasher.finalize_into((&mut *hash).into());
    hash
}

fn sha512(input: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut hash = Zeroizing::new([0; 64]);
    Sha512::new_with_prefix(input).finalize_into((&mut *hash).into());
    hash
}

/// A hash in the one spelling that is stored.
fn hash_of<const N: usize>(text: &str) -> Result<[u8; N], InvalidDigest> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidDigest::Field("value"))
}
