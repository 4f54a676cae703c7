//! What may be issued.

use std::sync::Arc;

use super::{LifetimeRefused, Lifetimes, MintSwitch};
use crate::{
    expiry::Lifetime,
    scope::{Resolved, ScopeCatalog, Scopes, ScopesRefused, UnknownScopes},
};

/// What may be issued. More rules will come, so write `..IssuePolicy::default()` behind those you set.
///
/// A registry holds to it whatever a form in front of it has let through.
///
/// ```
/// use counterfoil::{IssuePolicy, policy::Lifetimes};
/// use std::time::Duration;
///
/// let policy = IssuePolicy {
///     limit: Some(50),
///     lifetimes: Lifetimes::at_most(Duration::from_secs(365 * 86_400)),
///     ..IssuePolicy::default()
/// };
/// ```
#[derive(Debug, Clone, Default)]
pub struct IssuePolicy {
    /// How many active tokens an owner may have; none is no limit.
    pub limit: Option<u32>,
    /// Which scopes exist, and what becomes of unknown ones. Without a catalog every well-formed scope may be granted.
    pub scopes: Option<(Arc<ScopeCatalog>, UnknownScopes)>,
    /// For how long tokens may live. It holds for new tokens, and for new ends of old ones.
    pub lifetimes: Lifetimes,
    /// Stops all minting while it is thrown.
    pub switch: MintSwitch,
}

impl IssuePolicy {
    /// The scopes that a request comes to.
    ///
    /// # Errors
    ///
    /// [`ScopesRefused`], as the catalog says.
    pub fn resolve(&self, asked: &Scopes) -> Result<Resolved, ScopesRefused> {
        match &self.scopes {
            Some((catalog, unknown)) => catalog.resolve(asked, *unknown),
            None => Ok(Resolved { scopes: asked.clone(), dropped: Scopes::none() }),
        }
    }

    /// The lifetime that a request comes to: what it asks for, or else the default. For the
    /// [`Grant`](crate::Grant), where it must be given.
    ///
    /// # Errors
    ///
    /// [`LifetimeRefused::Missing`] if nothing is asked for and there is no default.
    pub fn lifetime(&self, asked: Option<Lifetime>) -> Result<Lifetime, LifetimeRefused> {
        self.lifetimes.resolve(asked)
    }
}
