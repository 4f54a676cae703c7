//! A request that comes again once other things have happened → still a repeat.

use serde_json::{Value, json};

use crate::{
    ask::{Ask, get, id_of, post},
    support::{Rig, START},
};

fn create() -> Ask {
    post("/tokens", json!({ "name": "CI", "expires_in": 3600 }))
}

#[tokio::test]
async fn a_first_plaintext_is_good_however_often_the_request_is_repeated() {
    for rig in Rig::each().await {
        let first = rig.send(create().key("7f3c")).await.body;
        for millis in [0, 59_999, 60_000, 3_599_999] {
            rig.wait(millis);
            let again = rig.send(create().key("7f3c")).await;
            let told = ["id", "public", "created_at", "expires_at", "token", "replayed", "version"];
            let expected = json!([first["id"], first["public"], START, START + 3_600_000, null, true, 1]);
            assert_eq!(Value::from_iter(told.map(|name| again.body[name].clone())), expected, "after {millis} ms");
            assert_eq!((rig.count().await, rig.verdict(&first["token"]).await), (1, "ok"), "after {millis} ms");
        }
    }
}

#[tokio::test]
async fn a_key_of_one_operation_is_free_for_the_other_both_ways_round() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let rotate = || post(format!("/tokens/{}/rotate", id_of(&made)), json!({})).key("7f3c");
        for (ask, replayed, tokens) in [
            (rotate(), false, 1),
            (create().key("7f3c"), false, 2),
            (rotate(), true, 2),
            (create().key("7f3c"), true, 2),
        ] {
            let reply = rig.send(ask).await;
            assert_eq!(reply.body["replayed"], replayed, "{}", reply.text);
            assert_eq!(rig.count().await, tokens);
        }
    }
}

#[tokio::test]
async fn a_rotation_is_repeated_with_the_version_before_it_whatever_has_changed_since() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let path = format!("/tokens/{}", id_of(&made));
        let rotate = || post(format!("{path}/rotate"), json!({ "overlap": 60 })).key("7f3c").if_match("\"1\"");
        let first = rig.send(rotate()).await;
        assert_eq!((first.status, first.header("etag")), (200, Some("\"2\"")));
        for (change, version, status) in
            [(None, "\"2\"", "active"), (Some("block"), "\"3\"", "blocked"), (Some("unblock"), "\"4\"", "active")]
        {
            if let Some(change) = change {
                assert_eq!(rig.send(post(format!("{path}/{change}"), json!({}))).await.status, 200);
            }
            let again = rig.send(rotate()).await;
            assert_eq!((again.status, again.header("etag")), (200, Some(version)), "{change:?}: {}", again.text);
            let told = ["replayed", "token", "status"].map(|name| again.body[name].clone());
            assert_eq!(told, [json!(true), json!(null), json!(status)], "{change:?}");
        }
        assert_eq!(rig.verdict(&first.body["token"]).await, "ok");
    }
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        for (wrong, right, status) in [
            (json!({ "name": "", "expires_in": 60 }), create(), 201),
            (json!({ "overlap": -1 }), post(format!("/tokens/{id}/rotate"), json!({})), 200),
        ] {
            let refused = rig.send(post(&*right.path, wrong).key("7f3c")).await;
            assert_eq!(refused.status, 400);
            let done = rig.send(right.key("7f3c")).await;
            assert_eq!((done.status, &done.body["replayed"]), (status, &json!(false)));
        }
    }
}

/// What is wrong with a request by now is said before it is known as a repeat, and makes nothing.
#[tokio::test]
async fn a_creation_is_no_repeat_once_the_end_that_it_asks_for_has_passed() {
    for rig in Rig::each().await {
        let ask = || post("/tokens", json!({ "name": "CI", "expires_at": START + 1000 })).key("7f3c");
        let first = rig.send(ask()).await.body;
        rig.wait(999);
        let again = rig.send(ask()).await;
        assert_eq!((again.status, &again.body["id"]), (201, &first["id"]), "{}", again.text);
        rig.wait(1000);
        assert_eq!(rig.send(ask()).await.verdict(), (400, "expires_at"));
        assert_eq!(rig.send(get("/tokens")).await.body["tokens"].as_array().unwrap().len(), 1);
    }
}
