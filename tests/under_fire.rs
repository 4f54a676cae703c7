//! Thousands of well-formed bogus tokens at once, at the door of a host with slow hashes.
#![cfg(feature = "argon2")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/gated.rs"]
mod gated;

use std::{
    fs,
    future::Future,
    num::NonZero,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use axum::http::Request;
use common::{grant, minting_k1};
use counterfoil::{
    Argon2Cost, Checksum, Keyring, MemoryStore, Registry, SharedStore, TokenFormat, registry::RegistryBuilder,
};
use counterfoil_tower::{Gate, Transport};
use gated::Gated;
use tokio::runtime::Runtime;

const BOGUS: usize = 5_000;
const THREADS: usize = 2;
const WAITING: usize = 16;
const GOOD: usize = 8;

/// OWASP's least, so that a test of thousands ends soon.
fn cost() -> Argon2Cost {
    Argon2Cost::new(7 * 1024, 1, 1).unwrap()
}

fn slow() -> Keyring {
    minting_k1().with_argon2id(cost()).unwrap()
}

/// A host, its good tokens, and what a stranger sends who knows their public parts.
struct Host {
    gate: Gate,
    store: Gated,
    good: Vec<String>,
    bogus: Arc<Vec<String>>,
}

impl Host {
    /// With good tokens whose digests were made by this keyring, the host's own or an earlier one.
    fn new(checksum: Checksum, minted_by: Keyring, set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        let format = TokenFormat::builder("acme").checksum(checksum).build().unwrap();
        let store = Gated::new(SharedStore::new(MemoryStore::new()));
        let registry = |keyring| Registry::builder(format.clone(), keyring, store.clone());
        let issuing = registry(minted_by).build().unwrap();
        let tokens: Vec<_> = (0..GOOD).map(|_| pollster::block_on(issuing.issue(grant())).unwrap().token).collect();
        drop(issuing);
        see_threads_end();
        let bogus = (0..BOGUS).map(|at| {
            let public = if at % 2 == 0 { tokens[at / 2 % GOOD].public() } else { &format!("acme_{at:012}") };
            let text = format!("{public}_{at:032}");
            text.clone() + &base62(crc32fast::hash(text.as_bytes()))
        });
        let bogus = Arc::new(bogus.collect::<Vec<_>>());
        assert!(bogus.iter().all(|text| format.parse(text).is_ok()), "they are well formed");
        let serving = registry(slow()).slow_hash_threads(NonZero::new(THREADS).unwrap()).slow_hash_queue(WAITING);
        let gate = Gate::new(set_up(serving).build().unwrap(), Transport::bearer());
        store.lookups();
        Self { gate, store, good: tokens.iter().map(|token| token.expose().to_owned()).collect(), bogus }
    }
}

/// A check as the format writes it: anyone can.
fn base62(mut check: u32) -> String {
    let digits: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = digits[(check % 62) as usize];
        check /= 62;
    }
    String::from_utf8(text.into()).unwrap()
}

/// What the door answers.
async fn status(gate: Gate, text: String) -> u16 {
    let bearer = format!("Bearer {text}");
    let (mut parts, ()) = Request::builder().header("authorization", bearer).body(()).unwrap().into_parts();
    match gate.admit(&mut parts).await {
        Ok(()) => 200,
        Err(answer) => {
            assert_eq!(answer.retry_after.is_some(), answer.status().as_u16() == 503);
            answer.status().as_u16()
        }
    }
}

/// One test at a time: memory and threads are the whole process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    see_threads_end();
    alone
}

/// Threads end with their registry, and nobody is told when they have.
fn see_threads_end() {
    let deadline = Instant::now() + Duration::from_secs(60);
    while hashing_threads().is_some_and(|threads| threads > 0) {
        assert!(Instant::now() < deadline, "the threads of a registry that is dropped do not end");
        std::thread::yield_now();
    }
}

/// How many threads of a registry's there are, each of which makes one hash at a time.
fn hashing_threads() -> Option<usize> {
    let names = fs::read_dir("/proc/self/task")
        .ok()?
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    Some(names.filter(|name| name.starts_with("counterfoil-arg")).count())
}

/// The most memory that the process has held since it was asked to forget, in KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn forget_peak() -> Option<()> {
    fs::write("/proc/self/clear_refs", "5").ok()
}

#[allow(clippy::print_stderr, reason = "a skipped measurement is told")]
fn skip(what: &str) {
    let text = format!("{what} are not measured: that takes Linux's /proc, with `clear_refs`");
    assert!(std::env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_none(), "{text}");
    eprintln!("skipped: {text}");
}

type Arriving = Pin<Box<dyn Future<Output = u16>>>;

/// Asks each once, and gives the answers of those that have one.
fn look(arriving: &mut Vec<Arriving>) -> Vec<u16> {
    let mut answers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    arriving.retain_mut(|request| match request.as_mut().poll(&mut context) {
        Poll::Ready(status) => {
            answers.push(status);
            false
        }
        Poll::Pending => true,
    });
    answers
}

#[test]
fn of_thousands_at_once_the_pool_takes_its_bound_and_all_others_are_told_to_come_again() {
    let _alone = alone();
    let host = Host::new(Checksum::Crc32OfText, slow(), |builder| builder);
    let mut arriving: Vec<Arriving> = Vec::with_capacity(BOGUS);
    arriving.extend(host.bogus.iter().map(|text| Box::pin(status(host.gate.clone(), text.clone())) as Arriving));
    let before = forget_peak().and_then(|()| peak_kib());
    let mut answers = look(&mut arriving);
    // Some hashes were made meanwhile, and nothing has come since.
    answers.extend(look(&mut arriving));
    assert!(arriving.len() <= THREADS + WAITING, "{} are hashed or wait", arriving.len());
    while !arriving.is_empty() {
        std::thread::yield_now();
        answers.extend(look(&mut arriving));
    }
    let measured = (before, peak_kib(), hashing_threads());
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert!(count(401) >= THREADS + WAITING, "{} were judged", count(401));
    assert_eq!(count(401) + count(503), BOGUS);
    assert_eq!(host.store.lookups(), BOGUS, "a CRC keeps nobody from a lookup");
    for text in &host.good {
        assert_eq!(pollster::block_on(status(host.gate.clone(), text.clone())), 200, "afterwards");
    }

    let (Some(before), Some(peak), Some(threads)) = measured else { return skip("memory and threads") };
    assert_eq!(threads, THREADS, "so many hashes at once");
    let bound = THREADS as u64 * u64::from(cost().memory_kib()) + WAITING as u64 * 200 / 1024;
    let room = 2 * 1024; // stacks of the threads, and what the allocator keeps
    let found = peak - before;
    assert!(found <= bound + room, "{found} KiB more than before, expected at most {bound} and {room}");
}

#[test]
fn with_a_keyed_checksum_no_bogus_token_costs_a_lookup_or_a_hash() {
    let _alone = alone();
    // Good tokens by a fast digest, so that the first slow hash would be of a bogus one.
    let host = Host::new(Checksum::Keyed, minting_k1(), |builder| builder);
    runtime().block_on(async {
        let requests: Vec<_> =
            host.bogus.iter().map(|text| tokio::spawn(status(host.gate.clone(), text.clone()))).collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), 401);
        }
        assert_eq!(host.store.lookups(), 0);
        match hashing_threads() {
            Some(threads) => assert_eq!(threads, 0, "no hash was ever made"),
            None => skip("threads"),
        }
        for text in &host.good {
            assert_eq!(status(host.gate.clone(), text.clone()).await, 200);
        }
    });
}

/// A flood that goes on until all of it has come and nobody wants more: its answers, by status.
struct Flood {
    answered: AtomicUsize,
    overloaded: AtomicUsize,
    wanted: AtomicUsize,
}

/// Has the good tokens of `host` served by `each`, one task for each, while bogus ones come from very many.
fn under_a_flood<F: Future<Output = ()> + Send + 'static>(host: &Host, each: impl Fn(Gate, String, Arc<Flood>) -> F) {
    let flood = Arc::new(Flood { answered: 0.into(), overloaded: 0.into(), wanted: GOOD.into() });
    runtime().block_on(async {
        let strangers: Vec<_> = (0..4 * (THREADS + WAITING))
            .map(|first| {
                let (gate, bogus, flood) = (host.gate.clone(), Arc::clone(&host.bogus), Arc::clone(&flood));
                tokio::spawn(async move {
                    for text in bogus.iter().cycle().skip(first * 61) {
                        if flood.wanted.load(SeqCst) == 0 && flood.answered.load(SeqCst) >= BOGUS {
                            return;
                        }
                        match status(gate.clone(), text.clone()).await {
                            401 => {}
                            503 => drop(flood.overloaded.fetch_add(1, SeqCst)),
                            other => panic!("{other}"),
                        }
                        flood.answered.fetch_add(1, SeqCst);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let good: Vec<_> = host
            .good
            .iter()
            .map(|text| {
                let (serving, flood) = (each(host.gate.clone(), text.clone(), Arc::clone(&flood)), Arc::clone(&flood));
                tokio::spawn(async move {
                    serving.await;
                    flood.wanted.fetch_sub(1, SeqCst);
                })
            })
            .collect();
        for task in good.into_iter().chain(strangers) {
            task.await.unwrap();
        }
    });
    assert!(flood.overloaded.load(SeqCst) > BOGUS / 2, "it was no flood");
}

#[test]
fn callers_whose_hash_is_remembered_are_all_served_during_the_flood() {
    let _alone = alone();
    let host =
        Host::new(Checksum::Crc32OfText, slow(), |builder| builder.remember_slow_hashes(NonZero::new(GOOD).unwrap()));
    for text in &host.good {
        assert_eq!(pollster::block_on(status(host.gate.clone(), text.clone())), 200, "before it");
    }
    under_a_flood(&host, |gate, text, flood| async move {
        loop {
            assert_eq!(status(gate.clone(), text.clone()).await, 200);
            if flood.answered.load(SeqCst) >= BOGUS {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn callers_whose_hash_is_not_remembered_are_served_once_they_find_a_place() {
    let _alone = alone();
    let host = Host::new(Checksum::Crc32OfText, slow(), |builder| builder);
    under_a_flood(&host, |gate, text, _| async move {
        // Whoever is let into the queue gets their turn; whoever is not comes again, as told.
        while let refused @ 400.. = status(gate.clone(), text.clone()).await {
            assert_eq!(refused, 503);
            tokio::task::yield_now().await;
        }
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap()
}
