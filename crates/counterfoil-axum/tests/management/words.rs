//! The host's own words: members, codes, and the form of errors.

use axum::http::StatusCode;
use counterfoil::{IssuePolicy, MemoryStore};
use counterfoil_axum::management::{ApiError, ErrorBody, Management};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, Reply, get, post, put},
    support::Rig,
};

#[tokio::test]
async fn members_are_called_as_the_host_says() {
    let named = |api: Management| {
        api.name("token", "token_plain")
            .name("id", "token_id")
            .name("name", "label")
            .name("scopes", "rights")
            .name("expires_at", "ends_at")
            .name("expires_in", "lifetime")
            .name("restrictions", "within")
            .name("tokens", "items")
            .name("next_cursor", "next")
            .name("overlap", "grace")
            .name("reason", "why")
            .name("replayed", "again")
    };
    for rig in Rig::each_with(|builder| builder, named).await {
        let ask =
            json!({ "label": "CI", "lifetime": 60, "rights": ["a"], "within": { "scopes": ["a"], "networks": [] } });
        let made = rig.send(post("/tokens", ask.clone()).key("7f3c")).await;
        assert_eq!((made.status, &made.body["label"], &made.body["rights"]), (201, &json!("CI"), &json!(["a"])));
        assert_eq!(rig.verdict(&made.body["token_plain"]).await, "ok");
        let again = rig.send(post("/tokens", ask.clone()).key("7f3c")).await;
        assert_eq!((&again.body["token_plain"], &again.body["again"]), (&json!(null), &json!(true)));
        let path = format!("/tokens/{}", made.body["token_id"].as_str().unwrap());
        let page = rig.send(get("/tokens?limit=1")).await;
        assert_eq!((&page.body["items"][0]["token_id"], &page.body["next"]), (&made.body["token_id"], &json!(null)));

        // The words of ours are none, and each fault is told in the host's.
        for (method, suffix, body, expected) in [
            ("POST", "", json!({ "name": "CI", "lifetime": 60 }), (400, "name")),
            ("POST", "", json!({ "lifetime": 60 }), (400, "label")),
            ("POST", "", json!({ "label": "", "lifetime": 60 }), (400, "label")),
            ("POST", "", json!({ "label": 1, "lifetime": 60 }), (400, "label")),
            ("POST", "", json!({ "label": "CI" }), (400, "ends_at")),
            ("POST", "", json!({ "label": "CI", "lifetime": -1 }), (400, "lifetime")),
            ("POST", "", json!({ "label": "CI", "lifetime": 1, "ends_at": null }), (400, "ends_at")),
            ("POST", "", json!({ "label": "CI", "lifetime": 1, "rights": [1] }), (400, "rights[0]")),
            (
                "POST",
                "",
                json!({ "label": "CI", "lifetime": 1, "within": { "scopes": [1] } }),
                (400, "within.scopes[0]"),
            ),
            ("POST", "", json!({ "label": "CI", "lifetime": 1, "within": { "rights": [] } }), (400, "within.rights")),
            (
                "POST",
                "",
                json!({ "label": "CI", "lifetime": 1, "within": { "networks": ["x"] } }),
                (400, "within.networks"),
            ),
            (
                "POST",
                "",
                json!({ "label": "CI", "lifetime": 1, "rights": [], "within": { "scopes": ["a"] } }),
                (400, "rights"),
            ),
            ("PUT", "/scopes", json!({ "rights": ["b"] }), (400, "rights")),
            ("PUT", "/scopes", json!({ "scopes": [] }), (400, "scopes")),
            ("PUT", "/scopes", json!({ "rights": [] }), (200, "")),
            ("PUT", "/expiry", json!({ "ends_at": 1 }), (400, "ends_at")),
            ("PUT", "/expiry", json!({ "lifetime": 30 }), (200, "")),
            ("POST", "/rotate", json!({ "overlap": 1 }), (400, "overlap")),
            ("POST", "/rotate", json!({ "grace": "1" }), (400, "grace")),
            ("POST", "/rotate", json!({ "grace": 1 }), (200, "")),
            ("POST", "/block", json!({ "why": "" }), (400, "why")),
            ("POST", "/block", json!({ "why": "x" }), (200, "")),
        ] {
            let path = if method == "POST" && suffix.is_empty() { "/tokens".into() } else { format!("{path}{suffix}") };
            let reply = rig.send(Ask::new(method, &*path).text(body.to_string())).await;
            assert_eq!(reply.verdict(), expected, "{path} {body}");
        }
    }
}

#[tokio::test]
async fn codes_are_the_hosts_and_statuses_stay() {
    let limited = IssuePolicy { limit: Some(0), ..IssuePolicy::default() };
    let build = |builder: counterfoil::registry::RegistryBuilder| builder.issue_policy(limited.clone());
    let coded = |api: Management| {
        api.code("limit_reached", "too_many_tokens")
            .code("not_found", "gone")
            .code("unauthorized", "signed_out")
            .code("invalid_request", "bad")
            .code("cross_site", "other_site")
            .code("token_not_allowed", "no_tokens")
    };
    for rig in Rig::each_with(build, coded).await {
        for (ask, status, code) in [
            (post("/tokens", json!({ "name": "CI", "expires_in": 60 })), 429, "too_many_tokens"),
            (get("/tokens/1"), 404, "gone"),
            (get("/tokens").nobody(), 401, "signed_out"),
            (get("/tokens?limit=0"), 400, "bad"),
            (post("/tokens", json!({})).header("sec-fetch-site", "cross-site"), 403, "other_site"),
            (get("/tokens").header("x-api-key", "acme_1"), 403, "no_tokens"),
            (Ask::new("POST", "/tokens"), 415, "unsupported_media_type"),
        ] {
            let reply = rig.send(ask).await;
            assert_eq!((reply.status, &reply.body["code"]), (status, &json!(code)));
        }
    }
}

/// One of each kind of error, from the guard, the session, the lookup, the body and the precondition.
async fn errors(rig: &Rig) -> Vec<Reply> {
    let id = rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60 }))).await.body["id"].clone();
    let path = format!("/tokens/{}", id.as_str().unwrap());
    let mut replies = Vec::new();
    for ask in [
        get("/tokens").header("x-api-key", "acme_1"),
        post("/tokens", json!({})).header("sec-fetch-site", "cross-site"),
        get("/tokens").nobody(),
        get("/tokens/1"),
        post("/tokens", json!({ "name": "", "expires_in": 60 })),
        get("/tokens").header("x-mood", "unavailable"),
        put(format!("{path}/scopes"), json!({ "scopes": [] })).if_match("\"9\""),
    ] {
        replies.push(rig.send(ask).await);
    }
    replies
}

const STATUSES: [u16; 7] = [403, 403, 401, 404, 400, 503, 412];

#[tokio::test]
async fn short_errors_are_a_text() {
    let rig = Rig::new(MemoryStore::new(), |builder| builder, |api| api.errors(ErrorBody::short()));
    for (reply, status) in errors(&rig).await.into_iter().zip(STATUSES) {
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/json")));
        let text = reply.body["error"].as_str().unwrap();
        assert!(!text.is_empty());
        assert_eq!(reply.body, json!({ "error": text }));
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
        assert_eq!(
            reply.header("content-length").map(str::to_owned),
            reply.header("content-length").map(|_| reply.text.len().to_string())
        );
    }
}

#[tokio::test]
async fn errors_are_what_the_hosts_closure_writes() {
    let write = |error: &ApiError| {
        let field = error.field.as_deref();
        let wait = error.retry_after.map(|wait| wait.as_secs());
        let status = error.status.as_u16();
        json!({ "status": status, "error": error.code, "field": field, "wait": wait, "now": error.current }).to_string()
    };
    let own =
        |api: Management| api.errors(ErrorBody::new("application/vnd.acme+json", write)).code("not_found", "gone");
    let rig = Rig::new(MemoryStore::new(), |builder| builder, own);
    let expected = [
        json!(["token_not_allowed", null, null, null]),
        json!(["cross_site", null, null, null]),
        json!(["unauthorized", null, null, null]),
        json!(["gone", null, null, null]),
        json!(["invalid_request", "name", null, null]),
        json!(["temporarily_unavailable", null, 1, null]),
        json!(["precondition_failed", null, null, 1]),
    ];
    for ((reply, status), words) in errors(&rig).await.into_iter().zip(STATUSES).zip(expected) {
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/vnd.acme+json")));
        let found = ["error", "field", "wait", "now"].map(|name| reply.body[name].clone());
        assert_eq!((&reply.body["status"], Value::from_iter(found)), (&json!(status), words));
    }
}

#[tokio::test]
async fn a_hosts_status_for_the_limit_goes_with_its_code() {
    let limited = IssuePolicy { limit: Some(0), ..IssuePolicy::default() };
    let named = |api: Management| api.limit_status(StatusCode::CONFLICT).code("limit_reached", "too_many");
    let rig = Rig::new(MemoryStore::new(), |builder| builder.issue_policy(limited), named);
    let reply = rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60 }))).await;
    assert_eq!(reply.verdict(), (409, "too_many"));
    assert_eq!(reply.body["title"], "Conflict");
}
