//! Texts, tags, scopes and networks at their limits and over them.

use counterfoil::MemoryStore;
use serde_json::{Value, json};

use crate::{
    ask::{Ask, post},
    support::Rig,
};

async fn created(rig: &Rig, name: &str, value: Value) -> (u16, String) {
    let mut body = json!({ "name": "CI", "expires_in": 60 });
    body[name] = value;
    let reply = rig.send(post("/tokens", body)).await;
    let (status, word) = reply.verdict();
    (status, word.to_owned())
}

#[tokio::test]
async fn text_is_taken_up_to_its_limit_in_characters() {
    let rig = Rig::plain();
    let id = rig.id().await;
    for (path, name, limit) in [
        ("/tokens", "name", 200),
        ("/tokens", "description", 1000),
        ("/tokens", "audience", 255),
        ("/block", "by", 255),
        ("/block", "reason", 500),
        ("/rotate", "by", 255),
        ("/rotate", "reason", 500),
        ("/unblock", "reason", 500),
    ] {
        for (text, is_taken) in [
            ("x".repeat(limit), true),
            ("x".repeat(limit + 1), false),
            ("\u{e9}".repeat(limit), true),
            ("\u{e9}".repeat(limit + 1), false),
            ("\u{1f511}".repeat(limit), true),
            ("\u{1f511}".repeat(limit + 1), false),
            ("e\u{301}".repeat(limit / 2), true),
            ("e\u{301}".repeat(limit / 2 + 1), false),
            ("\u{1f511}".into(), true),
            (" ".into(), true),
            ("<script>\"'\\".into(), true),
            (String::new(), false),
            ("a\0b".into(), false),
            ("a\nb".into(), false),
            ("\u{1b}[31m".into(), false),
            ("a\u{7f}".into(), false),
            ("a\u{85}".into(), false),
        ] {
            let (path, mut body) = match path {
                "/tokens" => (path.to_owned(), json!({ "name": "CI", "expires_in": 60 })),
                change => (format!("/tokens/{id}{change}"), json!({})),
            };
            body[name] = json!(text);
            let reply = rig.send(post(&*path, body)).await;
            let seen = format!("{path} {name} {} characters: {}", text.chars().count(), reply.text);
            assert_eq!(reply.status < 300, is_taken, "{seen}");
            if !is_taken {
                assert_eq!(reply.verdict(), (400, name), "{seen}");
                assert!(!reply.text.contains("\\u0000") && !reply.text.contains("\\u001b"), "not told back: {seen}");
            } else if path == "/tokens" {
                assert_eq!(reply.body[name], text);
            }
        }
    }
}

#[tokio::test]
async fn lists_are_taken_up_to_their_limits() {
    let rig = Rig::plain();
    let many = |count: usize, text: fn(usize) -> String| json!((0..count).map(text).collect::<Vec<_>>());
    let networks = |count| json!({ "networks": many(count, |n| format!("192.0.2.{n}")) });
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    let filled = |length: usize| json!({ "a": "x".repeat(length - r#"{"a":""}"#.len()) });
    for (name, value, field) in [
        ("tags", many(32, |n| format!("t{n}")), None),
        ("tags", many(33, |n| format!("t{n}")), Some("tags")),
        ("tags", many(33, |n| format!("t{}", n % 32)), None), // a set
        ("tags", json!(["x".repeat(64)]), None),
        ("tags", json!(["x".repeat(65)]), Some("tags")),
        ("tags", json!([""]), Some("tags")),
        ("tags", json!(["a\tb"]), Some("tags")),
        ("scopes", many(128, |n| format!("s{n}")), None),
        ("scopes", many(129, |n| format!("s{n}")), Some("scopes")),
        ("scopes", json!(["x".repeat(128)]), None),
        ("scopes", json!(["x".repeat(129)]), Some("scopes")),
        ("scopes", json!(["a:", "b"]), Some("scopes")),
        ("scopes", json!(["a*"]), Some("scopes")),
        ("scopes", json!(["caf\u{e9}"]), Some("scopes")),
        ("scopes", json!(["a\0"]), Some("scopes")),
        ("restrictions", networks(64), None),
        ("restrictions", networks(65), Some("restrictions.networks")),
        ("metadata", filled(4096), None),
        ("metadata", filled(4097), Some("metadata")),
        ("metadata", filled(40_000), Some("metadata")),
        ("metadata", nested(32), None),
        ("metadata", nested(33), Some("metadata")),
        ("metadata", nested(100), Some("metadata")),
    ] {
        let shown = value.to_string().chars().take(80).collect::<String>();
        let expected = field.map_or((201, String::new()), |field| (400, field.to_owned()));
        assert_eq!(created(&rig, name, value).await, expected, "{name} {shown}");
    }
}

#[tokio::test]
async fn a_network_has_one_spelling() {
    let rig = Rig::plain();
    for (text, shown) in [
        ("192.0.2.0/24", Some("192.0.2.0/24")),
        ("192.0.2.1", Some("192.0.2.1/32")),
        ("0.0.0.0/0", Some("0.0.0.0/0")),
        ("2001:DB8::/32", Some("2001:db8::/32")),
        ("::1", Some("::1/128")),
        ("::ffff:192.0.2.1", None),
        ("192.0.2.1/24", None),
        ("2001:db8::1/32", None),
        ("192.0.2.0/33", None),
        ("192.0.2.0/-1", None),
        ("192.0.2", None),
        ("192.0.02.1", None),
        ("192.0.2.0/024", None),
        ("::ffff:192.0.2.0/120", None),
        ("localhost", None),
        (" 192.0.2.1", None),
        ("192.0.2.1\0", None),
        ("", None),
    ] {
        let body = json!({ "name": "CI", "expires_in": 60, "restrictions": { "networks": [text] } });
        let reply = rig.send(post("/tokens", body)).await;
        match shown {
            Some(shown) => assert_eq!(reply.body["restrictions"], json!({ "networks": [shown] }), "{text}"),
            None => assert_eq!(reply.verdict(), (400, "restrictions.networks"), "{text}"),
        }
    }
}

#[tokio::test]
async fn metadata_come_back_as_they_were_given() {
    for (rig, text) in Rig::each().await.into_iter().flat_map(|rig| METADATA.map(|text| (rig.clone(), text))) {
        let ask = Ask::new("POST", "/tokens").text(format!(r#"{{"name":"CI","expires_in":60,"metadata":{text}}}"#));
        let made = rig.send(ask).await;
        assert_eq!(made.status, 201, "{text}: {}", made.text);
        let stored = rig.now(made.body["id"].as_str().unwrap()).await;
        for metadata in [&made.body["metadata"], &stored["metadata"]] {
            assert_eq!(metadata, &serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }
}

const METADATA: [&str; 6] = [
    r#"{"a":[1,-1,1.5,true,null,"\u00e9",{}],"b":""}"#,
    r#"{"n":9223372036854775807,"u":18446744073709551615,"m":-9223372036854775808}"#,
    r#"{"f":[0.1,1e23,5e-324,1.7976931348623157e308,1E+2,-0.5e-3]}"#,
    r#"{"z":1,"a":2}"#,
    r#"{"metadata":{"metadata":"12345678901234567890123"}}"#,
    r#"{"a\\":"\"1e400"}"#,
];

#[tokio::test]
async fn metadata_that_would_be_changed_are_refused() {
    let rig = Rig::plain();
    for (metadata, field) in [
        (r#"{"id":12345678901234567890123}"#, "metadata"),
        (r#"{"id":18446744073709551616}"#, "metadata"),
        (r#"{"a":{"b":[0.1234567890123456789]}}"#, "metadata"),
        (r#"{"a":9007199254740993.0}"#, "metadata"),
        (r#"{"a":1e-400}"#, "metadata"),
        (r#"{"a":1e400}"#, "invalid_request"), // no number of JSON's for the whole body
        (r#"{"a":1,"a":1}"#, "metadata.a"),
        (r#"{"a":[{"b":1,"\u0062":2}]}"#, "metadata.a[0].b"),
        (r#"[1]"#, "metadata"),
    ] {
        let ask = Ask::new("POST", "/tokens").text(format!(r#"{{"name":"CI","expires_in":60,"metadata":{metadata}}}"#));
        let reply = rig.send(ask).await;
        assert_eq!(reply.verdict(), (400, field), "{metadata}: {}", reply.text);
    }
    // Under another name, and beside a number of another member that looks alike.
    let renamed = Rig::new(
        MemoryStore::new(),
        |builder| builder,
        |api| api.name("metadata", "extra").name("description", "metadata"),
    );
    for (extra, verdict) in [("7.25", (201, "")), ("12345678901234567890123", (400, "extra"))] {
        let body = format!(r#"{{"name":"CI","expires_in":60,"metadata":"text","extra":{{"a":{extra}}}}}"#);
        let reply = renamed.send(Ask::new("POST", "/tokens").text(body)).await;
        assert_eq!(reply.verdict(), verdict, "{}", reply.text);
    }
}
