//! The end of many tokens at once, and of one by whoever holds it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/gated.rs"]
mod gated;

use std::time::Duration;

use common::{DAY, Events, Rig, at, grant, minting_k1, minting_k2, owner, rigs, stores};
use counterfoil::{
    Actor, Argon2Cost, Audience, By, Caller, Checksum, Environment, FixedClock, Grant, Lifetime, Owner, Policy, Record,
    Registry, Restrictions, Rotation, SharedStore, Status, TokenFormat, Verified,
    event::EventKind,
    policy::{Approval, Assent, Objection, Refusal},
    possession::Reuse,
    registry::{ChangeError, RegistryBuilder, SurrenderError, VerifyError},
    store::{Filter, RevokeTarget, StoreErrorKind},
};
use gated::Gated;

fn admin() -> By {
    let claimed = Actor::new("user-42").unwrap();
    By::actor(Actor::new("admin:7").unwrap()).claiming(claimed).because("the account is closed".try_into().unwrap())
}

#[tokio::test]
async fn all_tokens_of_an_owner_end_and_those_of_others_stay() {
    for rig in rigs().await {
        let elsewhere = Owner::in_tenant("acme", "user-42").unwrap();
        let (gone, neighbour) = (owner("user-42"), owner("user-43"));
        let mut issued = Vec::new();
        for (millis, whose) in [&gone, &gone, &gone, &neighbour, &elsewhere].into_iter().enumerate() {
            rig.wait(Duration::from_millis(millis as u64)); // so that the ids are in order
            issued.push(rig.registry.issue(Grant { owner: whose.clone(), ..grant() }).await.unwrap());
        }
        let ([one, two, three], others) = issued.split_first_chunk().unwrap();
        rig.registry.revoke(three.record.id(), By::unknown()).await.unwrap();
        rig.registry.block(two.record.id(), By::unknown()).await.unwrap();
        rig.events.take();

        let revocation = rig.registry.revoke_all(gone.clone(), admin()).await.unwrap();
        assert_eq!((revocation.revoked, revocation.already), (vec![one.record.id(), two.record.id()], 1));
        let events = rig.events.take_whole();
        let heard: Vec<_> =
            events.iter().map(|event| (event.kind.as_str(), event.token, &event.owner, &event.by)).collect();
        let (whose, by) = (Some(gone.clone()), admin());
        let ids = [one.record.id(), two.record.id()];
        assert_eq!(heard, ids.map(|id| ("revoked", Some(id), &whose, &by)));
        for token in [one, two, three] {
            assert_eq!(rig.outcome(token.token.expose()).await, "revoked");
        }
        for token in others {
            assert_eq!(rig.outcome(token.token.expose()).await, "ok", "{}", rig.kind);
        }
        let mark = rig.record(one.record.id()).await.revoked().cloned().unwrap();
        assert_eq!((mark.by, mark.claimed_by, mark.reason), (admin().actor, admin().claimed, admin().reason));

        rig.events.take();
        let again = rig.registry.revoke_all(gone, By::unknown()).await.unwrap();
        assert_eq!((again.revoked.len(), again.already), (0, 3));
        assert_eq!(rig.events.take(), Vec::<String>::new());
        assert_eq!(rig.record(one.record.id()).await.revoked().unwrap().by, admin().actor, "the first mark stays");
        let nobody = rig.registry.revoke_all(owner("nobody"), By::unknown()).await.unwrap();
        assert_eq!((nobody.revoked.len(), nobody.already), (0, 0));
    }
}

#[tokio::test]
async fn the_old_tokens_of_an_owner_who_is_back_stay_dead() {
    for rig in rigs().await {
        let old = rig.registry.issue(grant()).await.unwrap();
        let id = old.record.id();
        rig.registry.revoke_all(owner("user-42"), admin()).await.unwrap();

        rig.wait(DAY);
        let new = rig.registry.issue(grant()).await.unwrap();
        assert_eq!(rig.outcome(new.token.expose()).await, "ok");
        assert!(rig.registry.set_expiry(id, Lifetime::Forever, By::unknown()).await.is_err());
        assert!(rig.registry.resume(id, By::unknown()).await.is_err());
        assert!(rig.registry.unblock(id, By::unknown()).await.is_err());
        assert!(rig.registry.rotate(id, &Rotation::at_once()).await.is_err());
        assert_eq!(rig.outcome(old.token.expose()).await, "revoked", "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_filter_ends_what_it_matches() {
    // The filter → which of four tokens it ends, and whether it tells whose they are.
    type Case = (fn() -> RevokeTarget, [bool; 4], bool);
    let cases: [Case; 7] = [
        (|| Filter::owner(owner("user-42")).into(), [true, true, false, false], true),
        (
            || Filter { created_before: Some(at(DAY)), ..Filter::owner(owner("user-42")) }.into(),
            [true, false, false, false],
            true,
        ),
        (|| Filter { created_before: Some(at(DAY)), ..Filter::all() }.into(), [true, false, true, false], false),
        (
            || Filter { tenant: Some("acme".parse().unwrap()), ..Filter::all() }.into(),
            [false, false, false, true],
            false,
        ),
        (|| Filter { key: Some("k1".parse().unwrap()), ..Filter::all() }.into(), [true; 4], false),
        (|| Filter { key: Some("k2".parse().unwrap()), ..Filter::all() }.into(), [false; 4], false),
        (|| Filter::all().into(), [true; 4], false),
    ];
    for (target, ended, names_owner) in cases {
        for rig in rigs().await {
            let mut tokens = Vec::new();
            for (after, whose) in [
                (Duration::ZERO, owner("user-42")),
                (DAY, owner("user-42")),
                (Duration::ZERO, owner("user-43")),
                (DAY, Owner::in_tenant("acme", "user-42").unwrap()),
            ] {
                rig.wait(after);
                tokens.push(rig.registry.issue(Grant { owner: whose, ..grant() }).await.unwrap());
            }
            rig.wait(2 * DAY);
            rig.events.take();
            let revocation = rig.registry.revoke_all(target(), admin()).await.unwrap();
            assert_eq!(revocation.revoked.len(), ended.iter().filter(|ended| **ended).count());
            let events = rig.events.take_whole();
            assert_eq!(events.len(), revocation.revoked.len());
            assert!(events.iter().all(|event| event.owner.is_some() == names_owner));
            for (token, ended) in tokens.iter().zip(ended) {
                let outcome = if ended { "revoked" } else { "ok" };
                assert_eq!(rig.outcome(token.token.expose()).await, outcome, "{}: {:?}", rig.kind, target());
            }
        }
    }
}

#[tokio::test]
async fn the_event_of_one_revocation_names_the_owner() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        rig.events.take();
        rig.registry.revoke(id, admin()).await.unwrap();
        let events = rig.events.take_whole();
        let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.token, event.owner.clone())).collect();
        assert_eq!(told, [("revoked", Some(id), Some(grant().owner))], "{}", rig.kind);
        rig.registry.revoke(id, admin()).await.unwrap();
        assert_eq!(rig.events.take_whole(), [], "nothing has changed");
    }
}

/// What happens to a token before its text is presented.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Nothing,
    Expires,
    IsSuspended,
    IsBlocked,
    IsRevoked,
    IsRotated,
    RetiresWithinOverlap,
    RetiresPastOverlap,
}

#[tokio::test]
async fn whoever_holds_a_right_secret_ends_the_token() {
    // Fate → the answer, the status after it, and what the sink hears.
    for (fate, answer, status, heard) in [
        (Fate::Nothing, "revoked", Status::Revoked, vec!["revoked"]),
        (Fate::Expires, "revoked", Status::Revoked, vec!["revoked"]),
        (Fate::IsSuspended, "revoked", Status::Revoked, vec!["revoked"]),
        (Fate::IsBlocked, "revoked", Status::Revoked, vec!["revoked"]),
        (Fate::IsRevoked, "already", Status::Revoked, vec![]),
        (Fate::RetiresWithinOverlap, "revoked", Status::Revoked, vec!["revoked"]),
        (Fate::RetiresPastOverlap, "superseded", Status::Active, vec!["denied"]),
        (Fate::IsRotated, "superseded", Status::Active, vec!["denied"]),
    ] {
        for bench in benches(|builder| builder).await {
            let Bench { registry, clock, events, .. } = &bench;
            let issued = registry.issue(grant().environment(environment("live"))).await.unwrap();
            let id = issued.record.id();
            let mut after = Duration::ZERO;
            match fate {
                Fate::Nothing => {}
                Fate::Expires => after = 90 * DAY,
                Fate::IsSuspended => drop(registry.suspend(id, admin()).await.unwrap()),
                Fate::IsBlocked => drop(registry.block(id, admin()).await.unwrap()),
                Fate::IsRevoked => registry.revoke(id, admin()).await.unwrap(),
                Fate::IsRotated => drop(registry.rotate(id, &Rotation::at_once()).await.unwrap()),
                Fate::RetiresWithinOverlap | Fate::RetiresPastOverlap => {
                    let _ = registry.rotate(id, &Rotation::with_overlap(DAY)).await.unwrap();
                    let inside = matches!(fate, Fate::RetiresWithinOverlap);
                    after = if inside { DAY - Duration::from_millis(1) } else { DAY };
                }
            }
            clock.set(at(after));
            events.take();
            let finder = By::actor(Actor::new("scanner").unwrap());
            let found = bench.surrender(issued.token.expose(), &finder).await;
            assert_eq!(found, answer, "{}: {fate:?}", bench.kind);
            let told = events.take_whole();
            assert_eq!(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), heard, "{fate:?}");
            for event in &told {
                assert_eq!((event.token, &event.owner), (Some(id), &Some(owner("user-42"))));
                assert_eq!(event.caller, caller());
                assert_eq!(event.by == finder, event.kind == EventKind::Revoked);
            }
            let stored = registry.get(id).await.unwrap().unwrap();
            assert_eq!(stored.record.status(at(after)), status, "{fate:?}");
            assert!(stored.usage.is_none(), "it is no use");
            let by = stored.record.revoked().and_then(|mark| mark.by.clone());
            let who = match (answer, status) {
                ("revoked", _) => finder.actor.clone(),
                ("already", _) => admin().actor,
                _ => None,
            };
            assert_eq!(by, who);

            let again = bench.surrender(issued.token.expose(), &finder).await;
            assert_eq!(again, if answer == "revoked" { "already" } else { answer }, "{fate:?}, again");
        }
    }
}

#[tokio::test]
async fn where_a_token_may_be_used_is_not_asked() {
    let mut elsewhere = Restrictions::none();
    elsewhere.add_network("198.51.100.0/24".parse().unwrap()).unwrap();
    elsewhere.set_audience(Audience::new("mcp").unwrap());
    for (restrictions, environment_of, use_is) in [
        (Restrictions::none(), "test", "token is for an environment that is not served here"),
        (elsewhere, "live", "token may not be used from this network"),
        (Restrictions::none(), "live", "closed"),
    ] {
        for bench in benches(|builder| builder.policy(OnlyIssues)).await {
            let asked = grant().restrictions(restrictions.clone()).environment(environment(environment_of));
            let issued = bench.registry.issue(asked).await.unwrap();
            let refused = bench.registry.verify_for(issued.token.expose(), &caller()).await.unwrap_err();
            assert_eq!(refused.to_string(), use_is);
            assert_eq!(bench.surrender(issued.token.expose(), &By::unknown()).await, "revoked", "{}", bench.kind);
        }
    }
}

#[tokio::test]
async fn who_proves_nothing_ends_nothing_and_learns_nothing() {
    for bench in benches(|builder| builder).await {
        let issued = bench.registry.issue(grant().environment(environment("live"))).await.unwrap();
        let text = issued.token.expose();
        let flipped = |at: usize| {
            let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        };
        let (wrong, unknown) = (flipped(text.len() - 1), flipped("ak_live_".len()));
        bench.events.take();
        for (text, answer) in [
            (wrong.as_str(), "wrong_secret"),
            (unknown.as_str(), "unknown"),
            (&text[..text.len() - 1], "malformed"),
            ("ghp_000000000000000000000000000000", "not_ours"),
        ] {
            assert_eq!(bench.surrender(text, &By::unknown()).await, answer);
            let error = bench.registry.revoke_presented(text, By::unknown(), &caller()).await.unwrap_err();
            assert!(error.is_refusal(), "{error}");
            let SurrenderError::Unproven(VerifyError::Denied(denial)) = error else { continue };
            assert!(!denial.may_be_told(), "{denial}");
        }
        assert_eq!(bench.events.take(), ["denied"; 4]); // each of the first two twice
        assert_eq!(bench.registry.get(issued.record.id()).await.unwrap().unwrap().record.version(), 1);
    }
}

#[tokio::test]
async fn a_spent_secret_that_is_presented_for_revocation_is_reuse_as_well() {
    for bench in benches(|builder| builder.on_reuse(Reuse::Revoke)).await {
        let issued = bench.registry.issue(grant().environment(environment("live"))).await.unwrap();
        let rotated = bench.registry.rotate(issued.record.id(), &Rotation::at_once()).await.unwrap();
        assert_eq!(bench.surrender(issued.token.expose(), &By::unknown()).await, "superseded");
        assert_eq!(bench.surrender(rotated.token.expose(), &By::unknown()).await, "already");
    }
}

#[tokio::test]
async fn a_slow_hash_proves_possession_too_and_a_missing_key_neither_proves_nor_refuses() {
    let cost = Argon2Cost::new(7 * 1024, 1, 1).unwrap();
    for (kind, store) in stores().await {
        let with = |keys| Registry::builder(common::format(), keys, store.clone()).build().unwrap();
        let (slow, other) = (with(minting_k2().with_argon2id(cost).unwrap()), with(minting_k1()));
        let issued = slow.issue(grant()).await.unwrap();
        let error = other.revoke_presented(issued.token.expose(), By::unknown(), &caller()).await.unwrap_err();
        assert!(matches!(error, SurrenderError::Unproven(VerifyError::Unchecked(_))), "{kind}: {error}");
        assert!(!error.is_refusal());
        let ended = slow.revoke_presented(issued.token.expose(), admin(), &caller()).await.unwrap();
        assert!(!ended.already);
        let stored = slow.get(issued.record.id()).await.unwrap().unwrap().record;
        assert_eq!(ended.record.to_row(), stored.to_row(), "what is told is what is stored");
    }
}

/// A registry whose tokens have no checksum, so that a wrong one can be written by hand.
struct Bench {
    registry: Registry,
    clock: FixedClock,
    events: Events,
    kind: &'static str,
}

async fn benches(set_up: impl Fn(RegistryBuilder) -> RegistryBuilder + Send + Sync) -> Vec<Bench> {
    let format = TokenFormat::builder("ak").environments(["live", "test"]).checksum(Checksum::None).build().unwrap();
    let bench = |(kind, store): (&'static str, SharedStore)| {
        let (clock, events) = (FixedClock::new(at(Duration::ZERO)), Events::default());
        let builder = Registry::builder(format.clone(), minting_k1(), store)
            .serving([environment("live")])
            .audience(Audience::new("api").unwrap())
            .clock(clock.clone())
            .sink(events.clone());
        Bench { registry: set_up(builder).build().unwrap(), clock, events, kind }
    };
    stores().await.into_iter().map(bench).collect()
}

impl Bench {
    /// The answer as one word.
    async fn surrender(&self, text: &str, by: &By) -> String {
        match self.registry.revoke_presented(text, by.clone(), &caller()).await {
            Ok(surrendered) => {
                assert!(surrendered.record.revoked().is_some());
                if surrendered.already { "already".into() } else { "revoked".into() }
            }
            Err(SurrenderError::Unproven(VerifyError::Denied(denial))) => denial.code().into(),
            Err(SurrenderError::Unproven(error)) if error.is_not_ours() => "not_ours".into(),
            Err(SurrenderError::Unproven(VerifyError::Malformed(_))) => "malformed".into(),
            Err(error) => error.to_string(),
        }
    }
}

fn environment(name: &str) -> Environment {
    Environment::new(name).unwrap()
}

fn caller() -> Caller {
    Caller { address: Some("192.0.2.7".parse().unwrap()), ..Caller::unknown() }
}

#[derive(Debug)]
struct OnlyIssues;

impl Policy for OnlyIssues {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Err(Refusal::new("closed", "closed").into())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Err(Refusal::new("closed", "closed").into())
    }
}

#[tokio::test]
async fn owner_of_many_tokens_is_revoked_in_steps() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| builder);
        let mut ids = Vec::new();
        for _ in 0..250 {
            ids.push(rig.registry.issue(grant()).await.unwrap().record.id());
        }
        ids.sort_unstable();
        let other = rig.registry.issue(Grant { owner: owner("user-7"), ..grant() }).await.unwrap();
        rig.events.take();
        let revocation = rig.registry.revoke_all(grant().owner, admin()).await.unwrap();
        assert_eq!((&revocation.revoked, revocation.already, revocation.next), (&ids, 0, None), "{kind}");
        assert_eq!(store.rows()["revoke"], [100, 100, 50], "{kind}");
        assert_eq!(rig.events.take().len(), 250, "{kind}");
        assert_eq!(rig.outcome(other.token.expose()).await, "ok", "{kind}");
        let again = rig.registry.revoke_all(grant().owner, admin()).await.unwrap();
        assert_eq!((again.revoked.len(), again.already), (0, 250), "{kind}");
    }
}

#[tokio::test]
async fn list_of_tokens_is_revoked_where_the_filter_matches() {
    for (kind, store) in stores().await {
        let rig = Rig::with(kind, store, minting_k1(), |builder| builder);
        let mut ids = Vec::new();
        for _ in 0..120 {
            ids.push(rig.registry.issue(grant()).await.unwrap().record.id());
        }
        let of_another = rig.registry.issue(Grant { owner: owner("user-7"), ..grant() }).await.unwrap();
        ids.push(of_another.record.id());
        let unlisted = rig.registry.issue(grant()).await.unwrap();
        let target = RevokeTarget::Among { ids, filter: Filter::owner(grant().owner) };
        let revocation = rig.registry.revoke_all(target, admin()).await.unwrap();
        assert_eq!((revocation.revoked.len(), revocation.already), (120, 0), "{kind}");
        for token in [of_another, unlisted] {
            assert_eq!(rig.outcome(token.token.expose()).await, "ok", "{kind}");
        }
    }
}

#[tokio::test]
async fn interrupted_revocation_says_what_is_done_and_the_same_call_does_the_rest() {
    for (kind, store) in stores().await {
        let store = Gated::new(store);
        let rig = Rig::with(kind, SharedStore::new(store.clone()), minting_k1(), |builder| builder);
        for _ in 0..250 {
            let _ = rig.registry.issue(grant()).await.unwrap();
        }
        rig.events.take();
        store.fail_revocations_after(2);
        let error = rig.registry.revoke_all(grant().owner, admin()).await.unwrap_err();
        assert_eq!(error.to_string(), "200 tokens were revoked, then: the store is unavailable", "{kind}");
        let ChangeError::Interrupted { done, source } = error else { panic!("{error:?}") };
        assert_eq!((done.revoked.len(), source.kind()), (200, &StoreErrorKind::Unavailable), "{kind}");
        assert_eq!(rig.events.take().len(), 200, "{kind}: those that are done are told");
        // Nothing was done: the plain failure.
        let error = rig.registry.revoke_all(grant().owner, admin()).await.unwrap_err();
        assert!(matches!(error, ChangeError::Store(_)), "{kind}: {error:?}");
        store.fail_revocations_after(usize::MAX);
        let rest = rig.registry.revoke_all(grant().owner, admin()).await.unwrap();
        assert_eq!((rest.revoked.len(), rest.already), (50, 200), "{kind}");
    }
}
