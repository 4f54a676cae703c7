//! Upkeep: what is purged, warned of and swept, and exactly when.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/gated.rs"]
mod gated;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{DAY, Rig, at, format, grant, minting_k1, owner, rigs, rigs_with, stores};
use counterfoil::{
    By, Grant, Lifetime, Maintained, MemoryStore, Registry, Retention, SharedStore, Status, TokenId, UseNotes,
    event::{Event, EventKind, Step},
    registry::InvalidRegistry,
    store::RevokeStep,
};
use gated::Gated;

const MS: Duration = Duration::from_millis(1);

async fn run(rig: &Rig, after_start: Duration) -> Maintained {
    rig.wait(after_start);
    let run = rig.registry.maintain().await.unwrap();
    assert!(run.failures.is_empty(), "{:?}", run.failures);
    run
}

async fn is_there(rig: &Rig, id: TokenId) -> bool {
    rig.registry.get(id).await.unwrap().is_some()
}

#[tokio::test]
async fn a_record_is_deleted_once_its_retention_is_exceeded() {
    let kept = |revoked, expired| Retention { revoked, expired };
    let month = 31 * DAY;
    // Retention, whether the token is revoked on day 1 (it expires on day 90) → moments, and whether it is there after a
    // run at them.
    for (retention, is_revoked, moments) in [
        (Retention::default(), true, vec![(32 * DAY - MS, true), (32 * DAY, true), (32 * DAY + MS, false)]),
        (Retention::default(), false, vec![(90 * DAY + month + MS, true), (36_500 * DAY, true)]),
        (kept(Duration::ZERO, None), true, vec![(DAY, true), (DAY + MS, false)]),
        (kept(Duration::MAX, None), true, vec![(36_500 * DAY, true)]),
        (kept(month, Some(10 * DAY)), false, vec![(100 * DAY - MS, true), (100 * DAY, true), (100 * DAY + MS, false)]),
        (kept(month, Some(Duration::ZERO)), false, vec![(90 * DAY, true), (90 * DAY + MS, false)]),
        (kept(month, Some(Duration::MAX)), false, vec![(36_500 * DAY, true)]),
        (kept(200 * DAY, Some(10 * DAY)), true, vec![(100 * DAY, true), (100 * DAY + MS, false)]),
    ] {
        for rig in rigs_with(|builder| builder.retention(retention)).await {
            let id = rig.registry.issue(grant()).await.unwrap().record.id();
            rig.wait(DAY);
            if is_revoked {
                rig.registry.revoke(id, By::unknown()).await.unwrap();
            }
            rig.events.take();
            for (moment, stays) in &moments {
                let purged = run(&rig, *moment).await.purged;
                let told = rig.events.take_whole();
                assert_eq!((is_there(&rig, id).await, purged), (*stays, u64::from(!stays)), "{retention:?} {moment:?}");
                assert_eq!(told.len(), usize::from(!stays), "{told:?}");
                assert!(told.iter().all(|event| matches!(event.kind, EventKind::Purged { count: 1, .. })));
            }
        }
    }
}

#[tokio::test]
async fn a_run_deletes_so_many_and_says_that_more_are_left() {
    let rig = Rig::with("memory", SharedStore::new(MemoryStore::new()), minting_k1(), |builder| builder);
    for _ in 0..5001 {
        let _ = rig.registry.issue(Grant::new(owner("user-42"), Lifetime::Forever)).await.unwrap();
    }
    let everyone = counterfoil::store::RevokeTarget::Owner(owner("user-42"));
    let mark = By::unknown().mark(at(Duration::ZERO));
    counterfoil::TokenStore::revoke(&rig.store, &everyone, &mark, at(Duration::ZERO), RevokeStep::WHOLE).await.unwrap();
    for (purged, more) in [(5000, true), (1, false), (0, false)] {
        let run = run(&rig, 32 * DAY).await;
        assert_eq!((run.purged, run.more), (purged, more));
    }
}

/// One owner has more unused tokens than one run may revoke, and all of them end soon.
#[tokio::test]
async fn run_over_a_large_owner_stays_within_its_bounds() {
    let store = Gated::new(SharedStore::new(MemoryStore::new()));
    let rig = Rig::with("memory", SharedStore::new(store.clone()), minting_k1(), |builder| {
        builder.warn_before([7 * DAY]).revoke_unused_after(30 * DAY)
    });
    for _ in 0..5250 {
        let _ = rig.registry.issue(grant()).await.unwrap();
    }
    rig.events.take();
    for (moment, warned, swept, purged, more) in [
        (85 * DAY, 5000, 5000, 0, true),
        (85 * DAY, 250, 250, 0, false),
        (120 * DAY, 0, 0, 5000, true),
        (120 * DAY, 0, 0, 250, false),
        (120 * DAY, 0, 0, 0, false),
    ] {
        let run = run(&rig, moment).await;
        assert_eq!((run.warned, run.swept, run.purged, run.more), (warned, swept, purged, more));
        let rows = store.rows();
        let most = rows.values().flatten().max();
        assert!(most <= Some(&100), "{rows:?}");
        let sum = |kind| rows.get(kind).map_or(0, |rows| rows.iter().sum::<usize>());
        let changed = [sum("claim_warnings"), sum("revoke"), sum("purge")];
        assert_eq!(changed, [warned, swept, purged].map(|count| count as usize));
        let kinds: Vec<_> = rig.events.take_whole().into_iter().map(|event| event.kind.as_str()).collect();
        let heard = ["expiring", "revoked"].map(|kind| kinds.iter().filter(|other| **other == kind).count());
        assert_eq!(heard, [warned, swept].map(|count| count as usize));
    }
}

/// The warnings among the events: which token, and which threshold in days.
fn warnings(events: Vec<Event>) -> Vec<(TokenId, u64)> {
    let days = |threshold: Duration| threshold.as_secs() / DAY.as_secs();
    let warning = |event: Event| match event.kind {
        EventKind::Expiring { threshold, .. } => Some((event.token.unwrap(), days(threshold))),
        _ => None,
    };
    let mut warnings: Vec<_> = events.into_iter().filter_map(warning).collect();
    warnings.sort_unstable();
    warnings
}

#[tokio::test]
async fn each_threshold_is_told_once_and_the_nearest_alone() {
    let (week, hour) = (7, Duration::from_secs(3600));
    // Moments of runs, and the threshold told of at each, for a token that ends on day 90.
    for moments in [
        vec![(83 * DAY - MS, None), (83 * DAY, Some(week)), (83 * DAY + MS, None)],
        vec![(89 * DAY - MS, Some(week)), (89 * DAY, Some(1)), (89 * DAY + MS, None), (90 * DAY - MS, None)],
        vec![(89 * DAY + hour, Some(1)), (89 * DAY + 2 * hour, None), (85 * DAY, Some(week))],
        vec![(90 * DAY - MS, Some(1))],
        vec![(90 * DAY, None), (91 * DAY, None)],
    ] {
        for rig in rigs_with(|builder| builder.warn_before([DAY, 7 * DAY])).await {
            let id = rig.registry.issue(grant()).await.unwrap().record.id();
            let _ = rig.registry.issue(Grant::new(owner("user-42"), Lifetime::Forever)).await.unwrap();
            for (moment, threshold) in &moments {
                rig.events.take();
                let warned = run(&rig, *moment).await.warned;
                let expected: Vec<_> = threshold.iter().map(|days| (id, *days)).collect();
                assert_eq!(warnings(rig.events.take_whole()), expected, "{moment:?} on {}", rig.kind);
                assert_eq!(warned, expected.len() as u64);
            }
            assert_eq!(rig.record(id).await.version(), 1);
        }
    }
}

#[tokio::test]
async fn a_warning_says_whose_token_ends_when() {
    for rig in rigs_with(|builder| builder.warn_before([7 * DAY])).await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        rig.events.take();
        assert_eq!(run(&rig, 85 * DAY).await.warned, 1);
        let event = rig.events.take_whole().remove(0);
        assert_eq!((event.at, event.token, event.owner), (at(85 * DAY), Some(id), Some(owner("user-42"))));
        let EventKind::Expiring { expiry, threshold, .. } = event.kind else { panic!("{:?}", event.kind) };
        assert_eq!((expiry, threshold), (at(90 * DAY), 7 * DAY));
    }
}

#[tokio::test]
async fn a_moved_end_is_told_anew() {
    for rig in rigs_with(|builder| builder.warn_before([7 * DAY])).await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        assert_eq!(run(&rig, 85 * DAY).await.warned, 1);
        rig.registry.set_expiry(id, Lifetime::days(10), By::unknown()).await.unwrap();
        assert_eq!(run(&rig, 85 * DAY).await.warned, 0, "it ends on day 95");
        assert_eq!(run(&rig, 88 * DAY).await.warned, 1);
        rig.registry.set_expiry(id, Lifetime::days(3), By::unknown()).await.unwrap();
        assert_eq!(run(&rig, 88 * DAY).await.warned, 1);
        assert_eq!(run(&rig, 88 * DAY).await.warned, 0);
    }
}

#[tokio::test]
async fn only_active_tokens_are_warned_of() {
    for rig in rigs_with(|builder| builder.warn_before([7 * DAY])).await {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(rig.registry.issue(grant()).await.unwrap().record.id());
        }
        rig.registry.block(ids[0], By::unknown()).await.unwrap();
        rig.registry.suspend(ids[1], By::unknown()).await.unwrap();
        rig.registry.revoke(ids[2], By::unknown()).await.unwrap();
        assert_eq!(run(&rig, 85 * DAY).await.warned, 0);
        rig.registry.unblock(ids[0], By::unknown()).await.unwrap();
        rig.registry.resume(ids[1], By::unknown()).await.unwrap();
        rig.events.take();
        assert_eq!(run(&rig, 86 * DAY).await.warned, 2);
        let mut expected = [(ids[0], 7), (ids[1], 7)];
        expected.sort_unstable();
        assert_eq!(warnings(rig.events.take_whole()), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_nodes_one_warns() {
    for (kind, store) in stores().await {
        let nodes: Vec<_> = (0..3)
            .map(|_| Rig::with(kind, store.clone(), minting_k1(), |builder| builder.warn_before([DAY, 7 * DAY])))
            .collect();
        let mut ids = Vec::new();
        for _ in 0..600 {
            ids.push(nodes[0].registry.issue(grant()).await.unwrap().record.id());
        }
        ids.sort_unstable();
        for (day, told) in [(84, Some(7)), (84, None), (89, Some(1)), (89, None)] {
            let run = |node: &Rig| {
                node.wait(day * DAY);
                node.events.take();
                let registry = node.registry.clone();
                tokio::spawn(async move { registry.maintain().await.unwrap() })
            };
            for run in nodes.iter().map(run).collect::<Vec<_>>() {
                assert!(run.await.unwrap().failures.is_empty());
            }
            let heard = warnings(nodes.iter().flat_map(|node| node.events.take_whole()).collect());
            let expected: Vec<_> = told.iter().flat_map(|days| ids.iter().map(|id| (*id, *days))).collect();
            assert_eq!(heard, expected, "day {day} on {kind}");
        }
        // A node that was not there before knows nothing, and tells nothing that was told.
        let late = Rig::with(kind, store, minting_k1(), |builder| builder.warn_before([DAY, 7 * DAY]));
        assert_eq!(run(&late, 89 * DAY).await.warned, 0, "{kind}");
    }
}

#[tokio::test]
async fn what_ends_soon_is_listed() {
    for rig in rigs().await {
        let mut ids = Vec::new();
        for days in [1, 2, 3] {
            let grant = Grant { lifetime: Lifetime::days(days), ..grant() };
            ids.push(rig.registry.issue(grant).await.unwrap().record.id());
        }
        let blocked = rig.registry.issue(Grant { lifetime: Lifetime::days(2), ..grant() }).await.unwrap().record.id();
        rig.registry.block(blocked, By::unknown()).await.unwrap();
        let _ = rig.registry.issue(Grant { lifetime: Lifetime::Forever, ..grant() }).await.unwrap();
        for (before, expected) in [(DAY, &ids[..0]), (DAY + MS, &ids[..1]), (2 * DAY + MS, &ids[..2])] {
            let page = rig.registry.expiring(at(before)).await.unwrap();
            let listed: BTreeSet<_> = page.tokens.iter().map(|stored| stored.record.id()).collect();
            assert_eq!(listed, expected.iter().copied().collect(), "{before:?} on {}", rig.kind);
        }
        rig.wait(DAY);
        assert_eq!(rig.registry.expiring(at(3 * DAY)).await.unwrap().tokens.len(), 1, "one is over, one not yet near");
    }
}

#[tokio::test]
async fn a_token_is_revoked_once_it_was_not_used_for_too_long() {
    for rig in rigs_with(|builder| builder.revoke_unused_after(30 * DAY)).await {
        let forever = || Grant { lifetime: Lifetime::Forever, ..grant() };
        let never = rig.registry.issue(forever()).await.unwrap().record.id();
        let used = rig.registry.issue(forever()).await.unwrap();
        let of_another = rig.registry.issue(Grant { owner: owner("user-7"), ..forever() }).await.unwrap();
        let blocked = rig.registry.issue(forever()).await.unwrap().record.id();
        rig.registry.block(blocked, By::unknown()).await.unwrap();
        rig.wait(10 * DAY);
        rig.registry.verify(used.token.expose()).await.unwrap();
        rig.wait(20 * DAY);
        rig.registry.verify(of_another.token.expose()).await.unwrap();
        rig.events.take();

        // The uses are noted and not flushed: the run itself does that first.
        let ids = [never, used.record.id(), of_another.record.id(), blocked];
        let (unknown, known) = (owner("user-42"), owner("user-7"));
        for (moment, swept) in [
            (30 * DAY, None),
            (30 * DAY + MS, Some((ids[0], &unknown))),
            (40 * DAY, None),
            (40 * DAY + MS, Some((ids[1], &unknown))),
            (50 * DAY, None),
            (50 * DAY + MS, Some((ids[2], &known))),
            (500 * DAY, None),
        ] {
            assert_eq!(run(&rig, moment).await.swept, u64::from(swept.is_some()), "{moment:?} on {}", rig.kind);
            let told = rig.events.take_whole();
            let told: Vec<_> = told.iter().filter(|event| event.kind == EventKind::Revoked).collect();
            assert_eq!(told.len(), usize::from(swept.is_some()));
            for (event, (id, owner)) in told.into_iter().zip(swept) {
                assert_eq!((event.token, event.owner.as_ref(), event.at), (Some(id), Some(owner), at(moment)));
                let record = rig.registry.get(id).await.unwrap();
                let mark = record.as_ref().unwrap().record.revoked().unwrap();
                assert_eq!((mark.at, mark.by.as_ref()), (at(moment), None));
                assert_eq!(mark.reason.as_ref().unwrap().as_str(), "not used for 30 days");
                assert_eq!(event.by.reason, mark.reason);
            }
        }
        assert_eq!(rig.record(blocked).await.status(at(500 * DAY)), Status::Blocked);
    }
}

#[tokio::test]
async fn without_knowing_all_uses_nothing_is_swept() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| {
            builder.revoke_unused_after(30 * DAY).uses(UseNotes { bound: 1, ..UseNotes::default() })
        });
        let mut tokens = Vec::new();
        for _ in 0..2 {
            tokens.push(rig.registry.issue(grant()).await.unwrap());
        }
        // One use is noted and cannot be written.
        rig.wait(40 * DAY);
        rig.registry.verify(tokens[0].token.expose()).await.unwrap();
        store.set_read_only(true);
        let run = rig.registry.maintain().await.unwrap();
        let failed: Vec<_> = run.failures.iter().map(|failure| failure.step).collect();
        assert_eq!((failed, run.sweep_put_off), (vec![Step::Uses, Step::Purge], true), "{kind}");
        store.set_read_only(false);
        // One use more than there is room for: until it is too old to count, any token may be the one.
        rig.registry.verify(tokens[1].token.expose()).await.unwrap();
        let run = rig.registry.maintain().await.unwrap();
        assert_eq!((run.uses_written, run.uses_dropped, run.swept, run.sweep_put_off), (1, 1, 0, true), "{kind}");
        for (moment, swept, put_off) in [(41 * DAY, 0, true), (70 * DAY, 0, true), (70 * DAY + MS, 2, false)] {
            rig.wait(moment);
            let run = rig.registry.maintain().await.unwrap();
            assert_eq!((run.uses_dropped, run.swept, run.sweep_put_off), (0, swept, put_off), "{moment:?} on {kind}");
        }
    }
}

#[test]
fn a_sweep_that_outruns_the_uses_is_not_built() {
    let every = Duration::from_secs(60);
    for (idle, is_built) in [(2 * every, true), (2 * every - MS, false), (Duration::ZERO, false), (365 * DAY, true)] {
        let builder = Registry::builder(format(), minting_k1(), MemoryStore::new()).revoke_unused_after(idle);
        // The interval is what is set in the end, not what was set before the sweep.
        let built = builder.uses(UseNotes { every, ..UseNotes::default() }).build();
        assert_eq!(built.is_ok(), is_built, "{idle:?}");
        assert!(matches!(built.err(), None | Some(InvalidRegistry::Idle(_))));
    }
    let short = Registry::builder(format(), minting_k1(), MemoryStore::new()).revoke_unused_after(every).build();
    assert_eq!(
        short.unwrap_err().to_string(),
        "unused tokens are revoked after 60s, expected at least 120s: twice the time between two writes"
    );
}

#[tokio::test]
async fn a_step_that_fails_keeps_no_other_from_being_made() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| {
            builder.warn_before([7 * DAY]).revoke_unused_after(3650 * DAY)
        });
        let issued = rig.registry.issue(grant()).await.unwrap();
        let old = rig.registry.issue(grant()).await.unwrap().record.id();
        rig.registry.revoke(old, By::unknown()).await.unwrap();
        rig.wait(85 * DAY);
        rig.registry.verify(issued.token.expose()).await.unwrap();
        store.set_read_only(true);
        let run = rig.registry.maintain().await.unwrap();
        let failed: Vec<_> = run.failures.iter().map(|failure| failure.step).collect();
        assert_eq!(failed, [Step::Uses, Step::Purge, Step::Warnings], "{kind}");
        assert_eq!((run.uses_written, run.purged, run.warned), (0, 0, 0));
        store.set_read_only(false);
        let run = rig.registry.maintain().await.unwrap();
        assert_eq!((run.uses_written, run.purged, run.warned, run.failures.len()), (1, 1, 1, 0), "{kind}");
        // What was claimed is remembered, and not claimed again at every tick.
        store.set_read_only(true);
        let run = rig.registry.maintain().await.unwrap();
        let failed: Vec<_> = run.failures.iter().map(|failure| failure.step).collect();
        assert_eq!(failed, [Step::Purge], "{kind}");
    }
}

#[tokio::test]
async fn in_the_background_it_goes_on_after_failures_and_ends_with_the_registry() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| builder);
        let issued = rig.registry.issue(grant()).await.unwrap();
        rig.registry.verify(issued.token.expose()).await.unwrap();
        store.set_read_only(true);
        let Rig { registry, events, store: plain, .. } = rig;
        events.take();

        // The wait before the third run opens the store again, and the one before the fifth drops the registry.
        let held = Arc::new(Mutex::new((0, Some(registry.clone()))));
        let waits = Arc::clone(&held);
        let background = registry.background(
            move |every| {
                assert_eq!(every, DAY);
                let mut held = waits.lock().unwrap();
                held.0 += 1;
                match held.0 {
                    3 => store.set_read_only(false),
                    5 => held.1 = None,
                    _ => {}
                }
                std::future::ready(())
            },
            DAY,
        );
        drop(registry);
        background.await;
        assert_eq!(held.lock().unwrap().0, 5);
        let told: Vec<_> = events.take_whole().into_iter().map(|event| event.kind).collect();
        let failures: Vec<_> = told
            .iter()
            .map(|kind| match kind {
                EventKind::MaintenanceFailed { step, error, .. } => (step.as_str(), error.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        let both = [("uses", "the store is read-only"), ("purge", "the store is read-only")];
        assert_eq!(failures, [both, both].concat(), "{kind}");
        let stored = counterfoil::TokenStore::get(&plain, issued.record.id()).await.unwrap().unwrap();
        assert!(stored.usage.is_some(), "{kind}");
    }
}
