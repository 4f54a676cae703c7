//! Every promise of the two contracts, on two nodes with 25 connections each.

use std::{
    future::Future,
    sync::{Arc, LazyLock},
};

use counterfoil::TokenId;
use counterfoil_sqlx::PostgresStore;
use counterfoil_testkit::{Fresh, Harness, Report, reservations, tokens};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use tokio::runtime::Runtime;

use crate::{
    cluster::{Server, pool},
    support::schema,
};

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The nodes connect as `node` says, to tables that were made as `owner` says.
pub(crate) fn harness<F>(
    owner: PgConnectOptions,
    node: impl Fn(PgConnectOptions) -> F + Send + Sync + 'static,
) -> Harness<PostgresStore>
where
    F: Future<Output = PgConnectOptions> + Send + 'static,
{
    let node = Arc::new(node);
    let fresh = move || {
        let (owner, node) = (owner.clone(), Arc::clone(&node));
        async move {
            let owner = schema(&owner).await;
            PostgresStore::from_pool_or_create(pool(owner.clone(), 1).await).await.unwrap().close().await;
            let options = node(owner.clone()).await;
            let one = PostgresStore::from_pool(pool(options.clone(), 25).await).await.unwrap();
            let other = PostgresStore::from_migrated_pool(pool(options, 25).await).await.unwrap();
            Fresh::new(one).beside(other).corrupting(move |id| damage(owner.clone(), id))
        }
    };
    Harness::new(fresh, |job| RUNTIME.block_on(job)).rounds(20)
}

/// By a connection beside the store's.
async fn damage(options: PgConnectOptions, id: TokenId) {
    let mut raw = options.connect().await.unwrap();
    let damaged = sqlx::query("UPDATE counterfoil_token SET body = '[]' WHERE id = $1");
    let damaged = damaged.bind(uuid::Uuid::from_bytes(*id.as_bytes())).execute(&mut raw).await.unwrap();
    assert_eq!(damaged.rows_affected(), 1);
    raw.close().await.unwrap();
}

fn on_server(look: impl FnOnce(&Harness<PostgresStore>) -> Report) {
    let Some(server) = Server::shared() else { return };
    let database = RUNTIME.block_on(server.database());
    look(&harness(database.options(), std::future::ready)).assert_all_kept();
    RUNTIME.block_on(database.drop());
}

#[test]
fn every_promise_of_a_token_store_is_kept() {
    on_server(tokens::run);
}

#[test]
fn every_promise_of_an_idempotency_store_is_kept() {
    on_server(reservations::run);
}
