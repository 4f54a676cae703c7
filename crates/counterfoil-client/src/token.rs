//! A token as it was found.

use std::fmt;

use zeroize::Zeroizing;

use crate::Source;

/// A token that was found at one of the places where it may be, with a fitting checksum. Whether it is still good, the
/// server alone can tell.
///
/// Its text is wiped when it is dropped, and `Debug` shows the public part alone.
///
/// ```no_run
/// # fn of(client: &counterfoil_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let token = client.token(None)?;
/// let header = format!("Bearer {}", token.expose());
/// eprintln!("using {}… from {}", token.public(), token.source());
/// # Ok(())
/// # }
/// ```
pub struct FoundToken {
    text: Zeroizing<String>,
    public_len: usize,
    source: Source,
}

impl FoundToken {
    pub(crate) fn new(text: Zeroizing<String>, public_len: usize, source: Source) -> Self {
        Self { text, public_len, source }
    }

    /// The whole text, for a request's header.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The start of the text, which may be shown.
    pub fn public(&self) -> &str {
        &self.text[..self.public_len]
    }

    /// Where it was found.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

impl fmt::Debug for FoundToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoundToken({}.. from {})", self.public(), self.source)
    }
}
