//! Threads that make slow hashes, so that no async worker does.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    mem,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle, Thread},
};

use zeroize::Zeroizing;

use super::argon2::{Job, Memory, NotMade};

type Made = Result<Zeroizing<[u8; 32]>, NotMade>;

/// How large a pool may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolSize {
    /// How many hashes are made at once.
    pub(crate) threads: NonZero<usize>,
    /// How many wait for a thread.
    pub(crate) waiting: usize,
    /// What a thread keeps of its memory between two hashes.
    pub(crate) kept_kib: u32,
}

impl PoolSize {
    /// A thread for each processor, at most four: a slow hash is bound by the memory's bandwidth, which a few threads
    /// use up, and each of them holds the memory of a hash.
    pub(crate) fn default_threads() -> NonZero<usize> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        NonZero::new(processors.min(4)).unwrap_or(NonZero::<usize>::MIN)
    }
}

/// A few threads of our own with a bounded queue before them: no runtime is needed, and what does not fit is refused at
/// once.
///
/// A thread is started when a hash is to be made and no thread is free, and of the free ones the last to become so is
/// taken: under a light load one thread does everything, in memory that is warm. All end when the pool is dropped.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    size: PoolSize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Ticket>,
    /// How many hashes are being made.
    running: usize,
    threads: Vec<JoinHandle<()>>,
    /// The threads with nothing to do, the last to become so at the end.
    free: Vec<Thread>,
    is_closed: bool,
}

impl Pool {
    /// A pool without a thread yet.
    pub(crate) fn new(size: PoolSize) -> Self {
        Self(Arc::new(Shared { size, state: Mutex::default() }))
    }

    /// Hands a job over; the future gives the hash.
    pub(crate) fn make(&self, job: Job) -> Making {
        let seat = Arc::new(Seat { job, inside: Mutex::default() });
        // What is not taken is dropped with its ticket, which answers for it; and that outside of the lock.
        let not_taken = self.0.take(Ticket(Arc::clone(&seat)));
        drop(not_taken);
        Making { seat }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let left = mem::take(&mut state.queue);
        mem::take(&mut state.free).iter().for_each(Thread::unpark);
        drop(state);
        drop(left);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({:?}, ..)", self.0.size)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a ticket into the queue; what is given back is not in it (any more).
    fn take(self: &Arc<Self>, ticket: Ticket) -> Vec<Ticket> {
        let mut state = self.lock();
        let limit = self.size.waiting.saturating_add(self.size.threads.get());
        let mut out = Vec::new();
        if state.queue.len() + state.running >= limit {
            // Requests that have gone away leave their places.
            let (awaited, gone) = mem::take(&mut state.queue).into_iter().partition(Ticket::is_awaited);
            (state.queue, out) = (awaited, Vec::from(gone));
        }
        if state.queue.len() + state.running >= limit || !self.find_hands(&mut state) {
            out.push(ticket);
        } else {
            state.queue.push_back(ticket);
        }
        out
    }

    /// Wakes or starts a thread, if one is free or may be started. False only if there is none at all.
    fn find_hands(self: &Arc<Self>, state: &mut State) -> bool {
        if let Some(free) = state.free.pop() {
            free.unpark();
        } else if state.threads.len() < self.size.threads.get() {
            let shared = Arc::clone(self);
            let started = thread::Builder::new().name("counterfoil-argon2".into()).spawn(move || shared.work());
            state.threads.extend(started);
        }
        !state.threads.is_empty()
    }

    fn work(&self) {
        let mut memory = Memory::default();
        while let Some(ticket) = self.next() {
            let made = ticket.make(&mut memory, self.size.kept_kib);
            self.rest();
            // To fill the seat wakes somebody, and a waker that panics must not take the thread with it.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                ticket.0.fill(made);
                drop(ticket);
            }));
        }
    }

    /// Sleeps until there is work. None once the pool is dropped.
    fn next(&self) -> Option<Ticket> {
        let me = thread::current();
        loop {
            let mut state = self.lock();
            state.free.retain(|free| free.id() != me.id());
            if state.is_closed {
                return None;
            }
            if let Some(ticket) = state.queue.pop_front() {
                state.running += 1;
                return Some(ticket);
            }
            state.free.push(me.clone());
            drop(state);
            // Whoever takes this thread out of `free` unparks it; had it done so already, this returns at once.
            thread::park();
        }
    }

    /// Notes that a hash is made, before anybody is woken by it: whoever comes next finds this thread, which is warm. A
    /// waker that blocks, which none may, delays that one job.
    fn rest(&self) {
        let mut state = self.lock();
        state.running -= 1;
        if state.queue.is_empty() && !state.is_closed {
            state.free.push(thread::current());
        }
    }
}

/// The duty to fill a seat: whatever becomes of the job, its future does not wait for ever.
struct Ticket(Arc<Seat>);

impl Ticket {
    /// Whether the future is still there: else the seat is held here alone.
    fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Makes the hash, and leaves no more than `kept_kib` of memory behind.
    fn make(&self, memory: &mut Memory, kept_kib: u32) -> Made {
        // A request that has gone away needs no hash.
        if !self.is_awaited() {
            return Err(NotMade::Overloaded);
        }
        let made = catch_unwind(AssertUnwindSafe(|| memory.make(&self.0.job)));
        if made.is_err() {
            memory.wipe();
        }
        memory.keep_at_most(kept_kib);
        made.unwrap_or(Err(NotMade::Overloaded))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_awaited() {
            self.0.fill(Err(NotMade::Overloaded));
        }
    }
}

/// Where the thread finds the job and leaves the hash, and where the future finds it.
struct Seat {
    /// Here and not in the queue, so that it is never moved, and is wiped where it stands.
    job: Job,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    is_filled: bool,
    made: Option<Made>,
    waker: Option<Waker>,
}

impl Seat {
    fn fill(&self, made: Made) {
        let mut seat = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if seat.is_filled {
            return;
        }
        seat.is_filled = true;
        seat.made = Some(made);
        let waker = seat.waker.take();
        drop(seat);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A hash in the making.
pub(crate) struct Making {
    seat: Arc<Seat>,
}

impl Future for Making {
    type Output = Made;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Made> {
        let mut seat = self.seat.inside.lock().unwrap_or_else(PoisonError::into_inner);
        match seat.made.take() {
            Some(made) => Poll::Ready(made),
            None => {
                seat.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "argon2")]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{
        sync::{
            Barrier,
            mpsc::{Receiver, Sender, channel},
        },
        task::Wake,
    };

    use super::*;
    use crate::digest::{Argon2Cost, argon2::make};

    fn pool(threads: usize, waiting: usize) -> Pool {
        Pool::new(PoolSize { threads: NonZero::new(threads).unwrap(), waiting, kept_kib: 8 })
    }

    fn job(input: usize) -> Job {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&input.to_le_bytes());
        Job { input: bytes.into(), salt: [3; 16], cost: Argon2Cost::new(8, 1, 1).unwrap(), foreign: None }
    }

    /// Says that it was woken, and then holds whoever woke it.
    struct Holds {
        woken: Sender<()>,
        released: Mutex<Receiver<()>>,
    }

    impl Wake for Holds {
        fn wake(self: Arc<Self>) {
            self.woken.send(()).unwrap();
            let _ = self.released.lock().unwrap().recv();
        }
    }

    /// A thread of a pool that is kept from its work.
    struct Held {
        making: Making,
        release: Sender<()>,
    }

    impl Held {
        fn new(pool: &Pool) -> Self {
            let ((woken, was_woken), (release, released)) = (channel(), channel());
            let waker = Waker::from(Arc::new(Holds { woken, released: Mutex::new(released) }));
            let mut making = pool.make(job(0));
            // The hash may be made before anybody waits for it; then nobody is woken, and another is begun.
            while Pin::new(&mut making).poll(&mut Context::from_waker(&waker)).is_ready() {
                making = pool.make(job(0));
            }
            was_woken.recv().unwrap();
            Self { making, release }
        }

        fn release(self) -> Made {
            drop(self.release);
            pollster::block_on(self.making)
        }
    }

    fn now(making: &mut Making) -> Option<Made> {
        match Pin::new(making).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(made) => Some(made),
            Poll::Pending => None,
        }
    }

    fn is_refused(making: &mut Making) -> bool {
        matches!(now(making), Some(Err(NotMade::Overloaded)))
    }

    fn threads(pool: &Pool) -> usize {
        pool.0.lock().threads.len()
    }

    #[test]
    fn what_is_beyond_the_bound_is_refused_and_who_comes_later_is_served() {
        for waiting in [0, 1, 3, 64] {
            let pool = pool(1, waiting);
            let held = Held::new(&pool);
            let mut taken: Vec<_> = (0..=waiting).map(|_| pool.make(job(1))).collect();
            assert!(!taken.iter_mut().any(is_refused), "{waiting} wait behind one");
            for _ in 0..3 {
                assert!(is_refused(&mut pool.make(job(1))), "{waiting}");
            }
            assert!(held.release().is_ok());
            for making in taken {
                assert!(pollster::block_on(making).is_ok());
            }
            assert!(pollster::block_on(pool.make(job(1))).is_ok(), "a later caller is served");
            assert_eq!(threads(&pool), 1);
        }
    }

    #[test]
    fn who_has_gone_away_leaves_the_place() {
        let pool = pool(1, 1);
        let held = Held::new(&pool);
        let (mut stays, goes) = (pool.make(job(1)), pool.make(job(2)));
        assert!(is_refused(&mut pool.make(job(3))));
        let gone = Arc::downgrade(&goes.seat);
        drop(goes);
        let mut next = pool.make(job(4));
        assert!(gone.upgrade().is_none(), "the job of who went away is dropped");
        assert!(!is_refused(&mut next) && !is_refused(&mut stays));
        assert!(is_refused(&mut pool.make(job(5))));
        assert!(held.release().is_ok());
        assert!(pollster::block_on(stays).is_ok() && pollster::block_on(next).is_ok());
    }

    #[test]
    fn no_hash_is_made_for_who_has_gone_away_and_no_memory_is_kept_beyond_the_bound() {
        let cost = Argon2Cost::new(64, 1, 1).unwrap();
        let seat = Arc::new(Seat { job: Job { cost, ..job(1) }, inside: Mutex::default() });
        let (making, ticket, mut memory) = (Making { seat: Arc::clone(&seat) }, Ticket(seat), Memory::default());
        for (kept_kib, held) in [(64, 64), (16, 16)] {
            assert!(ticket.make(&mut memory, kept_kib).is_ok());
            assert_eq!(memory.blocks.capacity(), held);
        }
        drop(making);
        assert!(ticket.make(&mut memory, 64).is_err());
        assert_eq!(memory.blocks.capacity(), 16);
    }

    #[test]
    fn all_of_many_callers_get_their_own_hash() {
        const CALLERS: usize = 16;
        const EACH: usize = 32;
        let pool = pool(3, CALLERS);
        let start = Barrier::new(CALLERS);
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    for input in (0..EACH).map(|at| caller * EACH + at) {
                        if input % 5 == 0 {
                            // Some turn away while theirs waits, or is made.
                            drop(pool.make(job(input)));
                        }
                        let made = pollster::block_on(pool.make(job(input))).unwrap();
                        assert_eq!(*made, *make(&job(input)).unwrap());
                    }
                });
            }
        });
        assert!((1..=3).contains(&threads(&pool)));
        assert!(pool.0.lock().queue.is_empty());
    }

    #[test]
    fn under_a_light_load_one_thread_does_everything() {
        let pool = pool(4, 4);
        assert_eq!(threads(&pool), 0, "none is started before the first hash");
        for input in 0..50 {
            assert!(pollster::block_on(pool.make(job(input))).is_ok());
        }
        assert_eq!(threads(&pool), 1);
    }

    #[test]
    fn a_waker_that_panics_takes_no_thread_with_it() {
        struct Panics(Sender<()>);
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                self.0.send(()).unwrap();
                panic!("the waker is broken");
            }
        }
        let pool = pool(1, 1);
        for _ in 0..3 {
            let (woken, was_woken) = channel();
            let waker = Waker::from(Arc::new(Panics(woken)));
            let mut making = pool.make(job(1));
            while Pin::new(&mut making).poll(&mut Context::from_waker(&waker)).is_ready() {
                making = pool.make(job(1));
            }
            was_woken.recv().unwrap();
            assert!(pollster::block_on(making).is_ok());
        }
        assert!(pollster::block_on(pool.make(job(1))).is_ok());
        assert!(!pool.0.lock().threads.iter().any(JoinHandle::is_finished));
    }

    #[test]
    fn all_threads_end_with_the_pool() {
        let pool = pool(3, 8);
        {
            // While the lock is held none becomes free, so that each time another is started.
            let mut state = pool.0.lock();
            assert!((0..5).all(|_| pool.0.find_hands(&mut state)));
            assert_eq!(state.threads.len(), 3, "and no more than that");
        }
        let held = Held::new(&pool);
        let waits = pool.make(job(1));
        let handles = mem::take(&mut pool.0.lock().threads);
        drop(pool);
        let _ = held.release();
        let _ = pollster::block_on(waits); // made, or answered when the pool went
        for handle in handles {
            handle.join().unwrap();
        }
    }
}
