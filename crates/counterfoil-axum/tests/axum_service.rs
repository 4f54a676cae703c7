//! The example service as a process of its own: used, asked to end, and looked at afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use counterfoil::{
    Timestamp, TokenStore,
    store::{Filter, ListQuery},
};
use counterfoil_sqlx::SqliteStore;
use serde_json::Value;

fn example() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let example = deps.parent().and_then(Path::parent).unwrap().join("examples/axum_service");
    assert!(example.exists(), "build it first: cargo build -p counterfoil-axum --features page --example axum_service");
    example
}

struct Service {
    child: Child,
    session: String,
    address: String,
}

impl Service {
    fn start(database: &Path) -> Self {
        let mut child = Command::new(example())
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(database)
            .env("TOKEN_KEYS", "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let session = lines.next().unwrap().split_once("session=").unwrap().1.to_owned();
        let address = lines.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned)).unwrap();
        Self { child, session, address }
    }

    fn send(&self, line: &str, header: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        // In one piece, and without an empty line in its middle: the service would answer that, and end the connection.
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

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

    let store = SqliteStore::open(&database).await.unwrap();
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
