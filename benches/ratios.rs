//! The library against its floors, interleaved: `cargo bench --bench ratios [-- NAME…]`.
//!
//! Standard output holds `name`, ratio, allocations, our and the floor's nanoseconds, separated by tabs, one line for
//! each; standard error holds the machine and the bars. The exit code is 1 if a bar is missed.
//!
//! Two programs run one after the other are not compared by their times: the machine's speed drifts by more than what
//! is asked about. So both run in turns of a few milliseconds, each first in every other pair, and the ratio is the
//! median of the pairs' own ratios.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its numbers")]

mod floors;
mod host;

use std::{
    hint::black_box,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use counterfoil::{Registry, Timestamp};
use counterfoil_sqlx::SqliteStore;
use floors::SqliteFloor;
use host::{Host, InMemory, fill, format, grant, keyring};

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

struct Measured {
    ratio: f64,
    quartiles: (f64, f64),
    allocations: u64,
    /// Nanoseconds for one, the median over all pairs.
    ours: f64,
    floor: f64,
    pairs: usize,
}

/// How often, and for how long in each half of a pair.
struct Pairs {
    number: usize,
    batch: Duration,
}

const FAST: Pairs = Pairs { number: 201, batch: Duration::from_millis(2) };
/// A lookup is handed from thread to thread and back: a batch must outlast the scheduler's whims.
const THREADED: Pairs = Pairs { number: 101, batch: Duration::from_millis(20) };
const SLOW: Pairs = Pairs { number: 41, batch: Duration::ZERO };

/// Measures two operations in turns. Each is handed the number of times it is to be done.
fn pairwise(pairs: Pairs, mut ours: impl FnMut(u64), mut floor: impl FnMut(u64)) -> Measured {
    let time = |operation: &mut dyn FnMut(u64), count: u64| {
        let start = Instant::now();
        operation(count);
        start.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    // Both are warm, and the batch is sized by the slower first runs, before anything counts.
    let mut count = 1;
    loop {
        let start = Instant::now();
        ours(count);
        floor(count);
        if start.elapsed() >= pairs.batch * 2 {
            break;
        }
        count *= 2;
    }
    let allocations = allocation_counter::measure(|| ours(1)).count_total;

    let (mut ratios, mut all_ours, mut all_floor) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs.number {
        let (of_ours, of_floor);
        if pair % 2 == 0 {
            of_ours = time(&mut ours, count);
            of_floor = time(&mut floor, count);
        } else {
            of_floor = time(&mut floor, count);
            of_ours = time(&mut ours, count);
        }
        ratios.push(of_ours / of_floor);
        all_ours.push(of_ours);
        all_floor.push(of_floor);
    }
    Measured {
        ratio: quantile(&mut ratios, 0.5),
        quartiles: (quantile(&mut ratios, 0.25), quantile(&mut ratios, 0.75)),
        allocations,
        ours: quantile(&mut all_ours, 0.5),
        floor: quantile(&mut all_floor, 0.5),
        pairs: pairs.number,
    }
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
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
    let store = runtime.block_on(SqliteStore::open(&path)).unwrap();
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

fn print_machine() {
    let of_command = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(": ")?.1.to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let rustc = of_command("rustc", &["--version"]).unwrap_or_default();
    let now = Timestamp::try_from(std::time::SystemTime::now()).map(|now| now.to_string()).unwrap_or_default();
    eprintln!("{processor}, {cores} cores, load {}; {rustc}; {now}", load.split(' ').next().unwrap_or_default());
}
