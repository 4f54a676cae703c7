//! What may be asked for, and what was granted: a ceiling on the bearer, never a grant beyond the owner's rights.

mod catalog;

use std::{fmt, str::FromStr, sync::Arc};

pub use catalog::{CatalogBuilder, InvalidCatalog, Resolved, ScopeCatalog, ScopesRefused, UnknownScopes};

/// One thing that a handler requires and a token may hold, such as `parts:read`.
///
/// ```
/// use counterfoil::Scope;
///
/// let read: Scope = "parts:read".parse()?;
/// assert_eq!(read.as_str(), "parts:read");
/// assert!("parts::read".parse::<Scope>().is_err()); // no empty segment
/// assert!("parts:*".parse::<Scope>().is_err()); // that is a `ScopePattern`
/// # Ok::<(), counterfoil::scope::InvalidScope>(())
/// ```
///
/// # Grammar
///
/// One or more segments joined by `:`, each of one or more of the characters of an RFC 6749 `scope-token` (section
/// 3.3: printable ASCII but space, `"` and `\`) without `:` and `*`; at most [`Scope::MAX_LEN`] bytes. Scopes are
/// compared byte by byte: `Parts:read` is another scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct Scope(Arc<str>);

impl Scope {
    /// The greatest length of a scope and of a pattern, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The scope as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        check_segments(text, text.len())?;
        Ok(Self(text.into()))
    }
}

/// Every scope below a stem, such as `collections:*`; what a token may hold, never what a handler requires.
///
/// ```
/// use counterfoil::{Scope, ScopePattern};
///
/// let all: ScopePattern = "collections:*".parse()?;
/// for (scope, matched) in [
///     ("collections:7", true),
///     ("collections:eu:7", true), // one or more segments
///     ("collections", false),
///     ("collectionsx:7", false),
/// ] {
///     assert_eq!(all.matches(&scope.parse()?), matched, "{scope}");
/// }
/// assert!("*".parse::<ScopePattern>().is_err()); // a token cannot hold everything
/// # Ok::<(), counterfoil::scope::InvalidScope>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct ScopePattern(Arc<str>);

impl ScopePattern {
    /// The pattern as it is written, with its `*`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `scope` lies below the stem.
    pub fn matches(&self, scope: &Scope) -> bool {
        scope.0.starts_with(self.stem())
    }

    /// Whether every scope that this pattern matches is matched by `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        self.stem().starts_with(other.stem())
    }

    /// The text before the `*`, which ends in `:`. A scope that starts with it has at least one segment more, since no
    /// segment is empty.
    fn stem(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }
}

impl FromStr for ScopePattern {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let stem = text.strip_suffix(":*").ok_or(InvalidScope::NoPattern)?;
        check_segments(stem, text.len())?;
        Ok(Self(text.into()))
    }
}

fn check_segments(text: &str, length: usize) -> Result<(), InvalidScope> {
    if length > Scope::MAX_LEN {
        return Err(InvalidScope::TooLong { found: length });
    }
    let mut segment_is_empty = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b':' if segment_is_empty => return Err(InvalidScope::EmptySegment { at }),
            b':' => segment_is_empty = true,
            b'*' => return Err(InvalidScope::Star { at }),
            0x21 | 0x23..=0x5b | 0x5d..=0x7e => segment_is_empty = false,
            _ => return Err(InvalidScope::Character { byte, at }),
        }
    }
    if segment_is_empty {
        return Err(InvalidScope::EmptySegment { at: text.len() });
    }
    Ok(())
}

/// The scopes and patterns that a token holds: a set, in order, at most [`Scopes::MAX_COUNT`].
///
/// ```
/// use counterfoil::{Scope, Scopes};
///
/// let held: Scopes = "parts:read collections:*".parse()?;
/// assert!(held.allow(&"parts:read".parse()?));
/// assert!(!held.allow(&"parts:reads".parse()?));
/// assert!(!Scopes::none().allow(&"parts:read".parse()?)); // no scopes, no rights
/// assert_eq!(held.to_string(), "parts:read collections:*");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The text form is that of an RFC 6749 `scope` parameter: joined by single spaces, where the empty text is no scopes.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "Vec<String>", try_from = "Vec<String>"))]
pub struct Scopes {
    exact: Vec<Scope>,
    patterns: Vec<ScopePattern>,
}

impl Scopes {
    /// The greatest number of scopes and patterns together.
    pub const MAX_COUNT: usize = 128;

    /// No scopes, which allow nothing.
    pub const fn none() -> Self {
        Self { exact: Vec::new(), patterns: Vec::new() }
    }

    /// Reads scopes and patterns, one text each; a repeated one counts once.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] for the first text that is neither, or if there are too many.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        let mut scopes = Self::none();
        for text in texts {
            if text.ends_with('*') {
                scopes.insert_pattern(text.parse()?)?;
            } else {
                scopes.insert(text.parse()?)?;
            }
        }
        Ok(scopes)
    }

    /// Adds a scope.
    ///
    /// # Errors
    ///
    /// [`InvalidScope::TooMany`] if the set is full.
    pub fn insert(&mut self, scope: Scope) -> Result<(), InvalidScope> {
        if let Err(at) = self.exact.binary_search(&scope) {
            self.check_room()?;
            self.exact.insert(at, scope);
        }
        Ok(())
    }

    /// Adds a pattern.
    ///
    /// # Errors
    ///
    /// [`InvalidScope::TooMany`] if the set is full.
    pub fn insert_pattern(&mut self, pattern: ScopePattern) -> Result<(), InvalidScope> {
        if let Err(at) = self.patterns.binary_search(&pattern) {
            self.check_room()?;
            self.patterns.insert(at, pattern);
        }
        Ok(())
    }

    /// Whether `required` is held, as it stands or by a pattern.
    pub fn allow(&self, required: &Scope) -> bool {
        self.exact.binary_search(required).is_ok() || self.patterns.iter().any(|pattern| pattern.matches(required))
    }

    /// Whether everything that `other` allows is allowed here too.
    pub fn cover(&self, other: &Self) -> bool {
        other.beyond(self).is_empty()
    }

    /// Those of these scopes and patterns that `other` does not cover.
    pub fn beyond(&self, other: &Self) -> Self {
        let is_within = |inner: &ScopePattern| other.patterns.iter().any(|outer| inner.is_within(outer));
        Self {
            exact: self.exact.iter().filter(|scope| !other.allow(scope)).cloned().collect(),
            patterns: self.patterns.iter().filter(|inner| !is_within(inner)).cloned().collect(),
        }
    }

    /// What both allow, as far as a set can hold it: two sets with patterns can allow more than
    /// [`MAX_COUNT`](Self::MAX_COUNT) scopes together, and what is over is left out, which allows less and never more.
    pub fn intersection(&self, other: &Self) -> Self {
        let exact =
            |from: &Self, by: &Self| from.exact.iter().filter(|scope| by.allow(scope)).cloned().collect::<Vec<_>>();
        let narrower = |from: &Self, by: &Self| {
            from.patterns
                .iter()
                .filter(|inner| by.patterns.iter().any(|outer| inner.is_within(outer)))
                .cloned()
                .collect()
        };
        let mut both = Self { exact: exact(self, other), patterns: narrower(self, other) };
        both.exact.extend(exact(other, self));
        both.patterns.extend(narrower(other, self) as Vec<_>);
        both.exact.sort();
        both.exact.dedup();
        both.patterns.sort();
        both.patterns.dedup();
        both.patterns.truncate(Self::MAX_COUNT);
        both.exact.truncate(Self::MAX_COUNT - both.patterns.len());
        both
    }

    /// The exact scopes, in byte order.
    pub fn exact(&self) -> impl Iterator<Item = &Scope> {
        self.exact.iter()
    }

    /// The patterns, in byte order.
    pub fn patterns(&self) -> impl Iterator<Item = &ScopePattern> {
        self.patterns.iter()
    }

    /// The texts of all, the exact ones first.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.exact.iter().map(Scope::as_str).chain(self.patterns.iter().map(ScopePattern::as_str))
    }

    /// How many scopes and patterns there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check_room(&self) -> Result<(), InvalidScope> {
        if self.len() >= Self::MAX_COUNT {
            return Err(InvalidScope::TooMany);
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Ok(Self::none());
        }
        Self::from_texts(text.split(' '))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.texts().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(text)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts()).finish()
    }
}

impl From<Scopes> for Vec<String> {
    fn from(scopes: Scopes) -> Self {
        scopes.texts().map(str::to_owned).collect()
    }
}

impl TryFrom<Vec<String>> for Scopes {
    type Error = InvalidScope;

    fn try_from(texts: Vec<String>) -> Result<Self, InvalidScope> {
        Self::from_texts(texts.iter().map(String::as_str))
    }
}

macro_rules! text_forms {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self.0)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0.as_ref().to_owned()
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidScope;

            fn try_from(text: String) -> Result<Self, InvalidScope> {
                text.parse()
            }
        }
    };
}

text_forms!(Scope);
text_forms!(ScopePattern);

/// A text that is no scope, no pattern, or one too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// Longer than [`Scope::MAX_LEN`].
    #[error("scope too long: found {found} bytes, expected at most {}", Scope::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// Two separators in a row, one at an end, or no text at all.
    #[error("empty scope segment at byte {at}: expected at least one character between separators")]
    EmptySegment {
        /// Where the segment should begin.
        at: usize,
    },
    /// A byte that RFC 6749 does not allow in a scope.
    #[error("byte {byte:#04x} at {at} in a scope: expected printable ascii without space, quote and backslash")]
    Character {
        /// The byte.
        byte: u8,
        /// Where it stands.
        at: usize,
    },
    /// A `*` that is not the whole last segment of a pattern.
    #[error("`*` at byte {at} of a scope: expected it alone as the last segment of a pattern, after another segment")]
    Star {
        /// Where it stands.
        at: usize,
    },
    /// A pattern that does not end in a segment `*` below another segment.
    #[error("scope pattern does not end in `:*`")]
    NoPattern,
    /// More than [`Scopes::MAX_COUNT`].
    #[error("too many scopes: expected at most {}", Scopes::MAX_COUNT)]
    TooMany,
}

/// The token is good, and does not hold the scope that was demanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope `{scope}` is required")]
pub struct MissingScope {
    /// Which.
    pub scope: Scope,
}
