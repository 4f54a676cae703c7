//! Where the checks are run: synchronous hands on a store, and real threads.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Barrier, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    harness::BlockOn,
    report::{Check, Kept, Outcome, Report, fallen},
};

/// Gives empty stores to a check; `H` is the hand that a store is held by.
pub(crate) struct Bench<'h, H> {
    pub(crate) fresh: &'h dyn Fn() -> H,
    /// Whether its stores have a hand that damages rows.
    pub(crate) has_hook: &'h dyn Fn() -> bool,
    pub(crate) rounds: u32,
}

impl<H> Bench<'_, H> {
    pub(crate) fn store(&self) -> H {
        (self.fresh)()
    }
}

/// A check and what it does.
pub(crate) struct Entry<H> {
    pub(crate) check: Check,
    pub(crate) needs_hook: bool,
    pub(crate) body: fn(&Bench<'_, H>) -> Kept,
}

pub(crate) fn run_all<H>(bench: &Bench<'_, H>, entries: &[Entry<H>]) -> Report {
    Report(entries.iter().map(|entry| (entry.check, run_one(bench, entry))).collect())
}

pub(crate) fn run_one<H>(bench: &Bench<'_, H>, entry: &Entry<H>) -> Outcome {
    let run = || {
        if entry.needs_hook && !(bench.has_hook)() {
            return Outcome::NotRun(NO_HOOK);
        }
        (entry.body)(bench).map_or_else(Outcome::Broken, |()| Outcome::Kept)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Outcome::Broken(fallen(&*panic)))
}

const NO_HOOK: &str = "no hook to damage a row: see `Fresh::corrupting`";

/// Nodes that are called in turn.
pub(crate) struct Turns<S> {
    nodes: Vec<S>,
    next: AtomicUsize,
}

impl<S: Clone> Turns<S> {
    pub(crate) fn of(nodes: impl Iterator<Item = S>) -> Arc<Self> {
        Arc::new(Self { nodes: nodes.collect(), next: AtomicUsize::new(0) })
    }

    pub(crate) fn next(&self) -> S {
        // INVARIANT: there is a node; `Fresh::new` puts it there.
        self.nodes[self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len()].clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Waits for a future on this thread, by the host's own means.
pub(crate) fn wait<T: Send + 'static>(block_on: &BlockOn, future: impl Future<Output = T> + Send + 'static) -> T {
    let place = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&place);
    block_on(Box::pin(async move {
        let value = future.await;
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }));
    let value = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    match value {
        Some(value) => value,
        None => panic!("the harness's `block_on` returned before the job was done"),
    }
}

/// Runs every job on a thread of its own, all released at once. The outcomes are in the order of the jobs.
pub(crate) fn race<T: Send, J: FnOnce() -> T + Send>(jobs: impl IntoIterator<Item = J>) -> Vec<T> {
    let jobs: Vec<J> = jobs.into_iter().collect();
    let barrier = Barrier::new(jobs.len());
    thread::scope(|scope| {
        let started: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    job()
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
