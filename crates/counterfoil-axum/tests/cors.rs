//! Requests of a browser's script to another origin → status and headers, with the CORS layer outside and inside the door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, header::AUTHORIZATION},
    routing::get,
};
use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
use counterfoil_axum::Proof;
use counterfoil_tower::{Gate, TokenLayer, Transport};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_http::cors::CorsLayer;

const ORIGIN: &str = "https://app.example.com";

fn cors() -> CorsLayer {
    let origin = ORIGIN.parse::<axum::http::HeaderValue>().unwrap();
    CorsLayer::new().allow_origin(origin).allow_methods([Method::GET]).allow_headers([AUTHORIZATION])
}

fn routes() -> Router {
    Router::new().route("/owner", get(async |proof: Proof| proof.record().owner().subject().to_string()))
}

async fn send(app: &Router, method: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri("/owner").header("origin", ORIGIN);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

const PREFLIGHT: [(&str, &str); 2] =
    [("access-control-request-method", "GET"), ("access-control-request-headers", "authorization")];

#[tokio::test]
async fn preflight_passes_where_the_cors_layer_is_outside_or_the_gate_lets_it() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
    let bearer = format!("Bearer {}", registry.issue(grant).await.unwrap().token.expose());
    let gate = Gate::new(registry, Transport::bearer());
    let outside = routes().layer(TokenLayer::new(gate.clone())).layer(cors());
    let inside = routes().layer(cors()).layer(TokenLayer::new(gate.clone()));
    let let_through = routes().layer(cors()).layer(TokenLayer::new(gate.pass_preflights()));

    for (name, app, status) in
        [("outside", &outside, 200), ("inside", &inside, 401), ("let through", &let_through, 200)]
    {
        let preflight = send(app, "OPTIONS", &PREFLIGHT).await;
        assert_eq!(preflight.status(), status, "{name}");
        let is_allowed = header(&preflight, "access-control-allow-origin") == Some(ORIGIN);
        assert_eq!(is_allowed, status == 200, "{name}: {preflight:?}");
        if status == 401 {
            let body = preflight.into_body().collect().await.unwrap().to_bytes();
            let body = std::str::from_utf8(&body).unwrap();
            assert!(body.contains("put the CORS layer in front of the token layer"), "{body}");
        }
        // The door checks anything that is no preflight or has a credential.
        for headers in [&[][..], &PREFLIGHT[1..], &[PREFLIGHT[0], ("authorization", "Bearer acme_1")]] {
            let status = send(app, "OPTIONS", headers).await.status().as_u16();
            // A CORS layer in front answers every OPTIONS itself.
            assert_eq!(status, if name == "outside" { 200 } else { 401 }, "{name} {headers:?}");
        }
        let no_origin = Request::builder().method("OPTIONS").uri("/owner").header(PREFLIGHT[0].0, PREFLIGHT[0].1);
        let no_origin = app.clone().oneshot(no_origin.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(no_origin.status(), if name == "outside" { 200 } else { 401 }, "{name}");
        assert_eq!(send(app, "GET", &PREFLIGHT).await.status(), 401, "{name}: no preflight");
        assert_eq!(send(app, "GET", &[("authorization", &bearer)]).await.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn refusal_exposes_its_challenge_to_the_script() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
    let app = routes().layer(TokenLayer::new(Gate::new(registry, Transport::bearer()))).layer(cors());
    for headers in [&[][..], &[("authorization", "Bearer acme_1")], &[("authorization", "Bearer")]] {
        let refused = send(&app, "GET", headers).await;
        assert_eq!(header(&refused, "access-control-allow-origin"), Some(ORIGIN), "{refused:?}");
        assert!(header(&refused, "access-control-expose-headers").unwrap().contains("www-authenticate"), "{refused:?}");
        assert!(header(&refused, "www-authenticate").is_some(), "{refused:?}");
    }
}
