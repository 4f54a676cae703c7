//! What becomes of heartbeats that are late, lost or never sent: on a channel on which nothing is heard but what the test says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gated;
mod node;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use counterfoil::{By, MemoryStore, Timestamp, TokenStore};
use counterfoil_cache::{CacheEvent, CachedStore, Channel, ChannelError, Listener, Settings, Signal};
use gated::Gated;
use node::{Node, until, until_served};
use tokio::{sync::broadcast, task::JoinHandle};

const BOUND: Duration = Duration::from_millis(400);

/// What becomes of the next heartbeats.
#[derive(Debug, Clone, Copy)]
enum Fate {
    ComeBack,
    AreLost,
    Fail,
    Hang,
}

#[derive(Debug, Clone)]
struct Hand {
    /// None where the connection breaks.
    signals: broadcast::Sender<Option<Signal>>,
    fate: Arc<Mutex<Fate>>,
    sent: Arc<Mutex<Vec<u64>>>,
}

struct Heard(broadcast::Receiver<Option<Signal>>);

impl Hand {
    fn new(fate: Fate) -> Self {
        Self { signals: broadcast::channel(64).0, fate: Arc::new(Mutex::new(fate)), sent: Arc::default() }
    }

    fn say(&self, signal: impl Into<Option<Signal>>) {
        let _ = self.signals.send(signal.into());
    }

    fn beats(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
    }

    /// Waits for one more heartbeat, and tells its number.
    async fn next_beat(&self) -> u64 {
        let before = self.sent.lock().unwrap().len();
        until(async || self.sent.lock().unwrap().len() > before).await;
        self.sent.lock().unwrap()[before]
    }
}

impl Channel for Hand {
    type Listener = Heard;

    async fn listen(&self) -> Result<Heard, ChannelError> {
        Ok(Heard(self.signals.subscribe()))
    }

    async fn beat(&self, number: u64) -> Result<(), ChannelError> {
        self.sent.lock().unwrap().push(number);
        let fate = *self.fate.lock().unwrap();
        match fate {
            Fate::ComeBack => self.say(Signal::Beat(number)),
            Fate::AreLost => {}
            Fate::Fail => return Err(ChannelError::new("not sent")),
            Fate::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

impl Listener for Heard {
    async fn hear(&mut self) -> Result<Signal, ChannelError> {
        self.0.recv().await.map_err(ChannelError::new)?.ok_or_else(|| ChannelError::new("broken off"))
    }
}

/// A node, its events, and what listens.
type Listening<S> = (Node<S>, Arc<Mutex<Vec<CacheEvent>>>, JoinHandle<()>);

fn node(hand: &Hand, on_event: impl Fn() + Send + Sync + 'static) -> Listening<MemoryStore> {
    node_with(MemoryStore::new(), hand, BOUND, on_event)
}

fn node_with<S: TokenStore>(
    store: S,
    hand: &Hand,
    bound: Duration,
    on_event: impl Fn() + Send + Sync + 'static,
) -> Listening<S> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let on_event = move |event: &CacheEvent| {
        told.lock().unwrap().push(event.clone());
        on_event();
    };
    let settings = Settings::default().bound(bound);
    let (store, listening) = CachedStore::by_lease(store, hand.clone(), settings, tokio::time::sleep, on_event);
    (Node::new(store), events, tokio::spawn(listening))
}

fn serves(events: &Mutex<Vec<CacheEvent>>) -> Vec<bool> {
    events.lock().unwrap().iter().map(|event| matches!(event, CacheEvent::Serves { .. })).collect()
}

/// On one thread: what is heard has been taken note of when the test goes on.
#[tokio::test]
async fn a_late_heartbeat_of_an_earlier_session_renews_nothing() {
    let hand = Hand::new(Fate::AreLost);
    let (_node, events, _) = node(&hand, || {});
    let earlier = hand.next_beat().await;
    hand.say(None);
    until(async || serves(&events) == [false]).await;
    let own = hand.next_beat().await;
    for (number, expected) in [(earlier, &[false][..]), (own, &[false, true])] {
        hand.say(Signal::Beat(number));
        until(async || hand.signals.is_empty()).await;
        assert_eq!(serves(&events), expected, "{number}");
    }
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_sent_does_not_end_the_lease() {
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node(&hand, || {});
    until_served(&node, &node.issue().await).await;
    hand.beats(Fate::Fail);
    hand.next_beat().await;
    hand.beats(Fate::ComeBack);
    hand.next_beat().await;
    hand.next_beat().await;
    assert_eq!(serves(&events), [true]);
    // And where none comes back, the reason is told.
    hand.beats(Fate::Fail);
    until(async || serves(&events) == [true, false]).await;
    let told = format!("{:?}", events.lock().unwrap().last());
    assert!(told.contains("not sent"), "{told}");
}

#[tokio::test]
async fn a_heartbeat_that_comes_back_past_the_bound_is_no_service() {
    let hand = Hand::new(Fate::Hang);
    let (_node, events, _) = node(&hand, || {});
    let (number, sent) = (hand.next_beat().await, Instant::now());
    until(async || sent.elapsed() > BOUND).await;
    hand.say(Signal::Beat(number));
    until(async || !events.lock().unwrap().is_empty()).await;
    assert_eq!(serves(&events), [false]);
}

#[tokio::test]
async fn a_host_that_panics_does_not_end_the_listening() {
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, listening) = node(&hand, || panic!("as the test wants it"));
    until_served(&node, &node.issue().await).await;
    hand.say(None);
    until(async || serves(&events) == [true, false, true]).await;
    assert!(!listening.is_finished());
}

#[tokio::test]
async fn another_reason_to_stand_aside_is_told() {
    let hand = Hand::new(Fate::ComeBack);
    let (_node, events, _) = node(&hand, || {});
    until(async || serves(&events) == [true]).await;
    hand.beats(Fate::Fail);
    hand.say(None);
    until(async || serves(&events) == [true, false, false]).await;
    let told = events.lock().unwrap().iter().map(|event| format!("{event:?}")).collect::<Vec<_>>();
    assert!(told[1].contains("broken off") && told[2].contains("not sent"), "{told:?}");
}

#[tokio::test]
async fn lost_heartbeat_between_two_that_come_back_ends_nothing() {
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node(&hand, || {});
    until_served(&node, &node.issue().await).await;
    hand.beats(Fate::AreLost);
    hand.next_beat().await;
    hand.beats(Fate::ComeBack);
    // A quarter of the bound each, so the lost one is older than the bound.
    for _ in 0..6 {
        hand.next_beat().await;
    }
    assert_eq!(serves(&events), [true]);
}

/// Nobody reported it, and no read showed it while the node did not listen.
#[tokio::test]
async fn change_while_the_node_does_not_listen_is_seen_once_it_does() {
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node(&hand, || {});
    let told = node.issue().await;
    until_served(&node, &told).await;
    let elsewhere = Node::new(CachedStore::by_age(node.store.inner().clone(), Settings::default()));
    elsewhere.registry.revoke(told.id, By::unknown()).await.unwrap();
    hand.say(None);
    until(async || serves(&events) == [true, false, true]).await;
    assert_eq!(node.verdict(&told).await, "revoked");
}

/// The lease begins when the heartbeat is sent. One that comes back late leaves the rest of the bound and no more.
#[tokio::test]
async fn late_heartbeat_leaves_the_rest_of_the_bound() {
    const BOUND: Duration = Duration::from_secs(1);
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node_with(MemoryStore::new(), &hand, BOUND, || {});
    let told = node.issue().await;
    until_served(&node, &told).await;
    hand.beats(Fate::Hang);
    let number = hand.next_beat().await;
    let sent = Instant::now();
    // By now only this heartbeat can renew the lease, and the one before it has almost ended.
    until(async || sent.elapsed() > BOUND * 3 / 5).await;
    hand.say(Signal::Beat(number));
    until(async || hand.signals.is_empty()).await;
    // In the bound that begins with its return, each verification that starts after the one that began with its sending.
    until(async || {
        let (asked, before) = (sent.elapsed(), node.store.counts().aside);
        assert_eq!(node.verdict(&told).await, "ok 1");
        let is_aside = node.store.counts().aside > before;
        assert!(is_aside || asked < BOUND, "from memory, {asked:?} after the heartbeat was sent");
        asked > BOUND * 6 / 5
    })
    .await;
    assert!(serves(&events)[0]);
}

/// A read without a lease brings what is newer than what is in memory. When the lease is back, nothing older may be served,
/// or a token that was answered with a refusal would verify again.
#[tokio::test]
async fn older_record_is_not_served_after_a_read_without_a_lease() {
    const BOUND: Duration = Duration::from_secs(2);
    for (change, expected) in [("revoked", "revoked"), ("purged", "unknown"), ("revoked during a read", "revoked")] {
        // Where the machine is busy, the session may end before the lease is back.
        let mut attempts = 0;
        while !is_older_record_kept_out(BOUND, change, expected).await {
            attempts += 1;
            assert!(attempts < 5, "{change}: the lease was never back before the session ended");
        }
    }
}

/// Whether the lease was back, with an older record at hand.
async fn is_older_record_kept_out(bound: Duration, change: &str, expected: &str) -> bool {
    let (hand, shared) = (Hand::new(Fate::ComeBack), MemoryStore::new());
    let (node, events, _) = node_with(Gated::new(shared.clone()), &hand, bound, || {});
    let elsewhere = Node::new(CachedStore::by_age(shared, Settings::default()));
    let told = node.issue().await;
    until_served(&node, &told).await;
    let store = node.store.inner();
    let mut reading = None;
    if change == "revoked during a read" {
        node.store.changed(told.id);
        store.hold();
        let (node, told) = (node.clone(), told.clone());
        reading = Some(tokio::spawn(async move { node.verdict(&told).await }));
        until(async || store.held() == 1).await;
        store.release_from_now_on();
    }
    // Another token shows that there is no lease.
    let other = node.issue().await;
    hand.beats(Fate::AreLost);
    let before = node.store.counts().aside;
    until(async || {
        assert_eq!(node.verdict(&other).await, "ok 1");
        node.store.counts().aside > before
    })
    .await;
    elsewhere.registry.revoke(told.id, By::unknown()).await.unwrap();
    if change == "purged" {
        elsewhere.store.purge(Timestamp::MAX, None, 10).await.unwrap();
    }
    let before = node.store.counts().aside;
    assert_eq!(node.verdict(&told).await, expected, "{change}");
    assert_eq!(node.store.counts().aside, before + 1, "{change}: read without a lease");
    if let Some(reading) = reading {
        store.release();
        assert_eq!(reading.await.unwrap(), "ok 1", "it began before");
    }
    // The lease is back, by a heartbeat from before the change. Nothing has been heard of the change.
    let latest = hand.sent.lock().unwrap().last().copied().unwrap();
    hand.say(Signal::Beat(latest));
    until(async || hand.signals.is_empty()).await;
    let aside = node.store.counts().aside;
    assert_eq!(node.verdict(&told).await, expected, "{change}");
    serves(&events) == [true] && node.store.counts().aside == aside
}

#[tokio::test]
async fn flood_of_changes_is_one_read_between_two_heartbeats() {
    // A quarter of the bound is longer than the flood.
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node_with(MemoryStore::new(), &hand, Duration::from_secs(60), || {});
    let [told, other] = [node.issue().await, node.issue().await];
    until_served(&node, &told).await;
    until_served(&node, &other).await;
    let before = node.store.counts();
    for number in 0..500 {
        hand.say(Signal::AllChanged);
        until(async || hand.signals.is_empty()).await;
        assert_eq!(node.verdict(&told).await, "ok 1", "{number}");
    }
    let after = node.store.counts();
    assert_eq!((after.misses - before.misses, after.aside), (1, before.aside));
    // A change of one record is heard at once, as without the flood.
    let elsewhere = Node::new(CachedStore::by_age(node.store.inner().clone(), Settings::default()));
    elsewhere.registry.revoke(other.id, By::unknown()).await.unwrap();
    hand.say(Signal::Changed(other.id));
    until(async || hand.signals.is_empty()).await;
    assert_eq!(node.verdict(&other).await, "revoked");
    assert_eq!(serves(&events), [true]);
}

#[tokio::test]
async fn change_in_a_flood_is_seen_with_the_next_heartbeat() {
    let hand = Hand::new(Fate::ComeBack);
    let (node, events, _) = node(&hand, || {});
    let elsewhere = Node::new(CachedStore::by_age(node.store.inner().clone(), Settings::default()));
    for flood in [Signal::AllChanged, Signal::Changed(node.issue().await.id)] {
        let told = node.issue().await;
        until_served(&node, &told).await;
        let changed = Instant::now();
        elsewhere.registry.revoke(told.id, By::unknown()).await.unwrap();
        for _ in 0..10_100 {
            hand.say(flood);
            while hand.signals.len() > 32 {
                tokio::task::yield_now().await;
            }
        }
        hand.say(if flood == Signal::AllChanged { flood } else { Signal::Changed(told.id) });
        until(async || {
            let (asked, verdict) = (changed.elapsed(), node.verdict(&told).await);
            assert!(verdict == "revoked" || asked < BOUND, "{verdict}, asked for {asked:?} after the change");
            verdict == "revoked"
        })
        .await;
    }
    assert_eq!(serves(&events), [true]);
}

#[tokio::test]
async fn same_reason_to_stand_aside_is_reported_once() {
    let hand = Hand::new(Fate::AreLost);
    let (_node, events, _) = node(&hand, || {});
    for _ in 0..3 {
        hand.next_beat().await;
        hand.say(None);
        until(async || hand.signals.is_empty()).await;
    }
    hand.next_beat().await;
    assert_eq!(serves(&events), [false]);
}

#[tokio::test]
async fn heartbeats_are_a_quarter_of_the_bound_apart() {
    let hand = Hand::new(Fate::ComeBack);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let timer = {
        let waits = Arc::clone(&waits);
        move |time| {
            waits.lock().unwrap().push(time);
            tokio::time::sleep(time)
        }
    };
    let settings = Settings::default().bound(BOUND);
    let (_store, listening) =
        CachedStore::by_lease(MemoryStore::new(), hand.clone(), settings, timer, |_: &CacheEvent| {});
    tokio::spawn(listening);
    hand.next_beat().await;
    hand.next_beat().await;
    // Each wait of the whole bound is the limit of one call: to listen, and to send.
    let waits: Vec<_> = waits.lock().unwrap().iter().copied().filter(|wait| *wait != BOUND).collect();
    assert!(!waits.is_empty() && waits.iter().all(|wait| *wait == BOUND / 4), "{waits:?}");
}
