//! Two sessions and one token: who wins, and what the other is told.

use std::sync::Arc;

use counterfoil::MemoryStore;
use counterfoil_sqlx::SqliteStore;
use serde_json::json;

use crate::{
    ask::{Ask, post, put},
    gated::Gated,
    support::{Rig, START, Store},
};

/// Both at once, each on a thread of its own as far as there are threads.
async fn both(rig: &Rig, asks: [Ask; 2]) -> Vec<u16> {
    let tasks = asks.map(|ask| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.send(ask).await })
    });
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap().status);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_have_seen_one_version_one_wins() {
    for (rig, rounds) in Rig::each().await.into_iter().zip([400, 100]) {
        for round in 0..rounds {
            let id = rig.id().await;
            let block = post(format!("/tokens/{id}/block"), json!({}));
            let other = match round % 4 {
                0 => put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 })),
                1 => Ask::new("DELETE", format!("/tokens/{id}")),
                2 => post(format!("/tokens/{id}/rotate"), json!({})),
                _ => post(format!("/tokens/{id}/revoke"), json!({})),
            };
            let mut statuses = both(&rig, [block.if_match("\"1\""), other.if_match("\"1\"")]).await;
            statuses.sort_unstable();
            assert!(statuses == [200, 412] || round % 4 == 1 && statuses == [204, 412], "{statuses:?}");
            assert_eq!(rig.now(&id).await["version"], 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_name_no_version_both_win() {
    for (rig, rounds) in Rig::each().await.into_iter().zip([400, 100]) {
        for _ in 0..rounds {
            let id = rig.id().await;
            let block = post(format!("/tokens/{id}/block"), json!({}));
            let expiry = put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 }));
            assert_eq!(both(&rig, [block, expiry]).await, [200, 200]);
            let token = rig.now(&id).await;
            assert_eq!(token["version"], 3);
            assert_eq!(token["status"], "blocked");
            assert_eq!(token["expires_at"], START + 60_000);
        }
    }
}

/// What came in between a change's reading and its writing: another change, and never chance.
#[tokio::test]
async fn a_change_that_finds_another_in_its_way_is_made_again_or_refused() {
    async fn on(store: impl Store) {
        let gated = Gated::new(store);
        let rig = Rig::new(gated.clone(), |builder| builder, |api| api);
        for (if_match, between, expected, version) in [
            (None, "/block", 200, 3),
            (Some("\"1\""), "/block", 412, 2),
            (Some("\"1\", \"2\""), "/block", 412, 2),
            (Some("*"), "/block", 200, 3),
            (None, "/revoke", 409, 2),
            (Some("\"1\""), "/revoke", 412, 2),
        ] {
            let id = rig.id().await;
            let (other, path) = (rig.clone(), format!("/tokens/{id}{between}"));
            gated.meanwhile(async move { assert_eq!(other.send(post(path, json!({}))).await.status, 200) });
            let ask = put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 }));
            let reply = rig.send(if_match.into_iter().fold(ask, Ask::if_match)).await;
            assert_eq!(reply.status, expected, "{if_match:?} {between}: {}", reply.text);
            assert_eq!(rig.now(&id).await["version"], version, "{if_match:?} {between}");
        }
        // To rotate on top of another rotation would kill the secret that was handed out a moment ago.
        let id = rig.id().await;
        let rotate = post(format!("/tokens/{id}/rotate"), json!({}));
        let (other, first) = (rig.clone(), rotate.clone());
        gated.meanwhile(async move { assert_eq!(other.send(first).await.status, 200) });
        assert_eq!(rig.send(rotate).await.verdict(), (409, "overtaken"));
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_under_one_key_one_makes_the_token() {
    for rig in Rig::each().await {
        let rig = Arc::new(rig);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let rig = Arc::clone(&rig);
                let ask = post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key("7f3c");
                tokio::spawn(async move { rig.send(ask).await })
            })
            .collect();
        let mut with_plaintext = 0;
        for task in tasks {
            let reply = task.await.unwrap();
            assert!([201, 409].contains(&reply.status), "{}", reply.text);
            with_plaintext += usize::from(reply.body["token"].is_string());
        }
        assert_eq!((with_plaintext, rig.count().await), (1, 1));
    }
}
