//! Several doors in one service: beside each other, and one behind another.

use axum::{Router, body::Body, routing::get};
use counterfoil::Verified;
use counterfoil_tower::{Admission, Gate, NotAdmitted, SecondVerifier, TokenLayer, Transport};
use http::{HeaderName, Request, request::Parts};
use tower_service::Service;

use crate::support::{issue, registry, runtime};

struct Sessions;

impl SecondVerifier for Sessions {
    async fn admit(&self, _: &str, _: &Parts) -> Result<Admission, NotAdmitted> {
        Ok(Admission::with(()))
    }
}

#[test]
fn no_proof_of_an_outer_door_passes_for_one_of_an_inner() {
    let (outer, inner) = (registry(), registry());
    let (of_outer, of_inner) = (issue(&outer), issue(&inner));
    let (of_outer, of_inner) = (of_outer.expose(), of_inner.expose());
    let key = HeaderName::from_static("x-api-key");
    let door = Gate::new(inner.clone(), Transport::header(key)).optional();
    // At the outer door always its own good token; at the inner one this key → whether there is a proof behind both.
    for (door, key, status, has_proof) in [
        (door.clone(), None, 200, "false"),
        (door.clone(), Some(of_inner), 200, "true"),
        (door.clone(), Some(of_outer), 401, ""),
        (door.or_else(Sessions), Some("session"), 200, "false"),
    ] {
        let has_proof_behind =
            async |request: Request<Body>| request.extensions().get::<Verified>().is_some().to_string();
        let mut app = Router::new()
            .route("/", get(has_proof_behind))
            .layer(TokenLayer::new(door))
            .layer(TokenLayer::new(Gate::new(outer.clone(), Transport::bearer())));
        let request = Request::get("/").header("authorization", format!("Bearer {of_outer}"));
        let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
        let reply = runtime().block_on(async {
            let reply = app.call(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = reply.status().as_u16();
            (status, axum::body::to_bytes(reply.into_body(), 1024).await.unwrap())
        });
        assert_eq!(reply.0, status, "{key:?}");
        assert!(status != 200 || reply.1 == has_proof, "{key:?}: {reply:?}");
    }
}

#[test]
fn each_door_reads_its_own_header_alone() {
    let registry = registry();
    let good = issue(&registry);
    let good = good.expose();
    let describe = async |request: Request<Body>| request.extensions().get::<Verified>().is_some().to_string();
    let door = |transport| TokenLayer::new(Gate::new(registry.clone(), transport));
    let key = HeaderName::from_static("x-api-key");
    let app = Router::new()
        .route("/rest", get(describe).layer(door(Transport::header(key.clone()))))
        .route("/mcp", get(describe).layer(door(Transport::bearer())))
        .route("/either", get(describe).layer(door(Transport::either(key))));
    let bearer = format!("Bearer {good}");
    for (path, bearer, key, status) in [
        ("/rest", None, Some(good), 200),
        ("/rest", Some(&*bearer), None, 401), // the same token, and no credential at this door
        ("/rest", Some("Bearer other"), Some(good), 200),
        ("/mcp", Some(&*bearer), None, 200),
        ("/mcp", None, Some(good), 401),
        ("/mcp", Some(&*bearer), Some("other"), 200),
        ("/either", Some(&*bearer), None, 200),
        ("/either", None, Some(good), 200),
        ("/either", Some(&*bearer), Some(good), 400), // also if equal
    ] {
        let mut request = Request::builder().uri(path);
        for (name, value) in [("authorization", bearer), ("x-api-key", key)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        let reply = runtime().block_on(app.clone().call(request.body(Body::empty()).unwrap())).unwrap();
        assert_eq!(reply.status().as_u16(), status, "{path} {bearer:?} {key:?}");
    }
}
