//! The API behind a real nginx that compresses and removes a path prefix.

use std::net::SocketAddr;

use counterfoil::MemoryStore;
use counterfoil_axum::management::{Management, Operation};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    ask::{Ask, each_operation, post, send},
    nginx::Nginx,
    support::Rig,
};

/// Status, head and body of the reply to a request of ann's.
async fn over(address: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: tools.example.com\r\nX-User: ann\r\nConnection: close\r\n{headers}");
    let body = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(reply[..end].to_vec()).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, reply[end + 4..].to_vec())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn version_of_the_body_is_a_precondition_behind_a_proxy_that_weakens_the_tag() {
    let rig = Rig::new(MemoryStore::new(), |builder| builder, |api| api.public_url("https://tools.example.com/acme"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = listener.local_addr().unwrap();
    let app = rig.app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let gzip = "gzip on; gzip_types application/json application/problem+json; gzip_min_length 1; gzip_proxied any;";
    let server = format!("location /acme/ {{ proxy_pass http://{service}/; {gzip} }}");
    let Some(nginx) = Nginx::start("", &server) else { return };

    let (status, head, body) = over(nginx.address(), "POST /acme/tokens", "", r#"{"name":"CI","expires_in":60}"#).await;
    assert_eq!(status, 201, "{head}");
    let body: Value = serde_json::from_slice(&body).unwrap();
    let location = format!("/acme/tokens/{}", body["id"].as_str().unwrap());
    assert_eq!(header(&head, "location"), Some(&*location));

    let gzip = "Accept-Encoding: gzip\r\n";
    let (status, head, _) = over(nginx.address(), &format!("GET {location}"), gzip, "").await;
    assert_eq!(
        (status, header(&head, "content-encoding"), header(&head, "etag")),
        (200, Some("gzip"), Some("W/\"1\""))
    );
    let block = format!("POST {location}/block");
    let (status, _, refused) = over(nginx.address(), &block, "If-Match: W/\"1\"\r\n", "{}").await;
    let refused: Value = serde_json::from_slice(&refused).unwrap();
    assert_eq!((status, &refused["current_etag"]), (412, &json!("\"1\"")));
    assert!(refused["detail"].as_str().unwrap().contains("weak entity tag"), "{refused}");

    let if_match = format!("If-Match: \"{}\"\r\n", body["version"]);
    let (status, _, blocked) = over(nginx.address(), &block, &if_match, "{}").await;
    let blocked: Value = serde_json::from_slice(&blocked).unwrap();
    assert_eq!((status, &blocked["status"]), (200, &json!("blocked")));
    let (status, ..) = over(nginx.address(), &block, &if_match, "{}").await;
    assert_eq!(status, 412, "the version is another one now");
}

#[tokio::test]
async fn new_token_is_found_at_its_location() {
    type SetUp = fn(Management) -> Management;
    let cases: [(SetUp, &str, Option<&str>); 6] = [
        (|api| api, "/tokens", Some("/tokens/{id}")),
        (|api| api.public_url("/acme"), "/tokens", Some("/acme/tokens/{id}")),
        (|api| api.trust_forwarded_prefix(), "/tokens", Some("/forwarded/tokens/{id}")),
        (
            |api| api.collection("/v1/users/{user_id}/tokens").item("/v1/users/{user_id}/tokens/{token_id}"),
            "/v1/users/a%2Fb%20%C3%A9/tokens",
            Some("/v1/users/a%2Fb%20%C3%A9/tokens/{id}"),
        ),
        (|api| api.item("/teams/{team}/{token_id}"), "/tokens", None),
        (|api| api.without(Operation::Get), "/tokens", None),
    ];
    for (set_up, path, expected) in cases {
        let mut made = None;
        let rig = Rig::new(MemoryStore::new(), |builder| builder, |api| made.insert(set_up(api)).clone());
        let ask = post(path, json!({ "name": "CI", "expires_in": 60 })).header("x-forwarded-prefix", "/forwarded");
        for ask in [ask.clone().key("1"), ask.key("1")] {
            let reply = rig.send(ask).await;
            let id = reply.body["id"].as_str().unwrap();
            let expected = expected.map(|expected| expected.replace("{id}", id));
            assert_eq!(reply.header("location"), expected.as_deref(), "{path}");
            if let Some(location) = expected {
                let inner = location.trim_start_matches("/acme").trim_start_matches("/forwarded");
                assert_eq!(rig.send(crate::ask::get(inner)).await.status, 200, "{location}");
            }
        }
        let document = serde_json::to_value(made.unwrap().openapi()).unwrap();
        let create =
            document["paths"].as_object().unwrap().values().find_map(|path| path.get("post")?["responses"].get("201"));
        assert_eq!(create.unwrap()["headers"].get("Location").is_some(), expected.is_some(), "{path}");
    }
    let nested = axum::Router::new().nest("/api/{version}", Rig::plain().app);
    let reply = send(&nested, post("/api/v%201/tokens", json!({ "name": "CI", "expires_in": 60 }))).await;
    let location = reply.header("location").unwrap();
    assert_eq!(location, format!("/api/v%201/tokens/{}", reply.body["id"].as_str().unwrap()));
    assert_eq!(send(&nested, crate::ask::get(location)).await.status, 200);
}

#[test]
fn document_names_the_server_and_the_session() {
    use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
    type SetUp = fn(Management) -> Management;
    let cases: [(SetUp, &str); 4] = [
        (|api| api, "/"),
        (|api| api.public_url("/acme/"), "/acme"),
        (|api| api.public_url("https://Tools.example.com:443/acme"), "https://tools.example.com/acme"),
        (|api| api.public_url("https://tools.example.com/"), "https://tools.example.com"),
    ];
    for (set_up, server) in cases {
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("session")));
        let mut made = None;
        drop(Rig::new(
            MemoryStore::new(),
            |it| it,
            |api| made.insert(set_up(api).session_scheme("session", cookie)).clone(),
        ));
        let document = serde_json::to_value(made.unwrap().openapi()).unwrap();
        assert_eq!(document["servers"], json!([{ "url": server }]));
        assert_eq!(document["security"], json!([{ "session": [] }]));
    }
}

#[tokio::test]
async fn change_from_the_public_url_is_no_other_sites() {
    let rig = Rig::new(MemoryStore::new(), |it| it, |api| api.public_url("https://Tools.example.com:443/acme"));
    let id = rig.id().await;
    for (origin, status) in [("https://tools.example.com", 200), ("https://tools.example.com:8443", 403)] {
        let ask: Ask = each_operation(&id).into_iter().nth(5).unwrap();
        let reply = rig.send(ask.header("host", "upstream:3000").header("origin", origin)).await;
        assert_eq!(reply.status, status, "{origin}");
    }
}

#[test]
fn document_tells_a_new_secret_from_a_repeated_request() {
    let mut made = None;
    drop(Rig::new(
        MemoryStore::new(),
        |it| it,
        |api| made.insert(api.name("token", "plain").name("replayed", "again")).clone(),
    ));
    let document = serde_json::to_value(made.unwrap().openapi()).unwrap();
    let schemas = &document["components"]["schemas"];
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    assert_eq!(schemas["MintedToken"]["oneOf"], json!([of("IssuedToken"), of("ReplayedToken")]));
    for (name, plain, again) in [("IssuedToken", "string", false), ("ReplayedToken", "null", true)] {
        let properties = &schemas[name]["properties"];
        assert_eq!(
            (&properties["plain"]["type"], &properties["again"]["enum"]),
            (&json!(plain), &json!([again])),
            "{name}"
        );
        let required = schemas[name]["required"].as_array().unwrap();
        assert!(["plain", "again"].iter().all(|member| required.contains(&json!(member))), "{name}");
    }
    assert_eq!(schemas["Token"]["properties"]["metadata"]["additionalProperties"], true);
    assert_eq!(schemas["CreateToken"]["properties"]["tags"]["items"]["maxLength"], 64);
}
