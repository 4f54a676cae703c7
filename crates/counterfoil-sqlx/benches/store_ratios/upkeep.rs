//! Runs of maintenance over many records, of which one owner has very many, and how long the others wait meanwhile.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use counterfoil::{
    By, Grant, Lifetime, Maintained, Owner, Registry, Retention, SharedStore, Timestamp, TokenStore,
    store::{Filter, RevokeTarget},
};

use crate::filling;

const DAY: Duration = Duration::from_secs(86_400);

/// What one bulk operation took.
pub(crate) struct Took {
    pub(crate) time: Duration,
    /// How long a revocation of one token took while it ran.
    pub(crate) waits: Vec<Duration>,
}

pub(crate) fn registry(store: impl TokenStore) -> Registry {
    Registry::builder(filling::format(), filling::keyring(), SharedStore::new(store))
        .retention(Retention::default())
        .warn_before([7 * DAY])
        .revoke_unused_after(60 * DAY)
        .build()
        .unwrap()
}

pub(crate) fn large() -> Owner {
    Owner::in_tenant("acme", "large").unwrap()
}

/// Does it, and revokes one token of others after the other meanwhile.
async fn among_others<O>(registry: &Registry, operation: impl Future<Output = O>) -> (O, Took) {
    let begun = Instant::now();
    let is_over = AtomicBool::new(false);
    let bulk = async {
        let output = operation.await;
        is_over.store(true, Ordering::SeqCst);
        (output, begun.elapsed())
    };
    let others = async {
        let mut waits = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let grant = Grant::new(Owner::in_tenant("acme", "other").unwrap(), Lifetime::Forever);
            let issued = registry.issue(grant).await.unwrap();
            let asked = Instant::now();
            registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
            waits.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        waits
    };
    let ((output, time), waits) = tokio::join!(bulk, others);
    (output, Took { time, waits })
}

pub(crate) async fn maintain(registry: &Registry) -> (Maintained, Took) {
    let (run, took) = among_others(registry, registry.maintain()).await;
    let run = run.unwrap();
    assert!(run.failures.is_empty(), "{:?}", run.failures);
    (run, took)
}

/// Revokes the tokens of the large owner that are left.
pub(crate) async fn revoke_all(registry: &Registry) -> (u64, Took) {
    let target = RevokeTarget::Matching(Filter::owner(large()));
    let (revocation, took) = among_others(registry, registry.revoke_all(target, By::unknown())).await;
    (revocation.unwrap().revoked.len() as u64, took)
}

pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().try_into().unwrap()
}

/// The value below or at which `percent` of them are.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

/// Watches the write lock of a SQLite file in write-ahead mode, from outside: by the kernel's list of locks on the `-shm`
/// file, every tenth of a millisecond. Two holds with less than that in between count as one.
pub(crate) struct LockWatch {
    is_over: Arc<AtomicBool>,
    watching: JoinHandle<Vec<Duration>>,
}

/// The file that a database's locks are on. It must be closed after the store, since a process that closes a file loses
/// its locks on it.
pub(crate) fn lock_file(database: &Path) -> Arc<File> {
    let mut path = database.as_os_str().to_owned();
    path.push("-shm");
    Arc::new(File::options().read(true).write(true).open(path).unwrap())
}

/// The byte of the `-shm` file that a writer locks: `UNIX_SHM_BASE` and `WAL_WRITE_LOCK` of SQLite.
const WRITE_LOCK: i64 = 120;

impl LockWatch {
    pub(crate) fn on(file: &Arc<File>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (file, until) = (Arc::clone(file), Arc::clone(&is_over));
        let watching = thread::spawn(move || {
            let (mut holds, mut since) = (Vec::new(), None::<Instant>);
            while !until.load(Ordering::SeqCst) {
                match (is_locked(&file), since) {
                    (true, None) => since = Some(Instant::now()),
                    (false, Some(begun)) => {
                        holds.push(begun.elapsed());
                        since = None;
                    }
                    _ => {}
                }
                thread::sleep(Duration::from_micros(100));
            }
            holds
        });
        Self { is_over, watching }
    }

    /// How long each hold was.
    pub(crate) fn holds(self) -> Vec<Duration> {
        self.is_over.store(true, Ordering::SeqCst);
        self.watching.join().unwrap()
    }
}

#[cfg(target_os = "linux")]
fn is_locked(file: &File) -> bool {
    use nix::{
        fcntl::{FcntlArg, fcntl},
        libc,
    };
    // A lock of an open file: one of this same process stands in its way as well.
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: WRITE_LOCK,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock)).unwrap();
    lock.l_type != libc::F_UNLCK as i16
}

#[cfg(not(target_os = "linux"))]
fn is_locked(_: &File) -> bool {
    false
}
