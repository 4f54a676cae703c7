//! The library against its floors, interleaved: `cargo bench --bench ratios [-- NAME…]`.
//!
//! Standard output holds `name`, ratio, allocations, our and the floor's nanoseconds, separated by tabs, one line for
//! each; standard error holds the machine and the bars. The exit code is 1 if a bar is missed.
//!
//! How it is measured stands in `pairwise`.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its numbers")]

mod floors;
mod host;
mod pairwise;

use std::{hint::black_box, process::ExitCode};

use counterfoil::Registry;
use counterfoil_sqlx::SqliteStore;
use floors::SqliteFloor;
use host::{Host, InMemory, fill, format, grant, keyring};
use pairwise::{FAST, Measured, SLOW, THREADED, pairwise, print_machine};

fn main() -> ExitCode {
    // `cargo bench` alone passes `--bench`. `cargo test --benches` and `cargo nextest` do not, or ask for a list or a
    // test run: there is no test in here, and nothing is measured where a busy machine would fail the build.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    if !is_given("--bench") || is_given("--test") || is_given("--list") {
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    print_machine();

    let mut all_held = true;
    let entries: [Entry; 6] = [
        ("keyed_verify", keyed_verify, Bar { ratio: 1.25, allocations: Some(0) }),
        ("garbage_reject", garbage_reject, Bar { ratio: 0.35, allocations: Some(0) }),
        ("mint", mint, Bar { ratio: 1.25, allocations: None }),
        ("argon2_verify", argon2_verify, Bar { ratio: 1.05, allocations: None }),
        ("argon2_remembered", argon2_remembered, Bar { ratio: 2.0, allocations: None }),
        ("sqlite_verify", sqlite_verify, Bar { ratio: 1.15, allocations: None }),
    ];
    for (name, measure, bar) in entries {
        if !names.is_empty() && !names.iter().any(|wanted| *wanted == name) {
            continue;
        }
        let Measured { ratio, quartiles, allocations, ours, floor, pairs } = measure();
        println!("{name}\t{ratio:.3}\t{allocations}\t{ours:.0}\t{floor:.0}");
        let held = ratio <= bar.ratio && bar.allocations.is_none_or(|most| allocations <= most);
        let most = bar.allocations.map(|most| format!(", at most {most} allocations")).unwrap_or_default();
        eprintln!(
            "{name}: {} (bar {:.2}{most}); middle half of {pairs} pairs {:.3} to {:.3}",
            if held { "held" } else { "MISSED" },
            bar.ratio,
            quartiles.0,
            quartiles.1,
        );
        all_held &= held;
    }
    if all_held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Entry = (&'static str, fn() -> Measured, Bar);

/// What a measurement must not go above.
struct Bar {
    ratio: f64,
    allocations: Option<u64>,
}

fn keyed_verify() -> Measured {
    let host = Host::new();
    let (floor, loaded) = host.floor();
    let mut loaded_record = Some(host.record.clone());
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&host.text), &mut loaded_record));
            }
        },
        |count| {
            for _ in 0..count {
                black_box(floor.verify(black_box(&host.text), black_box(&loaded)));
            }
        },
    )
}

/// The floor of a refusal is an acceptance: what a made-up token may cost at most.
fn garbage_reject() -> Measured {
    let host = Host::new();
    let garbage = host.garbage();
    let (mut loaded, mut of_floor) = (Some(host.record.clone()), Some(host.record.clone()));
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&garbage), &mut loaded));
            }
        },
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&host.text), &mut of_floor));
            }
        },
    )
}

fn mint() -> Measured {
    let host = Host::new();
    let (floor, _) = host.floor();
    let grant = grant();
    let now = host.now.unix_millis().unsigned_abs();
    assert!(host.format.parse(&floor.mint(now).text).is_ok(), "the floor mints tokens");
    // A mint takes its grant by value, so both are handed one of their own.
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                let minted = black_box(&grant).clone().mint(&host.format, &host.keyring, host.now).unwrap();
                black_box(&minted);
            }
        },
        |count| {
            for _ in 0..count {
                let minted = (black_box(&grant).clone(), floor.mint(black_box(now)));
                black_box(&minted);
            }
        },
    )
}

fn argon2_verify() -> Measured {
    let host = InMemory::slow();
    let floor = host.floor();
    pairwise(
        SLOW,
        |count| {
            for _ in 0..count {
                black_box(pollster::block_on(host.registry.verify(black_box(&host.text))).unwrap());
            }
        },
        |count| {
            for _ in 0..count {
                assert!(black_box(floor.verify(black_box(&host.text))));
            }
        },
    )
}

/// The floor is the same registry with keyed digests: what a remembered token may cost beside one that never was slow.
fn argon2_remembered() -> Measured {
    let (host, of_floor) = (InMemory::remembering(), InMemory::new(keyring()));
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(pollster::block_on(host.registry.verify(black_box(&host.text))).unwrap());
            }
        },
        |count| {
            for _ in 0..count {
                black_box(pollster::block_on(of_floor.registry.verify(black_box(&of_floor.text))).unwrap());
            }
        },
    )
}

fn sqlite_verify() -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let texts = runtime.block_on(fill(&path, 10_000));
    let store = runtime.block_on(SqliteStore::open_or_create(&path)).unwrap();
    let registry = Registry::builder(format(), keyring(), store).build().unwrap();
    let floor = runtime.block_on(SqliteFloor::open(&path));
    pairwise(
        THREADED,
        |count| {
            runtime.block_on(async {
                for text in texts.iter().cycle().take(count as usize) {
                    black_box(registry.verify(black_box(text)).await.unwrap());
                }
            });
        },
        |count| {
            runtime.block_on(async {
                for text in texts.iter().cycle().take(count as usize) {
                    black_box(floor.find(black_box(text)).await);
                }
            });
        },
    )
}
