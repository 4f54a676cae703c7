//! Requests that come twice → one token, on every kind of store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{at, format, grant, minting_k1, owner};
use counterfoil::{
    By, Caller, FixedClock, Grant, IssuePolicy, MemoryStore, Minted, Policy, Record, Registry, TokenId, TokenStore,
    Verified,
    policy::{Approval, Assent, MintSwitch, Objection, Refusal},
    registry::{IssueError, IssueOnceError, IssuedOnce, RegistryBuilder},
    store::{Filter, IdempotencyKey, IdempotencyStore, ListQuery, RequestKey, Reservation, Reserved, Route},
};
use counterfoil_sqlx::SqliteStore;

const SECOND: Duration = Duration::from_secs(1);

trait Store: TokenStore + IdempotencyStore + Clone {}
impl<S: TokenStore + IdempotencyStore + Clone> Store for S {}

struct Rig<S> {
    registry: Registry,
    store: S,
    clock: FixedClock,
}

impl<S: Store> Rig<S> {
    fn new(store: S, set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        let clock = FixedClock::new(at(Duration::ZERO));
        let builder = Registry::builder(format(), minting_k1(), store.clone()).clock(clock.clone());
        Self { registry: set_up(builder).build().unwrap(), store, clock }
    }

    async fn issue(&self, grant: Grant, request: &RequestKey) -> Result<IssuedOnce, IssueOnceError> {
        self.registry.issue_once(grant, request, &self.store).await
    }

    /// What became of a request, in a word: the token's id, if it is a new one or a repeat.
    async fn outcome(&self, grant: Grant, request: &RequestKey) -> (&'static str, Option<TokenId>) {
        match self.issue(grant, request).await {
            Ok(IssuedOnce::New(issued)) => ("new", Some(issued.record.id())),
            Ok(IssuedOnce::Replayed(record)) => ("replayed", Some(record.id())),
            Err(IssueOnceError::OtherRequest) => ("other", None),
            Err(IssueOnceError::InFlight) => ("in flight", None),
            Err(IssueOnceError::Gone) => ("gone", None),
            Err(IssueOnceError::Issue(IssueError::LimitReached { .. })) => ("limit", None),
            Err(IssueOnceError::Issue(IssueError::Policy(_))) => ("refused", None),
            Err(error) => panic!("{error}"),
        }
    }

    async fn tokens(&self) -> usize {
        self.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.len()
    }

    /// As an earlier process has left it: a reservation, and perhaps the token.
    async fn leave(&self, request: Request, stored: bool) -> TokenId {
        let Minted { token: _, record } = grant().mint(&format(), &minting_k1(), at(Duration::ZERO)).unwrap();
        let Request(route, key, _) = request;
        let reservation = Reservation {
            owner: record.owner().clone(),
            route: Route::new(route).unwrap(),
            key: IdempotencyKey::new(key).unwrap(),
            // SHA-256 of `body`, by `printf body | sha256sum`.
            fingerprint: *b"\x23\x0d\x83\x58\xdc\x8e\x88\x90\xb4\xc5\x8d\xee\xb6\x29\x12\xee\x2f\x20\x35\x7a\xe9\x2a\x5c\xc8\x61\xb9\x8e\x68\xfe\x31\xac\xb5",
            token: record.id(),
            selector: record.slots().current.selector,
            at: at(Duration::ZERO),
        };
        assert_eq!(self.store.reserve(&reservation).await.unwrap(), Reserved::Made);
        if stored {
            self.store.insert(&record, None, at(Duration::ZERO)).await.unwrap();
        }
        record.id()
    }
}

#[derive(Clone, Copy)]
struct Request(&'static str, &'static str, &'static str);

impl Request {
    fn key(self) -> RequestKey {
        RequestKey::new(Route::new(self.0).unwrap(), IdempotencyKey::new(self.1).unwrap(), self.2.as_bytes())
    }
}

const REQUEST: Request = Request("create", "7f3c", "body");

#[tokio::test]
async fn a_repeat_makes_no_second_token() {
    async fn on(rig: Rig<impl Store>) {
        let (kind, first) = rig.outcome(grant(), &REQUEST.key()).await;
        assert_eq!(kind, "new");
        let other_owner = Grant { owner: owner("user-43"), ..grant() };
        for (grant, request, expected) in [
            (grant(), REQUEST, "replayed"),
            (grant(), Request("create", "7f3c", "another body"), "other"),
            (grant(), Request("create", "other key", "body"), "new"),
            (grant(), Request("other route", "7f3c", "body"), "new"),
            (other_owner, REQUEST, "new"),
            (grant(), REQUEST, "replayed"),
        ] {
            let (kind, id) = rig.outcome(grant, &request.key()).await;
            assert_eq!(kind, expected);
            assert_eq!(id == first, expected == "replayed");
        }
        assert_eq!(rig.tokens().await, 4);
    }
    on(Rig::new(MemoryStore::new(), |builder| builder)).await;
    on(Rig::new(SqliteStore::in_memory().await.unwrap(), |builder| builder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_makes_the_token() {
    async fn on(rig: Rig<impl Store>) {
        let rig = Arc::new(rig);
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let rig = Arc::clone(&rig);
                tokio::spawn(async move { rig.outcome(grant(), &REQUEST.key()).await.0 })
            })
            .collect();
        let mut new = 0;
        for call in calls {
            match call.await.unwrap() {
                "new" => new += 1,
                "replayed" | "in flight" => {}
                other => panic!("{other}"),
            }
        }
        assert_eq!((new, rig.tokens().await), (1, 1));
        assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, "replayed");
    }
    on(Rig::new(MemoryStore::new(), |builder| builder)).await;
    on(Rig::new(SqliteStore::in_memory().await.unwrap(), |builder| builder)).await;
}

#[tokio::test]
async fn what_a_crash_has_left_is_found_out() {
    async fn on(rig: Rig<impl Store>) {
        // The process ended once the request was noted: it may still be at work, until a minute has passed.
        let never_made = rig.leave(REQUEST, false).await;
        for (after, expected) in [(0, "in flight"), (59_999, "in flight"), (60_000, "new"), (60_000, "replayed")] {
            rig.clock.set(at(Duration::from_millis(after)));
            let (kind, id) = rig.outcome(grant(), &REQUEST.key()).await;
            assert_eq!(kind, expected, "after {after} ms");
            assert_ne!(id, Some(never_made));
        }
        // It ended once the record was stored: that is the token, at once.
        let request = Request("create", "8a4d", "body");
        let made = rig.leave(request, true).await;
        assert_eq!(rig.outcome(grant(), &request.key()).await, ("replayed", Some(made)));
        assert_eq!(rig.outcome(grant(), &Request("create", "8a4d", "another body").key()).await.0, "other");
        assert_eq!(rig.tokens().await, 2);
    }
    on(Rig::new(MemoryStore::new(), |builder| builder)).await;
    on(Rig::new(SqliteStore::in_memory().await.unwrap(), |builder| builder)).await;
}

#[derive(Debug, Clone, Default)]
struct Closed(Arc<AtomicBool>);

impl Policy for Closed {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Ok(Assent::plain())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        if self.0.load(Ordering::SeqCst) {
            Err(Refusal::new("closed", "not now").into())
        } else {
            Ok(Approval::plain())
        }
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refused_request_may_come_again() {
    async fn on(store: impl Store) {
        let policy = Closed::default();
        let limit = IssuePolicy { limit: Some(1), ..IssuePolicy::default() };
        let rig = Rig::new(store, |builder| builder.policy(policy.clone()).issue_policy(limit));
        policy.0.store(true, Ordering::SeqCst);
        assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, "refused");
        policy.0.store(false, Ordering::SeqCst);
        let (kind, first) = rig.outcome(grant(), &REQUEST.key()).await;
        assert_eq!(kind, "new");

        // A repeat asks nobody.
        policy.0.store(true, Ordering::SeqCst);
        assert_eq!(rig.outcome(grant(), &REQUEST.key()).await, ("replayed", first));
        policy.0.store(false, Ordering::SeqCst);

        let second = Request("create", "second", "body");
        assert_eq!(rig.outcome(grant(), &second.key()).await.0, "limit");
        rig.registry.revoke(first.unwrap(), By::unknown()).await.unwrap();
        assert_eq!(rig.outcome(grant(), &second.key()).await.0, "new");
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

/// Approves, and throws the switch meanwhile.
#[derive(Debug, Clone)]
struct Throws(MintSwitch);

impl Policy for Throws {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Ok(Assent::plain())
    }

    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        self.0.stop();
        Ok(Approval::plain())
    }

    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

#[tokio::test]
async fn switch_thrown_while_the_policy_is_asked_stops_the_request() {
    async fn on(store: impl Store) {
        let switch = MintSwitch::default();
        let policy = IssuePolicy { switch: switch.clone(), ..IssuePolicy::default() };
        let stopped = |result| matches!(result, Err(IssueOnceError::Issue(IssueError::Stopped)));
        let rig =
            Rig::new(store.clone(), |builder| builder.issue_policy(policy.clone()).policy(Throws(switch.clone())));
        assert!(stopped(rig.issue(grant(), &REQUEST.key()).await), "thrown by the policy");
        assert!(stopped(rig.issue(grant(), &REQUEST.key()).await), "thrown before");
        assert_eq!(rig.tokens().await, 0);

        // Nothing of the stopped request is left: once the switch is open again, it makes its token.
        switch.open();
        let rig = Rig::new(store, |builder| builder.issue_policy(policy));
        assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, "new");
        assert_eq!(rig.tokens().await, 1);
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn maintenance_forgets_requests_of_the_registrys_idempotency_store() {
    async fn on(store: impl Store) {
        let (known, unknown) = (store.clone(), store.clone());
        let rig = Rig::new(known.clone(), |builder| builder.idempotency(known.clone()));
        let other = Rig::new(unknown, |builder| builder);
        rig.outcome(grant(), &REQUEST.key()).await;
        for (after, forgotten, expected) in [(86_400 * SECOND, 0, "replayed"), (86_401 * SECOND, 1, "new")] {
            rig.clock.set(at(after));
            other.clock.set(at(after));
            assert_eq!(other.registry.maintain().await.unwrap().requests_forgotten, 0, "a store that it does not know");
            let run = rig.registry.maintain().await.unwrap();
            assert_eq!((run.requests_forgotten, run.failures.len()), (forgotten, 0), "after {after:?}");
            assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, expected, "after {after:?}");
        }
    }
    on(MemoryStore::new()).await;
    on(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn requests_are_forgotten_after_a_day_and_tokens_not() {
    async fn on(rig: Rig<impl Store>) {
        let (_, first) = rig.outcome(grant(), &REQUEST.key()).await;
        for (after, forgotten, expected) in
            [(86_399 * SECOND, 0, "replayed"), (86_400 * SECOND, 0, "replayed"), (86_401 * SECOND, 1, "new")]
        {
            rig.clock.set(at(after));
            assert_eq!(rig.registry.forget_requests(&rig.store).await.unwrap(), forgotten);
            assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, expected, "after {after:?}");
        }
        assert!(rig.registry.get(first.unwrap()).await.unwrap().is_some());

        // A token that is deleted before its request is forgotten: the request is no new one all the same.
        let page = rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap();
        for stored in &page.tokens {
            rig.registry.revoke(stored.record.id(), By::unknown()).await.unwrap();
        }
        assert_eq!(rig.store.purge(at(86_402 * SECOND), None, 10).await.unwrap(), 2);
        assert_eq!(rig.outcome(grant(), &REQUEST.key()).await.0, "gone");
    }
    on(Rig::new(MemoryStore::new(), |builder| builder)).await;
    on(Rig::new(SqliteStore::in_memory().await.unwrap(), |builder| builder)).await;
}
