//! What a registry knows of a family of tokens, and several of them side by side.

use std::{fmt, sync::Arc};

use super::{Draft, Environment, InvalidDraft, Malformed, ParseError, Presented, Shape, TokenText};
use crate::alphabet::Alphabet;

/// A family of tokens: reads their texts and writes them.
///
/// [`TokenFormat`](super::TokenFormat) is the family of this crate; others can be written, such as one whose text is a
/// JWT. A family knows no records, and none of the keyring's keys.
///
/// ```
/// use counterfoil::token::{Draft, Family, Head, InvalidDraft, Malformed, Needs, ParseError, Presented, Selector, TokenText};
/// use counterfoil::Alphabet;
///
/// /// `key-` and 40 hex digits, the first 8 of which are the selector.
/// #[derive(Debug)]
/// struct Plain;
///
/// impl Family for Plain {
///     fn heads(&self) -> Vec<Head> {
///         vec![Head { text: "key-".into(), shortest: 44, longest: 44 }]
///     }
///     fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
///         let rest = text.strip_prefix("key-").ok_or(ParseError::NotOurs)?;
///         if rest.len() != 40 || !rest.bytes().all(|byte| Alphabet::Hex.contains(byte)) {
///             return Err(Malformed::Shape.into());
///         }
///         let selector = Selector::printed(&rest[..8]).map_err(|_| Malformed::Shape)?;
///         Ok(Presented::new(text, 12, Some(selector)))
///     }
///     fn needs(&self) -> Needs {
///         Needs { selector: Some((Alphabet::Hex, 8)), secret: (Alphabet::Hex, 32), keyed_check: None }
///     }
///     fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
///         if draft.environment.is_some() || draft.routing.is_some() {
///             return Err(InvalidDraft::Other("no environment and no routing can be written".into()));
///         }
///         let mut text = TokenText::with_capacity(44);
///         text.push("key-");
///         text.push(draft.selector);
///         text.end_public();
///         text.push(draft.secret);
///         Ok(text)
///     }
/// }
/// ```
pub trait Family: fmt::Debug + Send + Sync + 'static {
    /// How its texts begin and how long they are.
    fn heads(&self) -> Vec<Head>;

    /// The patterns of its texts. No text of another family in the same registry may fit one of them.
    ///
    /// By default they are all texts that begin and are as long as [`heads`](Self::heads) says. A family whose texts do not
    /// begin with a prefix of their own should state its characters, so that it can stand next to others.
    fn shapes(&self) -> Vec<Shape> {
        self.heads().iter().map(Shape::of).collect()
    }

    /// Reads `text`.
    ///
    /// # Errors
    ///
    /// [`ParseError::NotOurs`] if the text does not begin as this family's do, so that another verifier may have its
    /// turn; [`ParseError::Malformed`] if it does and is none of them all the same.
    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError>;

    /// What is to be drawn for a new token.
    fn needs(&self) -> Needs;

    /// Writes a new token. [`parse`](Self::parse) must read it back with the same selector and environment, once the
    /// keyed checksum stands behind it, if [`needs`](Self::needs) asks for one.
    ///
    /// # Errors
    ///
    /// [`InvalidDraft`] if the draft asks for what this family cannot write.
    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft>;

    /// The environments its tokens name, if they name any.
    fn environments(&self) -> &[Environment] {
        &[]
    }

    /// Any text that [`parse`](Self::parse) reads and whose public part begins with `public`: what a token to be
    /// [imported](crate::import) is held against, since its own text is not known. None if there is none, and for a
    /// family that accepts no imports.
    fn complete(&self, public: &str) -> Option<String> {
        let _ = public;
        None
    }
}

/// One way in which a family's texts begin, and how long such texts are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The first characters.
    pub text: String,
    /// The least length.
    pub shortest: usize,
    /// The greatest length.
    pub longest: usize,
}

/// What is drawn for a new token: an alphabet and a number of characters each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The selector, if the text prints one.
    pub selector: Option<(Alphabet, usize)>,
    /// The secret: at least 128 bits, or nothing is minted.
    pub secret: (Alphabet, usize),
    /// The alphabet of a keyed checksum to be appended to what is written, if there is to be one: 6 base62 or 8 hex
    /// characters, for which the text needs room.
    pub keyed_check: Option<Alphabet>,
}

impl Needs {
    /// How many random bytes this takes, with some to spare for those that are thrown away.
    pub(crate) fn expected_bytes(self) -> usize {
        let characters = self.secret.1 + self.selector.map_or(0, |(_, width)| width);
        characters + characters / 16 + 4
    }
}

/// The families that a registry accepts, one of which it mints with.
///
/// ```
/// use counterfoil::{Families, TokenFormat};
///
/// let current = TokenFormat::builder("acme").build()?;
/// let earlier = TokenFormat::builder("acme_old").build()?;
/// let families = Families::minting(current).accepting(earlier)?;
/// assert!(families.parse("ghp_0123").is_err_and(|error| error.is_not_ours()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Families {
    // INVARIANT: never empty; the first mints.
    families: Vec<Arc<dyn Family>>,
}

impl Families {
    /// The greatest length of a text that any family is given to read, in bytes; a family may have a lower one.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Mints with `family`, and accepts its tokens.
    pub fn minting(family: impl Family) -> Self {
        Self { families: vec![Arc::new(family)] }
    }

    /// Accepts the tokens of `family` too.
    ///
    /// # Errors
    ///
    /// [`AmbiguousFamilies`] if a text could be read by two families.
    pub fn accepting(mut self, family: impl Family) -> Result<Self, AmbiguousFamilies> {
        for shape in family.shapes() {
            for other in self.families.iter().flat_map(|other| other.shapes()) {
                if shape.overlaps(&other) {
                    return Err(AmbiguousFamilies { one: other.to_string(), other: shape.to_string() });
                }
            }
        }
        self.families.push(Arc::new(family));
        Ok(self)
    }

    /// The family that mints.
    pub fn mint_family(&self) -> &dyn Family {
        &*self.families[0]
    }

    /// The environments that any of the families names.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.families.iter().flat_map(|family| family.environments())
    }

    /// The greatest length in bytes that any of the families' texts can have, at most [`MAX_LEN`](Self::MAX_LEN).
    pub fn longest(&self) -> usize {
        let heads = self.families.iter().flat_map(|family| family.heads());
        heads.map(|head| head.longest).max().map_or(Self::MAX_LEN, |longest| longest.min(Self::MAX_LEN))
    }

    /// Texts that are read as tokens with this public part.
    pub(crate) fn complete(&self, public: &str) -> impl Iterator<Item = String> {
        let completed = self.families.iter().filter_map(move |family| family.complete(public));
        completed.filter(move |text| self.parse(text).is_ok_and(|read| read.public().starts_with(public)))
    }

    /// Reads `text` by the family that knows it.
    ///
    /// # Errors
    ///
    /// [`ParseError::NotOurs`] if no family does; else what the family found wrong.
    pub fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let mut refused = ParseError::NotOurs;
        if text.len() > Self::MAX_LEN {
            let mut heads = self.families.iter().flat_map(|family| family.heads());
            let is_ours = heads.any(|head| !head.text.is_empty() && text.starts_with(&head.text));
            return Err(if is_ours {
                Malformed::TooLong { found: text.len(), limit: Self::MAX_LEN }.into()
            } else {
                refused
            });
        }
        for family in &self.families {
            match family.parse(text) {
                Err(ParseError::NotOurs) => {}
                Err(malformed) => refused = malformed,
                Ok(presented) => return Ok(presented),
            }
        }
        Err(refused)
    }
}

impl<F: Family> From<F> for Families {
    fn from(family: F) -> Self {
        Self::minting(family)
    }
}

/// Two families that could read the same text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two token families could read the same text: `{one}` and `{other}`")]
pub struct AmbiguousFamilies {
    one: String,
    other: String,
}
