//! The door for agents.

use super::*;
use crate::rig::DAY;
use systems::arcnm::session::TokenUse;

const METADATA: &str = "/.well-known/oauth-protected-resource";

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": tool } })
}

fn tools(reply: &Reply) -> Vec<String> {
    let tools = reply.json()["result"]["tools"].clone();
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_protected_resource_metadata_are_published() {
    let (rig, _) = acme().await;
    let reply = rig.get(METADATA).expect(200).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let document = reply.json();
    assert_eq!(document["resource"], "https://api.arcnm.io/mcp-server/mcp");
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    assert_eq!(document["scopes_supported"], json!(SCOPES));
    assert!(!document["authorization_servers"].as_array().unwrap().is_empty());
    // Where RFC 9728 (section 3.1) has it for a resource with a path.
    assert_eq!(rig.get(&format!("{METADATA}{MCP}")).expect(200).await.json(), document);
}

#[tokio::test]
async fn the_challenge_names_the_metadata() {
    let (rig, _) = acme().await;
    let reply = rig.post(MCP, &list()).refused(401, "invalid_api_key").await;
    let challenge = reply.header("www-authenticate").unwrap();
    let named = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    let path = named.strip_prefix("https://api.arcnm.io").unwrap();
    rig.get(path).expect(200).await;
}

#[tokio::test]
async fn the_same_key_as_for_rest_is_a_bearer_token_here() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).key(&key).expect(200).await;
    let reply = rig.post(MCP, &call("list_parts")).bearer_auth(&key.text).expect(200).await;
    assert!(reply.text.contains("list_parts of acme"), "{}", reply.text);
}

#[tokio::test]
async fn a_test_key_is_a_bearer_token_here_too() {
    let (rig, session) = acme_in("sandbox").await;
    let key = mint_test_key(&rig, &session).await;
    rig.post(MCP, &list()).bearer_auth(&key.text).expect(200).await;
}

#[tokio::test]
async fn a_session_access_token_is_a_bearer_token_here() {
    let (rig, session) = acme().await;
    let reply = rig.post(MCP, &call("run_calculation")).bearer_auth(&session).expect(200).await;
    assert!(reply.text.contains("run_calculation of acme"), "of its tenant: {}", reply.text);
    let stranger = sign_in(&rig, Claims { tenant: "globex".into(), ..claims(&rig) });
    assert!(rig.post(MCP, &call("list_parts")).bearer_auth(&stranger).expect(200).await.text.contains("of globex"));
}

#[tokio::test]
async fn the_key_is_tried_first() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    // What begins as a key and is bad is a bad key: no session is looked for.
    let bad = [format!("{}.{session}", key.prefix), key.text.replace("ak_live_", "ak_test_"), format!("{}x", key.text)];
    for text in bad {
        rig.post(MCP, &list()).bearer_auth(&text).refused(401, "invalid_api_key").await;
    }
}

#[tokio::test]
async fn refresh_tokens_are_rejected() {
    let (rig, _) = acme().await;
    let refresh = sign_in(&rig, Claims { token_use: TokenUse::Refresh, ..claims(&rig) });
    rig.post(MCP, &list()).bearer_auth(&refresh).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn tokens_for_other_audiences_are_rejected() {
    let (rig, _) = acme().await;
    for audience in ["/api/v2", "/api/v1/", "/api", "https://api.arcnm.io/api/v1", "/mcp-server/mcp", ""] {
        let token = sign_in(&rig, Claims { aud: audience.into(), ..claims(&rig) });
        rig.post(MCP, &list()).bearer_auth(&token).refused(401, "invalid_api_key").await;
    }
}

#[tokio::test]
async fn expired_access_tokens_are_rejected() {
    let (rig, session) = acme().await;
    rig.at(15 * 60 * 1000 - 1);
    rig.post(MCP, &list()).bearer_auth(&session).expect(200).await;
    rig.at(15 * 60 * 1000);
    rig.post(MCP, &list()).bearer_auth(&session).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn a_token_that_this_service_has_not_signed_is_rejected() {
    let (rig, session) = acme().await;
    let (other, _) = acme().await;
    let mut parts: Vec<_> = session.split('.').collect();
    let (payload, no_algorithm) = (parts[1], "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0");
    parts[2] = "";
    let unsigned = [parts.join("."), format!("{no_algorithm}.{payload}.")];
    for token in unsigned.into_iter().chain([sign_in(&other, claims(&other))]) {
        rig.post(MCP, &list()).bearer_auth(&token).refused(401, "invalid_api_key").await;
    }
}

#[tokio::test]
async fn a_key_is_scoped_here_as_well() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    assert_eq!(tools(&rig.post(MCP, &list()).bearer_auth(&key.text).expect(200).await), ["list_parts"]);
    let run = rig.post(MCP, &call("run_calculation")).bearer_auth(&key.text);
    let reply = run.refused(403, "insufficient_scope").await;
    assert!(reply.header("www-authenticate").unwrap().contains("scope=\"parts:write\""));
    let writer = mint(&rig, &session, &["parts:write"]).await;
    rig.post(MCP, &call("run_calculation")).bearer_auth(&writer.text).expect(200).await;
}

#[tokio::test]
async fn a_key_outlives_every_session() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.at(400 * DAY);
    rig.post(MCP, &list()).bearer_auth(&session).refused(401, "invalid_api_key").await;
    rig.post(MCP, &list()).bearer_auth(&key.text).expect(200).await;
}

#[tokio::test]
async fn x_api_key_is_not_read_here() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.post(MCP, &list()).key(&key).refused(401, "invalid_api_key").await;
    rig.post(MCP, &list()).header("x-api-key", "nonsense").bearer_auth(&key.text).expect(200).await;
    rig.post(MCP, &list()).key(&key).bearer_auth("nonsense").refused(401, "invalid_api_key").await;
}
