//! On a disk of its own that has no room left, reads work and writes say why not.

use std::{io::Write as _, process::Command};

use counterfoil::{TokenStore as _, store::StoreErrorKind};
use counterfoil_sqlx::SqliteStore;
use tempfile::TempDir;

use crate::common::{now, owner, record, selector};

/// A disk of 1 MiB in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// If this process may mount one; else the test says aloud that it is skipped.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory));
        }
        writeln!(std::io::stderr(), "SKIPPED {}: no right to mount a small disk", module_path!())
            .expect("standard error takes a line");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn on_a_full_disk_reads_work_and_writes_say_why_not() {
    let Some(disk) = SmallDisk::new() else { return };
    let store = SqliteStore::open_or_create(disk.0.path().join("tokens.db")).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    let (refused, error) = loop {
        let newcomer = record(&owner("ann"));
        if let Err(error) = store.insert(&newcomer, None, now()).await {
            break (newcomer, error);
        }
    };
    assert_eq!(error.kind(), &StoreErrorKind::ReadOnly, "{error:?}");
    assert!(store.get(refused.id()).await.unwrap().is_none(), "what was refused is not there");
    let found = store.find(&[selector(&there)]).await.unwrap().unwrap();
    assert_eq!(found.to_row(), there.to_row());
    // And a file that is opened there reads on.
    drop(store);
    let again = SqliteStore::open(disk.0.path().join("tokens.db")).await.unwrap();
    assert!(again.find(&[selector(&there)]).await.unwrap().is_some());
}
