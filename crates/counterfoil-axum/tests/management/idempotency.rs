//! Requests that come twice under one `Idempotency-Key`.

use counterfoil::{FixedClock, MemoryStore};
use counterfoil_axum::management::Management;
use serde_json::json;

use crate::{
    ask::{Ask, Reply, id_of, post, send},
    support::{Rig, User, at, builder},
};

fn create() -> Ask {
    post("/tokens", json!({ "name": "CI", "expires_in": 60 }))
}

/// The status, whether there is a plaintext, and whether the reply says that it repeats.
fn told(reply: &Reply) -> (u16, bool, Option<&str>) {
    assert_eq!(reply.body["replayed"] == true, reply.header("idempotent-replayed").is_some());
    assert_ne!(reply.body["replayed"] == true, reply.body["token"].is_string());
    (reply.status, reply.body["token"].is_string(), reply.header("idempotent-replayed"))
}

#[tokio::test]
async fn a_repeated_creation_makes_one_token() {
    for rig in Rig::each().await {
        let first = rig.send(create().key("7f3c")).await;
        assert_eq!(told(&first), (201, true, None));
        rig.send(post(format!("/tokens/{}/block", id_of(&first.body)), json!({}))).await;
        for _ in 0..2 {
            let again = rig.send(create().key("7f3c")).await;
            assert_eq!(told(&again), (201, false, Some("true")));
            assert_eq!(id_of(&again.body), id_of(&first.body));
            assert_eq!(again.header("etag"), Some("\"2\""), "the token is shown as it is now");
            assert_eq!(again.body["status"], "blocked");
        }
        assert_eq!(rig.count().await, 1);
        // Another content under the key, down to the bytes.
        for body in [r#"{"name":"CD","expires_in":60}"#, r#"{"name":"CI", "expires_in":60}"#] {
            let reply = rig.send(Ask::new("POST", "/tokens").text(body).key("7f3c")).await;
            assert_eq!(reply.verdict(), (422, "idempotency_key_reused"), "{body}");
        }
        assert_eq!(rig.count().await, 1);
        for (ask, tokens) in [
            (create().key("7F3C"), 2),
            (create().key("7f3c").by("bob"), 3),
            (create(), 4),
            (create(), 5),
            (create().key(&"k".repeat(255)), 6),
        ] {
            assert_eq!(told(&rig.send(ask).await), (201, true, None));
            assert_eq!(rig.count().await, tokens);
        }
    }
}

#[tokio::test]
async fn a_repeated_rotation_rotates_once() {
    for rig in Rig::each().await {
        let made = rig.send(create().key("7f3c")).await.body;
        let rotate = |body| post(format!("/tokens/{}/rotate", id_of(&made)), body).key("7f3c");
        // The key of a creation is free for a rotation.
        let first = rig.send(rotate(json!({ "overlap": 60 })).if_match("\"1\"")).await;
        assert_eq!(told(&first), (200, true, None));
        for ask in [rotate(json!({ "overlap": 60 })), rotate(json!({ "overlap": 60 })).if_match("\"1\"")] {
            let again = rig.send(ask).await;
            assert_eq!(told(&again), (200, false, Some("true")));
            assert_eq!(again.header("etag"), Some("\"2\""));
        }
        assert_eq!(rig.verdict(&first.body["token"]).await, "ok");
        assert_eq!(rig.send(rotate(json!({ "overlap": 61 }))).await.verdict(), (422, "idempotency_key_reused"));
        assert_eq!(rig.now(&id_of(&made)).await["version"], 2);

        // Of another token it is another request, and after another rotation as well.
        let other = rig.id().await;
        let reply = rig.send(post(format!("/tokens/{other}/rotate"), json!({ "overlap": 60 })).key("7f3c")).await;
        assert_eq!(told(&reply), (200, true, None));
        let unnamed = rig.send(post(format!("/tokens/{}/rotate", id_of(&made)), json!({}))).await;
        assert_eq!(told(&unnamed), (200, true, None));
        assert_eq!(told(&rig.send(rotate(json!({ "overlap": 60 }))).await), (200, true, None));
        assert_eq!(rig.now(&id_of(&made)).await["version"], 4);
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_nothing_is_done() {
    let long = "k".repeat(256);
    for rig in Rig::each().await {
        let id = rig.id().await;
        let rotate = post(format!("/tokens/{id}/rotate"), json!({}));
        for keys in [&[""][..], &["   "], &["a b"], &["a\tb"], &["caf\u{e9}"], &[&long], &["a", "b"], &["a", "a"]] {
            for ask in [create(), rotate.clone()] {
                let reply = rig.send(keys.iter().fold(ask, |ask, key| ask.key(key))).await;
                assert_eq!(reply.verdict(), (400, "idempotency-key"), "{keys:?}");
            }
        }
        assert_eq!((rig.count().await, &rig.now(&id).await["version"]), (1, &json!(1)));
        // Where nothing can come twice, a key is nothing.
        let block = post(format!("/tokens/{id}/block"), json!({})).key("").key("b");
        assert_eq!(rig.send(block).await.status, 200);
    }
}

#[tokio::test]
async fn without_a_store_for_requests_a_creation_has_no_key_and_a_rotation_may() {
    let store = MemoryStore::new();
    let registry = builder(store, &FixedClock::new(at(0))).build().unwrap();
    let app = Management::new(registry).router::<User, ()>().unwrap();
    let refused = send(&app, create().key("7f3c")).await;
    assert_eq!(refused.verdict(), (400, "idempotency-key"));
    let made = send(&app, create()).await;
    assert_eq!(made.status, 201);
    let rotate = post(format!("/tokens/{}/rotate", id_of(&made.body)), json!({})).key("7f3c");
    for replayed in [false, true] {
        let reply = send(&app, rotate.clone()).await;
        assert_eq!((reply.status, &reply.body["replayed"]), (200, &json!(replayed)));
    }
}
