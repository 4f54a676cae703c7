//! Members of a wrong type, or at odds with one another → 400, which names the member.

use serde_json::{Value, json};

use crate::{
    ask::{Ask, post, put},
    support::{DAY, Rig, START},
};

/// Sends a good body with this member put in, on a fresh API; a null member in `with` stands for itself.
async fn outcome(rig: &Rig, ask: fn(&str, Value) -> Ask, id: &str, good: &Value, with: Value) -> (u16, String) {
    let mut body = good.clone();
    for (name, value) in with.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = rig.send(ask(id, body)).await;
    let (status, word) = reply.verdict();
    (status, word.to_owned())
}

#[tokio::test]
async fn a_creation_names_the_member_that_is_of_a_wrong_type() {
    let rig = Rig::plain();
    let good = json!({ "name": "CI", "expires_at": START + DAY });
    let values = [json!(true), json!(1), json!(-1.5), json!("x"), json!([]), json!([1]), json!({}), json!({ "a": 1 })];
    for (name, fitting) in [
        ("name", &["\"x\""][..]),
        ("description", &["\"x\""]),
        ("tags", &["[]"]),
        ("metadata", &["{}", "{\"a\":1}"]),
        ("scopes", &["[]"]),
        ("restrictions", &["{}"]),
        ("audience", &["\"x\""]),
        ("environment", &[]),
        ("expires_at", &[]),
        ("type", &[]),
    ] {
        for value in &values {
            let fits = fitting.contains(&value.to_string().as_str());
            let (status, field) =
                outcome(&rig, |_, body| post("/tokens", body), "", &good, json!({ name: value })).await;
            assert_eq!(status, if fits { 201 } else { 400 }, "{name} {value}: {field}");
            assert!(
                fits || field == name || field.starts_with(&format!("{name}[0]")) || field == format!("{name}.a"),
                "{name} {value}: {field}"
            );
        }
    }
}

#[tokio::test]
async fn restrictions_are_an_object_and_no_list_of_its_members() {
    let rig = Rig::plain();
    for value in [json!([null, null]), json!([["a"], ["192.0.2.0/24"]]), json!([[], []]), json!([null, null, null])] {
        let reply = rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60, "restrictions": value }))).await;
        assert_eq!(reply.verdict(), (400, "restrictions"), "{value}");
    }
}

#[tokio::test]
async fn a_creation_names_the_place_within_a_member() {
    let rig = Rig::plain();
    let good = json!({ "name": "CI", "expires_at": START + DAY });
    for (with, field) in [
        (json!({ "tags": ["a", 1] }), "tags[1]"),
        (json!({ "scopes": ["a", null] }), "scopes[1]"),
        (json!({ "restrictions": { "scopes": "parts:read" } }), "restrictions.scopes"),
        (json!({ "restrictions": { "scopes": [1] } }), "restrictions.scopes[0]"),
        (json!({ "restrictions": { "networks": "192.0.2.1" } }), "restrictions.networks"),
        (json!({ "restrictions": { "networks": ["192.0.2.1", 7] } }), "restrictions.networks[1]"),
        (json!({ "restrictions": { "audience": "parts" } }), "restrictions.audience"),
        (json!({ "restrictions": { "networks": [], "": 1 } }), "restrictions."),
        (json!({ "restrictions": { "scopes": ["not a scope"] } }), "restrictions.scopes"),
        (json!({ "scopes": ["not a scope"] }), "scopes"),
        (json!({ "scopes": ["parts:read parts:write"] }), "scopes"),
        (json!({ "scopes": ["*"] }), "scopes"),
        (json!({ "scopes": [""] }), "scopes"),
        (json!({ "name": null }), "name"),
        (json!({ "type": "personal" }), "type"),
        (json!({ "environment": "live" }), "environment"),
        (json!({ "environment": "Not One" }), "environment"),
    ] {
        let found = outcome(&rig, |_, body| post("/tokens", body), "", &good, with.clone()).await;
        assert_eq!(found, (400, field.to_owned()), "{with}");
    }
    assert_eq!(rig.send(post("/tokens", json!({ "expires_in": 60 }))).await.verdict(), (400, "name"));
    assert_eq!(rig.count().await, 0);
}

/// Ends that are none, in a creation and in a change; the members that a creation needs are there.
fn ends() -> Vec<(Value, &'static str)> {
    vec![
        (json!({}), "expires_at"),
        (json!({ "expires_at": START + DAY, "expires_in": 60 }), "expires_at"),
        (json!({ "expires_at": null, "expires_in": 60 }), "expires_at"),
        (json!({ "expires_at": (START + DAY) / 1000 }), "expires_at"), // seconds
        (json!({ "expires_at": START }), "expires_at"),
        (json!({ "expires_at": START - 1 }), "expires_at"),
        (json!({ "expires_at": 0 }), "expires_at"),
        (json!({ "expires_at": -START }), "expires_at"),
        (json!({ "expires_at": 946_684_799_999_i64 }), "expires_at"),
        (json!({ "expires_at": 253_402_300_800_000_i64 }), "expires_at"),
        (json!({ "expires_at": i64::MAX }), "expires_at"),
        (json!({ "expires_at": 9_223_372_036_854_775_808_u64 }), "expires_at"),
        (json!({ "expires_at": 1e30 }), "expires_at"),
        (json!({ "expires_at": 1_767_312_000_000.0 }), "expires_at"),
        (json!({ "expires_at": "1767312000000" }), "expires_at"),
        (json!({ "expires_at": "2026-06-01T00:00:00Z" }), "expires_at"),
        (json!({ "expires_in": -1 }), "expires_in"),
        (json!({ "expires_in": 1.5 }), "expires_in"),
        (json!({ "expires_in": "60" }), "expires_in"),
        (json!({ "expires_in": 4_294_967_296_u64 }), "expires_in"),
        (json!({ "expires_in": null }), "expires_at"),
    ]
}

#[tokio::test]
async fn an_end_is_given_once_as_milliseconds_or_seconds_to_come() {
    let rig = Rig::plain();
    let id = rig.id().await;
    let before = rig.now(&id).await;
    let change = |id: &str, body| put(format!("/tokens/{id}/expiry"), body);
    for (with, field) in ends() {
        let created = outcome(&rig, |_, body| post("/tokens", body), "", &json!({ "name": "CI" }), with.clone()).await;
        let changed = outcome(&rig, change, &id, &json!({}), with.clone()).await;
        assert_eq!([created, changed], [(400, field.to_owned()), (400, field.to_owned())], "{with}");
    }
    assert_eq!((rig.count().await, rig.now(&id).await), (1, before));
}

#[tokio::test]
async fn an_end_that_has_passed_is_refused_as_such() {
    let rig = Rig::plain();
    let id = rig.id().await;
    rig.wait(1);
    for ask in [
        post("/tokens", json!({ "name": "CI", "expires_at": START + 1 })),
        put(format!("/tokens/{id}/expiry"), json!({ "expires_at": START + 1 })),
    ] {
        let reply = rig.send(ask).await;
        assert_eq!(reply.body["detail"], "expires_at: 2026-01-01T00:00:00.001Z has passed", "{}", reply.text);
    }
}

#[tokio::test]
async fn no_time_at_all_is_no_lifetime() {
    let rig = Rig::plain();
    let id = rig.id().await;
    for ask in [
        post("/tokens", json!({ "name": "CI", "expires_in": 0 })),
        put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 0 })),
    ] {
        let reply = rig.send(ask).await;
        assert_eq!(reply.status, 400);
        assert!(["expires_at", "expires_in"].contains(&reply.verdict().1), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_change_names_the_member_that_is_wrong() {
    let rig = Rig::plain();
    let id = rig.id().await;
    let before = rig.now(&id).await;
    for (method, path, body, field) in [
        ("POST", "/block", json!({ "by": 1 }), "by"),
        ("POST", "/block", json!({ "by": "" }), "by"),
        ("POST", "/unblock", json!({ "reason": "" }), "reason"),
        ("POST", "/revoke", json!({ "reason": ["x"] }), "reason"),
        ("POST", "/revoke", json!({ "overlap": 1 }), "overlap"),
        ("POST", "/rotate", json!({ "overlap": -1 }), "overlap"),
        ("POST", "/rotate", json!({ "overlap": 1.5 }), "overlap"),
        ("POST", "/rotate", json!({ "overlap": "60" }), "overlap"),
        ("POST", "/rotate", json!({ "overlap": 4_294_967_296_u64 }), "overlap"),
        ("POST", "/rotate", json!({ "by": "\u{7f}" }), "by"),
        ("POST", "/rotate", json!({ "expires_in": 60 }), "expires_in"),
        ("PUT", "/expiry", json!({ "expires_in": 60, "by": "bob" }), "by"),
        ("PUT", "/scopes", json!({}), "scopes"),
        ("PUT", "/scopes", json!({ "scopes": null }), "scopes"),
        ("PUT", "/scopes", json!({ "scopes": "parts:read" }), "scopes"),
        ("PUT", "/scopes", json!({ "scopes": [1] }), "scopes[0]"),
        ("PUT", "/scopes", json!({ "scopes": ["a b"] }), "scopes"),
        ("PUT", "/scopes", json!({ "scopes": [], "restrictions": {} }), "restrictions"),
    ] {
        let reply = rig.send(Ask::new(method, format!("/tokens/{id}{path}")).text(body.to_string())).await;
        assert_eq!(reply.verdict(), (400, field), "{path} {body}");
    }
    assert_eq!(rig.now(&id).await, before);
}
