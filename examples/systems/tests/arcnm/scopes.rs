//! The catalog, and how far a leaked key reaches.

use super::*;
use systems::host::Service as _;

/// Every route that a key can open, and the one scope that opens it.
const ROUTES: [(&str, &str, &str); 17] = [
    ("GET", "/api/v1/parts", "parts:read"),
    ("GET", "/api/v1/parts/7", "parts:read"),
    ("GET", "/api/v1/parts/7/revisions", "parts:read"),
    ("GET", "/api/v1/calculations", "parts:read"),
    ("GET", "/api/v1/calculations/7", "parts:read"),
    ("POST", "/api/v1/parts", "parts:write"),
    ("PATCH", "/api/v1/parts/7", "parts:write"),
    ("DELETE", "/api/v1/parts/7", "parts:write"),
    ("POST", "/api/v1/calculations", "parts:write"),
    ("GET", "/api/v1/uploads", "uploads:read"),
    ("POST", "/api/v1/uploads", "uploads:write"),
    ("GET", "/api/v1/webhooks", "webhooks:read"),
    ("POST", "/api/v1/webhooks", "webhooks:write"),
    ("DELETE", "/api/v1/webhooks/7", "webhooks:write"),
    ("GET", "/api/v1/wallet", "wallet:read"),
    ("GET", "/api/v1/wallet/usage", "wallet:read"),
    ("GET", "/api/v1/audit/export", "audit:read"),
];

#[tokio::test]
async fn a_leaked_key_reaches_what_its_scope_opens_and_nothing_else() {
    let (rig, session) = acme().await;
    for scope in SCOPES {
        let key = mint(&rig, &session, &[scope]).await;
        for (method, path, opens) in ROUTES {
            let request = rig.ask(method.parse().unwrap(), path).json(&json!({ "url": "http://127.0.0.1:1/" }));
            let reply = request.key(&key).reply().await;
            // A thing that is not there is past the scope.
            let is_open = matches!(reply.status, 200..=204) || reply.status == 404;
            assert_eq!(is_open, scope == opens, "{scope}: {method} {path}: {} {}", reply.status, reply.text);
            if !is_open {
                assert_eq!((reply.status, reply.json()["code"].as_str()), (403, Some("insufficient_scope")));
                assert_eq!(reply.json()["scope"], opens);
            }
        }
    }
}

#[tokio::test]
async fn the_catalog_is_that_of_the_page() {
    let (rig, session) = acme().await;
    let mut all = SCOPES.to_vec();
    all.extend(["parts:calculations:read", "parts:calculations:write"]);
    let made = rig.post(KEYS, &json!({ "name": "n", "scopes": all })).bearer_auth(&session).expect(201).await.json();
    assert_eq!(made["dropped_scopes"], json!([]));
    assert_eq!(made["scopes"].as_array().unwrap().len(), all.len());
    let (catalog, _) = rig.service.registry().issue_policy().scopes.clone().unwrap();
    let listed: Vec<_> = catalog.scopes().map(|(scope, _)| scope.to_string()).collect();
    all.sort_unstable();
    assert_eq!(listed, all, "and no other");
}

#[tokio::test]
async fn a_leaked_parts_read_key_cannot_trigger_a_billable_calculation() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let reply = rig.post(CALCULATIONS, &json!({})).key(&key).refused(403, "insufficient_scope").await;
    assert_eq!(reply.json()["scope"], "parts:write");
    assert!(!reply.text.contains("cost"));
}

#[tokio::test]
async fn a_leaked_wallet_read_key_cannot_move_money() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["wallet:read"]).await;
    rig.get("/api/v1/wallet").key(&key).expect(200).await;
    for path in ["/api/v1/wallet", "/api/v1/wallet/usage", "/api/v1/billing", "/api/v1/billing/plan"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let request = rig.ask(method.parse().unwrap(), path).json(&json!({ "cents": 100 }));
            let status = request.key(&key).reply().await.status;
            assert!(matches!(status, 403 | 405), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn calculations_authorize_on_parts_read_and_parts_write() {
    let (rig, session) = acme().await;
    let (reader, writer) = (mint(&rig, &session, &["parts:read"]).await, mint(&rig, &session, &["parts:write"]).await);
    rig.get(CALCULATIONS).key(&reader).expect(200).await;
    rig.get(&format!("{CALCULATIONS}/7")).key(&reader).expect(200).await;
    rig.post(CALCULATIONS, &json!({})).key(&writer).expect(201).await;
    // Neither is the other.
    rig.get(CALCULATIONS).key(&writer).refused(403, "insufficient_scope").await;
}

#[tokio::test]
async fn the_finer_scopes_of_calculations_can_be_minted_and_open_nothing() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:calculations:read", "parts:calculations:write"]).await;
    for (method, path, _) in ROUTES {
        let request = rig.ask(method.parse().unwrap(), path).json(&json!({}));
        request.key(&key).refused(403, "insufficient_scope").await;
    }
}

#[tokio::test]
async fn admin_scopes_do_not_exist() {
    let (rig, session) = acme().await;
    let wanted = [
        "admin:all",
        "billing:write",
        "members:invite",
        "vault:read",
        "sso:write",
        "scim:write",
        "settings:write",
        "oauth:write",
        "api-keys:write",
        "wallet:write",
        "*",
        "parts:*",
    ];
    for scope in wanted {
        let body = json!({ "name": "n", "scopes": [scope] });
        rig.post(KEYS, &body).bearer_auth(&session).refused(400, "bad_request").await;
    }
}

#[tokio::test]
async fn no_row_of_the_store_can_grant_an_admin_scope() {
    let (rig, _) = acme().await;
    let (catalog, _) = rig.service.registry().issue_policy().scopes.clone().unwrap();
    for plane in ["admin", "billing", "members", "vault", "sso", "scim", "settings", "oauth", "api-keys"] {
        assert!(catalog.forbids(&format!("{plane}:write").parse().unwrap()), "{plane}");
    }
    assert!(!catalog.forbids(&"parts:write".parse().unwrap()));
}

#[tokio::test]
async fn audit_read_exports_what_happened_to_the_keys_of_the_tenant() {
    let (rig, session) = acme().await;
    let (key, siem) = (mint(&rig, &session, &["parts:read"]).await, mint(&rig, &session, &["audit:read"]).await);
    rig.get(PARTS).key(&key).expect(200).await;
    rig.delete(&key.path()).bearer_auth(&session).expect(204).await;
    rig.get(PARTS).key(&key).expect(401).await;
    // Of another tenant, which must not show.
    rig.service.organisations.add("globex", "globex-hq");
    let stranger = sign_in(&rig, Claims { tenant: "globex".into(), sub: "eve".into(), ..claims(&rig) });
    mint(&rig, &stranger, &["parts:read"]).await;
    let exported = rig.get("/api/v1/audit/export").key(&siem).expect(200).await;
    let events = exported.json()["events"].as_array().unwrap().clone();
    let of_key: Vec<_> = events.iter().filter(|row| row["key"] == key.id.as_str()).collect();
    let told: Vec<_> = of_key.iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(told, ["issued", "used", "revoked", "denied"]);
    assert_eq!((of_key[0]["by"].as_str(), of_key[3]["reason"].as_str()), (Some("ann"), Some("revoked")));
    assert_eq!(of_key[1]["address"], "127.0.0.1");
    assert!(events.iter().all(|row| row["by"] != "eve"));
    for secret in [key.secret(), siem.secret(), "argon2"] {
        assert!(!exported.text.contains(secret), "{}", exported.text);
    }
}
