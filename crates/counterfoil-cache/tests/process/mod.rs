//! A node that is a process of its own: the test's own program, run for one test, which is to be a node there.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses its part, and fails by panicking"
)]
#![allow(clippy::print_stdout, reason = "what a process answers")]

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
use counterfoil_sqlx::PostgresStore;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Runtime;

use crate::{cluster, node::Node};

/// Where a process that is to be a node finds its database.
pub(crate) const DATABASE: &str = "COUNTERFOIL_NODE_DATABASE";
pub(crate) const BOUND: Duration = Duration::from_millis(600);

/// In microseconds since 1970, for all processes of the machine.
pub(crate) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

pub(crate) async fn connect(options: PgConnectOptions) -> Node<PostgresStore> {
    let pool = cluster::pool(options, 4).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap().deadline(Duration::from_secs(2));
    let settings = Settings::default().bound(BOUND);
    let channel = PostgresChannel::new(&pool);
    let (store, listening) = CachedStore::by_lease(store, channel, settings, tokio::time::sleep, |_: &CacheEvent| {});
    tokio::spawn(listening);
    Node::new(store)
}

/// Verifies the tokens of the last line that came, in turns and as fast as it can, and writes for each time: when it was asked
/// for, what came of it, whether it came from memory, and how the token begins.
pub(crate) fn be_a_node(database: &str) {
    let (lines, told) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            lines.send(line.unwrap()).unwrap();
        }
        // Whoever started it is gone, or done.
        std::process::exit(0);
    });
    Runtime::new().unwrap().block_on(async {
        let node = connect(database.parse().unwrap()).await;
        let mut tokens = told.recv().unwrap();
        loop {
            tokens = told.try_recv().unwrap_or(tokens);
            for text in tokens.split(' ') {
                let before = node.store.counts();
                let asked = now();
                let verdict = match node.registry.verify(text).await {
                    Ok(_) => "ok",
                    Err(error) if error.is_refusal() => "refused",
                    Err(_) => "unknown",
                };
                let after = node.store.counts();
                let from_memory = (before.misses, before.aside) == (after.misses, after.aside);
                println!("\n{asked} {verdict} {from_memory} {}", beginning(text));
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
    });
}

/// Enough to know a token by.
fn beginning(text: &str) -> &str {
    &text[..16]
}

/// What a node says of a verification.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) asked: u128,
    pub(crate) verdict: String,
    pub(crate) from_memory: bool,
    beginning: String,
}

impl Answer {
    pub(crate) fn is_of(&self, text: &str) -> bool {
        beginning(text) == self.beginning
    }
}

/// A process that is a node.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Answer>,
}

impl Process {
    /// Runs the test of this name, which is to be a node there.
    pub(crate) fn start(database: &str, test: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut child = command
            .args(["--exact", "--nocapture", test])
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (answer, answers) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let parts: Vec<&str> = line.split(' ').collect();
                // Beside what the test harness says.
                if let [asked, verdict, from_memory, beginning] = parts[..]
                    && let Ok(asked) = asked.parse()
                {
                    let (verdict, beginning) = (verdict.to_owned(), beginning.to_owned());
                    let told = Answer { asked, verdict, from_memory: from_memory == "true", beginning };
                    if answer.send(told).is_err() {
                        return;
                    }
                }
            }
        });
        Self { stdin: child.stdin.take().unwrap(), child, answers }
    }

    /// From now on it verifies these tokens, which stand with spaces between them.
    pub(crate) fn ask(&mut self, tokens: &str) {
        writeln!(self.stdin, "{tokens}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The next answer.
    pub(crate) fn next(&self) -> Answer {
        self.answers.recv_timeout(Duration::from_secs(60)).expect("the process answers")
    }

    /// The next answer about this token.
    pub(crate) fn answer(&self, text: &str) -> Answer {
        loop {
            let answer = self.next();
            if answer.is_of(text) {
                return answer;
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
