//! What every store promises, on the store in memory, on SQLite, and on the example of a host's own. PostgreSQL's is in
//! `crates/counterfoil-sqlx/tests/postgres/contract.rs`, beside the server that it needs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "an example, of which the store alone is looked at")]
#[path = "../examples/custom_store.rs"]
mod custom_store;

mod memory {
    use counterfoil::MemoryStore;
    use counterfoil_testkit::{Fresh, Harness};

    fn harness() -> Harness<MemoryStore> {
        Harness::new(|| async { Fresh::new(MemoryStore::new()) }, pollster::block_on)
    }

    counterfoil_testkit::token_store_tests!(harness());
    counterfoil_testkit::idempotency_store_tests!(harness());
}

mod custom {
    use counterfoil_testkit::{Fresh, Harness};

    use super::custom_store::Table;

    fn harness() -> Harness<Table> {
        let fresh = || async {
            let table = Table::default();
            let [node, hand] = [table.clone(), table.clone()];
            let damage = move |id| {
                let mut rows = hand.lock();
                rows.get_mut(&id).unwrap().row.body = "[]".into();
                std::future::ready(())
            };
            Fresh::new(table).beside(node).corrupting(damage)
        };
        Harness::new(fresh, pollster::block_on)
    }

    counterfoil_testkit::token_store_tests!(harness(), corrupting);
}

mod sqlite {
    use std::{path::PathBuf, sync::LazyLock};

    use counterfoil::TokenId;
    use counterfoil_sqlx::SqliteStore;
    use counterfoil_testkit::{Fresh, Harness};
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    use tokio::runtime::Runtime;

    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

    fn harness() -> Harness<SqliteStore> {
        let fresh = || async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("tokens.db");
            let [node, other] =
                [SqliteStore::open_or_create(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
            Fresh::new(node).beside(other).corrupting(move |id| damage(path.clone(), id)).keeping(directory)
        };
        Harness::new(fresh, |job| RUNTIME.block_on(job)).rounds(20)
    }

    /// By a connection beside the store's.
    async fn damage(path: PathBuf, id: TokenId) {
        let mut raw = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let damaged =
            sqlx::query("UPDATE counterfoil_token SET body = '[]' WHERE id = ?1").bind(id.as_bytes().to_vec());
        assert_eq!(damaged.execute(&mut raw).await.unwrap().rows_affected(), 1);
        raw.close().await.unwrap();
    }

    counterfoil_testkit::token_store_tests!(harness(), corrupting);
    counterfoil_testkit::idempotency_store_tests!(harness());
}
