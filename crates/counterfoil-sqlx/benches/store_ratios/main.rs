//! The stores against their drivers, interleaved: `cargo bench -p counterfoil-sqlx --all-features --bench store_ratios
//! [-- NAME…] [-- --large]`.
//!
//! Standard output holds `name`, ratio, allocations, our and the floor's nanoseconds, separated by tabs, one line for
//! each; standard error holds the bars and what was skipped. The exit code is 1 if a bar is missed.
//!
//! All runs on one core, the server too, as long as it is started here: a look-up is handed from one thread or process to
//! another and back, and where the scheduler wakes them up costs more than what is asked about.
//!
//! `--large` adds the look-ups among ten million records against those among ten thousand; `--rows=N` puts another
//! number in the place of ten million, and `--pairs=N` in that of 101 pairs. PostgreSQL is the server that the tests
//! would take.
//!
//! `--maintain`, or `--maintain=N` for another number than a million records, measures two runs of maintenance in place of
//! all that, and the revocation of the owner that has 50,000 of the records. Standard output then holds a line for each:
//! what was done, how long it took, how long a revocation of one token took meanwhile, and, on SQLite, how long the write
//! lock of the file was held. The exit code is 1 if more than one in a hundred holds was longer than 100 milliseconds, or
//! a run changed more than its bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints its numbers"
)]

#[path = "../../tests/cluster/mod.rs"]
mod cluster;
mod filling;
mod floors;
#[path = "../../../../benches/pairwise/mod.rs"]
mod pairwise;
mod upkeep;

use std::{hint::black_box, process::ExitCode, time::Duration};

use cluster::{Database, Server};
use counterfoil::{Registry, Selector, TokenStore};
use counterfoil_sqlx::{PostgresStore, SqliteStore};
use filling::{Filled, Hot};
use pairwise::{Measured, Pairs, THREADED, pairwise, print_machine};
use sqlx::PgPool;
use tokio::runtime::Runtime;

const FEW: u64 = 10_000;

/// A name, how it is measured, and the ratio that it must not go above.
type Entry = (&'static str, fn(&Settings) -> Option<Measured>, f64);

struct Settings {
    large: Option<u64>,
    /// Every look-up is handed from one thread or process to another and back: a batch must outlast the scheduler's whims.
    pairs: Pairs,
}

fn main() -> ExitCode {
    // `cargo bench` alone passes `--bench`. `cargo test --benches` and `cargo nextest` do not, or ask for a list or a
    // test run: there is no test in here.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    if !is_given("--bench") || is_given("--test") || is_given("--list") {
        return ExitCode::SUCCESS;
    }
    let number = |name: &str| {
        let text = arguments.iter().find_map(|argument| argument.strip_prefix(name));
        text.map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: found `{text}`, expected a number")))
    };
    let rows: Option<u64> = number("--rows=");
    let settings = Settings {
        large: (is_given("--large") || rows.is_some()).then_some(rows.unwrap_or(10_000_000)),
        pairs: Pairs {
            number: number("--pairs=").map_or(THREADED.number, |pairs| usize::try_from(pairs).unwrap()),
            ..THREADED
        },
    };
    let maintained = number("--maintain=").or_else(|| is_given("--maintain").then_some(1_000_000));
    if let Some(rows) = maintained {
        print_machine();
        let held = [maintain_sqlite(rows), maintain_postgres(rows)];
        return if held.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    print_machine();
    stay_on_one_core();
    let mut all_held = true;
    let entries: [Entry; 4] = [
        ("sqlite_verify", sqlite_verify, 1.15),
        ("postgres_verify", postgres_verify, 1.15),
        ("lookup_10m_vs_10k_sqlite", lookup_sqlite, 1.3),
        ("lookup_10m_vs_10k_postgres", lookup_postgres, 1.3),
    ];
    for (name, measure, bar) in entries {
        if !names.is_empty() && !names.iter().any(|wanted| *wanted == name) {
            continue;
        }
        let Some(Measured { ratio, quartiles, allocations, ours, floor, .. }) = measure(&settings) else {
            eprintln!("{name}: SKIPPED");
            continue;
        };
        println!("{name}\t{ratio:.3}\t{allocations}\t{ours:.0}\t{floor:.0}");
        let is_held = ratio <= bar;
        let word = if is_held { "held" } else { "MISSED" };
        eprintln!("{name}: {word} (bar {bar:.2}); middle half {:.3} to {:.3}", quartiles.0, quartiles.1);
        all_held &= is_held;
    }
    if all_held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// For this thread and all threads and processes that it starts.
fn stay_on_one_core() {
    #[cfg(target_os = "linux")]
    {
        let own = nix::unistd::Pid::from_raw(0);
        let allowed = nix::sched::sched_getaffinity(own).unwrap();
        let mut last = nix::sched::CpuSet::new();
        let core = (0..nix::sched::CpuSet::count()).rfind(|core| allowed.is_set(*core).unwrap()).unwrap();
        last.set(core).unwrap();
        nix::sched::sched_setaffinity(own, &last).unwrap();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// From the text to the verdict through a registry, against `floor` with the selectors of the same tokens.
fn verify(
    runtime: &Runtime,
    pairs: Pairs,
    store: impl TokenStore,
    hot: &[Hot],
    floor: impl AsyncFn(&Selector) -> usize,
) -> Measured {
    let registry = Registry::builder(filling::format(), filling::keyring(), store).build().unwrap();
    pairwise(
        pairs,
        |count| {
            runtime.block_on(async {
                for Hot { text, .. } in hot.iter().cycle().take(count as usize) {
                    black_box(registry.verify(black_box(text)).await.unwrap());
                }
            });
        },
        |count| {
            runtime.block_on(async {
                for Hot { selector, .. } in hot.iter().cycle().take(count as usize) {
                    black_box(floor(black_box(selector)).await);
                }
            });
        },
    )
}

/// Look-ups in `large` against the same in `small`, of hot records, after every one was looked up.
fn lookup<S: TokenStore>(runtime: &Runtime, pairs: Pairs, large: (&S, &[Hot]), small: (&S, &[Hot])) -> Measured {
    let run = |(store, hot): (&S, &[Hot]), count: u64| {
        runtime.block_on(async {
            for Hot { selector, .. } in hot.iter().cycle().take(count as usize) {
                black_box(store.find(&[black_box(*selector)]).await.unwrap().unwrap());
            }
        });
    };
    run(large, large.1.len() as u64);
    run(small, small.1.len() as u64);
    pairwise(pairs, |count| run(large, count), |count| run(small, count))
}

fn sqlite_verify(settings: &Settings) -> Option<Measured> {
    let runtime = runtime();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let hot = runtime.block_on(filling::sqlite(&path, FEW));
    let store = runtime.block_on(SqliteStore::open_or_create(&path)).unwrap();
    let floor = runtime.block_on(floors::sqlite_pool(&path));
    Some(verify(&runtime, settings.pairs, store, &hot, async |selector| floors::sqlite_find(&floor, selector).await))
}

fn lookup_sqlite(settings: &Settings) -> Option<Measured> {
    let rows = fitting(settings.large)?;
    let runtime = runtime();
    let directory = tempfile::tempdir().unwrap();
    let [large, small] = [rows, FEW].map(|rows| {
        let path = directory.path().join(format!("{rows}.db"));
        let hot = runtime.block_on(filling::sqlite(&path, rows));
        print_size(std::fs::metadata(&path).unwrap().len(), rows);
        Filled { store: runtime.block_on(SqliteStore::open(&path)).unwrap(), hot }
    });
    Some(lookup(&runtime, settings.pairs, (&large.store, &large.hot), (&small.store, &small.hot)))
}

async fn postgres(server: &Server, rows: u64) -> (Database, PgPool, Filled<PostgresStore>) {
    let database = server.database().await;
    let pool = database.pool(4).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
    let hot = filling::postgres(&pool, &store, rows).await;
    (database, pool, Filled { store, hot })
}

fn postgres_verify(settings: &Settings) -> Option<Measured> {
    let server = Server::shared()?;
    let runtime = runtime();
    let (database, pool, Filled { store, hot }) = runtime.block_on(postgres(server, FEW));
    let measured =
        verify(&runtime, settings.pairs, store, &hot, async |selector| floors::postgres_find(&pool, selector).await);
    runtime.block_on(pool.close());
    runtime.block_on(database.drop());
    Some(measured)
}

fn lookup_postgres(settings: &Settings) -> Option<Measured> {
    let rows = fitting(settings.large)?;
    let server = Server::shared()?;
    let runtime = runtime();
    let (large_database, large_pool, large) = runtime.block_on(postgres(server, rows));
    let size = sqlx::query_scalar::<_, i64>("SELECT pg_database_size(current_database())");
    print_size(runtime.block_on(size.fetch_one(&large_pool)).unwrap().unsigned_abs(), rows);
    let (small_database, small_pool, small) = runtime.block_on(postgres(server, FEW));
    let measured = lookup(&runtime, settings.pairs, (&large.store, &large.hot), (&small.store, &small.hot));
    runtime.block_on(async {
        large_pool.close().await;
        small_pool.close().await;
        large_database.drop().await;
        small_database.drop().await;
    });
    Some(measured)
}

/// The most that one step of a run may change, and how long a lock may be held.
const BOUND: u64 = 5000;
const LONG: Duration = Duration::from_millis(100);

fn maintain_sqlite(rows: u64) -> bool {
    let runtime = runtime();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    runtime.block_on(filling::sqlite_for_upkeep(&path, rows, upkeep::now()));
    print_size(std::fs::metadata(&path).unwrap().len(), rows);
    runtime.block_on(async {
        let store = SqliteStore::open(&path).await.unwrap();
        let registry = upkeep::registry(store.clone());
        let file = upkeep::lock_file(&path);
        let mut is_held = true;
        for number in 1..=2 {
            let watch = upkeep::LockWatch::on(&file);
            let (run, took) = upkeep::maintain(&registry).await;
            is_held &= print_run("sqlite", number, &run, &took);
            is_held &= print_holds(&watch.holds());
        }
        let watch = upkeep::LockWatch::on(&file);
        let (revoked, took) = upkeep::revoke_all(&registry).await;
        print_revocation("sqlite", revoked, &took);
        is_held &= print_holds(&watch.holds());
        store.close().await;
        drop(file);
        is_held
    })
}

fn maintain_postgres(rows: u64) -> bool {
    let Some(server) = Server::shared() else {
        eprintln!("maintain_postgres: SKIPPED");
        return true;
    };
    let runtime = runtime();
    runtime.block_on(async {
        let database = server.database().await;
        let pool = database.pool(4).await;
        let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
        filling::postgres_for_upkeep(&pool, rows, upkeep::now()).await;
        let registry = upkeep::registry(store);
        let mut is_held = true;
        for number in 1..=2 {
            let (run, took) = upkeep::maintain(&registry).await;
            is_held &= print_run("postgres", number, &run, &took);
            println!();
        }
        let (revoked, took) = upkeep::revoke_all(&registry).await;
        print_revocation("postgres", revoked, &took);
        println!();
        pool.close().await;
        database.drop().await;
        is_held
    })
}

fn print_run(store: &str, number: u32, run: &counterfoil::Maintained, took: &upkeep::Took) -> bool {
    let counterfoil::Maintained { purged, warned, swept, .. } = *run;
    print!("maintain_{store}\trun {number}\tpurged {purged}\twarned {warned}\tswept {swept}");
    print_times(took);
    [purged, warned, swept].iter().all(|count| *count <= BOUND)
}

fn print_revocation(store: &str, revoked: u64, took: &upkeep::Took) {
    print!("revoke_all_{store}\trevoked {revoked}");
    print_times(took);
}

fn print_times(upkeep::Took { time, waits }: &upkeep::Took) {
    let (median, longest) = (upkeep::percentile(waits, 50), upkeep::percentile(waits, 100));
    print!("\ttook {time:.1?}\tothers waited {median:.1?}, at most {longest:.1?} ({} asked)", waits.len());
}

fn print_holds(holds: &[Duration]) -> bool {
    let (most, longest) = (upkeep::percentile(holds, 99), upkeep::percentile(holds, 100));
    let long = holds.iter().filter(|hold| **hold >= LONG).count();
    println!(
        "\tlock held {} times, 99 % for {most:.1?}, longest {longest:.1?}, {long} of {LONG:?} or more",
        holds.len()
    );
    most < LONG
}

fn print_size(bytes: u64, rows: u64) {
    eprintln!("{rows} records: {} MB, {} bytes each", bytes / 1_000_000, bytes / rows);
}

/// What is asked for, if the file stays in memory: a disk is not what is measured.
fn fitting(rows: Option<u64>) -> Option<u64> {
    /// Such a token with its selector, usage and indexes took 650 bytes of PostgreSQL 15; and as much again for the copies
    /// of pages that a server makes.
    const BYTES_EACH: u64 = 1300;
    let rows = rows?;
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let available = line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024;
    if rows * BYTES_EACH > available {
        eprintln!("{rows} rows take {} MB, and {} MB are free", rows * BYTES_EACH / 1_000_000, available / 1_000_000);
        return None;
    }
    Some(rows)
}
