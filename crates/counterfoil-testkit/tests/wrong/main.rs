//! Stores that break one promise each, and the check that says so.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod reservations;
mod tokens;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// A gap between a look and a leap. It is left once another thread is in it too, or none has come for a while, so that
/// what must not happen does.
#[derive(Debug, Default)]
struct Gap(AtomicUsize);

impl Gap {
    fn pass(&self) {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..2000 {
            if before % 2 == 1 || self.0.load(Ordering::SeqCst) > before + 1 {
                break;
            }
            thread::yield_now();
        }
    }
}

/// Every check is shown to fail by some store, and no other name is in the table.
#[track_caller]
fn assert_all_are_shown(
    checks: impl Iterator<Item = counterfoil_testkit::Check>,
    shown: impl Iterator<Item = &'static str>,
) {
    let mut checks: Vec<_> = checks.map(|check| check.name).collect();
    let mut shown: Vec<_> = shown.collect();
    checks.sort_unstable();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown, checks);
}
