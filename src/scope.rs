//! What may be asked for, and what was granted: a ceiling on the bearer, never a grant beyond the owner's rights.

mod catalog;
mod error;

use std::{fmt, str::FromStr, sync::Arc};

pub use catalog::{CatalogBuilder, InvalidCatalog, Resolved, ScopeCatalog, ScopesRefused, UnknownScopes};
pub use error::InvalidScope;

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
/// 3.3: printable ASCII without space, `"` and `\`) except `:`, `*`, `,` and `;`; at most [`Scope::MAX_LEN`] bytes.
/// A comma or semicolon is nearly always meant as a separator, so it is an error instead of a part of the scope. Scopes
/// are compared byte by byte: `Parts:read` and `parts:read` are different scopes.
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
        if text.len() <= Self::MAX_LEN && text != "*" && text.ends_with(":*") {
            return Err(InvalidScope::Pattern { found: text.into() });
        }
        check_segments(text, text)?;
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
        let Some(stem) = text.strip_suffix(":*") else {
            // A defect of its characters is the better hint.
            check_segments(text, text)?;
            return Err(InvalidScope::NoPattern { found: text.into() });
        };
        check_segments(stem, text)?;
        Ok(Self(text.into()))
    }
}

/// Checks `text`, which is all of `whole` or the stem of a pattern.
fn check_segments(text: &str, whole: &str) -> Result<(), InvalidScope> {
    if whole.len() > Scope::MAX_LEN {
        return Err(InvalidScope::TooLong { found: whole.len() });
    }
    let found = || whole.to_owned();
    match whole {
        "" => return Err(InvalidScope::Empty),
        "*" => return Err(InvalidScope::Everything),
        _ => {}
    }
    let mut segment_is_empty = true;
    for (at, character) in text.char_indices() {
        match character {
            ':' if segment_is_empty => return Err(InvalidScope::EmptySegment { at, found: found() }),
            ':' => segment_is_empty = true,
            '*' => return Err(InvalidScope::Star { at, found: found() }),
            ' ' | ',' | ';' => return Err(InvalidScope::Separator { character, at, found: found() }),
            '"' | '\\' => return Err(InvalidScope::Character { character, at, found: found() }),
            _ if character.is_ascii_graphic() => segment_is_empty = false,
            _ => return Err(InvalidScope::Character { character, at, found: found() }),
        }
    }
    if segment_is_empty {
        return Err(InvalidScope::EmptySegment { at: text.len(), found: found() });
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
        let is_extra = |at: &usize| matches!(text.as_bytes().get(at + 1), None | Some(b' ')) || *at == 0;
        if let Some(at) = text.match_indices(' ').map(|(at, _)| at).find(is_extra) {
            return Err(InvalidScope::ExtraSpace { at });
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

/// The token is good, and does not hold the scope that was demanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope `{scope}` is required")]
pub struct MissingScope {
    /// Which.
    pub scope: Scope,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn invalid_scope_says_what_was_found_and_what_was_expected() {
        let allowed = "expected printable ASCII except `\"` and `\\`";
        let single = "expected a single scope; in a text with several scopes, separate them by single spaces";
        let between = "expected one `:` between segments and none at an end";
        let star = "expected it only as the last segment of a pattern such as `parts:*`";
        let everything =
            "a token cannot hold every scope; list the scopes, or use a pattern below a segment such as `parts:*`";
        for (text, expected) in [
            ("", "empty scope: expected 1 to 128 bytes, such as `parts:read`".to_owned()),
            ("*", format!("scope \"*\": {everything}")),
            ("a,b", format!("',' at byte 1 of scope \"a,b\": {single}")),
            ("a, b", format!("',' at byte 1 of scope \"a, b\": {single}")),
            ("a;b", format!("';' at byte 1 of scope \"a;b\": {single}")),
            ("parts:read,parts:write", format!("',' at byte 10 of scope \"parts:read,parts:write\": {single}")),
            ("a b", format!("' ' at byte 1 of scope \"a b\": {single}")),
            ("parts:read ", format!("' ' at byte 10 of scope \"parts:read \": {single}")),
            ("a\tb", format!("'\\t' at byte 1 of scope \"a\\tb\": {allowed}")),
            ("a\n", format!("'\\n' at byte 1 of scope \"a\\n\": {allowed}")),
            ("\"a\"", format!("'\"' at byte 0 of scope \"\\\"a\\\"\": {allowed}")),
            ("a\\b", format!("'\\\\' at byte 1 of scope \"a\\\\b\": {allowed}")),
            ("lese:ger\u{e4}t", format!("'ä' at byte 8 of scope \"lese:gerät\": {allowed}")),
            ("a\u{202e}", format!("'\\u{{202e}}' at byte 1 of scope \"a\\u{{202e}}\": {allowed}")),
            (":", format!("empty segment at byte 0 of scope \":\": {between}")),
            ("a::b", format!("empty segment at byte 2 of scope \"a::b\": {between}")),
            ("a:", format!("empty segment at byte 2 of scope \"a:\": {between}")),
            ("parts*", format!("`*` at byte 5 of scope \"parts*\": {star}")),
            ("*:read", format!("`*` at byte 0 of scope \"*:read\": {star}")),
            (
                "parts:*",
                "\"parts:*\" is a pattern: expected a single scope; patterns are a `ScopePattern` or part of `Scopes`"
                    .to_owned(),
            ),
            (&"a".repeat(129), "scope too long: found 129 bytes, expected at most 128".to_owned()),
        ] {
            assert_eq!(text.parse::<Scope>().unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn invalid_list_of_scopes_says_what_was_found_and_what_was_expected() {
        let spaces = "of a list of scopes: expected single spaces between scopes and none at an end";
        for (text, expected) in [
            (" ", format!("extra space at byte 0 {spaces}")),
            (" a", format!("extra space at byte 0 {spaces}")),
            ("a ", format!("extra space at byte 1 {spaces}")),
            ("a  b", format!("extra space at byte 1 {spaces}")),
            ("a b  c", format!("extra space at byte 3 {spaces}")),
            (
                "parts:read *",
                "scope \"*\": a token cannot hold every scope; list the scopes, or use a pattern below a segment such as \
                 `parts:*`"
                    .to_owned(),
            ),
            (
                "c a,b",
                "',' at byte 1 of scope \"a,b\": expected a single scope; in a text with several scopes, separate them by \
                 single spaces"
                    .to_owned(),
            ),
            (
                "parts:*:read*",
                "`*` at byte 6 of scope \"parts:*:read*\": expected it only as the last segment of a pattern such as \
                 `parts:*`"
                    .to_owned(),
            ),
        ] {
            assert_eq!(text.parse::<Scopes>().unwrap_err().to_string(), expected, "{text:?}");
        }
        let elements = Scopes::from_texts(["a", ""]).unwrap_err();
        assert_eq!(elements, InvalidScope::Empty);
        let many: Vec<_> = (0..129).map(|number| format!("a{number}")).collect();
        let many = Scopes::from_texts(many.iter().map(String::as_str)).unwrap_err();
        assert_eq!(many.to_string(), "too many scopes: found more than 128, expected at most 128");
    }

    #[test]
    fn invalid_pattern_says_what_was_found_and_what_was_expected() {
        for (text, expected) in [
            ("parts:read", "\"parts:read\" is not a pattern: expected a last segment `*`, such as `parts:*`"),
            ("", "empty scope: expected 1 to 128 bytes, such as `parts:read`"),
            (":*", "empty segment at byte 0 of scope \":*\": expected one `:` between segments and none at an end"),
        ] {
            assert_eq!(text.parse::<ScopePattern>().unwrap_err().to_string(), expected, "{text:?}");
        }
        assert_eq!("*".parse::<ScopePattern>(), Err(InvalidScope::Everything));
    }

    #[test]
    fn scope_of_greatest_length_is_accepted_and_one_byte_more_is_not() {
        for (length, is_accepted) in [(Scope::MAX_LEN - 1, true), (Scope::MAX_LEN, true), (Scope::MAX_LEN + 1, false)] {
            assert_eq!("a".repeat(length).parse::<Scope>().is_ok(), is_accepted, "scope of {length} bytes");
            let pattern = format!("{}:*", "a".repeat(length - 2));
            assert_eq!(pattern.parse::<ScopePattern>().is_ok(), is_accepted, "pattern of {length} bytes");
            assert_eq!(pattern.parse::<Scopes>().is_ok(), is_accepted, "list of a pattern of {length} bytes");
            // The limit is on each scope, not on the list.
            let list = format!("b {}", "a".repeat(length));
            assert_eq!(list.parse::<Scopes>().is_ok(), is_accepted, "list with a scope of {length} bytes");
        }
    }

    #[test]
    fn scopes_are_compared_byte_by_byte() {
        let read: Scope = "parts:read".parse().unwrap();
        let held: Scopes = "parts:read Collections:*".parse().unwrap();
        for other in ["Parts:read", "parts:Read", "PARTS:READ", "parts:reads", "parts:rea", "arts:read"] {
            let other: Scope = other.parse().unwrap();
            assert_ne!(other, read);
            assert!(!held.allow(&other), "{other}");
        }
        assert!(held.allow(&read));
        assert!(held.allow(&"Collections:7".parse().unwrap()));
        assert!(!held.allow(&"collections:7".parse().unwrap()));
        // Two spellings are two scopes, in a set, in its text and in what both of two sets allow.
        let both: Scopes = "parts:read Parts:read parts:read".parse().unwrap();
        assert_eq!(both.to_string(), "Parts:read parts:read");
        assert_eq!(both.intersection(&held).to_string(), "parts:read");
        let [lower, upper]: [ScopePattern; 2] = ["a:*", "A:*"].map(|text| text.parse().unwrap());
        assert!(!lower.is_within(&upper) && lower.is_within(&lower));
    }

    /// Two sets of one pattern and many scopes each, which share as many scopes as both hold together.
    #[test]
    fn intersection_past_the_greatest_count_leaves_scopes_out() {
        let set = |pattern: &str, scopes: &mut dyn Iterator<Item = String>| {
            let texts: Vec<_> = scopes.chain([pattern.to_owned()]).collect();
            Scopes::from_texts(texts.iter().map(String::as_str)).unwrap()
        };
        // How many scopes each side has besides its pattern → how many scopes both allow.
        for (each, expected) in [(63, 126), (64, 128), (65, 128), (127, 128)] {
            let left = set("a:*", &mut (0..each).map(|number| format!("b:{number:03}")));
            let right = set("b:*", &mut (0..each).map(|number| format!("a:{number:03}")));
            let both = left.intersection(&right);
            assert_eq!(both.len(), expected, "{each} scopes on each side");
            assert_eq!(both, right.intersection(&left));
            assert!(left.cover(&both) && right.cover(&both));
            // What is left out is the end of the order, and the result is a set that can be stored and read back.
            assert!(both.allow(&"a:000".parse().unwrap()));
            assert_eq!(both.to_string().parse::<Scopes>().unwrap(), both);
        }
    }
}
