//! What becomes of heartbeats that are late, lost or never sent: on a channel on which nothing is heard but what the test says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod node;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use counterfoil::MemoryStore;
use counterfoil_cache::{CacheEvent, CachedStore, Channel, ChannelError, Listener, Settings, Signal};
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
type Listening = (Node<MemoryStore>, Arc<Mutex<Vec<CacheEvent>>>, JoinHandle<()>);

fn node(hand: &Hand, on_event: impl Fn() + Send + Sync + 'static) -> Listening {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let on_event = move |event: &CacheEvent| {
        told.lock().unwrap().push(event.clone());
        on_event();
    };
    let settings = Settings::default().bound(BOUND);
    let (store, listening) =
        CachedStore::by_lease(MemoryStore::new(), hand.clone(), settings, tokio::time::sleep, on_event);
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
