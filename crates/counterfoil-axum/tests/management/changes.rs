//! Changes of one token: request → status, version, and what became of it.

use std::time::Duration;

use counterfoil_axum::management::Management;
use serde_json::{Value, json};

use crate::{
    ask::{Ask, each_operation, id_of, post, put},
    schema::Document,
    support::{DAY, Rig, START},
};

/// The status of the reply, then members of the token in it.
async fn outcome(rig: &Rig, ask: Ask, members: &[&str]) -> (u16, Vec<Value>) {
    let reply = rig.send(ask).await;
    if reply.status == 200 {
        let tag = format!("\"{}\"", reply.body["version"]);
        assert_eq!(reply.header("etag"), Some(&*tag));
    }
    (reply.status, members.iter().map(|name| reply.body[name].clone()).collect())
}

#[tokio::test]
async fn a_revocation_keeps_its_first_mark() {
    let claim = json!({ "by": "bob", "reason": "has left" });
    let claimed = json!({ "at": START, "by": "session:ann", "claimed_by": "bob", "reason": "has left" });
    let plain = json!({ "at": START, "by": "session:ann", "claimed_by": null, "reason": null });
    for rig in Rig::each().await {
        for (body, mark) in [
            (None, &plain),
            (Some(json!({})), &plain),
            (Some(json!({ "by": null, "reason": null })), &plain),
            (Some(claim.clone()), &claimed),
        ] {
            let made = rig.create().await;
            let path = format!("/tokens/{}/revoke", id_of(&made));
            let ask = body.map_or_else(|| Ask::new("POST", &*path), |body| post(&*path, body));
            let again = post(&*path, json!({ "by": "carol", "reason": "again" }));
            for ask in [ask.clone(), ask, again] {
                let found = outcome(&rig, ask, &["status", "version", "revoked"]).await;
                assert_eq!(found, (200, vec![json!("revoked"), json!(2), mark.clone()]));
            }
            assert_eq!(rig.verdict(&made["token"]).await, "revoked");
        }
    }
}

#[tokio::test]
async fn a_block_is_put_on_and_taken_off() {
    let mark = json!({ "at": START, "by": "session:ann", "claimed_by": "bob", "reason": null });
    for rig in Rig::each().await {
        let made = rig.create().await;
        let path = format!("/tokens/{}", id_of(&made));
        for (step, body, status, version, blocked, verdict) in [
            ("unblock", json!({}), "active", 1, json!(null), "ok"),
            ("block", json!({ "by": "bob" }), "blocked", 2, mark.clone(), "blocked"),
            ("block", json!({ "by": "carol" }), "blocked", 2, mark.clone(), "blocked"),
            ("unblock", json!({ "reason": "all is well" }), "active", 3, json!(null), "ok"),
            ("block", json!({ "by": "bob" }), "blocked", 4, mark.clone(), "blocked"),
        ] {
            let found = outcome(&rig, post(format!("{path}/{step}"), body), &["status", "version", "blocked"]).await;
            assert_eq!(found, (200, vec![json!(status), json!(version), blocked]), "{step}");
            assert_eq!(rig.verdict(&made["token"]).await, verdict, "{step}");
        }
    }
}

#[tokio::test]
async fn a_rotation_ends_the_old_secret_at_once_or_after_the_overlap() {
    for rig in Rig::each().await {
        for (body, overlap_until, verdicts) in [
            (None, json!(null), ["superseded", "superseded"]),
            (Some(json!({})), json!(null), ["superseded", "superseded"]),
            (Some(json!({ "overlap": 0 })), json!(null), ["superseded", "superseded"]),
            (
                Some(json!({ "overlap": 60, "by": "bob", "reason": "leak" })),
                json!(START + 60_000),
                ["ok", "superseded"],
            ),
        ] {
            let made = rig.create().await;
            let path = format!("/tokens/{}/rotate", id_of(&made));
            let reply = rig.send(body.map_or_else(|| Ask::new("POST", &*path), |body| post(&*path, body))).await;
            assert_eq!((reply.status, reply.header("etag")), (200, Some("\"2\"")));
            assert_eq!(reply.header("idempotent-replayed"), None);
            let told = ["id", "overlap_until", "rotated_at", "version", "replayed", "dropped_scopes"];
            let expected = [made["id"].clone(), overlap_until, json!(START), json!(2), json!(false), json!([])];
            assert_eq!(told.map(|name| reply.body[name].clone()), expected);
            for (millis, old) in [(59_999, verdicts[0]), (60_000, verdicts[1])] {
                rig.wait(millis);
                assert_eq!(rig.verdict(&made["token"]).await, old, "after {millis} ms");
                assert_eq!(rig.verdict(&reply.body["token"]).await, "ok");
            }
            rig.wait(0);
        }
    }
}

#[tokio::test]
async fn an_overlap_is_as_long_as_the_host_allows_and_no_longer() {
    for (longest, allowed, refused) in [(0, 0, 1), (60, 60, 61), (60, 60, u32::MAX)] {
        let limited = |api: Management| api.longest_overlap(Duration::from_secs(longest));
        for rig in Rig::each_with(|builder| builder, limited).await {
            let told = Document::of(&limited(Management::new(rig.registry.clone())));
            assert_eq!(
                told.json()["components"]["schemas"]["RotateToken"]["properties"]["overlap"]["maximum"],
                longest
            );
            let path = format!("/tokens/{}/rotate", id_of(&rig.create().await));
            let reply = rig.send(post(&*path, json!({ "overlap": refused }))).await;
            assert_eq!((reply.status, &reply.body["field"]), (400, &json!("overlap")));
            let reply = rig.send(post(&*path, json!({ "overlap": allowed }))).await;
            assert_eq!((reply.status, &reply.body["version"]), (200, &json!(2)), "the first one has changed nothing");
        }
    }
}

#[tokio::test]
async fn a_new_end_brings_an_expired_token_back() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let path = format!("/tokens/{}/expiry", id_of(&made));
        for (now, body, expires_at, version, verdicts) in [
            (0, json!({ "expires_in": 60 }), json!(START + 60_000), 2, ["ok", "ok"]),
            (60_000, json!({ "expires_at": START + 90 * DAY }), json!(START + 90 * DAY), 3, ["expired", "ok"]),
            (60_000, json!({ "expires_at": START + 90 * DAY }), json!(START + 90 * DAY), 3, ["ok", "ok"]),
            (60_000, json!({ "expires_at": null }), json!(null), 4, ["ok", "ok"]),
            (200 * DAY, json!({ "expires_in": 1 }), json!(START + 200 * DAY + 1000), 5, ["ok", "ok"]),
        ] {
            rig.wait(now);
            assert_eq!(rig.verdict(&made["token"]).await, verdicts[0]);
            let found = outcome(&rig, put(&*path, body), &["expires_at", "version", "status"]).await;
            assert_eq!(found, (200, vec![expires_at, json!(version), json!("active")]));
            assert_eq!(rig.verdict(&made["token"]).await, verdicts[1]);
        }
    }
}

#[tokio::test]
async fn scopes_are_narrowed_and_never_widened() {
    for rig in Rig::each().await {
        let scopes = json!(["parts:*", "orders:read", "orders:write"]);
        let made = rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60, "scopes": scopes }))).await.body;
        let path = format!("/tokens/{}/scopes", id_of(&made));
        for (scopes, verdict, version) in [
            (json!(["orders:read", "parts:*", "orders:write"]), (200, ""), 1),
            (json!(["orders:*"]), (400, "scopes"), 1),
            (json!(["orders:read", "parts:read"]), (200, ""), 2),
            (json!(["orders:write", "orders:read"]), (400, "scopes"), 2),
            (json!(["parts:*"]), (400, "scopes"), 2),
            (json!([]), (200, ""), 3),
            (json!(["orders:read"]), (400, "scopes"), 3),
        ] {
            let reply = rig.send(put(&*path, json!({ "scopes": scopes }))).await;
            assert_eq!(reply.verdict(), verdict, "{scopes}");
            assert_eq!(rig.now(&id_of(&made)).await["version"], version);
        }
    }
}

#[tokio::test]
async fn nothing_but_revocation_is_done_to_a_revoked_token() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        rig.send(Ask::new("DELETE", format!("/tokens/{id}"))).await;
        let before = rig.now(&id).await;
        for ask in each_operation(&id) {
            let path = ask.path.clone();
            let refused = ["/block", "/unblock", "/rotate", "/expiry", "/scopes"].iter().any(|end| path.ends_with(end));
            let reply = rig.send(ask).await;
            assert_eq!(reply.status == 409, refused, "{path}");
            assert_eq!(reply.verdict().1, if refused { "token_revoked" } else { "" }, "{path}");
        }
        assert_eq!(rig.now(&id).await, before);
    }
}

#[tokio::test]
async fn an_expired_token_is_not_rotated() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        rig.wait(90 * DAY);
        let reply = rig.send(Ask::new("POST", format!("/tokens/{id}/rotate"))).await;
        assert_eq!(reply.verdict(), (409, "token_expired"));
        assert_eq!(rig.now(&id).await["version"], 1);
    }
}
