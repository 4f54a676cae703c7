//! Each binary as a shell script meets it: what `--demo` prints, where it listens, and what a database file keeps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use counterfoil::{
    Timestamp, TokenStore,
    store::{Filter, ListQuery},
};
use counterfoil_sqlx::SqliteStore;

/// The binary, a route behind tokens, and the header that carries one, with what stands before the token.
const SERVICES: [(&str, &str, &str, &str, &str); 5] = [
    ("arca", env!("CARGO_BIN_EXE_arca"), "/v1/tasks", "x-api-key", ""),
    ("arcnm", env!("CARGO_BIN_EXE_arcnm"), "/api/v1/parts", "x-api-key", ""),
    ("arka", env!("CARGO_BIN_EXE_arka"), "/v1/models", "authorization", "Bearer "),
    ("arpia", env!("CARGO_BIN_EXE_arpia"), "/mcp", "authorization", "Bearer "),
    ("authpi", env!("CARGO_BIN_EXE_authpi"), "/v1/me", "authorization", "Bearer "),
];

/// The services with a page for people, and where it stands.
const PAGES: [(&str, &str, &str); 3] = [
    ("arca", env!("CARGO_BIN_EXE_arca"), "/app/settings/api-keys"),
    ("arka", env!("CARGO_BIN_EXE_arka"), "/app/personal/settings/tokens"),
    ("arpia", env!("CARGO_BIN_EXE_arpia"), "/profile/personal-tokens"),
];

struct Running {
    process: Child,
    printed: Vec<(String, String)>,
}

impl Running {
    fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let key = format!("k1:{}:mint", "XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=");
        let mut process = command.env("TOKEN_KEYS", key).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut printed = Vec::new();
        for line in lines {
            let line = line.unwrap();
            let (name, value) = line.split_once('=').unwrap();
            printed.push((name.to_owned(), value.to_owned()));
            if name == "LISTENING" {
                break;
            }
        }
        Self { process, printed }
    }

    fn value(&self, name: &str) -> &str {
        &self.printed.iter().find(|(found, _)| found == name).unwrap().1
    }

    /// Interrupts it, as Ctrl-C does, and returns when it has ended without an error.
    fn stop(self) {
        self.stop_by("-INT");
    }

    fn stop_by(mut self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn status(url: &str, path: &str, header: &str, value: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{url}{path}")).header(header, value);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_demo_prints_a_session_and_a_token_that_opens_the_api_and_then_where_it_listens() {
    for (name, binary, path, header, before) in SERVICES {
        let running = Running::start(binary, &["--demo"]);
        let names: BTreeMap<_, _> = running.printed.iter().map(|(name, _)| (name.as_str(), ())).collect();
        assert!(names.contains_key("SESSION") && names.contains_key("TOKEN"), "{name}: {names:?}");
        assert_eq!(running.printed.last().unwrap().0, "LISTENING", "{name}");
        let url = running.value("LISTENING");
        let shown = format!("{before}{}", running.value("TOKEN"));
        assert_eq!(status(url, path, header, &shown).await, 200, "{name}");
        assert_eq!(status(url, path, "x-nothing", "").await, 401, "{name}");
        running.stop();
    }
}

#[tokio::test]
async fn the_demo_of_arpia_prints_a_collection_token_before_it_listens() {
    let running = Running::start(env!("CARGO_BIN_EXE_arpia"), &["--demo"]);
    let names: Vec<_> = running.printed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["SESSION", "TOKEN", "COLLECTION_TOKEN", "SIGN_IN", "LISTENING"]);
    let path = format!("/mcp/?token={}", running.value("COLLECTION_TOKEN"));
    let bearer = format!("Bearer {}", running.value("TOKEN"));
    assert_eq!(status(running.value("LISTENING"), &path, "authorization", &bearer).await, 200);
    running.stop();
}

#[tokio::test]
async fn the_demo_of_a_service_with_a_page_prints_a_link_that_signs_a_browser_in() {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (name, binary, page) in PAGES {
        let running = Running::start(binary, &["--demo"]);
        let (url, session) = (running.value("LISTENING"), running.value("SESSION").to_owned());
        let sign_in = format!("/sign-in/{session}");
        assert_eq!(running.value("SIGN_IN"), format!("{url}{sign_in}"), "{name}");
        let reply = client.get(running.value("SIGN_IN")).send().await.unwrap();
        let [place, cookie] = ["location", "set-cookie"].map(|header| reply.headers()[header].to_str().unwrap());
        assert_eq!((reply.status().as_u16(), place), (303, page), "{name}");
        assert_eq!(cookie, format!("session={session}; Path=/; HttpOnly; SameSite=Lax"), "{name}");
        assert_eq!(status(url, page, "cookie", cookie.split(';').next().unwrap()).await, 200, "{name}");
        assert_eq!(status(url, page, "cookie", "session=another").await, 401, "{name}");
        // No other link signs anybody in.
        assert_eq!(status(url, "/sign-in/another", "x-nothing", "").await, 404, "{name}");
        running.stop();
        let running = Running::start(binary, &[]);
        assert_eq!(status(running.value("LISTENING"), &sign_in, "x-nothing", "").await, 404, "{name}");
        running.stop();
    }
}

#[tokio::test]
async fn a_database_file_keeps_the_tokens() {
    let directory = tempfile::tempdir().unwrap();
    // ARCNM's organisations, ARKA's plans and ARPIA's accounts are in memory, so another run rejects good tokens with 403.
    // AuthPI draws a new signing key at each start, and keeps the public keys of earlier ones next to the database.
    for ((name, binary, path, header, before), again) in SERVICES.into_iter().zip([200, 403, 403, 403, 200]) {
        let file = directory.path().join(name);
        let file = file.to_str().unwrap();
        let first = Running::start(binary, &["--demo", "--database", file]);
        let shown = format!("{before}{}", first.value("TOKEN"));
        first.stop();
        assert!(Path::new(file).exists(), "{name}");
        let second = Running::start(binary, &["--database", file]);
        assert_eq!(second.printed.len(), 1, "{name}: nothing is printed but where it listens");
        assert_eq!(status(second.value("LISTENING"), path, header, &shown).await, again, "{name}");
        second.stop();
    }
}

#[tokio::test]
async fn terminated_service_has_written_the_last_use_and_leaves_no_log_behind() {
    for (name, binary, path, header, before) in SERVICES {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens.sqlite");
        let running = Running::start(binary, &["--demo", "--database", file.to_str().unwrap()]);
        let shown = format!("{before}{}", running.value("TOKEN"));
        assert_eq!(status(running.value("LISTENING"), path, header, &shown).await, 200, "{name}");
        running.stop_by("-TERM");
        for log in ["tokens.sqlite-wal", "tokens.sqlite-shm"] {
            assert!(!directory.path().join(log).exists(), "{name}: {log}");
        }
        let store = SqliteStore::open(&file).await.unwrap();
        let page = store.list(&ListQuery::new(Filter::all()), Timestamp::MIN).await.unwrap();
        let used = page.tokens.iter().filter_map(|stored| stored.usage.as_ref());
        let addresses: Vec<_> = used.map(|usage| usage.address).collect();
        assert_eq!(addresses, [Some([127, 0, 0, 1].into())], "{name}");
    }
}

#[test]
fn another_argument_is_refused() {
    for (name, binary, ..) in SERVICES {
        let output = Command::new(binary).arg("--lisen").output().unwrap();
        assert!(!output.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--lisen"), "{name}");
    }
}
