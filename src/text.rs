//! Bounded text without control characters.

use std::fmt;

/// A text that is empty, too long, or holds a control character. The text itself is not in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// No text at all.
    #[error("empty {what}: expected 1 to {limit} {unit}")]
    Empty {
        /// What the text was to be.
        what: &'static str,
        /// The greatest length.
        limit: usize,
        /// The unit of the length.
        unit: LengthUnit,
    },
    /// Longer than allowed.
    #[error("{what} too long: found {found} {unit}, expected at most {limit}")]
    TooLong {
        /// What the text was to be.
        what: &'static str,
        /// The length.
        found: usize,
        /// The greatest length.
        limit: usize,
        /// The unit of both lengths.
        unit: LengthUnit,
    },
    /// A control character: NUL, a line break, a delete.
    #[error("{what} with control character U+{character:04X} at byte {at}: expected none", character = u32::from(*.character))]
    Control {
        /// What the text was to be.
        what: &'static str,
        /// The character.
        character: char,
        /// Where it stands, in bytes.
        at: usize,
    },
}

/// The unit in which the length of a text is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LengthUnit {
    /// Bytes of UTF-8, for texts that programs make.
    Bytes,
    /// Unicode scalar values, for texts that people write. JSON Schema counts `maxLength` in the same unit (RFC 8259,
    /// section 1).
    Characters,
}

impl LengthUnit {
    /// The length of a text in this unit.
    pub fn length_of(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Characters => text.chars().count(),
        }
    }
}

impl fmt::Display for LengthUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Characters => "characters",
        })
    }
}

pub(crate) fn check(text: &str, what: &'static str, limit: usize, unit: LengthUnit) -> Result<(), InvalidText> {
    if text.is_empty() {
        return Err(InvalidText::Empty { what, limit, unit });
    }
    // A text has at least as many bytes as characters, so most texts are not counted.
    if text.len() > limit {
        let found = unit.length_of(text);
        if found > limit {
            return Err(InvalidText::TooLong { what, found, limit, unit });
        }
    }
    match text.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, character)) => Err(InvalidText::Control { what, character, at }),
        None => Ok(()),
    }
}

/// Defines a newtype around a bounded text, shared when cloned. The limit is in `bytes` or `characters`.
macro_rules! bounded_text {
    ($(#[$doc:meta])* $type:ident, $what:literal, $limit:literal bytes) => {
        bounded_text! {
            @type $(#[$doc])* $type, $what, $limit, MAX_LEN, Bytes, "bytes of UTF-8"
        }
    };
    ($(#[$doc:meta])* $type:ident, $what:literal, $limit:literal characters) => {
        bounded_text! {
            @type $(#[$doc])* $type, $what, $limit, MAX_CHARS, Characters,
            "characters (Unicode scalar values, of up to 4 bytes each)"
        }
    };
    (@type $(#[$doc:meta])* $type:ident, $what:literal, $limit:literal, $max:ident, $unit:ident, $told:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            #[doc = concat!("The greatest length: ", $limit, " ", $told, ".")]
            pub const $max: usize = $limit;

            /// Takes the text as it is: nothing is trimmed or folded.
            ///
            /// # Errors
            ///
            /// [`InvalidText`](crate::text::InvalidText) if it is empty, too long, or holds a control character.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::text::InvalidText> {
                let text = text.as_ref();
                $crate::text::check(text, $what, Self::$max, $crate::text::LengthUnit::$unit)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::text::InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::text::InvalidText;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::text::InvalidText;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({:?})"), &*self.0)
            }
        }
    };
}

pub(crate) use bounded_text;

#[cfg(test)]
mod tests {
    use super::{LengthUnit, check};

    #[test]
    fn invalid_text_says_what_was_found_and_what_was_expected() {
        for (text, expected) in [
            ("", Some("empty owner: expected 1 to 8 bytes")),
            ("123456789", Some("owner too long: found 9 bytes, expected at most 8")),
            ("ab\nc", Some("owner with control character U+000A at byte 2: expected none")),
            ("é\u{85}", Some("owner with control character U+0085 at byte 2: expected none")),
            ("12345678", None),
        ] {
            let found = check(text, "owner", 8, LengthUnit::Bytes).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn characters_are_unicode_scalar_values() {
        for (text, found) in [
            ("12345678".to_owned(), None),
            ("製品管理番号一覧".to_owned(), None),
            ("🔑".repeat(8), None),
            ("👩\u{200d}💻".repeat(2) + "ab", None),
            ("e\u{301}".repeat(4), None),
            ("123456789".to_owned(), Some(9)),
            ("🔑".repeat(9), Some(9)),
            ("👩\u{200d}💻".repeat(3), Some(9)),
        ] {
            let expected = found.map(|found| format!("name too long: found {found} characters, expected at most 8"));
            let error = check(&text, "name", 8, LengthUnit::Characters).err().map(|error| error.to_string());
            assert_eq!(error, expected, "{text:?}");
        }
        let empty = check("", "name", 8, LengthUnit::Characters).map_err(|error| error.to_string());
        assert_eq!(empty, Err("empty name: expected 1 to 8 characters".to_owned()));
    }
}
