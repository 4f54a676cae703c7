//! The grammar of one family of tokens.

use super::{
    CharacterSet, Draft, Environment, Family, FormatBuilder, Head, InvalidDraft, Needs, ParseError, Presented, Shape,
    TokenText,
};
use crate::{alphabet::Alphabet, digest::ImportedDigests};

/// The grammar of one family of tokens: plain data without keys, so that clients and scanners can use it too.
///
/// ```
/// use counterfoil::{Alphabet, Checksum, TokenFormat};
///
/// let format = TokenFormat::builder("ak")
///     .environments(["live", "test"])
///     .selector(Alphabet::Base62, 8)
///     .secret(Alphabet::Base62, 32)
///     .checksum(Checksum::Crc32OfText)
///     .build()?;
/// assert_eq!(format.scanner_pattern(), "ak_(?:live|test)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}");
///
/// // A token for documentation: of the right shape, never valid.
/// let fake = format.fake().expect("the format has a checksum");
/// assert!(format.parse(&fake).is_err());
/// # Ok::<(), counterfoil::token::InvalidFormat>(())
/// ```
///
/// # Grammar
///
/// ```text
/// prefix [ "_" environment ] [ "_" routing ] [ "_" selector ] "_" secret [ checksum ]
/// ```
///
/// The selector, the secret and the checksum have fixed widths and are found from the right, so a prefix may hold a
/// `_`; environments are a closed set; a routing segment may vary in width. Every character is an RFC 6750 token
/// character (section 2.1).
///
/// # Defaults
///
/// No environments, no routing, a selector of 12 base62 characters, a secret of 32 (190 bits), a CRC-32 over all
/// before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFormat {
    /// The prefix and the `_` behind it.
    pub(super) head: Box<str>,
    pub(super) environments: Vec<Environment>,
    pub(super) routing: Option<(usize, usize)>,
    pub(super) selector: Option<(Alphabet, usize)>,
    pub(super) secret: (Alphabet, usize),
    pub(super) checksum: Checksum,
    pub(super) hint: usize,
    pub(super) imports: Option<ImportedDigests>,
}

/// The checksum at the end of a token: 32 bits, as 6 base62 or 8 hex characters.
///
/// A CRC is protection against typing errors and lets a scanner drop look-alikes; anyone can compute it, so it is no
/// protection against made-up tokens. A keyed one is: without the server's key one guess in four thousand million
/// passes, so made-up tokens die before any lookup or slow hash. Its key must live as long as the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// None.
    None,
    /// CRC-32 (IEEE) of the secret alone, as GitHub's and npm's tokens have it.
    Crc32OfSecret,
    /// CRC-32 (IEEE) of all the text before it: the default.
    Crc32OfText,
    /// The first 32 bits of an HMAC-SHA-256 of all the text before it, under a key of the keyring.
    Keyed,
}

impl TokenFormat {
    /// The greatest length of a token, in bytes; longer text is refused before it is looked at.
    pub const MAX_LEN: usize = 512;

    /// The least strength of a secret, in bits.
    pub const MIN_SECRET_BITS: usize = 128;

    /// Begins a format with this prefix and the defaults above.
    pub fn builder(prefix: &str) -> FormatBuilder {
        FormatBuilder::new(Self {
            head: format!("{prefix}_").into(),
            environments: Vec::new(),
            routing: None,
            selector: Some((Alphabet::Base62, 12)),
            secret: (Alphabet::Base62, 32),
            checksum: Checksum::Crc32OfText,
            hint: 0,
            imports: None,
        })
    }

    /// The prefix, without the `_` that follows it.
    pub fn prefix(&self) -> &str {
        &self.head[..self.head.len() - 1]
    }

    /// A regular expression that finds this format's tokens in text, for secret scanners. Drop a finding that
    /// [`parse`](Self::parse) refuses: its checksum says that it is not a token.
    ///
    /// The expression does not look at what surrounds a token, so that it also finds one in an escaped text (`\n`, `%3D`,
    /// `\u003d`), behind a terminal's escape sequence, and between letters of any language. It uses literals, classes,
    /// counts and one group that does not capture, which all common engines have in common.
    pub fn scanner_pattern(&self) -> String {
        let mut pattern = self.head.to_string();
        if !self.environments.is_empty() {
            let names: Vec<_> = self.environments.iter().map(Environment::as_str).collect();
            pattern += &format!("(?:{})_", names.join("|"));
        }
        if let Some((least, most)) = self.routing {
            pattern += &format!("[0-9A-Za-z-]{{{least},{most}}}_");
        }
        if let Some((alphabet, width)) = self.selector {
            pattern += &format!("{}{{{width}}}_", alphabet.class());
        }
        let (alphabet, width) = self.secret;
        pattern + &format!("{}{{{}}}", alphabet.class(), width + self.check_width())
    }

    /// A token for documentation: it has the shape, raises a scanner's pattern, and its checksum is wrong. `None` if the
    /// format has no checksum, since it would be a well-formed token then. (A keyed checksum is wrong but for a chance of
    /// one in four thousand million; no record has the token in any case.)
    pub fn fake(&self) -> Option<String> {
        if self.checksum == Checksum::None {
            return None;
        }
        let filler = |(alphabet, width): (Alphabet, usize)| -> String {
            let word = if alphabet == Alphabet::Hex { "0123456789abcdef" } else { "EXAMPLE" };
            word.chars().cycle().take(width).collect()
        };
        let mut text = self.head.to_string();
        if let Some(environment) = self.environments.first() {
            text += &format!("{environment}_");
        }
        if let Some((least, _)) = self.routing {
            text += &format!("{}_", "0".repeat(least));
        }
        if let Some(selector) = self.selector {
            text += &format!("{}_", filler(selector));
        }
        let secret = filler(self.secret);
        text += &secret;
        let covered = if self.checksum == Checksum::Crc32OfSecret { &secret } else { &text };
        let wrong = !crc32fast::hash(covered.as_bytes());
        self.secret.0.encode_check(wrong, &mut text);
        Some(text)
    }

    pub(super) fn check_width(&self) -> usize {
        if self.checksum == Checksum::None { 0 } else { self.secret.0.check_width() }
    }

    pub(super) fn is_routing(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }

    /// The lengths of a token's text, the shortest and the longest, with the `_` and the name of an environment.
    fn lengths(&self, environment_width: usize) -> (usize, usize) {
        let fixed = self.head.len()
            + environment_width
            + self.selector.map_or(0, |(_, width)| width + 1)
            + self.secret.1
            + self.check_width();
        let (least, most) = self.routing.map_or((0, 0), |(least, most)| (least + 1, most + 1));
        (fixed + least, fixed + most)
    }
}

impl Family for TokenFormat {
    fn heads(&self) -> Vec<Head> {
        let head = |text: String, environment_width: usize| {
            let (shortest, longest) = self.lengths(environment_width);
            Head { text, shortest, longest }
        };
        if self.environments.is_empty() {
            return vec![head(self.head.to_string(), 0)];
        }
        let of_environment =
            |environment: &Environment| head(format!("{}{environment}_", self.head), environment.as_str().len() + 1);
        self.environments.iter().map(of_environment).collect()
    }

    fn shapes(&self) -> Vec<Shape> {
        let rest = |mut shape: Shape| {
            if let Some((least, most)) = self.routing {
                shape = shape.run(CharacterSet::ROUTING, least..=most).literal("_");
            }
            if let Some((alphabet, width)) = self.selector {
                shape = shape.run(alphabet.into(), width..=width).literal("_");
            }
            let (alphabet, width) = (self.secret.0, self.secret.1 + self.check_width());
            shape.run(alphabet.into(), width..=width)
        };
        self.heads().iter().map(|head| rest(Shape::new().literal(&head.text))).collect()
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        Self::parse(self, text)
    }

    fn needs(&self) -> Needs {
        let keyed_check = (self.checksum == Checksum::Keyed).then_some(self.secret.0);
        Needs { selector: self.selector, secret: self.secret, keyed_check }
    }

    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        let mut text = TokenText::with_capacity(Self::MAX_LEN.min(self.lengths(Environment::MAX_LEN + 1).1));
        text.push(&self.head);
        let known = |name: &str| self.environments.iter().any(|environment| environment.as_str() == name);
        match draft.environment {
            None if self.environments.is_empty() => {}
            Some(environment) if known(environment) => {
                text.push(environment);
                text.push("_");
            }
            found => {
                let names: Vec<_> = self.environments.iter().map(Environment::as_str).collect();
                let expected = if names.is_empty() { "none".into() } else { format!("one of {}", names.join(", ")) };
                return Err(InvalidDraft::Environment { found: found.map(str::to_owned), expected });
            }
        }
        match (draft.routing, self.routing) {
            (None, None) => {}
            (Some(routing), Some((least, most)))
                if (least..=most).contains(&routing.len()) && Self::is_routing(routing) =>
            {
                text.push(routing);
                text.push("_");
            }
            (_, None) => return Err(InvalidDraft::Routing { expected: "none".into() }),
            (_, Some((least, most))) => {
                let expected = format!("{least} to {most} letters, digits and `-`");
                return Err(InvalidDraft::Routing { expected });
            }
        }
        if self.selector.is_some() {
            text.push(draft.selector);
            text.end_public();
            text.push("_");
            text.push(draft.secret);
        } else {
            let (hint, rest) = draft.secret.split_at(self.hint);
            text.push(hint);
            text.end_public();
            text.push(rest);
        }
        let check = match self.checksum {
            Checksum::None | Checksum::Keyed => return Ok(text),
            Checksum::Crc32OfSecret => crc32fast::hash(draft.secret.as_bytes()),
            Checksum::Crc32OfText => crc32fast::hash(text.as_str().as_bytes()),
        };
        text.push_check(self.secret.0, check);
        Ok(text)
    }

    fn environments(&self) -> &[Environment] {
        &self.environments
    }

    fn complete(&self, public: &str) -> Option<String> {
        // A hint holds no `_`, and what stands before it ends with one.
        let shown = if self.selector.is_some() { 0 } else { public.len() - (public.rfind('_')? + 1) };
        if shown > self.hint {
            return None;
        }
        let separator = if self.selector.is_some() { "_" } else { "" };
        let mut text = format!("{public}{separator}{}", "0".repeat(self.secret.1 - shown));
        let covered = if self.checksum == Checksum::Crc32OfSecret { text.len() - self.secret.1 } else { 0 };
        if self.checksum != Checksum::None {
            let check = crc32fast::hash(&text.as_bytes()[covered..]);
            self.secret.0.encode_check(check, &mut text);
        }
        Some(text)
    }
}
