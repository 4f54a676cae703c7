//! `If-Match` → done, or 412 and nothing changed.

use serde_json::json;

use crate::{
    ask::{Ask, each_operation, get, id_of, post, put},
    support::{Rig, START},
};

/// Every operation that changes a token, each of which changes a fresh one.
fn changes(id: &str) -> [Ask; 7] {
    [
        Ask::new("DELETE", format!("/tokens/{id}")),
        post(format!("/tokens/{id}/revoke"), json!({})),
        post(format!("/tokens/{id}/block"), json!({})),
        post(format!("/tokens/{id}/unblock"), json!({})),
        post(format!("/tokens/{id}/rotate"), json!({})),
        put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 })),
        put(format!("/tokens/{id}/scopes"), json!({ "scopes": [] })),
    ]
}

/// A token with a scope, a block and version 2, so that each change has something to do.
async fn blocked(rig: &Rig) -> String {
    let ask = post("/tokens", json!({ "name": "CI", "expires_at": null, "scopes": ["parts:read"] }));
    let id = id_of(&rig.send(ask).await.body);
    let reply = rig.send(post(format!("/tokens/{id}/block"), json!({}))).await;
    assert_eq!(reply.header("etag"), Some("\"2\""));
    id
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_was_seen() {
    for rig in Rig::each().await {
        for (at, _) in changes("").iter().enumerate() {
            for lines in
                [&["\"2\""][..], &["*"], &["\"1\", \"2\""], &["\"2\",\"9\""], &["W/\"2\", \"2\""], &["\"1\"", "\"2\""]]
            {
                let id = blocked(&rig).await;
                let ask = lines.iter().fold(changes(&id)[at].clone(), |ask, line| ask.if_match(line));
                let (path, reply) = (ask.path.clone(), rig.send(ask).await);
                assert!([200, 204].contains(&reply.status), "{path} {lines:?}: {}", reply.text);
                let is_noop = path.ends_with("/block");
                assert_eq!(rig.now(&id).await["version"], if is_noop { 2 } else { 3 }, "{path} {lines:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_any_other_version_is_refused_and_changes_nothing() {
    for rig in Rig::each().await {
        let id = blocked(&rig).await;
        let before = rig.now(&id).await;
        for ask in changes(&id) {
            for lines in [
                &["\"1\""][..],
                &["\"3\""],
                &["\"1\", \"3\""],
                &["\"18446744073709551615\""],
                &["\"18446744073709551616\""],
                &["W/\"2\""],
                &["w/\"2\""],
                &["W/\"2\", \"1\""],
                &["2"],
                &["'2'"],
                &["\"2"],
                &["\"02\""],
                &["\"+2\""],
                &["\" 2\""],
                &["\"2\"\"2\""],
                &["\"\""],
                &[""],
                &[","],
                &["abc"],
                &["**"],
                &["*", "\"2\""],
                &["*", "*"],
                &["caf\u{e9}"],
            ] {
                let (method, path) = (ask.method, &ask.path);
                let reply = rig.send(lines.iter().fold(ask.clone(), |ask, line| ask.if_match(line))).await;
                assert_eq!(reply.verdict(), (412, "precondition_failed"), "{method} {path} {lines:?}");
                assert_eq!(reply.body["current_etag"], "\"2\"");
                assert_eq!(rig.now(&id).await, before, "{method} {path} {lines:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_precondition_is_asked_for_once_all_else_is_right() {
    for rig in Rig::each().await {
        let id = blocked(&rig).await;
        for (ask, status) in [
            (post(format!("/tokens/{id}/block"), json!({ "more": 1 })), 400),
            (put(format!("/tokens/{id}/expiry"), json!({})), 400),
            (put(format!("/tokens/{id}/scopes"), json!({ "scopes": ["a", "b", ""] })), 400),
            (post(format!("/tokens/{id}/rotate"), json!({})).key(""), 400),
            (Ask::new("PUT", format!("/tokens/{id}/scopes")), 415),
            (post(format!("/tokens/{id}/block"), json!({})).by("bob"), 404),
            (post(format!("/tokens/{id}/block"), json!({})).nobody(), 401),
            (put(format!("/tokens/{id}/scopes"), json!({ "scopes": ["wider"] })), 412),
        ] {
            let path = ask.path.clone();
            assert_eq!(rig.send(ask.if_match("\"1\"")).await.status, status, "{path}");
        }
        // List, create and show have no precondition.
        let [list, create, show, ..] = each_operation(&id);
        for (ask, status) in [(list, 200), (create, 201), (show, 200)] {
            assert_eq!(rig.send(ask.if_match("\"1\"")).await.status, status);
        }
    }
}

#[tokio::test]
async fn use_does_not_move_the_tag() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        for n in 1..4 {
            rig.wait(n * 3_600_000);
            assert_eq!(rig.verdict(&made["token"]).await, "ok");
            assert_eq!(rig.registry.flush_uses().await.unwrap(), 1);
            let shown = rig.send(get(format!("/tokens/{}", id_of(&made)))).await;
            assert_eq!(shown.header("etag"), Some("\"1\""));
            assert_eq!(shown.body["last_used_at"], START + n * 3_600_000);
        }
        let reply = rig.send(post(format!("/tokens/{}/block", id_of(&made)), json!({})).if_match("\"1\"")).await;
        assert_eq!(reply.header("etag"), Some("\"2\""));
    }
}
