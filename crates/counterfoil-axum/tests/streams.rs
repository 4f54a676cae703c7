//! A stream that is opened with a token ends after the token's revocation.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Extension, Router, body::Body, routing::get};
use counterfoil::{By, Caller, Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
use counterfoil_axum::Proof;
use counterfoil_tower::{Gate, TokenLayer, Transport};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

/// The recipe: work until the client leaves or the token is no longer good.
async fn ticks(Extension(gate): Extension<Arc<Gate>>, Proof(verified): Proof) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let caller = Caller::unknown();
        let end = gate.registry().wait_for_end(&verified, &caller, sleep, Duration::from_millis(100));
        tokio::pin!(end);
        loop {
            tokio::select! {
                _reason = &mut end => return,
                () = sleep(Duration::from_millis(10)) => if sender.send("tick\n").await.is_err() { return },
            }
        }
    });
    let next = async |mut receiver: mpsc::Receiver<&'static str>| {
        receiver.recv().await.map(|tick| (Ok::<_, Infallible>(tick), receiver))
    };
    Body::from_stream(stream::unfold(receiver, next))
}

#[tokio::test]
async fn stream_ends_after_the_revocation_of_its_token() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
    let issued = registry.issue(Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90))).await.unwrap();
    let gate = Gate::new(registry.clone(), Transport::bearer());
    let app = Router::new().route("/ticks", get(ticks)).layer(TokenLayer::new(gate));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let head =
        format!("GET /ticks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", issued.token.expose());
    client.write_all(head.as_bytes()).await.unwrap();
    let mut received = String::new();
    while received.matches("tick").count() < 20 {
        let mut part = [0; 1024];
        let length = timeout(Duration::from_secs(20), client.read(&mut part)).await.expect("it ticks").unwrap();
        assert!(length > 0, "the token is good: {received}");
        received += std::str::from_utf8(&part[..length]).unwrap();
    }
    registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
    // The last chunk of a chunked body is empty.
    while !received.ends_with("\r\n0\r\n\r\n") {
        let mut part = [0; 1024];
        let length = timeout(Duration::from_secs(20), client.read(&mut part)).await.expect("it ends").unwrap();
        assert!(length > 0, "the body ends in order");
        received += std::str::from_utf8(&part[..length]).unwrap();
    }
}
