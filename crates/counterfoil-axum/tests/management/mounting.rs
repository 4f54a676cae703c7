//! What cannot be mounted, and what a host that mounts it keeps.

use axum::{Router, routing::get as route};
use counterfoil::{FixedClock, MemoryStore, Registry};
use counterfoil_axum::management::{InvalidManagement, Management, Operation};

use crate::{
    ask::{Ask, each_operation, get, send},
    support::{Rig, User, at, builder},
};

fn registry() -> Registry {
    builder(MemoryStore::new(), &FixedClock::new(at(0))).build().unwrap()
}

#[test]
fn what_is_set_up_wrong_is_told_before_anything_is_served() {
    let path = |operation, path: &str| InvalidManagement::Path { operation, path: path.into() };
    let twice = |path: &str| InvalidManagement::PathTwice { path: path.into() };
    let name = |name: &str| InvalidManagement::Name { name: name.into() };
    let name_twice = |name: &str| InvalidManagement::NameTwice { name: name.into() };
    type SetUp = fn(Management) -> Management;
    let cases: [(SetUp, InvalidManagement); 17] = [
        (|api| api.collection("tokens"), path(Operation::List, "tokens")),
        (|api| api.collection(""), path(Operation::List, "")),
        (|api| api.collection("/tokens/{token_id}"), path(Operation::List, "/tokens/{token_id}")),
        (|api| api.item("/tokens"), path(Operation::Get, "/tokens")),
        (|api| api.item("/tokens/{id}"), path(Operation::Get, "/tokens/{id}")),
        (|api| api.item("/tokens/:token_id"), path(Operation::Get, "/tokens/:token_id")),
        (|api| api.item("/tokens/x{token_id}"), path(Operation::Get, "/tokens/x{token_id}")),
        (|api| api.at(Operation::Revoke, "/end"), path(Operation::Revoke, "/end")),
        (|api| api.at(Operation::Create, "/{token_id}"), path(Operation::Create, "/{token_id}")),
        (|api| api.at(Operation::Block, "/tokens/{token_id}/revoke"), twice("/tokens/{token_id}/revoke")),
        (|api| api.at(Operation::NarrowScopes, "/tokens/{token_id}/expiry"), twice("/tokens/{token_id}/expiry")),
        (|api| api.name("tokn", "token_plain"), name("tokn")),
        (|api| api.name("", "x"), name("")),
        (|api| api.name("token", "id"), name_twice("id")),
        (|api| api.name("overlap", "by"), name_twice("by")),
        (|api| api.name("name", "label").name("public", "label"), name_twice("label")),
        (|api| api.name("expires_in", "expires_at"), name_twice("expires_at")),
    ];
    for (set_up, expected) in cases {
        let found = set_up(Management::new(registry())).router::<User, ()>().unwrap_err();
        assert_eq!(found, expected);
        assert!(!found.to_string().is_empty());
    }
    for origin in ["app.example.com", "https://app.example.com/x", "https://*.example.com", "null", "*", ""] {
        let found = Management::new(registry()).trusted_origin(origin).router::<User, ()>().unwrap_err();
        assert!(matches!(&found, InvalidManagement::Origin { why } if why.contains(origin)), "{origin}: {found:?}");
    }
    for url in ["acme", "//evil.example", "ftp://tools.example.com", "https://tools.example.com/acme?x", "/a/../b", ""]
    {
        let found = Management::new(registry()).public_url(url).router::<User, ()>().unwrap_err();
        assert!(
            matches!(&found, InvalidManagement::PublicUrl { .. } | InvalidManagement::Origin { .. }),
            "{url}: {found:?}"
        );
    }
}

#[test]
fn what_is_set_up_right_in_an_unusual_way_is_mounted() {
    type SetUp = fn(Management) -> Management;
    let cases: [SetUp; 6] = [
        |api| api.name("token", "id").name("id", "token"),
        |api| api.item("/{token_id}/tokens").collection("/"),
        |api| api.at(Operation::Block, "/tokens/{token_id}/revoke").without(Operation::Revoke),
        |api| {
            api.item("/nowhere")
                .without(Operation::Get)
                .without(Operation::Delete)
                .without(Operation::Revoke)
                .without(Operation::Block)
                .without(Operation::Unblock)
                .without(Operation::Rotate)
                .without(Operation::SetExpiry)
                .without(Operation::NarrowScopes)
        },
        |api| api.name("token", "token_plain").name("token", "plain"),
        |api| Operation::ALL.into_iter().fold(api, Management::without),
    ];
    for set_up in cases {
        let _: Router = set_up(Management::new(registry())).router::<User, ()>().unwrap();
    }
}

#[tokio::test]
async fn the_hosts_other_routes_are_left_alone() {
    let rig = Rig::plain();
    let made = rig.create().await;
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let parts = route(async || "a bolt").post(async || "made");
    let app = Router::new().route("/parts", parts).merge(rig.app.clone());
    for (ask, status) in [
        (get("/parts").nobody(), 200),
        (get("/parts").header("authorization", &bearer), 200),
        (Ask::new("POST", "/parts").header("sec-fetch-site", "cross-site"), 200),
        (get("/tokens").header("authorization", &bearer), 403),
        (get("/tokens"), 200),
    ] {
        let (path, reply) = (ask.path.clone(), send(&app, ask).await);
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("cache-control"), (path == "/tokens").then_some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_nobody_has_is_the_hosts_to_answer() {
    let rig = Rig::plain();
    let made = rig.create().await;
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let host = || Router::new().route("/parts", route(async || "a bolt"));
    for app in [host().merge(rig.app.clone()), rig.app.clone().merge(host())] {
        for ask in [
            get("/nothing").nobody(),
            get("/nothing").header("authorization", &bearer),
            Ask::new("POST", "/nothing").header("sec-fetch-site", "cross-site"),
        ] {
            let reply = send(&app, ask).await;
            assert_eq!((reply.status, reply.header("cache-control")), (404, None));
        }
    }
}

#[tokio::test]
async fn nested_under_a_prefix_it_works_as_well() {
    let rig = Rig::plain();
    let id = rig.id().await;
    let app = Router::new().nest("/api/{account_id}", rig.app.clone());
    for (ask, status) in each_operation(&id).into_iter().zip([200, 201, 200, 204, 200, 409, 409, 409, 409, 409]) {
        let ask = Ask { path: format!("/api/7{}", ask.path), ..ask };
        let path = ask.path.clone();
        assert_eq!(send(&app, ask.clone()).await.status, status, "{path}");
        assert_eq!(send(&app, ask.header("x-api-key", "acme_1")).await.status, 403, "{path}");
    }
}
