//! The suite on the store in memory, which keeps every promise.

use counterfoil::MemoryStore;
use counterfoil_testkit::{Fresh, Harness, Outcome, reservations, tokens};

fn harness() -> Harness<MemoryStore> {
    // The root package runs all rounds.
    Harness::new(|| async { Fresh::new(MemoryStore::new()) }, pollster::block_on).rounds(40)
}

counterfoil_testkit::token_store_tests!(harness());
counterfoil_testkit::idempotency_store_tests!(harness());

#[test]
fn every_check_has_a_test_of_its_name() {
    let source = include_str!("../src/macros.rs");
    let words: Vec<&str> = source.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let names = tokens::checks().chain(reservations::checks()).map(|check| check.name);
    assert_eq!(names.filter(|name| !words.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_calls_go_to_all_nodes() {
    let sharing = || async {
        let store = MemoryStore::new();
        Fresh::new(store.clone()).beside(store)
    };
    let apart = || async { Fresh::new(MemoryStore::new()).beside(MemoryStore::new()) };
    for (name, nodes, is_kept) in [
        ("that share their records", Harness::new(sharing, pollster::block_on).rounds(5), true),
        ("that share nothing", Harness::new(apart, pollster::block_on).rounds(5), false),
    ] {
        for check in
            ["a_write_is_seen_by_every_later_read", "the_limit_holds_in_a_race", "a_revocation_outlives_rotations"]
        {
            let report = tokens::run_check(&nodes, check);
            assert_eq!(report.broken().is_empty(), is_kept, "two nodes {name}:\n{report}");
        }
        assert_eq!(reservations::run_check(&nodes, "one_of_many_is_made").broken().is_empty(), is_kept, "{name}");
    }
}

#[test]
fn what_needs_a_hook_is_not_run_without_one() {
    for name in ["a_corrupt_row_is_told_apart", "a_corrupt_row_counts", "a_corrupt_row_can_be_revoked"] {
        let report = tokens::run_check(&harness(), name);
        assert!(report.iter().all(|(_, outcome)| matches!(outcome, Outcome::NotRun(_)) && !outcome.is_kept()));
        report.assert_kept();
        assert!(std::panic::catch_unwind(|| report.assert_all_kept()).is_err());
        assert_eq!((report.not_run(), report.broken()), (vec![name], vec![]));
        assert_eq!(report.to_string(), format!("not run  {name}: no hook to damage a row: see `Fresh::corrupting`\n"));
    }
}
