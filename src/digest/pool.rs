//! Threads that make slow hashes, so that no async worker does.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    task::{Context, Poll, Waker},
    thread,
};

use zeroize::Zeroizing;

use super::argon2::{Job, Memory, NotMade};

type Made = Result<Zeroizing<[u8; 32]>, NotMade>;

/// A thread of our own with a bounded queue before it: no runtime is needed, and what does not fit is refused at once.
pub(crate) struct Pool {
    queue: SyncSender<(Job, Ticket)>,
}

impl Pool {
    /// Starts the thread; it ends when the pool is dropped.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no thread.
    pub(crate) fn start(queue_length: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(queue_length);
        thread::Builder::new().name("counterfoil-argon2".into()).spawn(move || work(&jobs))?;
        Ok(Self { queue })
    }

    /// Hands a job over; the future gives the hash.
    pub(crate) fn make(&self, job: Job) -> Making {
        let seat = Arc::new(Seat::default());
        // What cannot be queued is dropped with its ticket, which answers for it.
        let _ = self.queue.try_send((job, Ticket(Arc::clone(&seat))));
        Making { seat }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool(..)")
    }
}

fn work(jobs: &Receiver<(Job, Ticket)>) {
    let mut memory = Memory::default();
    while let Ok((job, ticket)) = jobs.recv() {
        // A request that has gone away needs no hash: the seat is then held here alone.
        if Arc::strong_count(&ticket.0) == 1 {
            continue;
        }
        // To fill the seat wakes somebody, and a waker that panics must not take the thread with it.
        let done = catch_unwind(AssertUnwindSafe(|| {
            ticket.0.fill(memory.make(&job));
            drop(ticket);
        }));
        if done.is_err() {
            memory = Memory::default();
        }
    }
}

/// The duty to fill a seat: whatever becomes of the job, its future does not wait for ever.
struct Ticket(Arc<Seat>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fill(Err(NotMade::Overloaded));
    }
}

/// Where the thread leaves the hash and the future finds it.
#[derive(Default)]
struct Seat(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    is_filled: bool,
    made: Option<Made>,
    waker: Option<Waker>,
}

impl Seat {
    fn fill(&self, made: Made) {
        let mut seat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut seat = self.seat.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seat.made.take() {
            Some(made) => Poll::Ready(made),
            None => {
                seat.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
