//! A server behind TLS, with a certificate of its own → trusted where the system trusts it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
};

use counterfoil::{Family as _, TokenFormat};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::program::Home;

#[test]
fn a_certificate_is_held_against_the_roots_of_the_system() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
            let mut line = String::new();
            // Who does not trust the certificate hangs up before a line has come.
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            if line == "\r\n" {
                let body = r#"{"public":"acme_1","scopes":[],"expires_at":null}"#;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.get_mut().write_all((head + body).as_bytes()).unwrap();
                stream.get_mut().flush().unwrap();
            }
        }
    });
    let token = TokenFormat::builder("acme").build().unwrap().complete("acme_000000000000").unwrap();
    let home = Home::new(&url).set("ACME_API_KEY", &token);
    let roots = home.path().join("roots.pem");

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let home = home.set("SSL_CERT_FILE", roots.to_str().unwrap());
    fs::write(&roots, other.cert.pem()).unwrap();
    let ended = home.run(&["whoami"], "");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("no answer from the server: ") && ended.err.contains("certificate"), "{}", ended.err);

    fs::write(&roots, own.cert.pem()).unwrap();
    let ended = home.run(&["whoami"], "");
    assert_eq!((ended.code, &*ended.err), (0, ""));
}
