//! What is served from memory, and what is not: by a channel in the same process, on which the test says what is heard.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod gated;
mod node;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use counterfoil::{By, MemoryStore, Timestamp, TokenStore as _, store::StoreErrorKind};
use counterfoil_cache::{CacheEvent, CachedStore, Channel, ChannelError, Listener, Settings, Signal};
use gated::Gated;
use node::{Node, Told, until, until_served};
use tokio::{sync::broadcast, task::JoinHandle};

/// A channel that the test can cut: what is sent then is lost, and whoever was listening hears nothing any more, without being
/// told, as on a connection whose other end is gone.
#[derive(Debug, Clone)]
struct Wire {
    /// Whose heartbeats are heard on it. It has as many ends as there are nodes.
    end: usize,
    /// With the end that a signal came from. None where the connection breaks, and its end is told.
    signals: broadcast::Sender<Option<(usize, Signal)>>,
    is_cut: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
}

struct Heard {
    signals: broadcast::Receiver<Option<(usize, Signal)>>,
    wire: Wire,
    /// How often the wire had been cut when this one began to listen.
    cuts: usize,
}

impl Wire {
    fn new() -> Self {
        Self { end: 0, signals: broadcast::channel(64).0, is_cut: Arc::default(), cuts: Arc::default() }
    }

    /// The end of another node.
    fn other(&self) -> Self {
        Self { end: self.end + 1, ..self.clone() }
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        self.cuts.fetch_add(usize::from(is_cut), Ordering::SeqCst);
    }

    fn break_off(&self) {
        let _ = self.signals.send(None);
    }

    fn send(&self, signal: Signal) {
        if !self.is_cut.load(Ordering::SeqCst) {
            let _ = self.signals.send(Some((self.end, signal)));
        }
    }
}

impl Channel for Wire {
    type Listener = Heard;

    async fn listen(&self) -> Result<Heard, ChannelError> {
        if self.is_cut.load(Ordering::SeqCst) {
            Err(ChannelError::new("cut"))
        } else {
            Ok(Heard { signals: self.signals.subscribe(), wire: self.clone(), cuts: self.cuts.load(Ordering::SeqCst) })
        }
    }

    async fn beat(&self, number: u64) -> Result<(), ChannelError> {
        self.send(Signal::Beat(number));
        Ok(())
    }
}

impl Listener for Heard {
    async fn hear(&mut self) -> Result<Signal, ChannelError> {
        loop {
            match self.signals.recv().await.map_err(ChannelError::new)? {
                None => return Err(ChannelError::new("broken off")),
                Some(_) if self.wire.cuts.load(Ordering::SeqCst) != self.cuts => std::future::pending().await,
                Some((end, Signal::Beat(_))) if end != self.wire.end => {}
                Some((_, signal)) => return Ok(signal),
            }
        }
    }
}

const BOUND: Duration = Duration::from_millis(400);

/// A node on the wire, and what its cache has told.
fn node(store: Gated, wire: &Wire, bound: Duration) -> (Node<Gated>, Arc<Mutex<Vec<CacheEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let settings = Settings::default().bound(bound);
    let on_event = move |event: &CacheEvent| told.lock().unwrap().push(event.clone());
    let (store, listening) = CachedStore::by_lease(store, wire.clone(), settings, tokio::time::sleep, on_event);
    tokio::spawn(listening);
    (Node::new(store), events)
}

/// A node that serves from memory, however slow the machine, and a token of its own that is not there yet.
async fn serving() -> (Node<Gated>, Told) {
    let (node, _) = node(Gated::new(MemoryStore::new()), &Wire::new(), Duration::from_secs(60));
    let told = node.issue().await;
    until_served(&node, &node.issue().await).await;
    (node, told)
}

/// Asks, in a task of its own.
fn ask(node: &Node<Gated>, told: &Told) -> JoinHandle<String> {
    let (node, told) = (node.clone(), told.clone());
    tokio::spawn(async move { node.verdict(&told).await })
}

/// Waits until so many reads are held back, and questions have waited for the read of another so often.
async fn until_waiting(node: &Node<Gated>, held: usize, joined: u64) {
    until(async || (node.store.inner().held(), node.store.counts().joined) == (held, joined)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_another_node_is_heard_and_one_that_is_not_is_seen_after_the_bound() {
    let (wire, shared) = (Wire::new(), MemoryStore::new());
    let [(here, _), (there, _)] = [wire.clone(), wire.other()].map(|end| node(Gated::new(shared.clone()), &end, BOUND));
    for is_heard in [true, false] {
        let told = here.issue().await;
        until_served(&there, &told).await;
        if !is_heard {
            wire.cut(true);
        }
        let changed = Instant::now();
        here.registry.revoke(told.id, By::unknown()).await.unwrap();
        wire.send(Signal::Changed(told.id));
        assert_eq!(here.verdict(&told).await, "revoked", "at once, on the node that made it");
        loop {
            let (asked, verdict) = (changed.elapsed(), there.verdict(&told).await);
            assert!(verdict == "revoked" || asked < BOUND, "{is_heard}: {verdict}, asked {asked:?} after the change");
            if verdict == "revoked" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // And nothing that was kept from before comes back with the heartbeats.
        wire.cut(false);
        let other = here.issue().await;
        until_served(&there, &other).await;
        assert_eq!(there.verdict(&told).await, "revoked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_off_ends_the_lease_at_once() {
    let wire = Wire::new();
    let (node, events) = node(Gated::new(MemoryStore::new()), &wire, BOUND);
    let told = node.issue().await;
    until_served(&node, &told).await;
    wire.cut(true);
    wire.break_off();
    until(async || matches!(events.lock().unwrap().last(), Some(CacheEvent::StoodAside { .. }))).await;
    let before = node.store.counts().aside;
    node.verdict(&told).await;
    assert_eq!(node.store.counts().aside, before + 1, "the event is true when it is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_a_read_that_found_nothing_reads_anew() {
    let (node, _) = serving().await;
    let elsewhere = Node::new(CachedStore::by_age(Gated::new(MemoryStore::new()), Settings::default()));
    let told = elsewhere.issue().await;
    let record = elsewhere.store.get(told.id).await.unwrap().unwrap().record;
    node.store.inner().hold();
    let first = ask(&node, &told);
    until_waiting(&node, 1, 0).await;
    // The token is there before the second asks, by another node.
    node.store.inner().insert(&record, None, record.created_at()).await.unwrap();
    let late = ask(&node, &told);
    until_waiting(&node, 1, 1).await;
    node.store.inner().release();
    assert_eq!((first.await.unwrap().as_str(), late.await.unwrap().as_str()), ("unknown", "ok 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_heartbeats_every_read_goes_to_the_store_and_recovery_is_by_itself() {
    let wire = Wire::new();
    let (node, events) = node(Gated::new(MemoryStore::new()), &wire, BOUND);
    let told = node.issue().await;
    until_served(&node, &told).await;
    wire.cut(true);
    until(async || !events.lock().unwrap().iter().all(|event| matches!(event, CacheEvent::Serves { .. }))).await;
    let before = node.store.counts();
    for _ in 0..10 {
        assert_eq!(node.verdict(&told).await, "ok 1");
    }
    assert_eq!(node.store.counts().aside, before.aside + 10);
    // A store that is gone now is unavailable, and nothing in memory stands in for it.
    node.store.inner().fail(Some(StoreErrorKind::Unavailable));
    assert_eq!(node.verdict(&told).await, "the store is unavailable");
    node.store.inner().fail(None);
    wire.cut(false);
    until_served(&node, &told).await;
    let events: Vec<bool> =
        events.lock().unwrap().iter().map(|event| matches!(event, CacheEvent::Serves { .. })).collect();
    assert!(
        matches!(&events[..], [true, aside @ .., true] if !aside.is_empty() && !aside.contains(&true)),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_heartbeat_nothing_is_served() {
    let wire = Wire::new();
    wire.cut(true);
    let (node, _) = node(Gated::new(MemoryStore::new()), &wire, BOUND);
    let told = node.issue().await;
    for _ in 0..3 {
        node.verdict(&told).await;
    }
    assert_eq!((node.store.counts().aside, node.store.counts().misses), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_change_is_not_served_after_it() {
    let (node, told) = serving().await;
    // A read has its row, and stands still before it returns.
    node.store.inner().hold();
    let reading = ask(&node, &told);
    until_waiting(&node, 1, 0).await;
    node.registry.revoke(told.id, By::unknown()).await.unwrap();
    node.store.inner().release();
    assert_eq!(reading.await.unwrap(), "ok 1", "it began before");
    assert_eq!(node.verdict(&told).await, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_join_a_read_that_began_before_a_change_one_reads_anew() {
    let (node, told) = serving().await;
    let reads = node.store.inner().reads();
    node.store.inner().hold();
    let first = ask(&node, &told);
    until_waiting(&node, 1, 0).await;
    node.registry.revoke(told.id, By::unknown()).await.unwrap();
    // They start after the revocation has returned, while the read is still under way.
    let late: Vec<_> = (0..50).map(|_| ask(&node, &told)).collect();
    until_waiting(&node, 1, 50).await;
    node.store.inner().release_one();
    assert_eq!(first.await.unwrap(), "ok 1");
    until_waiting(&node, 1, 50 + 49).await;
    node.store.inner().release();
    for one in late {
        assert_eq!(one.await.unwrap(), "revoked");
    }
    assert_eq!(node.store.inner().reads() - reads, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_ask_at_once_one_reads() {
    let (node, told) = serving().await;
    let reads = node.store.inner().reads();
    node.store.inner().hold();
    let all: Vec<_> = (0..50).map(|_| ask(&node, &told)).collect();
    until_waiting(&node, 1, 49).await;
    node.store.inner().release();
    for one in all {
        assert_eq!(one.await.unwrap(), "ok 1");
    }
    assert_eq!(node.store.inner().reads() - reads, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_goes_on_without_the_one_that_began_it_and_ends_with_the_last() {
    let (node, told) = serving().await;
    let reads = node.store.inner().reads();
    node.store.inner().hold();
    let first = ask(&node, &told);
    until_waiting(&node, 1, 0).await;
    let second = ask(&node, &told);
    until_waiting(&node, 1, 1).await;
    first.abort();
    let _ = first.await;
    node.store.inner().release();
    assert_eq!(second.await.unwrap(), "ok 1");
    assert_eq!(node.store.inner().reads() - reads, 1);
    // Given up by all: the next one begins a read of its own.
    node.store.changed(told.id);
    node.store.inner().hold();
    let given_up = ask(&node, &told);
    until_waiting(&node, 1, 1).await;
    given_up.abort();
    let _ = given_up.await;
    node.store.inner().release();
    assert_eq!(node.verdict(&told).await, "ok 1");
    assert_eq!(node.store.inner().reads() - reads, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_makes_nothing_be_read_anew() {
    let (node, told) = serving().await;
    let gone = node.issue().await;
    node.registry.revoke(gone.id, By::unknown()).await.unwrap();
    assert_eq!((node.verdict(&told).await.as_str(), node.verdict(&gone).await.as_str()), ("ok 1", "revoked"));
    let reads = node.store.inner().reads();
    assert_eq!(node.store.purge(Timestamp::MAX, None, 10).await.unwrap(), 1);
    assert_eq!(node.verdict(&told).await, "ok 1");
    assert_ne!(node.verdict(&gone).await, "ok 1", "whether it was told of or not");
    assert_eq!(node.store.inner().reads(), reads);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_read_that_panics_all_who_wait_for_it_are_told() {
    let (node, told) = serving().await;
    node.store.inner().hold();
    let first = ask(&node, &told);
    until_waiting(&node, 1, 0).await;
    let second = ask(&node, &told);
    until_waiting(&node, 1, 1).await;
    node.store.inner().panic();
    node.store.inner().release();
    for one in [first, second] {
        let verdict = tokio::time::timeout(Duration::from_secs(60), one).await.expect("it is told").unwrap();
        assert_eq!(verdict, "the store failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_asked_for_each_time_and_errors_are_told_to_all() {
    let node = Node::new(CachedStore::by_age(Gated::new(MemoryStore::new()), Settings::default()));
    let elsewhere = Node::new(CachedStore::by_age(Gated::new(MemoryStore::new()), Settings::default()));
    let told = elsewhere.issue().await;
    for reads in 1..4 {
        assert_eq!(node.verdict(&told).await, "unknown");
        assert_eq!(node.store.inner().reads(), reads);
    }
    assert_eq!(node.store.counts().entries, 0);
    for (kind, text) in [
        (StoreErrorKind::Unavailable, "the store is unavailable"),
        (StoreErrorKind::Ambiguous, "selectors of one token belong to several records"),
    ] {
        node.store.inner().fail(Some(kind));
        assert_eq!(node.verdict(&told).await, text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_one_process_is_read_anew_after_the_bound() {
    let shared = MemoryStore::new();
    let settings = Settings::default().bound(Duration::from_millis(100));
    let [node, beside] = [(), ()].map(|()| Node::new(CachedStore::by_age(Gated::new(shared.clone()), settings)));
    let told = node.issue().await;
    assert_eq!(node.verdict(&told).await, "ok 1");
    beside.registry.revoke(told.id, By::unknown()).await.unwrap();
    let changed = Instant::now();
    loop {
        let (asked, verdict) = (changed.elapsed(), node.verdict(&told).await);
        assert!(verdict == "revoked" || asked < settings_bound(), "{verdict}, asked {asked:?} after the change");
        if verdict == "revoked" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

const fn settings_bound() -> Duration {
    Duration::from_millis(100)
}

/// For what nobody reports, with a lease that is renewed all the time.
#[tokio::test(flavor = "multi_thread")]
async fn entry_older_than_the_longest_age_is_read_again() {
    let shared = MemoryStore::new();
    let settings = Settings::default().bound(Duration::from_secs(60)).longest(Duration::from_millis(200));
    let (store, listening) = CachedStore::by_lease(
        Gated::new(shared.clone()),
        Wire::new(),
        settings,
        tokio::time::sleep,
        |_: &CacheEvent| {},
    );
    tokio::spawn(listening);
    let node = Node::new(store);
    let elsewhere = Node::new(CachedStore::by_age(shared, Settings::default()));
    let told = node.issue().await;
    until_served(&node, &told).await;
    elsewhere.registry.revoke(told.id, By::unknown()).await.unwrap();
    until(async || node.verdict(&told).await == "revoked").await;
}
