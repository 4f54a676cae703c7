//! A token from its creation to its end: status, headers and whole bodies.

use counterfoil::{Audience, Caller};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, get, id_of, post, put},
    support::{DAY, Rig, START},
};

/// All of a token that was asked for in `ask`, as it is shown from then on.
fn expected(token: &Value) -> Value {
    json!({
        "id": token["id"], "public": token["public"],
        "name": "CI", "description": "nightly builds", "tags": ["ci", "night"],
        "metadata": { "team": { "id": 7 }, "ratio": 0.5 },
        "scopes": ["parts:read", "parts:write"],
        "restrictions": { "networks": ["192.0.2.0/24", "2001:db8::1/128"] },
        "audience": "parts", "environment": null,
        "status": "active", "version": 1,
        "created_at": START, "created_by": "session:ann", "rotated_at": null, "overlap_until": null,
        "expires_at": START + 90 * DAY,
        "revoked": null, "suspended": null, "blocked": null,
        "last_used_at": null, "last_used_address": null, "last_used_agent": null,
    })
}

fn ask() -> Ask {
    post(
        "/tokens",
        json!({
            "name": "CI", "description": "nightly builds", "tags": ["night", "ci", "night"],
            "metadata": { "team": { "id": 7 }, "ratio": 0.5 },
            "scopes": ["parts:write", "parts:read"],
            "restrictions": { "networks": ["192.0.2.0/24", "2001:db8::1"] },
            "audience": "parts", "expires_in": 90 * 86_400,
        }),
    )
}

#[tokio::test]
async fn what_was_asked_for_is_made_and_shown() {
    let parts = |builder: counterfoil::registry::RegistryBuilder| builder.audience(Audience::new("parts").unwrap());
    for rig in Rig::each_with(parts, |api| api).await {
        let reply = rig.send(ask()).await;
        assert_eq!(reply.status, 201);
        for (name, value) in [
            ("etag", Some("\"1\"")),
            ("content-type", Some("application/json")),
            ("cache-control", Some("no-store")),
            ("idempotent-replayed", None),
        ] {
            assert_eq!(reply.header(name), value, "{name}");
        }
        let mut made = expected(&reply.body);
        let plain = reply.body["token"].clone();
        for (name, value) in [("token", plain.clone()), ("replayed", json!(false)), ("dropped_scopes", json!([]))] {
            made[name] = value;
        }
        assert_eq!(reply.body, made);
        assert!(plain.as_str().unwrap().starts_with(reply.body["public"].as_str().unwrap()));

        // The plaintext is good, and is in no reply from here on.
        let caller = Caller { address: Some("192.0.2.7".parse().unwrap()), ..Caller::unknown() };
        let verified = rig.registry.verify_for(plain.as_str().unwrap(), &caller).await.unwrap();
        assert_eq!(verified.record().id().to_string(), id_of(&made));

        let shown = rig.send(get(format!("/tokens/{}", id_of(&made)))).await;
        assert_eq!((shown.status, shown.header("etag")), (200, Some("\"1\"")));
        assert_eq!(shown.body, expected(&made));
        let page = rig.send(get("/tokens")).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("etag"), None);
        assert_eq!(page.body, json!({ "tokens": [expected(&made)], "corrupt": [], "next_cursor": null }));
    }
}

#[tokio::test]
async fn a_name_is_enough_where_the_end_is_said() {
    for rig in Rig::each().await {
        for (end, expires_at) in [
            (("expires_in", json!(1)), json!(START + 1000)),
            (("expires_in", json!(u32::MAX)), json!(START + 1000 * i64::from(u32::MAX))),
            (("expires_at", json!(START + 1)), json!(START + 1)),
            (("expires_at", json!(253_402_300_799_999_i64)), json!(253_402_300_799_999_i64)),
            (("expires_at", json!(null)), json!(null)),
        ] {
            let mut body = json!({ "name": "CI" });
            body[end.0] = end.1;
            let reply = rig.send(post("/tokens", body)).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
            assert_eq!(reply.body["expires_at"], expires_at);
            let empty = json!([null, [], {}, [], { "networks": [] }, null]);
            let names = ["description", "tags", "metadata", "scopes", "restrictions", "audience"];
            assert_eq!(Value::from_iter(names.map(|name| reply.body[name].clone())), empty);
        }
    }
}

#[tokio::test]
async fn a_deleted_token_is_revoked_and_can_be_deleted_again() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let path = format!("/tokens/{}", id_of(&made));
        for _ in 0..2 {
            let reply = rig.send(Ask::new("DELETE", &*path)).await;
            assert_eq!((reply.status, &*reply.text, reply.header("etag")), (204, "", None));
        }
        let token = rig.now(&id_of(&made)).await;
        assert_eq!((&token["status"], &token["version"]), (&json!("revoked"), &json!(2)));
        let mark = json!({ "at": START, "by": "session:ann", "claimed_by": null, "reason": null });
        assert_eq!(token["revoked"], mark);
        assert_eq!(rig.verdict(&made["token"]).await, "revoked");
    }
}

#[tokio::test]
async fn the_plaintext_is_in_the_replies_to_create_and_rotate_alone() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        let id = id_of(&made);
        let rotated = rig.send(Ask::new("POST", format!("/tokens/{id}/rotate")).key("7f3c")).await.body;
        let plain = [&made["token"], &rotated["token"]].map(|token| token.as_str().unwrap());
        let secrets = plain.map(|text| text.rsplit('_').next().unwrap());
        assert_ne!(secrets[0], secrets[1]);
        for ask in [
            get("/tokens"),
            get("/tokens?sort=last_used"),
            get(format!("/tokens/{id}")),
            Ask::new("POST", format!("/tokens/{id}/rotate")).key("7f3c"),
            Ask::new("POST", format!("/tokens/{id}/block")),
            Ask::new("POST", format!("/tokens/{id}/unblock")),
            put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 })),
            put(format!("/tokens/{id}/scopes"), json!({ "scopes": [] })),
            put(format!("/tokens/{id}/scopes"), json!({ "scopes": [plain[1]] })),
            Ask::new("DELETE", format!("/tokens/{id}")).if_match("\"1\""),
            Ask::new("POST", format!("/tokens/{id}/revoke")),
            Ask::new("DELETE", format!("/tokens/{id}")),
        ] {
            let path = ask.path.clone();
            let reply = rig.send(ask).await;
            let head = format!("{:?}", reply.headers);
            assert!(secrets.iter().all(|secret| !reply.text.contains(secret)), "{path}: {}", reply.text);
            assert!(secrets.iter().all(|secret| !head.contains(secret)), "{path}: {head}");
        }
    }
}
