//! The file that keeps the token: read with care, replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{Absent, members::Members};

/// Beyond this a config file is not read, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Something is wrong with the config file; it was left as it was.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
#[non_exhaustive]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: FileFault,
}

/// What is wrong with a config file. Nothing of its content is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// Others than the user may read or change it. (Unix.)
    #[error("others can use this file (mode {mode:04o}), mend it with: {command}")]
    Exposed {
        /// Its permissions.
        mode: u32,
        /// The command that mends it, for a POSIX shell.
        command: String,
    },
    /// It is a symbolic link, which is neither followed nor replaced.
    #[error("this is a symbolic link, expected a file")]
    Symlink,
    /// It is a directory, a socket, or something else.
    #[error("this is not a file")]
    NotAFile,
    /// It is too large to be a config file.
    #[error("this is larger than {limit} bytes")]
    TooLarge {
        /// What is read at most.
        limit: u64,
    },
    /// It is not JSON in UTF-8.
    #[error("not valid json at line {line}, column {column}")]
    InvalidJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 is before the first.
        column: usize,
    },
    /// It is JSON, and no object.
    #[error("not a json object")]
    NotAnObject,
    /// The member holds something else than a text.
    #[error("`{member}` is not a text")]
    NotText {
        /// The member.
        member: String,
    },
    /// The member is there more than once, so that programs may disagree on which one counts.
    #[error("`{member}` is there more than once")]
    Repeated {
        /// The member.
        member: String,
    },
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the file holds.
pub(crate) enum Stored {
    Token(Zeroizing<String>, PathBuf),
    Absent(Absent),
}

/// What was removed from the config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// The file, since nothing else was in it.
    File,
    /// The token; the file has other members, and they are as they were.
    Member,
    /// Nothing: no token was there.
    Nothing,
}

/// A member of a JSON file.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    pub(crate) member: String,
}

/// Who may have rights to a file that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    OfTheUser,
    OfAnyone,
}

impl ConfigFile {
    /// The token, if there is one.
    pub(crate) fn read(&self) -> Result<Stored, FileError> {
        self.told(|| {
            let Some(text) = self.load(Rights::OfTheUser)? else {
                return Ok(Stored::Absent(Absent::NoFile { path: self.path.clone() }));
            };
            let absent = || Absent::NoMember { path: self.path.clone(), member: self.member.clone() };
            let found = Members::of(&text)?.get(&self.member)?;
            Ok(found.map_or_else(|| Stored::Absent(absent()), |text| Stored::Token(text, self.path.clone())))
        })
    }

    /// Puts a token in, beside what is there.
    pub(crate) fn write(&self, token: &str) -> Result<(), FileError> {
        self.told(|| {
            let text = self.load(Rights::OfTheUser)?;
            let text = text.as_ref().map_or("{}", |text| text.as_str());
            self.replace(&Members::of(text)?.with(&self.member, token)?)
        })
    }

    /// Whether a token could be put in, as far as that can be told beforehand.
    pub(crate) fn check(&self) -> Result<(), FileError> {
        self.told(|| {
            self.load(Rights::OfTheUser)?.map_or(Ok(()), |text| Members::of(&text)?.get(&self.member).map(|_| ()))
        })
    }

    /// Takes the token out. A file that others can read is no obstacle: less is in it afterwards.
    pub(crate) fn remove(&self) -> Result<Removed, FileError> {
        self.told(|| {
            let Some(text) = self.load(Rights::OfAnyone)? else { return Ok(Removed::Nothing) };
            let members = Members::of(&text)?;
            if !members.has(&self.member) {
                return Ok(Removed::Nothing);
            }
            match members.without(&self.member)? {
                Some(rest) => self.replace(&rest).map(|()| Removed::Member),
                None => Ok(fs::remove_file(&self.path).map(|()| Removed::File)?),
            }
        })
    }

    fn told<T>(&self, work: impl FnOnce() -> Result<T, FileFault>) -> Result<T, FileError> {
        work().map_err(|fault| FileError { path: self.path.clone(), fault })
    }

    /// The file's text; none if there is no file.
    fn load(&self, rights: Rights) -> Result<Option<Zeroizing<String>>, FileFault> {
        let named = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            named => named?,
        };
        if named.is_symlink() {
            return Err(FileFault::Symlink);
        }
        if !named.is_file() {
            return Err(FileFault::NotAFile); // a pipe would wait for ever to be opened
        }
        let file = File::open(&self.path)?;
        let opened = file.metadata()?;
        same_file(&named, &opened)?;
        if rights == Rights::OfTheUser {
            self.only_the_user(&opened)?;
        }
        if opened.len() > LIMIT {
            return Err(FileFault::TooLarge { limit: LIMIT });
        }
        // Room for all at once, and for one byte more that must not be there: nothing is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
        file.take(LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LIMIT {
            return Err(FileFault::TooLarge { limit: LIMIT });
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) => {
                let bytes = Zeroizing::new(error.into_bytes());
                let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                let line_at = good.rfind('\n').map_or(0, |at| at + 1);
                let (line, column) = (good.matches('\n').count() + 1, good.len() - line_at + 1);
                Err(FileFault::InvalidJson { line, column })
            }
        }
    }

    #[cfg(unix)]
    fn only_the_user(&self, opened: &fs::Metadata) -> Result<(), FileFault> {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = opened.permissions().mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        Err(FileFault::Exposed { mode, command: format!("chmod 600 {}", shell_word(&self.path)) })
    }

    /// The file lies in the user's profile, whose access list says who may read it.
    #[cfg(not(unix))]
    fn only_the_user(&self, _: &fs::Metadata) -> Result<(), FileFault> {
        Ok(())
    }

    /// Puts a whole new file in the place of the old one: who reads sees the one or the other.
    fn replace(&self, text: &str) -> Result<(), FileFault> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        private_directory(directory)?;
        // Made with mode 0600 on Unix, so that it is nobody else's from its first byte.
        let mut file = tempfile::Builder::new().prefix(".token-").suffix(".tmp").tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The name itself is on the disk once its directory is.
        #[cfg(unix)]
        File::open(directory)?.sync_all()?;
        Ok(())
    }
}

/// What was looked at is what was opened, not a link that was put there in between.
#[cfg(unix)]
fn same_file(named: &fs::Metadata, opened: &fs::Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::MetadataExt as _;

    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) { Ok(()) } else { Err(FileFault::Symlink) }
}

#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, opened: &fs::Metadata) -> Result<(), FileFault> {
    if opened.is_file() { Ok(()) } else { Err(FileFault::NotAFile) }
}

/// Makes the directories that are missing, for the user alone. Those that are there stay as they are.
fn private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

#[cfg(unix)]
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(all(test, unix))]
mod tests;
