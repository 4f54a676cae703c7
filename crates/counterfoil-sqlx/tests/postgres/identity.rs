//! The store's id, and databases without the right store: found when a store is opened, and while it is open.

use counterfoil::{
    TokenStore,
    store::{StoreError, StoreErrorKind, StoreId},
};
use counterfoil_sqlx::PostgresStore;
use sqlx::{PgPool, postgres::PgConnectOptions};

use crate::{
    cluster::{Database, Server, own_cluster, pool, run, unique},
    opening::grant,
    support::*,
};

const TABLES: [&str; 7] = [
    "counterfoil_schema",
    "counterfoil_owner",
    "counterfoil_token",
    "counterfoil_selector",
    "counterfoil_usage",
    "counterfoil_warning",
    "counterfoil_idempotency",
];

/// A store, and how a role with the least rights connects to it.
struct Roles {
    owner: Fixture,
    role: String,
}

impl Roles {
    async fn on(server: &Server) -> Self {
        let owner = Fixture::on(server).await;
        let role = unique("app");
        owner.by_hand(&format!("CREATE ROLE {role} LOGIN PASSWORD 'known'")).await;
        grant(&owner.database.options(), &role).await;
        Self { owner, role }
    }

    fn options(&self) -> PgConnectOptions {
        self.owner.database.options().username(&self.role).password("known")
    }

    async fn pool(&self) -> PgPool {
        pool(self.options(), 2).await
    }

    async fn by_hand(&self, script: &str) {
        self.owner.by_hand(&script.replace("{role}", &self.role)).await;
    }

    async fn close(self) {
        let role = &self.role;
        self.by_hand(&format!("GRANT {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")).await;
        self.owner.close().await;
    }
}

#[tokio::test]
async fn right_store_without_tokens_is_new_and_not_a_failure() {
    let Some(server) = Server::shared() else { return };
    let roles = Roles::on(server).await;
    for store in [
        PostgresStore::from_pool(roles.pool().await).await.unwrap(),
        PostgresStore::from_migrated_pool(roles.pool().await).await.unwrap(),
    ] {
        for (call, failure) in absences(&store).await {
            let expected = (call == "update").then_some(StoreErrorKind::NotFound);
            assert_eq!(failure, expected, "{call}");
        }
        store.close().await;
    }
    roles.close().await;
}

#[tokio::test]
async fn id_is_kept_and_differs_between_stores() {
    let Some(server) = Server::shared() else { return };
    let (one, other) = (Fixture::on(server).await, Fixture::on(server).await);
    let id = one.store.id();
    assert_ne!(other.store.id(), id);
    let wrong = StoreErrorKind::WrongStore { found: id, expected: other.store.id() };
    for opened in [
        PostgresStore::from_pool(one.pool.clone()).await.unwrap(),
        PostgresStore::from_pool_or_create(one.pool.clone()).await.unwrap(),
        PostgresStore::from_migrated_pool(one.pool.clone()).await.unwrap(),
    ] {
        assert_eq!(opened.clone().require_id(id).unwrap().id(), id);
        assert_eq!(kind(opened.require_id(other.store.id())), wrong);
    }
    let in_sql: uuid::Uuid =
        sqlx::query_scalar("SELECT store_id FROM counterfoil_schema").fetch_one(&one.pool).await.unwrap();
    assert_eq!(in_sql.to_string(), id.to_string());
    one.close().await;
    other.close().await;
}

async fn opened(pool: &PgPool) -> Result<StoreId, StoreError> {
    PostgresStore::from_pool(pool.clone()).await.map(|store| store.id())
}

/// The text of the error with which a store does not open, and that nothing was created meanwhile.
async fn no_store(database: &Database, options: PgConnectOptions) -> String {
    let pool = pool(options, 1).await;
    let tables = || async {
        let sql = "SELECT count(*) FROM pg_class WHERE relname LIKE '%counterfoil%'";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut database.connect().await).await.unwrap()
    };
    let before = tables().await;
    let error = opened(&pool).await.unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::NoStore { .. }), "{error:?}");
    let migrated = PostgresStore::from_migrated_pool(pool.clone()).await.unwrap_err();
    assert!(matches!(migrated.kind(), StoreErrorKind::NoStore { .. }), "{migrated:?}");
    assert_eq!(tables().await, before, "nothing is created");
    pool.close().await;
    error.to_string()
}

#[tokio::test]
async fn search_path_without_a_store_is_no_store_and_names_where_there_is_one() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let name = database.name().to_owned();
    let path = |path: &str| database.options().options([("search_path", path)]);

    let text = no_store(&database, database.options()).await;
    assert!(text.starts_with(&format!("no token store in database `{name}`, search path `")), "{text}");
    assert!(text.contains("schemas found: public"), "{text}");
    assert!(text.ends_with("no table `counterfoil_schema`; `from_pool_or_create` creates a store"), "{text}");

    run(&mut database.connect().await, "CREATE SCHEMA tokens").await;
    let owner = pool(path("tokens"), 1).await;
    let store = PostgresStore::from_pool_or_create(owner.clone()).await.unwrap();
    // As after a dump that is restored without `ALTER DATABASE … SET search_path`.
    let text = no_store(&database, database.options()).await;
    assert!(text.contains("there is one in schema `tokens`, which is not in the search path"), "{text}");
    // A schema that is not there.
    let text = no_store(&database, path("token")).await;
    assert!(text.contains("search path `token` (schemas found: none)"), "{text}");
    assert!(text.contains("there is one in schema `tokens`"), "{text}");
    // A role that may not use the schema.
    let role = unique("app");
    run(&mut database.connect().await, &format!("CREATE ROLE {role} LOGIN PASSWORD 'known'")).await;
    let text = no_store(&database, path("tokens").username(&role).password("known")).await;
    assert!(text.contains("there is one in schema `tokens`, which this role has no USAGE on"), "{text}");
    assert!(text.contains(&format!("as role `{role}`")), "{text}");
    run(&mut database.connect().await, &format!("GRANT USAGE ON SCHEMA tokens TO {role}")).await;
    let app = pool(path("tokens").username(&role).password("known"), 1).await;
    let error = opened(&app).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "the database answered 42501: permission denied for table counterfoil_schema");
    app.close().await;

    assert_eq!(opened(&owner).await.unwrap(), store.id());
    owner.close().await;
    run(&mut database.connect().await, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    database.drop().await;
}

#[tokio::test]
async fn half_of_a_store_is_incomplete_and_is_not_completed() {
    let Some(server) = Server::shared() else { return };
    let drops = TABLES.iter().map(|table| (format!("DROP TABLE {table} CASCADE"), format!("no table `{table}`")));
    let mut cases: Vec<(String, String)> = drops.collect();
    cases.extend(
        [
            ("DELETE FROM counterfoil_schema", "`counterfoil_schema` has 0 rows, expected 1"),
            ("TRUNCATE counterfoil_schema", "`counterfoil_schema` has 0 rows, expected 1"),
            (
                "ALTER TABLE counterfoil_schema DROP CONSTRAINT counterfoil_schema_pkey; \
                 INSERT INTO counterfoil_schema SELECT * FROM counterfoil_schema",
                "`counterfoil_schema` has 2 rows, expected 1",
            ),
            (
                "ALTER TABLE counterfoil_schema ALTER store_id DROP NOT NULL; UPDATE counterfoil_schema SET store_id = NULL",
                "`counterfoil_schema` has no `store_id`",
            ),
            ("ALTER TABLE counterfoil_schema DROP store_id", "`counterfoil_schema` has no `store_id`"),
            ("DROP TABLE _counterfoil_migrations", "`_counterfoil_migrations` records no migrations"),
            ("DELETE FROM _counterfoil_migrations WHERE version = 2", "records the migrations [1, 3]"),
            ("UPDATE _counterfoil_migrations SET success = FALSE WHERE version = 2", "migration 2 did not finish"),
            (
                "ALTER TABLE counterfoil_selector RENAME TO hidden; CREATE VIEW counterfoil_selector AS SELECT * FROM hidden",
                "no table `counterfoil_selector`",
            ),
            (
                "CREATE SCHEMA elsewhere; ALTER TABLE counterfoil_selector SET SCHEMA elsewhere",
                "no table `counterfoil_selector`",
            ),
        ]
        .map(|(damage, expected)| (damage.to_owned(), expected.to_owned())),
    );
    for (damage, expected) in cases {
        let store = Fixture::on(server).await;
        store.insert(record(&owner("ann"))).await;
        store.by_hand(&damage).await;
        for refused in [
            PostgresStore::from_pool(store.pool.clone()).await,
            PostgresStore::from_pool_or_create(store.pool.clone()).await,
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error.kind(), StoreErrorKind::Incomplete { .. }), "{damage}: {error:?}");
            assert!(error.to_string().contains(&expected), "{damage}: {error}");
        }
        assert!(kind(store.store.check_health().await).to_string().contains(&expected), "{damage}: while it is open");
        store.close().await;
    }
}

#[tokio::test]
async fn migration_edited_after_it_ran_is_refused_with_both_checksums() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let sql = "SELECT encode(checksum, 'hex') FROM _counterfoil_migrations WHERE version = 2";
    let expected: String = sqlx::query_scalar(sql).fetch_one(&store.pool).await.unwrap();
    store.by_hand("UPDATE _counterfoil_migrations SET checksum = '\\x00ff' WHERE version = 2").await;
    let edited = StoreErrorKind::EditedMigration { version: 2, found: "00ff".into(), expected };
    for refused in [
        PostgresStore::from_pool(store.pool.clone()).await,
        PostgresStore::from_pool_or_create(store.pool.clone()).await,
        PostgresStore::from_migrated_pool(store.pool.clone()).await,
    ] {
        assert_eq!(kind(refused), edited);
    }
    assert_eq!(kind(store.store.check_health().await), edited);
    store.close().await;
}

/// Every call of [`absences`] fails, and its text says why.
async fn all_fail(store: &PostgresStore, case: &str, expected: &str) {
    for (call, failure) in absences(store).await {
        let failure = failure.unwrap_or_else(|| panic!("{case}: {call} succeeded"));
        // Those that write may be refused by the database itself.
        let is_explained = failure.to_string().contains(expected)
            || ["insert", "update", "revoke", "revoke of an owner"].contains(&call);
        assert!(is_explained && failure != StoreErrorKind::NotFound, "{case}: {call}: {failure}");
    }
}

#[tokio::test]
async fn row_level_security_is_a_failure_at_the_start_and_while_the_store_is_open() {
    let Some(server) = Server::shared() else { return };
    let roles = Roles::on(server).await;
    let there = roles.owner.insert(record(&owner("ann"))).await;
    let store = PostgresStore::from_pool(roles.pool().await).await.unwrap();
    for table in TABLES {
        for policy in [
            "",
            "CREATE POLICY none ON {table} USING (FALSE)",
            "CREATE POLICY none ON {table} FOR SELECT USING (FALSE); CREATE POLICY other ON {table} FOR INSERT WITH CHECK (TRUE)",
            "CREATE POLICY none ON {table} TO {role} USING (TRUE)",
        ] {
            let case = format!("{table} {policy}");
            let policy = policy.replace("{table}", table);
            roles.by_hand(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; {policy}")).await;
            let expected = format!("row-level security is active on `{table}` in database");
            all_fail(&store, &case, &expected).await;
            for refused in [
                PostgresStore::from_pool(roles.pool().await).await,
                PostgresStore::from_pool_or_create(roles.pool().await).await,
                PostgresStore::from_migrated_pool(roles.pool().await).await,
            ] {
                let refused = kind(refused);
                assert!(
                    matches!(&refused, StoreErrorKind::RowSecurity { tables, .. } if *tables == format!("`{table}`"))
                );
                assert!(refused.to_string().contains(&expected), "{case}: {refused}");
            }
            // The owner of the tables sees every row, and is served.
            roles.owner.store.check_health().await.unwrap();
            let drop = "DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname, tablename FROM pg_policies LOOP \
                        EXECUTE format('DROP POLICY %I ON %I', p.policyname, p.tablename); END LOOP; END $$";
            roles.by_hand(&format!("{drop}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).await;
            store.check_health().await.unwrap();
            assert_eq!(store.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id(), "{case}: it recovers");
        }
    }
    store.close().await;
    roles.close().await;
}

#[tokio::test]
async fn row_level_security_counts_for_whom_it_applies_to() {
    let Some(server) = Server::shared() else { return };
    let roles = Roles::on(server).await;
    let table = "counterfoil_selector";
    // Forced on the owner. A superuser, and a role that is exempt, see every row.
    roles.by_hand(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")).await;
    assert!(matches!(kind(PostgresStore::from_pool(roles.pool().await).await), StoreErrorKind::RowSecurity { .. }));
    roles.by_hand("ALTER ROLE {role} BYPASSRLS").await;
    PostgresStore::from_pool(roles.pool().await).await.unwrap().check_health().await.unwrap();
    roles.by_hand("ALTER ROLE {role} NOBYPASSRLS").await;
    for table in TABLES.into_iter().chain(["_counterfoil_migrations"]) {
        roles.by_hand(&format!("ALTER TABLE {table} OWNER TO {{role}}")).await;
    }
    let store = PostgresStore::from_pool(roles.pool().await).await.unwrap();
    store.check_health().await.unwrap();
    roles.by_hand(&format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY")).await;
    all_fail(&store, "forced", "row-level security is active on `counterfoil_selector`").await;
    store.close().await;
    for table in TABLES.into_iter().chain(["_counterfoil_migrations"]) {
        roles.by_hand(&format!("ALTER TABLE {table} OWNER TO CURRENT_USER")).await;
    }
    roles.close().await;
}

/// Each is done by another session while the store is open.
#[tokio::test]
async fn damaged_store_is_a_failure_and_not_an_absence_while_it_is_open() {
    let Some(server) = Server::shared() else { return };
    for (damage, expected) in [
        ("TRUNCATE counterfoil_schema", "has 0 rows, expected 1"),
        ("UPDATE counterfoil_schema SET store_id = gen_random_uuid()", "this is another store"),
        ("DROP TABLE counterfoil_schema", "no table `counterfoil_schema`"),
        ("CREATE SCHEMA gone; ALTER TABLE counterfoil_selector SET SCHEMA gone", "no table `counterfoil_selector`"),
        ("CREATE SCHEMA gone; ALTER TABLE counterfoil_token SET SCHEMA gone", "no table `counterfoil_token`"),
    ] {
        let store = Fixture::on(server).await;
        store.insert(record(&owner("ann"))).await;
        store.by_hand(damage).await;
        for (call, failure) in absences(&store.store).await {
            let failure = failure.unwrap_or_else(|| panic!("{damage}: {call} succeeded"));
            assert_ne!(failure, StoreErrorKind::NotFound, "{damage}: {call}");
            if ["find", "get", "check_health"].contains(&call) {
                let is_explained = failure.to_string().contains(expected);
                assert!(is_explained || call == "get", "{damage}: {call}: {failure}");
            }
        }
        store.close().await;
    }
}

/// As a request of the application does that sets the search path and leaves it set.
#[tokio::test]
async fn search_path_changed_under_a_pool_is_a_failure_and_not_an_absence() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let mut hand = database.connect().await;
    run(&mut hand, "CREATE SCHEMA empty; CREATE SCHEMA second; CREATE SCHEMA half").await;
    let pool = database.pool(1).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
    let second = database.options().options([("search_path", "second")]);
    let second = PostgresStore::from_pool_or_create(self::pool(second, 1).await).await.unwrap();
    run(&mut hand, "CREATE TABLE half.counterfoil_selector (LIKE public.counterfoil_selector)").await;
    for (path, expected) in [
        ("empty", "there is one in schema `public`".to_owned()),
        ("nowhere", "schemas found: none".to_owned()),
        ("second", format!("the token store has the id {}, expected {}", second.id(), store.id())),
        // A table of another schema in front of ours.
        ("half, public", "no table `counterfoil_selector`".to_owned()),
    ] {
        run(&mut pool.acquire().await.unwrap(), &format!("SET search_path TO {path}")).await;
        for (call, failure) in absences(&store).await {
            let failure = failure.unwrap_or_else(|| panic!("{path}: {call} succeeded"));
            assert_ne!(failure, StoreErrorKind::NotFound, "{path}: {call}");
        }
        let find = kind(store.find(&[selector(&record(&owner("ann")))]).await);
        assert!(find.to_string().contains(&expected), "{path}: {find}");
        let health = kind(store.check_health().await);
        assert!(health.to_string().contains(&expected), "{path}: {health}");
        run(&mut pool.acquire().await.unwrap(), "SET search_path TO public").await;
        store.check_health().await.unwrap();
    }
    assert!(
        second.list(&counterfoil::store::ListQuery::new(Default::default()), now()).await.unwrap().tokens.is_empty()
    );
    pool.close().await;
    second.close().await;
    database.drop().await;
}

/// `ALTER DATABASE … SET search_path` counts for connections that are made later.
#[tokio::test]
async fn search_path_of_new_connections_that_leads_elsewhere_is_a_failure() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let id = store.store.id();
    let name = store.database.name().to_owned();
    let other = store.database.options().options([("search_path", "other")]);
    store.by_hand("CREATE SCHEMA other").await;
    let other = PostgresStore::from_pool_or_create(pool(other, 1).await).await.unwrap();
    store.by_hand(&format!("ALTER DATABASE {name} SET search_path = other")).await;
    let later = store.database.pool(1).await;
    let wrong = StoreErrorKind::WrongStore { found: other.id(), expected: id };
    let opened = PostgresStore::from_pool(later.clone()).await.unwrap();
    assert_eq!(kind(opened.require_id(id)), wrong);
    // The open store's own pool, with connections that were made before and after.
    store.store.check_health().await.unwrap();
    for pid in sqlx::query_scalar::<_, i32>(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_all(&later)
    .await
    .unwrap()
    {
        sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&later).await.unwrap();
    }
    assert_eq!(kind(store.store.find(&[selector(&record(&owner("ann")))]).await), wrong);
    assert_eq!(kind(store.store.insert(&record(&owner("ann")), None, now()).await), wrong);
    later.close().await;
    other.close().await;
    store.close().await;
}

#[tokio::test]
async fn dump_restored_in_whole_or_in_part_is_told_apart() {
    let Some(server) = own_cluster() else { return };
    let cluster = server.cluster();
    let source = Fixture::on(&server).await;
    let id = source.store.id();
    let there = source.insert(record(&owner("ann"))).await;
    let name = source.database.name();
    let options = |path: &str, database: &Database| database.options().options([("search_path", path)]);

    // Complete: the same store.
    let dump = cluster.dump(name, &[]);
    let database = server.database().await;
    cluster.load(database.name(), &dump, true);
    let restored = PostgresStore::from_pool(database.pool(1).await).await.unwrap().require_id(id).unwrap();
    assert_eq!(restored.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
    restored.close().await;

    for (arguments, expected) in [
        (&["--schema-only"][..], "`counterfoil_schema` has 0 rows, expected 1"),
        (&["--exclude-table=counterfoil_selector"], "no table `counterfoil_selector`"),
        (&["--exclude-table=counterfoil_schema"], "no table `counterfoil_schema`"),
        (&["--exclude-table-data=counterfoil_schema"], "`counterfoil_schema` has 0 rows, expected 1"),
        (&["--table=_counterfoil_migrations"], "no table `counterfoil_schema`"),
        (&["--exclude-table=_counterfoil_migrations"], "records no migrations"),
    ] {
        let dump = cluster.dump(name, arguments);
        let database = server.database().await;
        cluster.load(database.name(), &dump, true);
        let pool = database.pool(1).await;
        for refused in
            [PostgresStore::from_pool(pool.clone()).await, PostgresStore::from_pool_or_create(pool.clone()).await]
        {
            let error = refused.unwrap_err();
            assert!(matches!(error.kind(), StoreErrorKind::Incomplete { .. }), "{arguments:?}: {error:?}");
            assert!(error.to_string().contains(expected), "{arguments:?}: {error}");
        }
        pool.close().await;
        database.drop().await;
    }

    // Into tables that were created before: the id is theirs, and whoever has pinned the old one is warned.
    let dump = cluster.dump(name, &["--data-only"]);
    let database = server.database().await;
    let created = PostgresStore::from_pool_or_create(database.pool(1).await).await.unwrap();
    cluster.load(database.name(), &dump, false);
    let restored = PostgresStore::from_pool(database.pool(1).await).await.unwrap();
    assert_eq!(restored.id(), created.id());
    assert!(restored.find(&[selector(&there)]).await.unwrap().is_some());
    assert_eq!(kind(restored.require_id(id)), StoreErrorKind::WrongStore { found: created.id(), expected: id });
    created.close().await;

    // From a schema of its own, without the database's setting of the search path.
    source.by_hand("CREATE SCHEMA tokens").await;
    let owned = PostgresStore::from_pool_or_create(pool(options("tokens", &source.database), 1).await).await.unwrap();
    let dump = cluster.dump(name, &["--schema=tokens"]);
    let database = server.database().await;
    cluster.load(database.name(), &dump, true);
    let text = no_store(&database, database.options()).await;
    assert!(text.contains("there is one in schema `tokens`, which is not in the search path"), "{text}");
    let found = pool(options("tokens", &database), 1).await;
    assert_eq!(opened(&found).await.unwrap(), owned.id());
}
