//! The name of a record, which outlives rotation.

use std::{fmt, str::FromStr};

use uuid::{Builder, Uuid};

use crate::time::Timestamp;

/// The public name of a token's record, for lists, logs and cursors: a UUID of version 7 (RFC 9562, section 5.7), so
/// that ids are in the order in which tokens were made.
///
/// It finds no token at a check: that is the [`Selector`](super::Selector)'s work. It tells when the token was made.
///
/// ```
/// use counterfoil::TokenId;
///
/// let id: TokenId = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa".parse()?;
/// assert_eq!(id.to_string(), "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa");
/// assert!("0197B0A0-6C00-7AAA-8AAA-AAAAAAAAAAAA".parse::<TokenId>().is_err()); // one spelling
/// # Ok::<(), counterfoil::token::InvalidTokenId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct TokenId([u8; 16]);

impl TokenId {
    pub(crate) fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self(*Builder::from_unix_timestamp_millis(at.unix_millis().unsigned_abs(), &random).as_uuid().as_bytes())
    }

    /// Takes the 16 bytes of an id, as a store keeps them. Ids of imported tokens may be UUIDs of any version.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, whose order is that of the ids.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    /// Reads the hyphenated form in lower case.
    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let id = Uuid::try_parse(text).map(|uuid| Self(*uuid.as_bytes())).map_err(|_| InvalidTokenId)?;
        let mut canonical = Uuid::encode_buffer();
        if Uuid::from_bytes(id.0).hyphenated().encode_lower(&mut canonical) != text {
            return Err(InvalidTokenId);
        }
        Ok(id)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(text: String) -> Result<Self, InvalidTokenId> {
        text.parse()
    }
}

/// A text that is no token id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token id: expected a lower-case hyphenated uuid")]
pub struct InvalidTokenId;
