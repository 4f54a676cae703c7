//! A server that is killed, stands still, or has no room: what was acknowledged stays, and nobody is refused for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use counterfoil::{
    By, Denial, Grant, Lifetime, Registry, TokenFormat, TokenId, TokenStore, registry::VerifyError,
    store::StoreErrorKind,
};
use counterfoil_sqlx::PostgresStore;
use tokio::task::JoinSet;

use crate::{
    cluster::{own_cluster, pool, run, say_skipped},
    support::*,
};

fn registry(store: PostgresStore) -> Registry {
    let format = TokenFormat::builder("acme").build().unwrap();
    Registry::builder(format, keyring().clone(), store).build().unwrap()
}

/// What was acknowledged of each token: its text, and whether it was revoked. One that is being changed is in neither.
type Known = Arc<Mutex<BTreeMap<TokenId, (String, bool)>>>;

/// Mints and revokes until the server is gone.
async fn work(registry: Registry, known: Known, worker: usize) {
    for number in 0.. {
        let grant = Grant::new(owner(&format!("owner-{worker}")), Lifetime::Forever);
        let Ok(issued) = registry.issue(grant).await else { return };
        let (id, text) = (issued.record.id(), issued.token.expose().to_owned());
        known.lock().unwrap().insert(id, (text.clone(), false));
        if number % 2 == 0 {
            known.lock().unwrap().remove(&id);
            if registry.revoke(id, By::unknown()).await.is_err() {
                return;
            }
            known.lock().unwrap().insert(id, (text, true));
        }
    }
}

/// What does not stand as it was acknowledged.
async fn wrong(registry: &Registry, known: &Known) -> Vec<String> {
    let known = known.lock().unwrap().clone();
    let mut wrong = Vec::new();
    for (id, (text, is_revoked)) in known {
        let found = match registry.verify(&text).await {
            Ok(_) => Ok(()),
            Err(VerifyError::Denied(denial)) => Err(denial),
            Err(error) => panic!("{id}: {error}"),
        };
        let expected = if is_revoked { Err(Denial::Revoked) } else { Ok(()) };
        if found != expected {
            wrong.push(format!("{id}: found {found:?}, expected {expected:?}"));
        }
    }
    wrong
}

fn is_unavailable<T>(answer: Result<T, VerifyError>) -> bool {
    let Err(VerifyError::Store(error)) = answer else { return false };
    error.kind() == &StoreErrorKind::Unavailable
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_outlives_a_kill_of_the_server() {
    let Some(server) = own_cluster() else { return };
    let store = Fixture::on(&server).await;
    let registry = registry(store.store.clone().deadline(Duration::from_millis(500)));
    let known = Known::default();
    for round in 1..=4 {
        let mut workers = JoinSet::new();
        for worker in 0..8 {
            workers.spawn(work(registry.clone(), Arc::clone(&known), worker));
        }
        until(async || known.lock().unwrap().len() > round * 60).await;
        server.cluster().kill();
        workers.join_all().await;
        // Without a database there is no verdict: neither a pass nor a refusal.
        let texts: Vec<_> = known.lock().unwrap().values().map(|(text, _)| text.clone()).take(5).collect();
        for text in texts {
            assert!(is_unavailable(registry.verify(&text).await));
        }
        server.cluster().restart();
        assert_eq!(wrong(&registry, &known).await, Vec::<String>::new(), "round {round}");
    }
    let states: BTreeSet<bool> = known.lock().unwrap().values().map(|(_, is_revoked)| *is_revoked).collect();
    assert_eq!(states.len(), 2, "some were revoked, and some were not");
    for (what, from) in [
        (
            "tokens without the selector of their secret",
            "counterfoil_token AS t WHERE NOT EXISTS (SELECT 1 FROM counterfoil_selector AS s \
             WHERE s.selector = t.selector AND s.token_id = t.id)",
        ),
        (
            "tokens without a row of their usage",
            "counterfoil_token AS t WHERE NOT EXISTS (SELECT 1 FROM counterfoil_usage AS u WHERE u.token_id = t.id)",
        ),
    ] {
        assert_eq!(store.count(from).await, 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stands_still_is_unavailable_within_the_deadline() {
    let Some(server) = own_cluster() else { return };
    let store = Fixture::with(server.database().await, 4).await;
    let hasty = store.store.clone().deadline(Duration::from_millis(300)).bulk_deadline(Duration::from_millis(300));
    let registry = registry(hasty.clone());
    let issued = registry.issue(Grant::new(owner("ann"), Lifetime::Forever)).await.unwrap();
    let text = issued.token.expose();
    registry.verify(text).await.unwrap();
    for round in 0..2 {
        server.cluster().pause();
        // More than there are connections, and again: none is lost to a call that has given up.
        for _ in 0..2 {
            let mut waiting = JoinSet::new();
            for _ in 0..8 {
                let (registry, text) = (registry.clone(), text.to_owned());
                waiting.spawn(async move { is_unavailable(registry.verify(&text).await.map(drop)) });
            }
            let told = tokio::time::timeout(Duration::from_secs(60), waiting.join_all()).await.expect("an answer");
            assert!(told.iter().all(|unavailable| *unavailable), "round {round}: {told:?}");
        }
        assert_eq!(kind(hasty.insert(&record(&owner("ann")), None, now()).await), StoreErrorKind::Unavailable);
        assert_eq!(kind(hasty.record_uses(&[used(issued.record.id(), now())]).await), StoreErrorKind::Unavailable);
        server.cluster().resume();
        until(async || registry.verify(text).await.is_ok()).await;
        let patient = store.store.clone();
        patient.insert(&record(&owner("ann")), None, now()).await.unwrap();
    }
    // Paused and then killed: what is left of the connections is closed, and the pool is whole again.
    server.cluster().pause();
    assert!(is_unavailable(registry.verify(text).await));
    server.cluster().kill();
    server.cluster().restart();
    until(async || registry.verify(text).await.is_ok()).await;
    let mut held = Vec::new();
    while held.len() < 4 {
        held.push(store.pool.acquire().await.unwrap());
    }
}

/// On a disk of its own that has no room left.
#[tokio::test]
async fn on_a_full_disk_reads_work_and_writes_say_why_not() {
    let Some(server) = own_cluster() else { return };
    let Some(disk) = SmallDisk::new(server.cluster().user()) else {
        say_skipped("no right to mount a small disk");
        return;
    };
    let mut admin = pool(server.cluster().options(), 1).await.acquire().await.unwrap().detach();
    run(&mut admin, &format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.display())).await;
    let store = Fixture::with(server.database_with("TABLESPACE small").await, 4).await;
    let there = store.insert(record(&owner("ann"))).await;
    let mut hand = store.database.connect().await;
    run(&mut hand, "CREATE TABLE filler (text text); ALTER TABLE filler ALTER text SET STORAGE EXTERNAL").await;
    for rows in [100, 1] {
        let full = loop {
            let more =
                sqlx::query("INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, $1)").bind(rows);
            if let Err(full) = more.execute(&mut hand).await {
                break full;
            }
        };
        assert_eq!(full.as_database_error().unwrap().code().as_deref(), Some("53100"), "{full:?}");
    }

    // What fits into pages that are there is still written; then there are none.
    let mut refused = None;
    for _ in 0..2000 {
        let newcomer = record(&owner("ann"));
        if let Err(error) = store.store.insert(&newcomer, None, now()).await {
            assert!(store.store.get(newcomer.id()).await.unwrap().is_none());
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused.expect("no room").kind(), &StoreErrorKind::ReadOnly);
    assert_eq!(store.finds(selector(&there).as_str()).await, Some(there.id()));
    store.by_hand("DROP TABLE filler").await;
    store.insert(record(&owner("ann"))).await;
}

struct SmallDisk(PathBuf);

impl SmallDisk {
    /// A disk of 32 MiB in memory, if this process may mount one.
    fn new(user: Option<(u32, u32)>) -> Option<Self> {
        let (uid, gid) = user?;
        let directory = tempfile::TempDir::with_prefix("counterfoil-disk-").unwrap().keep();
        let mut mount = Command::new("mount");
        let options = format!("size=32m,mode=700,uid={uid},gid={gid}");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&directory).output();
        let disk = Self(directory);
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may hold it still.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
        let _ = fs::remove_dir(&self.0);
    }
}
