//! A disk of its own for one test.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A disk of 2 MiB in memory.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts it, if this process may. Otherwise the test prints that it was skipped.
    pub(crate) fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(directory.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory));
        }
        writeln!(std::io::stderr(), "SKIPPED {}: no right to mount a small disk", module_path!())
            .expect("standard error takes a line");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        for size in [4096, 1] {
            loop {
                match filler.write(&[0; 4096][..size]) {
                    Ok(_) => {}
                    Err(full) if full.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

/// The same directory or file under another path, where it cannot be written.
pub(crate) struct ReadOnlyView {
    path: PathBuf,
    _directory: TempDir,
}

impl ReadOnlyView {
    /// Mounts it, if this process may. Otherwise the test prints that it was skipped.
    pub(crate) fn of(source: &Path) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("view");
        if source.is_dir() {
            fs::create_dir(&target).unwrap()
        } else {
            drop(fs::File::create(&target).unwrap())
        }
        let is_mounted = |mount: &mut Command| mount.output().is_ok_and(|mounted| mounted.status.success());
        if is_mounted(Command::new("mount").arg("--bind").arg(source).arg(&target)) {
            assert!(is_mounted(Command::new("mount").args(["-o", "remount,ro,bind"]).arg(&target)));
            return Some(Self { path: target, _directory: directory });
        }
        writeln!(std::io::stderr(), "SKIPPED {}: no right to mount a directory", module_path!())
            .expect("standard error takes a line");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ReadOnlyView {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).output();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}
