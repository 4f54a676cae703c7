//! The example service as a process of its own: used, asked to end, and looked at afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod example;

use std::process::Command;

use counterfoil::{
    Timestamp, TokenStore,
    store::{Filter, ListQuery},
};
use counterfoil_sqlx::SqliteStore;
use serde_json::Value;

use crate::example::{Service, example};

#[tokio::test]
async fn a_use_is_written_before_the_service_ends() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("tokens.sqlite");
    let mut service = Service::start(&database);
    let cookie = format!("Cookie: session={}", service.session);
    let (status, created) = service.send("POST /tokens", &cookie, r#"{"name":"CI","scopes":["parts:read"]}"#);
    assert_eq!(status, 201, "{created}");
    let token: Value = serde_json::from_str(&created).unwrap();
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
    assert_eq!(service.send("GET /parts", &bearer, ""), (200, r#"["a bolt of demo"]"#.into()));

    let told = Command::new("kill").args(["-INT", &service.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(service.child.wait().unwrap().success(), "it ends in order");

    let store = SqliteStore::open_or_create(&database).await.unwrap();
    let page = store.list(&ListQuery::new(Filter::all()), Timestamp::MIN).await.unwrap();
    assert_eq!(page.tokens.len(), 1);
    assert!(page.tokens[0].usage.is_some(), "the use was noted in memory, and is written");
}

#[test]
fn the_sign_in_link_leads_to_the_settings_page() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(&directory.path().join("tokens.sqlite"));
    let (status, _) = service.send(&format!("GET /sign-in/{}", service.session), "", "");
    assert_eq!(status, 303);
    let cookie = format!("Cookie: session={}", service.session);
    let (status, page) = service.send("GET /settings/tokens", &cookie, "");
    assert_eq!((status, page.contains("<h1>Personal access tokens</h1>")), (200, true), "{page}");
}

#[test]
fn it_explains_itself() {
    for (arguments, code, expected) in [
        (&["--help"][..], 0, "usage: axum_service"),
        (&["--openapi"], 0, r#""openapi": "3.1.0""#),
        (&["--listen"], 1, ""),
        (&["--colour"], 1, ""),
    ] {
        let output = Command::new(example()).args(arguments).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}
