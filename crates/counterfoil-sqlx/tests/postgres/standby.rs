//! A synchronous standby that is cut off: no change is acknowledged until the standby has it, however often it is asked for.

use std::time::Duration;

use counterfoil::{
    Annotations, By, Caller, Digest, Expiry, FixedClock, Grant, Import, Keyring, Lifetime, MemoryStore, Owner,
    Registry, Rotation, Status, Timestamp, TokenFormat, TokenId,
    digest::{ImportedAlgorithm, ImportedDigests, Over},
    registry::{ImportOutcome, IssuedOnce, Rotated, Target},
    store::{Filter, RequestKey},
};
use counterfoil_sqlx::PostgresStore;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::{
    cluster::{own_cluster_with_standby, run, until_it_streams},
    support::*,
};

/// Each operation of the registry whose change a second attempt may find made.
const OPERATIONS: [&str; 18] = [
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
    "issue_once, reserved elsewhere",
    "import",
];

fn registry(store: &PostgresStore, at: Timestamp) -> Registry {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme")
        .accepts_imported(ImportedDigests { sha256: true, ..ImportedDigests::default() })
        .build()
        .unwrap();
    let clock = FixedClock::new(at);
    Registry::builder(format, keyring, store.clone()).clock(clock).build().unwrap()
}

fn shown(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// An operation on a token of an owner of its own.
struct Case {
    operation: &'static str,
    owner: Owner,
    id: TokenId,
    text: String,
    requests: MemoryStore,
}

impl Case {
    async fn new(registry: &Registry, operation: &'static str) -> Self {
        let owner = Owner::in_tenant(operation, "ann").unwrap();
        let grant = Grant::new(owner.clone(), Lifetime::days(90)).scopes("parts:read parts:write".parse().unwrap());
        let issued = registry.issue(grant).await.unwrap();
        let id = issued.record.id();
        match operation {
            "unblock" => drop(registry.block(id, By::unknown()).await.unwrap()),
            "resume" => drop(registry.suspend(id, By::unknown()).await.unwrap()),
            _ => {}
        }
        Self { operation, owner, id, text: issued.token.expose().to_owned(), requests: MemoryStore::new() }
    }

    /// What is stored of the owner: records and reservations.
    async fn stored(&self, connection: &mut PgConnection) -> String {
        let stored = "SELECT coalesce((SELECT string_agg(t::text, '; ' ORDER BY t.id) FROM counterfoil_token AS t \
            WHERE t.tenant = $1), '') || coalesce((SELECT string_agg(i::text, '; ') FROM counterfoil_idempotency AS i \
            WHERE i.tenant = $1), '')";
        sqlx::query_scalar(stored).bind(self.operation).fetch_one(connection).await.unwrap()
    }

    /// Does it, and returns what was answered, in short.
    async fn act(&self, store: &PostgresStore, at: Timestamp) -> Result<String, String> {
        let (registry, id, by) = (registry(store, at), self.id, By::unknown());
        let version = |record: &counterfoil::Record| format!("version {}", record.version());
        let request = |route: &str| RequestKey::new(route.parse().unwrap(), "7f3c".parse().unwrap(), b"{}");
        let of_tenant = Filter { tenant: self.owner.tenant().cloned(), ..Filter::all() };
        let changed = match self.operation {
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
            "revoke" => return registry.revoke(id, by).await.map(|()| "revoked".into()).map_err(shown),
            "revoke a version" => {
                let version = registry.get(id).await.unwrap().unwrap().record.version();
                let target = Target { id, version: Some(version) };
                return registry.revoke(target, by).await.map(|()| "revoked".into()).map_err(shown);
            }
            "revoke_presented" => {
                let ended = registry.revoke_presented(&self.text, by, &Caller::unknown()).await;
                return ended.map(|ended| version(&ended.record)).map_err(shown);
            }
            "rotate_once" => {
                let rotated = registry.rotate_once(id, &Rotation::at_once(), &request("rotate")).await;
                return rotated.map_err(shown).map(|rotated| match rotated {
                    Rotated::New(issued) => version(&issued.record),
                    Rotated::Replayed(record) => version(&record),
                });
            }
            "issue_once" | "issue_once, reserved elsewhere" => {
                let (grant, request) = (Grant::new(self.owner.clone(), Lifetime::days(90)), request("create"));
                let made = match self.operation {
                    "issue_once" => registry.issue_once(grant, &request, store).await,
                    _ => registry.issue_once(grant, &request, &self.requests).await,
                };
                return made.map_err(shown).map(|made| match made {
                    IssuedOnce::New(issued) => version(&issued.record),
                    IssuedOnce::Replayed(record) => version(&record),
                });
            }
            "import" => {
                let digest = Digest::imported(
                    ImportedAlgorithm::Sha256,
                    "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
                    Over::Text,
                )
                .unwrap();
                let row = Import::new(self.owner.clone(), "acme_dXt8q2RbLm3k", digest, now(), Expiry::Never);
                let outcomes = registry.import([row], by).await.unwrap();
                return match &outcomes[..] {
                    [ImportOutcome::Imported(_) | ImportOutcome::AlreadyPresent] => Ok("present".into()),
                    other => Err(format!("{other:?}")),
                };
            }
            revoke_all => {
                let revoked = match revoke_all {
                    "revoke_all of one token" => registry.revoke_all(id, by).await,
                    "revoke_all of an owner" => registry.revoke_all(self.owner.clone(), by).await,
                    // No owner is named, whose lock would be a write already.
                    "revoke_all by a filter" => registry.revoke_all(of_tenant, by).await,
                    "revoke_all by a filter that leaves out the revoked" => {
                        registry.revoke_all(Filter { statuses: Status::Active.into(), ..of_tenant }, by).await
                    }
                    other => panic!("no such operation: {other}"),
                };
                return revoked.map(|_| "revoked".into()).map_err(shown);
            }
        };
        changed.map(|record| version(&record)).map_err(shown)
    }
}

/// Ends the backends that wait for the standby, as an operator does, or a crash: what they have committed is seen from
/// then on, and the standby has none of it. Returns how many there were.
async fn end_waits(admin: &mut PgConnection) -> usize {
    let ended: Vec<bool> =
        sqlx::query_scalar("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            .fetch_all(admin)
            .await
            .unwrap();
    assert!(ended.iter().all(|ended| *ended));
    ended.len()
}

/// What is answered while every wait for the standby is ended, and how many there were.
async fn without_standby(case: &Case, store: &PostgresStore, admin: &mut PgConnection) -> (String, usize) {
    let mut answer = std::pin::pin!(case.act(store, now()));
    let mut ended = 0;
    loop {
        match tokio::time::timeout(Duration::from_millis(10), &mut answer).await {
            Ok(answer) => return (format!("{answer:?}"), ended),
            Err(_) => ended += end_waits(admin).await,
        }
    }
}

#[tokio::test]
async fn change_is_not_acknowledged_until_the_standby_has_it() {
    let Some((server, standby)) = own_cluster_with_standby().await else { return };
    let database = server.database().await;
    let store = PostgresStore::from_pool_or_create(database.pool(4).await).await.unwrap();
    let mut admin = database.connect().await;
    let mut cases = Vec::new();
    for operation in OPERATIONS {
        cases.push(Case::new(&registry(&store, now()), operation).await);
    }
    standby.kill();

    for case in &cases {
        let before = case.stored(&mut admin).await;
        let (answer, ended) = without_standby(case, &store, &mut admin).await;
        assert!(answer.starts_with("Err") && ended > 0, "{}, first: {answer}", case.operation);
        assert_ne!(case.stored(&mut admin).await, before, "{}: the change is seen", case.operation);
        for _ in 0..2 {
            let (answer, ended) = without_standby(case, &store, &mut admin).await;
            assert!(answer.contains("Unavailable") && ended > 0, "{}, again: {answer}", case.operation);
        }
    }

    standby.restart();
    until_it_streams(&mut admin).await;
    let mut acknowledged = Vec::new();
    for case in &cases {
        // A reservation without a token is taken over after a minute.
        let at = if case.operation == "issue_once" { at(1) } else { now() };
        let answer = case.act(&store, at).await;
        assert!(answer.is_ok(), "{}, with the standby: {answer:?}", case.operation);
        acknowledged.push(case.stored(&mut admin).await);
    }

    // The primary is lost, and the standby takes its place.
    server.cluster().kill();
    let options = standby.options().database(database.name());
    let mut promoted = options.clone().connect().await.unwrap();
    run(&mut promoted, "SELECT pg_promote()").await;
    for (case, expected) in cases.iter().zip(acknowledged) {
        assert_eq!(case.stored(&mut promoted).await, expected, "{}, after the failover", case.operation);
    }
}
