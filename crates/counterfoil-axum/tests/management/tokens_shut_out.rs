//! Requests that show a token → 403, whatever session they have beside it.

use axum::http::HeaderName;
use counterfoil::{Actor, MemoryStore, TokenId};
use counterfoil_tower::{Gate, TokenLayer, Transport};
use serde_json::json;

use crate::{
    ask::{Ask, each_operation, get, id_of, send},
    support::Rig,
};

fn rig() -> Rig {
    let own = HeaderName::from_static("x-acme-token");
    Rig::new(MemoryStore::new(), |builder| builder, |api| api.credential_header(own))
}

/// Values of headers that show a token of ours, one way or another.
fn showing(good: &str, revoked: &str) -> Vec<Vec<(&'static str, String)>> {
    let cut = &good[..good.len() - 1];
    vec![
        vec![("authorization", format!("Bearer {good}"))],
        vec![("authorization", format!("Bearer {revoked}"))],
        vec![("authorization", format!("Bearer {cut}"))],
        vec![("authorization", format!("Bearer {good}{good}"))],
        vec![("authorization", "Bearer acme_".into())],
        vec![("authorization", "Bearer acme_caf\u{e9}".into())],
        vec![("authorization", format!("bEARER {good}"))],
        vec![("authorization", format!("Bearer   {good}"))],
        vec![("authorization", format!("Bearer\t{good}"))],
        vec![("authorization", format!("Token {good}"))],
        vec![("authorization", format!("Token token=\"{good}\""))],
        vec![("authorization", format!("Bearer \"{good}\""))],
        vec![("authorization", format!("Bearer:{good}"))],
        vec![("authorization", format!("Bearer;{good}="))],
        vec![("authorization", good.into())],
        vec![("authorization", format!(" {good} "))],
        vec![("authorization", format!("Bearer eyJhbGciOiJub25lIn0.e30.,{good}"))],
        vec![("authorization", format!("Bearer eyJhbGciOiJub25lIn0.e30., Bearer {good}"))],
        vec![("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.".into()), ("authorization", format!("Bearer {good}"))],
        vec![("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.".into()), ("x-api-key", good.into())],
        vec![("x-api-key", good.into())],
        vec![("x-api-key", revoked.into())],
        vec![("x-api-key", format!("Bearer {good}"))],
        vec![("x-api-key", "other".into()), ("x-api-key", good.into())],
        vec![("x-acme-token", good.into())],
        vec![("x-acme-token", format!("other, {cut}"))],
    ]
}

#[tokio::test]
async fn a_token_of_ours_shuts_out_every_operation() {
    let rig = rig();
    let made = rig.create().await;
    let gone = rig.create().await;
    let id: TokenId = id_of(&gone).parse().unwrap();
    rig.registry.revoke(id, Actor::new("test").unwrap()).await.unwrap();
    let before = rig.now(&id_of(&made)).await;
    for headers in showing(made["token"].as_str().unwrap(), gone["token"].as_str().unwrap()) {
        for ask in each_operation(&id_of(&made)) {
            for ask in [ask.clone(), ask.nobody()] {
                let (method, path) = (ask.method, ask.path.clone());
                let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
                let reply = rig.send(ask).await;
                assert_eq!(reply.verdict(), (403, "token_not_allowed"), "{method} {path} {headers:?}");
            }
        }
    }
    assert_eq!((rig.count().await, rig.now(&id_of(&made)).await), (2, before));
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_for_the_session_to_judge() {
    let rig = rig();
    let made = rig.create().await;
    let good = made["token"].as_str().unwrap();
    for (name, value) in [
        ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned()),
        ("authorization", "Bearer acm_1".into()),
        ("authorization", "Bearer ACME_1".into()),
        ("authorization", "Bearer xacme_1".into()),
        ("authorization", "Bearer".into()),
        ("authorization", "Basic YWNtZV8xOg==".into()),
        ("authorization", "Bearer caf\u{e9}".into()),
        ("x-api-key", "1234".into()),
        ("x-acme-token", "1234".into()),
        // A header that no door reads.
        ("x-other", good.into()),
        ("referer", good.into()),
    ] {
        let reply = rig.send(get("/tokens").header(name, &value)).await;
        assert_eq!(reply.status, 200, "{name}: {value}");
        let reply = rig.send(get("/tokens").header(name, &value).nobody()).await;
        assert_eq!(reply.status, 401, "{name}: {value}");
    }
}

#[tokio::test]
async fn what_a_door_has_let_in_by_a_token_is_shut_out() {
    let rig = rig();
    let made = rig.create().await;
    // The header is none that the management API looks at, and is taken out on the way.
    let door = Transport::header(HeaderName::from_static("x-door"));
    let gate = Gate::new(rig.registry.clone(), door).optional().strip();
    let app = rig.app.clone().layer(TokenLayer::new(gate));
    for ask in each_operation(&id_of(&made)) {
        let path = ask.path.clone();
        let reply = send(&app, ask.clone().header("x-door", made["token"].as_str().unwrap())).await;
        assert_eq!(reply.verdict(), (403, "token_not_allowed"), "{path}");
    }
    // Without one the door is open.
    assert_eq!(send(&app, get("/tokens")).await.status, 200);
    assert_eq!(send(&app, Ask::new("POST", format!("/tokens/{}/revoke", id_of(&made)))).await.status, 200);
}

#[tokio::test]
async fn the_refusal_of_a_token_is_in_the_documents_form() {
    let rig = rig();
    let made = rig.create().await;
    let reply = rig.send(get("/tokens").header("x-api-key", made["token"].as_str().unwrap())).await;
    let body = json!({
        "type": "about:blank", "title": "Forbidden", "status": 403, "code": "token_not_allowed",
        "detail": "a token cannot manage tokens: sign in",
    });
    assert_eq!((reply.header("content-type"), &reply.body), (Some("application/problem+json"), &body));
}

/// As the door sees it: a text that begins as a token of ours does, and is none.
#[tokio::test]
async fn a_token_with_bytes_that_are_no_text_is_shut_out_too() {
    let rig = rig();
    let made = rig.create().await;
    let good = made["token"].as_str().unwrap().as_bytes();
    for value in [[b"Bearer ", good, b"\xff"].concat(), b"Bearer acme_caf\xe9".to_vec()] {
        let reply = rig.send(get("/tokens").header("authorization", value)).await;
        assert_eq!(reply.verdict(), (403, "token_not_allowed"));
    }
}
