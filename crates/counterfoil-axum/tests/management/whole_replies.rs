//! Changes → the whole reply: what the change says, and all else as it was.

use serde_json::{Value, json};

use crate::{
    ask::{Ask, id_of, post, put},
    support::{Rig, START},
};

/// A new token with these members changed.
fn with(made: &Value, changes: Value) -> Value {
    let mut token = made.clone();
    for name in ["token", "replayed", "dropped_scopes"] {
        token.as_object_mut().unwrap().remove(name);
    }
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (name, value) in changes {
        // of a rotation's reply these are beside the token
        let is_minted = ["token", "replayed", "dropped_scopes"].contains(&&*name);
        assert!(is_minted || token.get(&name).is_some(), "{name}");
        token[name] = value;
    }
    token
}

#[tokio::test]
async fn a_change_is_told_whole_and_stored_as_told() {
    const LATER: i64 = START + 5;
    let plain = json!({ "at": LATER, "by": "session:ann", "claimed_by": null, "reason": null });
    // whose session it is cannot be claimed, not even by its own name
    let because = json!({ "by": "session:bob", "reason": "has left" });
    let claimed = json!({ "at": LATER, "by": "session:ann", "claimed_by": "session:bob", "reason": "has left" });
    for rig in Rig::each().await {
        for (method, end, body, changes) in [
            ("POST", "/revoke", None, json!({ "status": "revoked", "version": 2, "revoked": plain })),
            ("POST", "/revoke", Some(&because), json!({ "status": "revoked", "version": 2, "revoked": claimed })),
            ("POST", "/block", None, json!({ "status": "blocked", "version": 2, "blocked": plain })),
            ("POST", "/block", Some(&because), json!({ "status": "blocked", "version": 2, "blocked": claimed })),
            ("POST", "/unblock", Some(&because), json!({})),
            (
                "PUT",
                "/expiry",
                Some(&json!({ "expires_in": 60 })),
                json!({ "version": 2, "expires_at": LATER + 60_000 }),
            ),
            ("PUT", "/expiry", Some(&json!({ "expires_at": null })), json!({ "version": 2, "expires_at": null })),
            ("PUT", "/scopes", Some(&json!({ "scopes": ["a"] })), json!({ "version": 2, "scopes": ["a"] })),
            ("PUT", "/scopes", Some(&json!({ "scopes": ["b", "a"] })), json!({})),
        ] {
            rig.wait(0);
            let ask = post("/tokens", json!({ "name": "CI", "expires_in": 3600, "scopes": ["a", "b"] }));
            let made = rig.send(ask).await.body;
            rig.wait(5);
            let ask = Ask::new(method, format!("/tokens/{}{end}", id_of(&made)));
            let reply = rig.send(body.map_or(ask.clone(), |body| ask.text(body.to_string()))).await;
            let expected = with(&made, changes);
            assert_eq!((reply.status, &reply.body), (200, &expected), "{end} {body:?}");
            assert_eq!(reply.header("etag"), Some(&*format!("\"{}\"", expected["version"])), "{end} {body:?}");
            assert_eq!(rig.now(&id_of(&made)).await, expected, "{end} {body:?}");
        }
    }
}

#[tokio::test]
async fn a_rotation_and_its_repeat_are_told_whole() {
    for rig in Rig::each().await {
        for (overlap, overlap_until) in [(0, json!(null)), (60, json!(START + 5 + 60_000))] {
            rig.wait(0);
            let made = rig.create().await;
            let path = format!("/tokens/{}/rotate", id_of(&made));
            let ask = || post(&*path, json!({ "overlap": overlap })).key("7f3c");
            rig.wait(5);
            let first = rig.send(ask()).await;
            let (token, public) = (&first.body["token"], &first.body["public"]);
            assert_eq!(rig.verdict(token).await, "ok");
            assert!(token.as_str().unwrap().starts_with(public.as_str().unwrap()));
            assert_ne!(*public, made["public"]);
            let stored = json!({
                "version": 2, "public": public, "rotated_at": START + 5, "overlap_until": overlap_until
            });
            let told = |token: &Value, replayed: bool| {
                let beside = json!({ "token": token, "replayed": replayed, "dropped_scopes": [] });
                with(&with(&made, stored.clone()), beside)
            };
            assert_eq!((first.status, &first.body), (200, &told(token, false)));
            assert_eq!(rig.now(&id_of(&made)).await, with(&made, stored.clone()));
            let again = rig.send(ask()).await;
            assert_eq!((again.status, &again.body), (200, &told(&json!(null), true)));
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
        }
    }
}

#[tokio::test]
async fn what_is_done_to_a_token_holds_for_both_secrets_of_an_overlap() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let path = format!("/tokens/{}", id_of(&made));
        let new = rig.send(post(format!("{path}/rotate"), json!({ "overlap": 60 }))).await.body;
        for (ask, verdict) in [
            (post(format!("{path}/block"), json!({})), "blocked"),
            (post(format!("{path}/unblock"), json!({})), "ok"),
            (put(format!("{path}/expiry"), json!({ "expires_in": 30 })), "ok"),
            (Ask::new("DELETE", &*path), "revoked"),
        ] {
            let name = ask.path.clone();
            assert!(rig.send(ask).await.status < 300);
            for secret in [&made["token"], &new["token"]] {
                assert_eq!(rig.verdict(secret).await, verdict, "{name}");
            }
        }
    }
}
