//! What the server knows of the token in use, and ending it.

use std::fmt;

use ureq::http::Method;

use crate::{
    Client, FileError, Identity, Removed, ServerError, Source, TokenError,
    answer::{identity, succeeded},
};

impl Client {
    /// Asks the server about the token that [`token`](Self::token) finds.
    ///
    /// # Errors
    ///
    /// [`AskError`] if there is no token to ask about, or no answer.
    pub fn whoami(&self, flag: Option<&str>) -> Result<WhoAmI, AskError> {
        let token = self.token(flag)?;
        let identity = identity(&self.server.ask(Method::GET, token.expose())?, token.expose())?;
        Ok(WhoAmI { identity, source: token.source().clone() })
    }

    /// Has the server revoke the token that [`token`](Self::token) finds, at once and for good, and forgets it if it
    /// came from the config file.
    ///
    /// # Errors
    ///
    /// [`AskError`]; the token is revoked only in the case of [`AskError::NotForgotten`].
    pub fn revoke(&self, flag: Option<&str>) -> Result<Revoked, AskError> {
        let token = self.token(flag)?;
        succeeded(&self.server.ask(Method::DELETE, token.expose())?, token.expose())?;
        let removed = match (token.source(), &self.file) {
            (Source::File(_), Some(file)) => file.remove().map_err(AskError::NotForgotten)?,
            _ => Removed::Nothing,
        };
        Ok(Revoked { public: token.public().to_owned(), source: token.source().clone(), removed })
    }
}

/// What the server knows of the token, and where the program has it from.
///
/// `Display` tells it to people, over several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhoAmI {
    /// What the server knows.
    pub identity: Identity,
    /// Where the token was found.
    pub source: Source,
}

impl fmt::Display for WhoAmI {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nfrom     {}", self.identity, self.source)
    }
}

/// A token is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// The start of its text, which may be shown.
    pub public: String,
    /// Where it was found.
    pub source: Source,
    /// What was removed from the config file.
    pub removed: Removed,
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revoked {}… from {}.", self.public, self.source)
    }
}

/// Why a question about a token has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no token to ask about.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The server does not accept the token, or could not be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The token is revoked, and its text is still in the config file.
    #[error("the token is revoked, but could not be removed: {0}")]
    NotForgotten(#[source] FileError),
}
