//! How soon a revocation is seen by another process.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterfoil::{By, Registry};
use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
use counterfoil_sqlx::PostgresStore;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tokio::runtime::Runtime;

use crate::{
    cluster::{self, Server},
    host::{format, grant, keyring},
    pairwise::{Measured, quantile},
};

/// Where a process that is to be a node finds its database.
pub(crate) const DATABASE: &str = "COUNTERFOIL_BENCH_DATABASE";
const TIMES: usize = 500;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}

async fn connect(options: PgConnectOptions) -> (Registry, CachedStore<PostgresStore>) {
    let pool = cluster::pool(options, 4).await;
    let store = PostgresStore::from_pool_or_create(pool.clone()).await.unwrap();
    let channel = PostgresChannel::new(&pool);
    let settings = Settings::default();
    let (store, listening) = CachedStore::by_lease(store, channel, settings, tokio::time::sleep, |_: &CacheEvent| {});
    tokio::spawn(listening);
    (Registry::builder(format(), keyring(), store.clone()).build().unwrap(), store)
}

/// For each line, a token: says when it is served from memory, verifies it until it is refused, and says when that was.
pub(crate) fn be_a_node(database: &str) {
    Runtime::new().unwrap().block_on(async {
        let (registry, store) = connect(database.parse().unwrap()).await;
        for line in std::io::stdin().lines() {
            let text = line.unwrap();
            loop {
                let before = store.counts();
                registry.verify(&text).await.unwrap();
                let after = store.counts();
                if (before.misses, before.aside) == (after.misses, after.aside) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            println!("warm");
            while registry.verify(&text).await.is_ok() {
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
            println!("{}", now());
        }
    });
}

pub(crate) fn seen() -> Option<Measured> {
    let server = Server::shared()?;
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(server.database());
    let (registry, _) = runtime.block_on(connect(database.options()));
    let mut node = Command::new(std::env::current_exe().unwrap())
        .env(DATABASE, database.options().to_url_lossy().as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = node.stdin.take().unwrap();
    let mut answers = BufReader::new(node.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let issued = runtime.block_on(registry.issue(grant())).unwrap();
            writeln!(told, "{}", issued.token.expose()).unwrap();
            assert_eq!(answers.next().unwrap(), "warm");
            runtime.block_on(registry.revoke(issued.record.id(), By::unknown())).unwrap();
            let revoked = now();
            // It may be seen before the revocation has returned.
            (answers.next().unwrap().parse::<f64>().unwrap() - revoked).max(0.0)
        })
        .collect();
    drop(told);
    node.wait().unwrap();
    runtime.block_on(database.drop());
    let [median, last] = [0.5, 0.99].map(|part| quantile(&mut times, part));
    eprintln!("revocation_seen_ms: p99 {last:.3} ms, longest {:.3} ms", quantile(&mut times, 1.0));
    Some(Measured {
        ratio: median,
        quartiles: (quantile(&mut times, 0.25), quantile(&mut times, 0.75)),
        allocations: 0,
        ours: median * 1e6,
        floor: last * 1e6,
        pairs: TIMES,
    })
}
