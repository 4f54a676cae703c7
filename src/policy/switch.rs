//! The switch that stops all minting.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Stops all minting while it is thrown: for an incident, or for a service that is being closed down.
///
/// Clones are the same switch, so the host keeps one and gives one to the [`IssuePolicy`](super::IssuePolicy). It is of
/// this process alone. Tokens that were issued stay good, and they can be rotated: after a leak that is the remedy.
///
/// ```
/// use counterfoil::{IssuePolicy, policy::MintSwitch};
///
/// let switch = MintSwitch::default(); // open
/// let policy = IssuePolicy { switch: switch.clone(), ..IssuePolicy::default() };
/// switch.stop();
/// assert!(policy.switch.is_stopped());
/// switch.open();
/// ```
#[derive(Debug, Clone, Default)]
pub struct MintSwitch(Arc<AtomicBool>);

impl MintSwitch {
    /// Nothing is issued from now on.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Minting goes on.
    pub fn open(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether minting is stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
