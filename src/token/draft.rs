//! What a family writes a token from, and into.

use std::fmt;

use zeroize::Zeroizing;

use super::{Token, TokenId};
use crate::{
    alphabet::Alphabet, restriction::Restrictions, scope::Scopes, subject::Owner, text::InvalidText, time::Timestamp,
};

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
    /// On whose behalf the token acts.
    pub owner: &'a Owner,
    /// The environment, one of the family's if it has any.
    pub environment: Option<&'a str>,
    /// The routing segment.
    pub routing: Option<&'a str>,
    /// When this text is written: at a rotation later than the record was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What the bearer may do.
    pub scopes: &'a Scopes,
    /// Where the token may be used, and for whom it is meant.
    pub restrictions: &'a Restrictions,
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
    /// More text than the family's tokens have room for.
    #[error(
        "token would be {found} bytes long, expected at most {limit}: fewer or shorter scopes and restrictions fit"
    )]
    TooLong {
        /// The length in bytes.
        found: usize,
        /// The greatest length in bytes.
        limit: usize,
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
    end: Option<Timestamp>,
}

impl TokenText {
    /// An empty text with room for `capacity` bytes: text that outgrows it leaves an unwiped copy behind.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { text: Zeroizing::new(String::with_capacity(capacity)), public_len: 0, end: None }
    }

    /// Appends `text`.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// States that all up to here may be shown and logged.
    pub fn end_public(&mut self) {
        self.public_len = self.text.len();
    }

    /// States that the text itself names `end`, for whoever reads it without asking: the record is then
    /// [given no later one](crate::Record::text_end).
    pub fn states_end(&mut self, end: Timestamp) {
        self.end = Some(end);
    }

    /// What is written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn push_check(&mut self, alphabet: Alphabet, check: u32) {
        alphabet.encode_check(check, &mut self.text);
    }

    pub(crate) fn finish(self) -> Token {
        Token { text: self.text, public_len: self.public_len, end: self.end }
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}..)", &self.text[..self.public_len])
    }
}
