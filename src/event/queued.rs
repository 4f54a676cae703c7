//! A thread between the registry and a slow sink.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use super::{Event, EventKind, EventSink};
use crate::time::Timestamp;

/// Puts a slow sink on a thread of its own, behind a bounded queue.
///
/// When the queue is full, what comes of requests is dropped, so that no verification ever waits, and told as one
/// [`EventsDropped`](EventKind::EventsDropped) with its count once there is room: uses and denials, and all else that
/// [`may_be_dropped`](EventKind::may_be_dropped). Changes are never lost; they block their caller until there is room. So
/// a sink that never comes back stops changes and the upkeep, and no verification that changes nothing.
///
/// The caller that waits is a thread, in an async host one of the runtime's. So the sink must get on without that runtime:
/// one that posts through it, as by `Handle::block_on`, can find all of its threads waiting for the sink.
///
/// A sink may make changes itself, such as to revoke what was used after its rotation: events of its own thread find
/// room beyond the bound, since nobody else could make it.
///
/// A panic in the sink is caught, and the next event handed over. Clones share the queue; keep one to call
/// [`flush`](Self::flush).
///
/// ```
/// use counterfoil::event::{Event, EventSink, QueuedSink};
///
/// #[derive(Debug)]
/// struct Webhook;
///
/// impl EventSink for Webhook {
///     fn emit(&self, event: &Event) {
///         let _ = event; // posts it, and waits for the answer
///     }
/// }
///
/// let sink = QueuedSink::start(Webhook, 1024)?;
/// // Registry::builder(…).sink(sink.clone())
/// sink.flush();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Drop
///
/// When the last clone is dropped, the thread hands over what is queued and ends. The drop waits for that, but five
/// seconds at most: behind a sink that hangs, the thread is left to itself.
#[derive(Clone)]
pub struct QueuedSink(Arc<Handle>);

struct Handle(Arc<Shared>);

/// For how long a drop waits.
const DRAIN_FOR: Duration = Duration::from_secs(5);

struct Shared {
    capacity: usize,
    /// The thread, which must never wait for itself. Known before it hands anything over.
    own: OnceLock<ThreadId>,
    state: Mutex<State>,
    /// There is an event, or none will come any more.
    has_work: Condvar,
    /// There is room for an event.
    has_room: Condvar,
    /// An event was handed over, or the thread has ended.
    has_delivered: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    /// How many events were ever queued, and how many of them handed over.
    queued: u64,
    delivered: u64,
    /// Dropped since the queue is full, and when the last was. INVARIANT: the queue is full while there is one.
    dropped: Option<(u64, Timestamp)>,
    is_closed: bool,
    has_ended: bool,
}

impl State {
    fn push(&mut self, event: Event) {
        self.queue.push_back(event);
        self.queued += 1;
    }

    /// The next event. The place it leaves is taken by the count of what was dropped, if anything was.
    fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Some((count, at)) = self.dropped.take() {
            self.push(Event::new(at, EventKind::EventsDropped { count }));
        }
        Some(event)
    }
}

impl QueuedSink {
    /// Starts the thread. `capacity` events may wait; at least 1.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no thread.
    pub fn start(sink: impl EventSink, capacity: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            capacity: capacity.max(1),
            own: OnceLock::new(),
            state: Mutex::default(),
            has_work: Condvar::new(),
            has_room: Condvar::new(),
            has_delivered: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("counterfoil-events".into()).spawn(move || of_thread.work(&sink))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Waits until everything is handed over that came before this call, and the count of what was dropped. It waits for
    /// as long as the sink takes: for ever, if that hangs. Called by the sink itself it waits for nothing.
    pub fn flush(&self) {
        let shared = &self.0.0;
        if shared.is_own_thread() {
            return;
        }
        let state = shared.lock();
        let last = state.queued + u64::from(state.dropped.is_some());
        drop(shared.has_delivered.wait_while(state, |state| state.delivered < last && !state.has_ended));
    }
}

impl EventSink for QueuedSink {
    fn emit(&self, event: &Event) {
        let shared = &self.0.0;
        let mut state = shared.lock();
        if state.queue.len() >= shared.capacity {
            if event.kind.may_be_dropped() {
                let count = state.dropped.map_or(0, |(count, _)| count);
                state.dropped = Some((count.saturating_add(1), event.at));
                return;
            }
            let is_own = shared.is_own_thread();
            let is_full = |state: &mut State| state.queue.len() >= shared.capacity && !state.has_ended && !is_own;
            let waited = shared.has_room.wait_while(state, is_full);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.push(event.clone());
        drop(state);
        shared.has_work.notify_one();
    }
}

impl Shared {
    // INVARIANT: the sink is never called under this lock, and nothing under it panics half way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_own_thread(&self) -> bool {
        self.own.get() == Some(&thread::current().id())
    }

    fn work(&self, sink: &dyn EventSink) {
        let _ = self.own.set(thread::current().id());
        let _ending = Ending(self);
        loop {
            let waited = self.has_work.wait_while(self.lock(), |state| state.queue.is_empty() && !state.is_closed);
            let Some(event) = waited.unwrap_or_else(PoisonError::into_inner).pop() else { break };
            self.has_room.notify_one();
            let _ = catch_unwind(AssertUnwindSafe(|| sink.emit(&event)));
            self.lock().delivered += 1;
            self.has_delivered.notify_all();
        }
    }
}

/// However the thread ends, nobody waits for it afterwards.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.has_delivered.notify_all();
        self.0.has_room.notify_all();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.has_work.notify_all();
        if self.0.is_own_thread() {
            return;
        }
        drop(self.0.has_delivered.wait_timeout_while(state, DRAIN_FOR, |state| !state.has_ended));
    }
}

impl fmt::Debug for QueuedSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedSink").field("capacity", &self.0.0.capacity).finish_non_exhaustive()
    }
}
