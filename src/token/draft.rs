//! What a family writes a token from, and into.

use std::fmt;

use zeroize::Zeroizing;

use super::{Token, TokenId};
use crate::{alphabet::Alphabet, text::InvalidText, time::Timestamp};

/// All that a [`Family`](super::Family) may write into a token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Draft<'a> {
    /// The record's id.
    pub id: TokenId,
    /// The selector to print, of the length that the family asked for; empty if it asked for none.
    pub selector: &'a str,
    /// The secret, of the length that the family asked for.
    pub secret: &'a str,
    /// The environment, one of the family's if it has any.
    pub environment: Option<&'a str>,
    /// The routing segment.
    pub routing: Option<&'a str>,
    /// When the token was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// For whom it is meant.
    pub audience: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(id: TokenId, created_at: Timestamp, selector: &'a str, secret: &'a str) -> Self {
        let (environment, routing, expires_at, audience) = (None, None, None, None);
        Self { id, selector, secret, environment, routing, created_at, expires_at, audience }
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({}, ..)", self.id)
    }
}

/// A draft that the family cannot write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDraft {
    /// The environment is none of the family's, or is missing.
    #[error("environment {}: expected {expected}", .found.as_deref().map_or("missing".into(), |found| format!("`{found}`")))]
    Environment {
        /// What was asked for.
        found: Option<String>,
        /// What the family has.
        expected: String,
    },
    /// The routing segment is not of the family's form, or is missing.
    #[error("routing segment: expected {expected}")]
    Routing {
        /// What the family has.
        expected: String,
    },
    /// A text that no token can hold.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// Something of the family's own.
    #[error("the token family cannot write this token: {0}")]
    Other(String),
}

/// The text of a token while a [`Family`](super::Family) writes it, wiped when dropped.
pub struct TokenText {
    text: Zeroizing<String>,
    public_len: usize,
}

impl TokenText {
    /// An empty text with room for `capacity` bytes: text that outgrows it leaves an unwiped copy behind.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { text: Zeroizing::new(String::with_capacity(capacity)), public_len: 0 }
    }

    /// Appends `text`.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// States that all up to here may be shown and logged.
    pub fn end_public(&mut self) {
        self.public_len = self.text.len();
    }

    /// What is written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn push_check(&mut self, alphabet: Alphabet, check: u32) {
        alphabet.encode_check(check, &mut self.text);
    }

    pub(crate) fn finish(self) -> Token {
        Token { text: self.text, public_len: self.public_len }
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}..)", &self.text[..self.public_len])
    }
}
