//! What becomes of a request whose answer was lost, with its token stored or not.

use counterfoil::{MemoryStore, TokenStore as _};
use counterfoil_sqlx::SqliteStore;
use serde_json::json;

use crate::{
    ask::{Ask, id_of, post},
    gated::{Gate, Gated},
    support::{Rig, Store, at},
};

#[tokio::test]
async fn a_lost_creation_is_repeated_or_done_anew_after_a_minute() {
    async fn on(store: impl Store) {
        let gated = Gated::new(store);
        let rig = Rig::new(gated.clone(), |builder| builder, |api| api);
        let ask = |key: &str| post("/tokens", json!({ "name": "CI", "expires_in": 3600 })).key(key);

        // The token was stored, and nobody was told: it is found at once and ever after.
        gated.set(Gate::InsertUntold);
        assert_eq!(rig.send(ask("stored")).await.status, 503);
        gated.set(Gate::Open);
        assert_eq!(rig.count().await, 1);
        for millis in [60_000, 0, 61_000] {
            rig.wait(millis);
            let reply = rig.send(ask("stored")).await;
            assert_eq!(
                (reply.status, &reply.body["replayed"], &reply.body["token"]),
                (201, &json!(true), &json!(null))
            );
        }
        assert_eq!(rig.count().await, 1);

        // It was not stored: it may still be, until a minute has passed.
        rig.wait(0);
        gated.set(Gate::InsertLost);
        assert_eq!(rig.send(ask("lost")).await.status, 503);
        gated.set(Gate::Open);
        for (millis, verdict, tokens) in
            [(0, (409, "request_in_flight"), 1), (59_999, (409, "request_in_flight"), 1), (60_000, (201, ""), 2)]
        {
            rig.wait(millis);
            let reply = rig.send(ask("lost")).await;
            assert_eq!(reply.verdict(), verdict, "after {millis} ms");
            assert_eq!(rig.count().await, tokens);
            if tokens == 2 {
                assert_eq!(rig.verdict(&reply.body["token"]).await, "ok");
                assert_eq!(id_of(&rig.send(ask("lost")).await.body), id_of(&reply.body));
            }
        }
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn a_repeat_of_a_creation_whose_token_is_deleted_is_told_so() {
    for rig in Rig::each().await {
        let ask = || post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key("7f3c");
        let id = id_of(&rig.send(ask()).await.body);
        rig.send(Ask::new("DELETE", format!("/tokens/{id}"))).await;
        assert_eq!(rig.send(ask()).await.body["status"], "revoked");
        assert_eq!(rig.registry.store().purge(at(1), None, 10).await.unwrap(), 1);
        assert_eq!(rig.send(ask()).await.verdict(), (409, "token_gone"));
        assert_eq!(rig.count().await, 0);
    }
}
