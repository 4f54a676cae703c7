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

use std::{
    hint::black_box,
    process::{Command, ExitCode},
    sync::Arc,
    time::{Duration, Instant},
};

use counterfoil::{
    Argon2Cost, Circumstances, Grant, Keyring, Lifetime, MemoryStore, Minted, Owner, Record, Registry, Scopes,
    Timestamp, TokenFormat, TokenStore, Verified, check, check::selectors, verify,
};

use floors::{Argon2Floor, Floor, PREFIX};

const SERVER_KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const TENANT: &str = "acme";
const OWNER: &str = "user-42";

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
    let entries: [(&str, fn() -> Measured, Bar); 4] = [
        ("keyed_verify", keyed_verify, Bar { ratio: 1.25, allocations: Some(0) }),
        ("garbage_reject", garbage_reject, Bar { ratio: 0.35, allocations: Some(0) }),
        ("mint", mint, Bar { ratio: 1.25, allocations: None }),
        ("argon2_verify", argon2_verify, Bar { ratio: 1.05, allocations: None }),
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

/// The library set up as a host would: a format, a keyring, a token and its record.
struct Host {
    format: TokenFormat,
    keyring: Keyring,
    now: Timestamp,
    text: String,
    record: Arc<Record>,
}

impl Host {
    fn new() -> Self {
        let keyring = keyring();
        let format = TokenFormat::builder(PREFIX).build().unwrap();
        let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
        let Minted { token, record } = grant().mint(&format, &keyring, now).unwrap();
        let text = token.expose().to_owned();
        Self { format, keyring, now, text, record: Arc::new(record) }
    }

    /// From the text to the verdict, by the public steps in the order that the registry takes them.
    fn verify(&self, text: &str) -> Option<Verified> {
        let Ok(presented) = self.format.parse(text) else { return None };
        let Ok(selectors) = selectors(&presented, &self.keyring) else { return None };
        black_box(selectors.as_slice());
        let Ok(check) = check(presented, Some(&self.record), &self.keyring) else { return None };
        verify(check, Some(Arc::clone(&self.record)), &Circumstances::at(self.now)).ok()
    }

    fn floor(&self) -> Floor {
        Floor::new(&SERVER_KEY, "digest", *self.record.id().as_bytes(), TENANT, OWNER)
    }
}

fn keyring() -> Keyring {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    format!("k1:{}:mint", STANDARD.encode(SERVER_KEY)).parse().unwrap()
}

fn grant() -> Grant {
    let scopes: Scopes = "parts:read parts:write".parse().unwrap();
    Grant::new(Owner::in_tenant(TENANT, OWNER).unwrap(), Lifetime::days(90)).scopes(scopes)
}

fn keyed_verify() -> Measured {
    let host = Host::new();
    let floor = host.floor();
    let expected = floors::keyed_value(&host.record.to_row().current.digest);
    assert!(host.verify(&host.text).is_some() && floor.verify(&host.text, &expected), "both accept the token");
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&host.text)));
            }
        },
        |count| {
            for _ in 0..count {
                black_box(floor.verify(black_box(&host.text), black_box(&expected)));
            }
        },
    )
}

/// The floor of a refusal is an acceptance: what a made-up token may cost at most.
fn garbage_reject() -> Measured {
    let host = Host::new();
    let garbage = host.format.fake().unwrap();
    assert!(host.format.parse(&garbage).is_err() && garbage.len() == host.text.len(), "right shape, wrong checksum");
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&garbage)));
            }
        },
        |count| {
            for _ in 0..count {
                black_box(host.verify(black_box(&host.text)));
            }
        },
    )
}

fn mint() -> Measured {
    let host = Host::new();
    let floor = host.floor();
    let grant = grant();
    let now = host.now.unix_millis().unsigned_abs();
    let minted = floor.mint(now);
    assert!(host.format.parse(&minted.text).is_ok(), "the floor mints tokens");
    // Both are handed a grant of their own: a mint takes it by value.
    pairwise(
        FAST,
        |count| {
            for _ in 0..count {
                black_box(black_box(&grant).clone().mint(&host.format, &host.keyring, host.now).unwrap());
            }
        },
        |count| {
            for _ in 0..count {
                black_box((black_box(&grant).clone(), floor.mint(black_box(now))));
            }
        },
    )
}

fn argon2_verify() -> Measured {
    let format = TokenFormat::builder(PREFIX).build().unwrap();
    let keyring = keyring().with_argon2id(Argon2Cost::default()).unwrap();
    let store = MemoryStore::new();
    let registry = Registry::builder(format, keyring, store.clone()).build().unwrap();
    let issued = pollster::block_on(registry.issue(grant())).unwrap();
    let text = issued.token.expose();
    let record = pollster::block_on(store.get(issued.record.id())).unwrap().unwrap().record;

    let floor = Argon2Floor::new(Floor::new(&SERVER_KEY, "argon2", *record.id().as_bytes(), TENANT, OWNER));
    let (salt, expected) = floors::argon2_values(&record.to_row().current.digest);
    assert!(floor.verify(text, salt, &expected), "the floor accepts the token");
    pairwise(
        SLOW,
        |count| {
            for _ in 0..count {
                black_box(pollster::block_on(registry.verify(black_box(text))).unwrap());
            }
        },
        |count| {
            for _ in 0..count {
                assert!(black_box(floor.verify(black_box(text), salt, &expected)));
            }
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
