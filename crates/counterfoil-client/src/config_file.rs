//! The file that keeps the token: only the user's, and replaced as a whole where the system allows it.

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
    #[error("others can use this file (mode {mode:04o}), fix it with: {command}")]
    Exposed {
        /// Its permissions.
        mode: u32,
        /// The command that fixes it, for a POSIX shell.
        command: String,
    },
    /// It is a symbolic link, and there is no file where it leads.
    #[error("this symbolic link leads to {}, where there is no file", target.display())]
    Dangling {
        /// Where it leads.
        target: PathBuf,
    },
    /// It is a symbolic link to a file of another user. (Unix.)
    #[error("this symbolic link leads to {}, which belongs to user {owner}, expected a file of your own", target.display())]
    Foreign {
        /// Where it leads.
        target: PathBuf,
        /// The numeric id of the owner.
        owner: u32,
    },
    /// Another file was put in its place while it was opened.
    #[error("this file was replaced while it was opened, try again")]
    Replaced,
    /// It is a directory, a socket, or something else.
    #[error("this is not a file")]
    NotAFile,
    /// It is too large to be a config file.
    #[error("this is larger than {limit} bytes")]
    TooLarge {
        /// What is read at most.
        limit: u64,
    },
    /// It is UTF-16, as some editors and shells of Windows write it.
    #[error("this is utf-16 text, expected utf-8: save it again in that encoding")]
    Utf16,
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

    /// Puts a token in, next to what is there.
    pub(crate) fn write(&self, token: &str) -> Result<(), FileError> {
        self.told(|| {
            let text = self.load(Rights::OfTheUser)?;
            let text = text.as_ref().map_or("{}", |text| text.as_str());
            replace(&self.target()?, &Members::of(text)?.with(&self.member, token)?)
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
            let target = self.target()?;
            if let Some(rest) = members.without(&self.member)? {
                return replace(&target, &rest).map(|()| Removed::Member);
            }
            // A link, and a file that is mounted, stay: somebody has put them there.
            if target != self.path {
                return replace(&target, "{}\n").map(|()| Removed::Member);
            }
            match fs::remove_file(&target) {
                Err(error) if is_held(&error) => overwrite(&target, "{}\n").map(|()| Removed::Member),
                removed => Ok(removed.map(|()| Removed::File)?),
            }
        })
    }

    fn told<T>(&self, work: impl FnOnce() -> Result<T, FileFault>) -> Result<T, FileError> {
        work().map_err(|fault| FileError { path: self.path.clone(), fault })
    }

    /// The file's text; none if there is no file.
    fn load(&self, rights: Rights) -> Result<Option<Zeroizing<String>>, FileFault> {
        let target = self.target()?;
        let named = match fs::symlink_metadata(&target) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            named => named?,
        };
        if !named.is_file() {
            return Err(FileFault::NotAFile); // a pipe would wait for ever to be opened
        }
        let file = File::open(&target)?;
        let opened = file.metadata()?;
        same_file(&named, &opened)?;
        if target != self.path {
            of_the_user(&target, &opened)?;
        }
        if rights == Rights::OfTheUser {
            only_the_user(&target, &opened)?;
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
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(FileFault::Utf16);
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Some(plain(Zeroizing::new(text)))),
            Err(error) => {
                let bytes = Zeroizing::new(error.into_bytes());
                let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                let line_at = good.rfind('\n').map_or(0, |at| at + 1);
                let (line, column) = (good.matches('\n').count() + 1, good.len() - line_at + 1);
                Err(FileFault::InvalidJson { line, column })
            }
        }
    }

    /// The file itself: where the path leads, if it is a symbolic link.
    fn target(&self) -> Result<PathBuf, FileFault> {
        if !fs::symlink_metadata(&self.path).is_ok_and(|named| named.is_symlink()) {
            return Ok(self.path.clone());
        }
        match fs::canonicalize(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(FileFault::Dangling { target: fs::read_link(&self.path)? })
            }
            target => Ok(target?),
        }
    }
}

/// A file's text without what an editor has put before it, as an object if there is none.
fn plain(text: Zeroizing<String>) -> Zeroizing<String> {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if bare.trim().is_empty() {
        return Zeroizing::new("{}".to_owned());
    }
    if bare.len() == text.len() { text } else { Zeroizing::new(bare.to_owned()) }
}

#[cfg(unix)]
fn only_the_user(target: &Path, opened: &fs::Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = opened.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(FileFault::Exposed { mode, command: format!("chmod 600 {}", shell_word(target)) })
}

/// The file lies in the user's profile, whose access list says who may read it.
#[cfg(not(unix))]
fn only_the_user(_: &Path, _: &fs::Metadata) -> Result<(), FileFault> {
    Ok(())
}

/// Whoever owns a file that a link leads to can read what is written into it.
#[cfg(unix)]
fn of_the_user(target: &Path, opened: &fs::Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = opened.uid();
    if owner == nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    Err(FileFault::Foreign { target: target.to_owned(), owner })
}

#[cfg(not(unix))]
fn of_the_user(_: &Path, _: &fs::Metadata) -> Result<(), FileFault> {
    Ok(())
}

/// Puts a whole new file in the place of the old one, so that a reader sees the one or the other. Where the system does not
/// allow that, the old one is written over.
fn replace(target: &Path, text: &str) -> Result<(), FileFault> {
    match replace_whole(target, text) {
        Err(error) if is_held(&error) && target.is_file() => overwrite(target, text),
        replaced => Ok(replaced?),
    }
}

fn replace_whole(target: &Path, text: &str) -> io::Result<()> {
    let directory = target.parent().unwrap_or(Path::new("."));
    private_directory(directory)?;
    // Made with mode 0600 on Unix, so that it is nobody else's from its first byte.
    let mut file = tempfile::Builder::new().prefix(".token-").suffix(".tmp").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    // The name itself is on the disk once its directory is.
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Whether a file can be written and yet not be replaced: it is mounted by itself, or its directory is closed.
fn is_held(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | CrossesDevices | PermissionDenied | ReadOnlyFilesystem)
}

/// Writes over a file that is there. A crash in between can leave a part of the text.
fn overwrite(target: &Path, text: &str) -> Result<(), FileFault> {
    let mut file = File::options().write(true).open(target)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(file.sync_all()?)
}

/// What was looked at is what was opened, and not a file that was put there in between.
#[cfg(unix)]
fn same_file(named: &fs::Metadata, opened: &fs::Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::MetadataExt as _;

    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) { Ok(()) } else { Err(FileFault::Replaced) }
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
