//! Sets of characters, for texts that other software has shaped.

use std::fmt;

use crate::alphabet::Alphabet;

/// A set of printable ASCII characters, of which a part of a token is made.
///
/// ```
/// use counterfoil::token::CharacterSet;
///
/// assert!(CharacterSet::BASE58.contains(b'z'));
/// assert!(!CharacterSet::BASE58.contains(b'0'));
/// let vowels = CharacterSet::of("aeiou")?;
/// assert_eq!(vowels.to_string(), "[aeiou]");
/// # Ok::<(), counterfoil::token::InvalidFormat>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CharacterSet(u128);

impl CharacterSet {
    /// `0-9`.
    pub const DIGITS: Self = Self::range(b'0', b'9');
    /// `0-9`, `a-f`.
    pub const HEX: Self = Self::DIGITS.union(Self::range(b'a', b'f'));
    /// `a-z`, `A-Z`.
    pub const LETTERS: Self = Self::range(b'a', b'z').union(Self::range(b'A', b'Z'));
    /// Digits and letters.
    pub const BASE62: Self = Self::DIGITS.union(Self::LETTERS);
    /// The alphabet of Bitcoin's base58: digits and letters without `0`, `I`, `O` and `l`.
    pub const BASE58: Self = Self(Self::BASE62.0 & !(1 << b'0' | 1 << b'I' | 1 << b'O' | 1 << b'l'));
    /// Digits, letters, `-` and `_` (RFC 4648, section 5).
    pub const BASE64_URL: Self = Self::BASE62.union(Self(1 << b'-' | 1 << b'_'));
    /// Digits, letters, `+` and `/` (RFC 4648, section 4).
    pub const BASE64: Self = Self::BASE62.union(Self(1 << b'+' | 1 << b'/'));
    /// Digits, letters and `-`.
    pub(super) const ROUTING: Self = Self::BASE62.union(Self(1 << b'-'));
    /// All printable ASCII characters except the space.
    pub(super) const GRAPHIC: Self = Self::range(b'!', b'~');

    const fn range(first: u8, last: u8) -> Self {
        Self(((1 << (last - first + 1)) - 1) << first)
    }

    const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The characters of `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidFormat::Characters`](super::InvalidFormat::Characters) if `text` is empty or has a character other than
    /// printable ASCII without the space.
    pub fn of(text: &str) -> Result<Self, super::InvalidFormat> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(super::InvalidFormat::Characters);
        }
        Ok(Self(text.bytes().fold(0, |set, byte| set | 1 << byte)))
    }

    /// The set of one character, which must be printable ASCII.
    pub(super) const fn one(byte: u8) -> Self {
        Self(if byte.is_ascii() { 1 << byte } else { 0 })
    }

    /// Returns whether `byte` is in the set.
    pub const fn contains(self, byte: u8) -> bool {
        byte.is_ascii() && self.0 >> byte & 1 == 1
    }

    /// How many characters there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns whether there is no character.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether there is no character in both sets.
    pub(super) const fn is_apart_from(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    /// Returns whether all characters are also in `other`.
    pub(super) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The first character, or `None` if there is none.
    pub(super) fn first(self) -> Option<char> {
        u8::try_from(self.0.trailing_zeros()).ok().filter(u8::is_ascii).map(char::from)
    }

    /// How many bits of randomness `length` characters hold, rounded down.
    pub(super) fn bits(self, length: usize) -> usize {
        // Both figures are small, so that the product is exact enough, and a float of it fits into a `usize`.
        ((self.len().max(1) as f64).log2() * length as f64) as usize
    }
}

impl From<Alphabet> for CharacterSet {
    fn from(alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Base62 => Self::BASE62,
            Alphabet::Hex => Self::HEX,
        }
    }
}

/// The set as a class of a regular expression.
impl fmt::Display for CharacterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        let mut rest = self.0;
        while rest != 0 {
            let first = rest.trailing_zeros() as u8;
            let last = first + (rest >> first).trailing_ones() as u8 - 1;
            for byte in if last - first > 1 { vec![first, last] } else { (first..=last).collect() } {
                if byte == last && last - first > 1 {
                    f.write_str("-")?;
                }
                if b"\\]^-".contains(&byte) {
                    f.write_str("\\")?;
                }
                write!(f, "{}", char::from(byte))?;
            }
            rest &= !Self::range(first, last).0;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for CharacterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CharacterSet({self})")
    }
}
