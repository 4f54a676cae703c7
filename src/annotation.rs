//! What people note on a token: for lists and logs, of no weight in any decision.

mod strict_json;

use serde_json::Value;

use crate::text::{InvalidText, bounded_text};

bounded_text! {
    /// What a person calls the token.
    Name, "name", 200 characters
}

bounded_text! {
    /// What the token is for, in more words.
    Description, "description", 1000 characters
}

bounded_text! {
    /// A word to group tokens by.
    Tag, "tag", 64 characters
}

/// Name, description, tags and metadata.
///
/// ```
/// use counterfoil::{Annotations, Metadata, Name};
///
/// let notes = Annotations {
///     name: Some(Name::new("CI pipeline")?),
///     metadata: Metadata::from_json(r#"{"team": "build"}"#)?,
///     ..Annotations::default()
/// };
/// assert_eq!(notes.metadata.as_json(), r#"{"team":"build"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotations {
    /// What a person calls the token.
    pub name: Option<Name>,
    /// What it is for.
    pub description: Option<Description>,
    /// Words to group tokens by.
    pub tags: Tags,
    /// Whatever the host keeps with the token.
    pub metadata: Metadata,
}

/// The tags of a token: a set, in order, at most [`Tags::MAX_COUNT`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// The greatest number of tags.
    pub const MAX_COUNT: usize = 32;

    /// Reads tags, one text each; a repeated one counts once.
    ///
    /// # Errors
    ///
    /// [`InvalidAnnotation`] for the first text that is no tag, or if there are too many.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidAnnotation> {
        let mut tags = Vec::new();
        for text in texts {
            let tag = Tag::new(text)?;
            if let Err(at) = tags.binary_search(&tag) {
                if tags.len() == Self::MAX_COUNT {
                    return Err(InvalidAnnotation::TooManyTags);
                }
                tags.insert(at, tag);
            }
        }
        Ok(Self(tags))
    }

    /// The tags, in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A JSON object of the application's, at most [`Metadata::MAX_LEN`] bytes in its compact form. Empty by default.
///
/// Numbers are 64-bit integers or doubles (RFC 8259, section 6). A number that neither holds exactly is refused, so that
/// none is stored as another one: put it into a string. Arrays and objects nest at most [`Metadata::MAX_DEPTH`] deep, and
/// no object has a member twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// The greatest length of the compact form, in bytes.
    pub const MAX_LEN: usize = 4096;

    /// How deep arrays and objects may nest, the object itself counted.
    pub const MAX_DEPTH: usize = 32;

    /// How many characters of a name or a number an error shows.
    const MAX_SHOWN: usize = 64;

    /// Reads a JSON object. White space is left out, and members are sorted by name.
    ///
    /// ```
    /// use counterfoil::Metadata;
    ///
    /// assert_eq!(Metadata::from_json(r#"{"b": 1.5, "a": 2}"#)?.as_json(), r#"{"a":2,"b":1.5}"#);
    /// assert!(Metadata::from_json(r#"{"id": 12345678901234567890123}"#).is_err());
    /// assert!(Metadata::from_json(r#"{"id": "12345678901234567890123"}"#).is_ok());
    /// # Ok::<(), counterfoil::annotation::InvalidAnnotation>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidAnnotation`] if the text is not JSON, not an object, too long or too deep, or has a member twice or a
    /// number that would be changed.
    pub fn from_json(text: &str) -> Result<Self, InvalidAnnotation> {
        // The text as given may be longer by its white space; four times the limit is refused unread.
        if text.len() > 4 * Self::MAX_LEN {
            return Err(InvalidAnnotation::MetadataTooLong { found: text.len() });
        }
        Self::from_value(strict_json::read(text, Self::MAX_DEPTH)?)
    }

    /// The compact form.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, InvalidAnnotation> {
        if !value.is_object() {
            return Err(InvalidAnnotation::NoObject);
        }
        if !nests_within(&value, Self::MAX_DEPTH) {
            return Err(InvalidAnnotation::MetadataTooDeep);
        }
        let text = value.to_string();
        if text.len() > Self::MAX_LEN {
            return Err(InvalidAnnotation::MetadataTooLong { found: text.len() });
        }
        Ok(Self(text))
    }

    pub(crate) fn to_value(&self) -> Value {
        // INVARIANT: the text was written from a value.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == "{}"
    }
}

fn nests_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| nests_within(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|member| nests_within(member, depth - 1)),
        _ => true,
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".into())
    }
}

/// A note that is too long, or not of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAnnotation {
    /// A text that is empty, too long, or holds a control character.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// More than [`Tags::MAX_COUNT`].
    #[error("too many tags, expected at most {}", Tags::MAX_COUNT)]
    TooManyTags,
    /// Metadata in which an object has a member twice.
    #[error("metadata has a member twice, expected each once")]
    RepeatedMember,
    /// Metadata that is no JSON object.
    #[error("metadata is not a json object")]
    NoObject,
    /// Metadata that nest deeper than [`Metadata::MAX_DEPTH`].
    #[error("metadata nest too deep, expected at most {} levels", Metadata::MAX_DEPTH)]
    MetadataTooDeep,
    /// A number in metadata that neither a 64-bit integer nor a double holds exactly.
    #[error("metadata number {text} would be changed: expected a 64-bit integer, an exact double, or a string")]
    InexactNumber {
        /// The number, shortened to 64 characters.
        text: String,
    },
    /// Metadata over [`Metadata::MAX_LEN`].
    #[error("metadata too long: found {found} bytes, expected at most {}", Metadata::MAX_LEN)]
    MetadataTooLong {
        /// The length in bytes.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_with_a_member_twice_is_refused() {
        for (text, expected) in [
            (r#"{"a":1,"b":{"a":2}}"#, Ok(())),
            (r#"{"a":1,"a":2}"#, Err(InvalidAnnotation::RepeatedMember)),
            (r#"{"a":[{"b":1,"b":1}]}"#, Err(InvalidAnnotation::RepeatedMember)),
            (r#"[{"a":1,"a":2}"#, Err(InvalidAnnotation::NoObject)),
        ] {
            assert_eq!(Metadata::from_json(text).map(drop), expected, "{text}");
        }
    }
}
