//! Nodes on one PostgreSQL: what each sees of the others' changes, and of those by hand, also when something breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
mod line;
mod node;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cluster::{Database, Server, own_cluster};
use counterfoil::{By, Lifetime};
use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
use counterfoil_sqlx::PostgresStore;
use line::Line;
use node::{Node, OPERATIONS, Told, act, until, until_served};
use sqlx::{PgPool, postgres::PgConnectOptions};

const BOUND: Duration = Duration::from_millis(1000);

/// A node and whether its cache serves.
struct Beside {
    node: Node<PostgresStore>,
    serves: Arc<AtomicBool>,
    events: Arc<Mutex<Vec<CacheEvent>>>,
}

impl std::ops::Deref for Beside {
    type Target = Node<PostgresStore>;

    fn deref(&self) -> &Node<PostgresStore> {
        &self.node
    }
}

async fn beside(options: PgConnectOptions) -> Beside {
    let beside = beside_on(&cluster::pool(options, 8).await).await;
    beside.until_it_serves().await;
    beside
}

async fn beside_on(pool: &PgPool) -> Beside {
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap().deadline(Duration::from_secs(2));
    let (serves, events) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let on_event = {
        let (serves, events) = (Arc::clone(&serves), Arc::clone(&events));
        move |event: &CacheEvent| {
            serves.store(matches!(event, CacheEvent::Serves { .. }), Ordering::SeqCst);
            events.lock().unwrap().push(event.clone());
        }
    };
    let settings = Settings::default().bound(BOUND);
    let channel = PostgresChannel::new(pool);
    let (store, listening) = CachedStore::by_lease(store, channel, settings, tokio::time::sleep, on_event);
    tokio::spawn(listening);
    Beside { node: Node::new(store), serves, events }
}

impl Beside {
    async fn until_it_serves(&self) {
        until(async || self.serves.load(Ordering::SeqCst)).await;
    }

    async fn until_it_stands_aside(&self, because: &str) {
        let is_said = |event: &CacheEvent| matches!(event, CacheEvent::StoodAside { error, .. } if format!("{error:?}").contains(because));
        until(async || self.events.lock().unwrap().last().is_some_and(is_said)).await;
    }

    /// Asks again and again until the answer is `expected`. One that was asked for later than the bound after `changed` must be,
    /// or that nothing can be found out.
    async fn sees(&self, told: &Told, expected: &str, changed: Instant) -> Duration {
        loop {
            let asked = changed.elapsed();
            let verdict = self.verdict(told).await;
            if verdict == expected {
                return changed.elapsed();
            }
            let is_wrong = verdict.starts_with("ok");
            assert!(!is_wrong || asked < BOUND, "{verdict}, asked for {asked:?} after the change to {expected}");
            assert!(asked < Duration::from_secs(60), "{verdict} for ever, and not {expected}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn by_hand(database: &Database, statement: &str) {
    let mut hand = database.connect().await;
    cluster::run(&mut hand, statement).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_of_one_node_is_seen_by_the_other() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let [here, there] = [beside(database.options()).await, beside(database.options()).await];
    for (operation, expected) in OPERATIONS {
        let told = here.issue().await;
        until_served(&here, &told).await;
        until_served(&there, &told).await;
        act(&here.node, &told, operation).await;
        let changed = Instant::now();
        if operation != "maintain, which purges" {
            assert_eq!(here.verdict(&told).await, expected, "{operation}, at once on the node that made it");
        }
        here.sees(&told, expected, changed).await;
        there.sees(&told, expected, changed).await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_hand_is_seen_whatever_it_is() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    for (statement, expected) in [
        // As the guide has it.
        (
            "UPDATE counterfoil_token \
             SET revoked_at = (extract(epoch FROM now()) * 1000)::bigint, revoked_detail = '{\"reason\":\"by hand\"}', \
                 version = version + 1 \
             WHERE id = $ID AND revoked_at IS NULL",
            "revoked",
        ),
        ("UPDATE counterfoil_token SET expires_at = created_at WHERE id = $ID", "expired"),
        ("DELETE FROM counterfoil_token WHERE id = $ID", "unknown"),
        ("DELETE FROM counterfoil_selector WHERE token_id = $ID", "unknown"),
        ("TRUNCATE counterfoil_token CASCADE", "unknown"),
    ] {
        let told = node.issue().await;
        until_served(&node, &told).await;
        let statement = statement.replace("$ID", &format!("'{}'", told.id));
        by_hand(&database, &statement).await;
        node.sees(&told, expected, Instant::now()).await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_triggers_a_cache_stands_aside_and_names_them() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    let break_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'
        AND datname = current_database()";
    for (statement, missing, mended) in [
        (
            "ALTER TABLE counterfoil_token DISABLE TRIGGER counterfoil_token_changed",
            "changes: counterfoil_token_changed\"",
            "ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed",
        ),
        (
            "ALTER TABLE counterfoil_selector ENABLE REPLICA TRIGGER counterfoil_selector_changed;
                ALTER TABLE counterfoil_selector DISABLE TRIGGER counterfoil_selector_emptied",
            "changes: counterfoil_selector_changed, counterfoil_selector_emptied\"",
            "ALTER TABLE counterfoil_selector ENABLE TRIGGER counterfoil_selector_changed;
                ALTER TABLE counterfoil_selector ENABLE TRIGGER counterfoil_selector_emptied",
        ),
        (
            "DROP TRIGGER counterfoil_token_went ON counterfoil_token",
            "changes: counterfoil_token_went\"",
            "CREATE TRIGGER counterfoil_token_went AFTER DELETE ON counterfoil_token
                FOR EACH ROW EXECUTE FUNCTION counterfoil_tell_token()",
        ),
    ] {
        by_hand(&database, statement).await;
        by_hand(&database, break_off).await;
        node.until_it_stands_aside(missing).await;
        by_hand(&database, mended).await;
        node.until_it_serves().await;
    }
    let told = node.issue().await;
    until_served(&node, &told).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_connects_by_the_options_that_the_pool_has_by_then() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    // Makes the tables, as their owner.
    PostgresStore::from_pool_or_create(database.pool(1).await).await.unwrap();
    let [earlier, later] = [(); 2].map(|()| cluster::unique("app"));
    for role in [&earlier, &later] {
        let owner = database.options().get_username().to_owned();
        by_hand(&database, &format!("CREATE ROLE {role} LOGIN; GRANT {owner} TO {role}")).await;
    }
    let pool = cluster::pool(database.options().username(&earlier), 4).await;
    let node = beside_on(&pool).await;
    node.until_it_serves().await;
    pool.set_connect_options(database.options().username(&later));
    let end = format!(
        "ALTER ROLE {earlier} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{earlier}'"
    );
    by_hand(&database, &end).await;
    node.until_it_stands_aside("").await;
    node.until_it_serves().await;
    until_served(&node, &node.issue().await).await;
    pool.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_made_up_for_by_the_longest_age() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let pool = database.pool(4).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
    let settings = Settings::default().bound(BOUND).longest(Duration::from_millis(300));
    let (store, listening) =
        CachedStore::by_lease(store, PostgresChannel::new(&pool), settings, tokio::time::sleep, |_: &CacheEvent| {});
    tokio::spawn(listening);
    let node = Node::new(store);
    let told = node.issue().await;
    until(async || {
        node.verdict(&told).await;
        node.store.counts().entries == 1
    })
    .await;
    let statement = format!(
        "ALTER TABLE counterfoil_token DISABLE TRIGGER counterfoil_token_changed; \
         UPDATE counterfoil_token SET expires_at = created_at WHERE id = '{}'",
        told.id
    );
    by_hand(&database, &statement).await;
    until(async || node.verdict(&told).await == "expired").await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_is_noticed_within_the_bound_and_mends_by_itself() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let here = beside(database.options()).await;
    let (line, options) = Line::to(&database.options()).await;
    let there = beside(options).await;
    for _ in 0..3 {
        let told = here.issue().await;
        until_served(&there, &told).await;
        line.freeze(true);
        here.registry.revoke(told.id, By::unknown()).await.unwrap();
        let changed = Instant::now();
        // Neither good nor bad from memory past the bound: nothing can be found out, until the line is whole.
        until(async || {
            let asked = changed.elapsed();
            let verdict = there.verdict(&told).await;
            assert!(!verdict.starts_with("ok") || asked < BOUND, "{verdict}, asked for {asked:?} after the change");
            verdict == "the store is unavailable"
        })
        .await;
        line.freeze(false);
        there.sees(&told, "revoked", changed).await;
        until(async || there.serves.load(Ordering::SeqCst)).await;
    }
    assert!(there.events.lock().unwrap().iter().any(|event| matches!(event, CacheEvent::StoodAside { .. })));
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_open_lines_are_dead_and_say_nothing_new_ones_are_made() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let (proxy, options) = database.behind_proxy().await;
    let node = beside(options).await;
    let told = node.issue().await;
    for _ in 0..3 {
        node.serves.store(false, Ordering::SeqCst);
        proxy.silence();
        node.until_it_serves().await;
        until(async || node.verdict(&told).await == "ok 1").await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_or_stands_still_is_unavailable_and_never_late() {
    let Some(server) = own_cluster() else { return };
    let database = server.database().await;
    let [here, there] = [beside(database.options()).await, beside(database.options()).await];
    for is_killed in [true, false, true] {
        let told = here.issue().await;
        until_served(&there, &told).await;
        here.registry.revoke(told.id, By::unknown()).await.unwrap();
        let changed = Instant::now();
        // At once: whether the notification comes through or not.
        if is_killed {
            server.cluster().kill();
        } else {
            server.cluster().pause();
        }
        until(async || {
            let asked = changed.elapsed();
            let verdict = there.verdict(&told).await;
            assert!(!verdict.starts_with("ok") || asked < BOUND, "{verdict}, asked for {asked:?} after the change");
            asked > BOUND
        })
        .await;
        assert!(["the store is unavailable", "revoked"].contains(&there.verdict(&told).await.as_str()));
        if is_killed {
            server.cluster().restart();
        } else {
            server.cluster().resume();
        }
        there.sees(&told, "revoked", changed).await;
        let again = here.issue().await;
        there.until_it_serves().await;
        until_served(&there, &again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_does_not_end_the_lease() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let pool = database.pool(2).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
    let settings = Settings::default().bound(Duration::from_millis(400));
    let events = Arc::new(Mutex::new(Vec::new()));
    let on_event = {
        let events = Arc::clone(&events);
        move |event: &CacheEvent| events.lock().unwrap().push(event.clone())
    };
    let (store, listening) =
        CachedStore::by_lease(store, PostgresChannel::new(&pool), settings, tokio::time::sleep, on_event);
    tokio::spawn(listening);
    let node = Node::new(store);
    let told = node.issue().await;
    until(async || {
        node.verdict(&told).await;
        node.store.counts().entries == 1
    })
    .await;
    let held = hold_all(&pool).await;
    let began = Instant::now();
    until(async || {
        assert_eq!(node.verdict(&told).await, "ok 1");
        began.elapsed() > Duration::from_millis(1200)
    })
    .await;
    drop(held);
    assert_eq!(events.lock().unwrap().len(), 1, "{events:?}");
    database.drop().await;
}

/// An end is judged by the clock of the node that verifies, and by no other: neither the server's nor another node's.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_judged_by_the_clock_of_the_node_that_verifies() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let [here, there] = [beside(database.options()).await, beside(database.options()).await];
    let ten_minutes = Duration::from_secs(600);
    let ahead = here.registry.now().unwrap().checked_add(ten_minutes).unwrap();
    there.clock.set(ahead);
    let told = here.issue().await;
    let end = Lifetime::For(ten_minutes / 2);
    here.registry.set_expiry(told.id, end, By::unknown()).await.unwrap();
    assert_eq!(here.verdict(&told).await, "ok 2");
    there.sees(&told, "expired", Instant::now()).await;
    assert_eq!(here.verdict(&told).await, "ok 2", "what another node's clock says changes nothing");
    here.clock.set(ahead);
    assert_eq!(here.verdict(&told).await, "expired");
    database.drop().await;
}

async fn hold_all(pool: &PgPool) -> Vec<sqlx::pool::PoolConnection<sqlx::Postgres>> {
    vec![pool.acquire().await.unwrap(), pool.acquire().await.unwrap()]
}
