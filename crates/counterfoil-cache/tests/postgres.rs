//! Nodes on one PostgreSQL: what each sees of the others' changes, and of those by hand, also when something breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
mod line;
mod node;

use std::{
    error::Error as _,
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
use sqlx::{ConnectOptions as _, PgPool, postgres::PgConnectOptions};

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

    async fn until_it_stands_aside(&self, because: &str, case: &str) {
        let began = Instant::now();
        loop {
            let last = self.events.lock().unwrap().last().cloned();
            if let Some(CacheEvent::StoodAside { error, .. }) = &last
                && error.source().is_some_and(|source| source.to_string().contains(because))
            {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{case}: {last:?} instead of {because}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
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

/// What is wrong with the triggers, the statement that does it, how the event names it, and the statement that undoes it.
const TRIGGER_FAULTS: [(&str, &str, &str, &str); 12] = [
    (
        "disabled",
        "ALTER TABLE counterfoil_token DISABLE TRIGGER counterfoil_token_changed",
        "trigger `counterfoil_token_changed` on `counterfoil_token` has state `D` (disabled), expected `A` (fires always)",
        "ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed",
    ),
    (
        "origin only, as after a restore",
        "ALTER TABLE counterfoil_token DISABLE TRIGGER ALL; ALTER TABLE counterfoil_token ENABLE TRIGGER ALL",
        "trigger `counterfoil_token_went` on `counterfoil_token` has state `O` (fires in origin sessions only), \
         expected `A` (fires always)",
        ALWAYS_TOKEN,
    ),
    (
        "replica only",
        "ALTER TABLE counterfoil_selector ENABLE REPLICA TRIGGER counterfoil_selector_changed",
        "trigger `counterfoil_selector_changed` on `counterfoil_selector` has state `R` (fires in replica sessions \
         only), expected `A` (fires always)",
        "ALTER TABLE counterfoil_selector ENABLE ALWAYS TRIGGER counterfoil_selector_changed",
    ),
    (
        "all of the table disabled",
        "ALTER TABLE counterfoil_selector DISABLE TRIGGER ALL",
        "trigger `counterfoil_selector_emptied` on `counterfoil_selector` has state `D` (disabled), expected `A`",
        ALWAYS_SELECTOR,
    ),
    (
        "dropped",
        "DROP TRIGGER counterfoil_token_went ON counterfoil_token",
        "trigger `counterfoil_token_went` on `counterfoil_token` is missing",
        "CREATE TRIGGER counterfoil_token_went AFTER DELETE ON counterfoil_token \
         FOR EACH ROW EXECUTE FUNCTION counterfoil_tell_token(); \
         ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_went",
    ),
    (
        "renamed",
        "ALTER TRIGGER counterfoil_token_emptied ON counterfoil_token RENAME TO emptied",
        "trigger `counterfoil_token_emptied` on `counterfoil_token` is missing",
        "ALTER TRIGGER emptied ON counterfoil_token RENAME TO counterfoil_token_emptied",
    ),
    (
        "limited to a column",
        "CREATE OR REPLACE TRIGGER counterfoil_token_changed AFTER UPDATE OF body ON counterfoil_token \
         FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION counterfoil_tell_token(); \
         ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed",
        "trigger `counterfoil_token_changed` on `counterfoil_token` fires for other events than the schema's",
        RECREATE_CHANGED,
    ),
    (
        "with another condition",
        "CREATE OR REPLACE TRIGGER counterfoil_token_changed AFTER UPDATE ON counterfoil_token \
         FOR EACH ROW WHEN (OLD.body IS DISTINCT FROM NEW.body) EXECUTE FUNCTION counterfoil_tell_token(); \
         ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed",
        "trigger `counterfoil_token_changed` on `counterfoil_token` fires for other events than the schema's",
        RECREATE_CHANGED,
    ),
    (
        "on another function",
        "CREATE FUNCTION silent() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE OR REPLACE TRIGGER counterfoil_token_changed AFTER UPDATE ON counterfoil_token \
         FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION silent(); \
         ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed",
        "calls another function than the schema's `counterfoil_tell_token`",
        RECREATE_CHANGED,
    ),
    (
        "on a function that was replaced",
        "ALTER FUNCTION counterfoil_tell_selector RENAME TO kept; \
         CREATE FUNCTION counterfoil_tell_selector() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE OR REPLACE TRIGGER counterfoil_selector_changed AFTER UPDATE OR DELETE ON counterfoil_selector \
         FOR EACH ROW EXECUTE FUNCTION counterfoil_tell_selector(); \
         ALTER TABLE counterfoil_selector ENABLE ALWAYS TRIGGER counterfoil_selector_changed",
        "trigger `counterfoil_selector_changed` on `counterfoil_selector` calls another function than the schema's",
        "CREATE OR REPLACE TRIGGER counterfoil_selector_changed AFTER UPDATE OR DELETE ON counterfoil_selector \
         FOR EACH ROW EXECUTE FUNCTION kept(); DROP FUNCTION counterfoil_tell_selector(); \
         ALTER FUNCTION kept RENAME TO counterfoil_tell_selector; \
         ALTER TABLE counterfoil_selector ENABLE ALWAYS TRIGGER counterfoil_selector_changed",
    ),
    (
        "with a function body that was replaced in place",
        "CREATE OR REPLACE FUNCTION counterfoil_tell_all() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RETURN NULL; END'",
        "trigger `counterfoil_token_emptied` on `counterfoil_token` calls another function than the schema's",
        "CREATE OR REPLACE FUNCTION counterfoil_tell_all() RETURNS trigger LANGUAGE plpgsql AS \
         $function$ BEGIN PERFORM pg_catalog.pg_notify('counterfoil_changes', '*'); RETURN NULL; END $function$",
    ),
    (
        "on a table that was put aside",
        "ALTER TABLE counterfoil_selector RENAME TO aside; \
         CREATE TABLE counterfoil_selector AS SELECT * FROM aside",
        "trigger `counterfoil_selector_changed` on `counterfoil_selector` is missing",
        "DROP TABLE counterfoil_selector; ALTER TABLE aside RENAME TO counterfoil_selector",
    ),
];

const ALWAYS_TOKEN: &str = "ALTER TABLE counterfoil_token ENABLE TRIGGER ALL, \
    ENABLE ALWAYS TRIGGER counterfoil_token_went, ENABLE ALWAYS TRIGGER counterfoil_token_changed, \
    ENABLE ALWAYS TRIGGER counterfoil_token_emptied";

const ALWAYS_SELECTOR: &str = "ALTER TABLE counterfoil_selector ENABLE TRIGGER ALL, \
    ENABLE ALWAYS TRIGGER counterfoil_selector_changed, ENABLE ALWAYS TRIGGER counterfoil_selector_emptied";

const RECREATE_CHANGED: &str = "CREATE OR REPLACE TRIGGER counterfoil_token_changed AFTER UPDATE ON counterfoil_token \
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION counterfoil_tell_token(); \
    ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed";

#[tokio::test(flavor = "multi_thread")]
async fn trigger_that_stops_reporting_ends_the_lease_and_is_named() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    for (fault, statement, named, undone) in TRIGGER_FAULTS {
        let told = node.issue().await;
        until_served(&node, &told).await;
        by_hand(&database, statement).await;
        let changed = Instant::now();
        // Nothing says so on the channel: it is the heartbeats that notice it.
        let revoke = format!(
            "SET session_replication_role = replica; \
             UPDATE counterfoil_token SET revoked_at = created_at, revoked_detail = '{{}}' WHERE id = '{}'",
            told.id
        );
        by_hand(&database, &revoke).await;
        node.sees(&told, "revoked", changed).await;
        node.until_it_stands_aside(named, fault).await;
        by_hand(&database, undone).await;
        node.until_it_serves().await;
        assert_eq!(node.verdict(&told).await, "revoked", "{fault}");
    }
    database.drop().await;
}

/// What is done to an open store, what the reason to stand aside says of it, and how it is undone.
const STORE_FAULTS: [(&str, &str, &str); 3] = [
    (
        "CREATE TABLE kept AS SELECT store_id FROM counterfoil_schema;
         UPDATE counterfoil_schema SET store_id = gen_random_uuid()",
        "another store",
        "UPDATE counterfoil_schema SET store_id = (SELECT store_id FROM kept); DROP TABLE kept",
    ),
    (
        "CREATE TABLE kept AS SELECT checksum FROM _counterfoil_migrations WHERE version = 2;
         UPDATE _counterfoil_migrations SET checksum = '\\x00ff' WHERE version = 2",
        "00ff",
        "UPDATE _counterfoil_migrations SET checksum = (SELECT checksum FROM kept) WHERE version = 2; DROP TABLE kept",
    ),
    (
        "ALTER TABLE counterfoil_usage RENAME TO put_aside",
        "counterfoil_usage",
        "ALTER TABLE put_aside RENAME TO counterfoil_usage",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn store_that_turns_into_another_one_ends_the_lease_and_is_named() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    for (statement, named, undone) in STORE_FAULTS {
        let told = node.issue().await;
        until_served(&node, &told).await;
        by_hand(&database, statement).await;
        node.until_it_stands_aside(named, statement).await;
        by_hand(&database, undone).await;
        node.until_it_serves().await;
        assert_eq!(node.verdict(&told).await, "ok 1", "{statement}");
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_that_is_not_always_on_keeps_a_new_node_from_serving() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    let break_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'
        AND datname = current_database()";
    for (fault, statement, named, undone) in TRIGGER_FAULTS {
        by_hand(&database, &format!("{statement}; {break_off}")).await;
        node.until_it_stands_aside(named, fault).await;
        by_hand(&database, undone).await;
        node.until_it_serves().await;
    }
    until_served(&node, &node.issue().await).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_that_is_off_between_two_heartbeats_is_noticed() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let node = beside(database.options()).await;
    for (off, on) in [
        ("DISABLE TRIGGER counterfoil_token_changed", "ENABLE ALWAYS TRIGGER counterfoil_token_changed"),
        (
            "DISABLE TRIGGER USER",
            "ENABLE ALWAYS TRIGGER counterfoil_token_went, ENABLE ALWAYS TRIGGER counterfoil_token_changed, \
             ENABLE ALWAYS TRIGGER counterfoil_token_emptied",
        ),
    ] {
        for separator in ["; ", "; COMMIT; BEGIN; "] {
            let told = node.issue().await;
            until_served(&node, &told).await;
            let statement = [
                format!("BEGIN; ALTER TABLE counterfoil_token {off}"),
                format!("UPDATE counterfoil_token SET expires_at = created_at WHERE id = '{}'", told.id),
                format!("ALTER TABLE counterfoil_token {on}; COMMIT"),
            ];
            by_hand(&database, &statement.join(separator)).await;
            node.sees(&told, "expired", Instant::now()).await;
            node.until_it_serves().await;
        }
    }
    database.drop().await;
}

/// The restore leaves the triggers in state `O`, and the revocation comes from a session in which those do not fire.
#[tokio::test(flavor = "multi_thread")]
async fn restore_with_triggers_disabled_keeps_nothing_past_the_bound() {
    let Some(server) = own_cluster() else { return };
    let [database, backup] = [server.database().await, server.database().await];
    let source = beside(backup.options()).await;
    let [here, there] = [beside(database.options()).await, beside(database.options()).await];
    for format in ["plain", "custom"] {
        let told = source.issue().await;
        let dump = server.cluster().dump_data(backup.name(), format);
        let other = here.issue().await;
        until_served(&there, &other).await;
        by_hand(&database, "TRUNCATE counterfoil_token, counterfoil_owner CASCADE").await;
        server.cluster().restore_data(database.name(), format, &dump);
        let restored = Instant::now();
        assert_eq!(there.verdict(&told).await, "ok 1");
        let revoke = format!(
            "SET session_replication_role = replica; \
             UPDATE counterfoil_token SET revoked_at = created_at, revoked_detail = '{{}}' WHERE id = '{}'",
            told.id
        );
        by_hand(&database, &revoke).await;
        let changed = Instant::now();
        for node in [&here, &there] {
            node.sees(&told, "revoked", changed).await;
            node.until_it_stands_aside("has state `O` (fires in origin sessions only)", format).await;
            assert_eq!(node.verdict(&told).await, "revoked", "{:?} after the restore", restored.elapsed());
        }
        by_hand(&database, ALWAYS_TOKEN).await;
        here.until_it_stands_aside("trigger `counterfoil_selector_changed`", format).await;
        by_hand(&database, ALWAYS_SELECTOR).await;
        here.until_it_serves().await;
        there.until_it_serves().await;
    }
}

/// The role may connect and has no right on any table.
#[tokio::test(flavor = "multi_thread")]
async fn flood_by_a_role_that_may_only_connect_costs_a_few_reads_in_the_bound() {
    const TOKENS: u64 = 5;
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let [here, there] = [beside(database.options()).await, beside(database.options()).await];
    let stranger = cluster::unique("stranger");
    by_hand(&database, &format!("CREATE ROLE {stranger} LOGIN")).await;
    let mut connection = database.options().username(&stranger).connect().await.unwrap();
    let refused = sqlx::query("SELECT 1 FROM counterfoil_token").execute(&mut connection).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"));
    for payload in ["'garbage ' || n", "'*'", "gen_random_uuid()::text"] {
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            let told = here.issue().await;
            until_served(&there, &told).await;
            tokens.push(told);
        }
        let before = there.store.counts();
        let began = Instant::now();
        let flood = format!("SELECT pg_notify('counterfoil_changes', {payload}) FROM generate_series(1, 20) AS n");
        let mut verdicts = 0;
        while began.elapsed() < 2 * BOUND {
            sqlx::query(sqlx::AssertSqlSafe(flood.as_str())).execute(&mut connection).await.unwrap();
            for told in &tokens {
                assert_eq!(there.verdict(told).await, "ok 1", "{payload}");
                verdicts += 1;
            }
        }
        let intervals = u64::try_from(began.elapsed().as_millis() / (BOUND / 4).as_millis()).unwrap();
        let misses = there.store.counts().misses - before.misses;
        // At once, and with each heartbeat.
        assert!(misses <= TOKENS * (intervals + 3), "{payload}: {misses} reads for {verdicts} verifications");
        // And what is true comes through in between.
        here.registry.revoke(tokens[0].id, By::unknown()).await.unwrap();
        let changed = Instant::now();
        sqlx::query(sqlx::AssertSqlSafe(flood.as_str())).execute(&mut connection).await.unwrap();
        there.sees(&tokens[0], "revoked", changed).await;
    }
    let remains = format!("DROP ROLE {stranger}");
    drop(connection);
    by_hand(&database, &remains).await;
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
    node.until_it_stands_aside("", "the role may not log in").await;
    node.until_it_serves().await;
    until_served(&node, &node.issue().await).await;
    pool.close().await;
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
