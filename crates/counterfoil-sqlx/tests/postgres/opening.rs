//! The host's pools, the schema and its steps, roles, and servers that take no writes.

use std::error::Error as _;

use counterfoil::{
    Registry, TokenFormat, TokenStore,
    store::{IdempotencyStore, RevokeStep, RevokeTarget, StoreErrorKind},
};
use counterfoil_sqlx::{
    PostgresStore,
    postgres::{GRANTS, MIGRATIONS},
};
use counterfoil_testkit::tokens;
use sqlx::{
    ConnectOptions as _, PgPool, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
    postgres::PgConnectOptions,
};

use crate::{
    cluster::{Server, pool, run, unique},
    common,
    contract::{RUNTIME, harness},
    support::*,
};

fn migrator(migrations: &[(i64, &'static str)]) -> Migrator {
    let migrations = migrations.iter().map(|(version, sql)| {
        Migration::new(*version, "counterfoil".into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

const HOST: [(i64, &str); 1] = [(1, "CREATE TABLE note (id bigint PRIMARY KEY)")];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_nodes_make_one_schema_at_once() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    for _ in 0..5 {
        let options = schema(&database.options()).await;
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let options = options.clone();
            opening.spawn(async move { PostgresStore::from_pool_or_create(pool(options, 2).await).await });
        }
        for opened in opening.join_all().await {
            let opened = opened.unwrap_or_else(|error| panic!("{error:?}"));
            opened.insert(&record(&owner("ann")), None, now()).await.unwrap();
            opened.close().await;
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_host_s_pool_is_shared_with_its_tables_and_its_migrator() {
    let Some(server) = Server::shared() else { return };
    for host_first in [true, false] {
        let database = server.database().await;
        let pool = database.pool(5).await;
        if host_first {
            migrator(&HOST).run(&pool).await.unwrap();
        }
        let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
        migrator(&HOST).run(&pool).await.unwrap();
        let again = PostgresStore::from_pool(pool.clone()).await.unwrap();
        migrator(&HOST).run(&pool).await.unwrap();

        sqlx::query("INSERT INTO note VALUES (1)").execute(&pool).await.unwrap();
        let there = record(&owner("ann"));
        store.insert(&there, Some(5), now()).await.unwrap();
        assert!(again.get(there.id()).await.unwrap().is_some());
        let steps: Vec<i64> = sqlx::query_scalar("SELECT version FROM _counterfoil_migrations ORDER BY version")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(steps, MIGRATIONS.iter().map(|(version, _)| *version).collect::<Vec<_>>());
        pool.close().await;
        database.drop().await;
    }
}

#[tokio::test]
async fn a_host_s_own_migrator_may_make_the_tables() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let pool = database.pool(2).await;
    let error = PostgresStore::from_migrated_pool(pool.clone()).await.unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::NoStore { .. }), "{error:?}");
    assert!(error.to_string().contains("run the migrations first"), "{error}");

    let mut all = Vec::from(HOST);
    all.extend(MIGRATIONS.iter().map(|(version, sql)| (20_260_200 + version, *sql)));
    migrator(&all).run(&pool).await.unwrap();
    let store = PostgresStore::from_migrated_pool(pool.clone()).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    assert!(store.get(there.id()).await.unwrap().is_some());
    for refused in
        [PostgresStore::from_pool(pool.clone()).await, PostgresStore::from_pool_or_create(pool.clone()).await]
    {
        let error = refused.unwrap_err();
        assert!(matches!(error.kind(), StoreErrorKind::Incomplete { .. }), "{error:?}");
        assert!(error.to_string().contains("open the store with `from_migrated_pool`"), "{error}");
    }
    let noted: bool =
        sqlx::query_scalar("SELECT to_regclass('_counterfoil_migrations') IS NOT NULL").fetch_one(&pool).await.unwrap();
    assert!(!noted);
    pool.close().await;
    database.drop().await;
}

/// What a token, its selectors and its usage were written as at version 1: for good. Later versions add files.
const ROWS_OF_1: &str = include_str!("rows/1.sql");
/// The text of that token.
const TOKEN_OF_1: &str = include_str!("rows/1.token").trim_ascii();

#[tokio::test]
async fn every_older_schema_is_brought_up_to_date_with_its_rows() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    for older in 0..MIGRATIONS.len() {
        for by_host in [false, true] {
            let options = schema(&database.options()).await;
            let pool = pool(options, 2).await;
            let mut older_node = migrator(&MIGRATIONS[..older]);
            if !by_host {
                older_node.dangerous_set_table_name("_counterfoil_migrations");
            }
            older_node.run(&pool).await.unwrap();
            if older > 0 {
                run(&mut pool.acquire().await.unwrap(), ROWS_OF_1).await;
                let known = MIGRATIONS.last().unwrap().0;
                let older = StoreErrorKind::OlderSchema { found: MIGRATIONS[older - 1].0, known };
                assert_eq!(kind(PostgresStore::from_migrated_pool(pool.clone()).await), older);
            }
            if by_host {
                // The host goes on by itself too.
                migrator(MIGRATIONS).run(&pool).await.unwrap();
            }
            let store = match (by_host, older) {
                (true, _) => PostgresStore::from_migrated_pool(pool.clone()).await.unwrap(),
                (false, 0) => PostgresStore::from_pool_or_create(pool.clone()).await.unwrap(),
                (false, _) => PostgresStore::from_pool(pool.clone()).await.unwrap(),
            };
            if older > 0 {
                let format = TokenFormat::builder("acme").build().unwrap();
                let registry = Registry::builder(format, keyring().clone(), store.clone()).build().unwrap();
                let verified = registry.verify(TOKEN_OF_1).await.unwrap();
                let id = verified.record().id();
                assert_eq!(verified.record().owner(), &owner("ann"));
                let stored = store.get(id).await.unwrap().unwrap();
                assert_eq!(stored.usage.unwrap().at, at(1));
                store.record_uses(&[used(id, at(2))]).await.unwrap();
                store.revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
                assert_eq!(store.purge(at(1), None, 10).await.unwrap(), 1);
            }
            store.insert(&record(&owner("ann")), Some(1), now()).await.unwrap();
            pool.close().await;
        }
    }
    database.drop().await;
}

/// A newer node's step adds something; an older node that runs meanwhile goes on, and only a new start is refused.
#[tokio::test]
async fn an_older_node_goes_on_beside_a_newer_one_and_does_not_start_beside_it() {
    let Some(server) = Server::shared() else { return };
    let known = MIGRATIONS.last().unwrap().0;
    let newer = StoreErrorKind::NewerSchema { found: known + 1, known };
    for step in [
        "INSERT INTO _counterfoil_migrations (version, description, success, checksum, execution_time) \
         SELECT max(version) + 1, 'next', TRUE, '', 1 FROM _counterfoil_migrations",
        "ALTER TABLE counterfoil_token ADD COLUMN colour text; ALTER TABLE counterfoil_usage ADD COLUMN times bigint; \
         UPDATE counterfoil_schema SET version = version + 1",
    ] {
        let store = Fixture::on(server).await;
        let there = store.insert(record(&owner("ann"))).await;
        assert_eq!(store.finds(selector(&there).as_str()).await, Some(there.id()));
        store.by_hand(step).await;

        assert_eq!(store.finds(selector(&there).as_str()).await, Some(there.id()), "what was prepared still is");
        store.store.update(&next(&there, |_| {}), there.revision(), Some(5), now()).await.unwrap();
        store.store.record_uses(&[used(there.id(), at(1))]).await.unwrap();
        store.insert(record(&owner("ann"))).await;

        assert_eq!(kind(PostgresStore::from_pool(store.pool.clone()).await), newer, "{step}");
        assert_eq!(kind(PostgresStore::from_migrated_pool(store.pool.clone()).await), newer, "{step}");
        store.close().await;
    }
}

#[tokio::test]
async fn schemas_of_one_database_are_stores_of_their_own() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let (here, there) = (schema(&database.options()).await, schema(&database.options()).await);
    let [one, other] = [
        PostgresStore::from_pool_or_create(pool(here.clone(), 2).await).await.unwrap(),
        PostgresStore::from_pool_or_create(pool(there, 2).await).await.unwrap(),
    ];
    let ours = record(&owner("ann"));
    one.insert(&ours, Some(1), now()).await.unwrap();
    other.insert(&record(&owner("ann")), Some(1), now()).await.unwrap();
    assert!(other.get(ours.id()).await.unwrap().is_none());

    // Later steps follow the first ones, past a schema that has come in front.
    let mut hand = database.connect().await;
    run(&mut hand, "CREATE SCHEMA home; CREATE SCHEMA front").await;
    let home = pool(database.options().options([("search_path", "home")]), 1).await;
    migrator(&MIGRATIONS[..1]).dangerous_set_table_name("_counterfoil_migrations").run(&home).await.unwrap();
    home.close().await;
    let path = [("search_path", "front,home")];
    let late = PostgresStore::from_pool_or_create(pool(database.options().options(path), 2).await).await.unwrap();
    late.insert(&record(&owner("ann")), Some(1), now()).await.unwrap();
    let places: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class \
         WHERE relname LIKE '%counterfoil%' AND relnamespace::regnamespace::text IN ('home', 'front')",
    )
    .fetch_all(&mut hand)
    .await
    .unwrap();
    assert_eq!(places, ["home"]);
    database.drop().await;
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let Some(server) = Server::shared() else { return };
    let database = server.database_with("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let pool = database.pool(1).await;
    for refused in
        [PostgresStore::from_pool_or_create(pool.clone()).await, PostgresStore::from_migrated_pool(pool.clone()).await]
    {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), &StoreErrorKind::Other);
        assert_eq!(error.source().unwrap().to_string(), "the database's encoding is `LATIN1`, expected `UTF8`");
    }
    pool.close().await;
    database.drop().await;
}

#[tokio::test]
async fn where_nothing_may_be_written_reads_work_and_writes_say_why_not() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    store.by_hand(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", store.database.name())).await;
    let standby = store.database.pool(3).await;
    for read_only in [
        PostgresStore::from_pool(standby.clone()).await.unwrap(),
        PostgresStore::from_migrated_pool(standby.clone()).await.unwrap(),
    ] {
        assert_eq!(read_only.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
        assert!(read_only.get(there.id()).await.unwrap().is_some());
        assert_eq!(read_only.count_by_key("k1".parse().unwrap()).await.unwrap(), 1);
        assert_eq!(
            read_only.list(&counterfoil::store::ListQuery::new(Default::default()), now()).await.unwrap().tokens.len(),
            1
        );
        let target = RevokeTarget::Token(there.id());
        let writes = [
            read_only.insert(&record(&owner("ann")), Some(5), now()).await.map(drop),
            read_only.update(&next(&there, |_| {}), there.revision(), None, now()).await.map(drop),
            read_only.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await.map(drop),
            read_only.record_uses(&[used(there.id(), now())]).await.map(drop),
            read_only.purge(now(), None, 1).await.map(drop),
            read_only.claim_warnings(&[claim(there.id(), now())]).await.map(drop),
            read_only.forget(now(), 1).await.map(drop),
        ];
        for (number, write) in writes.into_iter().enumerate() {
            assert_eq!(kind(write), StoreErrorKind::ReadOnly, "write {number}");
        }
    }
    // A schema that is not there cannot be made.
    store.by_hand("BEGIN READ WRITE; CREATE SCHEMA empty; COMMIT").await;
    let empty = pool(store.database.options().options([("search_path", "empty")]), 1).await;
    assert_eq!(kind(PostgresStore::from_pool_or_create(empty).await), StoreErrorKind::ReadOnly);
    standby.close().await;
    store.close().await;
}

/// The rights that the documentation lists, for another role.
pub(crate) async fn grant(owner: &PgConnectOptions, role: &str) {
    let mut hand = owner.clone().connect().await.unwrap();
    let schema: String = sqlx::query_scalar("SELECT current_schema()").fetch_one(&mut hand).await.unwrap();
    run(&mut hand, &format!("GRANT USAGE ON SCHEMA {schema} TO {role}")).await;
    run(&mut hand, &GRANTS.replace(" TO app;", &format!(" TO {role};"))).await;
}

#[test]
fn a_role_with_the_least_rights_keeps_every_promise_and_can_do_no_more() {
    let Some(server) = Server::shared() else { return };
    let role = unique("app");
    let database = RUNTIME.block_on(async {
        let database = server.database().await;
        run(&mut database.connect().await, &format!("CREATE ROLE {role} LOGIN PASSWORD 'known'")).await;
        database
    });
    let as_role = |options: PgConnectOptions, role: &str| options.username(role).password("known");
    let name = role.clone();
    let node = move |owner: PgConnectOptions| {
        let role = name.clone();
        async move {
            grant(&owner, &role).await;
            as_role(owner, &role)
        }
    };
    // Every promise once: the races are run elsewhere, under rights that make no difference to them.
    tokens::run(&harness(database.options(), node.clone()).rounds(1)).assert_all_kept();
    counterfoil_testkit::reservations::run(&harness(database.options(), node).rounds(1)).assert_all_kept();

    RUNTIME.block_on(async {
        let owner = schema(&database.options()).await;
        let store = PostgresStore::from_pool_or_create(pool(owner.clone(), 2).await).await.unwrap();
        store.insert(&record(&common::owner("ann")), None, now()).await.unwrap();
        grant(&owner, &role).await;
        let app: PgPool = pool(as_role(owner, &role), 1).await;
        for refused in [
            "UPDATE counterfoil_token SET owner = 'eve'",
            "UPDATE counterfoil_token SET tenant = 'eve'",
            "UPDATE counterfoil_token SET id = '0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa'",
            "UPDATE counterfoil_token SET created_at = 0",
            "UPDATE counterfoil_selector SET selector = 'other'",
            "DELETE FROM counterfoil_usage",
            "DELETE FROM counterfoil_warning",
            "UPDATE counterfoil_schema SET version = 3",
            "TRUNCATE counterfoil_token CASCADE",
            "ALTER TABLE counterfoil_token DISABLE TRIGGER ALL",
            "DROP TRIGGER counterfoil_token_changed ON counterfoil_token",
            "DROP TABLE counterfoil_warning",
            "CREATE TABLE note (id bigint)",
        ] {
            let error = sqlx::query(refused).execute(&app).await.unwrap_err();
            assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused}");
        }
        app.close().await;
        store.close().await;
        let gone = format!("GRANT {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}");
        run(&mut database.connect().await, &gone).await;
        database.drop().await;
    });
}
