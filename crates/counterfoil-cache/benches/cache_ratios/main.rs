//! What verifying costs behind a cache, and how soon a revocation is seen: `cargo bench -p counterfoil-cache
//! --all-features --bench cache_ratios [-- NAME…]`.
//!
//! Standard output holds `name`, ratio, allocations, our and the floor's nanoseconds, separated by tabs, one line for
//! each; standard error holds the machine and the bars. The exit code is 1 if a bar is missed. How it is measured stands in
//! `pairwise`, but for these two:
//!
//! - `cached_scaling`: the ratio is what two threads do more than one, over what a bare HMAC gains from two threads in the same
//!   round; the nanoseconds are those of a verification and of an HMAC with two threads.
//! - `revocation_seen_ms`: two processes on one PostgreSQL, that of the tests; the ratio is the median, in milliseconds, from a
//!   revocation's return in the one to the first refusal in the other, and its nanoseconds stand for the median and the 99th
//!   percentile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints its numbers"
)]

#[path = "../../../counterfoil-sqlx/tests/cluster/mod.rs"]
mod cluster;
#[allow(dead_code, reason = "the library's own, of which this one needs a part")]
#[path = "../../../../benches/floors/mod.rs"]
mod floors;
#[allow(dead_code, reason = "the library's own, of which this one needs a part")]
#[path = "../../../../benches/host/mod.rs"]
mod host;
#[path = "../../../../benches/pairwise/mod.rs"]
mod pairwise;
mod revocation;

use std::{
    hint::black_box,
    num::NonZero,
    pin::pin,
    process::ExitCode,
    sync::Barrier,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use counterfoil::{Argon2Cost, Keyring, MemoryStore, Registry, TokenStore as _, registry::RegistryBuilder};
use counterfoil_cache::{CachedStore, Settings};
use floors::{Argon2Floor, Floor};
use host::{Host, OWNER, SERVER_KEY, TENANT, format, grant, keyring};
use pairwise::{FAST, Measured, SLOW, pairwise, print_machine, quantile};

/// A name, how it is measured, the bar, and whether the ratio must not go above it, or below.
type Entry = (&'static str, fn() -> Option<Measured>, f64, Side);

enum Side {
    AtMost,
    AtLeast,
}

fn main() -> ExitCode {
    if let Ok(database) = std::env::var(revocation::DATABASE) {
        revocation::be_a_node(&database);
        return ExitCode::SUCCESS;
    }
    // `cargo bench` alone passes `--bench`. `cargo test --benches` and `cargo nextest` do not, or ask for a list or a
    // test run: there is no test in here.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    if !is_given("--bench") || is_given("--test") || is_given("--list") {
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    print_machine();
    let mut all_held = true;
    let entries: [Entry; 5] = [
        ("cached_verify", || Some(cached_verify()), 3.0, Side::AtMost),
        ("cached_scaling", || Some(cached_scaling()), 0.8, Side::AtLeast),
        ("argon2_cold", || Some(argon2_cold()), 1.05, Side::AtMost),
        ("argon2_remembered", || Some(argon2_remembered()), 2.0, Side::AtMost),
        ("revocation_seen_ms", revocation::seen, 50.0, Side::AtMost),
    ];
    for (name, measure, bar, side) in entries {
        if !names.is_empty() && !names.iter().any(|wanted| *wanted == name) {
            continue;
        }
        let Some(Measured { ratio, quartiles, allocations, ours, floor, pairs }) = measure() else {
            eprintln!("{name}: SKIPPED");
            continue;
        };
        println!("{name}\t{ratio:.3}\t{allocations}\t{ours:.0}\t{floor:.0}");
        let (is_held, most) = match side {
            Side::AtMost => (ratio <= bar, "at most"),
            Side::AtLeast => (ratio >= bar, "at least"),
        };
        let word = if is_held { "held" } else { "MISSED" };
        let (lower, upper) = quartiles;
        eprintln!("{name}: {word} (bar {most} {bar:.2}); middle half of {pairs} {lower:.3} to {upper:.3}");
        all_held &= is_held;
    }
    if all_held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A registry behind a cache, and the texts of tokens that are in it.
struct Cached {
    registry: Registry,
    texts: Vec<String>,
}

impl Cached {
    fn new(keyring: Keyring, tokens: usize, set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        // Nothing is read anew while it is measured.
        let settings = Settings::default().bound(Duration::from_secs(60));
        let store = CachedStore::by_age(MemoryStore::new(), settings);
        let registry = set_up(Registry::builder(format(), keyring, store)).build().unwrap();
        let texts = (0..tokens).map(|_| pollster::block_on(registry.issue(grant())).unwrap().token.expose().to_owned());
        let cached = Self { texts: texts.collect(), registry };
        cached.texts.iter().for_each(|text| drop(pollster::block_on(cached.registry.verify(text)).unwrap()));
        cached
    }

    /// Polled once, as in a task that runs already: what is in memory is waited for by nobody, and an executor of its own for
    /// every verification is no part of it.
    fn verify(&self, text: &str) {
        let verifying = pin!(self.registry.verify(black_box(text)));
        let Poll::Ready(verified) = verifying.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("found a verification that waits, expected one from memory");
        };
        black_box(verified.unwrap());
    }

    fn run(&self, count: u64) {
        self.texts.iter().cycle().take(count as usize).for_each(|text| self.verify(text));
    }
}

/// The floor is a keyed verification with the record at hand: what is added is the look-up, the clock, and that a use is noted.
fn cached_verify() -> Measured {
    let (ours, floor) = (Cached::new(keyring(), 64, |registry| registry), Host::new());
    let mut loaded = Some(floor.record.clone());
    pairwise(
        FAST,
        |count| ours.run(count),
        |count| {
            for _ in 0..count {
                black_box(floor.verify(black_box(&floor.text), &mut loaded));
            }
        },
    )
}

/// As many as `threads` do together in a while; each has tokens of its own.
fn throughput(threads: usize, work: impl Fn(usize, u64) + Sync) -> f64 {
    const WHILE: Duration = Duration::from_millis(60);
    let start = Barrier::new(threads);
    let done: Vec<f64> = thread::scope(|scope| {
        let run = |thread: usize| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                let (began, mut done) = (Instant::now(), 0);
                while began.elapsed() < WHILE {
                    work(thread, 64);
                    done += 64;
                }
                f64::from(done) / began.elapsed().as_secs_f64()
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    done.iter().sum()
}

fn cached_scaling() -> Measured {
    const ROUNDS: usize = 41;
    let registry = Cached::new(keyring(), 128, |registry| registry);
    let halves: Vec<Vec<String>> = registry.texts.chunks(64).map(<[String]>::to_vec).collect();
    let verify = |thread: usize, count: u64| {
        halves[thread].iter().cycle().take(count as usize).for_each(|text| registry.verify(text));
    };
    let host = Host::new();
    let (hmac, id) = (Floor::new(&SERVER_KEY, "digest", *host.record.id().as_bytes(), TENANT, OWNER), [7; 16]);
    let hash = |_: usize, count: u64| (0..count).for_each(|_| drop(black_box(hmac.mac(black_box(&id), &host.text))));
    let (mut ratios, mut of_ours, mut of_hmac) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let gain = |work: &(dyn Fn(usize, u64) + Sync)| {
            let (one, two) = if round % 2 == 0 {
                let one = throughput(1, work);
                (one, throughput(2, work))
            } else {
                let two = throughput(2, work);
                (throughput(1, work), two)
            };
            (two / one, 2e9 / two)
        };
        let ((ours, our_nanos), (floor, its_nanos)) = (gain(&verify), gain(&hash));
        ratios.push(ours / floor);
        of_ours.push(our_nanos);
        of_hmac.push(its_nanos);
    }
    Measured {
        ratio: quantile(&mut ratios, 0.5),
        quartiles: (quantile(&mut ratios, 0.25), quantile(&mut ratios, 0.75)),
        allocations: allocation_counter::measure(|| registry.run(1)).count_total,
        ours: quantile(&mut of_ours, 0.5),
        floor: quantile(&mut of_hmac, 0.5),
        pairs: ROUNDS,
    }
}

/// The floor is the same slow hash by hand, on a thread with memory that is used again.
fn argon2_cold() -> Measured {
    let slow = keyring().with_argon2id(Argon2Cost::default()).unwrap();
    let store = MemoryStore::new();
    let settings = Settings::default().bound(Duration::from_secs(60));
    let cached = CachedStore::by_age(store.clone(), settings);
    let registry = Registry::builder(format(), slow, cached).build().unwrap();
    let issued = pollster::block_on(registry.issue(grant())).unwrap();
    let record = pollster::block_on(store.get(issued.record.id())).unwrap().unwrap().record;
    let digest = Floor::new(&SERVER_KEY, "argon2", *record.id().as_bytes(), TENANT, OWNER);
    let floor = Argon2Floor::new(digest, &record.to_row().current.digest);
    let text = issued.token.expose();
    assert!(floor.verify(text), "the floor reaches the same digest");
    pairwise(
        SLOW,
        |count| {
            for _ in 0..count {
                black_box(pollster::block_on(registry.verify(black_box(text))).unwrap());
            }
        },
        |count| {
            for _ in 0..count {
                assert!(black_box(floor.verify(black_box(text))));
            }
        },
    )
}

/// The floor is a keyed verification through the same cache.
fn argon2_remembered() -> Measured {
    let slow = keyring().with_argon2id(Argon2Cost::default()).unwrap();
    let ours = Cached::new(slow, 1, |registry| registry.remember_slow_hashes(NonZero::new(1024).unwrap()));
    let floor = Cached::new(keyring(), 1, |registry| registry);
    pairwise(FAST, |count| ours.run(count), |count| floor.run(count))
}
