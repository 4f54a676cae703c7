//! Databases with a store in them.

use counterfoil::{Record, Row, TokenId, TokenStore};
use counterfoil_sqlx::PostgresStore;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgConnectOptions};

use crate::cluster::{Database, Server, pool, run, unique};
pub(crate) use crate::common::*;

/// A store in a database of its own.
pub(crate) struct Fixture {
    pub(crate) store: PostgresStore,
    pub(crate) pool: PgPool,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) async fn on(server: &Server) -> Self {
        Self::with(server.database().await, 10).await
    }

    pub(crate) async fn with(database: Database, connections: u32) -> Self {
        let pool = database.pool(connections).await;
        let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
        Self { store, pool, database }
    }

    /// A second pool is a second node.
    pub(crate) async fn node(&self, connections: u32) -> PostgresStore {
        PostgresStore::from_pool(self.database.pool(connections).await).await.unwrap()
    }

    /// By a connection beside the store's, as a hand in `psql`.
    pub(crate) async fn by_hand(&self, script: &str) {
        run(&mut self.database.connect().await, script).await;
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// How many stand in a queue for a lock.
    pub(crate) async fn waiting(&self) -> i64 {
        self.count("pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").await
    }

    pub(crate) async fn insert(&self, record: Record) -> Record {
        self.store.insert(&record, None, now()).await.unwrap();
        record
    }

    pub(crate) async fn stored(&self, id: TokenId) -> Row {
        self.store.get(id).await.unwrap().expect("the record is there").record.to_row()
    }

    pub(crate) async fn finds(&self, selector: &str) -> Option<TokenId> {
        self.store.find(&[selector.parse().unwrap()]).await.unwrap().map(|record| record.id())
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
        self.database.drop().await;
    }
}

/// A new schema in a database, and how to connect so that it is the one.
pub(crate) async fn schema(options: &PgConnectOptions) -> PgConnectOptions {
    let name = unique("schema");
    let admin = pool(options.clone(), 1).await;
    run(&mut admin.acquire().await.unwrap(), &format!("CREATE SCHEMA {name}")).await;
    admin.close().await;
    options.clone().options([("search_path", &name)])
}

/// Looks again and again until it is so.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "it did not come to be so");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
