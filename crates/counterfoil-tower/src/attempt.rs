//! The host's limiter of failed attempts, asked before the verdict.

use std::{fmt, net::IpAddr, sync::Arc};

use counterfoil::Selector;

use crate::limit::Later;

/// The host's limiter of failed attempts: who has shown too many tokens that are none has to wait.
///
/// It saves lookups and slow hashes. A secret needs no saving: nobody guesses 128 random bits.
///
/// ```
/// use counterfoil_tower::{Attempt, AttemptLimiter, Later};
/// use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};
///
/// /// Five failures for an address, until somebody clears the list.
/// #[derive(Default)]
/// struct Five(Mutex<HashMap<IpAddr, u32>>);
///
/// impl AttemptLimiter for Five {
///     fn may_try(&self, attempt: &Attempt) -> Result<(), Later> {
///         let failures = self.0.lock().unwrap();
///         match attempt.address.and_then(|address| failures.get(&address)) {
///             Some(5..) => Err(Later::new("too_many_attempts", "too many bad tokens", Duration::from_secs(60))),
///             _ => Ok(()),
///         }
///     }
///     fn failed(&self, attempt: &Attempt) {
///         if let Some(address) = attempt.address {
///             *self.0.lock().unwrap().entry(address).or_default() += 1;
///         }
///     }
/// }
/// ```
///
/// `crates/counterfoil-tower/examples/governor.rs` is a whole service with one.
///
/// # What it is asked and told
///
/// | the text | asked | told |
/// |---|---|---|
/// | is of no family, of a wrong shape, or has a wrong CRC: it costs less than the question | no | no |
/// | has a wrong [keyed checksum](counterfoil::Checksum::Keyed), and so costs no lookup | yes | no |
/// | is of no record, or its secret is another | yes | yes |
/// | is a token: good, or expired, revoked, replaced, of another network, refused by the policy | yes | no |
/// | could not be judged (503), or its request was given up | yes | no |
///
/// It is asked before any lookup or hash, and so before it is known whether a token is good: a good one has to wait too.
/// Were it let through, the answers would tell which guess was right. Of attempts at the same time all are asked before
/// the first has failed; those come to their end, and how many slow hashes they make at once is bounded
/// [elsewhere](counterfoil::registry::RegistryBuilder::slow_hash_queue).
///
/// It is not told whether the record or the secret was missing, so that its answers cannot tell it either; the audit
/// has that in its events.
///
/// # By what to limit
///
/// | by | a stranger who floods | and who else waits |
/// |---|---|---|
/// | address, for IPv6 its /64 | is stopped, until they have another address | whoever shares it: an office, a mobile network |
/// | selector and address | is stopped for one token at a time; made-up selectors are all different | who shares both |
/// | selector alone | is stopped for one token at a time | **its owner**: a selector is public, and anybody who has seen it can lock its owner out |
///
/// So limit by address, or by both. The address must be [one that you trust](crate::ClientAddress): behind a proxy that
/// is not taken into account all clients share one, and one that a client writes itself is another each time. Whatever
/// is remembered needs a bound: addresses cost a flood nothing. What is counted in a process is counted for each node:
/// behind several of them a stranger has as many times the failures.
pub trait AttemptLimiter: Send + Sync + 'static {
    /// Lets a text be looked up and its secret be checked, or says when to come again. It is called for every request
    /// with a token, on the thread that serves it: it must not wait.
    ///
    /// # Errors
    ///
    /// [`Later`], answered as 429.
    fn may_try(&self, attempt: &Attempt) -> Result<(), Later>;

    /// Counts a failure: no secret was proven. It must not wait either.
    fn failed(&self, attempt: &Attempt);
}

/// A text that looks like a token of ours, presented by somebody: nothing is known of it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attempt {
    /// The client's address, as the door's [source](crate::Gate::client_address) has it.
    pub address: Option<IpAddr>,
    /// What the text names the record by, if it prints that: public, and whatever a stranger wants it to be.
    pub selector: Option<Selector>,
}

impl Attempt {
    /// An attempt, for tests of a limiter.
    pub const fn new(address: Option<IpAddr>, selector: Option<Selector>) -> Self {
        Self { address, selector }
    }
}

/// Any limiter of attempts, its type erased.
#[derive(Clone)]
pub(crate) struct SharedAttemptLimiter(Arc<dyn AttemptLimiter>);

impl SharedAttemptLimiter {
    pub(crate) fn new(limiter: impl AttemptLimiter) -> Self {
        Self(Arc::new(limiter))
    }

    pub(crate) fn may_try(&self, attempt: &Attempt) -> Result<(), Later> {
        self.0.may_try(attempt)
    }

    pub(crate) fn failed(&self, attempt: &Attempt) {
        self.0.failed(attempt);
    }
}

impl fmt::Debug for SharedAttemptLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptLimiter(..)")
    }
}
