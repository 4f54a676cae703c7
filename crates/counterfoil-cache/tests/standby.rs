//! Three nodes whose database waits for a synchronous standby that is away: verifications go on, connections stay within
//! their bound, and heartbeats come back with the standby.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
mod node;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use cluster::{Database, own_cluster_with_standby, say_skipped, until_it_streams};
use counterfoil::{By, Grant, Lifetime, Owner, TokenStore};
use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
use counterfoil_sqlx::PostgresStore;
use node::{Node, Told, until, until_served};
use sqlx::PgConnection;

const NODES: usize = 3;
const BOUND: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(1);

/// Of each node's pool.
const POOL: u32 = 6;

/// What a node may have beside its pool: the listener, the heartbeats, and the one that asks who waits.
const BESIDE: u32 = 3;

#[derive(Clone)]
struct Site {
    node: Node<PostgresStore>,
    serves: Arc<AtomicBool>,
}

impl Site {
    async fn on(database: &Database) -> Self {
        let pool = database.pool(POOL).await;
        let store = PostgresStore::from_pool(pool.clone()).await.unwrap();
        let store = store.deadline(DEADLINE).bulk_deadline(DEADLINE);
        let serves = Arc::new(AtomicBool::new(false));
        let on_event = {
            let serves = Arc::clone(&serves);
            move |event: &CacheEvent| serves.store(matches!(event, CacheEvent::Serves { .. }), SeqCst)
        };
        let settings = Settings::default().bound(BOUND);
        let channel = PostgresChannel::new(&pool);
        let (store, listening) = CachedStore::by_lease(store, channel, settings, tokio::time::sleep, on_event);
        tokio::spawn(listening);
        Self { node: Node::new(store), serves }
    }
}

/// The connections of all nodes.
async fn connections(database: &Database, admin: &mut PgConnection) -> u32 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' \
        AND pid <> pg_backend_pid()";
    let count: i64 = sqlx::query_scalar(count).bind(database.name()).fetch_one(admin).await.unwrap();
    u32::try_from(count).unwrap()
}

/// Changes of every kind by many at once, none of which is acknowledged.
async fn write_in_vain(site: Site, tokens: Arc<[Told]>, number: usize, is_over: Arc<AtomicBool>) {
    let registry = &site.node.registry;
    for round in number.. {
        if is_over.load(SeqCst) {
            return;
        }
        let id = tokens[round % tokens.len()].id;
        let is_done = match round % 4 {
            0 => registry.block(id, By::unknown()).await.is_ok(),
            1 => registry.revoke(id, By::unknown()).await.is_ok(),
            2 => {
                let grant = Grant::new(Owner::new("bob").unwrap(), Lifetime::days(1));
                registry.issue(grant).await.is_ok()
            }
            _ => site.node.store.confirm_durable().await.is_ok(),
        };
        assert!(!is_done || is_over.load(SeqCst), "acknowledged without the standby");
        // One that fails at once must not keep the processor busy.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Verifies without a pause.
async fn verify(site: Site, told: Told, is_over: Arc<AtomicBool>, answered: Arc<AtomicU32>) {
    while !is_over.load(SeqCst) {
        assert_eq!(site.node.verdict(&told).await, "ok 1");
        answered.fetch_add(1, SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn with_the_standby_away(away: Duration) {
    let Some((server, standby)) = own_cluster_with_standby().await else { return };
    let database = server.database().await;
    PostgresStore::from_pool_or_create(database.pool(1).await).await.unwrap();
    let mut sites = Vec::new();
    for _ in 0..NODES {
        sites.push(Site::on(&database).await);
    }
    let good = sites[0].node.issue().await;
    let mut changed = Vec::new();
    for _ in 0..8 {
        changed.push(sites[0].node.issue().await);
    }
    let changed: Arc<[Told]> = changed.into();
    for site in &sites {
        until_served(&site.node, &good).await;
    }
    let mut admin = database.connect().await;

    standby.kill();
    let (is_over, is_back, answered) = (Arc::default(), Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
    let mut verifiers = Vec::new();
    let mut writers = Vec::new();
    for site in &sites {
        for _ in 0..2 {
            verifiers.push(tokio::spawn(verify(
                site.clone(),
                good.clone(),
                Arc::clone(&is_over),
                Arc::clone(&answered),
            )));
        }
        for number in 0..8 {
            let (site, tokens, is_back) = (site.clone(), Arc::clone(&changed), Arc::clone(&is_back));
            writers.push(tokio::spawn(write_in_vain(site, tokens, number, is_back)));
        }
    }
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < away {
        most = most.max(connections(&database, &mut admin).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let bound = NODES as u32 * (POOL + BESIDE);
    assert!(most <= bound, "{most} connections, expected at most {bound}");
    assert!(sites.iter().all(|site| !site.serves.load(SeqCst)), "no heartbeat comes back past a change that waits");
    let without = answered.load(SeqCst);
    assert!(without > 0);

    is_back.store(true, SeqCst);
    standby.restart();
    until_it_streams(&mut admin).await;
    for site in &sites {
        until(async || site.serves.load(SeqCst)).await;
        until_served(&site.node, &good).await;
        let told = site.node.issue().await;
        site.node.registry.revoke(told.id, By::unknown()).await.unwrap();
    }
    is_over.store(true, SeqCst);
    for task in verifiers.into_iter().chain(writers) {
        task.await.unwrap();
    }
    assert!(answered.load(SeqCst) > without);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifications_go_on_while_a_change_waits_for_the_standby() {
    with_the_standby_away(Duration::from_secs(6)).await;
}

/// Long enough for what is left behind slowly to pass the bound.
#[tokio::test(flavor = "multi_thread")]
async fn connections_stay_bounded_while_the_standby_is_away_for_long() {
    if std::env::var_os("COUNTERFOIL_LONG").is_none() {
        return say_skipped("takes two minutes: set COUNTERFOIL_LONG=1");
    }
    with_the_standby_away(Duration::from_secs(100)).await;
}
