//! The contract of an [`IdempotencyStore`], promise by promise.

mod desk;
mod promises;

use counterfoil::store::IdempotencyStore;

use self::desk::Desk;
use crate::{
    bench::{Bench, Entry, run_all, run_one},
    harness::Harness,
    report::{Check, Report},
};

macro_rules! entry {
    ($name:ident, $promise:literal) => {
        Entry { check: Check { name: stringify!($name), promise: $promise }, needs_hook: false, body: promises::$name }
    };
}

fn entries<S: IdempotencyStore>() -> [Entry<Desk<S>>; 9] {
    [
        entry!(a_reservation_comes_back_whole, "the reservation that was first is returned, every field of it"),
        entry!(places_are_told_apart, "owner, tenant, route and key are compared byte by byte, all four"),
        entry!(one_of_many_is_made, "of many reservations at once one is made, and the others are told of it"),
        entry!(what_is_completed_is_told, "a completed reservation is returned as one, and stays"),
        entry!(
            only_the_open_is_taken_over,
            "`take_over` replaces what is there unchanged and not completed, and nothing else"
        ),
        entry!(one_of_many_takes_over, "of many who take over at once one succeeds"),
        entry!(
            only_the_open_is_released,
            "`release` removes what is there unchanged and not completed, and nothing else"
        ),
        entry!(the_overtaken_comes_late, "one that was taken over can neither complete nor release the new one"),
        entry!(
            the_old_is_forgotten_in_steps,
            "`forget` deletes at most `max_rows` made before a moment, and says how many"
        ),
    ]
}

/// The promises, in the order in which they are looked at.
pub fn checks() -> impl Iterator<Item = Check> {
    entries::<counterfoil::MemoryStore>().map(|entry| entry.check).into_iter()
}

/// Looks at every promise.
pub fn run<S: IdempotencyStore>(harness: &Harness<S>) -> Report {
    on_bench(harness, |bench| run_all(bench, &entries()))
}

/// Looks at one promise, as the tests of [`idempotency_store_tests!`](crate::idempotency_store_tests) do.
///
/// # Panics
///
/// If there is no check of this name.
pub fn run_check<S: IdempotencyStore>(harness: &Harness<S>, name: &str) -> Report {
    let entries = entries();
    let Some(entry) = entries.iter().find(|entry| entry.check.name == name) else {
        panic!("no check is named `{name}`")
    };
    Report(vec![(entry.check, on_bench(harness, |bench| run_one(bench, entry)))])
}

fn on_bench<S: IdempotencyStore, T>(harness: &Harness<S>, work: impl FnOnce(&Bench<'_, Desk<S>>) -> T) -> T {
    work(&Bench { fresh: &|| Desk::on_fresh(harness), has_hook: &|| false, rounds: harness.rounds_to_run() })
}
