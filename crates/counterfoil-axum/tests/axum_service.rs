//! The example service as a process of its own: used, asked to end, and looked at afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod example;

use std::{net::TcpStream, process::Command};

use counterfoil::{
    Timestamp, TokenStore,
    store::{Filter, ListQuery},
};
use counterfoil_sqlx::SqliteStore;
use serde_json::Value;

use crate::example::{Service, example};

#[tokio::test]
async fn signal_to_end_loses_no_use_and_leaves_no_log_behind() {
    for signal in ["-INT", "-TERM"] {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("tokens.sqlite");
        let mut service = Service::start(&database);
        let cookie = format!("Cookie: session={}", service.session);
        let (status, created) = service.send("POST /tokens", &cookie, r#"{"name":"CI","scopes":["parts:read"]}"#);
        assert_eq!(status, 201, "{created}");
        let token: Value = serde_json::from_str(&created).unwrap();
        let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
        assert_eq!(service.send("GET /parts", &bearer, ""), (200, r#"["a bolt of demo"]"#.into()));
        // A connection that nobody uses does not hold the service up.
        let _idle = TcpStream::connect(&service.address).unwrap();
        service.end(signal);

        let files: Vec<_> = directory.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["tokens.sqlite"], "{signal}");
        let store = SqliteStore::open(&database).await.unwrap();
        let page = store.list(&ListQuery::new(Filter::all()), Timestamp::MIN).await.unwrap();
        assert_eq!(page.tokens.len(), 1);
        assert!(page.tokens[0].usage.is_some(), "{signal}: the use was noted in memory, and is written");
    }
}

#[tokio::test]
async fn token_bound_to_a_network_is_used_from_there_with_its_address_and_user_agent_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("tokens.sqlite");
    let mut service = Service::start(&database);
    let cookie = format!("Cookie: session={}", service.session);
    for (network, status) in [("127.0.0.0/8", 200), ("192.0.2.0/24", 401)] {
        let body =
            format!(r#"{{"name":"{network}","scopes":["parts:read"],"restrictions":{{"networks":["{network}"]}}}}"#);
        let (created_status, created) = service.send("POST /tokens", &cookie, &body);
        assert_eq!(created_status, 201, "{created}");
        let token: Value = serde_json::from_str(&created).unwrap();
        let headers = format!("Authorization: Bearer {}\r\nUser-Agent: test/1.0", token["token"].as_str().unwrap());
        assert_eq!(service.send("GET /parts", &headers, "").0, status, "{network}");
    }
    let (_, form) = service.send("GET /settings/tokens/new", &cookie, "");
    assert!(form.contains("name=\"networks\""), "{form}");
    service.end("-TERM");

    let store = SqliteStore::open(&database).await.unwrap();
    let page = store.list(&ListQuery::new(Filter::all()), Timestamp::MIN).await.unwrap();
    let uses: Vec<_> = page.tokens.iter().filter_map(|stored| stored.usage.as_ref()).collect();
    assert_eq!(uses.len(), 1);
    let agent = uses[0].agent.as_ref().map(|agent| agent.as_str());
    assert_eq!((uses[0].address, agent), (Some([127, 0, 0, 1].into()), Some("test/1.0")));
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
