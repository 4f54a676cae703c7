//! A second request under a key while the first one is at work.

use std::sync::{Arc, Mutex};

use counterfoil::MemoryStore;
use counterfoil_sqlx::SqliteStore;
use serde_json::json;

use crate::{
    ask::post,
    gated::Gated,
    support::{Rig, Store},
};

#[tokio::test]
async fn a_second_creation_is_told_to_wait_and_then_repeats() {
    async fn on(store: impl Store) {
        let gated = Gated::new(store);
        let rig = Rig::new(gated.clone(), |builder| builder, |api| api);
        let ask = || post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key("7f3c");
        let second = Arc::new(Mutex::new(None));
        let (other, told) = (rig.clone(), Arc::clone(&second));
        gated.meanwhile(async move {
            let same = other.send(ask()).await.verdict().0;
            let another = other.send(post("/tokens", json!({ "name": "CD", "expires_in": 60 })).key("7f3c")).await;
            *told.lock().unwrap() = Some((same, another.status));
        });
        let first = rig.send(ask()).await;
        assert_eq!((first.status, &first.body["replayed"]), (201, &json!(false)));
        assert_eq!(second.lock().unwrap().take(), Some((409, 422)));
        let third = rig.send(ask()).await;
        assert_eq!((third.status, &third.body["id"], &third.body["replayed"]), (201, &first.body["id"], &json!(true)));
        assert_eq!(rig.count().await, 1);
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn of_two_rotations_under_one_key_the_second_repeats_the_first() {
    async fn on(store: impl Store) {
        let gated = Gated::new(store);
        let rig = Rig::new(gated.clone(), |builder| builder, |api| api);
        let id = rig.id().await;
        let ask = post(format!("/tokens/{id}/rotate"), json!({})).key("7f3c").if_match("\"1\"");
        let (other, first) = (rig.clone(), ask.clone());
        gated.meanwhile(async move { assert_eq!(other.send(first).await.body["replayed"], false) });
        let second = rig.send(ask).await;
        assert_eq!((second.status, &second.body["replayed"]), (200, &json!(true)));
        assert_eq!(rig.now(&id).await["version"], 2);
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}
