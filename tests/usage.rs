//! What becomes of a use: noted at once, written later, and never at a request's cost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/gated.rs"]
mod gated;

use std::{net::IpAddr, time::Duration};

use common::{DAY, Rig, at, format, grant, minting_k1, owner, rigs, rigs_with, stores};
use counterfoil::{
    By, Caller, Grant, MemoryStore, Record, Registry, SharedStore, TokenId, Usage, UseNotes, Verified,
    event::EventKind,
    policy::{Approval, Assent, Objection, Policy, Refusal},
    record::Agent,
    store::{Filter, ListQuery, Order, StoreErrorKind},
};
use gated::Gated;

const SECOND: Duration = Duration::from_secs(1);

fn from(address: &str) -> Caller {
    let address: Option<IpAddr> = (address != "-").then(|| address.parse().unwrap());
    Caller { address, ..Caller::unknown() }
}

async fn usage(registry: &Registry, id: TokenId) -> Option<Usage> {
    registry.get(id).await.unwrap().unwrap().usage
}

#[tokio::test]
async fn a_use_is_seen_in_get_and_list_once_it_is_flushed() {
    for rig in rigs().await {
        let first = rig.registry.issue(grant()).await.unwrap();
        let second = rig.registry.issue(grant()).await.unwrap();
        let caller = Caller { agent: Some(Agent::new("ci/1.0").unwrap()), ..from("192.0.2.7") };
        for (token, after_start) in [(&first, 3 * SECOND), (&second, 2 * SECOND), (&second, SECOND)] {
            rig.wait(after_start);
            rig.registry.verify_for(token.token.expose(), &caller).await.unwrap();
        }
        assert_eq!(usage(&rig.registry, first.record.id()).await, None, "{}: only noted", rig.kind);

        assert_eq!(rig.registry.flush_uses().await.unwrap(), 2);
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 0, "all is written");
        let expected =
            |after_start| Some(Usage { at: at(after_start), address: caller.address, agent: caller.agent.clone() });
        assert_eq!(usage(&rig.registry, first.record.id()).await, expected(3 * SECOND));
        assert_eq!(usage(&rig.registry, second.record.id()).await, expected(2 * SECOND), "the latest, not the last");

        let query = ListQuery { order: Order::ByLastUse { after: None }, ..ListQuery::new(Filter::all()) };
        let listed = rig.registry.list(&query).await.unwrap().tokens;
        let listed: Vec<_> = listed.iter().map(|stored| stored.usage.clone()).collect();
        assert_eq!(listed, [expected(3 * SECOND), expected(2 * SECOND)]);
        assert_eq!(rig.record(first.record.id()).await.version(), 1, "the version stays");
    }
}

#[tokio::test]
async fn uses_of_one_token_are_written_once_in_an_interval_and_at_once_from_a_new_address() {
    // A use at a second from an address (`-`: unknown), and what a run of the upkeep right after it writes.
    type Step = (u64, &'static str, u64);
    let cases: [(&str, &[Step]); 6] = [
        ("the first is due", &[(0, "-", 1), (1, "-", 0)]),
        ("the interval", &[(0, "-", 1), (1, "-", 0), (59, "-", 0), (60, "-", 1), (61, "-", 0), (120, "-", 1)]),
        ("after a pause", &[(0, "-", 1), (86_400, "-", 1), (86_401, "-", 0)]),
        (
            "a new address",
            &[(0, "192.0.2.1", 1), (1, "192.0.2.1", 0), (2, "192.0.2.2", 1), (3, "192.0.2.2", 0), (4, "192.0.2.1", 1)],
        ),
        ("a known address", &[(0, "192.0.2.1", 1), (60, "-", 1), (61, "192.0.2.1", 0), (62, "192.0.2.2", 1)]),
        ("no address", &[(0, "-", 1), (1, "192.0.2.1", 1), (2, "-", 0), (3, "192.0.2.1", 0), (4, "192.0.2.2", 1)]),
    ];
    for (case, steps) in cases {
        for rig in rigs().await {
            let issued = rig.registry.issue(grant()).await.unwrap();
            for (second, address, written) in steps {
                rig.wait(*second as u32 * SECOND);
                rig.registry.verify_for(issued.token.expose(), &from(address)).await.unwrap();
                let run = rig.registry.maintain().await.unwrap();
                assert_eq!(run.uses_written, *written, "{case} at {second} s on {}", rig.kind);
            }
        }
    }
}

#[tokio::test]
async fn a_use_that_waits_is_written_when_its_interval_is_over() {
    for rig in rigs_with(|builder| builder.uses(UseNotes { every: 10 * SECOND, ..UseNotes::default() })).await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let id = issued.record.id();
        let run = async |second: u32| {
            rig.wait(second * SECOND);
            let written = rig.registry.maintain().await.unwrap().uses_written;
            (written, usage(&rig.registry, id).await.map(|usage| usage.at))
        };
        rig.registry.verify(issued.token.expose()).await.unwrap();
        assert_eq!(run(0).await, (1, Some(at(Duration::ZERO))));
        rig.wait(4 * SECOND);
        rig.registry.verify(issued.token.expose()).await.unwrap();
        assert_eq!(run(9).await, (0, Some(at(Duration::ZERO))));
        assert_eq!(run(10).await, (1, Some(at(4 * SECOND))), "with the moment of the use");
        assert_eq!(run(60).await, (0, Some(at(4 * SECOND))));
        // Set back by an hour, the clock does not hold back what is used now, and the store keeps the later use.
        rig.wait(DAY);
        rig.registry.verify(issued.token.expose()).await.unwrap();
        assert_eq!(run(86_400).await, (1, Some(at(DAY))));
        rig.wait(DAY - 3600 * SECOND);
        rig.registry.verify(issued.token.expose()).await.unwrap();
        assert_eq!(run(86_400 - 3600).await, (1, Some(at(DAY))));
    }
}

#[tokio::test]
async fn a_use_over_the_bound_is_dropped_and_told_once_with_its_count() {
    for rig in rigs_with(|builder| builder.uses(UseNotes { bound: 2, ..UseNotes::default() })).await {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(rig.registry.issue(grant()).await.unwrap());
        }
        rig.events.take();
        for token in tokens.iter().chain(&tokens) {
            rig.registry.verify(token.token.expose()).await.unwrap();
        }
        assert_eq!(rig.events.take(), ["used"; 8], "a request tells nothing of it");
        let run = rig.registry.maintain().await.unwrap();
        assert_eq!((run.uses_written, run.uses_dropped), (2, 4), "{}", rig.kind);
        let told = rig.events.take_whole();
        assert!(matches!(told[..], [ref event] if matches!(event.kind, EventKind::UsesDropped { count: 4, .. })));
        for (token, is_written) in tokens.iter().zip([true, true, false, false]) {
            assert_eq!(usage(&rig.registry, token.record.id()).await.is_some(), is_written);
        }

        // Once their interval is over, the first two leave their places to others.
        rig.wait(60 * SECOND);
        assert_eq!(rig.registry.maintain().await.unwrap().uses_dropped, 0);
        for token in &tokens[2..] {
            rig.registry.verify(token.token.expose()).await.unwrap();
        }
        let run = rig.registry.maintain().await.unwrap();
        assert_eq!((run.uses_written, run.uses_dropped), (2, 0), "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_read_only_store_fails_no_request_and_gets_the_uses_later() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let notes = UseNotes { bound: 2, ..UseNotes::default() };
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| builder.uses(notes));
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.push(rig.registry.issue(grant()).await.unwrap());
        }
        store.set_read_only(true);
        for second in [1, 2] {
            rig.wait(second * SECOND);
            for token in &tokens[..2] {
                assert_eq!(rig.outcome(token.token.expose()).await, "ok");
            }
            let failed = rig.registry.flush_uses().await.unwrap_err();
            assert_eq!(*failed.kind(), StoreErrorKind::ReadOnly, "{kind}");
        }
        assert_eq!(rig.outcome(tokens[2].token.expose()).await, "ok");
        rig.events.take();
        let run = rig.registry.maintain().await.unwrap();
        let failed: Vec<_> = run.failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            failed,
            ["uses", "purge"].map(|step| format!("maintenance step `{step}` failed: the store is read-only"))
        );
        assert_eq!((run.uses_written, run.uses_dropped), (0, 1), "only what is over the bound is dropped");
        assert_eq!(rig.events.take(), ["uses_dropped"]);

        store.set_read_only(false);
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 2, "{kind}");
        for token in &tokens[..2] {
            let usage = usage(&rig.registry, token.record.id()).await;
            assert_eq!(usage.map(|usage| usage.at), Some(at(2 * SECOND)));
        }
        assert_eq!(rig.events.take(), [""; 0]);

        // While the store is away too, a token that is not used any more leaves its place to another.
        store.set_read_only(true);
        rig.wait(62 * SECOND);
        assert_eq!(rig.outcome(tokens[0].token.expose()).await, "ok");
        assert!(rig.registry.flush_uses().await.is_err());
        assert_eq!(rig.outcome(tokens[2].token.expose()).await, "ok");
        store.set_read_only(false);
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 2, "{kind}");
        assert!(usage(&rig.registry, tokens[2].record.id()).await.is_some(), "{kind}");
    }
}

#[test]
fn a_use_during_a_write_is_noted_and_written_by_the_next() {
    let store = Gated::new(SharedStore::new(MemoryStore::new()));
    let rig = Rig::with("memory", SharedStore::new(store.clone()), minting_k1(), |builder| builder);
    pollster::block_on(async {
        let known = rig.registry.issue(grant()).await.unwrap();
        let new = rig.registry.issue(grant()).await.unwrap();
        rig.registry.verify(known.token.expose()).await.unwrap();
        let ids = [known.record.id(), new.record.id()];
        // Long after the first use: by then its place would be given up, if nothing waited in it.
        let (registry, clock) = (rig.registry.clone(), rig.clock.clone());
        store.meanwhile(move || {
            clock.set(at(DAY));
            for token in [known.token, new.token] {
                pollster::block_on(registry.verify(token.expose())).unwrap();
            }
        });
        rig.wait(DAY);
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 1);
        let registry = &rig.registry;
        let used = |id| async move { usage(registry, id).await.map(|usage| usage.at) };
        assert_eq!((used(ids[0]).await, used(ids[1]).await), (Some(at(Duration::ZERO)), None));
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 2);
        assert_eq!((used(ids[0]).await, used(ids[1]).await), (Some(at(DAY)), Some(at(DAY))));
    });
}

#[derive(Debug)]
struct Never;

impl Policy for Never {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Err(Refusal::new("never", "not for you").into())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

#[tokio::test]
async fn only_a_use_that_was_allowed_is_noted() {
    for (kind, store) in stores().await {
        let rig = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
        let refusing = Rig::with(kind, store, minting_k1(), |builder| builder.policy(Never));
        let issued = rig.registry.issue(grant()).await.unwrap();
        let (id, text) = (issued.record.id(), issued.token.expose());
        let other = rig.registry.issue(grant()).await.unwrap();

        assert_eq!(refusing.outcome(text).await, "never");
        assert_eq!(refusing.registry.flush_uses().await.unwrap(), 0, "{kind}: refused by the policy");
        rig.registry.block(id, By::unknown()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "blocked");
        rig.registry.unblock(id, By::unknown()).await.unwrap();
        rig.registry.revoke(other.record.id(), By::unknown()).await.unwrap();
        assert_eq!(rig.outcome(other.token.expose()).await, "revoked");
        assert_eq!(rig.outcome(&format!("{text}0")).await, "malformed");
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 0, "{kind}: denied");
        assert_eq!(rig.outcome(text).await, "ok");
        assert_eq!(rig.registry.flush_uses().await.unwrap(), 1, "{kind}");
    }
}

#[tokio::test]
async fn what_was_not_used_since_a_moment_is_listed() {
    for rig in rigs().await {
        // Three tokens of the first day: one used on the tenth, one on the twentieth, one never.
        let mut tokens = Vec::new();
        for name in ["tenth", "twentieth", "never"] {
            let grant = grant().name(counterfoil::Name::new(name).unwrap());
            tokens.push(rig.registry.issue(grant).await.unwrap());
        }
        for (token, day) in tokens.iter().zip([10, 20]) {
            rig.wait(day * DAY);
            rig.registry.verify(token.token.expose()).await.unwrap();
        }
        rig.registry.flush_uses().await.unwrap();
        let millisecond = Duration::from_millis(1);
        for (since, unused) in [
            (Duration::ZERO, vec![]),
            (millisecond, vec!["never"]),
            (10 * DAY, vec!["never"]),
            (10 * DAY + millisecond, vec!["tenth", "never"]),
            (20 * DAY + millisecond, vec!["tenth", "twentieth", "never"]),
        ] {
            let filter = Filter { unused_since: Some(at(since)), ..Filter::owner(owner("user-42")) };
            let mut listed = Vec::new();
            for stored in rig.registry.list(&ListQuery::new(filter)).await.unwrap().tokens {
                listed.push(stored.record.annotations().name.as_ref().unwrap().as_str().to_owned());
            }
            listed.sort();
            let mut unused = unused;
            unused.sort_unstable();
            assert_eq!(listed, unused, "since {since:?} on {}", rig.kind);
        }
    }
}

#[test]
fn noting_a_use_of_a_token_that_is_known_allocates_nothing() {
    let agent = Caller { agent: Some(Agent::new("ci/1.0").unwrap()), ..from("192.0.2.7") };
    let [noting, dropping] = [50_000, 0].map(|bound| {
        let notes = UseNotes { bound, ..UseNotes::default() };
        let registry = Registry::builder(format(), minting_k1(), MemoryStore::new()).uses(notes).build().unwrap();
        let issued = pollster::block_on(registry.issue(grant())).unwrap();
        let verify = || drop(pollster::block_on(registry.verify_for(issued.token.expose(), &agent)).unwrap());
        verify();
        allocation_counter::measure(verify).count_total
    });
    assert_eq!(noting, dropping);
}
