//! What is told, how often, and that nobody who listens can harm a request.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use common::{DAY, Events, Rig, at, grant, minting_k1, stores};
use counterfoil::{
    By, Checksum, FixedClock, Grant, Lifetime, MemoryStore, Registry, SharedStore, TokenFormat,
    event::{Event, EventKind, EventSink, NoSink, QueuedSink},
    registry::{RegistryBuilder, Target},
};

const SECOND: Duration = Duration::from_secs(1);

/// Every event there is: what a host may match by name in its audit. A row that changes breaks a host.
const EVENTS: [(&str, &[&str]); 27] = [
    ("issued", &[]),
    ("imported", &[]),
    ("rotated", &["overlap_until"]),
    ("annotated", &[]),
    ("expiry_set", &["expiry"]),
    ("scopes_narrowed", &[]),
    ("blocked", &[]),
    ("unblocked", &[]),
    ("suspended", &[]),
    ("resumed", &[]),
    ("revoked", &[]),
    ("rehashed", &["key"]),
    ("rehash_failed", &[]),
    ("used", &[]),
    ("denied", &["denial"]),
    ("denials_suppressed", &["count"]),
    ("refused", &["code"]),
    ("scope_missing", &["scope", "route"]),
    ("limited", &["code", "route"]),
    ("attempt_limited", &["code", "route"]),
    ("unverifiable", &["key"]),
    ("overloaded", &["count"]),
    ("expiring", &["expiry", "threshold"]),
    ("purged", &["count"]),
    ("uses_dropped", &["count"]),
    ("maintenance_failed", &["step", "error"]),
    ("events_dropped", &["count"]),
];

#[test]
fn the_documented_events_are_these() {
    // That the table holds every variant with its fields is tested beside it.
    let mut rows = Vec::new();
    for line in include_str!("../src/event.rs").lines() {
        if let Some(row) = line.strip_prefix("//! | `") {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            let fields = cells[1].split(", ").filter(|field| !field.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            rows.push((cells[0].clone(), fields));
        }
    }
    let expected = EVENTS.map(|(name, fields)| (name.to_owned(), fields.iter().map(|&field| field.into()).collect()));
    assert_eq!(rows, expected);
}

/// What an event is of: `t`oken, `o`wner, `a`ctor, `c`aller.
fn shown(event: &Event) -> String {
    let parts = [
        ('t', event.token.is_some()),
        ('o', event.owner.is_some()),
        ('a', event.by.actor.is_some()),
        ('c', event.caller.address.is_some()),
    ];
    parts.iter().filter(|(_, is_set)| *is_set).map(|(letter, _)| letter).collect()
}

#[tokio::test]
async fn an_event_says_of_whom_it_is() {
    for (kind, store) in stores().await {
        let rig = Rig::with(kind, store, minting_k1(), |builder| builder.warn_before([7 * DAY]));
        let registry = &rig.registry;
        let actor = counterfoil::Actor::new("admin:7").unwrap();
        let by = || By::actor(actor.clone());
        let caller =
            counterfoil::Caller { address: Some("192.0.2.7".parse().unwrap()), ..counterfoil::Caller::unknown() };
        let issued = registry.issue(grant().by(actor.clone())).await.unwrap();
        let (id, text) = (issued.record.id(), issued.token.expose());
        registry.block(id, by()).await.unwrap();
        assert!(registry.verify_for(text, &caller).await.is_err());
        registry.unblock(id, by()).await.unwrap();
        registry.verify_for(text, &caller).await.unwrap();
        rig.wait(85 * DAY);
        assert!(registry.maintain().await.unwrap().failures.is_empty());
        let version = rig.record(id).await.version();
        registry.revoke(Target { id, version: Some(version) }, by()).await.unwrap();
        rig.wait(120 * DAY);
        assert_eq!(registry.maintain().await.unwrap().purged, 1);
        assert!(registry.verify_for(text, &caller).await.is_err());

        let told = rig.events.take_whole();
        let told: Vec<_> = told.iter().map(|event| (event.kind.as_str(), shown(event))).collect();
        let expected = [
            ("issued", "toa"),
            ("blocked", "toa"),
            ("denied", "toc"),
            ("unblocked", "toa"),
            ("used", "toc"),
            ("expiring", "to"),
            ("revoked", "toa"),
            ("purged", ""),
            ("denied", "c"),
        ];
        assert_eq!(told, expected.map(|(name, of)| (name, of.to_owned())), "{kind}");
    }
}

/// A registry whose tokens have no checksum, so that a wrong secret is one character away.
fn unchecked(set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> (Registry, FixedClock, Events) {
    let format = TokenFormat::builder("acme").checksum(Checksum::None).build().unwrap();
    let (clock, events) = (FixedClock::new(at(Duration::ZERO)), Events::default());
    let builder = Registry::builder(format, minting_k1(), MemoryStore::new()).clock(clock.clone()).sink(events.clone());
    (set_up(builder).build().unwrap(), clock, events)
}

fn with_last(text: &str, last: char) -> String {
    let last = if text.ends_with(last) { 'x' } else { last };
    format!("{}{last}", &text[..text.len() - 1])
}

#[tokio::test]
async fn denials_without_a_proven_secret_are_told_so_many_a_second() {
    let (registry, clock, events) = unchecked(|builder| builder.denials_per_second(3));
    let issued = registry.issue(grant()).await.unwrap();
    let wrong = with_last(issued.token.expose(), '0');
    let unknown = unchecked(|builder| builder).0.issue(grant()).await.unwrap().token;
    let denied = async |text: &str| assert!(registry.verify(text).await.unwrap_err().is_refusal());
    let told = || -> Vec<String> {
        let told = events.take_whole().into_iter();
        told.map(|event| match event.kind {
            EventKind::Denied { denial, .. } => denial.code().to_owned(),
            EventKind::DenialsSuppressed { count, .. } => format!("{count} suppressed"),
            other => other.as_str().to_owned(),
        })
        .collect()
    };
    events.take();

    for _ in 0..1000 {
        denied(&wrong).await;
        denied(unknown.expose()).await;
    }
    assert_eq!(told(), ["wrong_secret", "unknown", "wrong_secret"]);
    clock.set(at(SECOND));
    denied(unknown.expose()).await;
    assert_eq!(told(), ["1997 suppressed", "unknown"], "the next denial tells");

    for _ in 0..5 {
        denied(&wrong).await;
    }
    assert_eq!(told(), ["wrong_secret", "wrong_secret"]);
    let _ = registry.maintain().await.unwrap();
    assert_eq!(told(), [""; 0], "the second is not over");
    clock.set(at(2 * SECOND));
    let _ = registry.maintain().await.unwrap();
    let _ = registry.maintain().await.unwrap();
    assert_eq!(told(), ["3 suppressed"], "or the upkeep does");
    for _ in 0..5 {
        denied(&wrong).await;
    }
    events.take();
    registry.shutdown().await.unwrap();
    assert_eq!(told(), ["2 suppressed"], "or the end");

    // Who has proven the secret is told of each time: only who has a token can do that.
    registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
    events.take();
    for _ in 0..5 {
        denied(issued.token.expose()).await;
    }
    assert_eq!(told(), ["revoked"; 5]);
}

#[tokio::test]
async fn a_hundred_denials_a_second_are_told_by_default() {
    let (registry, _, events) = unchecked(|builder| builder);
    let unknown = unchecked(|builder| builder).0.issue(grant()).await.unwrap().token;
    for _ in 0..200 {
        assert!(registry.verify(unknown.expose()).await.is_err());
    }
    assert_eq!(events.take().len(), 100);
}

#[tokio::test]
async fn a_missing_key_makes_no_flood_of_events() {
    for rig in common::rigs().await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let without_key = common::keyring(&format!("{}:mint", common::K2));
        let other = Rig::with(rig.kind, rig.store, without_key, |builder| builder.denials_per_second(2));
        // Whoever knows a selector, which is no secret, can ask for the row.
        for _ in 0..50 {
            assert_eq!(other.outcome(issued.token.expose()).await, "unverifiable");
        }
        assert_eq!(other.events.take(), ["unverifiable"; 2], "{}", rig.kind);
        let never_stored = grant().mint(&common::format(), &minting_k1(), at(Duration::ZERO)).unwrap().token;
        assert_eq!(other.outcome(never_stored.expose()).await, "unknown", "nor does it hide what else there is");
        assert_eq!(other.events.take(), ["denied"], "{}", rig.kind);
        other.wait(SECOND);
        assert_eq!(other.outcome(issued.token.expose()).await, "unverifiable");
        assert_eq!(other.events.take(), ["denials_suppressed", "unverifiable"], "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_malformed_text_is_no_event() {
    let (registry, _, events) = unchecked(|builder| builder);
    let issued = registry.issue(grant()).await.unwrap();
    let text = issued.token.expose();
    events.take();
    for malformed in ["", "acme_", "ghp_0123456789", &format!("{text}0"), &text[1..], &with_last(text, '-')] {
        assert!(registry.verify(malformed).await.unwrap_err().is_refusal(), "{malformed}");
    }
    assert_eq!(events.take(), [""; 0]);
}

/// A sink that says when it is entered, and stays until it is let go: once for each message, and for good when the
/// other end is dropped.
#[derive(Debug)]
struct Stuck {
    entered: Sender<()>,
    let_go: Mutex<Receiver<()>>,
    heard: Events,
}

impl EventSink for Stuck {
    fn emit(&self, event: &Event) {
        let _ = self.entered.send(());
        let _ = self.let_go.lock().unwrap().recv();
        self.heard.emit(event);
    }
}

fn stuck() -> (Stuck, Receiver<()>, Sender<()>, Events) {
    let ((entered, is_in), (release, let_go), heard) = (channel(), channel(), Events::default());
    (Stuck { entered, let_go: Mutex::new(let_go), heard: heard.clone() }, is_in, release, heard)
}

fn names(events: &Events) -> Vec<String> {
    let told = events.take_whole().into_iter();
    told.map(|event| match event.kind {
        EventKind::EventsDropped { count, .. } => format!("{count} dropped"),
        other => other.as_str().to_owned(),
    })
    .collect()
}

#[tokio::test]
async fn a_sink_that_hangs_holds_up_no_verification() {
    for (kind, store) in stores().await {
        let (sink, is_in, release, heard) = stuck();
        let sink = QueuedSink::start(sink, 3).unwrap();
        let rig = Rig::with(kind, store, minting_k1(), |builder| builder.sink(sink.clone()).denials_per_second(2));
        let issued = rig.registry.issue(grant()).await.unwrap();
        is_in.recv().unwrap();
        rig.registry.block(issued.record.id(), By::unknown()).await.unwrap();
        rig.registry.unblock(issued.record.id(), By::unknown()).await.unwrap();
        // The sink has the first event in hand; two of three places are taken.
        let never_stored = grant().mint(&common::format(), &minting_k1(), at(Duration::ZERO)).unwrap().token;
        for _ in 0..10 {
            assert_eq!(rig.outcome(issued.token.expose()).await, "ok", "{kind}");
            assert_eq!(rig.outcome(never_stored.expose()).await, "unknown", "{kind}");
        }
        drop(release);
        sink.flush();
        // Ten uses and two denials, of which one use had a place.
        assert_eq!(names(&heard), ["issued", "blocked", "unblocked", "used", "11 dropped"], "{kind}");
        assert_eq!(rig.outcome(issued.token.expose()).await, "ok");
        sink.flush();
        assert_eq!(names(&heard), ["used"], "there is room again");
    }
}

/// Events of their kinds, as a registry makes them.
async fn samples() -> (Event, Event) {
    let (registry, _, events) = unchecked(|builder| builder);
    let issued = registry.issue(grant()).await.unwrap();
    registry.verify(issued.token.expose()).await.unwrap();
    let mut told = events.take_whole();
    let used = told.remove(1);
    (told.remove(0), used)
}

#[tokio::test]
async fn changes_wait_for_room_and_none_is_lost() {
    let (change, used) = samples().await;
    for capacity in [0, 1, 2, 100] {
        let (sink, is_in, release, heard) = stuck();
        let sink = QueuedSink::start(sink, capacity).unwrap();
        sink.emit(&change);
        is_in.recv().unwrap();
        let emitters: Vec<_> = (0..4)
            .map(|_| {
                let (sink, change) = (sink.clone(), change.clone());
                thread::spawn(move || (0..25).for_each(|_| sink.emit(&change)))
            })
            .collect();
        drop(release);
        emitters.into_iter().for_each(|emitter| emitter.join().unwrap());
        sink.flush();
        assert_eq!(names(&heard), vec!["issued"; 101], "capacity {capacity}");
        sink.emit(&used);
        sink.flush();
        assert_eq!(names(&heard), ["used"]);
    }
}

/// Blocks each token that was issued, once it is let go.
#[derive(Debug, Clone)]
struct Blocks {
    stuck: Arc<Stuck>,
    of: Arc<OnceLock<(Registry, QueuedSink)>>,
}

impl EventSink for Blocks {
    fn emit(&self, event: &Event) {
        self.stuck.emit(event);
        if let (EventKind::Issued, Some(id), Some((registry, sink))) = (&event.kind, event.token, self.of.get()) {
            pollster::block_on(registry.block(id, By::unknown())).unwrap();
            sink.flush();
        }
    }
}

#[test]
fn a_sink_that_makes_changes_does_not_wait_for_itself() {
    for capacity in [1, 2, 10] {
        let (sink, is_in, release, heard) = stuck();
        let blocks = Blocks { stuck: Arc::new(sink), of: Arc::default() };
        let sink = QueuedSink::start(blocks.clone(), capacity).unwrap();
        let registry = unchecked(|builder| builder.sink(sink.clone())).0;
        blocks.of.set((registry.clone(), sink.clone())).unwrap();
        let issued = pollster::block_on(registry.issue(grant())).unwrap();
        is_in.recv().unwrap();
        for _ in 0..capacity {
            pollster::block_on(registry.verify(issued.token.expose())).unwrap();
        }
        drop(release);
        sink.flush(); // what was queued before the change
        sink.flush(); // and the change
        let used = vec!["used"; capacity];
        assert_eq!(names(&heard), [vec!["issued"], used, vec!["blocked"]].concat(), "capacity {capacity}");
    }
}

#[tokio::test]
async fn what_was_dropped_is_told_where_it_is_missing() {
    let (change, used) = samples().await;
    let (sink, is_in, release, heard) = stuck();
    let sink = QueuedSink::start(sink, 2).unwrap();
    sink.emit(&change);
    is_in.recv().unwrap();
    for _ in 0..5 {
        sink.emit(&used);
    }
    // The sink takes the next: its place goes to the count, and the queue is full again.
    release.send(()).unwrap();
    is_in.recv().unwrap();
    for _ in 0..4 {
        sink.emit(&used);
    }
    drop(release);
    sink.flush();
    assert_eq!(names(&heard), ["issued", "used", "used", "3 dropped", "4 dropped"]);
}

#[tokio::test]
async fn the_last_clone_hands_over_what_is_queued() {
    let (change, used) = samples().await;
    let heard = Events::default();
    let sink = QueuedSink::start(heard.clone(), 1000).unwrap();
    for _ in 0..100 {
        sink.emit(&change);
        sink.clone().emit(&used);
    }
    drop(sink);
    assert_eq!(names(&heard).len(), 200);
}

#[derive(Debug)]
struct PanicsAt(&'static str, Events);

impl EventSink for PanicsAt {
    fn emit(&self, event: &Event) {
        self.1.emit(event);
        assert!(event.kind.as_str() != self.0, "the sink is broken");
    }
}

#[tokio::test]
async fn a_panic_behind_the_queue_loses_one_event_alone() {
    let (change, used) = samples().await;
    let heard = Events::default();
    let sink = QueuedSink::start(PanicsAt("issued", heard.clone()), 10).unwrap();
    for event in [&change, &used, &change, &used] {
        sink.emit(event);
    }
    sink.flush();
    assert_eq!(names(&heard), ["issued", "used", "issued", "used"]);
}

#[tokio::test]
async fn a_sink_that_panics_harms_neither_request_nor_upkeep() {
    for name in ["issued", "used", "revoked", "purged", "expiring", "denied"] {
        for (kind, store) in stores().await {
            let heard = Events::default();
            let sink = PanicsAt(name, heard.clone());
            let rig = Rig::with(kind, store, minting_k1(), |builder| builder.sink(sink).warn_before([7 * DAY]));
            let first = rig.registry.issue(grant()).await.unwrap();
            let second = rig.registry.issue(grant()).await.unwrap();
            assert_eq!(rig.outcome(first.token.expose()).await, "ok");
            rig.registry.revoke(first.record.id(), By::unknown()).await.unwrap();
            assert_eq!(rig.outcome(first.token.expose()).await, "revoked");
            rig.wait(85 * DAY);
            let run = rig.registry.maintain().await.unwrap();
            assert_eq!((run.purged, run.warned, run.failures.len()), (1, 1, 0), "{name} on {kind}");
            assert_eq!(rig.outcome(second.token.expose()).await, "ok", "{name} on {kind}");
            assert!(heard.take().contains(&name.to_owned()));
        }
    }
}

#[tokio::test]
async fn without_a_sink_all_goes_on_the_same() {
    let store = SharedStore::new(MemoryStore::new());
    let build = |set_up: fn(RegistryBuilder) -> RegistryBuilder| {
        let builder = Registry::builder(common::format(), minting_k1(), store.clone());
        set_up(builder).build().unwrap()
    };
    for registry in [build(|builder| builder), build(|builder| builder.sink(NoSink))] {
        let issued = registry.issue(Grant { lifetime: Lifetime::days(1), ..grant() }).await.unwrap();
        registry.verify(issued.token.expose()).await.unwrap();
        registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
        assert!(registry.verify(issued.token.expose()).await.is_err());
        assert!(registry.maintain().await.unwrap().failures.is_empty());
        assert_eq!(registry.shutdown().await.unwrap(), 0);
    }
}
