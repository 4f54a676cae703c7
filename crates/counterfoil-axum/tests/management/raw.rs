//! Requests byte by byte, to a server.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Runtime};

use crate::support::Rig;

struct Server {
    runtime: Runtime,
    address: SocketAddr,
    rig: Rig,
}

impl Server {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let rig = Rig::plain();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = rig.app.clone();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { runtime, address, rig }
    }

    fn id(&self) -> String {
        self.runtime.block_on(self.rig.id())
    }

    fn count(&self) -> usize {
        self.runtime.block_on(self.rig.count())
    }

    /// Sends this, with an end of the connection behind it or without, and reads to the end: the status, or 0 if there is
    /// none, and the whole reply.
    fn send(&self, request: &[u8], cut: bool) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // A server that waits for more fails the test, and does not stop it.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // A server that refuses the head may close before all of it is sent.
        let _ = stream.write_all(request);
        if cut {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let reply = String::from_utf8(reply).unwrap();
        (reply.split(' ').nth(1).map_or(0, |status| status.parse().unwrap()), reply)
    }

    /// A request of ann's.
    fn request(&self, line: &[u8], headers: &[u8], body: &[u8]) -> (u16, String) {
        self.send(&whole(line, headers, body), false)
    }
}

fn whole(line: &[u8], headers: &[u8], body: &[u8]) -> Vec<u8> {
    let head = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-User: ann\r\n";
    [line, head, headers, b"\r\n", body].concat()
}

#[test]
fn an_id_that_is_no_text_is_no_token() {
    let server = Server::start();
    let id = server.id();
    for (name, status) in [
        (&b"%00"[..], 404),
        (b"%ff", 404),
        (b"%C0%80", 404),
        (b"%", 404),
        (b"%zz", 404),
        (b"%2e%2e", 404),
        (b"..", 404),
        (b"%2F", 404),
        (b"%20", 404),
        (b"caf%C3%A9", 404),
        (b"'%22%3Cscript%3E", 404),
        (b"caf\xc3\xa9", 404),
        (b"\xff\xfe", 404),
        (&[b'1'; 10_000], 404),
        (id.as_bytes(), 200),
        (&[id.as_bytes(), b"?x=%ff&%00"].concat(), 200),
        (&[id.as_bytes(), b"%00"].concat(), 404),
        (&[id.as_bytes(), b"\xff"].concat(), 404),
        (&[id.as_bytes(), b"/"].concat(), 404),
    ] {
        for (method, end) in [("GET", ""), ("POST", "/block"), ("POST", "/rotate")] {
            // What stands behind a query belongs to it.
            if status == 200 && !end.is_empty() {
                continue;
            }
            let line = [method.as_bytes(), b" /tokens/", name, end.as_bytes()].concat();
            let (found, reply) = server.request(&line, b"", b"");
            // The server itself refuses a target that is no URI.
            let is_refused = found == status || found == 400 && name.iter().any(|byte| !byte.is_ascii());
            assert!(is_refused, "{}: {reply}", String::from_utf8_lossy(&line));
        }
    }
    for (query, status) in [(&b"limit=%ff"[..], 400), (b"%ff=1", 400), (b"cursor=%00", 400), (b"&&&", 200), (b"", 200)]
    {
        let (found, reply) = server.request(&[b"GET /tokens?", query].concat(), b"", b"");
        assert_eq!(found, status, "{}: {reply}", String::from_utf8_lossy(query));
    }
}

#[test]
fn a_header_of_a_mebibyte_is_refused() {
    let server = Server::start();
    let id = server.id();
    for name in ["If-Match", "Idempotency-Key", "Authorization", "Content-Type", "Origin"] {
        let line = format!("POST /tokens/{id}/rotate");
        let header = format!("{name}: {}\r\n", "1".repeat(1 << 20));
        // The server may close before it has read everything, and what it has said by then is lost.
        let (status, reply) = server.request(line.as_bytes(), header.as_bytes(), b"");
        assert!([0, 431].contains(&status), "{name}: {reply}");
        // What the server lets through is ours to judge.
        let header = format!("{name}: {}\r\n", "1".repeat(100_000));
        let (status, reply) = server.request(line.as_bytes(), header.as_bytes(), b"");
        let expected = match name {
            "If-Match" => 412,
            "Idempotency-Key" => 400,
            "Origin" => 403,
            _ => 200,
        };
        assert_eq!(status, expected, "{name}: {reply}");
    }
}

#[test]
fn a_body_that_is_cut_off_makes_nothing() {
    let server = Server::start();
    let body = br#"{"name":"CI","expires_in":60}"#;
    let json = "Content-Type: application/json\r\n";
    for (headers, body) in [
        (format!("{json}Content-Length: {}\r\n", body.len() + 1), body.to_vec()),
        (format!("{json}Content-Length: 1000000\r\n"), body.to_vec()),
        (format!("{json}Content-Length: 10\r\n"), Vec::new()),
        (format!("{json}Transfer-Encoding: chunked\r\n"), b"1d\r\n{\"name\":\"CI\"".to_vec()),
        (format!("{json}Transfer-Encoding: chunked\r\n"), [b"1d\r\n", &body[..], b"\r\n"].concat()),
        (format!("{json}Transfer-Encoding: chunked\r\n"), b"zz\r\n".to_vec()),
    ] {
        let (status, reply) = server.send(&whole(b"POST /tokens", headers.as_bytes(), &body), true);
        assert!(status == 0 || (400..500).contains(&status), "{headers}: {reply}");
        assert_eq!(server.count(), 0);
    }
    // Whole, in one piece or in chunks, it makes a token.
    let chunked = [b"1d\r\n", &body[..], b"\r\n0\r\n\r\n"].concat();
    let sized = format!("{json}Content-Length: {}\r\n", body.len());
    assert_eq!(server.request(b"POST /tokens", sized.as_bytes(), body).0, 201);
    let in_chunks = format!("{json}Transfer-Encoding: chunked\r\n");
    assert_eq!(server.request(b"POST /tokens", in_chunks.as_bytes(), &chunked).0, 201);
    assert_eq!(server.count(), 2);
}

#[test]
fn a_body_of_broken_chunks_is_not_called_too_large() {
    let server = Server::start();
    let headers = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    // The client is there, and waits for what it is told.
    for body in [&b"zz\r\n"[..], b"1\r\n{zz\r\n", b"-1\r\n", b"1g\r\n", b"11111111111111111\r\n"] {
        let (status, reply) = server.request(b"POST /tokens", headers, body);
        assert_eq!(status, 400, "{reply}");
    }
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let server = Server::start();
    let id = server.id();
    for (path, status, etag) in [
        ("/tokens".to_owned(), 200, false),
        (format!("/tokens/{id}"), 200, true),
        ("/tokens/1".into(), 404, false),
        ("/tokens?limit=0".into(), 400, false),
        (format!("/tokens/{id}/block"), 405, false),
    ] {
        let [(head, nothing), (_, whole)] = ["HEAD", "GET"].map(|method| {
            let (found, reply) = server.request(format!("{method} {path}").as_bytes(), b"", b"");
            assert_eq!(found, status, "{method} {path}: {reply}");
            let (head, body) = reply.split_once("\r\n\r\n").unwrap();
            (head.to_lowercase(), body.to_owned())
        });
        assert_eq!(nothing, "", "{path}");
        assert!(head.contains("cache-control: no-store"), "{path}: {head}");
        assert_eq!(head.contains("etag: \"1\""), etag, "{path}: {head}");
        // Its length, if it is told, is that of the body which a GET has (RFC 9110, section 9.3.2).
        let told = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert!(told.is_none_or(|told| told == whole.len().to_string()), "{path}: {told:?} of {}", whole.len());
    }
}
