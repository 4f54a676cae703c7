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
