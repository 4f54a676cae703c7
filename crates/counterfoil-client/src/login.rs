//! Coming in.

use std::{fmt, io, path::PathBuf};

use ureq::http::Method;

use crate::{
    Browser, Client, Defect, FileError, Identity, ServerError, answer::identity, browser, defect::examine,
    source::trimmed, terminal,
};

impl Client {
    /// Asks for a token, checks it, and keeps it in the config file.
    ///
    /// The tokens page is printed to standard error and opened, as `browser` says. The token is read from the terminal
    /// without being shown; where standard input is no terminal, it is read from its first line. Blanks around it are
    /// dropped. Shape and checksum are checked before anything is sent: a token of another product goes nowhere. Then
    /// the server is asked, and only a token that it accepts is written.
    ///
    /// # Errors
    ///
    /// [`LoginError`]; the config file is as it was.
    pub fn login(&self, browser: Browser) -> Result<LoggedIn, LoginError> {
        let file = self.file.as_ref().ok_or(LoginError::NoHome)?;
        file.check()?; // before somebody makes a token in vain
        let attended = terminal::is_attended();
        if let Some(page) = &self.tokens_page {
            terminal::tell(&format!("Create a token at {page}"));
            browser::open(browser, attended, page);
        }
        let pasted = terminal::read_paste("Paste your token (it will not be shown): ").map_err(LoginError::Input)?;
        let token = trimmed(&pasted);
        examine(&self.format, token)?;
        let identity = identity(&self.server.ask(Method::GET, token)?, token)?;
        file.write(token)?;
        let shadowed_by = self.variable_in_force().map(str::to_owned);
        Ok(LoggedIn { identity, file: file.path.clone(), shadowed_by })
    }
}

/// A token was accepted and written.
///
/// `Display` tells it to people, over several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// What the server knows of the token.
    pub identity: Identity,
    /// The file that it was written to.
    pub file: PathBuf,
    /// The environment variable that is set to another token, which comes before the file.
    pub shadowed_by: Option<String>,
}

impl fmt::Display for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logged in.\n{}\nstored   {}", self.identity, self.file.display())?;
        if let Some(variable) = &self.shadowed_by {
            write!(f, "\nNote: {variable} is set, and comes before the stored token.")?;
        }
        Ok(())
    }
}

/// Why nobody is logged in. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The user has no home directory, so there is no place for a file.
    #[error("there is no home directory to keep a token in")]
    NoHome,
    /// The config file is in no state to be written, or could not be.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing could be read.
    #[error("the token could not be read: {0}")]
    Input(#[source] io::Error),
    /// What was given is no token of this program; it was sent nowhere.
    #[error("not a token: {0}")]
    Defect(#[from] Defect),
    /// The server does not accept the token, or could not be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
}
