//! Rotation under a key, at the same time, and what follows when a spent secret is presented.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{DAY, Rig, at, grant, minting_k1, owner, rigs, rigs_with, stores};
use counterfoil::{
    Annotations, By, Caller, Denial, Grant, Name, Policy, Record, Rotation, Status, TokenStore, Verified,
    event::EventKind,
    policy::{Approval, Assent, Objection, Refusal},
    possession::Reuse,
    registry::{ChangeError, Rotated, RotationError, Target},
    store::{IdempotencyKey, RequestKey},
};

fn key(text: &str) -> RequestKey {
    asking(text, "")
}

fn asking(text: &str, content: &str) -> RequestKey {
    RequestKey::new("rotate".parse().unwrap(), text.parse().unwrap(), content.as_bytes())
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Once(&'static str),
    Plain,
    Annotate,
    Use,
    Revoke,
}

#[tokio::test]
async fn a_key_is_kept_until_the_next_rotation() {
    use Step::{Annotate, Once, Plain, Revoke, Use};
    // Steps → what the last one came to, the version after it, and the key that is kept.
    for (steps, outcome, version, kept) in [
        (vec![Once("a")], "new", 2, Some("a")),
        (vec![Once("a"), Once("a")], "replayed", 2, Some("a")),
        (vec![Once("a"), Once("a"), Once("a")], "replayed", 2, Some("a")),
        (vec![Once("a"), Once("b")], "new", 3, Some("b")),
        (vec![Once("a"), Once("b"), Once("b")], "replayed", 3, Some("b")),
        (vec![Once("a"), Once("b"), Once("a")], "new", 4, Some("a")), // the key of the last one alone is kept
        (vec![Once("a"), Plain], "new", 3, None),
        (vec![Once("a"), Plain, Once("a")], "new", 4, Some("a")),
        (vec![Plain, Plain], "new", 3, None),
        (vec![Once("a"), Annotate, Use, Once("a")], "replayed", 3, Some("a")),
        (vec![Once("a"), Revoke, Once("a")], "replayed", 3, Some("a")),
        (vec![Once("a"), Revoke, Once("b")], "token is revoked, which is final", 3, Some("a")),
        (vec![Once("a"), Once("A")], "new", 3, Some("A")),
    ] {
        for rig in rigs().await {
            let issued = rig.registry.issue(grant()).await.unwrap();
            let (id, mut token, mut found) = (issued.record.id(), issued.token, String::new());
            for step in &steps {
                // The clock moves, so that no two rotations are of one moment.
                rig.wait(Duration::from_secs(rig.record(id).await.version()));
                let rotated = match step {
                    Once(text) => rig.registry.rotate_once(id, &Rotation::at_once(), &key(text)).await,
                    Plain => rig.registry.rotate(id, &Rotation::at_once()).await.map(Rotated::New),
                    Annotate => {
                        let name = Some(Name::new("CI").unwrap());
                        let annotations = Annotations { name, ..Annotations::default() };
                        rig.registry.annotate(id, annotations, By::unknown()).await.unwrap();
                        continue;
                    }
                    Use => {
                        assert_eq!(rig.outcome(token.expose()).await, "ok");
                        continue;
                    }
                    Revoke => {
                        rig.registry.revoke(id, By::unknown()).await.unwrap();
                        continue;
                    }
                };
                found = match rotated {
                    Ok(Rotated::New(issued)) => {
                        token = issued.token;
                        "new".into()
                    }
                    Ok(Rotated::Replayed(record)) => {
                        assert_eq!(record.to_row(), rig.record(id).await.to_row(), "the record as it is now");
                        "replayed".into()
                    }
                    Err(error) => error.to_string(),
                };
            }
            let record = rig.record(id).await;
            assert_eq!((found.as_str(), record.version()), (outcome, version), "{}: {steps:?}", rig.kind);
            assert_eq!(record.rotation_key().map(IdempotencyKey::as_str), kept, "{}: {steps:?}", rig.kind);
            let alive = if record.revoked().is_some() { "revoked" } else { "ok" };
            assert_eq!(rig.outcome(token.expose()).await, alive, "the secret handed out last: {steps:?}");
        }
    }
}

#[tokio::test]
async fn a_repeat_may_name_the_version_that_it_has_replaced() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        let seen = |version| Target { id, version: Some(version) };
        let rotation = Rotation::with_overlap(DAY);
        assert!(matches!(rig.registry.rotate_once(seen(1), &rotation, &key("a")).await, Ok(Rotated::New(_))));
        rig.events.take();
        for version in [1, 2, 9] {
            let again = rig.registry.rotate_once(seen(version), &Rotation::at_once(), &key("a")).await.unwrap();
            let Rotated::Replayed(record) = again else { panic!("rotated again") };
            assert_eq!((record.id(), record.version()), (id, 2));
            assert!(record.slots().retiring.is_some(), "the overlap still runs");
        }
        assert_eq!(rig.events.take(), Vec::<String>::new(), "nothing has happened");
        let stale = rig.registry.rotate_once(seen(1), &rotation, &key("b")).await.unwrap_err();
        assert!(matches!(stale, RotationError::Change(ChangeError::Stale { expected: 1, found: 2 })), "{stale}");
        let missing = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa".parse::<counterfoil::TokenId>().unwrap();
        let missing = rig.registry.rotate_once(missing, &rotation, &key("a")).await.unwrap_err();
        assert!(matches!(missing, RotationError::Change(ChangeError::NotFound)), "{missing}");
    }
}

#[tokio::test]
async fn of_two_rotations_at_the_same_time_one_is_made() {
    // The keys of two requests → what they come to, in any order.
    for (keys, outcomes) in [
        ([Some("a"), Some("a")], ["new", "replayed"]),
        ([Some("a"), Some("b")], ["another rotation of the token came first", "new"]),
        ([Some("a"), None], ["another rotation of the token came first", "new"]),
        ([None, None], ["another rotation of the token came first", "new"]),
    ] {
        for versioned in [false, true] {
            for (kind, store) in stores().await {
                let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
                let both = Meet(tokio::sync::Barrier::new(2));
                let rig = Rig::with(kind, store, minting_k1(), |builder| builder.policy(both));
                let id = open.registry.issue(grant()).await.unwrap().record.id();
                let target = Target { id, version: versioned.then_some(1) };
                let requests = keys.map(|text| {
                    let registry = rig.registry.clone();
                    tokio::spawn(async move {
                        match text {
                            Some(text) => registry.rotate_once(target, &Rotation::at_once(), &key(text)).await,
                            None => registry.rotate(target, &Rotation::at_once()).await.map(Rotated::New),
                        }
                    })
                });
                let mut found = Vec::new();
                for request in requests {
                    found.push(match request.await.unwrap() {
                        Ok(Rotated::New(issued)) => {
                            assert_eq!(open.outcome(issued.token.expose()).await, "ok");
                            "new".into()
                        }
                        Ok(Rotated::Replayed(record)) => {
                            assert_eq!(record.version(), 2);
                            "replayed".into()
                        }
                        Err(RotationError::Change(ChangeError::Stale { found: 2, .. })) if versioned => {
                            "another rotation of the token came first".into()
                        }
                        Err(error) => error.to_string(),
                    });
                }
                found.sort();
                assert_eq!(found, outcomes, "{kind} {keys:?}");
                assert_eq!(open.record(id).await.version(), 2);
            }
        }
    }
}

#[tokio::test]
async fn another_request_under_the_key_is_refused() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        let overlap = Rotation::with_overlap(DAY);
        let _ = rig.registry.rotate_once(id, &overlap, &asking("a", "1")).await.unwrap();
        let stored = rig.record(id).await.to_row();
        let elsewhere = RequestKey::new("elsewhere".parse().unwrap(), "a".parse().unwrap(), b"1");
        for (request, outcome) in [
            (asking("a", "2"), "other"),
            (asking("a", ""), "other"),
            (asking("a", "1"), "repeat"),
            (elsewhere, "repeat"),
        ] {
            match rig.registry.rotate_once(id, &overlap, &request).await {
                Err(RotationError::OtherRequest) => assert_eq!(outcome, "other"),
                Ok(Rotated::Replayed(_)) => assert_eq!(outcome, "repeat"),
                unexpected => panic!("{unexpected:?}"),
            }
            assert_eq!(rig.record(id).await.to_row(), stored);
        }
    }
}

#[tokio::test]
async fn a_repeat_asks_no_policy() {
    for (kind, store) in stores().await {
        let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
        let closed = Rig::with(kind, store, minting_k1(), |builder| builder.policy(Refuses));
        let id = open.registry.issue(grant()).await.unwrap().record.id();
        let _ = open.registry.rotate_once(id, &Rotation::at_once(), &key("a")).await.unwrap();
        let again = closed.registry.rotate_once(id, &Rotation::at_once(), &key("a")).await;
        assert!(matches!(again, Ok(Rotated::Replayed(_))));
        let other = closed.registry.rotate_once(id, &Rotation::at_once(), &key("b")).await;
        assert!(matches!(other, Err(RotationError::Policy(Objection::Refused(_)))));
    }
}

#[tokio::test]
async fn a_key_says_nothing_of_a_rotation_that_it_was_not_kept_for() {
    for rig in rigs().await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        let _ = rig.registry.rotate_once(id, &Rotation::at_once(), &key("a")).await.unwrap();
        let row = rig.record(id).await.to_row();
        assert_eq!(Record::from_row(row.clone()).unwrap().rotation_key().unwrap().as_str(), "a");

        // A build that does not know the key keeps it through a rotation of its own.
        let moment = format!("\"rotated_at\":{}", common::START);
        let later = format!("\"rotated_at\":{}", common::START + 1);
        assert!(row.body.contains(&moment), "{}", row.body);
        let rotated = Record::from_row(counterfoil::Row {
            version: row.version + 1,
            body: row.body.replace(&moment, &later),
            ..row.clone()
        });
        let rotated = rotated.unwrap();
        assert_eq!(rotated.rotation_key(), None);
        assert!(!rotated.to_row().body.contains("rotation_key"));
        let earlier = rig.record(id).await.revision();
        rig.store.update(&rotated, earlier, None, at(Duration::ZERO)).await.unwrap();
        let again = rig.registry.rotate_once(id, &Rotation::at_once(), &key("a")).await.unwrap();
        assert!(matches!(again, Rotated::New(_)), "{}", rig.kind);
    }
}

#[tokio::test]
async fn the_reuse_of_a_spent_secret_is_told_and_ends_the_token_if_the_host_says_so() {
    // The rotation, when the old secret is presented, and the rule → the answer, what the sink hears, the status.
    let (at_once, a_day) = (Rotation::at_once(), Rotation::with_overlap(DAY));
    for (rotation, after, reuse, answer, heard, status) in [
        (&at_once, Duration::ZERO, Reuse::Report, "superseded", vec!["denied"], Status::Active),
        (&at_once, Duration::ZERO, Reuse::Revoke, "superseded", vec!["denied", "revoked"], Status::Revoked),
        (&a_day, DAY / 2, Reuse::Report, "ok", vec!["used"], Status::Active),
        (&a_day, DAY / 2, Reuse::Revoke, "ok", vec!["used"], Status::Active),
        (&a_day, DAY, Reuse::Report, "superseded", vec!["denied"], Status::Active),
        (&a_day, DAY, Reuse::Revoke, "superseded", vec!["denied", "revoked"], Status::Revoked),
    ] {
        for rig in rigs_with(|builder| builder.on_reuse(reuse)).await {
            let issued = rig.registry.issue(grant()).await.unwrap();
            let id = issued.record.id();
            let rotated = rig.registry.rotate(id, rotation).await.unwrap();
            rig.events.take();
            rig.wait(after);
            assert_eq!(rig.outcome(issued.token.expose()).await, answer, "{} {reuse:?}", rig.kind);
            let events = rig.events.take_whole();
            assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), heard, "{}", rig.kind);
            for event in events {
                assert_eq!((event.token, event.owner), (Some(id), Some(owner("user-42"))));
            }
            let record = rig.record(id).await;
            assert_eq!(record.status(at(after)), status);
            let reason = record.revoked().map(|mark| mark.reason.as_ref().unwrap().as_str());
            assert_eq!(reason, (status == Status::Revoked).then_some("a secret that was rotated away was presented"));
            let new = if status == Status::Revoked { "revoked" } else { "ok" };
            assert_eq!(rig.outcome(rotated.token.expose()).await, new);

            rig.events.take();
            assert_eq!(rig.outcome(issued.token.expose()).await, answer, "again, and the same answer");
            assert_eq!(rig.events.take(), heard[..1], "a revoked token is not revoked again");
        }
    }
}

#[test]
fn reuse_revokes_once_and_for_a_spent_secret_alone() {
    let live = grant().mint(&common::format(), &minting_k1(), at(Duration::ZERO)).unwrap().record;
    let ended = live.clone().marked_revoked(By::unknown().mark(at(Duration::ZERO)));
    for (reuse, denial, record, revokes) in [
        (Reuse::Revoke, Denial::Superseded, &live, true),
        (Reuse::Revoke, Denial::Superseded, &ended, false),
        (Reuse::Revoke, Denial::WrongSecret, &live, false),
        (Reuse::Revoke, Denial::Unknown, &live, false),
        (Reuse::Revoke, Denial::Expired, &live, false),
        (Reuse::Revoke, Denial::NetworkRefused, &live, false),
        (Reuse::Report, Denial::Superseded, &live, false),
        (Reuse::Report, Denial::Superseded, &ended, false),
    ] {
        assert_eq!(reuse.revokes(denial, record), revokes, "{reuse:?} {denial:?}");
    }
    assert_eq!(Reuse::default(), Reuse::Report);
}

#[tokio::test]
async fn only_a_right_secret_is_reuse() {
    for rig in rigs_with(|builder| builder.on_reuse(Reuse::Revoke)).await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let stranger = rig.registry.issue(grant()).await.unwrap();
        let id = issued.record.id();
        let second = rig.registry.rotate(id, &Rotation::at_once()).await.unwrap();
        let third = rig.registry.rotate(id, &Rotation::at_once()).await.unwrap();
        rig.registry.block(stranger.record.id(), By::unknown()).await.unwrap();
        for (text, answer) in [
            (issued.token.expose(), "unknown"), // forgotten: two rotations ago
            (stranger.token.expose(), "blocked"),
            ("acme_000000000000_00000000000000000000000000000000000000", "malformed"),
            (third.token.expose(), "ok"),
        ] {
            assert_eq!(rig.outcome(text).await, answer);
            assert_eq!(rig.record(id).await.status(at(Duration::ZERO)), Status::Active, "{answer}");
        }
        let caller = Caller { address: Some("192.0.2.7".parse().unwrap()), ..Caller::unknown() };
        rig.events.take();
        assert!(rig.registry.verify_for(second.token.expose(), &caller).await.is_err());
        let events = rig.events.take_whole();
        assert!(matches!(events[1].kind, EventKind::Revoked));
        assert_eq!(events[1].caller, caller);
    }
}

/// Lets two requests pass when both have read the record, and never sees a third.
#[derive(Debug)]
struct Meet(tokio::sync::Barrier);

impl Policy for Meet {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Ok(Assent::plain())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
        assert_eq!(record.version(), 1, "the one that came second is asked nothing");
        self.0.wait().await;
        Ok(())
    }
}

#[derive(Debug)]
struct Refuses;

impl Policy for Refuses {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Err(Refusal::new("closed", "closed").into())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Err(Refusal::new("closed", "closed").into())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Err(Refusal::new("closed", "closed").into())
    }
}
