//! The defects of scopes, patterns and lists of them.

use super::{Scope, Scopes};

/// A text that is not a scope, a pattern or a list of them.
///
/// The messages quote the text, with control characters escaped, and say how to write what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// No text at all, as one scope or as one element of a list.
    #[error("empty scope: expected 1 to {} bytes, such as `parts:read`", Scope::MAX_LEN)]
    Empty,
    /// Longer than [`Scope::MAX_LEN`].
    #[error("scope too long: found {found} bytes, expected at most {}", Scope::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// Two `:` in a row, or one at an end.
    #[error("empty segment at byte {at} of scope {found:?}: expected one `:` between segments and none at an end")]
    EmptySegment {
        /// The byte where a segment should begin.
        at: usize,
        /// The whole text.
        found: String,
    },
    /// A separator that does not belong into a single scope.
    #[error(
        "{character:?} at byte {at} of scope {found:?}: expected a single scope; in a text with several scopes, \
         separate them by single spaces"
    )]
    Separator {
        /// A space, a comma or a semicolon.
        character: char,
        /// Its first byte.
        at: usize,
        /// The whole text.
        found: String,
    },
    /// A character that RFC 6749 does not allow in a scope.
    #[error("{character:?} at byte {at} of scope {found:?}: expected printable ASCII except `\"` and `\\`")]
    Character {
        /// The character.
        character: char,
        /// Its first byte.
        at: usize,
        /// The whole text.
        found: String,
    },
    /// The pattern `*`, which would match every scope.
    #[error(
        "scope \"*\": a token cannot hold every scope; list the scopes, or use a pattern below a segment such as `parts:*`"
    )]
    Everything,
    /// A `*` that is not the whole last segment of a pattern.
    #[error("`*` at byte {at} of scope {found:?}: expected it only as the last segment of a pattern such as `parts:*`")]
    Star {
        /// The byte of the first one.
        at: usize,
        /// The whole text.
        found: String,
    },
    /// A pattern where a single scope is expected.
    #[error("{found:?} is a pattern: expected a single scope; patterns are a `ScopePattern` or part of `Scopes`")]
    Pattern {
        /// The whole text.
        found: String,
    },
    /// A single scope where a pattern is expected.
    #[error("{found:?} is not a pattern: expected a last segment `*`, such as `parts:*`")]
    NoPattern {
        /// The whole text.
        found: String,
    },
    /// Two spaces in a row between scopes, or one at an end.
    #[error("extra space at byte {at} of a list of scopes: expected single spaces between scopes and none at an end")]
    ExtraSpace {
        /// The byte of the space.
        at: usize,
    },
    /// More than [`Scopes::MAX_COUNT`].
    #[error("too many scopes: found more than {max}, expected at most {max}", max = Scopes::MAX_COUNT)]
    TooMany,
}
