//! A policy with its type erased, and its deadline.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{
    Approval, Assent, Objection, Policy,
    deadline::{Deadline, ask},
};
use crate::{caller::Caller, grant::Grant, record::Record, subject::By, verify::Verified};

/// Any policy, its type erased, as [`SharedStore`](crate::SharedStore) is for stores.
#[derive(Clone)]
pub(crate) struct SharedPolicy {
    policy: Arc<dyn DynPolicy>,
    deadline: Option<Deadline>,
}

impl SharedPolicy {
    pub(crate) fn new(policy: impl Policy) -> Self {
        Self { policy: Arc::new(policy), deadline: None }
    }

    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = Some(deadline);
    }

    pub(crate) async fn at_use(&self, verified: &Verified, caller: &Caller) -> Result<Assent, Objection> {
        ask(self.deadline.as_ref(), || self.policy.at_use_dyn(verified, caller)).await
    }

    pub(crate) async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
        ask(self.deadline.as_ref(), || self.policy.at_issue_dyn(grant)).await
    }

    pub(crate) async fn at_rotate(&self, record: &Record, by: &By) -> Result<(), Objection> {
        ask(self.deadline.as_ref(), || self.policy.at_rotate_dyn(record, by)).await
    }
}

impl fmt::Debug for SharedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)
    }
}

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Objection>> + Send + 'a>>;

trait DynPolicy: fmt::Debug + Send + Sync {
    fn at_use_dyn<'a>(&'a self, verified: &'a Verified, caller: &'a Caller) -> Boxed<'a, Assent>;
    fn at_issue_dyn<'a>(&'a self, grant: &'a Grant) -> Boxed<'a, Approval>;
    fn at_rotate_dyn<'a>(&'a self, record: &'a Record, by: &'a By) -> Boxed<'a, ()>;
}

impl<P: Policy> DynPolicy for P {
    fn at_use_dyn<'a>(&'a self, verified: &'a Verified, caller: &'a Caller) -> Boxed<'a, Assent> {
        Box::pin(self.at_use(verified, caller))
    }

    fn at_issue_dyn<'a>(&'a self, grant: &'a Grant) -> Boxed<'a, Approval> {
        Box::pin(self.at_issue(grant))
    }

    fn at_rotate_dyn<'a>(&'a self, record: &'a Record, by: &'a By) -> Boxed<'a, ()> {
        Box::pin(self.at_rotate(record, by))
    }
}
