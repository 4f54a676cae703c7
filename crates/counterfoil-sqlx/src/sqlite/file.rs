//! Detection of a database file that is deleted or replaced while it is open.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use counterfoil::store::{StoreError, StoreErrorKind};

/// The file that the connections have open. SQLite goes on reading and writing it after its path leads elsewhere: what is
/// written is lost then, and what other processes revoke in the new file is not seen.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    identity: (u64, u64),
    since: Instant,
    /// When the path was looked at last, in milliseconds since the file was opened.
    checked: AtomicU64,
}

/// For how long a path that was looked at counts as unchanged for reads that find something.
const TRUSTED: Duration = Duration::from_millis(100);

impl OpenFile {
    /// The file at a path, or `None` for a database in memory and where files have no identity.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let identity = identity_of(&path).ok()??;
        Some(Self { path, identity, since: Instant::now(), checked: AtomicU64::new(0) })
    }

    /// Refuses a path that leads to nothing or to another file by now. It is one system call.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let now = self.elapsed();
        let detail = match identity_of(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "the file was deleted while it was open",
            Ok(Some(identity)) if identity != self.identity => {
                "the file was replaced while it was open; restart the service to open the new one"
            }
            // A path that cannot be looked at says nothing about the file that is open.
            Ok(_) | Err(_) => {
                self.checked.store(now, Ordering::Relaxed);
                return Ok(());
            }
        };
        let location = self.path.display().to_string();
        Err(StoreErrorKind::NoStore { location, detail: detail.into() }.into())
    }

    /// [`check`](Self::check), unless that was done a moment ago.
    pub(super) fn check_sometimes(&self) -> Result<(), StoreError> {
        let age = self.elapsed().saturating_sub(self.checked.load(Ordering::Relaxed));
        if u128::from(age) < TRUSTED.as_millis() { Ok(()) } else { self.check() }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(unix)]
fn identity_of(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map(|file| Some((file.dev(), file.ino())))
}

/// Elsewhere an open file cannot be deleted or replaced.
#[cfg(not(unix))]
fn identity_of(_: &Path) -> std::io::Result<Option<(u64, u64)>> {
    Ok(None)
}
