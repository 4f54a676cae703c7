//! The server's keys, in order.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use super::{
    Digest, Form,
    argon2::{Argon2Bounds, Argon2Cost, InvalidCost},
    keyed::SubKeys,
};

/// The server's keys ("peppers") in order, oldest first, and how digests are made with them.
///
/// ```
/// use counterfoil::{Algorithm, Keyring};
///
/// let keyring: Keyring = "2025:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=,\
///                         2026:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint"
///     .parse()?;
/// assert_eq!(keyring.minting_key().to_string(), "2026");
/// assert_eq!(keyring.algorithm(), Algorithm::HmacSha256);
/// # Ok::<(), counterfoil::digest::InvalidKeyring>(())
/// ```
///
/// # Text
///
/// Entries `id:key`, separated by commas or white space, one of them marked `id:key:mint`. Keys before it are older:
/// they still verify, and what was made with them is made anew on its next use. Keys after it are staged: known here
/// before any node mints with them. A key is base64 of 32 to 128 random bytes, in either alphabet, padded or not, as
/// `openssl rand -base64 32` prints it. At most [`Keyring::MAX_KEYS`] keys; ids and keys are each given once.
///
/// A key may go when no digest is of it any more: [`count_by_key`](crate::TokenStore::count_by_key) tells. Until then a
/// node without it answers "cannot be checked" for a token that prints its selector. A token that prints none is found by
/// a hash under the key, so without the key it is unknown, and one with a keyed checksum is malformed: take keys away
/// from such formats only when their tokens have ended.
///
/// There is no default and none is ever generated: a service that starts without its keys must fail.
///
/// Cloning is cheap: clones share the keys, which are wiped with the last of them.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<[Key]>,
    minting: usize,
    algorithm: Algorithm,
    bounds: Argon2Bounds,
}

#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) sub: SubKeys,
}

impl Keyring {
    /// The greatest number of keys.
    pub const MAX_KEYS: usize = 8;

    /// Makes new digests with Argon2id instead of HMAC-SHA-256, for hosts whose rules demand a slow hash. Earlier
    /// digests still verify, and are made anew on their next use.
    ///
    /// A token's secret has at least 128 random bits, and a slow hash adds nothing to that (NIST SP 800-63B asks for
    /// one below 112 bits); it costs some hundred thousand times as much on every request, to attackers' benefit.
    ///
    /// A [`Registry`](crate::Registry) makes these hashes on a few threads of its own, and refuses as overloaded what is
    /// more than they can do. Asked to, it remembers them for the tokens in use:
    /// [`remember_slow_hashes`](crate::registry::RegistryBuilder::remember_slow_hashes) says what that keeps in memory.
    ///
    /// # Errors
    ///
    /// [`InvalidCost`] if `cost` is outside the bounds.
    #[cfg(feature = "argon2")]
    pub fn with_argon2id(mut self, cost: Argon2Cost) -> Result<Self, InvalidCost> {
        self.bounds.check(cost)?;
        self.algorithm = Algorithm::Argon2id(cost);
        Ok(self)
    }

    /// Sets the costs that a stored Argon2id digest may ask for; a row outside is refused before any memory is taken.
    ///
    /// # Errors
    ///
    /// [`InvalidCost`] if the cost that is minted with is outside of `bounds`.
    pub fn with_argon2_bounds(mut self, bounds: Argon2Bounds) -> Result<Self, InvalidCost> {
        if let Algorithm::Argon2id(cost) = self.algorithm {
            bounds.check(cost)?;
        }
        self.bounds = bounds;
        Ok(self)
    }

    /// The id of the key that new digests are made with.
    pub fn minting_key(&self) -> KeyId {
        self.minting().id
    }

    /// The ids of all keys, oldest first.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| key.id)
    }

    /// How new digests are made.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a digest should be made anew on its next use: it is of an older key, of another algorithm, or of a lower
    /// cost. Never so for a digest of a newer key: another node mints with that one already, and two nodes would rehash
    /// in turn for ever.
    ///
    /// Change the algorithm together with the minting key, and the same holds while the change is rolled out.
    pub fn is_outdated(&self, digest: &Digest) -> bool {
        let Some(key) = digest.key_id() else { return true };
        let Ok(position) = self.position(key) else { return false };
        match (&digest.0, self.algorithm) {
            _ if position != self.minting => position < self.minting,
            (Form::Keyed { .. }, Algorithm::HmacSha256) => false,
            (Form::Argon2id(phc), Algorithm::Argon2id(minting)) => phc.cost.work() < minting.work(),
            _ => true,
        }
    }

    pub(crate) fn minting(&self) -> &Key {
        &self.keys[self.minting]
    }

    /// The minting key first: most tokens in use are of it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(self.minting())
            .chain(self.keys.iter().enumerate().filter(|(at, _)| *at != self.minting).map(|(_, key)| key))
    }

    pub(crate) fn key(&self, id: KeyId) -> Result<&Key, UnknownKey> {
        self.keys.iter().find(|key| key.id == id).ok_or(UnknownKey { id })
    }

    pub(crate) fn bounds(&self) -> &Argon2Bounds {
        &self.bounds
    }

    fn position(&self, id: KeyId) -> Result<usize, UnknownKey> {
        self.keys.iter().position(|key| key.id == id).ok_or(UnknownKey { id })
    }
}

impl FromStr for Keyring {
    type Err = InvalidKeyring;

    fn from_str(text: &str) -> Result<Self, InvalidKeyring> {
        let mut keys: Vec<Key> = Vec::new();
        let mut seen: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let mut minting = None;
        let entries = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let entry_number = index + 1;
            let mut parts = entry.split(':');
            let (Some(id), Some(key), mark, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
                return Err(InvalidKeyring::Entry { entry: entry_number });
            };
            let id: KeyId = id.parse().map_err(|defect| InvalidKeyring::Id { entry: entry_number, defect })?;
            let bytes = decode(key).ok_or(InvalidKeyring::Base64 { entry: entry_number })?;
            if !(32..=128).contains(&bytes.len()) {
                return Err(InvalidKeyring::Length { entry: entry_number, found: bytes.len() });
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(InvalidKeyring::RepeatedId { entry: entry_number, id });
            }
            if let Some(first) = seen.iter().position(|known| *known == bytes) {
                return Err(InvalidKeyring::RepeatedKey { entry: entry_number, first: first + 1 });
            }
            match mark {
                None => {}
                Some("mint") if minting.is_none() => minting = Some(index),
                Some("mint") => return Err(InvalidKeyring::SeveralMint { entry: entry_number }),
                Some(_) => return Err(InvalidKeyring::Mark { entry: entry_number }),
            }
            if keys.len() == Self::MAX_KEYS {
                return Err(InvalidKeyring::TooMany);
            }
            keys.push(Key { id, sub: SubKeys::derive(&bytes) });
            seen.push(bytes);
        }
        if keys.is_empty() {
            return Err(InvalidKeyring::Empty);
        }
        Ok(Self {
            keys: keys.into(),
            minting: minting.ok_or(InvalidKeyring::NoneMints)?,
            algorithm: Algorithm::HmacSha256,
            bounds: Argon2Bounds::default(),
        })
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    // The capacity is set first, so that no half-filled buffer is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    GeneralPurpose::new(alphabet, config).decode_vec(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The ids and which of them mints; never a key.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.key_ids().map(|id| id.to_string()).collect();
        write!(f, "Keyring({}; {} mints, {:?})", ids.join(" "), self.minting_key(), self.algorithm)
    }
}

/// How new digests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-256 (RFC 2104, FIPS 180-4): the default.
    HmacSha256,
    /// Argon2id (RFC 9106) at this cost, over a keyed HMAC-SHA-256 of the same input.
    Argon2id(Argon2Cost),
}

/// The public name of a server key: 1 to 8 letters, digits, `-` and `_`.
///
/// Eight, since it is also written into a PHC string, whose `keyid` holds at most eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KeyId::MAX_LEN]);

impl KeyId {
    /// The greatest length in bytes.
    pub const MAX_LEN: usize = 8;

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        // INVARIANT: only ASCII gets in.
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let bytes = text.as_bytes();
        if !(1..=Self::MAX_LEN).contains(&bytes.len()) {
            return Err(InvalidKeyId::Length { found: bytes.len() });
        }
        if let Some(at) = bytes.iter().position(|byte| !is_allowed(*byte)) {
            return Err(InvalidKeyId::Character { at });
        }
        let mut id = [0; Self::MAX_LEN];
        id[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(id))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A stored digest names a key that this node does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("server key `{id}` is not in the keyring")]
pub struct UnknownKey {
    /// The key that is missing.
    pub id: KeyId,
}

/// A text that is not the id of a server key. The text is not in the message, because it may be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyId {
    /// Empty, or longer than [`KeyId::MAX_LEN`].
    #[error("key id: found {found} bytes, expected 1 to {}", KeyId::MAX_LEN)]
    Length {
        /// The length in bytes.
        found: usize,
    },
    /// A character that an id does not have.
    #[error("key id: found another character at byte {at}, expected letters, digits, `-` and `_`")]
    Character {
        /// Its first byte.
        at: usize,
    },
}

/// A text that is not a keyring. Entries are counted from 1; no part of a key is ever in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyring {
    /// No entry at all.
    #[error("empty keyring: expected `id:key:mint`, with a key such as `openssl rand -base64 32` prints")]
    Empty,
    /// Not of the form `id:key` or `id:key:mint`.
    #[error("keyring entry {entry}: expected `id:key` or `id:key:mint`, and commas or white space between entries")]
    Entry {
        /// The number of the entry.
        entry: usize,
    },
    /// The id does not follow the grammar.
    #[error("keyring entry {entry}: {defect}")]
    Id {
        /// The number of the entry.
        entry: usize,
        /// The defect of the id.
        defect: InvalidKeyId,
    },
    /// The key is not base64.
    #[error("keyring entry {entry}: the key is not base64, expected one such as `openssl rand -base64 32` prints")]
    Base64 {
        /// The number of the entry.
        entry: usize,
    },
    /// The key is too short to be strong, or longer than any.
    #[error("keyring entry {entry}: found a key of {found} bytes, expected 32 to 128")]
    Length {
        /// Which entry.
        entry: usize,
        /// The length in bytes.
        found: usize,
    },
    /// The id is in the keyring already.
    #[error("keyring entry {entry}: the id `{id}` is given twice")]
    RepeatedId {
        /// The number of the second entry.
        entry: usize,
        /// The id.
        id: KeyId,
    },
    /// The key is in the keyring already, under another id.
    #[error("keyring entry {entry}: its key is that of entry {first}, expected another key")]
    RepeatedKey {
        /// The number of the second entry.
        entry: usize,
        /// The number of the first entry.
        first: usize,
    },
    /// The third part of an entry is not `mint`.
    #[error("keyring entry {entry}: expected `mint` or nothing after the key")]
    Mark {
        /// Which entry.
        entry: usize,
    },
    /// A second entry is marked `mint`.
    #[error("keyring entry {entry}: a second key is marked `mint`, expected one")]
    SeveralMint {
        /// Which entry.
        entry: usize,
    },
    /// No entry is marked `mint`.
    #[error("no key is marked `mint`: expected one entry `id:key:mint`")]
    NoneMints,
    /// More than [`Keyring::MAX_KEYS`].
    #[error("too many keys: found more than {max}, expected at most {max}", max = Keyring::MAX_KEYS)]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=";
    const B: &str = "BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=";

    #[test]
    fn invalid_keyring_says_what_was_found_and_what_was_expected() {
        let key_printed = "expected one such as `openssl rand -base64 32` prints";
        let form = "expected `id:key` or `id:key:mint`, and commas or white space between entries";
        let many: Vec<_> = (0..9u8).map(|number| format!("k{number}:{number}{}", &A[1..])).collect();
        for (text, expected) in [
            (
                String::new(),
                "empty keyring: expected `id:key:mint`, with a key such as `openssl rand -base64 32` prints".to_owned(),
            ),
            (
                " , \n".into(),
                "empty keyring: expected `id:key:mint`, with a key such as `openssl rand -base64 32` prints".into(),
            ),
            (A.into(), format!("keyring entry 1: {form}")),
            (format!("k1:{A}:mint;k2:{B}"), format!("keyring entry 1: {form}")),
            (format!(":{A}:mint"), "keyring entry 1: key id: found 0 bytes, expected 1 to 8".into()),
            (format!("{A}:k1:mint"), "keyring entry 1: key id: found 44 bytes, expected 1 to 8".into()),
            (
                format!("k1:{A}:mint,k.2:{B}"),
                "keyring entry 2: key id: found another character at byte 1, expected letters, digits, `-` and `_`"
                    .into(),
            ),
            (format!("k1:{A}!:mint"), format!("keyring entry 1: the key is not base64, {key_printed}")),
            (format!("k1:{}:mint", &A[..40]), "keyring entry 1: found a key of 30 bytes, expected 32 to 128".into()),
            (format!("k1:{A}:mint,k1:{B}"), "keyring entry 2: the id `k1` is given twice".into()),
            (format!("k1:{A}:mint,k2:{A}"), "keyring entry 2: its key is that of entry 1, expected another key".into()),
            (format!("k1:{A}:MINT"), "keyring entry 1: expected `mint` or nothing after the key".into()),
            (format!("k1:{A}:mint,k2:{B}:mint"), "keyring entry 2: a second key is marked `mint`, expected one".into()),
            (format!("k1:{A}"), "no key is marked `mint`: expected one entry `id:key:mint`".into()),
            (many.join(","), "too many keys: found more than 8, expected at most 8".into()),
        ] {
            let error = text.parse::<Keyring>().err().map(|error| error.to_string());
            assert_eq!(error, Some(expected));
            assert!(!error.is_some_and(|error| error.contains(&A[..8]) || error.contains(&B[..8])));
        }
    }

    #[test]
    fn invalid_key_id_is_not_called_a_keyring() {
        for (text, expected) in [
            ("", "key id: found 0 bytes, expected 1 to 8"),
            ("123456789", "key id: found 9 bytes, expected 1 to 8"),
            ("k 1", "key id: found another character at byte 1, expected letters, digits, `-` and `_`"),
        ] {
            assert_eq!(text.parse::<KeyId>().err().map(|error| error.to_string()).as_deref(), Some(expected));
        }
    }
}
