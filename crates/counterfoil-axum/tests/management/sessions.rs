//! Who comes in: sessions, and what they may see.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use counterfoil::{Actor, FixedClock, MemoryStore, Owner, Record};
use counterfoil_axum::management::{Declined, Management, Operation, PathParams, Session};
use serde_json::json;

use crate::{
    ask::{Ask, each_operation, get, send},
    support::{Rig, at, builder},
};

#[tokio::test]
async fn without_a_session_nothing_is_answered() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        let before = rig.now(&id).await;
        for ask in each_operation(&id) {
            // Whatever else is wrong with it.
            for ask in [ask.clone(), ask.clone().text("{").if_match("x").key(""), Ask { body: vec![0; 100_000], ..ask }]
            {
                let (method, path) = (ask.method, ask.path.clone());
                let reply = rig.send(ask.nobody()).await;
                assert_eq!(reply.verdict(), (401, "unauthorized"), "{method} {path}");
            }
        }
        assert_eq!((rig.count().await, rig.now(&id).await), (1, before));
    }
}

#[tokio::test]
async fn a_foreign_token_is_no_token() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        let before = rig.now(&id).await;
        let unknown = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa".to_owned();
        let long = "1".repeat(5000);
        let mut bodies = Vec::new();
        for (owner, id) in [
            ("bob", &id),
            ("ann", &unknown),
            ("ann", &id.to_uppercase()),
            ("ann", &id.replace('-', "")),
            ("ann", &format!("{{{id}}}").replace('{', "%7B").replace('}', "%7D")),
            ("ann", &format!("urn:uuid:{id}")),
            ("ann", &format!("{id}%20")),
            ("ann", &format!("{id}%00")),
            ("ann", &"1".to_owned()),
            ("ann", &"acme_1".to_owned()),
            ("ann", &"..".to_owned()),
            ("ann", &"%2E%2E%2F".to_owned()),
            ("ann", &long),
        ] {
            for ask in each_operation(id).into_iter().skip(2) {
                let (method, path) = (ask.method, ask.path.clone());
                for ask in [ask.clone(), ask.clone().if_match("\"7\""), ask.text("{")] {
                    let reply = rig.send(ask.by(owner)).await;
                    assert_eq!(reply.verdict(), (404, "not_found"), "{method} {path}");
                    bodies.push(reply.text);
                }
            }
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(rig.now(&id).await, before);
        // Nor is it listed.
        let list = rig.send(get("/tokens").by("bob")).await;
        assert_eq!(list.body["tokens"], json!([]));
    }
}

#[tokio::test]
async fn a_session_that_declines_is_answered_in_its_words() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        let before = rig.now(&id).await;
        for ask in each_operation(&id) {
            let path = ask.path.clone();
            let refused = rig.send(ask.clone().header("x-mood", "refused")).await;
            assert_eq!((refused.status, refused.header("retry-after")), (403, None), "{path}");
            let body = json!({
                "type": "about:blank", "title": "Forbidden", "status": 403,
                "code": "closed", "detail": "the account is closed", "link": "https://example.com/closed",
            });
            assert_eq!(refused.body, body);
            let later = rig.send(ask.header("x-mood", "unavailable")).await;
            assert_eq!(later.verdict(), (503, "temporarily_unavailable"), "{path}");
            assert_eq!(later.header("retry-after"), Some("1"));
        }
        assert_eq!((rig.count().await, rig.now(&id).await), (1, before));
        // Of a token that is not there the session is not asked.
        let unknown = get("/tokens/0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa").header("x-mood", "refused");
        assert_eq!(rig.send(unknown).await.status, 404);
    }
}

/// A session that the host rejects with an answer of its own.
struct Own;

impl<S: Sync> FromRequestParts<S> for Own {
    type Rejection = (StatusCode, [(&'static str, &'static str); 1], &'static str);

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Err((StatusCode::SEE_OTHER, [("location", "/login")], "sign in"))
    }
}

impl Session for Own {
    fn actor(&self) -> Option<Actor> {
        None
    }
    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        unreachable!()
    }
    async fn may(&self, _: Operation, _: &Record, _: &PathParams) -> Result<(), Declined> {
        unreachable!()
    }
}

#[tokio::test]
async fn the_hosts_own_rejection_is_passed_on_as_it_is() {
    let registry = builder(MemoryStore::new(), &FixedClock::new(at(0))).build().unwrap();
    let app = Management::new(registry).router::<Own, ()>().unwrap();
    for ask in each_operation("0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa") {
        let reply = send(&app, ask).await;
        assert_eq!((reply.status, reply.header("location"), &*reply.text), (303, Some("/login"), "sign in"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}
