//! Failures of every kind, one after the other, while tokens are revoked: each answer of a node that is a process of its own
//! is held against what was promised.
//!
//! `COUNTERFOIL_ROUNDS=500 cargo test -p counterfoil-cache --features postgres --test havoc -- --nocapture` does it for longer.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a longer run has done")]

#[path = "../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
mod line;
mod node;
mod process;

use std::{collections::BTreeMap, env, thread, time::Duration};

use cluster::{Database, Server, own_cluster};
use counterfoil::By;
use counterfoil_sqlx::PostgresStore;
use line::Line;
use nix::sys::signal::Signal;
use node::{Node, Told};
use process::{Answer, BOUND, DATABASE, Process, be_a_node, connect, now};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sqlx::ConnectOptions as _;
use tokio::runtime::Runtime;

const NAME: &str = "whatever_breaks_nobody_is_let_in_past_the_bound_and_nobody_good_is_refused";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    /// The node stands still.
    Stop,
    /// Nothing goes over its line, and nobody is told.
    Freeze,
    /// Its connections are ended by the server.
    Terminate,
    /// The server is killed.
    Kill,
    /// The server stands still.
    Pause,
}

const FAILURES: [Failure; 5] = [Failure::Stop, Failure::Freeze, Failure::Terminate, Failure::Kill, Failure::Pause];

/// All that there is: a node of the test's own beside the one that is a process, on a cluster.
struct Scene {
    runtime: Runtime,
    server: Server,
    database: Database,
    here: Node<PostgresStore>,
    line: Line,
    there: Process,
}

impl Scene {
    fn breaks(&self, failure: Failure) {
        match failure {
            Failure::Stop => self.there.signal(Signal::SIGSTOP),
            Failure::Freeze => self.line.freeze(true),
            Failure::Terminate => self.runtime.block_on(async {
                // Those over the line come by TCP, and all others by the socket.
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL";
                cluster::run(&mut self.database.connect().await, others).await;
            }),
            Failure::Kill => self.server.cluster().kill(),
            Failure::Pause => self.server.cluster().pause(),
        }
    }

    fn mends(&self, failure: Failure) {
        match failure {
            Failure::Stop => self.there.signal(Signal::SIGCONT),
            Failure::Freeze => self.line.freeze(false),
            Failure::Terminate => {}
            Failure::Kill => self.server.cluster().restart(),
            Failure::Pause => self.server.cluster().resume(),
        }
    }

    /// When the revocation had returned, if it was acknowledged.
    fn revokes(&self, told: &Told) -> Option<u128> {
        self.runtime.block_on(self.here.registry.revoke(told.id, By::unknown())).ok().map(|()| now())
    }
}

#[test]
fn whatever_breaks_nobody_is_let_in_past_the_bound_and_nobody_good_is_refused() {
    if let Ok(database) = env::var(DATABASE) {
        return be_a_node(&database);
    }
    let Some(server) = own_cluster() else { return };
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(server.database());
    let here = runtime.block_on(connect(database.options()));
    let (line, over_it) = runtime.block_on(Line::to(&database.options()));
    let there = Process::start(over_it.to_url_lossy().as_str(), NAME);
    let mut scene = Scene { runtime, server, database, here, line, there };
    let rounds = env::var("COUNTERFOIL_ROUNDS").map_or(10, |rounds| rounds.parse().expect("a number of rounds"));
    let mut chance = StdRng::seed_from_u64(6);
    let mut seen = BTreeMap::<_, u64>::new();
    for number in 0..rounds {
        let failure = FAILURES[number % FAILURES.len()];
        round(&mut scene, failure, &mut chance, |answer| {
            *seen.entry((failure, answer.verdict.clone(), answer.from_memory)).or_default() += 1;
        });
    }
    eprintln!("{rounds} rounds; answers by failure, verdict, and whether from memory: {seen:#?}");
}

/// Three tokens are revoked at some moment before, while or after something is broken; one stays good.
fn round(scene: &mut Scene, failure: Failure, chance: &mut StdRng, mut see: impl FnMut(&Answer)) {
    let tokens: Vec<Told> = (0..4).map(|_| scene.runtime.block_on(scene.here.issue())).collect();
    let (good, bad) = tokens.split_first().unwrap();
    let texts: Vec<&str> = tokens.iter().map(|told| told.text.as_str()).collect();
    scene.there.ask(&texts.join(" "));
    for told in &tokens {
        while !matches!(scene.there.answer(&told.text), Answer { verdict, from_memory: true, .. } if verdict == "ok") {}
    }
    let mut revoked: BTreeMap<&str, u128> = BTreeMap::new();
    let breaks_after = chance.random_range(0..=bad.len());
    let mut pause = |most: u64| thread::sleep(Duration::from_micros(chance.random_range(0..most)));
    for (index, told) in bad.iter().enumerate() {
        if index == breaks_after {
            scene.breaks(failure);
        }
        // By a server that cannot, none is acknowledged.
        revoked.extend(scene.revokes(told).map(|at| (told.text.as_str(), at)));
        pause(4_000);
    }
    if breaks_after == bad.len() {
        scene.breaks(failure);
    }
    pause(2 * u64::try_from(BOUND.as_micros()).unwrap());
    scene.mends(failure);
    // What was not acknowledged is done again, until it is.
    for told in bad {
        while !revoked.contains_key(told.text.as_str()) {
            revoked.extend(scene.revokes(told).map(|at| (told.text.as_str(), at)));
        }
    }
    let mut refused: BTreeMap<&str, bool> = BTreeMap::new();
    let mut serves_again = false;
    while refused.len() < bad.len() || !serves_again {
        let answer = scene.there.next();
        let Some(told) = tokens.iter().find(|told| answer.is_of(&told.text)) else { continue };
        see(&answer);
        if told.id == good.id {
            assert_ne!(answer.verdict, "refused", "{failure:?}: a good token");
            serves_again = refused.len() == bad.len() && answer.verdict == "ok" && answer.from_memory;
            continue;
        }
        let text = told.text.as_str();
        let late = answer.asked.saturating_sub(revoked[text]);
        match answer.verdict.as_str() {
            "ok" => {
                assert!(late < BOUND.as_micros(), "{failure:?}: let in, asked for {late} µs after it: {answer:?}");
                assert!(!refused.contains_key(text), "{failure:?}: let in after it was refused: {answer:?}");
            }
            "refused" => drop(refused.insert(text, answer.from_memory)),
            _ => {}
        }
    }
}
