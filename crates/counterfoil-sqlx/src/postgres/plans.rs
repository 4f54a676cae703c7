//! How the server carries the statements out.

use counterfoil::{Owner, Timestamp, TokenId, store::Filter, subject::Tenant};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    PostgresStore,
    cluster::{Server, run},
    find::{BY_MORE, BY_SELECTORS},
    list::{by_id, unused, used},
};

/// Enough rows, of enough owners, for an index to be worth its while.
const ROWS: &str = "
    INSERT INTO counterfoil_token
        (id, tenant, owner, version, digest_version, created_at, selector, digest, key_id, body)
        SELECT gen_random_uuid(), 'tenant-' || n % 100, 'owner-' || n % 1000, 1, 1, 0, 'selector-' || n, '', 'k1', '{}'
        FROM generate_series(1, 20000) AS n;
    INSERT INTO counterfoil_selector (selector, token_id) SELECT selector, id FROM counterfoil_token;
    INSERT INTO counterfoil_usage (token_id, at) SELECT id, nullif(row_number() OVER () % 3, 0) FROM counterfoil_token;
    ANALYZE";

/// The plan that is made once for all values.
async fn plan(connection: &mut PgConnection, sql: &str) -> String {
    let values = vec!["NULL"; sql.matches('$').count()].join(", ");
    run(connection, &format!("PREPARE statement AS {sql}")).await;
    let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE statement ({values})"));
    let steps: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *connection).await.unwrap();
    run(connection, "DEALLOCATE statement").await;
    steps.join("\n")
}

#[tokio::test]
async fn look_ups_and_pages_go_along_indexes_and_sort_nothing() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let store = PostgresStore::from_pool_or_create(database.pool(1).await).await.unwrap();
    let mut connection = store.connections.pool().acquire().await.unwrap();
    run(&mut connection, ROWS).await;
    run(&mut connection, "SET plan_cache_mode = force_generic_plan").await;

    let tokens = "Index Scan using counterfoil_token_pkey on counterfoil_token t";
    let selectors = "counterfoil_selector_pkey";
    let (now, id) = (Timestamp::MIN, TokenId::from_bytes([7; 16]));
    let all = Filter::all();
    let of_owner = Filter::owner(Owner::in_tenant("tenant-1", "owner-1").unwrap());
    let of_tenant = Filter { tenant: Some(Tenant::new("tenant-1").unwrap()), ..Filter::all() };
    let mut statements: Vec<(String, Vec<&str>)> =
        BY_SELECTORS.iter().chain([&BY_MORE]).map(|sql| ((*sql).to_owned(), vec![tokens, selectors])).collect();
    for (query, indexes) in [
        (by_id(&all, now, Some(id), 51), vec![tokens]),
        (by_id(&of_owner, now, Some(id), 51), vec!["counterfoil_token_by_owner"]),
        (by_id(&of_tenant, now, Some(id), 51), vec!["counterfoil_token_by_tenant"]),
        (used(&all, now, Some((now, id)), 51), vec!["counterfoil_usage_by_at", tokens]),
        (unused(&all, now, Some(id), 51), vec![tokens]),
    ] {
        statements.push((query.sql().as_str().to_owned(), indexes));
    }
    for (sql, indexes) in statements {
        let plan = plan(&mut connection, &sql).await;
        for index in indexes {
            assert!(plan.contains(index), "{sql}\nexpected {index}\n{plan}");
        }
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{sql}\n{plan}");
    }
    drop(connection);
    store.close().await;
    database.drop().await;
}

/// A look-up that finds something is one exchange of messages: what is asked is sent at once, and nothing is prepared
/// again. One that finds nothing is a second one, which checks that the store is the right one.
#[tokio::test]
async fn look_up_is_one_round_trip_and_a_second_one_if_nothing_is_found() {
    use counterfoil::{Grant, Keyring, Lifetime, Selector, TokenFormat, TokenStore as _};
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let (proxy, options) = database.behind_proxy().await;
    let store = PostgresStore::from_pool_or_create(super::cluster::pool(options, 1).await).await.unwrap();
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let grant = Grant::new(Owner::new("ann").unwrap(), Lifetime::Forever);
    let record = grant.mint(&format, &keyring, Timestamp::MIN).unwrap().record;
    store.insert(&record, None, Timestamp::MIN).await.unwrap();
    let (there, absent) = (record.slots().current.selector, "EXAMPLE".parse::<Selector>().unwrap());
    for (selectors, trips) in [
        (vec![there], 1),
        (vec![absent, there], 1),
        (vec![there; 12], 1),
        (vec![absent], 2),
        (vec![absent; 2], 2),
        (vec![absent; 12], 2),
    ] {
        for _ in 0..2 {
            // The connection is back once it can be taken.
            drop(store.connections.pool().acquire().await.unwrap());
            proxy.sent();
            assert_eq!(store.find(&selectors).await.unwrap().is_some(), trips == 1);
        }
        let sent = proxy.sent();
        // Bind, execute, close the portal, sync; one more sync may be the pool's, when the connection comes back.
        let counts = [sent.get(&'B'), sent.get(&'E'), sent.get(&'C')];
        assert_eq!(counts, [Some(&trips); 3], "{selectors:?}: {sent:?}");
        assert!(sent[&'S'] <= trips + 1 && sent.keys().all(|kind| "BECS".contains(*kind)), "{sent:?}");
    }
    store.close().await;
    database.drop().await;
}
