//! What a registry answers when it finds a change already made: nothing that the store cannot confirm as durable.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/gated.rs"]
mod gated;

use common::{Rig, grant, owner};
use counterfoil::{
    Annotations, By, Caller, Digest, Expiry, Import, Lifetime, MemoryStore, Rotation, SharedStore, Status,
    digest::{ImportedAlgorithm, Over},
    registry::{ImportOutcome, Issued, IssuedOnce, Rotated, Target},
    store::{Filter, RequestKey},
};
use gated::Gated;

/// Each operation that may find its change made, done once before.
const OPERATIONS: [&str; 17] = [
    "annotate",
    "set_expiry",
    "narrow_scopes",
    "block",
    "unblock",
    "suspend",
    "resume",
    "revoke",
    "revoke a version",
    "revoke_all of one token",
    "revoke_all of an owner",
    "revoke_all by a filter",
    "revoke_all by a filter that leaves out the revoked",
    "revoke_presented",
    "rotate_once",
    "issue_once",
    "import",
];

fn request(route: &str) -> RequestKey {
    RequestKey::new(route.parse().unwrap(), "7f3c".parse().unwrap(), b"{}")
}

/// What the answer is, in short, or why there is none.
async fn answer(rig: &Rig, issued: &Issued, requests: &MemoryStore, operation: &str) -> Result<String, String> {
    let (registry, id, by) = (&rig.registry, issued.record.id(), By::unknown());
    let version = |record: &counterfoil::Record| format!("version {}", record.version());
    let changed = match operation {
        "annotate" => {
            let annotations = Annotations { name: Some("CI".parse().unwrap()), ..Annotations::default() };
            registry.annotate(id, annotations, by).await
        }
        "set_expiry" => registry.set_expiry(id, Lifetime::days(7), by).await,
        "narrow_scopes" => registry.narrow_scopes(id, "parts:read".parse().unwrap(), by).await,
        "block" => registry.block(id, by).await,
        "unblock" => registry.unblock(id, by).await,
        "suspend" => registry.suspend(id, by).await,
        "resume" => registry.resume(id, by).await,
        "revoke a version" => {
            let seen = Target { id, version: Some(rig.record(id).await.version()) };
            registry.revoke(seen, by).await.map_err(|error| format!("{error:?}"))?;
            return Ok("revoked".into());
        }
        "revoke" => {
            return registry.revoke(id, by).await.map(|()| "revoked".into()).map_err(|error| format!("{error:?}"));
        }
        "revoke_presented" => {
            let ended = registry.revoke_presented(issued.token.expose(), by, &Caller::unknown()).await;
            return ended.map(|ended| version(&ended.record)).map_err(|error| format!("{error:?}"));
        }
        "rotate_once" => {
            let rotated = registry.rotate_once(id, &Rotation::at_once(), &request("rotate")).await;
            return rotated.map_err(|error| format!("{error:?}")).map(|rotated| match rotated {
                Rotated::New(issued) => version(&issued.record),
                Rotated::Replayed(record) => version(&record),
            });
        }
        "issue_once" => {
            let made = registry.issue_once(grant(), &request("create"), requests).await;
            return made.map_err(|error| format!("{error:?}")).map(|made| match made {
                IssuedOnce::New(issued) => issued.record.id().to_string(),
                IssuedOnce::Replayed(record) => record.id().to_string(),
            });
        }
        "import" => {
            let digest =
                Digest::imported(ImportedAlgorithm::Sha256, "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", Over::Text)
                    .unwrap();
            let made = rig.registry.now().unwrap();
            let row = |public| Import::new(owner("ann"), public, digest.clone(), made, Expiry::Never);
            let outcomes = registry.import(["acme_dXt8q2RbLm3k", "acme_dXt8q2RbLm3l"].map(row), by).await.unwrap();
            let is_there =
                |outcome: &ImportOutcome| matches!(outcome, ImportOutcome::Imported(_) | ImportOutcome::AlreadyPresent);
            // All or none: one confirmation is for the whole batch.
            return match outcomes.iter().filter(|outcome| is_there(outcome)).count() {
                2 => Ok("present".into()),
                1 => panic!("{outcomes:?}"),
                _ => Err(format!("{outcomes:?}")),
            };
        }
        revoke_all => {
            let active = Filter { statuses: Status::Active.into(), ..Filter::owner(owner("user-42")) };
            let revoked = match revoke_all {
                "revoke_all of one token" => registry.revoke_all(id, by).await,
                "revoke_all of an owner" => registry.revoke_all(owner("user-42"), by).await,
                "revoke_all by a filter" => registry.revoke_all(Filter::all(), by).await,
                "revoke_all by a filter that leaves out the revoked" => registry.revoke_all(active, by).await,
                other => panic!("no such operation: {other}"),
            };
            return revoked.map(|_| "revoked".into()).map_err(|error| format!("{error:?}"));
        }
    };
    changed.map(|record| version(&record)).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn repeated_change_is_acknowledged_only_when_it_is_confirmed() {
    for (kind, store) in common::stores().await {
        for operation in OPERATIONS {
            let gate = Gated::new(store.clone());
            let rig = Rig::importing(kind, SharedStore::new(gate.clone()));
            let requests = MemoryStore::new();
            let issued = rig.registry.issue(grant()).await.unwrap();
            let first = answer(&rig, &issued, &requests, operation).await.unwrap();
            // What is read says that it is done, and the store cannot say that it lasts.
            gate.set_unconfirmed(true);
            for _ in 0..2 {
                let error = answer(&rig, &issued, &requests, operation).await.expect_err(operation);
                assert!(error.contains("Unavailable"), "{kind}, {operation}: {error}");
            }
            gate.set_unconfirmed(false);
            assert_eq!(answer(&rig, &issued, &requests, operation).await.as_ref(), Ok(&first), "{kind}, {operation}");
        }
    }
}
