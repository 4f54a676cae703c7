//! Going out.

use std::{fmt, path::PathBuf};

use crate::{Client, FileError, Removed};

impl Client {
    /// Forgets the token in the config file. This is local: the token is good until it is revoked.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read or written.
    pub fn logout(&self) -> Result<LoggedOut, FileError> {
        let removed = self.file.as_ref().map_or(Ok(Removed::Nothing), |file| file.remove())?;
        Ok(LoggedOut {
            removed,
            file: self.file.as_ref().map(|file| file.path.clone()),
            still_set: self.variable_in_force().map(str::to_owned),
            tokens_page: self.tokens_page.clone(),
        })
    }
}

/// What was forgotten, and what was not.
///
/// `Display` tells it to people, over several lines, with what to do for the token to end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedOut {
    /// What was removed.
    pub removed: Removed,
    /// The config file; none if the user has no home directory.
    pub file: Option<PathBuf>,
    /// The environment variable that is still set, and so still in force.
    pub still_set: Option<String>,
    /// The page where the token can be revoked.
    pub tokens_page: Option<String>,
}

impl fmt::Display for LoggedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        match self.removed {
            Removed::Nothing => write!(f, "No token was stored.")?,
            Removed::File => write!(f, "Removed {file}, which held the token alone.")?,
            Removed::Member => write!(f, "Removed the token from {file}.")?,
        }
        if self.removed != Removed::Nothing {
            let page = self.tokens_page.as_deref().unwrap_or("the page where you made it");
            write!(f, "\nThis is local: the token works until it is revoked. Revoke it at {page}")?;
        }
        if let Some(variable) = &self.still_set {
            write!(f, "\nNote: {variable} is still set, and its token is still used. To end that: unset {variable}")?;
        }
        Ok(())
    }
}
