//! The example service as a process of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub(crate) fn example() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let example = deps.parent().and_then(Path::parent).unwrap().join("examples/axum_service");
    assert!(example.exists(), "build it first: cargo build -p counterfoil-axum --features page --example axum_service");
    example
}

pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) session: String,
    pub(crate) address: String,
}

impl Service {
    pub(crate) fn start(database: &Path) -> Self {
        Self::start_with(database, &[])
    }

    pub(crate) fn start_with(database: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(example())
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(database)
            .args(arguments)
            .env("TOKEN_KEYS", "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let session = lines.next().unwrap().split_once("session=").unwrap().1.to_owned();
        let address = lines.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned)).unwrap();
        Self { child, session, address }
    }

    /// Sends a signal, and returns when the process has ended in order.
    pub(crate) fn end(&mut self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.code(), Some(0), "{signal}: {ended}");
    }

    pub(crate) fn send(&self, line: &str, header: &str, body: &str) -> (u16, String) {
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
