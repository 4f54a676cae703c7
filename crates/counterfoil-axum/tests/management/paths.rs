//! The host's own paths, and what its session is told of them.

use axum::{Router, extract::FromRequestParts, http::request::Parts};
use counterfoil::{Actor, FixedClock, Grant, MemoryStore, Metadata, Owner, Record, policy::Refusal, store::Filter};
use counterfoil_axum::management::{ApiError, Declined, Management, Operation, PathParams, Session};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, each_operation, get, id_of, post, send},
    support::{Rig, at, builder},
};

const COLLECTION: &str = "/v1/accounts/{account_id}/issuers/{issuer_id}/users/{user_id}/tokens";
const ITEM: &str = "/v1/accounts/{account_id}/tokens/{token_id}";

/// An administrator of account 7, who makes tokens for its users.
struct Admin;

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

fn account(path: &PathParams) -> Result<&str, Declined> {
    path.get("account_id").filter(|account| *account == "7").ok_or(Declined::NotFound)
}

impl Session for Admin {
    fn actor(&self) -> Option<Actor> {
        None
    }

    async fn owner(&self, operation: Operation, path: &PathParams) -> Result<Owner, Declined> {
        let [issuer, user] = ["issuer_id", "user_id"].map(|name| path.get(name).unwrap_or("?"));
        if operation == Operation::Create && user == "root" {
            return Err(Refusal::new("root", "root has no tokens").into());
        }
        Owner::in_tenant(account(path)?, format!("{issuer}/{user}")).map_err(|_| Declined::NotFound)
    }

    async fn may(&self, _: Operation, token: &Record, path: &PathParams) -> Result<(), Declined> {
        if token.owner().tenant_or_empty() == account(path)? { Ok(()) } else { Err(Declined::NotFound) }
    }

    async fn grant(&self, grant: Grant) -> Result<Grant, Declined> {
        match grant.annotations.name.as_ref().map(ToString::to_string).as_deref() {
            Some("nobody's") => Err(Declined::Unavailable),
            Some("routed") => Ok(grant.metadata(Metadata::from_json(r#"{"shard":3}"#).unwrap())),
            _ => Ok(grant),
        }
    }

    async fn listed(&self, path: &PathParams) -> Result<Filter, Declined> {
        // Everybody's, if the path says so.
        match path.get("user_id") {
            Some("-") => Ok(Filter { tenant: Some(account(path)?.parse().unwrap()), ..Filter::all() }),
            _ => Ok(Filter::owner(self.owner(Operation::List, path).await?)),
        }
    }
}

fn app() -> Router {
    let store = MemoryStore::new();
    let registry = builder(store.clone(), &FixedClock::new(at(0))).build().unwrap();
    Management::new(registry).idempotency(store).collection(COLLECTION).item(ITEM).router::<Admin, ()>().unwrap()
}

async fn names(app: &Router, user: &str) -> Vec<Value> {
    let page = send(app, get(format!("/v1/accounts/7/issuers/1/users/{user}/tokens"))).await;
    let mut names: Vec<_> = page.body["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    names
}

#[tokio::test]
async fn the_parameters_of_a_path_say_whose_tokens_are_meant() {
    let app = app();
    let create =
        |path: &str, name: &str| post(format!("/v1/accounts/{path}/tokens"), json!({ "name": name, "expires_in": 60 }));
    let mut made = Vec::new();
    for (path, name, expected) in [
        ("7/issuers/1/users/ann", "a", (201, "")),
        ("7/issuers/1/users/bob", "b", (201, "")),
        ("7/issuers/1/users/ann%20lee", "c", (201, "")),
        ("7/issuers/1%2Fusers/users/x", "d", (201, "")),
        ("7/issuers/1/users/root", "e", (403, "root")),
        ("8/issuers/1/users/ann", "f", (404, "not_found")),
        ("7/issuers/1/users/%00", "g", (404, "not_found")),
    ] {
        let reply = send(&app, create(path, name)).await;
        assert_eq!(reply.verdict(), expected, "{path}");
        made.push(reply.body["id"].as_str().unwrap_or_default().to_owned());
    }
    for (user, expected) in
        [("ann", json!(["a"])), ("ann%20lee", json!(["c"])), ("carol", json!([])), ("-", json!(["a", "b", "c", "d"]))]
    {
        assert_eq!(Value::from(names(&app, user).await), expected, "{user}");
    }
    for (account, status) in [(7, 200), (8, 404)] {
        let path = format!("/v1/accounts/{account}/tokens/{}", made[0]);
        for ask in [get(&*path), Ask::new("POST", format!("{path}/rotate")), Ask::new("POST", format!("{path}/block"))]
        {
            assert_eq!(send(&app, ask).await.status, status, "{path}");
        }
    }
    // The same key for another owner of the path.
    let key = |user: &str| create(&format!("7/issuers/1/users/{user}"), "k").key("7f3c");
    let replies = [send(&app, key("ann")).await, send(&app, key("bob")).await, send(&app, key("ann")).await];
    assert_eq!(replies.map(|reply| reply.body["replayed"].clone()), [json!(false), json!(false), json!(true)]);
}

#[tokio::test]
async fn a_session_has_the_last_word_on_a_grant() {
    let app = app();
    for (name, status, metadata) in
        [("CI", 201, json!({ "mine": true })), ("routed", 201, json!({ "shard": 3 })), ("nobody's", 503, json!(null))]
    {
        let body = json!({ "name": name, "expires_in": 60, "metadata": { "mine": true } });
        for key in [None, Some("7f3c")] {
            let ask = post("/v1/accounts/7/issuers/1/users/ann/tokens", body.clone());
            let key = key.map(|key| format!("{key}-{status}-{}", name.len()));
            let reply = send(&app, key.iter().fold(ask, |ask, key| ask.key(key))).await;
            assert_eq!((reply.status, &reply.body["metadata"]), (status, &metadata), "{name}");
        }
    }
    assert_eq!(names(&app, "ann").await.len(), 4);
}

#[tokio::test]
async fn an_operation_that_is_left_out_has_no_route() {
    let left_out = |api: Management| {
        api.without(Operation::Unblock).without(Operation::Delete).without(Operation::List).without(Operation::Rotate)
    };
    for rig in Rig::each_with(|builder| builder, left_out).await {
        let id = rig.id().await;
        let ours = each_operation(&id);
        for (ask, status) in ours.into_iter().zip([405, 201, 200, 405, 200, 409, 404, 404, 409, 409]) {
            let (method, path) = (ask.method, ask.path.clone());
            assert_eq!(rig.send(ask).await.status, status, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_operation_stands_where_the_host_puts_it() {
    let placed = |api: Management| {
        api.at(Operation::Revoke, "/tokens/{token_id}/end")
            .at(Operation::Create, "/new-token")
            .at(Operation::SetExpiry, "/{token_id}")
    };
    for rig in Rig::each_with(|builder| builder, placed).await {
        let made = rig.send(post("/new-token", json!({ "name": "CI", "expires_in": 60 }))).await;
        assert_eq!(made.status, 201);
        let id = id_of(&made.body);
        for (method, path, status) in [
            ("POST", "/tokens".to_owned(), 405),
            ("PUT", format!("/tokens/{id}/expiry"), 404),
            ("PUT", format!("/{id}"), 200),
            ("POST", format!("/tokens/{id}/revoke"), 404),
            ("POST", format!("/tokens/{id}/end"), 200),
            ("POST", "/new-token/".into(), 404),
        ] {
            let ask = Ask::new(method, &*path).text(if method == "PUT" { r#"{"expires_in":60}"# } else { "{}" });
            assert_eq!(rig.send(ask).await.status, status, "{method} {path}");
        }
    }
}
