//! Services behind a door, and requests to them byte by byte.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::OnceLock,
};

use axum::{Extension, Router, routing::get};
use counterfoil::{
    Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, Token, TokenFormat, Verified, registry::RegistryBuilder,
};
use counterfoil_tower::{Gate, TokenLayer};
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, runtime::Runtime};
use tower_layer::Layer;

pub(crate) fn builder() -> RegistryBuilder {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, MemoryStore::new())
}

pub(crate) fn registry() -> Registry {
    builder().build().unwrap()
}

pub(crate) fn grant() -> Grant {
    Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90)).scopes("parts:read".parse().unwrap())
}

pub(crate) fn issue(registry: &Registry) -> Token {
    runtime().block_on(registry.issue(grant())).unwrap().token
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// Who is served, as seen by the service behind the door.
fn describe<B>(request: &Request<B>) -> String {
    let owner = request.extensions().get::<Verified>().map(|verified| verified.record().owner().subject().to_string());
    let mut seen: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
    seen.sort_unstable();
    format!("{} {}", owner.as_deref().unwrap_or("nobody"), seen.join(","))
}

/// The same door before axum and before plain hyper.
pub(crate) fn serve(gate: &Gate) -> [SocketAddr; 2] {
    [under_axum(gate), under_hyper(gate)]
}

fn under_axum(gate: &Gate) -> SocketAddr {
    let handler = async |request: Request<axum::body::Body>| describe(&request);
    let owner = async |Extension(verified): Extension<Verified>| verified.record().owner().subject().to_string();
    let app = Router::new().route("/", get(handler)).route("/owner", get(owner)).layer(TokenLayer::new(gate.clone()));
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime().spawn(async move { axum::serve(listener, app).await });
    address
}

fn under_hyper(gate: &Gate) -> SocketAddr {
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let service = TokenLayer::new(gate.clone()).layer(Plain);
    runtime().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            // The door has a limit of its own, whatever the server lets through.
            let connection =
                http1::Builder::new().max_buf_size(4 << 20).serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

#[derive(Clone)]
struct Plain;

impl tower_service::Service<Request<hyper::body::Incoming>> for Plain {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<hyper::body::Incoming>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::from(describe(&request)))))
    }
}

/// A response, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn read(reply: &str) -> Self {
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply, ""));
        let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let value = values.next();
        assert!(values.next().is_none(), "`{name}` stands in the reply more than once");
        value
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends a request for `/` with these header lines, as they are.
pub(crate) fn send(address: SocketAddr, lines: &[&[u8]]) -> Reply {
    request(address, "GET", "/", lines)
}

pub(crate) fn request(address: SocketAddr, method: &str, path: &str, lines: &[&[u8]]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let mut request = head.into_bytes();
    for line in lines {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    // A server that refuses the head may close before all of it is sent.
    let _ = stream.write_all(&request);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    Reply::read(std::str::from_utf8(&reply).unwrap())
}
