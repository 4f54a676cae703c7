//! What was acknowledged outlives a crash: a process of its own mints, rotates and revokes as fast as it can, is
//! killed in the middle of it, and the file is looked at.
//!
//! What a killed process has written stays with the operating system. So this sees a write that is acknowledged before
//! it is made, and nothing that takes a loss of power to see: with `synchronous = OFF` it passes too. That every
//! connection is at `FULL` is held by a test beside the code that opens it.
//!
//! `COUNTERFOIL_CRASH_ROUNDS=500 cargo test -p counterfoil-sqlx --test crash` runs longer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use counterfoil::{
    By, Denial, Grant, Keyring, Lifetime, Owner, Registry, Rotation, Timestamp, TokenFormat, TokenId, TokenStore,
    registry::VerifyError,
    store::{Filter, ListQuery},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::runtime::Runtime;

const FILE: &str = "COUNTERFOIL_CRASH_FILE";
const HASTY: &str = "COUNTERFOIL_CRASH_HASTY";
const ROUNDS: &str = "COUNTERFOIL_CRASH_ROUNDS";

fn rounds() -> usize {
    env::var(ROUNDS).map_or(24, |text| text.parse().expect("a number of rounds"))
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    if let Some(file) = env::var_os(FILE) {
        return work_until_killed(file.into());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let runtime = Runtime::new().unwrap();
    let mut known = Known::default();
    for round in 0..rounds() {
        // From the first fact to the middle of a full pipe.
        let facts = run_and_kill(&path, Manner::Honest, 1 + round * 37 % 150);
        known.learn(&facts);
        assert!(beside(&path, "-wal").exists(), "the log is left behind, so nothing was closed in order");
        assert_eq!(runtime.block_on(known.hold_against(&path)), Vec::<String>::new(), "round {round}");
    }
    let counts = known.counts();
    assert!(counts.iter().all(|(_, count)| *count > 0), "each kind of fact was seen: {counts:?}");
    // To open it again, and to close it in order, changes nothing.
    let rows = runtime.block_on(rows_of(&path));
    assert_eq!(runtime.block_on(rows_of(&path)), rows);
    assert_eq!(runtime.block_on(known.hold_against(&path)), Vec::<String>::new());
}

/// The test itself is put to the test: what is acknowledged before it is written must be missed.
#[test]
fn who_acknowledges_too_early_is_found_out() {
    let runtime = Runtime::new().unwrap();
    let (mut lost, mut undone) = (false, false);
    for round in 0..50 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let mut known = Known::default();
        known.learn(&run_and_kill(&path, Manner::Hasty, 1 + round * 37 % 150));
        for wrong in runtime.block_on(known.hold_against(&path)) {
            lost |= wrong.ends_with("found Err(Unknown), expected Ok(())");
            undone |= wrong.ends_with("found Ok(()), expected Err(Revoked)");
        }
        if lost && undone {
            return;
        }
    }
    panic!("a lost token was seen: {lost}, an undone revocation: {undone}; expected both");
}

#[test]
fn a_kill_during_the_first_opening_leaves_a_file_that_opens() {
    let runtime = Runtime::new().unwrap();
    for round in 0..rounds().div_ceil(3) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let mut child = Running::start(&path, Manner::Honest);
        child.read_until(|line| line == "opening");
        // Now a little later, and now a little later still.
        (0..round * round * 20).for_each(|_| thread::yield_now());
        let mut known = Known::default();
        known.learn(&child.kill());
        assert_eq!(runtime.block_on(known.hold_against(&path)), Vec::<String>::new(), "round {round}");
    }
}

/// What the process that is killed does: the first test, once it is told a file.
fn work_until_killed(path: PathBuf) {
    let manner = if env::var_os(HASTY).is_some() { Manner::Hasty } else { Manner::Honest };
    // A line of its own, behind what the test's harness has begun to write.
    tell("\nopening");
    Runtime::new().unwrap().block_on(async move {
        let store = SqliteStore::open_or_create(path).await.unwrap();
        let registry = registry(store.clone());
        let workers = (0..4).map(|worker| tokio::spawn(work(registry.clone(), store.clone(), manner, worker)));
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Tells what is done once it is done.
    Honest,
    /// Tells it first.
    Hasty,
}

async fn work(registry: Registry, store: SqliteStore, manner: Manner, worker: usize) {
    let owner = Owner::new(format!("owner-{worker}")).unwrap();
    let grant = || Grant::new(owner.clone(), Lifetime::Forever);
    for number in 0_usize.. {
        let id = match manner {
            Manner::Honest => {
                let issued = registry.issue(grant()).await.unwrap();
                tell(&format!("minted {} {}", issued.record.id(), issued.token.expose()));
                issued.record.id()
            }
            Manner::Hasty => {
                let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
                let minted = grant().mint(&format(), &keyring(), now).unwrap();
                tell(&format!("minted {} {}", minted.record.id(), minted.token.expose()));
                store.insert(&minted.record, None, now).await.unwrap();
                minted.record.id()
            }
        };
        if number % 3 == 1 {
            tell(&format!("rotating {id}"));
            let issued = registry.rotate(id, &Rotation::at_once()).await.unwrap();
            tell(&format!("rotated {id} {}", issued.token.expose()));
        }
        if number.is_multiple_of(2) {
            let done = format!("revoked {id}");
            tell(if manner == Manner::Hasty { done.clone() } else { format!("revoking {id}") }.as_str());
            registry.revoke(id, By::unknown()).await.unwrap();
            tell(&done);
        }
    }
}

/// Writes a whole line, and out with it.
fn tell(fact: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{fact}").and_then(|()| out.flush()).unwrap();
}

fn format() -> TokenFormat {
    TokenFormat::builder("acme").build().unwrap()
}

fn keyring() -> Keyring {
    "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap()
}

fn registry(store: SqliteStore) -> Registry {
    Registry::builder(format(), keyring(), store).build().unwrap()
}

/// Lets a child run until it has told so many facts, kills it, and gives all that it told.
fn run_and_kill(path: &Path, manner: Manner, facts: usize) -> Vec<String> {
    let mut child = Running::start(path, manner);
    let mut told = 0;
    child.read_until(|line| {
        told += usize::from(line.starts_with("minted") || line.starts_with("ro") || line.starts_with("rev"));
        told == facts
    });
    child.kill()
}

struct Running {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    lines: Vec<String>,
}

impl Running {
    fn start(path: &Path, manner: Manner) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["what_was_acknowledged_outlives_a_kill", "--exact", "--nocapture"])
            .env(FILE, path)
            .stdout(Stdio::piped());
        if manner == Manner::Hasty {
            command.env(HASTY, "1");
        }
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, lines: Vec::new() }
    }

    /// Reads whole lines until one is the last that is wanted; the child never ends by itself.
    fn read_until(&mut self, mut is_last: impl FnMut(&str) -> bool) {
        loop {
            assert!(self.read_line(), "the child ended by itself: {:?}", self.lines);
            if self.lines.last().is_some_and(|line| is_last(line)) {
                return;
            }
        }
    }

    /// Whether there was a whole line. One that the kill has cut off is no fact.
    fn read_line(&mut self) -> bool {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let is_whole = line.ends_with('\n');
        if is_whole {
            self.lines.push(line.trim_end().to_owned());
        }
        is_whole
    }

    /// SIGKILL; then what is left in the pipe, which was told before it.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        while self.read_line() {}
        self.lines
    }
}

/// What a child has told, by token.
#[derive(Debug, Default)]
struct Known(BTreeMap<TokenId, Token>);

#[derive(Debug)]
struct Token {
    text: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// The text may have been rotated away.
    Rotating,
    Superseded,
    /// It may have been revoked.
    Revoking,
    Revoked,
}

impl Known {
    fn learn(&mut self, lines: &[String]) {
        for line in lines {
            let mut words = line.split(' ');
            let (Some(what), Some(id), text) = (words.next(), words.next(), words.next()) else { continue };
            let Ok(id) = id.parse() else { continue };
            match (what, text) {
                ("minted" | "rotated", Some(text)) => {
                    self.0.insert(id, Token { text: text.into(), state: State::Good });
                }
                ("rotating", _) => self.now(id, State::Rotating),
                ("revoking", _) => self.now(id, State::Revoking),
                ("revoked", _) => self.now(id, State::Revoked),
                other => panic!("no fact: {other:?}"),
            }
        }
    }

    fn now(&mut self, id: TokenId, state: State) {
        self.0.get_mut(&id).expect("it was minted").state = state;
    }

    fn counts(&self) -> [(State, usize); 2] {
        [State::Good, State::Revoked].map(|state| (state, self.0.values().filter(|token| token.state == state).count()))
    }

    /// What is not in the file as it was acknowledged. What was under way may be done or not; from now on it stays so.
    async fn hold_against(&mut self, path: &Path) -> Vec<String> {
        let store = SqliteStore::open_or_create(path).await.unwrap();
        let registry = registry(store.clone());
        let mut wrong = Vec::new();
        for (id, token) in &mut self.0 {
            let found = match registry.verify(&token.text).await {
                Ok(verified) if verified.record().id() == *id => Ok(()),
                Ok(verified) => panic!("{id}: found the record {}", verified.record().id()),
                Err(VerifyError::Denied(denial)) => Err(denial),
                Err(error) => panic!("{id}: {error}"),
            };
            token.state = match (token.state, found) {
                (State::Rotating | State::Revoking, Ok(())) => State::Good,
                (State::Rotating, Err(Denial::Superseded)) => State::Superseded,
                (State::Revoking, Err(Denial::Revoked)) => State::Revoked,
                (state, _) => state,
            };
            let expected = match token.state {
                State::Superseded => Err(Denial::Superseded),
                State::Revoked => Err(Denial::Revoked),
                State::Good | State::Rotating | State::Revoking => Ok(()),
            };
            if found != expected {
                wrong.push(format!("{id}: found {found:?}, expected {expected:?}"));
            }
        }
        store.close().await;
        wrong.extend(unsound(path).await);
        wrong
    }
}

/// What is wrong with the file itself: torn pages, and rows without those that belong to them.
async fn unsound(path: &Path) -> Vec<String> {
    let mut raw = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let mut wrong: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut raw).await.unwrap();
    wrong.retain(|line| line != "ok");
    const NONE: [(&str, &str); 5] = [
        ("foreign keys without a row", "pragma_foreign_key_check"),
        (
            "tokens without the selector of their secret",
            "counterfoil_token AS t WHERE NOT EXISTS (SELECT 1 FROM counterfoil_selector AS s \
             WHERE s.selector = t.selector AND s.token_id = t.id)",
        ),
        (
            "tokens without the selector of a spent secret",
            "counterfoil_token AS t WHERE t.spent_selector IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \
             counterfoil_selector AS s WHERE s.selector = t.spent_selector AND s.token_id = t.id)",
        ),
        (
            "selectors of no secret",
            "counterfoil_selector AS s WHERE NOT EXISTS (SELECT 1 FROM counterfoil_token AS t WHERE t.id = s.token_id \
             AND s.selector IN (t.selector, t.retiring_selector, t.spent_selector))",
        ),
        (
            "tokens without their owner's row",
            "counterfoil_token AS t WHERE NOT EXISTS (SELECT 1 FROM counterfoil_owner AS o \
             WHERE o.tenant = t.tenant AND o.owner = t.owner)",
        ),
    ];
    for (what, from) in NONE {
        let sql = format!("SELECT count(*) FROM {from}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut raw).await.unwrap();
        if count > 0 {
            wrong.push(format!("{what}: found {count}, expected none"));
        }
    }
    raw.close().await.unwrap();
    wrong
}

/// Every record, read by a store that is opened and closed for it.
async fn rows_of(path: &Path) -> Vec<counterfoil::Row> {
    let store = SqliteStore::open_or_create(path).await.unwrap();
    let query = ListQuery { limit: 1_000_000, ..ListQuery::new(Filter::all()) };
    let page = store.list(&query, Timestamp::MAX).await.unwrap();
    assert_eq!((page.corrupt, page.next), (vec![], None));
    store.close().await;
    page.tokens.iter().map(|stored| stored.record.to_row()).collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
