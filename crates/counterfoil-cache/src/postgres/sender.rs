//! The connection on which a node sends its heartbeats, one at a time.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use sqlx::{ConnectOptions as _, Error, PgConnection, postgres::PgConnectOptions};

/// How long the server lets a heartbeat wait for a lock.
///
/// The commit of a notification waits for the one before it, and that one may wait for a synchronous standby. A heartbeat
/// that is given up only here would go on waiting on the server, and each next one would add a backend.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// When the server has ended a heartbeat for certain, if it is reached at all. What has not been answered by then is on a
/// network that is cut.
const STALE: Duration = Duration::from_secs(2);

/// Keeps one connection and at most one heartbeat on it.
#[derive(Default)]
pub(super) struct Sender(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    Idle(PgConnection),
    /// Given up by whoever was sending, and not yet answered.
    Sending(Sending),
}

struct Sending {
    since: Instant,
    done: BoxFuture<'static, (Option<PgConnection>, Result<(), Error>)>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    // INVARIANT: what is done under the lock is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> State {
        mem::take(&mut *self.state())
    }

    /// Closes the connection, unless a heartbeat is under way on it.
    pub(super) fn close_idle(&self) {
        let mut state = self.state();
        if matches!(*state, State::Idle(_)) {
            *state = State::Closed;
        }
    }

    /// Connects if need be, and sends with `send`. A heartbeat that was given up is waited for first.
    pub(super) async fn send<F>(
        &self,
        options: impl FnOnce() -> PgConnectOptions,
        send: impl FnOnce(PgConnection) -> F + Send + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = (PgConnection, Result<(), Error>)> + Send + 'static,
    {
        let idle = match self.take() {
            State::Closed => None,
            State::Idle(connection) => Some(connection),
            State::Sending(sending) if sending.since.elapsed() < STALE => self.finish(sending).await.0,
            State::Sending(_) => None,
        };
        let options = options();
        let done = Box::pin(async move {
            let connection = match idle {
                Some(connection) => connection,
                None => match options.connect().await {
                    Ok(connection) => connection,
                    Err(error) => return (None, Err(error)),
                },
            };
            let (connection, sent) = send(connection).await;
            (Some(connection).filter(|_| is_usable_after(&sent)), sent)
        });
        let (connection, sent) = self.finish(Sending { since: Instant::now(), done }).await;
        if let Some(connection) = connection {
            *self.state() = State::Idle(connection);
        }
        sent
    }

    fn finish(&self, sending: Sending) -> Finish<'_> {
        Finish { sender: self, sending: Some(sending) }
    }
}

fn is_usable_after(sent: &Result<(), Error>) -> bool {
    sent.as_ref().err().is_none_or(is_lock_timeout)
}

pub(super) fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::Database(error) if error.code().as_deref() == Some("55P03"))
}

/// Waits for a heartbeat to end, and puts it back if it is given up before.
struct Finish<'s> {
    sender: &'s Sender,
    sending: Option<Sending>,
}

impl Future for Finish<'_> {
    type Output = (Option<PgConnection>, Result<(), Error>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(sending) = &mut self.sending else { return Poll::Pending };
        let done = sending.done.as_mut().poll(context);
        if done.is_ready() {
            self.sending = None;
        }
        done
    }
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            *self.sender.state() = State::Sending(sending);
        }
    }
}
