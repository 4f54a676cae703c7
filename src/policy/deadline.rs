//! A policy is asked for so long, and no longer.

use std::{
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use super::{Objection, shared::Boxed};
use crate::timer::Timer;

/// For how long a policy may think.
#[derive(Clone)]
pub(crate) struct Deadline {
    after: Duration,
    timer: Arc<dyn Timer>,
}

impl Deadline {
    pub(crate) fn new(after: Duration, timer: impl Timer) -> Self {
        Self { after, timer: Arc::new(timer) }
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("after", &self.after).finish_non_exhaustive()
    }
}

/// Asks, and takes neither a panic nor silence for a yes.
///
/// The timer starts when the policy first makes one wait, so that a policy which answers at once costs no timer.
pub(super) async fn ask<'a, T>(
    deadline: Option<&Deadline>,
    begin: impl FnOnce() -> Boxed<'a, T>,
) -> Result<T, Objection> {
    let mut asked = catch_unwind(AssertUnwindSafe(begin)).map_err(|_| panicked())?;
    let mut waiting = None;
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| asked.as_mut().poll(context))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(answer),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Err(panicked())),
        }
        let Some(Deadline { after, timer }) = deadline else { return Poll::Pending };
        let sleep = waiting.get_or_insert_with(|| timer.sleep(*after));
        sleep.as_mut().poll(context).map(|()| Err(Objection::Unavailable(PolicyTimedOut { after: *after }.into())))
    })
    .await
}

fn panicked() -> Objection {
    Objection::Unavailable(PolicyPanicked.into())
}

/// The policy did not answer before its deadline: the source of an [`Objection::Unavailable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy has not answered within {after:?}")]
#[non_exhaustive]
pub struct PolicyTimedOut {
    /// The deadline.
    pub after: Duration,
}

/// The policy panicked: the source of an [`Objection::Unavailable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy panicked")]
#[non_exhaustive]
pub struct PolicyPanicked;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::{
        pin::Pin,
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Waker},
    };

    use super::*;

    const AFTER: Duration = Duration::from_millis(250);

    /// A timer that fires when it is told to, and remembers for how long it was to sleep.
    #[derive(Debug, Clone, Default)]
    struct ByHand {
        asked: Arc<Mutex<Vec<Duration>>>,
        is_over: Arc<AtomicBool>,
    }

    impl Timer for ByHand {
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.asked.lock().unwrap().push(duration);
            let is_over = Arc::clone(&self.is_over);
            Box::pin(poll_fn(move |_| if is_over.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }))
        }
    }

    fn poll<T>(asked: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        asked.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn policy_that_does_not_answer_is_unavailable_at_its_deadline_and_not_before() {
        let timer = ByHand::default();
        let deadline = Deadline::new(AFTER, timer.clone());
        let silent: fn() -> Boxed<'static, u8> = || Box::pin(std::future::pending());
        let mut asked = std::pin::pin!(ask(Some(&deadline), silent));
        for _ in 0..3 {
            assert!(poll(asked.as_mut()).is_pending());
        }
        assert_eq!(*timer.asked.lock().unwrap(), [AFTER], "one timer, for the whole deadline");
        timer.is_over.store(true, Ordering::SeqCst);
        let Poll::Ready(Err(Objection::Unavailable(source))) = poll(asked.as_mut()) else { panic!("not unavailable") };
        assert_eq!(source.downcast_ref(), Some(&PolicyTimedOut { after: AFTER }));
    }

    #[test]
    fn policy_that_answers_in_time_is_heard() {
        let timer = ByHand::default();
        let deadline = Deadline::new(AFTER, timer.clone());
        let at_once: fn() -> Boxed<'static, u8> = || Box::pin(async { Ok(7) });
        assert!(matches!(poll(std::pin::pin!(ask(Some(&deadline), at_once))), Poll::Ready(Ok(7))));
        assert!(timer.asked.lock().unwrap().is_empty(), "an answer at once costs no timer");

        let mut is_first = true;
        let late = move || -> Boxed<'static, u8> {
            Box::pin(poll_fn(move |_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(Ok(8)) }))
        };
        let mut asked = std::pin::pin!(ask(Some(&deadline), late));
        assert!(poll(asked.as_mut()).is_pending());
        // The answer and the deadline come at the same moment: the answer counts.
        timer.is_over.store(true, Ordering::SeqCst);
        assert!(matches!(poll(asked.as_mut()), Poll::Ready(Ok(8))));
    }

    #[test]
    fn policy_without_a_deadline_is_waited_for() {
        let silent: fn() -> Boxed<'static, u8> = || Box::pin(std::future::pending());
        let mut asked = std::pin::pin!(ask(None, silent));
        assert!((0..100).all(|_| poll(asked.as_mut()).is_pending()));
    }
}
