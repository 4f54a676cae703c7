//! Requests to an app behind a door → status and body.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Extension, Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use counterfoil::{
    Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, Verified,
    caller::RequestRoute,
    event::{Event, EventKind, EventSink},
};
use counterfoil_axum::{Named, Proof, RequireScope, Scoped, self_service};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{Attempt, AttemptLimiter, Gate, Later, Limiter, Renderer, TokenLayer, Transport};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::SqlitePool;
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
async fn route_without_a_token_layer_is_500_with_a_body_that_names_it() {
    let with_a_proof = || {
        let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
        routes().layer(Extension(counterfoil_testkit::verified(grant)))
    };
    for app in [routes(), with_a_proof()] {
        for path in ["/owner", "/maybe", "/read", "/write", "/token"] {
            let (status, body) = send(&app, "GET", path, Some("Bearer acme_1")).await;
            assert_eq!(status, 500, "{path}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&body["status"], &body["code"]), (&json!(500), &json!("no_token_layer")), "{path}");
            assert!(body["detail"].as_str().unwrap().contains("no TokenLayer is in front of the route"), "{body}");
        }
    }
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn route_without_a_token_layer_is_logged() {
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    send(&routes(), "GET", "/owner", Some("Bearer acme_1")).await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("ERROR") && log.contains("no TokenLayer is in front of the route"), "{log}");
    assert!(!log.contains("acme_1"), "{log}");
}

#[tokio::test]
async fn handlers_are_tested_as_a_token_in_one_line() {
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90)).scopes("parts:read".parse().unwrap());
    let app = routes().layer(counterfoil_testkit::acting_as(grant));
    for (path, status, expected) in [
        ("/owner", 200, "user-42"),
        ("/maybe", 200, "somebody"),
        ("/read", 200, "read"),
        ("/write", 403, "parts:write"),
    ] {
        let (found, body) = send(&app, "GET", path, None).await;
        assert_eq!(found.as_u16(), status, "{path}: {body}");
        assert!(body.contains(expected), "{path}: {body}");
    }
    assert_eq!(send(&app, "GET", "/token", None).await.0, 200);
    assert_eq!(send(&app, "DELETE", "/token", None).await.0, 204);
    assert_eq!(send(&app, "GET", "/owner", None).await.0, 401);
}

#[derive(Debug, Clone, Default)]
struct Events(std::sync::Arc<std::sync::Mutex<Vec<Event>>>);

impl EventSink for Events {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct Spent;

impl Limiter for Spent {
    async fn admit(&self, _: &Verified) -> Result<(), Later> {
        Err(Later::new("budget_spent", "the budget is spent", std::time::Duration::from_secs(1)))
    }
}

struct Closed;

impl AttemptLimiter for Closed {
    fn may_try(&self, _: &Attempt) -> Result<(), Later> {
        Err(Later::new("too_many_attempts", "too many bad tokens", std::time::Duration::from_secs(1)))
    }
    fn failed(&self, _: &Attempt) {}
}

#[tokio::test]
async fn refusal_after_the_verdict_is_an_event_with_its_route_and_required_scope() {
    let events = Events::default();
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let builder = Registry::builder(format, keyring, MemoryStore::new()).sink(events.clone());
    let registry = builder.denials_per_second(3).build().unwrap();
    let bearer = bearer(&registry, "parts:read").await;
    let gate = Gate::new(registry, Transport::bearer());
    let demanding = gate.clone().require("parts:admin".parse().unwrap());
    for (gate, path, status, expected) in [
        (gate.clone(), "/item/7?secret=1", 403, "used; scope_missing parts:write GET /item/{id}"),
        (gate.clone(), "/layered/7", 403, "used; scope_missing parts:write GET /layered/{id}"),
        (demanding, "/item/7", 403, "used; scope_missing parts:admin GET /item/{id}"),
        (gate.clone().limiter(Spent), "/item/7", 429, "used; limited budget_spent GET /item/{id}"),
        (gate.clone().attempt_limiter(Closed), "/item/7", 429, "attempt_limited too_many_attempts GET /item/{id}"),
    ] {
        let app = Router::new()
            .route("/item/{id}", get(async |_: Scoped<PartsWrite>| "item"))
            .route("/layered/{id}", get(async || "item").layer(RequireScope::new("parts:write".parse().unwrap())))
            .layer(TokenLayer::new(gate));
        events.0.lock().unwrap().clear();
        assert_eq!(send(&app, "GET", path, Some(&bearer)).await.0.as_u16(), status, "{path}");
        let told: Vec<_> = events.0.lock().unwrap().iter().map(shown).collect();
        assert_eq!(told.join("; "), expected);
    }
    // Anyone can make failed attempts, so they are bounded.
    let app = routes().layer(TokenLayer::new(gate.attempt_limiter(Closed)));
    events.0.lock().unwrap().clear();
    for _ in 0..50 {
        assert_eq!(send(&app, "GET", "/owner", Some(&bearer)).await.0, 429);
    }
    let told = events.0.lock().unwrap();
    let one_by_one = told.iter().filter(|event| event.kind.as_str() == "attempt_limited").count();
    assert!((1..50).contains(&one_by_one), "{one_by_one} events");
    assert!(told.iter().all(|event| event.token.is_none()), "nothing was looked up");
}

fn shown(event: &Event) -> String {
    let route = |route: &Option<RequestRoute>| route.as_ref().unwrap().as_str().to_owned();
    let name = event.kind.as_str();
    match &event.kind {
        EventKind::ScopeMissing { scope, route: at, .. } => {
            assert!(event.token.is_some() && event.owner.is_some());
            format!("{name} {} {}", scope.as_str(), route(at))
        }
        EventKind::Limited { code, route: at, .. } | EventKind::AttemptLimited { code, route: at, .. } => {
            format!("{name} {code} {}", route(at))
        }
        _ => name.to_owned(),
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

/// What is done to the file of an open store, and the status that a good token and an unknown one get afterwards.
const STORE_FAULTS: [(&str, &str, [u16; 2]); 4] = [
    ("nothing", "", [200, 401]),
    ("another id", "UPDATE counterfoil_schema SET store_id = '11111111-2222-3333-4444-555555555555'", [200, 503]),
    ("no id", "DELETE FROM counterfoil_schema", [200, 503]),
    ("no selectors", "PRAGMA foreign_keys = OFF; DROP TABLE counterfoil_selector", [503, 503]),
];

#[tokio::test]
async fn unknown_token_is_503_while_the_store_is_not_the_right_one() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let unknown = bearer(&registry(), "parts:read").await;
    for (case, damage, expected) in STORE_FAULTS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens.sqlite");
        let store = SqliteStore::open_or_create(&file).await.unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let registry = Registry::builder(format, keyring.clone(), store).build().unwrap();
        let app = routes().layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer())));
        let good = bearer(&registry, "parts:read").await;
        assert_eq!(send(&app, "GET", "/owner", Some(&good)).await.0, 200, "{case}");

        let by_hand = SqlitePool::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::raw_sql(damage).execute(&by_hand).await.unwrap();
        by_hand.close().await;
        for (bearer, status) in [&good, &unknown].into_iter().zip(expected) {
            let (found, body) = send(&app, "GET", "/owner", Some(bearer)).await;
            assert_eq!(found, status, "{case}: {body}");
        }
    }
}

#[tokio::test]
async fn every_token_is_503_once_the_file_of_the_store_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.sqlite");
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let store = SqliteStore::open_or_create(&file).await.unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring, store).build().unwrap();
    let app = routes().layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer())));
    let unknown = bearer(&self::registry(), "parts:read").await;
    assert_eq!(send(&app, "GET", "/owner", Some(&unknown)).await.0, 401);
    std::fs::remove_file(file).unwrap();
    assert_eq!(send(&app, "GET", "/owner", Some(&unknown)).await.0, 503);
}
