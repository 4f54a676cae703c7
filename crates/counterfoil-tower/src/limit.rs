//! The host's limiter, asked after the verdict.

use std::{borrow::Cow, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use counterfoil::Verified;

/// The host's limiter or budget: per token, per owner, per plan.
///
/// It is asked once a token is verified and holds the layer's scopes, so what is counted is good callers alone.
///
/// ```
/// use counterfoil::Verified;
/// use counterfoil_tower::{Later, Limiter};
/// use std::time::Duration;
///
/// struct Spent;
///
/// impl Limiter for Spent {
///     async fn admit(&self, _: &Verified) -> Result<(), Later> {
///         Err(Later::new("budget_spent", "this month's budget is spent", Duration::from_secs(86_400)))
///     }
/// }
/// ```
pub trait Limiter: Send + Sync + 'static {
    /// Counts a request, or says when to come again.
    ///
    /// # Errors
    ///
    /// [`Later`].
    fn admit(&self, verified: &Verified) -> impl Future<Output = Result<(), Later>> + Send;
}

/// "Come again later."
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Later {
    /// The stable machine code.
    pub code: Cow<'static, str>,
    /// What people are told.
    pub text: Cow<'static, str>,
    /// After how long; told in whole seconds, rounded up.
    pub retry_after: Duration,
}

impl Later {
    /// In the host's own words.
    pub fn new(code: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self { code: code.into(), text: text.into(), retry_after }
    }
}

/// Any limiter, its type erased.
#[derive(Clone)]
pub(crate) struct SharedLimiter(Arc<dyn DynLimiter>);

impl SharedLimiter {
    pub(crate) fn new(limiter: impl Limiter) -> Self {
        Self(Arc::new(limiter))
    }

    pub(crate) async fn admit(&self, verified: &Verified) -> Result<(), Later> {
        self.0.admit_dyn(verified).await
    }
}

impl fmt::Debug for SharedLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter(..)")
    }
}

trait DynLimiter: Send + Sync {
    fn admit_dyn<'a>(&'a self, verified: &'a Verified) -> Pin<Box<dyn Future<Output = Result<(), Later>> + Send + 'a>>;
}

impl<L: Limiter> DynLimiter for L {
    fn admit_dyn<'a>(&'a self, verified: &'a Verified) -> Pin<Box<dyn Future<Output = Result<(), Later>> + Send + 'a>> {
        Box::pin(self.admit(verified))
    }
}
