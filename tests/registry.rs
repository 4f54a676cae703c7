//! The life of a token, on every kind of store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{DAY, Rig, at, format, grant, keyring, minting_k1, minting_k2, owner, rigs, rigs_with, stores};
use counterfoil::{
    Actor, Annotations, Audience, By, Caller, Environment, Families, Grant, IssuePolicy, Lifetime, Name, Registry,
    Restrictions, Rotation, ScopeCatalog, Status, TokenFormat, TokenStore, UnknownScopes,
    entropy::{Entropy, NoEntropy},
    event::EventKind,
    policy::{Approval, Assent, Objection, Policy, Refusal},
    registry::{ChangeError, IssueError, RotationError, Target, VerifyError},
    store::{Filter, ListQuery, StoreErrorKind},
};

#[tokio::test]
async fn a_token_is_issued_verified_and_asked_for_scopes() {
    for rig in rigs().await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let verified = rig.registry.verify(issued.token.expose()).await.unwrap();
        assert_eq!(verified.record().id(), issued.record.id());
        assert_eq!(verified.record().owner(), &owner("user-42"));
        assert!(verified.require(&"parts:read".parse().unwrap()).is_ok());
        let missing = verified.require(&"parts:delete".parse().unwrap()).unwrap_err();
        assert_eq!(missing.to_string(), "scope `parts:delete` is required");
        assert_eq!(rig.events.take(), ["issued", "used"], "{}", rig.kind);
    }
}

#[tokio::test]
async fn marks_pause_and_end_a_token_independently() {
    for rig in rigs().await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let (id, text, registry) = (issued.record.id(), issued.token.expose(), &rig.registry);
        let by = || By::actor(Actor::new("admin:7").unwrap());

        assert_eq!(registry.block(id, by()).await.unwrap().version(), 2);
        assert_eq!(rig.outcome(text).await, "blocked");
        assert_eq!(registry.block(id, By::unknown()).await.unwrap().version(), 2, "the first mark stays");
        assert_eq!(rig.record(id).await.blocked().unwrap().by, Some(Actor::new("admin:7").unwrap()));
        registry.suspend(id, by()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "suspended");
        registry.unblock(id, by()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "suspended");
        registry.resume(id, by()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "ok");
        assert_eq!(registry.resume(id, by()).await.unwrap().version(), 5, "nothing to resume");

        registry.revoke(id, by()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "revoked");
        registry.revoke(id, By::unknown()).await.unwrap();
        let record = rig.record(id).await;
        assert_eq!((record.version(), record.status(at(DAY))), (6, Status::Revoked));
        assert_eq!(record.revoked().unwrap().by, Some(Actor::new("admin:7").unwrap()), "the first mark stays");
        assert_eq!(
            rig.events.take(),
            [
                "issued",
                "blocked",
                "denied",
                "suspended",
                "denied",
                "unblocked",
                "denied",
                "resumed",
                "used",
                "revoked",
                "denied"
            ]
        );
    }
}

#[tokio::test]
async fn second_mark_of_a_kind_keeps_the_first() {
    let by =
        |name: &str, reason: &str| By { reason: Some(reason.parse().unwrap()), ..By::actor(Actor::new(name).unwrap()) };
    for kind in ["block", "suspend", "revoke"] {
        for rig in rigs().await {
            let issued = rig.registry.issue(grant()).await.unwrap();
            let id = issued.record.id();
            let mark = async |by: By| match kind {
                "block" => rig.registry.block(id, by).await.map(drop),
                "suspend" => rig.registry.suspend(id, by).await.map(drop),
                _ => rig.registry.revoke(id, by).await,
            };
            mark(by("admin:7", "leaked")).await.unwrap();
            let first = rig.record(id).await;
            rig.events.take();
            rig.wait(DAY);
            mark(by("admin:8", "again")).await.unwrap();
            let second = rig.record(id).await;
            assert_eq!(second.to_row(), first.to_row(), "{kind} {}", rig.kind);
            assert_eq!(rig.events.take(), [""; 0], "{kind} {}", rig.kind);
            let marks = [second.blocked(), second.suspended(), second.revoked()];
            let [mark] = marks.into_iter().flatten().collect::<Vec<_>>()[..] else { panic!("{kind}: not one mark") };
            let found = (mark.at, mark.by.as_ref().unwrap().as_str(), mark.reason.as_ref().unwrap().as_str());
            assert_eq!(found, (at(Duration::ZERO), "admin:7", "leaked"), "{kind} {}", rig.kind);
        }
    }
}

#[tokio::test]
async fn nothing_changes_a_revoked_token() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        rig.registry.revoke(id, By::unknown()).await.unwrap();
        let (registry, by) = (&rig.registry, By::unknown);
        let scopes = "parts:read".parse().unwrap();
        for refused in [
            registry.block(id, by()).await,
            registry.unblock(id, by()).await,
            registry.suspend(id, by()).await,
            registry.resume(id, by()).await,
            registry.set_expiry(id, Lifetime::Forever, by()).await,
            registry.narrow_scopes(id, scopes, by()).await,
            registry.annotate(id, Annotations::default(), by()).await,
        ] {
            assert_eq!(refused.unwrap_err().to_string(), "token is revoked, which is final");
        }
        let rotated = registry.rotate(id, &Rotation::at_once()).await;
        assert_eq!(rotated.unwrap_err().to_string(), "token is revoked, which is final");
        assert_eq!(rig.record(id).await.version(), 2);
    }
}

#[tokio::test]
async fn a_token_ends_when_its_expiry_is_reached_and_a_later_one_revives_it() {
    for rig in rigs().await {
        let issued = rig.registry.issue(Grant { lifetime: Lifetime::days(1), ..grant() }).await.unwrap();
        let text = issued.token.expose();
        for (after_start, outcome) in
            [(DAY - Duration::from_millis(1), "ok"), (DAY, "expired"), (DAY + Duration::from_millis(1), "expired")]
        {
            rig.wait(after_start);
            assert_eq!(rig.outcome(text).await, outcome, "{after_start:?}");
        }
        rig.registry.set_expiry(issued.record.id(), Lifetime::days(1), By::unknown()).await.unwrap();
        assert_eq!(rig.outcome(text).await, "ok");
        rig.wait(3 * DAY);
        assert_eq!(rig.outcome(text).await, "expired");
    }
}

#[tokio::test]
async fn rotation_keeps_the_record_and_lets_the_old_secret_overlap() {
    for rig in rigs().await {
        let name = Name::new("CI").unwrap();
        let issued = rig.registry.issue(grant().name(name.clone())).await.unwrap();
        let id = issued.record.id();
        let (first, rotation) = (issued.token, Rotation::with_overlap(DAY));
        let second = rig.registry.rotate(id, &rotation).await.unwrap();
        assert_eq!(second.record.id(), id);
        assert_eq!(second.record.annotations().name, Some(name));
        assert_eq!(second.record.scopes(), issued.record.scopes());
        assert_eq!(second.record.expiry(), issued.record.expiry());
        assert_eq!(second.record.version(), 2);

        for (after_start, old, new) in [
            (Duration::ZERO, "ok", "ok"),
            (DAY - Duration::from_millis(1), "ok", "ok"),
            (DAY, "superseded", "ok"),
            (89 * DAY, "superseded", "ok"),
            (90 * DAY, "superseded", "expired"),
        ] {
            rig.wait(after_start);
            assert_eq!(rig.outcome(first.expose()).await, old, "{after_start:?}");
            assert_eq!(rig.outcome(second.token.expose()).await, new, "{after_start:?}");
        }
    }
}

#[tokio::test]
async fn a_rotation_ends_a_running_overlap_and_the_newest_ended_secret_is_the_spent_one() {
    let (overlapping, at_once) = (Rotation::with_overlap(DAY), Rotation::at_once());
    // Rotations one after another → the outcome of each secret, the oldest first.
    for (rotations, outcomes) in [
        (vec![&at_once], vec!["superseded", "ok"]),
        (vec![&overlapping], vec!["ok", "ok"]),
        (vec![&overlapping, &at_once], vec!["unknown", "superseded", "ok"]),
        (vec![&overlapping, &overlapping], vec!["superseded", "ok", "ok"]),
        (vec![&at_once, &overlapping], vec!["superseded", "ok", "ok"]),
        (vec![&at_once, &at_once], vec!["unknown", "superseded", "ok"]),
        (vec![&overlapping, &overlapping, &overlapping], vec!["unknown", "superseded", "ok", "ok"]),
    ] {
        for rig in rigs().await {
            let issued = rig.registry.issue(grant()).await.unwrap();
            let mut tokens = vec![issued.token];
            for rotation in &rotations {
                tokens.push(rig.registry.rotate(issued.record.id(), rotation).await.unwrap().token);
            }
            for (token, outcome) in tokens.iter().zip(&outcomes) {
                assert_eq!(rig.outcome(token.expose()).await, *outcome, "{} after {}", rig.kind, rotations.len());
            }
        }
    }
}

#[tokio::test]
async fn a_retiring_secret_never_outlives_the_token() {
    for rig in rigs().await {
        let issued = rig.registry.issue(Grant { lifetime: Lifetime::days(1), ..grant() }).await.unwrap();
        let rotated = rig.registry.rotate(issued.record.id(), &Rotation::with_overlap(30 * DAY)).await.unwrap().record;
        assert_eq!(rotated.slots().retiring.as_ref().map(|retiring| retiring.until), Some(at(DAY)));
        rig.wait(DAY);
        let refused = rig.registry.rotate(issued.record.id(), &Rotation::at_once()).await.unwrap_err();
        assert_eq!(refused.to_string(), "token is expired");
        let forever = Rotation::with_overlap(Duration::MAX);
        rig.wait(Duration::ZERO);
        let refused = rig.registry.rotate(issued.record.id(), &forever).await.unwrap_err();
        assert!(refused.to_string().starts_with("overlap: time out of range"), "{refused}");
    }
}

#[tokio::test]
async fn rotation_keeps_marks() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        rig.registry.block(id, By::unknown()).await.unwrap();
        let rotated = rig.registry.rotate(id, &Rotation::at_once()).await.unwrap();
        assert_eq!(rig.outcome(rotated.token.expose()).await, "blocked");
    }
}

#[tokio::test]
async fn the_limit_counts_active_tokens_of_one_owner() {
    let limited = |builder: counterfoil::registry::RegistryBuilder| {
        builder.issue_policy(IssuePolicy { limit: Some(2), ..IssuePolicy::default() })
    };
    for rig in rigs_with(limited).await {
        let registry = &rig.registry;
        let one = registry.issue(Grant { lifetime: Lifetime::days(1), ..grant() }).await.unwrap().record.id();
        let two = registry.issue(grant()).await.unwrap().record.id();
        let full = || async {
            let error = registry.issue(grant()).await.unwrap_err();
            assert!(matches!(error, IssueError::LimitReached { limit: 2 }), "{error}");
        };
        full().await;
        let _ = registry.rotate(two, &Rotation::with_overlap(DAY)).await.unwrap(); // at the limit, and no new token
        full().await;
        let _ = registry.issue(Grant { owner: owner("user-43"), ..grant() }).await.unwrap();
        let elsewhere = counterfoil::Owner::in_tenant("acme", "user-42").unwrap();
        let _ = registry.issue(Grant { owner: elsewhere, ..grant() }).await.unwrap();

        // A blocked token makes room; to unblock it then is refused.
        registry.block(two, By::unknown()).await.unwrap();
        let three = registry.issue(grant()).await.unwrap().record.id();
        let refused = registry.unblock(two, By::unknown()).await.unwrap_err();
        assert!(matches!(refused, ChangeError::LimitReached { limit: 2 }), "{refused}");
        assert_eq!(rig.record(two).await.status(at(Duration::ZERO)), Status::Blocked);

        // An expired one makes room as well; to give it a later end then is refused, until there is room.
        rig.wait(DAY);
        registry.unblock(two, By::unknown()).await.unwrap();
        let refused = registry.set_expiry(one, Lifetime::days(1), By::unknown()).await.unwrap_err();
        assert!(matches!(refused, ChangeError::LimitReached { limit: 2 }), "{refused}");
        registry.revoke(three, By::unknown()).await.unwrap();
        registry.set_expiry(one, Lifetime::days(1), By::unknown()).await.unwrap();
        full().await;
    }
}

#[tokio::test]
async fn scopes_are_narrowed_and_never_widened() {
    for rig in rigs().await {
        let held = "collections:* parts:read parts:write".parse().unwrap();
        let id = rig.registry.issue(grant().scopes(held)).await.unwrap().record.id();
        for (scopes, outcome) in [
            ("parts:delete", "scopes can only be narrowed"),
            ("parts:*", "scopes can only be narrowed"),
            ("collections:eu:* parts:read", "ok"),
            ("collections:*", "scopes can only be narrowed"),
            ("collections:eu:7", "ok"),
            ("", "ok"),
            ("parts:read", "scopes can only be narrowed"),
        ] {
            let narrowed = rig.registry.narrow_scopes(id, scopes.parse().unwrap(), By::unknown()).await;
            let found = narrowed.map_or_else(|error| error.to_string(), |_| "ok".into());
            assert_eq!(found, outcome, "{scopes}");
        }
        assert!(rig.record(id).await.scopes().is_empty());
    }
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        let (stale, fresh) = (Target { id, version: Some(9) }, Target { id, version: Some(1) });
        let refused = rig.registry.block(stale, By::unknown()).await.unwrap_err();
        assert_eq!(refused.to_string(), "token was changed: found version 1, expected 9");
        assert!(matches!(rig.registry.revoke(stale, By::unknown()).await, Err(ChangeError::Stale { .. })));
        assert!(matches!(
            rig.registry.rotate(stale, &Rotation::at_once()).await,
            Err(RotationError::Change(ChangeError::Stale { .. }))
        ));
        rig.registry.revoke(fresh, By::unknown()).await.unwrap();
        assert_eq!(rig.record(id).await.status(at(DAY)), Status::Revoked);
        let missing = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa".parse::<counterfoil::TokenId>().unwrap();
        assert!(matches!(rig.registry.revoke(missing, By::unknown()).await, Err(ChangeError::NotFound)));
        assert!(matches!(rig.registry.block(missing, By::unknown()).await, Err(ChangeError::NotFound)));
    }
}

#[tokio::test]
async fn concurrent_changes_are_all_made() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        let changes = (0..4).map(|number| {
            let registry = rig.registry.clone();
            tokio::spawn(async move {
                let annotations =
                    Annotations { name: Some(Name::new(format!("n{number}")).unwrap()), ..Default::default() };
                registry.annotate(id, annotations, By::unknown()).await.unwrap();
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        assert_eq!(rig.record(id).await.version(), 5, "{}", rig.kind);
    }
}

#[tokio::test]
async fn tokens_are_listed_by_owner() {
    for rig in rigs().await {
        let mut ids = Vec::new();
        for number in 0..5 {
            rig.wait(Duration::from_millis(number));
            ids.push(rig.registry.issue(grant()).await.unwrap().record.id());
        }
        let _ = rig.registry.issue(Grant { owner: owner("user-43"), ..grant() }).await.unwrap();
        let mut query = ListQuery { limit: 2, ..ListQuery::new(Filter::owner(owner("user-42"))) };
        let mut seen = Vec::new();
        loop {
            let page = rig.registry.list(&query).await.unwrap();
            seen.extend(page.tokens.iter().map(|stored| stored.record.id()));
            let Some(next) = page.next else { break };
            query = query.after(next);
        }
        assert_eq!(seen, ids, "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_digest_moves_to_the_minting_key_on_use_and_its_version_stays() {
    for selectorless in [false, true] {
        for (kind, store) in stores().await {
            let builder = TokenFormat::builder("acme");
            let format = if selectorless { builder.without_selector() } else { builder }.build().unwrap();
            let with = |keys: &str| Registry::builder(format.clone(), keyring(keys), store.clone()).build().unwrap();
            let old = with(&format!("{}:mint", common::K1));
            let both = with(&format!("{},{}:mint", common::K1, common::K2));
            let new = with(&format!("{}:mint", common::K2));
            let staged = with(&format!("{}:mint,{}", common::K1, common::K2));

            let used = old.issue(grant()).await.unwrap();
            let unused = old.issue(grant()).await.unwrap();
            assert_eq!(common::outcome_of(&staged, used.token.expose()).await, "ok");
            assert_eq!(store.count_by_key("k1".parse().unwrap()).await.unwrap(), 2, "staged keys mint nothing");

            assert_eq!(common::outcome_of(&both, used.token.expose()).await, "ok");
            let record = both.get(used.record.id()).await.unwrap().unwrap().record;
            assert_eq!((record.version(), record.revision().digest_version), (1, 2), "{kind}");
            assert_eq!(record.slots().current.digest.key_id(), Some("k2".parse().unwrap()));
            assert_eq!(store.count_by_key("k1".parse().unwrap()).await.unwrap(), 1);

            // A node that still mints with the older key never takes it back.
            assert_eq!(common::outcome_of(&staged, used.token.expose()).await, "ok");
            assert_eq!(store.count_by_key("k2".parse().unwrap()).await.unwrap(), 1);

            // The older key is gone: what was used is good, what was not cannot be checked, and nothing is refused.
            assert_eq!(common::outcome_of(&new, used.token.expose()).await, "ok");
            let lost = if selectorless { "unknown" } else { "unverifiable" };
            assert_eq!(common::outcome_of(&new, unused.token.expose()).await, lost, "{kind}");
        }
    }
}

#[tokio::test]
async fn argon2id_is_made_on_use_and_given_up_on_use() {
    let cost = counterfoil::Argon2Cost::new(7 * 1024, 1, 1).unwrap();
    for (kind, store) in stores().await {
        let with = |keys| Rig::with(kind, store.clone(), keys, |builder| builder);
        let (fast, slow) = (with(minting_k1()), with(minting_k2().with_argon2id(cost).unwrap()));
        let issued = fast.registry.issue(grant()).await.unwrap();
        let (id, text) = (issued.record.id(), issued.token.expose());
        let stored = || async { fast.record(id).await.slots().current.digest.to_text() };

        assert_eq!(slow.outcome(text).await, "ok");
        assert!(stored().await.starts_with("$argon2id$v=19$m=7168,t=1,p=1,keyid=azI$"), "{}", stored().await);
        assert_eq!(slow.outcome(text).await, "ok");
        let wrong = format().mint_like(text);
        assert_eq!(slow.outcome(&wrong).await, "wrong_secret");
        assert_eq!(slow.events.take(), ["rehashed", "used", "used", "denied"]);

        let by_hmac_again = with(minting_k2());
        assert_eq!(by_hmac_again.outcome(text).await, "ok");
        assert!(stored().await.starts_with("$hmac-sha256$v=1$key=k2$"));

        let issued = slow.registry.issue(grant()).await.unwrap();
        assert_eq!(slow.outcome(issued.token.expose()).await, "ok");
        let rotated = slow.registry.rotate(issued.record.id(), &Rotation::with_overlap(DAY)).await.unwrap();
        for token in [&issued.token, &rotated.token] {
            assert_eq!(slow.outcome(token.expose()).await, "ok");
        }
    }
}

/// A text with the selector of another and a secret of its own.
trait MintLike {
    fn mint_like(&self, text: &str) -> String;
}

impl MintLike for TokenFormat {
    fn mint_like(&self, text: &str) -> String {
        let other = grant().mint(self, &minting_k1(), at(Duration::ZERO)).unwrap().token;
        let secret_at = "acme_".len() + 12 + 1;
        let covered = format!("{}{}", &text[..secret_at], &other.expose()[secret_at..secret_at + 32]);
        let check = (0..6).rev().fold((crc32_of(&covered), String::new()), |(rest, done), _| {
            let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            (rest / 62, format!("{}{done}", char::from(digits[(rest % 62) as usize])))
        });
        covered + &check.1
    }
}

/// CRC-32 bit by bit, apart from the library that the crate uses.
fn crc32_of(text: &str) -> u32 {
    !text
        .bytes()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
}

#[tokio::test]
async fn without_randomness_nothing_is_stored() {
    #[derive(Debug)]
    struct FailsAfter(std::sync::atomic::AtomicU32);
    impl Entropy for FailsAfter {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
            // All bytes are thrown away by the alphabet, so that a token needs more and more of them.
            bytes.fill(0xff);
            let left = self.0.load(std::sync::atomic::Ordering::SeqCst).checked_sub(1).ok_or(NoEntropy::new())?;
            self.0.store(left, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        }
    }
    for calls in [0, 1, 2, 7] {
        for rig in rigs_with(|builder| builder.entropy(FailsAfter(calls.into()))).await {
            let error = rig.registry.issue(grant()).await.unwrap_err();
            assert_eq!(error.to_string(), "no randomness from the operating system");
            assert!(rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.is_empty());
        }
    }
}

#[tokio::test]
async fn a_policy_refuses_is_unavailable_lowers_the_ceiling_and_attaches() {
    #[derive(Debug)]
    struct Plan;
    impl Plan {
        fn demand(owner: &counterfoil::Owner) -> Result<(), Objection> {
            match owner.subject().as_str() {
                "free" => Err(Refusal::new("subscription_required", "Pro subscription required").into()),
                "lost" => Err(Objection::Unavailable("the plan server is down".into())),
                _ => Ok(()),
            }
        }
    }
    impl Policy for Plan {
        async fn at_use(&self, verified: &counterfoil::Verified, _: &Caller) -> Result<Assent, Objection> {
            Self::demand(verified.record().owner())?;
            Ok(Assent::plain().ceiling("parts:read".parse().unwrap()).attach(7_u32))
        }
        async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
            Self::demand(&grant.owner).map(|()| Approval::plain())
        }
        async fn at_rotate(&self, record: &counterfoil::Record, _: &By) -> Result<(), Objection> {
            Self::demand(record.owner())
        }
    }
    for (kind, store) in stores().await {
        let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
        let asked = Rig::with(kind, store, minting_k1(), |builder| builder.policy(Plan));
        for (subject, outcome) in [("free", "subscription_required"), ("lost", "policy_unavailable"), ("paid", "ok")] {
            let issued = open.registry.issue(Grant { owner: owner(subject), ..grant() }).await.unwrap();
            asked.events.take();
            assert_eq!(asked.outcome(issued.token.expose()).await, outcome);
            let refused = outcome == "subscription_required";
            assert_eq!(asked.events.take().contains(&"refused".to_owned()), refused);
            assert_eq!(asked.registry.issue(Grant { owner: owner(subject), ..grant() }).await.is_ok(), outcome == "ok");
            let rotated = asked.registry.rotate(issued.record.id(), &Rotation::with_overlap(DAY)).await;
            assert_eq!(rotated.is_ok(), outcome == "ok");
            if let Ok(verified) = asked.registry.verify(issued.token.expose()).await {
                assert_eq!(verified.attached::<u32>(), Some(&7));
                assert_eq!(verified.scopes().to_string(), "parts:read");
                assert!(verified.require(&"parts:read".parse().unwrap()).is_ok());
                assert!(verified.require(&"parts:write".parse().unwrap()).is_err());
            }
        }
    }
}

#[tokio::test]
async fn a_sink_that_panics_harms_no_request() {
    #[derive(Debug)]
    struct Panics;
    impl counterfoil::event::EventSink for Panics {
        fn emit(&self, _: &counterfoil::event::Event) {
            panic!("the sink is broken");
        }
    }
    let rig = rigs_with(|builder| builder.sink(Panics)).await.remove(0);
    let issued = rig.registry.issue(grant()).await.unwrap();
    assert_eq!(rig.outcome(issued.token.expose()).await, "ok");
}

#[tokio::test]
async fn the_reuse_of_a_spent_secret_is_an_event_with_its_token_and_caller() {
    for rig in rigs().await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let _ = rig.registry.rotate(issued.record.id(), &Rotation::at_once()).await.unwrap();
        rig.events.take();
        let caller = Caller { address: Some("192.0.2.7".parse().unwrap()), ..Caller::unknown() };
        let _ = rig.registry.verify_for(issued.token.expose(), &caller).await;
        let event = rig.events.take_whole().remove(0);
        assert!(matches!(event.kind, EventKind::Denied { denial: counterfoil::Denial::Superseded, .. }));
        assert_eq!((event.token, event.owner), (Some(issued.record.id()), Some(owner("user-42"))));
        assert_eq!(event.caller, caller);
    }
}

#[tokio::test]
async fn restrictions_hold_for_the_caller() {
    let audience = |text| Audience::new(text).unwrap();
    for rig in rigs_with(|builder| builder.audience(audience("api"))).await {
        let mut only = Restrictions::none();
        only.add_network("192.0.2.0/24".parse().unwrap()).unwrap();
        only.set_audience(audience("mcp"));
        let issued = rig.registry.issue(grant().restrictions(only)).await.unwrap();
        for (address, at_audience, outcome) in [
            (Some("192.0.2.7"), Some("mcp"), "ok"),
            (Some("::ffff:192.0.2.7"), Some("mcp"), "ok"),
            (Some("192.0.3.7"), Some("mcp"), "token may not be used from this network"),
            (None, Some("mcp"), "token may not be used from this network"),
            (Some("192.0.2.7"), None, "token is for another audience"), // the registry's own is `api`
            (Some("192.0.2.7"), Some("MCP"), "token is for another audience"),
        ] {
            let caller = Caller {
                address: address.map(|address| address.parse().unwrap()),
                audience: at_audience.map(audience),
                ..Caller::unknown()
            };
            let verified = rig.registry.verify_for(issued.token.expose(), &caller).await;
            let found = verified.map_or_else(|error| error.to_string(), |_| "ok".into());
            assert_eq!(found, outcome, "{address:?} {at_audience:?}");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_environment_is_refused() {
    let environment = |name: &str| Environment::new(name).unwrap();
    let format = TokenFormat::builder("ak").environments(["live", "test"]).build().unwrap();
    let build = |served: &[&str]| {
        let served: Vec<_> = served.iter().map(|name| environment(name)).collect();
        let store = counterfoil::MemoryStore::new();
        Registry::builder(format.clone(), minting_k1(), store).serving(served).build()
    };
    assert_eq!(
        build(&[]).unwrap_err().to_string(),
        "tokens name an environment, and none is served: every token would be refused"
    );
    assert_eq!(build(&["prod"]).unwrap_err().to_string(), "environment `prod` is served, and no token family names it");
    let registry = build(&["live"]).unwrap();
    let without = registry.issue(grant()).await.unwrap_err();
    assert_eq!(without.to_string(), "environment missing: expected one of live, test");
    for (name, outcome) in [("live", "ok"), ("test", "wrong_environment")] {
        let issued = registry.issue(grant().environment(environment(name))).await.unwrap();
        assert_eq!(common::outcome_of(&registry, issued.token.expose()).await, outcome);
    }
}

#[tokio::test]
async fn several_families_are_told_apart() {
    let current = format();
    let earlier = TokenFormat::builder("old_acme").without_selector().build().unwrap();
    let families = Families::minting(current).accepting(earlier.clone()).unwrap();
    let (kind, store) = stores().await.into_iter().next().unwrap();
    assert_eq!(kind, "memory");
    let registry = Registry::builder(families, minting_k1(), store.clone()).build().unwrap();
    let by_earlier = Registry::builder(earlier, minting_k1(), store).build().unwrap();
    let issued = by_earlier.issue(grant()).await.unwrap();
    let token = issued.token.expose();
    for (text, outcome) in [
        (token, "ok"),
        (&token[1..], "not_ours"),
        (&token[..token.len() - 1], "malformed"),
        ("ghp_000000000000000000000000000000", "not_ours"),
        ("", "not_ours"),
    ] {
        assert_eq!(common::outcome_of(&registry, text).await, outcome);
    }
    assert!(registry.verify("eyJhbGciOiJub25lIn0.e30.").await.unwrap_err().is_not_ours());
}

#[tokio::test]
async fn a_catalog_resolves_what_is_asked_and_forbids_at_the_check() {
    let catalog = |forbidden: &str| {
        let builder = ScopeCatalog::builder()
            .scope("parts:read", "read")
            .scope("parts:write", "write")
            .implies("parts:write", "parts:read")
            .family("collections:*", "one or all");
        Arc::new(builder.never(forbidden).build().unwrap())
    };
    for (kind, store) in stores().await {
        let with = |catalog, unknown| {
            let policy = IssuePolicy { scopes: Some((catalog, unknown)), ..IssuePolicy::default() };
            Rig::with(kind, store.clone(), minting_k1(), |builder| builder.issue_policy(policy))
        };
        let (drops, rejects) =
            (with(catalog("admin:*"), UnknownScopes::Drop), with(catalog("admin:*"), UnknownScopes::Reject));
        let asked = grant().scopes("admin:plan collections:7 nope parts:write".parse().unwrap());
        let issued = drops.registry.issue(asked.clone()).await.unwrap();
        assert_eq!(issued.record.scopes().to_string(), "collections:7 parts:read parts:write");
        assert_eq!(issued.dropped.to_string(), "admin:plan nope");
        let refused = rejects.registry.issue(asked).await.unwrap_err();
        assert_eq!(refused.to_string(), "unknown scopes: admin:plan nope");
        let nothing = drops.registry.issue(grant().scopes("nope".parse().unwrap())).await.unwrap_err();
        assert_eq!(nothing.to_string(), "no known scope among those asked for: nope");

        // A later catalog forbids what this token holds.
        let later = with(catalog("collections:*"), UnknownScopes::Drop);
        let verified = later.registry.verify(issued.token.expose()).await.unwrap();
        assert!(verified.require(&"parts:read".parse().unwrap()).is_ok());
        assert!(verified.require(&"collections:7".parse().unwrap()).is_err());
        assert_eq!(verified.scopes().to_string(), "parts:read parts:write");
    }
}

#[tokio::test]
async fn a_made_up_keyed_checksum_dies_before_the_lookup() {
    let format = TokenFormat::builder("acme").checksum(counterfoil::Checksum::Keyed).build().unwrap();
    let store = counterfoil::MemoryStore::new();
    let registry = |keys| Registry::builder(format.clone(), keys, store.clone()).build().unwrap();
    let (old, both) = (registry(minting_k1()), registry(minting_k2()));
    let token = old.issue(grant()).await.unwrap().token;
    assert_eq!(common::outcome_of(&both, token.expose()).await, "ok");
    let (covered, check) = token.expose().split_at(token.expose().len() - 6);
    let other = if check == "000000" { "000001" } else { "000000" };
    assert_eq!(common::outcome_of(&both, &format!("{covered}{other}")).await, "malformed");
    let without = registry(keyring(&format!("{}:mint", common::K2)));
    assert_eq!(common::outcome_of(&without, token.expose()).await, "malformed");
}

#[tokio::test]
async fn a_store_that_fails_is_neither_a_refusal_nor_a_pass() {
    let rig = rigs().await.remove(1);
    assert_eq!(rig.kind, "sqlite");
    let issued = rig.registry.issue(grant()).await.unwrap();
    let gone = counterfoil_sqlx::SqliteStore::in_memory().await.unwrap();
    gone.close().await;
    let registry = Registry::builder(format(), minting_k1(), gone).build().unwrap();
    let error = registry.verify(issued.token.expose()).await.unwrap_err();
    assert!(matches!(&error, VerifyError::Store(error) if *error.kind() == StoreErrorKind::Unavailable), "{error:?}");
    assert!(!error.is_refusal());
    assert!(matches!(registry.issue(grant()).await, Err(IssueError::Store(_))));
}

#[tokio::test]
async fn a_place_that_another_node_has_seen_free_is_not_taken_twice() {
    // The end as each node's clock sees it: the one that moves the end is behind.
    let seconds = Duration::from_secs;
    for (behind, moved) in [(Duration::from_millis(1), false), (seconds(59), false), (seconds(61), true)] {
        for (kind, store) in stores().await {
            let limit = IssuePolicy { limit: Some(1), ..IssuePolicy::default() };
            let node = || Rig::with(kind, store.clone(), minting_k1(), |builder| builder.issue_policy(limit.clone()));
            let (one, other) = (node(), node());
            let issued = one.registry.issue(grant()).await.unwrap();
            other.wait(90 * DAY);
            let _ = other.registry.issue(grant()).await.unwrap();
            one.wait(90 * DAY - behind);
            let extended = one.registry.set_expiry(issued.record.id(), Lifetime::days(1), By::unknown()).await;
            // A clock that is behind by more than a minute is beyond what is made up for.
            assert_eq!(extended.is_ok(), moved, "{kind}, behind by {behind:?}");
        }
    }
}
