//! The grammar of tokens that other software made.

use std::ops::RangeInclusive;

use super::{
    CharacterSet, Draft, Family, Head, InvalidDraft, InvalidFormat, Malformed, Needs, ParseError, Presented, Selector,
    Shape, TokenFormat, TokenText,
};
use crate::{alphabet::Alphabet, digest::ImportedDigests};

/// The grammar of tokens that other software made: read, and never minted.
///
/// [`TokenFormat`] describes texts with a prefix, a `_` and fixed widths. Use this format for all other texts: without a
/// prefix, with another separator, or with widths that vary from token to token.
///
/// ```
/// use counterfoil::{
///     Families, TokenFormat,
///     digest::ImportedDigests,
///     token::{CharacterSet, ImportedFormat},
/// };
///
/// // `17|` and 40 letters and digits, as Laravel Sanctum 3.2 makes them.
/// let sanctum = ImportedFormat::builder("")
///     .selector(CharacterSet::DIGITS, 1..=20, "|")
///     .secret(CharacterSet::BASE62, 40..=40)
///     .accepts_imported(ImportedDigests { sha256: true, ..ImportedDigests::default() })
///     .build()?;
/// let families = Families::minting(TokenFormat::builder("acme").build()?).accepting(sanctum)?;
/// assert!(families.parse("17|0123456789abcdefghijABCDEFGHIJ0123456789").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Grammar
///
/// ```text
/// prefix [ selector separator ] secret-prefix secret
/// ```
///
/// The public part of an [`Import`](crate::Import) is all before the separator. In a format without a selector it is all
/// before the secret, and as much of its [hint](ImportedFormatBuilder::hint) as is known.
/// [`Over::Secret`](crate::digest::Over::Secret) is the secret together with its prefix. A checksum of the other software
/// is a part of the secret and is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFormat {
    prefix: Box<str>,
    selector: Option<Selecting>,
    secret_prefix: Box<str>,
    secret: (CharacterSet, Widths),
    hint: usize,
    imports: ImportedDigests,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selecting {
    set: CharacterSet,
    widths: Widths,
    separator: Box<str>,
}

type Widths = RangeInclusive<usize>;

impl ImportedFormat {
    /// The greatest length of a token, in bytes.
    pub const MAX_LEN: usize = TokenFormat::MAX_LEN;

    /// Begins a format whose texts all begin with `prefix`, which may be empty.
    pub fn builder(prefix: &str) -> ImportedFormatBuilder {
        let format = Self {
            prefix: prefix.into(),
            selector: None,
            secret_prefix: "".into(),
            secret: (CharacterSet::BASE62, 0..=0),
            hint: 0,
            imports: ImportedDigests::default(),
        };
        ImportedFormatBuilder { format }
    }

    fn shape(&self) -> Shape {
        let mut shape = Shape::new().literal(&self.prefix);
        if let Some(Selecting { set, widths, separator }) = &self.selector {
            shape = shape.run(*set, widths.clone()).literal(separator);
        }
        let (set, widths) = &self.secret;
        shape.literal(&self.secret_prefix).run(*set, widths.clone())
    }

    /// The parts of `text`: where the public part ends, the selector, and where the secret begins.
    fn split<'t>(&self, text: &'t str) -> Result<(usize, Option<&'t str>, usize), Malformed> {
        let mut at = self.prefix.len();
        let mut selector = None;
        let mut public_len = at;
        if let Some(Selecting { set, widths, separator }) = &self.selector {
            let run = text.as_bytes()[at..].iter().take_while(|byte| set.contains(**byte)).count();
            // Without a separator the width is fixed, and the secret may go on in the same characters.
            let width = if separator.is_empty() { run.min(*widths.end()) } else { run };
            if !widths.contains(&width) {
                return Err(Malformed::Shape);
            }
            selector = text.get(at..at + width);
            public_len = at + width;
            at = public_len + separator.len();
            if !text[public_len..].starts_with(&**separator) {
                return Err(Malformed::Shape);
            }
        }
        let secret = &text[at..];
        let body = secret.strip_prefix(&*self.secret_prefix).ok_or(Malformed::Shape)?;
        let (set, widths) = &self.secret;
        if !body.bytes().all(|byte| set.contains(byte)) {
            return Err(Malformed::Character);
        }
        if !widths.contains(&body.len()) {
            return Err(Malformed::Shape);
        }
        if self.selector.is_none() {
            public_len = at + self.secret_prefix.len() + self.hint;
        }
        Ok((public_len, selector, at))
    }
}

impl Family for ImportedFormat {
    fn heads(&self) -> Vec<Head> {
        let (mut shortest, mut longest) = (self.prefix.len() + self.secret_prefix.len(), 0);
        longest += shortest + self.secret.1.end();
        shortest += self.secret.1.start();
        let mut text = self.prefix.to_string();
        match &self.selector {
            Some(Selecting { widths, separator, .. }) => {
                shortest += widths.start() + separator.len();
                longest += widths.end() + separator.len();
            }
            None => text += &self.secret_prefix,
        }
        vec![Head { text, shortest, longest }]
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![self.shape()]
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let Some(rest) = text.strip_prefix(&*self.prefix) else { return Err(ParseError::NotOurs) };
        // Without a prefix nothing but the whole text shows that it is one of these.
        let is_named = !self.prefix.is_empty() || self.selector.is_none() && !self.secret_prefix.is_empty();
        if self.prefix.is_empty() && is_named && !rest.starts_with(&*self.secret_prefix) {
            return Err(ParseError::NotOurs);
        }
        let refused = |reason: Malformed| if is_named { reason.into() } else { ParseError::NotOurs };
        if text.len() > Self::MAX_LEN {
            return Err(refused(Malformed::TooLong { found: text.len(), limit: Self::MAX_LEN }));
        }
        if !text.is_ascii() {
            return Err(refused(Malformed::Character));
        }
        let (public_len, selector, secret_at) = self.split(text).map_err(refused)?;
        let selector =
            selector.map(|text| Selector::printed(text).map_err(|_| refused(Malformed::Shape))).transpose()?;
        Ok(Presented::new(text, public_len, selector).accepting(self.imports, text.get(secret_at..)))
    }

    fn needs(&self) -> Needs {
        Needs { selector: None, secret: (Alphabet::Base62, 32), keyed_check: None }
    }

    fn write(&self, _: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        Err(InvalidDraft::Other("tokens of an imported format are read, and not minted".into()))
    }

    fn complete(&self, public: &str) -> Option<String> {
        let (set, widths) = &self.secret;
        let mut text = public.to_owned();
        let mut shown = 0;
        match &self.selector {
            Some(Selecting { separator, .. }) => {
                text += separator;
                text += &self.secret_prefix;
            }
            None => {
                let rest = public.strip_prefix(&*self.prefix)?.strip_prefix(&*self.secret_prefix)?;
                shown = rest.len();
            }
        }
        let missing = widths.start().checked_sub(shown)?;
        text.extend(std::iter::repeat_n(set.first()?, missing));
        Some(text)
    }
}

/// Collects an [`ImportedFormat`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ImportedFormatBuilder {
    format: ImportedFormat,
}

impl ImportedFormatBuilder {
    /// The segment that finds the record, and the text behind it: letters, digits, `-` and `_`, at most 40 of them.
    ///
    /// No character of the segment may be the first one of `separator`, since no text could be split then. An empty
    /// separator needs a fixed width.
    ///
    /// Without a segment, records are found by a hash of the token.
    pub fn selector(mut self, set: CharacterSet, widths: RangeInclusive<usize>, separator: &str) -> Self {
        self.format.selector = Some(Selecting { set, widths, separator: separator.into() });
        self
    }

    /// The secret: at least 128 bits where it is shortest, the hint not counted.
    ///
    /// State every width that can occur, not only the usual ones. Base58 and base64 of random bytes are shorter when the
    /// first bytes happen to be small.
    pub fn secret(mut self, set: CharacterSet, widths: RangeInclusive<usize>) -> Self {
        self.format.secret = (set, widths);
        self
    }

    /// The text that every secret begins with, where the other software hashes it together with the secret.
    pub fn secret_prefix(mut self, text: &str) -> Self {
        self.format.secret_prefix = text.into();
        self
    }

    /// The number of first characters of the secret that the public part may show: for formats without a selector.
    pub fn hint(mut self, width: usize) -> Self {
        self.format.hint = width;
        self
    }

    /// The digests that are accepted until their first use. By default none is, so that only tokens that were used since
    /// their import verify.
    pub fn accepts_imported(mut self, digests: ImportedDigests) -> Self {
        self.format.imports = digests;
        self
    }

    /// The format.
    ///
    /// # Errors
    ///
    /// [`InvalidFormat`] for a weak secret, a text that can be read in two ways, widths that are out of range, and digests
    /// to be imported that could never verify.
    pub fn build(self) -> Result<ImportedFormat, InvalidFormat> {
        let Self { format } = self;
        let (set, widths) = &format.secret;
        let separator = format.selector.as_ref().map_or("", |selecting| &selecting.separator);
        for literal in [&*format.prefix, separator, &*format.secret_prefix] {
            if literal.len() > 64 || !literal.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(InvalidFormat::Literal);
            }
        }
        if let Some(Selecting { set, widths, separator }) = &format.selector {
            if !set.is_within(CharacterSet::BASE64_URL) || set.is_empty() {
                return Err(InvalidFormat::Characters);
            }
            if *widths.start() == 0 || widths.is_empty() || *widths.end() > 40 {
                return Err(InvalidFormat::Widths { least: *widths.start(), most: *widths.end(), limit: 40 });
            }
            let is_split = match separator.bytes().next() {
                Some(first) => !set.contains(first),
                None => widths.start() == widths.end(),
            };
            if !is_split {
                return Err(InvalidFormat::Separator);
            }
            if format.hint > 0 {
                return Err(InvalidFormat::Hint);
            }
        } else if format.imports.argon2id.is_some() {
            return Err(InvalidFormat::ImportsNotFound);
        }
        if widths.is_empty() || *widths.end() > 256 {
            return Err(InvalidFormat::Widths { least: *widths.start(), most: *widths.end(), limit: 256 });
        }
        let bits = set.bits(widths.start().saturating_sub(format.hint));
        if bits < TokenFormat::MIN_SECRET_BITS {
            return Err(InvalidFormat::WeakSecret { bits });
        }
        Ok(format)
    }
}
