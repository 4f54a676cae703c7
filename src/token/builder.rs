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
    ///
    /// The widths of this format are fixed, and a row does not show how wide its secret is. If the other software's secrets
    /// vary in width, as base58 does, tokens of another width are imported and never verify: use an
    /// [`ImportedFormat`](super::ImportedFormat).
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
        check_prefix(format.prefix())?;
        for name in &environments {
            let environment = Environment::new(name)?;
            if format.environments.contains(&environment) {
                return Err(InvalidFormat::RepeatedEnvironment { environment });
            }
            format.environments.push(environment);
        }
        if format.environments.len() > MAX_ENVIRONMENTS {
            return Err(InvalidFormat::TooManyEnvironments { found: format.environments.len() });
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

const MAX_ENVIRONMENTS: usize = 16;
const MAX_PREFIX: usize = 32;

fn check_prefix(prefix: &str) -> Result<(), InvalidFormat> {
    let invalid = |defect| Err(InvalidFormat::Prefix { found: prefix.into(), defect });
    let is_allowed = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if prefix.is_empty() {
        return invalid("is empty");
    }
    if prefix.len() > MAX_PREFIX {
        return Err(InvalidFormat::LongPrefix { found: prefix.len() });
    }
    if !prefix.chars().all(|character| is_allowed(&character)) {
        return invalid("has other characters");
    }
    if !prefix.starts_with(|character: char| character.is_ascii_alphabetic()) {
        return invalid("does not begin with a letter");
    }
    if prefix.ends_with(['_', '-']) {
        return invalid("ends in a separator, which the format adds by itself");
    }
    Ok(())
}

/// A format that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFormat {
    /// The prefix does not follow the grammar.
    #[error(
        "prefix {found:?} {defect}: expected letters, digits, `_` and `-`, beginning with a letter and ending with a \
         letter or digit, such as `acme`"
    )]
    Prefix {
        /// The prefix.
        found: String,
        /// The first rule that it breaks.
        defect: &'static str,
    },
    /// The prefix is too long.
    #[error("prefix too long: found {found} bytes, expected at most {MAX_PREFIX}")]
    LongPrefix {
        /// The length in bytes.
        found: usize,
    },
    /// The name of an environment does not follow the grammar.
    #[error(
        "environment {found:?}: expected 1 to {} lower-case letters and digits, such as `live`",
        Environment::MAX_LEN
    )]
    Environment {
        /// The name, cut off after 64 characters.
        found: String,
    },
    /// An environment is given twice.
    #[error("environment `{environment}` is given twice")]
    RepeatedEnvironment {
        /// The environment.
        environment: Environment,
    },
    /// There are more environments than a format can have.
    #[error("too many environments: found {found}, expected at most {MAX_ENVIRONMENTS}")]
    TooManyEnvironments {
        /// The number of environments.
        found: usize,
    },
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
    /// A prefix or a separator of an [`ImportedFormat`](super::ImportedFormat) that no token can have.
    #[error("prefix or separator: expected at most 64 printable ascii characters without spaces")]
    Literal,
    /// A set of characters that a segment cannot have.
    #[error("characters: expected printable ascii, and letters, digits, `-` and `_` for a selector")]
    Characters,
    /// A range of widths that is empty or too wide.
    #[error("segment of {least} to {most} characters, expected a range that ends at {limit} or before")]
    Widths {
        /// The least width.
        least: usize,
        /// The greatest width.
        most: usize,
        /// The greatest width that is possible.
        limit: usize,
    },
    /// A selector whose end cannot be found in the text.
    #[error("selector: expected a separator that does not begin with one of its characters, or a fixed width")]
    Separator,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_name_in_a_format_says_what_was_found_and_what_was_expected() {
        let prefix = |text: &str| TokenFormat::builder(text).build();
        let environments = |names: &[&str]| TokenFormat::builder("acme").environments(names.iter().copied()).build();
        let grammar = "expected letters, digits, `_` and `-`, beginning with a letter and ending with a letter or \
                       digit, such as `acme`";
        let environment = "expected 1 to 16 lower-case letters and digits, such as `live`";
        let many: Vec<_> = (0..17).map(|number| format!("e{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        for (built, expected) in [
            (prefix(""), format!("prefix \"\" is empty: {grammar}")),
            (prefix("7up"), format!("prefix \"7up\" does not begin with a letter: {grammar}")),
            (prefix("_acme"), format!("prefix \"_acme\" does not begin with a letter: {grammar}")),
            (
                prefix("acme_"),
                format!("prefix \"acme_\" ends in a separator, which the format adds by itself: {grammar}"),
            ),
            (
                prefix("acme-"),
                format!("prefix \"acme-\" ends in a separator, which the format adds by itself: {grammar}"),
            ),
            (prefix("ac me"), format!("prefix \"ac me\" has other characters: {grammar}")),
            (prefix("ac:me"), format!("prefix \"ac:me\" has other characters: {grammar}")),
            (prefix("acm\u{e9}"), format!("prefix \"acmé\" has other characters: {grammar}")),
            (prefix(&"a".repeat(33)), "prefix too long: found 33 bytes, expected at most 32".to_owned()),
            (environments(&["Live"]), format!("environment \"Live\": {environment}")),
            (environments(&[""]), format!("environment \"\": {environment}")),
            (environments(&["live "]), format!("environment \"live \": {environment}")),
            (environments(&[&"a".repeat(17)]), format!("environment \"{}\": {environment}", "a".repeat(17))),
            (environments(&[&"a".repeat(999)]), format!("environment \"{}\": {environment}", "a".repeat(64))),
            (environments(&["live", "test", "live"]), "environment `live` is given twice".to_owned()),
            (environments(&many), "too many environments: found 17, expected at most 16".to_owned()),
        ] {
            assert_eq!(built.err().map(|error| error.to_string()), Some(expected));
        }
        assert!(prefix(&"a".repeat(32)).is_ok() && environments(&many[..16]).is_ok());
    }
}
