//! The identity of a store.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The random identity of a store, which tells it from every other store.
///
/// A database gets it once, when its tables are created, and keeps it through dumps, restores and replication. If your
/// application pins it, a start with another database, or with an empty one created by mistake, is an error
/// ([`WrongStore`](crate::store::StoreErrorKind::WrongStore)) and not a service that rejects every token.
///
/// The text has the form of a UUID. It is read with or without hyphens, in either case. It is not a secret.
///
/// ```
/// use counterfoil::store::StoreId;
///
/// let id: StoreId = "3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5f".parse()?;
/// assert_eq!("3F2C8A549D1E4B078C660A1B2C3D4E5F".parse(), Ok(id));
/// assert_eq!(id.to_string(), "3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5f");
/// # Ok::<(), counterfoil::store::InvalidStoreId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// Creates an id from its 128 bits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the 128 bits.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for StoreId {
    type Err = InvalidStoreId;

    fn from_str(text: &str) -> Result<Self, InvalidStoreId> {
        // The other two forms of a UUID, in braces and as a URN, have other lengths.
        if !matches!(text.len(), 32 | 36) {
            return Err(InvalidStoreId);
        }
        Uuid::try_parse(text).map(|uuid| Self(*uuid.as_bytes())).map_err(|_| InvalidStoreId)
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for StoreId {
    type Error = InvalidStoreId;

    fn try_from(text: String) -> Result<Self, InvalidStoreId> {
        text.parse()
    }
}

/// A text that is not a store id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a store id: expected 32 hexadecimal digits, with or without the hyphens of a uuid")]
pub struct InvalidStoreId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_another_form_is_rejected() {
        for text in [
            "",
            "3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5",
            "3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5g",
            "{3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5f}",
            "urn:uuid:3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5f",
            " 3f2c8a54-9d1e-4b07-8c66-0a1b2c3d4e5f",
            "3f2c8a549d1e4b078c660a1b2c3d4e5",
        ] {
            assert_eq!(text.parse::<StoreId>(), Err(InvalidStoreId), "{text}");
        }
    }

    #[test]
    fn id_is_displayed_as_a_uuid() {
        let id = StoreId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string(), "abababab-abab-abab-abab-abababababab");
        assert_eq!(format!("{id:?}"), "StoreId(abababab-abab-abab-abab-abababababab)");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(StoreId::try_from(id.to_string()).map(|id| *id.as_bytes()), Ok([0xab; 16]));
        assert_eq!(String::from(id), id.to_string());
    }
}
