//! Nodes that are processes of their own: one that stands still while tokens are revoked through another, and one that is
//! killed while it works. Every answer is held against what was promised.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a process answers")]

#[path = "../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
mod node;
mod process;

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use cluster::Server;
use counterfoil::{By, Grant, Keyring, Lifetime, Owner, Registry, SystemClock, TokenFormat, TokenId, TokenStore as _};
use counterfoil_sqlx::PostgresStore;
use nix::sys::signal::Signal;
use process::{Answer, BOUND, DATABASE, Process, be_a_node, connect, now};
use sqlx::ConnectOptions as _;
use tokio::runtime::Runtime;

const STANDS_STILL: &str = "a_process_that_stood_still_lets_nobody_in_past_the_bound";
const IS_KILLED: &str = "a_killed_node_loses_the_uses_since_the_last_write_and_nothing_else";

#[test]
fn a_process_that_stood_still_lets_nobody_in_past_the_bound() {
    if let Ok(database) = env::var(DATABASE) {
        return be_a_node(&database);
    }
    let Some(server) = Server::shared() else { return };
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(server.database());
    let here = runtime.block_on(connect(database.options()));
    let mut there = Process::start(database.options().to_url_lossy().as_str(), STANDS_STILL);
    let bound = BOUND.as_micros();
    // Shorter than the bound, about as long, and longer; each with the revocation before and after the other stands still.
    for (still_for, stops_first) in
        [(0, true), (200, true), (580, true), (620, false), (1500, true), (1500, false), (3000, true)]
    {
        let told = runtime.block_on(here.issue());
        there.ask(&told.text);
        // Until it is served from memory.
        while !matches!(there.answer(&told.text), Answer { verdict, from_memory: true, .. } if verdict == "ok") {}
        if stops_first {
            there.signal(Signal::SIGSTOP);
        }
        runtime.block_on(here.registry.revoke(told.id, By::unknown())).unwrap();
        let revoked = now();
        if !stops_first {
            there.signal(Signal::SIGSTOP);
        }
        thread::sleep(Duration::from_millis(still_for));
        there.signal(Signal::SIGCONT);
        loop {
            let Answer { asked, verdict, from_memory, .. } = there.answer(&told.text);
            let late = asked.saturating_sub(revoked);
            assert!(
                verdict != "ok" || late < bound,
                "let in, asked for {late} µs after the revocation ({from_memory})"
            );
            if verdict == "refused" && late > bound {
                break;
            }
        }
    }
    runtime.block_on(database.drop());
}

/// Uses a token and writes the uses, again and again, and says which use is written for certain; and makes and revokes tokens
/// of its own beside it.
fn work_until_killed(database: &str) {
    Runtime::new().unwrap().block_on(async {
        let (node, clock) = (connect(database.parse().unwrap()).await, SystemClock);
        let registry = {
            let format = TokenFormat::builder("acme").build().unwrap();
            let keyring: Keyring = node::K1.parse().unwrap();
            Registry::builder(format, keyring, node.store.clone()).clock(clock).build().unwrap()
        };
        let grant = || Grant::new(Owner::new("ann").unwrap(), Lifetime::days(90));
        let used = registry.issue(grant()).await.unwrap();
        for number in 0.. {
            for _ in 0..number % 7 {
                registry.verify(used.token.expose()).await.unwrap();
            }
            registry.verify(used.token.expose()).await.unwrap();
            let at = registry.now().unwrap().unix_millis();
            registry.flush_uses().await.unwrap();
            println!("\nused {at} {} -", used.record.id());
            let other = registry.issue(grant()).await.unwrap();
            println!("\nissued 0 {} -", other.record.id());
            if number % 2 == 0 {
                registry.revoke(other.record.id(), By::unknown()).await.unwrap();
                println!("\nrevoked 0 {} -", other.record.id());
            }
        }
    });
}

#[test]
fn a_killed_node_loses_the_uses_since_the_last_write_and_nothing_else() {
    if let Ok(database) = env::var(DATABASE) {
        return work_until_killed(&database);
    }
    let Some(server) = Server::shared() else { return };
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(server.database());
    let store = runtime.block_on(async { PostgresStore::from_pool_or_create(database.pool(2).await).await.unwrap() });
    for facts in [3, 40, 101, 250] {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut node = command
            .args(["--exact", "--nocapture", IS_KILLED])
            .env(DATABASE, database.options().to_url_lossy().as_str())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(node.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.filter(|line| line.ends_with(" -")).take(facts).collect::<Vec<_>>();
        node.kill().unwrap();
        node.wait().unwrap();
        let mut seen = 0;
        for line in &told {
            let parts: Vec<&str> = line.split(' ').collect();
            let id: TokenId = parts[2].parse().unwrap();
            let stored = runtime.block_on(store.get(id)).unwrap().expect("an acknowledged token is there");
            match parts[0] {
                "used" => {
                    let at = stored.usage.expect("a written use is there").at.unix_millis();
                    assert!(at >= parts[1].parse().unwrap(), "{line}: the last use is at {at}");
                    assert_eq!(stored.record.version(), 1, "a use changes nothing else");
                    seen += 1;
                }
                "issued" => {}
                _ => assert!(stored.record.revoked().is_some(), "{line}"),
            }
        }
        assert!(seen > 0 && told.len() == facts, "{told:?}");
    }
    runtime.block_on(database.drop());
}
