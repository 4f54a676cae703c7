//! Test and live keys, rotating, revoking, listing.

use super::*;
use crate::rig::{DAY, START};

async fn rotate(rig: &Rig<Arcnm>, session: &str, key: &Key) -> Reply {
    rig.post(&format!("{}/rotate", key.path()), &json!({})).bearer_auth(session).expect(200).await
}

#[tokio::test]
async fn a_test_key_is_refused_in_the_production_environment() {
    let (rig, session) = acme().await;
    let key = mint_test_key(&rig, &session).await;
    rig.get(PARTS).key(&key).refused(401, "invalid_api_key").await;
    rig.post(CALCULATIONS, &json!({})).key(&key).refused(401, "invalid_api_key").await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    rig.post(MCP, &call).bearer_auth(&key.text).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn a_test_key_is_good_in_the_sandbox_and_costs_nothing() {
    let (rig, session) = acme_in("sandbox").await;
    let key = mint_test_key(&rig, &session).await;
    let done = rig.post(CALCULATIONS, &json!({})).key(&key).expect(201).await.json();
    assert_eq!(done["mode"], "test");
    assert_eq!(done["cost"], json!({ "currency": "EUR", "cents": 0 }));
}

#[tokio::test]
async fn a_live_key_is_billed() {
    for environment in ["production", "sandbox"] {
        let (rig, session) = acme_in(environment).await;
        let key = mint(&rig, &session, &["parts:write"]).await;
        let done = rig.post(CALCULATIONS, &json!({})).key(&key).expect(201).await.json();
        assert_eq!(done["mode"], "live", "{environment}");
        assert!(done["cost"]["cents"].as_u64().unwrap() > 0, "{environment}");
    }
}

#[tokio::test]
async fn a_key_cannot_change_its_mode() {
    let (rig, session) = acme().await;
    let key = mint_test_key(&rig, &session).await;
    let forged = key.text.replacen("ak_test_", "ak_live_", 1);
    rig.get(PARTS).header("x-api-key", forged).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn rotation_keeps_name_scopes_and_expires_at() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "ci", "scopes": ["parts:read", "wallet:read"], "expires_at": START + 30 * DAY });
    let key = mint_as(&rig, &session, body).await;
    let before = rig.get(&key.path()).bearer_auth(&session).expect(200).await.json();
    rig.at(DAY);
    let session = sign_in(&rig, claims(&rig));
    let after = rotate(&rig, &session, &key).await.json();
    for member in ["id", "name", "scopes", "expires_at", "environment"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(after["expires_at"], START + 30 * DAY);
}

#[tokio::test]
async fn rotation_issues_a_fresh_secret_that_is_returned_exactly_once() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let reply = rotate(&rig, &session, &key).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let fresh = Key::of(&reply);
    assert_ne!(fresh.secret(), key.secret());
    rig.get(PARTS).key(&fresh).expect(200).await;
    for path in [KEYS.to_owned(), key.path()] {
        let shown = rig.get(&path).bearer_auth(&session).expect(200).await;
        assert!(!shown.text.contains(fresh.secret()), "{path}");
    }
}

#[tokio::test]
async fn the_old_secret_stops_working_immediately() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).key(&key).expect(200).await;
    // Not even the owner can ask for the old one to go on.
    let path = format!("{}/rotate", key.path());
    rig.post(&path, &json!({ "overlap": 1 })).bearer_auth(&session).refused(400, "bad_request").await;
    rig.get(PARTS).key(&key).expect(200).await;
    rotate(&rig, &session, &key).await;
    rig.get(PARTS).key(&key).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn rotating_is_for_owners_and_admins_of_the_tenant() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let path = format!("{}/rotate", key.path());
    rig.post(&path, &json!({})).bearer_auth(as_role(&rig, Role::Member)).refused(403, "forbidden").await;
    rig.post(&path, &json!({})).key(&key).refused(403, "insufficient_scope").await;
    let stranger = sign_in(&rig, Claims { tenant: "globex".into(), ..claims(&rig) });
    rig.post(&path, &json!({})).bearer_auth(&stranger).refused(404, "not_found").await;
    rig.get(PARTS).key(&key).expect(200).await;
    rotate(&rig, &as_role(&rig, Role::Admin), &key).await;
}

#[tokio::test]
async fn a_revoked_key_gets_401_invalid_api_key_from_the_next_request_onward() {
    let (rig, session) = acme().await;
    for by_post in [false, true] {
        let key = mint(&rig, &session, &["parts:read"]).await;
        rig.get(PARTS).key(&key).expect(200).await;
        if by_post {
            rig.post(&format!("{}/revoke", key.path()), &json!({})).bearer_auth(&session).expect(200).await;
        } else {
            rig.delete(&key.path()).bearer_auth(&session).expect(204).await;
        }
        for _ in 0..2 {
            rig.get(PARTS).key(&key).refused(401, "invalid_api_key").await;
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_mcp_door_as_well() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    rig.post(MCP, &call).bearer_auth(&key.text).expect(200).await;
    rig.delete(&key.path()).bearer_auth(&session).expect(204).await;
    rig.post(MCP, &call).bearer_auth(&key.text).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn a_revoked_key_cannot_be_rotated_back_to_life() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.delete(&key.path()).bearer_auth(&session).expect(204).await;
    rig.post(&format!("{}/rotate", key.path()), &json!({})).bearer_auth(&session).refused(409, "token_revoked").await;
}

#[tokio::test]
async fn the_list_shows_prefix_name_scopes_and_expires_at() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "ci", "scopes": ["parts:read"], "expires_at": START + DAY, "environment": "test" });
    let key = mint_as(&rig, &session, body).await;
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    let row = &listed["keys"][0];
    assert_eq!(row["prefix"], key.prefix.as_str());
    assert_eq!(row["name"], "ci");
    assert_eq!(row["scopes"], json!(["parts:read"]));
    assert_eq!(row["expires_at"], START + DAY);
    assert_eq!(row["environment"], "test", "which is billed differently");
}

#[tokio::test]
async fn the_list_shows_active_keys_alone() {
    let (rig, session) = acme().await;
    let ending = json!({ "name": "ends", "scopes": ["parts:read"], "expires_at": START + DAY });
    mint_as(&rig, &session, ending).await;
    let revoked = mint(&rig, &session, &["parts:read"]).await;
    let kept = mint(&rig, &session, &["parts:read"]).await;
    rig.delete(&revoked.path()).bearer_auth(&session).expect(204).await;
    rig.at(DAY);
    let session = sign_in(&rig, claims(&rig));
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    let ids: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [kept.id.as_str()]);
}

#[tokio::test]
async fn the_list_never_holds_the_plaintext() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await;
    assert!(!listed.text.contains(key.secret()) && !listed.text.contains("argon2"), "{}", listed.text);
    assert!(listed.json()["keys"][0].as_object().unwrap().keys().all(|member| member != "key" && member != "digest"));
}

#[tokio::test]
async fn the_list_is_not_reachable_with_a_key() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &SCOPES).await;
    for path in [KEYS.to_owned(), key.path()] {
        rig.get(&path).key(&key).refused(403, "insufficient_scope").await;
        rig.get(&path).bearer_auth(&key.text).refused(403, "insufficient_scope").await;
        rig.get(&path).key(&key).bearer_auth(&session).refused(403, "insufficient_scope").await;
    }
    rig.delete(&key.path()).key(&key).refused(403, "insufficient_scope").await;
    rig.get(PARTS).key(&key).expect(200).await;
}

#[tokio::test]
async fn key_management_is_for_owners_and_admins() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let member = as_role(&rig, Role::Member);
    rig.get(KEYS).bearer_auth(&member).refused(403, "forbidden").await;
    rig.get(&key.path()).bearer_auth(&member).refused(403, "forbidden").await;
    rig.delete(&key.path()).bearer_auth(&member).refused(403, "forbidden").await;
    let admin = as_role(&rig, Role::Admin);
    rig.get(&key.path()).bearer_auth(&admin).expect(200).await;
    rig.delete(&key.path()).bearer_auth(&admin).expect(204).await;
}

#[tokio::test]
async fn no_tenant_sees_the_keys_of_another() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let stranger = sign_in(&rig, Claims { tenant: "globex".into(), ..claims(&rig) });
    assert_eq!(rig.get(KEYS).bearer_auth(&stranger).expect(200).await.json()["keys"], json!([]));
    rig.get(&key.path()).bearer_auth(&stranger).refused(404, "not_found").await;
    rig.delete(&key.path()).bearer_auth(&stranger).refused(404, "not_found").await;
    rig.get(PARTS).key(&key).expect(200).await;
}
