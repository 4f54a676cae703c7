//! Requests to a service behind a real nginx → status, headers and body.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "shared with other tests")]
mod example;
#[allow(dead_code, reason = "shared with other tests")]
mod nginx;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::OnceLock,
};

use axum::{
    Router,
    http::{HeaderName, header::CACHE_CONTROL},
    routing::get,
};
use counterfoil::{By, Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, TokenId};
use counterfoil_axum::Proof;
use counterfoil_tower::{Gate, TokenLayer, Transport};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{example::Service, nginx::Nginx};

const KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Stores every response that does not forbid it.
const CACHE: &str = "proxy_cache_path cache keys_zone=cache:1m;";
const CACHED: &str = "proxy_cache cache; proxy_cache_valid any 10m; add_header X-Cache $upstream_cache_status always;";

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let values: Vec<_> =
            lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        values.join(" | ")
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn send(address: SocketAddr, path: &str, lines: &[&str]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(reply[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: reply[end + 4..].to_vec() }
}

fn registry() -> Registry {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, MemoryStore::new()).build().unwrap()
}

fn issue(registry: &Registry, owner: &str) -> (TokenId, String) {
    let grant = Grant::new(Owner::new(owner).unwrap(), Lifetime::days(90));
    let issued = runtime().block_on(registry.issue(grant)).unwrap();
    (issued.record.id(), issued.token.expose().to_owned())
}

/// A service that answers with the owner, on routes that differ in what they say to caches.
fn serve(gate: Gate) -> SocketAddr {
    let owner = async |proof: Option<Proof>| {
        proof.map_or("nobody".to_owned(), |proof| proof.record().owner().subject().to_string())
    };
    let terms = |terms: &'static str| get(async move |proof| ([(CACHE_CONTROL, terms)], owner(proof).await));
    let app = Router::new()
        .route("/none", get(owner))
        .route("/max-age", terms("max-age=60"))
        .route("/no-cache", terms("no-cache"))
        .route("/public", terms("public, max-age=60"))
        .layer(TokenLayer::new(gate));
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime().spawn(async move { axum::serve(listener, app).await });
    address
}

#[test]
fn cache_serves_a_credentials_response_to_nobody_else_and_not_after_revocation() {
    let transports = [
        (Transport::bearer(), "Authorization: Bearer", "authorization"),
        (Transport::header(KEY), "X-API-Key:", "x-api-key"),
        (Transport::either(KEY), "Authorization: Bearer", "authorization, x-api-key"),
        (Transport::either(KEY), "X-API-Key:", "authorization, x-api-key"),
    ];
    for (transport, prefix, vary) in transports {
        for is_optional in [false, true] {
            let registry = registry();
            let gate = Gate::new(registry.clone(), transport.clone());
            let gate = if is_optional { gate.optional() } else { gate };
            let location = format!("location / {{ proxy_pass http://{}; {CACHED} }}", serve(gate));
            let Some(nginx) = Nginx::start(CACHE, &location) else { return };
            let ask = |path: &str, token: Option<&str>| {
                let line = token.map(|token| format!("{prefix} {token}"));
                let reply = send(nginx.address(), path, &line.iter().map(String::as_str).collect::<Vec<_>>());
                assert_eq!(reply.header("vary"), vary, "{path}: {}", reply.head);
                (reply.status, reply.text().to_owned(), reply.header("cache-control"))
            };
            for (path, terms) in
                [("/none", "private"), ("/max-age", "max-age=60, private"), ("/no-cache", "no-cache, private")]
            {
                let case = format!("{prefix} {path}, optional: {is_optional}");
                let [(ann, anns), (_, bobs)] = ["ann", "bob"].map(|owner| issue(&registry, owner));
                let (anonymous, anonymous_text) = if is_optional { (200, "nobody") } else { (401, "") };
                let is_anonymous = |found: (u16, String, String)| {
                    assert_eq!(found.0, anonymous, "{case}: {found:?}");
                    assert!(found.1.starts_with(anonymous_text) && !found.1.contains("ann"), "{case}: {found:?}");
                };
                is_anonymous(ask(path, None)); // stored, at an optional door
                for _ in 0..2 {
                    assert_eq!(ask(path, Some(&anns)), (200, "ann".into(), terms.into()), "{case}");
                    assert_eq!(ask(path, Some(&bobs)), (200, "bob".into(), terms.into()), "{case}");
                    is_anonymous(ask(path, None));
                }
                runtime().block_on(registry.revoke(ann, By::unknown())).unwrap();
                for _ in 0..2 {
                    let (status, body, terms) = ask(path, Some(&anns));
                    assert_eq!((status, &*terms), (401, "no-store"), "{case}: {body}");
                    assert_eq!(ask(path, Some(&bobs)).0, 200, "{case}");
                }
            }
        }
    }
}

/// Shows that the cache in these tests stores what it may, so that the other tests can fail.
#[test]
fn cache_stores_a_response_that_the_application_calls_public() {
    let registry = registry();
    let gate = Gate::new(registry.clone(), Transport::bearer());
    let location = format!("location / {{ proxy_pass http://{}; {CACHED} }}", serve(gate));
    let Some(nginx) = Nginx::start(CACHE, &location) else { return };
    let (_, anns) = issue(&registry, "ann");
    let bearer = format!("Authorization: Bearer {anns}");
    for expected in ["MISS", "HIT"] {
        let reply = send(nginx.address(), "/public", &[&bearer]);
        let found = (reply.status, reply.header("x-cache"), reply.header("cache-control"));
        assert_eq!(found, (200, expected.into(), "public, max-age=60".into()));
    }
    // `Vary` keeps even this response from anyone who presents something else.
    assert_eq!(send(nginx.address(), "/public", &[]).status, 401);
}

#[test]
fn example_service_takes_the_address_that_nginx_adds_to_forwarded() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start_with(&directory.path().join("tokens.sqlite"), &["--proxies", "1"]);
    let server = format!(
        r#"location / {{ proxy_pass http://{}; proxy_set_header Forwarded '$http_forwarded, for="$remote_addr:$remote_port"'; }}"#,
        service.address
    );
    let Some(nginx) = Nginx::start("", &server) else { return };
    let cookie = format!("Cookie: session={}", service.session);
    let body = r#"{"name":"CI","scopes":["parts:read"],"restrictions":{"networks":["127.0.0.1"]}}"#;
    let (status, created) = service.send("POST /tokens", &cookie, body);
    assert_eq!(status, 201, "{created}");
    let created: Value = serde_json::from_str(&created).unwrap();
    let bearer = format!("Authorization: Bearer {}", created["token"].as_str().unwrap());
    for claim in ["X-Nothing: 1", "Forwarded: for=192.0.2.7", r#"Forwarded: for=""#, r#"Forwarded: for="a, "#] {
        let reply = send(nginx.address(), "/parts", &[&bearer, claim]);
        assert_eq!(reply.status, 200, "{claim}: {}", reply.text());
        // Past the proxy the claim is all there is.
        assert_ne!(service.send("GET /parts", &format!("{bearer}\r\n{claim}"), "").0, 200, "{claim}");
    }
}

#[test]
fn example_service_answers_through_compression_a_stripped_prefix_and_a_rewritten_host() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(&directory.path().join("tokens.sqlite"));
    let server = format!(
        "location /api/ {{ proxy_pass http://{}/; proxy_set_header Host inner.example; {CACHED}
         gzip on; gzip_types *; gzip_min_length 1; gzip_vary on; gzip_proxied any; }}",
        service.address
    );
    let Some(nginx) = Nginx::start(CACHE, &server) else { return };
    let cookie = format!("Cookie: session={}", service.session);
    let (status, created) = service.send("POST /tokens", &cookie, r#"{"name":"CI","scopes":["parts:read"]}"#);
    assert_eq!(status, 201, "{created}");
    let created: Value = serde_json::from_str(&created).unwrap();
    let bearer = format!("Authorization: Bearer {}", created["token"].as_str().unwrap());

    let plain = send(nginx.address(), "/api/parts", &[&bearer]);
    assert_eq!((plain.status, plain.text()), (200, r#"["a bolt of demo"]"#), "{}", nginx.log());
    let gzipped = send(nginx.address(), "/api/parts", &[&bearer, "Accept-Encoding: gzip"]);
    assert_eq!((gzipped.status, gzipped.header("content-encoding")), (200, "gzip".into()));
    for reply in [&plain, &gzipped] {
        assert_eq!(reply.header("cache-control"), "private");
        assert!(reply.header("vary").contains("authorization"), "{}", reply.head);
        assert_eq!(reply.header("x-cache"), "MISS");
    }
    let missing = send(nginx.address(), "/api/parts", &[]);
    assert_eq!((missing.status, missing.header("cache-control")), (401, "no-store".into()));
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="token""#);

    let (status, _) = service.send(&format!("DELETE /tokens/{}", created["id"].as_str().unwrap()), &cookie, "");
    assert_eq!(status, 204);
    for lines in [&[&*bearer][..], &[&bearer, "Accept-Encoding: gzip"]] {
        assert_eq!(send(nginx.address(), "/api/parts", lines).status, 401);
    }
}
