//! Headers that a request must or may have, and those of every response.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn a_request_with_a_body_is_json() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:write"]).await;
    let post = || rig.ask(reqwest::Method::POST, PARTS).key(&key);
    post().header("content-type", "application/json").body("{}").expect(201).await;
    post().body("{}").refused(400, "bad_request").await;
    post().header("content-type", "text/plain").body("{}").refused(400, "bad_request").await;
    post().header("content-type", "application/json").body("{").refused(400, "bad_request").await;
}

#[tokio::test]
async fn an_upload_may_be_multipart_form_data() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["uploads:write"]).await;
    let post = |kind: &'static str| {
        rig.ask(reqwest::Method::POST, "/api/v1/uploads").header("content-type", kind).body("--b--").key(&key)
    };
    post("multipart/form-data; boundary=b").expect(201).await;
    post("application/json").expect(201).await;
    post("text/plain").refused(400, "bad_request").await;
}

#[tokio::test]
async fn an_idempotency_key_makes_a_repeated_request_mint_one_key() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "n", "scopes": ["parts:read"] });
    let post = || {
        let request = rig.post(KEYS, &body).bearer_auth(&session);
        request.header("idempotency-key", "9c5f8f5e-3b0c-4a3e-9d2e-5a3f1c1e7b11")
    };
    let first = post().expect(201).await.json();
    let again = post().expect(201).await.json();
    assert_eq!(again["id"], first["id"]);
    assert_eq!((&again["replayed"], &again["key"]), (&json!(true), &Value::Null), "the plaintext is shown once");
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_request_id_finds_the_row_of_the_log() {
    let (rig, session) = acme().await;
    let (key, siem) = (mint(&rig, &session, &["parts:read"]).await, mint(&rig, &session, &["audit:read"]).await);
    let used = rig.get(PARTS).key(&key).expect(200).await;
    rig.delete(&key.path()).bearer_auth(&session).expect(204).await;
    let denied = rig.get(PARTS).key(&key).expect(401).await;
    let exported = rig.get("/api/v1/audit/export").key(&siem).expect(200).await.json();
    for (reply, event) in [(used, "used"), (denied, "denied")] {
        let id = reply.header("x-request-id").unwrap();
        let rows: Vec<_> =
            exported["events"].as_array().unwrap().iter().filter(|row| row["request_id"] == id).collect();
        assert_eq!(rows.len(), 1, "{event}");
        assert_eq!((rows[0]["event"].as_str(), rows[0]["key"].as_str()), (Some(event), Some(key.id.as_str())));
    }
}

#[tokio::test]
async fn a_client_does_not_choose_the_request_id() {
    let (rig, _) = acme().await;
    let chosen = "9c5f8f5e-3b0c-4a3e-9d2e-5a3f1c1e7b11";
    let reply = rig.get(PARTS).header("x-request-id", chosen).expect(401).await;
    assert_ne!(reply.header("x-request-id").unwrap(), chosen);
}

#[tokio::test]
async fn every_response_has_x_api_version_and_x_request_id() {
    let (rig, session) = acme().await;
    let (key, other) = (mint(&rig, &session, &["parts:read"]).await, mint(&rig, &session, &["audit:read"]).await);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let requests = [
        (200, rig.get(PARTS).key(&key)),
        (401, rig.get(PARTS)),
        (403, rig.get(PARTS).key(&other)),
        (400, rig.get(PARTS).key(&key).key(&key)),
        (405, rig.delete("/api/v1/audit/export").key(&other)),
        (404, rig.get("/api/v1/nothing")),
        (404, rig.get("/")),
        (200, rig.get(KEYS).bearer_auth(&session)),
        (201, rig.post(KEYS, &json!({ "name": "n", "scopes": ["parts:read"] })).bearer_auth(&session)),
        (400, rig.post(KEYS, &json!({ "name": "n", "scopes": ["no:such"] })).bearer_auth(&session)),
        (401, rig.get(KEYS)),
        (403, rig.get(KEYS).key(&key)),
        (401, rig.get("/api/v1/billing")),
        (401, rig.post(MCP, &call)),
        (200, rig.post(MCP, &call).bearer_auth(&key.text)),
        (200, rig.get("/.well-known/oauth-protected-resource")),
        (404, rig.get("/.well-known/nothing")),
    ];
    let (mut ids, count) = (BTreeSet::new(), requests.len());
    for (status, request) in requests {
        let reply = request.expect(status).await;
        assert_eq!(reply.header("x-api-version"), Some("2026-01-01"), "{status}: {}", reply.text);
        let id = reply.header("x-request-id").unwrap_or_else(|| panic!("{status}: {}", reply.text));
        assert_eq!(id.len(), 36);
        ids.insert(id.to_owned());
    }
    assert_eq!(ids.len(), count, "each request has its own");
}
