//! What formats can be built.

use super::{Checksum, Environment, TokenFormat};
use crate::{alphabet::Alphabet, digest::ImportedDigests};

/// Collects a [`TokenFormat`]; what is weak or ambiguous is refused at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct FormatBuilder {
    format: TokenFormat,
    environments: Vec<String>,
}

impl FormatBuilder {
    pub(super) fn new(format: TokenFormat) -> Self {
        Self { format, environments: Vec::new() }
    }

    /// Every token names one of these environments.
    pub fn environments<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.environments = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Every token has a routing segment of `least` to `most` letters, digits and `-`: for a workspace's short name,
    /// say. It is a hint that anyone can read, not a fact to authorize by.
    pub fn routing(mut self, least: usize, most: usize) -> Self {
        self.format.routing = Some((least, most));
        self
    }

    /// The segment that finds the record: 6 to 40 characters.
    pub fn selector(mut self, alphabet: Alphabet, width: usize) -> Self {
        self.format.selector = Some((alphabet, width));
        self
    }

    /// No selector: records are found by a keyed hash of the token, one candidate for each key of the keyring.
    pub fn without_selector(mut self) -> Self {
        self.format.selector = None;
        self
    }

    /// The secret: at least 128 bits, the hint not counted.
    pub fn secret(mut self, alphabet: Alphabet, width: usize) -> Self {
        self.format.secret = (alphabet, width);
        self
    }

    /// The checksum, in the alphabet of the secret.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.format.checksum = checksum;
        self
    }

    /// Keeps the first `width` characters of the secret in the record, so that people can tell their tokens apart in a
    /// list: for formats without a selector.
    pub fn hint(mut self, width: usize) -> Self {
        self.format.hint = width;
        self
    }

    /// Accepts these digests of other software until their first use, for tokens that are
    /// [imported](crate::Registry::import).
    pub fn accepts_imported(mut self, digests: ImportedDigests) -> Self {
        self.format.imports = (!digests.is_none()).then_some(digests);
        self
    }

    /// The format.
    ///
    /// # Errors
    ///
    /// [`InvalidFormat`] for a weak secret, a text outside its grammar, a width outside its range, and digests to be
    /// imported that could never verify.
    pub fn build(self) -> Result<TokenFormat, InvalidFormat> {
        let Self { mut format, environments } = self;
        let prefix = format.prefix().as_bytes();
        let well_formed = prefix.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let ends_well =
            prefix.first().is_some_and(u8::is_ascii_alphabetic) && prefix.last().is_some_and(u8::is_ascii_alphanumeric);
        if !well_formed || !ends_well || prefix.len() > 32 {
            return Err(InvalidFormat::Prefix);
        }
        for name in &environments {
            let environment = Environment::new(name)?;
            if format.environments.contains(&environment) {
                return Err(InvalidFormat::Environment);
            }
            format.environments.push(environment);
        }
        if format.environments.len() > 16 {
            return Err(InvalidFormat::Environment);
        }
        if let Some((least, most)) = format.routing
            && (least == 0 || least > most || most > 64)
        {
            return Err(InvalidFormat::Routing { least, most });
        }
        if let Some((_, found)) = format.selector
            && !(6..=40).contains(&found)
        {
            return Err(InvalidFormat::Selector { found });
        }
        if format.hint > 0 && format.selector.is_some() {
            return Err(InvalidFormat::Hint);
        }
        if let Some(imports) = &format.imports {
            if imports.argon2id.is_some() && format.selector.is_none() {
                return Err(InvalidFormat::ImportsNotFound);
            }
            if format.checksum == Checksum::Keyed {
                return Err(InvalidFormat::ImportsUnchecked);
            }
        }
        let (alphabet, width) = format.secret;
        if width > 256 {
            return Err(InvalidFormat::LongSecret { found: width });
        }
        let bits = alphabet.bits(width.saturating_sub(format.hint));
        if bits < TokenFormat::MIN_SECRET_BITS {
            return Err(InvalidFormat::WeakSecret { bits });
        }
        Ok(format)
    }
}

/// A format that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFormat {
    /// The prefix is not of the grammar.
    #[error("prefix: expected 1 to 32 letters, digits, `_` and `-`, a letter first and no `_` or `-` last")]
    Prefix,
    /// An environment is not of the grammar, or is given twice, or there are too many.
    #[error("environment: expected 1 to 16 lower-case letters and digits, at most 16 of them, each once")]
    Environment,
    /// The routing segment's widths are out of range.
    #[error("routing segment of {least} to {most} characters, expected a range within 1 to 64")]
    Routing {
        /// The least width.
        least: usize,
        /// The greatest width.
        most: usize,
    },
    /// The selector's width is out of range.
    #[error("selector of {found} characters, expected 6 to 40")]
    Selector {
        /// The width.
        found: usize,
    },
    /// A hint where the selector can be shown.
    #[error("display hint in a format with a selector, which serves the same end")]
    Hint,
    /// Imported Argon2id digests in a format without a selector: each has a salt of its own, so nothing finds its row.
    #[error("imported argon2id digests in a format without a selector: nothing could find their rows")]
    ImportsNotFound,
    /// Imported digests in a format with a keyed checksum, which no token of other software has.
    #[error("imported digests in a format with a keyed checksum: no token of other software has one")]
    ImportsUnchecked,
    /// The secret can be guessed.
    #[error("secret of {bits} bits beyond the hint, expected at least {}", TokenFormat::MIN_SECRET_BITS)]
    WeakSecret {
        /// Its strength.
        bits: usize,
    },
    /// The secret is longer than any needs to be.
    #[error("secret of {found} characters, expected at most 256")]
    LongSecret {
        /// The width.
        found: usize,
    },
}
