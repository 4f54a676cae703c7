//! What finds a record.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Printed;
use crate::digest::imported::Selecting;

/// What finds the record of a presented token: an indexed, unique text of at most [`Selector::MAX_LEN`] bytes.
///
/// Where the format prints one, it is that segment; else it is `~` and a keyed hash of the token's text, so that the
/// column tells nothing of the secret. A token that prints none and was imported with a SHA-256 or a SHA-512 is found by
/// `~sha256-` or `~sha512-` and a hash of that, until its first use. Selectors are unique over the current, retiring and spent ones of all records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(8))]
pub struct Selector {
    // INVARIANT: the bytes behind the text are zero, so that the derived comparisons are those of the text.
    bytes: [u8; Selector::MAX_LEN],
    len: u8,
}

impl Selector {
    /// The greatest length in bytes.
    pub const MAX_LEN: usize = 47;

    /// The empty text, which is no record's: a filler.
    pub(crate) const NONE: Self = Self { bytes: [0; Self::MAX_LEN], len: 0 };

    /// The selector that a token's text prints.
    ///
    /// # Errors
    ///
    /// [`InvalidSelector`] unless `text` is 1 to [`MAX_LEN`](Self::MAX_LEN) letters, digits, `-` and `_`.
    pub fn printed(text: &str) -> Result<Self, InvalidSelector> {
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(InvalidSelector);
        }
        Self::of(text.as_bytes())
    }

    pub(crate) fn derived(hash: [u8; 16]) -> Self {
        Self::marked(b"~", hash)
    }

    /// By its mark and its length it is no derived one, and no printed one either.
    pub(crate) fn imported(selecting: Selecting) -> Self {
        match selecting {
            Selecting::Sha256(hash) => Self::marked(b"~sha256-", hash),
            Selecting::Sha512(hash) => Self::marked(b"~sha512-", hash),
        }
    }

    #[inline(always)]
    fn marked<const MARK: usize>(mark: &[u8; MARK], hash: [u8; 16]) -> Self {
        let mut selector = Self { bytes: [0; Self::MAX_LEN], len: (MARK + 22) as u8 };
        selector.bytes[..MARK].copy_from_slice(mark);
        // INVARIANT: 16 bytes are 22 characters of unpadded base64, which is the room given.
        let _ = URL_SAFE_NO_PAD.encode_slice(hash, &mut selector.bytes[MARK..MARK + 22]);
        selector
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        // INVARIANT: only ASCII gets in.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn of(text: &[u8]) -> Result<Self, InvalidSelector> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(InvalidSelector);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes, len: text.len() as u8 })
    }
}

impl From<Printed<'_>> for Selector {
    fn from(printed: Printed<'_>) -> Self {
        match printed {
            Printed::Given(selector) => selector,
            // INVARIANT: a format's segment is of letters and digits, and no longer than a selector.
            Printed::Segment(segment) => Self::of(segment).unwrap_or(Self::NONE),
        }
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    /// Reads a stored selector, printed or derived.
    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        Self::printed(text.strip_prefix('~').unwrap_or(text))?;
        Self::of(text.as_bytes())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({self})")
    }
}

/// A text that is no selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a selector: expected 1 to {} letters, digits, `-` and `_`", Selector::MAX_LEN)]
pub struct InvalidSelector;
