//! What becomes of a service whose store takes no writes, and whose nodes do not agree.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{path::Path, time::Duration};

use common::{DAY, Rig, grant, minting_k1, minting_k2};
use counterfoil::{
    Annotations, By, Caller, Lifetime, Rotation, SharedStore, TokenStore,
    possession::Reuse,
    registry::{ChangeError, IssueError, Issued, Rotated, RotationError, SurrenderError},
    store::{RequestKey, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

/// A file with a token in it that was rotated once.
struct File {
    _directory: tempfile::TempDir,
    read_only: SharedStore,
    first: Issued,
    second: Issued,
}

impl File {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let store = SqliteStore::open_or_create(&path).await.unwrap();
        let rig = Rig::with("sqlite", SharedStore::new(store.clone()), minting_k1(), |builder| builder);
        let first = rig.registry.issue(grant()).await.unwrap();
        let second = rig.registry.rotate(first.record.id(), &Rotation::at_once()).await.unwrap();
        store.close().await;
        Self { _directory: directory, read_only: open_to_read(&path).await, first, second }
    }
}

async fn open_to_read(path: &Path) -> SharedStore {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    SharedStore::new(SqliteStore::from_migrated_pool(pool).await.unwrap())
}

#[tokio::test]
async fn error_text_names_the_cause_that_the_driver_gave() {
    let File { read_only, _directory, .. } = File::new().await;
    let rig = Rig::with("sqlite", read_only, minting_k1(), |builder| builder);
    let error = rig.registry.issue(grant()).await.unwrap_err().to_string();
    assert!(error.starts_with("the record could not be stored: the store is read-only: "), "{error}");
    assert_eq!(error.matches("attempt to write a readonly database").count(), 1, "{error}");
}

#[tokio::test]
async fn on_a_read_only_store_tokens_verify_and_changes_say_why_not() {
    let File { read_only, first, second, _directory } = File::new().await;
    let rig = Rig::with("sqlite", read_only, minting_k1(), |builder| builder.on_reuse(Reuse::Revoke));
    let (registry, id, by) = (&rig.registry, first.record.id(), By::unknown);
    for _ in 0..2 {
        assert_eq!(rig.outcome(second.token.expose()).await, "ok");
        assert_eq!(rig.outcome(first.token.expose()).await, "superseded", "though it could not be revoked");
    }
    assert_eq!(rig.events.take(), ["used", "denied", "used", "denied"]);

    let change = |error: ChangeError| match error {
        ChangeError::Store(error) => error,
        other => panic!("{other}"),
    };
    let rotation = |error: RotationError| match error {
        RotationError::Change(ChangeError::Store(error)) => error,
        other => panic!("{other}"),
    };
    let at_once = Rotation::at_once();
    let request = RequestKey::new("rotate".parse().unwrap(), "a".parse().unwrap(), b"");
    let writes: Vec<(&str, Result<(), StoreError>)> = vec![
        (
            "issue",
            registry.issue(grant()).await.map(drop).map_err(|error| match error {
                IssueError::Store(error) => error,
                other => panic!("{other}"),
            }),
        ),
        ("rotate", registry.rotate(id, &at_once).await.map(drop).map_err(rotation)),
        ("rotate_once", registry.rotate_once(id, &at_once, &request).await.map(drop::<Rotated>).map_err(rotation)),
        ("annotate", {
            let annotations = Annotations { name: Some("CI".parse().unwrap()), ..Annotations::default() };
            registry.annotate(id, annotations, by()).await.map(drop).map_err(change)
        }),
        ("set_expiry", registry.set_expiry(id, Lifetime::Forever, by()).await.map(drop).map_err(change)),
        ("block", registry.block(id, by()).await.map(drop).map_err(change)),
        ("suspend", registry.suspend(id, by()).await.map(drop).map_err(change)),
        ("revoke", registry.revoke(id, by()).await.map_err(change)),
        ("revoke_all", registry.revoke_all(common::owner("user-42"), by()).await.map(drop).map_err(change)),
        ("revoke_presented", {
            let ended = registry.revoke_presented(second.token.expose(), by(), &Caller::unknown()).await;
            let error = ended.unwrap_err();
            assert!(!error.is_refusal());
            match error {
                SurrenderError::Store(error) => Err(error),
                other => panic!("{other}"),
            }
        }),
    ];
    for (name, written) in writes {
        let error = written.expect_err(name);
        assert_eq!(error.kind(), &StoreErrorKind::ReadOnly, "{name}");
    }
    assert_eq!(rig.events.take(), Vec::<String>::new(), "nothing has happened");
    assert_eq!(rig.outcome(second.token.expose()).await, "ok");
}

#[tokio::test]
async fn a_digest_that_cannot_be_made_anew_is_let_be_for_a_minute() {
    let File { read_only, second, _directory, .. } = File::new().await;
    let rig = Rig::with("sqlite", read_only, minting_k2(), |builder| builder);
    let minute = Duration::from_secs(60);
    let millisecond = Duration::from_millis(1);
    for (after_start, heard) in [
        (Duration::ZERO, vec!["rehash_failed", "used"]),
        (Duration::ZERO, vec!["used"]),
        (minute - millisecond, vec!["used"]),
        (minute, vec!["rehash_failed", "used"]),
        (2 * minute - millisecond, vec!["used"]),
        (DAY, vec!["rehash_failed", "used"]),
        (minute, vec!["rehash_failed", "used"]), // the clock was set back
        (minute, vec!["used"]),
    ] {
        rig.wait(after_start);
        assert_eq!(rig.outcome(second.token.expose()).await, "ok");
        assert_eq!(rig.events.take(), heard, "{after_start:?}");
    }
}

#[tokio::test]
async fn a_digest_is_made_anew_at_once_where_nothing_has_failed() {
    for (kind, store) in common::stores().await {
        let old = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
        let new = Rig::with(kind, store.clone(), minting_k2(), |builder| builder);
        let tokens = [old.registry.issue(grant()).await.unwrap(), old.registry.issue(grant()).await.unwrap()];
        for issued in &tokens {
            assert_eq!(new.outcome(issued.token.expose()).await, "ok");
            assert_eq!(new.events.take(), ["rehashed", "used"], "{kind}");
        }
        // Nodes of both kinds, one after the other: the digest does not go back and forth.
        let staged = Rig::with(
            kind,
            store.clone(),
            common::keyring(&format!("{}:mint,{}", common::K1, common::K2)),
            |builder| builder,
        );
        for _ in 0..3 {
            for (rig, issued) in
                [&staged, &new].into_iter().flat_map(|rig| tokens.iter().map(move |issued| (rig, issued)))
            {
                assert_eq!(rig.outcome(issued.token.expose()).await, "ok");
                assert_eq!(rig.record(issued.record.id()).await.revision().digest_version, 2);
                assert_eq!(rig.events.take(), ["used"]);
            }
        }
        assert_eq!(store.count_by_key("k2".parse().unwrap()).await.unwrap(), 2);
    }
}
