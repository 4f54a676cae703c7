//! The OpenAPI document against the routes.

use counterfoil::MemoryStore;
use counterfoil_axum::management::{ErrorBody, Management, Operation};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, each_operation, get, post, send},
    schema::Document,
    support::Rig,
};

const UNKNOWN: &str = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa";

/// Each way to set the paths, and the document and the API that come of it.
fn set_ups() -> Vec<(Rig, Document, Management)> {
    let set_ups: [fn(Management) -> Management; 4] = [
        |api| api,
        |api| {
            api.collection("/v1/accounts/{account_id}/issuers/{issuer_id}/users/{user_id}/tokens")
                .item("/v1/accounts/{account_id}/tokens/{token_id}")
        },
        |api| api.without(Operation::Unblock).without(Operation::Rotate).without(Operation::Create),
        |api| api.at(Operation::Revoke, "/tokens/{token_id}/end").at(Operation::Create, "/new-token"),
    ];
    let set_up = |set_up: fn(Management) -> Management| {
        let mut made = None;
        let rig = Rig::new(MemoryStore::new(), |builder| builder, |api| made.insert(set_up(api)).clone());
        let management = made.unwrap();
        (rig, Document::of(&management), management)
    };
    set_ups.into_iter().map(set_up).collect()
}

fn concrete(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { UNKNOWN } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_operation_of_the_document_is_served_and_every_route_is_in_it() {
    for (rig, document, management) in set_ups() {
        let mut told = Vec::new();
        for (template, item) in document.json()["paths"].as_object().unwrap() {
            let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                let reply = send(&rig.app, Ask::new(method, concrete(template)).nobody()).await;
                if let Some(known) = item.get(method.to_lowercase()) {
                    assert_eq!(reply.verdict(), (401, "unauthorized"), "{method} {template}");
                    told.push((known["operationId"].as_str().unwrap().to_owned(), template.clone()));
                } else {
                    assert_eq!(reply.status, 405, "{method} {template}");
                    let allowed: Vec<_> =
                        reply.header("allow").unwrap().split(',').filter(|method| *method != "HEAD").collect();
                    let mut known: Vec<_> = methods.iter().map(String::as_str).collect();
                    known.sort_by_key(|method| allowed.iter().position(|other| other == method));
                    assert_eq!(allowed, known, "{template}");
                }
            }
        }
        let mut routes: Vec<_> =
            management.routes().map(|(operation, path)| (operation.as_str().to_owned(), path)).collect();
        told.sort();
        routes.sort();
        assert_eq!(told, routes);
    }
}

#[tokio::test]
async fn the_parameters_of_an_operation_are_in_the_document() {
    for (_, document, _) in set_ups() {
        for (template, item) in document.json()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let of = |place: &str| {
                    let names = parameters.iter().filter(|parameter| parameter["in"] == place);
                    Value::from_iter(names.map(|parameter| parameter["name"].clone()))
                };
                let in_path = template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
                assert_eq!(of("path"), Value::from_iter(in_path), "{method} {template}");
                let (query, header) = match operation["operationId"].as_str().unwrap() {
                    "list_tokens" => {
                        (json!(["limit", "cursor", "status", "sort", "used_since", "unused_since"]), json!([]))
                    }
                    "create_token" => (json!([]), json!(["Idempotency-Key"])),
                    "get_token" => (json!([]), json!([])),
                    "rotate_token" => (json!([]), json!(["If-Match", "Idempotency-Key"])),
                    _ => (json!([]), json!(["If-Match"])),
                };
                assert_eq!((of("query"), of("header")), (query, header), "{method} {template}");
            }
        }
    }
}

#[tokio::test]
async fn the_document_is_served_to_anyone_where_the_host_says() {
    let mut made = None;
    let served = |api: Management| made.insert(api.document_at("/openapi.json").title("Parts")).clone();
    let rig = Rig::new(MemoryStore::new(), |builder| builder, served);
    let document = Document::of(&made.unwrap());
    for ask in [
        get("/openapi.json").nobody(),
        get("/openapi.json").header("authorization", "Bearer acme_1"),
        get("/openapi.json").header("sec-fetch-site", "cross-site"),
    ] {
        let reply = send(&rig.app, ask).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        assert_eq!((&reply.body, &reply.body["info"]["title"]), (document.json(), &json!("Parts")));
    }
    assert_eq!(document.json()["openapi"].as_str().unwrap().get(..4), Some("3.1."));
    assert_eq!(send(&Rig::plain().app, get("/openapi.json")).await.status, 404);
}

/// Every reply of a [`Rig`] is held against its document as it comes; here are the settings that change it.
#[tokio::test]
async fn replies_keep_to_the_document_whatever_the_host_sets() {
    type SetUp = fn(Management) -> Management;
    let set_ups: [(SetUp, Value, &str); 5] = [
        (|api| api, json!({}), "id"),
        (|api| api.kind("personal"), json!({ "type": "personal" }), "id"),
        (|api| api.restrictions_required(), json!({ "restrictions": {} }), "id"),
        (|api| api.errors(ErrorBody::short()), json!({}), "id"),
        (|api| api.name("token", "token_plain").name("id", "key").name("status", "state"), json!({}), "key"),
    ];
    for (set_up, with, id) in set_ups {
        for rig in Rig::each_with(|builder| builder, set_up).await {
            let mut body = with.clone();
            body["name"] = json!("CI");
            body["expires_in"] = json!(60);
            let made = rig.send(post("/tokens", body.clone()).key("7f3c")).await;
            assert_eq!((made.status, rig.send(post("/tokens", body).key("7f3c")).await.status), (201, 201));
            let id = made.body[id].as_str().unwrap().to_owned();
            for ask in each_operation(&id) {
                for ask in [
                    ask.clone().if_match("\"99\""),
                    ask.clone().nobody(),
                    ask.clone().by("bob"),
                    ask.clone().header("x-mood", "refused"),
                    ask.clone().header("x-mood", "unavailable"),
                    ask.clone().text(r#"{"more":1}"#),
                    ask,
                ] {
                    rig.send(ask).await;
                }
            }
            rig.send(get("/tokens")).await;
            rig.send(get("/tokens?limit=0")).await;
        }
    }
}

#[tokio::test]
async fn a_creation_has_the_members_that_the_host_demands() {
    type SetUp = fn(Management) -> Management;
    let set_ups: [(SetUp, Value, Value); 4] = [
        (|api| api, json!(["name"]), json!(null)),
        (|api| api.kind("personal"), json!(["name", "type"]), json!(["personal"])),
        (|api| api.restrictions_required(), json!(["name", "restrictions"]), json!(null)),
        (|api| api.name("name", "label").name("type", "kind").kind("x"), json!(["kind", "label"]), json!(null)),
    ];
    for (set_up, expected, kind) in set_ups {
        let mut made = None;
        Rig::new(MemoryStore::new(), |builder| builder, |api| made.insert(set_up(api)).clone());
        let document = Document::of(&made.unwrap());
        let create = &document.json()["components"]["schemas"]["CreateToken"];
        let mut required = create["required"].as_array().unwrap().clone();
        required.sort_by_key(ToString::to_string);
        assert_eq!((Value::from(required), &create["properties"]["type"]["enum"]), (expected, &kind));
        assert_eq!(create["properties"].get("type").is_some(), kind != json!(null));
    }
}

#[tokio::test]
async fn a_deletion_with_a_large_body_is_answered_as_the_document_says() {
    let rig = Rig::plain();
    let id = rig.id().await;
    let reply = rig.send(Ask::new("DELETE", format!("/tokens/{id}")).text(" ".repeat(70_000))).await;
    assert_eq!(reply.status, 204);
}

/// A session may say of a whole collection that it is not there, as of another account's in a path.
#[tokio::test]
async fn a_collection_that_a_session_cannot_see_is_answered_as_the_document_says() {
    let rig = Rig::plain();
    for ask in [get("/tokens"), post("/tokens", json!({ "name": "CI", "expires_in": 60 }))] {
        assert_eq!(rig.send(ask.header("x-mood", "not_found")).await.status, 404);
    }
}
