//! Bodies that are no JSON object of known members → refused, and nothing is stored.

use serde_json::json;

use crate::{
    ask::{Ask, post},
    support::Rig,
};

/// Every operation that reads a body, each with one that it takes.
fn with_body(id: &str) -> [(String, &'static str, &'static str); 7] {
    [
        ("/tokens".into(), "POST", r#"{"name":"CI","expires_in":60}"#),
        (format!("/tokens/{id}/revoke"), "POST", r#"{"reason":"x"}"#),
        (format!("/tokens/{id}/block"), "POST", r#"{"reason":"x"}"#),
        (format!("/tokens/{id}/unblock"), "POST", r#"{"reason":"x"}"#),
        (format!("/tokens/{id}/rotate"), "POST", r#"{"overlap":1}"#),
        (format!("/tokens/{id}/expiry"), "PUT", r#"{"expires_in":60}"#),
        (format!("/tokens/{id}/scopes"), "PUT", r#"{"scopes":[]}"#),
    ]
}

fn cased(body: &str) -> Vec<(Vec<u8>, &'static str)> {
    let text = |text: String, field| (text.into_bytes(), field);
    let cut = body.len() - 1;
    vec![
        text("nonsense".into(), "invalid_request"),
        text(" ".into(), "invalid_request"),
        text(body[..cut].into(), "invalid_request"),
        text(body[..cut / 2].into(), "invalid_request"),
        text(format!("{body}{body}"), "invalid_request"),
        text(format!("{body},"), "invalid_request"),
        text(format!("\u{feff}{body}"), "invalid_request"),
        text(format!("[{body}]"), "invalid_request"),
        text(body.replace('"', "'"), "invalid_request"),
        text(format!("{},}}", &body[..cut]), "invalid_request"),
        text("null".into(), "invalid_request"),
        text("\"\"".into(), "invalid_request"),
        text("1".into(), "invalid_request"),
        text("[".repeat(10_000), "invalid_request"),
        text("[".repeat(10_000) + &"]".repeat(10_000), "invalid_request"),
        text(format!("{},\"metadata\":{}}}", &body[..cut], "{\"a\":".repeat(10_000)), "invalid_request"),
        text(format!("{},\"more\":1e999}}", &body[..cut]), "invalid_request"),
        text(format!("{},\"more\":NaN}}", &body[..cut]), "invalid_request"),
        text(format!("{},\"more\":\"\\ud800\"}}", &body[..cut]), "invalid_request"),
        text(format!("{},\"more\":\"\n\"}}", &body[..cut]), "invalid_request"),
        ([body.as_bytes(), b"\xff"].concat(), "invalid_request"),
        ([&body.as_bytes()[..cut], b",\"more\":\"\xff\"}"].concat(), "invalid_request"),
        ([&body.as_bytes()[..cut], b",\"more\":\"\xc0\x80\"}"].concat(), "invalid_request"),
        (body.encode_utf16().flat_map(u16::to_le_bytes).collect(), "invalid_request"),
        text(format!("{},\"more\":1}}", &body[..cut]), "more"),
        text(format!("{},\"\":1}}", &body[..cut]), ""),
        text(format!("{},\"more.or[0]\":null}}", &body[..cut]), "more.or[0]"),
        text(format!("{},\"token_id\":\"x\"}}", &body[..cut]), "token_id"),
        text(format!("{},\"more\":1,\"more\":1}}", &body[..cut]), "more"),
        text(format!("{},\"more\":[0,{{\"a\":{{\"b\":1,\"b\":1}}}}]}}", &body[..cut]), "more[1].a.b"),
        text(format!("{},{}", &body[..cut], &body[1..]), body.split('"').nth(1).unwrap().to_owned().leak()),
    ]
}

#[tokio::test]
async fn what_is_no_object_of_known_members_is_refused_by_every_operation() {
    let rig = Rig::plain();
    let id = rig.id().await;
    let before = rig.now(&id).await;
    for (path, method, body) in with_body(&id) {
        for (wrong, field) in cased(body) {
            let shown = String::from_utf8_lossy(&wrong[..wrong.len().min(100)]).into_owned();
            let reply = rig.send(Ask::new(method, &*path).text(wrong)).await;
            assert_eq!(reply.verdict(), (400, field), "{method} {path} {shown}");
            assert!(reply.text.len() < 500, "{}", reply.text);
        }
    }
    assert_eq!((rig.count().await, rig.now(&id).await), (1, before));
}

#[tokio::test]
async fn a_body_is_json_by_its_content_type_too() {
    let rig = Rig::plain();
    let id = rig.id().await;
    for (kind, status) in [
        (Some("application/json"), 200),
        (Some("APPLICATION/JSON"), 200),
        (Some("application/json; charset=utf-8"), 200),
        (Some("application/json;charset=\"UTF-8\""), 200),
        (Some("application/json ; charset = utf-8 "), 200),
        (Some("application/json;"), 200),
        (None, 415),
        (Some(""), 415),
        (Some("text/plain"), 415),
        (Some("text/json"), 415),
        (Some("application/jsonp"), 415),
        (Some("application/problem+json"), 415),
        (Some("application/merge-patch+json"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
        (Some("application/json; charset=latin1"), 415),
        (Some("application/json; charset=utf-16"), 415),
        (Some("application/json; version=2"), 415),
        (Some("application/json, text/plain"), 415),
        (Some("*/*"), 415),
        (Some("caf\u{e9}"), 415),
    ] {
        for (path, method, body) in with_body(&id) {
            if path.ends_with("/revoke") {
                continue;
            }
            let ask = Ask { body: body.into(), ..Ask::new(method, &*path) };
            let reply = rig.send(kind.into_iter().fold(ask, |ask, kind| ask.header("content-type", kind))).await;
            let status = if path == "/tokens" && status == 200 { 201 } else { status };
            assert_eq!(reply.status, status, "{path} {kind:?}: {}", reply.text);
            assert_eq!(reply.verdict().1, if status == 415 { "unsupported_media_type" } else { "" });
        }
    }
}

#[tokio::test]
async fn no_body_is_asked_for_where_nothing_must_be_said() {
    let rig = Rig::plain();
    let id = rig.id().await;
    for (method, path, status) in [
        ("POST", "/block", 200),
        ("POST", "/unblock", 200),
        ("POST", "/rotate", 200),
        ("PUT", "/expiry", 415),
        ("PUT", "/scopes", 415),
        ("POST", "/revoke", 200),
    ] {
        let reply = rig.send(Ask::new(method, format!("/tokens/{id}{path}"))).await;
        assert_eq!(reply.status, status, "{path}");
        let empty = rig.send(Ask::new(method, format!("/tokens/{id}{path}")).text("")).await;
        assert_eq!(empty.status, if status == 415 { 400 } else { status }, "{path}");
    }
    assert_eq!(rig.send(Ask::new("POST", "/tokens")).await.status, 415);
    assert_eq!(rig.send(Ask::new("POST", "/tokens").text("")).await.verdict(), (400, "invalid_request"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    for (limit, limited) in [
        (65_536, Rig::plain()),
        (100, {
            let store = counterfoil::MemoryStore::new();
            Rig::new(store, |builder| builder, |api| api.body_limit(100))
        }),
    ] {
        let id = limited.send(post("/tokens", json!({ "name": "CI", "expires_in": 60 }))).await.body["id"].clone();
        for (path, method, body) in with_body(id.as_str().unwrap()) {
            // White space is a part of it.
            for (length, is_read) in [(limit, true), (limit + 1, false), (limit * 16, false)] {
                let ask = Ask::new(method, &*path).text(body.to_owned() + &" ".repeat(length - body.len()));
                let reply = limited.send(ask).await;
                assert_eq!(reply.status != 413, is_read, "{path} {length}: {}", reply.text);
                assert_eq!(reply.body["code"] == "body_too_large", !is_read);
            }
        }
    }
}
