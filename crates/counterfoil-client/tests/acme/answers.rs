//! Answers that no good server gives → what is said of them. The client is asked itself, with the token handed in.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::mpsc::channel,
    thread::{self, JoinHandle},
    time::Duration,
};

use counterfoil::{Family as _, TokenFormat};
use counterfoil_client::{AskError, Client, ServerError};

fn format() -> TokenFormat {
    TokenFormat::builder("acme").build().unwrap()
}

fn token() -> String {
    format().complete("acme_000000000000").unwrap()
}

/// A server for one request, which answers with these bytes and tells what it was sent.
fn answers(bytes: impl Into<Vec<u8>> + Send + 'static) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let request = lines.take_while(|line| !line.is_empty()).collect();
        // Who has read enough may have gone.
        let _ = stream.write_all(&bytes.into());
        request
    });
    (url, thread)
}

fn ask(url: &str) -> ServerError {
    let client = Client::builder("acme-cli", format(), url).timeout(Duration::from_secs(20)).build().unwrap();
    match client.whoami(Some(&token())).unwrap_err() {
        AskError::Server(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn a_request_has_the_token_in_its_header_alone() {
    let (url, server) = answers("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ask(&url), ServerError::NotAccepted { message: None });
    let request = server.join().unwrap();
    let with_token: Vec<_> = request.iter().filter(|line| line.contains(&token())).collect();
    assert_eq!(with_token, [&format!("authorization: Bearer {}", token())]);
    assert_eq!(request[0], "GET /token HTTP/1.1");
}

#[test]
fn a_token_follows_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        let location = elsewhere.local_addr().unwrap();
        let (url, server) =
            answers(format!("HTTP/1.1 {status} Found\r\nLocation: http://{location}/\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(ask(&url), ServerError::Redirected { status });
        server.join().unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_body_without_end_is_cut() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n";
    let (url, _server) = answers([head.as_bytes(), &[b' '; 128 * 1024]].concat());
    assert_eq!(ask(&url), ServerError::Unreadable);
}

#[test]
fn words_of_a_server_do_not_steer_a_terminal() {
    let body = r#"{"error":"\u001b]0;owned\u0007 no"}"#;
    let (url, _server) = answers(format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let message = Some("\u{fffd}]0;owned\u{fffd} no".to_owned());
    assert_eq!(ask(&url), ServerError::NotAccepted { message });
}

#[test]
fn a_server_that_breaks_off_or_talks_nonsense_is_unreachable() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let (url, _server) = answers(bytes);
        assert!(matches!(ask(&url), ServerError::Unreachable { .. }), "{bytes:?}");
    }
}

#[test]
fn a_server_that_never_answers_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let client = Client::builder("acme-cli", format(), &url).timeout(Duration::from_millis(100)).build().unwrap();
    let (sender, asked) = channel();
    thread::spawn(move || sender.send(client.whoami(Some(&token())).unwrap_err()));
    let error = asked.recv_timeout(Duration::from_secs(20)).expect("the client still waits");
    assert!(matches!(error, AskError::Server(ServerError::Unreachable { .. })), "{error}");
}
