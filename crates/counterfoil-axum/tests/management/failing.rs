//! A store that fails → 503 everywhere, and never a no.

use counterfoil::{MemoryStore, store::StoreErrorKind};
use counterfoil_sqlx::SqliteStore;
use serde_json::json;

use crate::{
    ask::{Ask, each_operation, id_of, post},
    gated::{Gate, Gated},
    support::{Rig, Store},
};

fn kinds() -> [StoreErrorKind; 5] {
    [
        StoreErrorKind::Unavailable,
        StoreErrorKind::ReadOnly,
        StoreErrorKind::Other,
        StoreErrorKind::Ambiguous,
        StoreErrorKind::NewerSchema { found: 9, known: 1 },
    ]
}

/// Every operation, create and rotate under a key too, and each change with a precondition.
fn asks(id: &str, key: &str) -> Vec<Ask> {
    let mut asks = each_operation(id).to_vec();
    asks.extend(each_operation(id).into_iter().skip(3).map(|ask| ask.if_match("\"2\"")));
    asks.push(post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key(key));
    asks.push(post(format!("/tokens/{id}/rotate"), json!({})).key(key));
    asks
}

#[tokio::test]
async fn a_store_that_fails_is_no_answer() {
    async fn on(store: impl Store) {
        let gated = Gated::new(store);
        let rig = Rig::new(gated.clone(), |builder| builder, |api| api);
        // With something to be changed by each operation.
        let scopes = json!({ "name": "CI", "expires_in": 3600, "scopes": ["parts:read"] });
        let id = id_of(&rig.send(post("/tokens", scopes)).await.body);
        rig.send(post(format!("/tokens/{id}/block"), json!({}))).await;
        let before = rig.now(&id).await;
        for kind in kinds() {
            gated.set(Gate::Shut(kind.clone()));
            for ask in asks(&id, "7f3c") {
                let (method, path) = (ask.method, ask.path.clone());
                let reply = rig.send(ask.clone()).await;
                assert_eq!(reply.verdict(), (503, "temporarily_unavailable"), "{kind:?} {method} {path}");
                assert_eq!(reply.header("retry-after"), Some("1"));
                // Who is not signed in is told so all the same: sessions are another store's.
                assert_eq!(rig.send(ask.nobody()).await.status, 401);
            }
            gated.set(Gate::WritesShut(kind.clone()));
            for ask in asks(&id, "7f3c") {
                let (method, path) = (ask.method, ask.path.clone());
                // The token is blocked already: to say so is an acknowledgement, which the store must confirm.
                let reads = method == "GET";
                let reply = rig.send(ask).await;
                assert_eq!(reply.status, if reads { 200 } else { 503 }, "{kind:?} {method} {path}: {}", reply.text);
            }
            gated.set(Gate::Open);
            assert_eq!((rig.count().await, rig.now(&id).await), (1, before.clone()), "{kind:?}");
        }
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}
