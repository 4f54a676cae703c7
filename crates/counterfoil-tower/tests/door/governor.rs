//! The service of `examples/governor.rs`, over real sockets from several addresses.

use std::net::{IpAddr, SocketAddr};

use counterfoil::{Registry, TokenFormat};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

use crate::{
    counted::Counted,
    support::{Reply, issue, runtime},
};

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../../examples/governor.rs"]
mod example;

use example::{FAILURES, Failures, app, network};

/// Sends a token from this address of the loopback network.
fn send_from(client: &str, service: SocketAddr, text: &str) -> Reply {
    runtime().block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(client.parse().unwrap(), 0)).unwrap();
        let mut stream = socket.connect(service).await.unwrap();
        let head = "GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        stream.write_all(format!("{head}Authorization: Bearer {text}\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        Reply::read(&reply)
    })
}

#[test]
fn after_some_bad_tokens_an_address_waits_and_others_are_served() {
    let store = Counted::new();
    let keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring, store.clone()).build().unwrap();
    let good = issue(&registry);
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let service = listener.local_addr().unwrap();
    runtime().spawn(async move { axum::serve(listener, app(registry, &Failures::none())).await });

    // Good ones are not counted, before or in between, and each bad one is another.
    for _ in 0..FAILURES.get() {
        let of_others = issue(&crate::support::registry());
        assert_eq!(send_from("127.0.0.2", service, good.expose()).status, 200);
        assert_eq!(send_from("127.0.0.2", service, of_others.expose()).status, 401);
    }
    assert_eq!(store.lookups(), u64::from(2 * FAILURES.get()));
    let bad = issue(&crate::support::registry());
    for (what, text) in [("bad", bad.expose()), ("good", good.expose())] {
        let reply = send_from("127.0.0.2", service, text);
        assert_eq!(reply.status, 429, "{what}");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=12).contains(&wait), "{what}: {wait} s");
        assert_eq!(reply.json()["code"], "too_many_attempts");
    }
    assert_eq!(store.lookups(), 0, "without a lookup, and so without a hash");
    assert_eq!(send_from("127.0.0.2", service, "acme_none").status, 401, "what is no token is told so");
    assert_eq!(send_from("127.0.0.3", service, good.expose()).status, 200, "from elsewhere");
}

#[test]
fn an_ipv6_network_is_of_64_bits() {
    for (address, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8::ffff:0:0:1", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
    ] {
        let [address, expected] = [address, expected].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(network(address), expected);
    }
}
