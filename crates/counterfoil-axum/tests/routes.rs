//! Requests to an app behind a door → status and body.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
use counterfoil_axum::{Named, Proof, RequireScope, Scoped, self_service};
use counterfoil_tower::{Gate, Renderer, TokenLayer, Transport};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct PartsWrite;

impl Named for PartsWrite {
    const SCOPE: &'static str = "parts:write";
}

struct NoScope;

impl Named for NoScope {
    const SCOPE: &'static str = "no scope";
}

fn registry() -> Registry {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, MemoryStore::new()).build().unwrap()
}

async fn bearer(registry: &Registry, scopes: &str) -> String {
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90)).scopes(scopes.parse().unwrap());
    format!("Bearer {}", registry.issue(grant).await.unwrap().token.expose())
}

fn routes() -> Router {
    Router::new()
        .route("/owner", get(async |proof: Proof| proof.record().owner().subject().to_string()))
        .route("/maybe", get(async |proof: Option<Proof>| if proof.is_some() { "somebody" } else { "nobody" }))
        .route("/read", get(async || "read").layer(RequireScope::new("parts:read".parse().unwrap())))
        .route("/write", get(async |proof: Scoped<PartsWrite>| proof.into_inner().record().public().to_owned()))
        .route("/mistake", get(async |_: Scoped<NoScope>| "never"))
        .nest("/token", self_service())
}

async fn send(app: &Router, method: &str, path: &str, bearer: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(bearer) = bearer {
        request = request.header("authorization", bearer);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_gets_the_proof_and_asks_for_scopes() {
    let registry = registry();
    let app = routes().layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer())));
    let [reads, writes] = [bearer(&registry, "parts:read").await, bearer(&registry, "parts:*").await];
    for (path, bearer, status) in [
        ("/owner", &reads, 200),
        ("/maybe", &reads, 200),
        ("/read", &reads, 200),
        ("/write", &reads, 403),
        ("/read", &writes, 200),
        ("/write", &writes, 200),
        ("/mistake", &writes, 500),
        ("/owner", &String::from("Bearer acme_1"), 401),
        ("/maybe", &String::from("Bearer acme_1"), 401),
    ] {
        let (found, body) = send(&app, "GET", path, Some(bearer)).await;
        assert_eq!(found.as_u16(), status, "{path}: {body}");
    }
    let (_, refused) = send(&app, "GET", "/write", Some(&reads)).await;
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((&refused["code"], &refused["scope"]), (&json!("insufficient_scope"), &json!("parts:write")));
}

#[tokio::test]
async fn behind_an_optional_door_nobody_is_somebody_only_where_asked_for() {
    let registry = registry();
    let gate = Gate::new(registry.clone(), Transport::bearer()).optional().renderer(Renderer::short());
    let app = routes().layer(TokenLayer::new(gate));
    for (path, expected) in [
        ("/maybe", (200, "nobody")),
        ("/owner", (401, r#"{"error":"a token is required"}"#)),
        ("/read", (401, r#"{"error":"a token is required"}"#)),
        ("/token", (401, r#"{"error":"a token is required"}"#)),
    ] {
        let (status, body) = send(&app, "GET", path, None).await;
        assert_eq!((status.as_u16(), &*body), expected, "{path}");
    }
}

#[tokio::test]
async fn a_route_without_a_door_is_the_hosts_mistake() {
    for path in ["/owner", "/maybe", "/read", "/write", "/token"] {
        let (status, body) = send(&routes(), "GET", path, Some("Bearer acme_1")).await;
        assert_eq!((status.as_u16(), &*body), (500, ""), "{path}");
    }
}

#[tokio::test]
async fn a_token_sees_and_revokes_itself() {
    let registry = registry();
    let app = routes().layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer())));
    let bearer = bearer(&registry, "parts:read").await;
    let text = bearer.strip_prefix("Bearer ").unwrap();

    let (status, body) = send(&app, "GET", "/token", Some(&bearer)).await;
    assert_eq!(status, 200);
    assert!(!body.contains(text), "the plaintext is not told again");
    let seen: Value = serde_json::from_str(&body).unwrap();
    let record = registry.verify(text).await.unwrap().into_record();
    let expected = json!({
        "id": record.id().to_string(), "public": record.public(), "name": null, "scopes": ["parts:read"],
        "environment": null, "status": "active", "created_at": record.created_at().unix_millis(),
        "expires_at": record.expiry().at().unwrap().unix_millis(), "last_used_at": null,
    });
    assert_eq!(seen, expected);

    assert_eq!(send(&app, "DELETE", "/token", Some(&bearer)).await.0, 204);
    assert_eq!(send(&app, "DELETE", "/token", Some(&bearer)).await.0, 401);
    assert_eq!(send(&app, "GET", "/token", Some(&bearer)).await.0, 401);
    assert_eq!(send(&app, "POST", "/token", Some(&bearer)).await.0, 401);
}
