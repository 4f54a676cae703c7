//! What text is accepted as a token of a [`TokenFormat`].

use super::{Checksum, Imports, Presented, Printed, Tag, TokenFormat};

impl TokenFormat {
    /// Reads `text` by position: the prefix from the left, everything else from the right, where all widths are fixed.
    ///
    /// Nothing is split at a separator, trimmed or folded, so a token has one spelling.
    ///
    /// # Errors
    ///
    /// [`ParseError`], cheapest reason first; of the text itself nothing is in it.
    #[inline(always)]
    pub fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let rest = text.strip_prefix(&*self.head).ok_or(ParseError::NotOurs)?;
        if text.len() > Self::MAX_LEN {
            return Err(Malformed::TooLong { found: text.len(), limit: Self::MAX_LEN }.into());
        }
        let check_width = self.check_width();
        let selector_width = self.selector.map_or(0, |(_, width)| width + 1);
        let tail_width = selector_width + self.secret.1 + check_width;
        let split = rest.len().checked_sub(tail_width).and_then(|tail_at| rest.split_at_checked(tail_at));
        let (middle, tail) = split.ok_or_else(|| ascii_or(text, Malformed::Shape))?;
        let (environment, routing) = self.parse_middle(middle).map_err(|reason| ascii_or(text, reason))?;

        let (printed, secret_and_check) = tail.as_bytes().split_at(selector_width);
        let (secret, check) = secret_and_check.split_at(self.secret.1);
        if let Some((alphabet, width)) = self.selector {
            if printed[width] != b'_' {
                return Err(ascii_or(text, Malformed::Shape).into());
            }
            if !alphabet.contains_all(&printed[..width]) {
                return Err(Malformed::Character.into());
            }
        }
        if !self.secret.0.contains_all(secret) {
            return Err(Malformed::Character.into());
        }
        let covered = &text.as_bytes()[..text.len() - check_width];
        let tag = self.parse_check(covered, secret, check)?;
        let secret_at = covered.len() - secret.len();
        let public_len = if self.selector.is_some() { secret_at - 1 } else { secret_at + self.hint };
        let printed = self.selector.map(|(_, width)| Printed::Segment(&printed[..width]));
        let of_secret = |accepted| Imports { accepted, secret: text.get(secret_at..covered.len()) };
        Ok(Presented { text, public_len, printed, environment, routing, tag, imports: self.imports.map(of_secret) })
    }

    /// Reads what stands between the prefix and the fixed widths: `environment_` and `routing_`, each if the format has
    /// it. Neither can hold a `_`, so there is one way to read it.
    #[inline(always)]
    fn parse_middle<'t>(&self, middle: &'t str) -> Result<(Option<&'t str>, Option<&'t str>), Malformed> {
        let (environment, middle) = if self.environments.is_empty() {
            (None, middle)
        } else {
            let of_text = |name: &str| middle.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
            let read = self.environments.iter().find_map(|environment| {
                let rest = of_text(environment.as_str())?;
                Some((Some(&middle[..environment.as_str().len()]), rest))
            });
            read.ok_or(Malformed::Environment)?
        };
        let Some((least, most)) = self.routing else {
            return if middle.is_empty() { Ok((environment, None)) } else { Err(Malformed::Shape) };
        };
        let routing = middle.strip_suffix('_').ok_or(Malformed::Routing)?;
        if !(least..=most).contains(&routing.len()) || !Self::is_routing(routing) {
            return Err(Malformed::Routing);
        }
        Ok((environment, Some(routing)))
    }

    #[inline(always)]
    fn parse_check(&self, covered: &[u8], secret: &[u8], check: &[u8]) -> Result<Option<Tag>, ParseError> {
        let alphabet = self.secret.0;
        let right = match self.checksum {
            Checksum::None => true,
            Checksum::Crc32OfSecret => alphabet.check_is(crc32fast::hash(secret), check),
            Checksum::Crc32OfText => alphabet.check_is(crc32fast::hash(covered), check),
            Checksum::Keyed => {
                let value = alphabet.decode_check(check).ok_or(Malformed::Checksum)?;
                return Ok(Some(Tag { covered: covered.len(), value }));
            }
        };
        if right { Ok(None) } else { Err(Malformed::Checksum.into()) }
    }
}

/// Every segment is held against its alphabet, so that a text which is not ASCII has failed: here is why.
#[cold]
fn ascii_or(text: &str, reason: Malformed) -> Malformed {
    if text.is_ascii() { reason } else { Malformed::Character }
}

/// Why a text is no token of a family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It does not begin as this family's tokens do: another verifier may have its turn.
    #[error("not a token of a known family")]
    NotOurs,
    /// It begins as this family's tokens do, and is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl ParseError {
    /// Whether another verifier may have its turn.
    pub fn is_not_ours(&self) -> bool {
        matches!(self, Self::NotOurs)
    }
}

/// What is wrong with a text that begins as ours do. Nothing of the text is in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than any token.
    #[error("token too long: found {found} bytes, expected at most {limit}")]
    TooLong {
        /// The length in bytes.
        found: usize,
        /// The greatest length that is read.
        limit: usize,
    },
    /// Too short, too many segments, or no separator where one belongs.
    #[error("token is not of the format's shape")]
    Shape,
    /// A character outside of its segment's alphabet.
    #[error("token holds a character outside of its alphabet")]
    Character,
    /// The environment is none of the format's.
    #[error("token names no known environment")]
    Environment,
    /// The routing segment is not of the format's form.
    #[error("token has no routing segment of the expected form")]
    Routing,
    /// The checksum is another, or is not written in its one form.
    #[error("token checksum is wrong: mistyped, cut off, or made up")]
    Checksum,
}
