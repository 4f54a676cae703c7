//! The host's rules: what may be issued, for how long, and what the host's policy has to say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    future::{Future, pending, ready},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use common::{DAY, Rig, at, grant, minting_k1, owner, rigs_with, stores};
use counterfoil::{
    By, Caller, FixedClock, Grant, IssuePolicy, Lifetime, Owner, Policy, Record, Rotation, ScopeCatalog, Scopes,
    UnknownScopes, Verified,
    entropy::{Entropy, NoEntropy, SystemEntropy},
    event::EventKind,
    policy::{
        Approval, Assent, LifetimeRefused, Lifetimes, MintSwitch, Objection, PolicyPanicked, PolicyTimedOut, Refusal,
    },
    registry::{ChangeError, IssueError, RegistryBuilder, RotationError, VerifyError},
    store::{Filter, ListQuery},
};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn offered() -> Lifetimes {
    Lifetimes::among([30 * DAY, 60 * DAY, 90 * DAY, YEAR])
}

#[test]
fn a_lifetime_is_within_the_rules_or_refused_with_what_is_allowed() {
    let (now, millisecond) = (at(Duration::ZERO), Duration::from_millis(1));
    let until = |after| Lifetime::Until(at(after));
    let yearly = || Lifetimes::at_most(YEAR);
    for (rules, lifetime, outcome) in [
        (Lifetimes::any(), Lifetime::Forever, "ok"),
        (Lifetimes::any(), Lifetime::days(36_500), "ok"),
        (Lifetimes::default(), Lifetime::Forever, "ok"),
        (Lifetimes::ending(), Lifetime::Forever, "lifetime never ends: expected any that ends"),
        (Lifetimes::ending(), Lifetime::days(36_500), "ok"),
        (yearly(), Lifetime::For(YEAR), "ok"),
        (yearly(), until(YEAR), "ok"),
        (yearly(), Lifetime::Forever, "lifetime never ends: expected at most 365 days"),
        (yearly(), Lifetime::days(366), "lifetime too long: found 366 days, expected at most 365 days"),
        (
            yearly(),
            Lifetime::For(YEAR + millisecond),
            "lifetime too long: found 31536000.001s, expected at most 365 days",
        ),
        (yearly(), until(YEAR + millisecond), "lifetime too long: found 31536000.001s, expected at most 365 days"),
        (yearly().or_forever(), Lifetime::Forever, "ok"),
        (
            yearly().or_forever(),
            Lifetime::For(Duration::MAX),
            "lifetime too long: found 18446744073709551615.999999999s, expected at most 365 days, or forever",
        ),
        (Lifetimes::at_most(DAY), Lifetime::days(2), "lifetime too long: found 2 days, expected at most 1 day"),
        (offered(), Lifetime::days(30), "ok"),
        (offered(), Lifetime::For(YEAR), "ok"),
        (offered(), until(60 * DAY), "ok"),
        (
            offered(),
            Lifetime::days(31),
            "lifetime not offered: found 31 days, expected one of 30 days, 60 days, 90 days, 365 days",
        ),
        (
            offered(),
            until(60 * DAY - millisecond),
            "lifetime not offered: found 5183999.999s, expected one of 30 days, 60 days, 90 days, 365 days",
        ),
        (offered(), Lifetime::Forever, "lifetime never ends: expected one of 30 days, 60 days, 90 days, 365 days"),
        (offered().or_forever(), Lifetime::Forever, "ok"),
        (
            Lifetimes::among([]).or_forever(),
            Lifetime::days(1),
            "lifetime not offered: found 1 day, expected one of forever",
        ),
    ] {
        let found = rules.check(lifetime, now).map_or_else(|error| error.to_string(), |()| "ok".into());
        assert_eq!(found, outcome, "{rules:?} {lifetime:?}");
    }
}

#[test]
fn a_default_is_taken_where_nothing_is_asked_for_and_is_within_the_rules() {
    let (month, forever) = (Lifetime::days(30), Lifetime::Forever);
    for (rules, default, outcome) in [
        (Lifetimes::any(), forever, "ok"),
        (offered(), month, "ok"),
        (offered(), forever, "lifetime never ends: expected one of 30 days, 60 days, 90 days, 365 days"),
        (offered().or_forever(), forever, "ok"),
        (Lifetimes::at_most(DAY), month, "lifetime too long: found 30 days, expected at most 1 day"),
        (
            Lifetimes::any(),
            Lifetime::Until(at(DAY)),
            "default lifetime ends at a moment: expected a duration, or forever",
        ),
    ] {
        let with_default = rules.clone().by_default(default);
        let found = with_default.as_ref().map_or_else(ToString::to_string, |_| "ok".into());
        assert_eq!(found, outcome, "{rules:?} {default:?}");
        let Ok(lifetimes) = with_default else { continue };
        let policy = IssuePolicy { lifetimes, ..IssuePolicy::default() };
        assert_eq!(policy.lifetime(None), Ok(default));
        assert_eq!(policy.lifetime(Some(Lifetime::days(60))), Ok(Lifetime::days(60)), "what is asked for comes first");
    }
    let refused = IssuePolicy { lifetimes: offered(), ..IssuePolicy::default() }.lifetime(None).unwrap_err();
    assert_eq!(refused.to_string(), "lifetime missing: expected one of 30 days, 60 days, 90 days, 365 days");
}

#[tokio::test]
async fn lifetimes_hold_behind_the_form_for_new_tokens_and_new_ends() {
    let ruled =
        |builder: RegistryBuilder| builder.issue_policy(IssuePolicy { lifetimes: offered(), ..IssuePolicy::default() });
    for rig in rigs_with(ruled).await {
        let id = rig.registry.issue(grant()).await.unwrap().record.id();
        for (lifetime, allowed) in [
            (Lifetime::days(30), true),
            (Lifetime::days(31), false),
            (Lifetime::Forever, false),
            (Lifetime::Until(at(31 * DAY)), false),
            (Lifetime::Until(at(60 * DAY)), true),
        ] {
            let issued = rig.registry.issue(Grant { lifetime, ..grant() }).await;
            let moved = rig.registry.set_expiry(id, lifetime, By::unknown()).await;
            match (issued, moved) {
                (Ok(_), Ok(record)) if allowed => {
                    assert_eq!(record.expiry(), lifetime.starting(at(Duration::ZERO)).unwrap())
                }
                (Err(IssueError::Lifetime(at_issue)), Err(ChangeError::Lifetime(at_move))) if !allowed => {
                    assert_eq!(at_issue, at_move);
                    assert!(!matches!(at_issue, LifetimeRefused::Missing { .. }));
                }
                (issued, moved) => panic!("{} {lifetime:?}: {issued:?}, {moved:?}", rig.kind),
            }
        }
        assert_eq!(rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.len(), 3);
        assert_eq!(rig.registry.issue_policy().lifetimes, offered(), "for the form");
    }
}

#[tokio::test]
async fn a_thrown_switch_stops_minting_and_nothing_else() {
    let switch = MintSwitch::default();
    let switched = |builder: RegistryBuilder| {
        builder.issue_policy(IssuePolicy { limit: Some(2), switch: switch.clone(), ..IssuePolicy::default() })
    };
    for rig in rigs_with(switched).await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let id = issued.record.id();
        switch.stop();
        let stopped = rig.registry.issue(grant()).await.unwrap_err();
        assert!(matches!(stopped, IssueError::Stopped), "{stopped}");
        assert_eq!(rig.outcome(issued.token.expose()).await, "ok");
        let rotated = rig.registry.rotate(id, &Rotation::at_once()).await.unwrap();
        assert_eq!(rig.outcome(rotated.token.expose()).await, "ok");
        rig.registry.set_expiry(id, Lifetime::days(1), By::unknown()).await.unwrap();
        switch.open();
        let _ = rig.registry.issue(grant()).await.unwrap();
        let full = rig.registry.issue(grant()).await.unwrap_err();
        assert!(matches!(full, IssueError::LimitReached { limit: 2 }), "the limit stays: {full}");
    }
}

#[tokio::test]
async fn a_switch_thrown_while_the_policy_thinks_stops_that_token_too() {
    let switch = MintSwitch::default();
    let thrown = switch.clone();
    let host = host(move |_| {
        thrown.stop();
        Answer::yes()
    });
    let policy = IssuePolicy { switch: switch.clone(), ..IssuePolicy::default() };
    for rig in rigs_with(|builder| builder.issue_policy(policy.clone()).policy(host.clone())).await {
        switch.open();
        assert!(matches!(rig.registry.issue(grant()).await, Err(IssueError::Stopped)));
        assert!(rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.is_empty());
    }
}

/// Throws the switch in the middle of a minting.
#[derive(Debug)]
struct Throws(MintSwitch);

impl Entropy for Throws {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.stop();
        SystemEntropy.fill(bytes)
    }
}

#[tokio::test]
async fn a_switch_thrown_while_the_token_is_made_stops_that_token_too() {
    let switch = MintSwitch::default();
    let policy = IssuePolicy { switch: switch.clone(), ..IssuePolicy::default() };
    for rig in rigs_with(|builder| builder.issue_policy(policy.clone()).entropy(Throws(switch.clone()))).await {
        switch.open();
        assert!(matches!(rig.registry.issue(grant()).await, Err(IssueError::Stopped)));
        assert!(rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.is_empty());
    }
}

#[tokio::test]
async fn scopes_beyond_the_owner_s_rights_are_refused_by_name_and_never_narrowed() {
    let rights = |subject: &str| match subject {
        "reader" => "parts:read users:*",
        "nobody" => "",
        _ => "parts:* users:*",
    };
    let catalog = || {
        let builder = ScopeCatalog::builder().scope("parts:read", "read").scope("parts:write", "write");
        let builder = builder.implies("parts:write", "parts:read").family("users:*", "users").family("parts:*", "all");
        (Arc::new(builder.build().unwrap()), UnknownScopes::Reject)
    };
    let asked = host(move |asked| Answer::Approval(Approval::plain().ceiling(scopes(rights(&asked.owner)))));
    let ruled = |builder: RegistryBuilder| {
        let policy = IssuePolicy { scopes: Some(catalog()), ..IssuePolicy::default() };
        builder.issue_policy(policy).policy(asked.clone())
    };
    for (subject, wish, outcome) in [
        ("reader", "parts:read", "ok"),
        ("reader", "users:7 users:*", "ok"),
        ("reader", "parts:read parts:write", "scopes beyond the owner's rights: parts:write"),
        ("reader", "parts:*", "scopes beyond the owner's rights: parts:*"),
        ("nobody", "parts:write", "scopes beyond the owner's rights: parts:read parts:write"), // the implied one too
        ("nobody", "", "ok"),
        ("writer", "parts:* users:eu:*", "ok"),
    ] {
        for rig in rigs_with(ruled).await {
            let issued = rig.registry.issue(Grant { owner: owner(subject), ..grant().scopes(scopes(wish)) }).await;
            let found = issued.as_ref().map_or_else(ToString::to_string, |_| "ok".into());
            assert_eq!(found, outcome, "{subject} {wish}");
            if let Ok(issued) = issued {
                assert_eq!(issued.record.scopes(), &scopes(wish));
            }
            let stored = rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.len();
            assert_eq!(stored == 1, outcome == "ok");
        }
    }
}

#[tokio::test]
async fn a_ceiling_of_the_moment_only_ever_lowers_and_a_user_comes_along() {
    const UNIVERSE: [&str; 6] =
        ["parts:read", "parts:write", "collections:7", "collections:eu:7", "collections", "admin:plan"];
    for (held, ceiling, allowed) in [
        ("parts:read parts:write", "parts:read", "parts:read"),
        ("parts:read", "parts:* admin:*", "parts:read"),
        ("parts:*", "parts:read admin:plan", "parts:read"),
        ("collections:*", "collections:eu:*", "collections:eu:7"),
        ("collections:eu:*", "collections:*", "collections:eu:7"),
        ("collections:*", "collections:7", "collections:7"),
        ("collections:*", "", ""),
        ("", "parts:* collections:* admin:*", ""),
    ] {
        for (kind, store) in stores().await {
            let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
            let host = host(move |asked| {
                Answer::Assent(Assent::plain().ceiling(scopes(ceiling)).attach(format!("user of {}", asked.owner)))
            });
            let ruled = Rig::with(kind, store, minting_k1(), |builder| builder.policy(host));
            let issued = open.registry.issue(grant().scopes(scopes(held))).await.unwrap();
            let verified = ruled.registry.verify(issued.token.expose()).await.unwrap();
            let found: Vec<_> =
                UNIVERSE.into_iter().filter(|scope| verified.require(&scope.parse().unwrap()).is_ok()).collect();
            assert_eq!(found.join(" "), allowed, "{kind}: {held} under {ceiling}");
            let shown = verified.scopes();
            assert!(UNIVERSE.into_iter().all(|scope| shown.allow(&scope.parse().unwrap()) == found.contains(&scope)));
            assert_eq!(verified.attached::<String>(), Some(&"user of user-42".to_owned()));
            assert_eq!(verified.attached::<u32>(), None);
            assert_eq!(verified.record().scopes(), &scopes(held), "what is stored stays");
        }
    }
}

#[tokio::test]
async fn an_objection_is_a_refusal_or_silence_and_never_a_pass() {
    let refusal = || Refusal::new("plan", "Pro subscription required").link("https://example.com/billing");
    let objection = move |subject: &str| match subject {
        "refused" => Some(refusal().into()),
        "later" => Some(refusal().later(Duration::from_secs(12))),
        "silent" => Some(Objection::Unavailable("the plan server is down".into())),
        _ => None,
    };
    let host = host(move |asked| objection(&asked.owner).map_or_else(Answer::yes, Answer::Objection));
    // The owner → whether it is a no, and whether the sink hears the policy's code.
    for (subject, is_refusal, told) in [("refused", true, true), ("later", true, true), ("silent", false, false)] {
        for (kind, store) in stores().await {
            let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
            let ruled = Rig::with(kind, store, minting_k1(), |builder| builder.policy(host.clone()));
            let asked = || Grant { owner: owner(subject), ..grant() };
            let issued = open.registry.issue(asked()).await.unwrap();
            let id = issued.record.id();

            let at_use = ruled.registry.verify(issued.token.expose()).await.unwrap_err();
            assert_eq!(at_use.is_refusal(), is_refusal, "{subject}");
            let VerifyError::Policy(at_use) = at_use else { panic!("{at_use}") };
            let Err(IssueError::Policy(at_issue)) = ruled.registry.issue(asked()).await else { panic!("issued") };
            let rotated = ruled.registry.rotate(id, &Rotation::at_once()).await;
            let Err(RotationError::Policy(at_rotate)) = rotated else { panic!("rotated") };

            for objection in [&at_use, &at_issue, &at_rotate] {
                assert_eq!(objection.refusal().is_some(), is_refusal);
                match (subject, objection) {
                    ("refused", Objection::Refused(found)) => assert_eq!(*found, refusal()),
                    ("later", Objection::Later { refusal: found, retry_after }) => {
                        assert_eq!((found, *retry_after), (&refusal(), Duration::from_secs(12)));
                    }
                    ("silent", Objection::Unavailable(source)) => {
                        assert_eq!(source.to_string(), "the plan server is down");
                    }
                    other => panic!("{other:?}"),
                }
            }
            let heard = ruled.events.take_whole();
            let found: Vec<_> = heard.iter().map(|event| (event.kind.as_str(), event.token, &event.owner)).collect();
            let whose = Some(owner(subject));
            let expected = [("refused", Some(id), &whose), ("refused", None, &whose), ("refused", Some(id), &whose)];
            assert_eq!(found, if told { expected.to_vec() } else { Vec::new() }, "{subject}");
            for event in &heard {
                assert!(matches!(&event.kind, EventKind::Refused { code, .. } if code == "plan"), "{event:?}");
            }
            assert_eq!(ruled.record(id).await.version(), 1);
        }
    }
}

#[tokio::test]
async fn a_policy_that_hangs_or_panics_is_unavailable() {
    let at_once: fn(Duration) -> Sleep = |_| Box::pin(ready(()));
    let never: fn(Duration) -> Sleep = |_| Box::pin(pending());
    let really: fn(Duration) -> Sleep = |duration| Box::pin(tokio::time::sleep(duration));
    const TIMED_OUT: &str = "the policy has not answered within 1ms";
    const PANICKED: &str = "the policy panicked";
    // How the policy behaves, and when the deadline comes → the outcome.
    for (behaviour, timer, outcome) in [
        (Behaviour::Answers, at_once, "ok"),
        (Behaviour::Answers, never, "ok"),
        (Behaviour::AnswersLate, at_once, TIMED_OUT),
        (Behaviour::AnswersLate, never, "ok"),
        (Behaviour::Hangs, at_once, TIMED_OUT),
        (Behaviour::Hangs, really, TIMED_OUT),
        (Behaviour::PanicsAtOnce, never, PANICKED),
        (Behaviour::PanicsLate, never, PANICKED),
    ] {
        for policy_first in [true, false] {
            for (kind, store) in stores().await {
                let open = Rig::with(kind, store.clone(), minting_k1(), |builder| builder);
                let deadline = Duration::from_millis(1);
                let ruled = Rig::with(kind, store, minting_k1(), |builder| {
                    if policy_first {
                        builder.policy(behaviour).policy_deadline(deadline, timer)
                    } else {
                        builder.policy_deadline(deadline, timer).policy(behaviour)
                    }
                });
                let issued = open.registry.issue(grant()).await.unwrap();
                let at_use = ruled.registry.verify(issued.token.expose()).await;
                assert!(!at_use.as_ref().is_err_and(VerifyError::is_refusal), "503, not 401 or 403");
                let at_issue = ruled.registry.issue(grant()).await;
                let at_rotate = ruled.registry.rotate(issued.record.id(), &Rotation::at_once()).await;
                let outcome_of = |objection: &Objection| {
                    let Objection::Unavailable(source) = objection else { panic!("{objection:?}") };
                    assert_eq!(source.is::<PolicyTimedOut>(), outcome == TIMED_OUT);
                    assert_eq!(source.is::<PolicyPanicked>(), outcome == PANICKED);
                    source.to_string()
                };
                let found = [
                    match &at_use {
                        Ok(_) => "ok".into(),
                        Err(VerifyError::Policy(objection)) => outcome_of(objection),
                        Err(other) => panic!("{other}"),
                    },
                    match &at_issue {
                        Ok(_) => "ok".into(),
                        Err(IssueError::Policy(objection)) => outcome_of(objection),
                        Err(other) => panic!("{other}"),
                    },
                    match &at_rotate {
                        Ok(_) => "ok".into(),
                        Err(RotationError::Policy(objection)) => outcome_of(objection),
                        Err(other) => panic!("{other}"),
                    },
                ];
                assert_eq!(found, [outcome; 3], "{behaviour:?} {kind}");
                let version = ruled.record(issued.record.id()).await.version();
                assert_eq!(version, if outcome == "ok" { 2 } else { 1 });
            }
        }
    }
}

#[tokio::test]
async fn without_a_deadline_a_policy_is_waited_for() {
    for rig in rigs_with(|builder| builder.policy(Behaviour::AnswersLate)).await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        assert_eq!(rig.outcome(issued.token.expose()).await, "ok");
    }
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A policy as a function from what is asked about to the answer.
#[derive(Clone)]
struct Host<F>(F);

struct Asked {
    owner: String,
}

enum Answer {
    Assent(Assent),
    Approval(Approval),
    Objection(Objection),
}

impl Answer {
    fn yes() -> Self {
        Self::Approval(Approval::plain())
    }
}

fn host<F: Fn(&Asked) -> Answer + Clone + Send + Sync + 'static>(answer: F) -> Host<F> {
    Host(answer)
}

impl<F> std::fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl<F: Fn(&Asked) -> Answer + Send + Sync + 'static> Host<F> {
    fn answer(&self, owner: &Owner) -> Answer {
        (self.0)(&Asked { owner: owner.subject().to_string() })
    }
}

impl<F: Fn(&Asked) -> Answer + Send + Sync + 'static> Policy for Host<F> {
    async fn at_use(&self, verified: &Verified, _: &Caller) -> Result<Assent, Objection> {
        match self.answer(verified.record().owner()) {
            Answer::Assent(assent) => Ok(assent),
            Answer::Approval(_) => Ok(Assent::plain()),
            Answer::Objection(objection) => Err(objection),
        }
    }
    async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
        match self.answer(&grant.owner) {
            Answer::Approval(approval) => Ok(approval),
            Answer::Assent(_) => Ok(Approval::plain()),
            Answer::Objection(objection) => Err(objection),
        }
    }
    async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
        match self.answer(record.owner()) {
            Answer::Objection(objection) => Err(objection),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Answers,
    /// Makes one wait once.
    AnswersLate,
    Hangs,
    /// Before there is a future.
    PanicsAtOnce,
    /// After it has made one wait once.
    PanicsLate,
}

impl Behaviour {
    fn behave(self) -> impl Future<Output = ()> + Send {
        assert!(!matches!(self, Self::PanicsAtOnce), "the policy is broken");
        async move {
            if !matches!(self, Self::Answers) {
                tokio::task::yield_now().await;
            }
            match self {
                Self::Hangs => pending().await,
                Self::PanicsLate => panic!("the policy is broken"),
                Self::Answers | Self::AnswersLate | Self::PanicsAtOnce => {}
            }
        }
    }
}

impl Policy for Behaviour {
    fn at_use(&self, _: &Verified, _: &Caller) -> impl Future<Output = Result<Assent, Objection>> + Send {
        let behaved = self.behave();
        async move {
            behaved.await;
            Ok(Assent::plain())
        }
    }
    fn at_issue(&self, _: &Grant) -> impl Future<Output = Result<Approval, Objection>> + Send {
        let behaved = self.behave();
        async move {
            behaved.await;
            Ok(Approval::plain())
        }
    }
    fn at_rotate(&self, _: &Record, _: &By) -> impl Future<Output = Result<(), Objection>> + Send {
        let behaved = self.behave();
        async move {
            behaved.await;
            Ok(())
        }
    }
}

fn scopes(text: &str) -> Scopes {
    text.parse().unwrap()
}

/// Thinks for ninety days.
#[derive(Debug)]
struct Slow(FixedClock);

impl Policy for Slow {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        self.0.set(at(90 * DAY));
        Ok(Assent::plain())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_that_ends_while_the_policy_thinks_is_refused() {
    for rig in rigs_with(|builder| builder).await {
        let slow = Rig::with(rig.kind, rig.store.clone(), minting_k1(), |builder| {
            builder.clock(rig.clock.clone()).policy(Slow(rig.clock.clone()))
        });
        let ninety = rig.registry.issue(grant()).await.unwrap();
        let longer = rig.registry.issue(Grant { lifetime: Lifetime::days(91), ..grant() }).await.unwrap();
        assert_eq!(slow.outcome(longer.token.expose()).await, "ok");
        rig.wait(Duration::ZERO);
        assert_eq!(slow.outcome(ninety.token.expose()).await, "expired");
        assert_eq!(slow.events.take(), ["used", "denied"]);
    }
}
