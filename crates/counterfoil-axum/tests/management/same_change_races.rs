//! One change asked for by two sessions at one moment → it is done once, and who lost is told.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Barrier;

use crate::{
    ask::{Ask, Reply, id_of, post, put},
    support::Rig,
};

/// All at once: none is sent before all are ready.
async fn together(rig: &Rig, asks: Vec<Ask>) -> Vec<Reply> {
    let barrier = Arc::new(Barrier::new(asks.len()));
    let tasks: Vec<_> = asks
        .into_iter()
        .map(|ask| {
            let (rig, barrier) = (rig.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                rig.send(ask).await
            })
        })
        .collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.unwrap());
    }
    replies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_of_the_same_change_on_one_version_one_is_done() {
    let kinds: [fn(&str) -> Ask; 6] = [
        |id| Ask::new("DELETE", format!("/tokens/{id}")),
        |id| post(format!("/tokens/{id}/revoke"), json!({})),
        |id| post(format!("/tokens/{id}/block"), json!({})),
        |id| post(format!("/tokens/{id}/rotate"), json!({})),
        |id| put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 })),
        |id| put(format!("/tokens/{id}/scopes"), json!({ "scopes": [] })),
    ];
    for (rig, rounds) in Rig::each().await.into_iter().zip([100, 25]) {
        for kind in kinds.iter().cycle().take(kinds.len() * rounds) {
            let body = json!({ "name": "CI", "expires_in": 3600, "scopes": ["parts:read"] });
            let id = id_of(&rig.send(post("/tokens", body)).await.body);
            let ask = kind(&id).if_match("\"1\"");
            let path = ask.path.clone();
            let replies = together(&rig, vec![ask.clone(), ask]).await;
            let (done, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status < 300);
            assert_eq!((done.len(), lost.len()), (1, 1), "{path}: {replies:?}");
            assert_eq!(lost[0].verdict(), (412, "precondition_failed"), "{path}");
            assert_eq!(lost[0].body["current_etag"], "\"2\"", "{path}");
            assert_eq!(rig.now(&id).await["version"], 2, "{path}");
        }
    }
}

/// A plaintext that was handed out is good, whoever else has asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rotations_on_one_version_the_one_that_is_done_is_good() {
    for (rig, rounds) in Rig::each().await.into_iter().zip([200, 50]) {
        for _ in 0..rounds {
            let made = rig.create().await;
            let ask = post(format!("/tokens/{}/rotate", id_of(&made)), json!({})).if_match("\"1\"");
            let replies = together(&rig, vec![ask.clone(), ask]).await;
            let tokens: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
            assert_eq!(tokens.len(), 1, "{replies:?}");
            assert_eq!(rig.verdict(&tokens[0].body["token"]).await, "ok");
            assert_eq!(rig.verdict(&made["token"]).await, "superseded");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_rotations_under_one_key_one_is_done_and_its_secret_is_good() {
    for (rig, rounds) in Rig::each().await.into_iter().zip([20, 5]) {
        for round in 0..rounds {
            let made = rig.create().await;
            let ask = post(format!("/tokens/{}/rotate", id_of(&made)), json!({})).key("7f3c");
            // every other round names the version
            let ask = if round % 2 == 0 { ask } else { ask.if_match("\"1\"") };
            let replies = together(&rig, vec![ask; 10]).await;
            let told: Vec<_> = replies.iter().filter(|reply| reply.body["token"].is_string()).collect();
            assert_eq!(told.len(), 1, "{replies:?}");
            assert_eq!(rig.verdict(&told[0].body["token"]).await, "ok");
            for reply in &replies {
                let is_known = reply.status == 200 || reply.verdict() == (409, "overtaken");
                assert!(is_known, "{}", reply.text);
            }
            assert_eq!(rig.now(&id_of(&made)).await["version"], 2);
        }
    }
}
