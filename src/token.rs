//! The half that is handed out: its text, and what the text shows.

mod builder;
mod characters;
mod draft;
mod environment;
mod families;
mod format;
mod id;
mod imported;
mod parse;
mod selector;
mod shape;

use std::fmt;

use zeroize::Zeroizing;

pub use builder::{FormatBuilder, InvalidFormat};
pub use characters::CharacterSet;
pub use draft::{Draft, InvalidDraft, TokenText};
pub use environment::Environment;
pub use families::{AmbiguousFamilies, Families, Family, Head, Needs};
pub use format::{Checksum, TokenFormat};
pub use id::{InvalidTokenId, TokenId};
pub use imported::{ImportedFormat, ImportedFormatBuilder};
pub use parse::{Malformed, ParseError};
pub use selector::{InvalidSelector, Selector};
pub use shape::Shape;

use crate::{digest::ImportedDigests, time::Timestamp};

/// A token as it was minted: the only time its text can be seen.
///
/// The text is wiped when the token is dropped. [`expose`](Self::expose) is the only door to it; `Debug` shows the
/// public part. There is deliberately no `Display`, `Clone`, `PartialEq` or `Serialize`:
///
/// ```compile_fail,E0277
/// fn log(token: counterfoil::Token) {
///     println!("{token}");
/// }
/// ```
/// ```compile_fail,E0599
/// fn keep(token: &counterfoil::Token) -> counterfoil::Token {
///     <counterfoil::Token as Clone>::clone(token)
/// }
/// ```
#[must_use = "the text of a token can be seen only now"]
pub struct Token {
    text: Zeroizing<String>,
    public_len: usize,
    /// The end that the text itself names.
    pub(crate) end: Option<Timestamp>,
}

impl Token {
    /// The whole text, to be shown once and stored nowhere.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The part that may be shown and logged: all before the secret.
    pub fn public(&self) -> &str {
        &self.text[..self.public_len]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}..)", self.public())
    }
}

/// A text that a family has read as one of its own, and nothing more: it proves nothing yet.
///
/// It borrows the text, and a selector that is no part of the text is held by value, so reading a token allocates
/// nothing. `Debug` shows the public part alone.
#[derive(Clone, Copy)]
pub struct Presented<'t> {
    pub(crate) text: &'t str,
    public_len: usize,
    pub(crate) printed: Option<Printed<'t>>,
    environment: Option<&'t str>,
    routing: Option<&'t str>,
    pub(crate) tag: Option<Tag>,
    pub(crate) imports: Option<Imports<'t>>,
}

/// The digests of other software that a family accepts, and what in this text is the secret that they may be over.
#[derive(Clone, Copy)]
pub(crate) struct Imports<'t> {
    pub(crate) accepted: ImportedDigests,
    pub(crate) secret: Option<&'t str>,
}

/// A selector that the text prints: the segment itself, or what another family has read out of its text.
#[derive(Clone, Copy)]
pub(crate) enum Printed<'t> {
    Segment(&'t [u8]),
    Given(Selector),
}

impl Printed<'_> {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Segment(bytes) => bytes,
            Self::Given(given) => given.as_bytes(),
        }
    }

    /// Whether it is this selector.
    #[inline]
    pub(crate) fn is(&self, selector: &Selector) -> bool {
        self.as_bytes() == selector.as_bytes()
    }
}

/// A keyed checksum as it was presented: over the text before it.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    pub(crate) covered: usize,
    pub(crate) value: u32,
}

impl<'t> Presented<'t> {
    /// A presented token whose record is found by `selector`; without one, by a keyed hash of the text.
    ///
    /// For authors of a [`Family`]. The first `public_len` bytes of `text` are what `Debug` shows.
    pub fn new(text: &'t str, public_len: usize, selector: Option<Selector>) -> Self {
        let public_len = if text.is_char_boundary(public_len) { public_len } else { 0 };
        let printed = selector.map(Printed::Given);
        Self { text, public_len, printed, environment: None, routing: None, tag: None, imports: None }
    }

    /// With digests of other software that may stand for this token until its first use, and the part of the text that
    /// is the secret: without it, such digests are over the whole text alone.
    ///
    /// For a family whose tokens are to be [imported](crate::import); it must be able to
    /// [complete](Family::complete) a public part as well.
    pub fn accepting(mut self, digests: ImportedDigests, secret: Option<&'t str>) -> Self {
        self.imports = (!digests.is_none()).then_some(Imports { accepted: digests, secret });
        self
    }

    /// With the environment that the text names.
    pub fn in_environment(mut self, environment: Option<&'t str>) -> Self {
        self.environment = environment;
        self
    }

    /// With the routing segment of the text.
    pub fn routed(mut self, routing: Option<&'t str>) -> Self {
        self.routing = routing;
        self
    }

    /// The part that may be shown and logged.
    pub fn public(&self) -> &'t str {
        &self.text[..self.public_len]
    }

    /// What finds the record, where the text prints it.
    pub fn selector(&self) -> Option<Selector> {
        self.printed.map(Selector::from)
    }

    /// The environment that the text names.
    #[inline]
    pub fn environment(&self) -> Option<&'t str> {
        self.environment
    }

    /// The routing segment of the text: a hint on where to look, never a fact to authorize by.
    pub fn routing(&self) -> Option<&'t str> {
        self.routing
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({}..)", self.public())
    }
}
