//! The host's rules: what may be issued, and who may use what was issued.

use std::{any::Any, error::Error, fmt, future::Future, pin::Pin, sync::Arc};

use crate::{
    caller::Caller,
    grant::Grant,
    record::Record,
    scope::{Resolved, ScopeCatalog, Scopes, ScopesRefused, UnknownScopes},
    subject::By,
    verify::Verified,
};

/// What may be issued. More rules will come, so write `..IssuePolicy::default()` behind those you set.
///
/// ```
/// use counterfoil::IssuePolicy;
///
/// let policy = IssuePolicy { limit: Some(50), ..IssuePolicy::default() };
/// ```
#[derive(Debug, Clone, Default)]
pub struct IssuePolicy {
    /// How many active tokens an owner may have; none is no limit.
    pub limit: Option<u32>,
    /// Which scopes exist, and what becomes of unknown ones. Without a catalog every well-formed scope may be granted.
    pub scopes: Option<(Arc<ScopeCatalog>, UnknownScopes)>,
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
}

/// The host's say beyond the token's own facts: whether its owner is still welcome, on which plan, with which rights.
///
/// ```
/// use counterfoil::policy::{Assent, Objection, Refusal};
/// use counterfoil::{By, Caller, Grant, Policy, Record, Verified};
///
/// #[derive(Debug)]
/// struct OnlyPro;
///
/// impl OnlyPro {
///     fn demand(&self, owner: &counterfoil::Owner) -> Result<(), Objection> {
///         if owner.subject().as_str() == "user-42" {
///             return Ok(());
///         }
///         Err(Refusal::new("subscription_required", "Pro subscription required").link("https://example.com/billing").into())
///     }
/// }
///
/// impl Policy for OnlyPro {
///     async fn at_use(&self, verified: &Verified, _: &Caller) -> Result<Assent, Objection> {
///         self.demand(verified.record().owner()).map(|()| Assent::plain())
///     }
///     async fn at_issue(&self, grant: &Grant) -> Result<(), Objection> {
///         self.demand(&grant.owner)
///     }
///     async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
///         self.demand(record.owner())
///     }
/// }
/// ```
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Asked once a token is verified.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse the use, or if it cannot be said.
    fn at_use(&self, verified: &Verified, caller: &Caller) -> impl Future<Output = Result<Assent, Objection>> + Send;

    /// Asked before a token is issued.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse it, or if it cannot be said.
    fn at_issue(&self, grant: &Grant) -> impl Future<Output = Result<(), Objection>> + Send;

    /// Asked before a token is rotated, and by whom.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse it, or if it cannot be said.
    fn at_rotate(&self, record: &Record, by: &By) -> impl Future<Output = Result<(), Objection>> + Send;
}

/// A policy's yes, and what it adds to the proof.
#[derive(Clone, Default)]
pub struct Assent {
    pub(crate) ceiling: Option<Scopes>,
    pub(crate) attached: Option<Arc<dyn Any + Send + Sync>>,
}

impl Assent {
    /// Nothing is added.
    pub const fn plain() -> Self {
        Self { ceiling: None, attached: None }
    }

    /// Lowers the ceiling to these rights of the owner's, for this use: it is intersected with the token's scopes.
    pub fn ceiling(self, scopes: Scopes) -> Self {
        Self { ceiling: Some(scopes), ..self }
    }

    /// Attaches a value, such as the host's user, for [`Verified::attached`].
    pub fn attach<T: Any + Send + Sync>(self, value: T) -> Self {
        Self { attached: Some(Arc::new(value)), ..self }
    }
}

impl fmt::Debug for Assent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assent").field("ceiling", &self.ceiling).finish_non_exhaustive()
    }
}

/// A policy's no, or its silence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// It refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot say now: the answer is "try again", never a pass.
    #[error("the policy cannot be asked now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// A refusal with the host's own code, text and link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
#[non_exhaustive]
pub struct Refusal {
    /// The stable machine code.
    pub code: String,
    /// What people are told.
    pub text: String,
    /// Where they can read on or change it.
    pub link: Option<String>,
}

impl Refusal {
    /// A refusal without a link.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), link: None }
    }

    /// With a link.
    pub fn link(self, link: impl Into<String>) -> Self {
        Self { link: Some(link.into()), ..self }
    }
}

/// Any policy, its type erased, as [`SharedStore`](crate::SharedStore) is for stores.
#[derive(Clone)]
pub(crate) struct SharedPolicy(Arc<dyn DynPolicy>);

impl SharedPolicy {
    pub(crate) fn new(policy: impl Policy) -> Self {
        Self(Arc::new(policy))
    }

    pub(crate) async fn at_use(&self, verified: &Verified, caller: &Caller) -> Result<Assent, Objection> {
        self.0.at_use_dyn(verified, caller).await
    }

    pub(crate) async fn at_issue(&self, grant: &Grant) -> Result<(), Objection> {
        self.0.at_issue_dyn(grant).await
    }

    pub(crate) async fn at_rotate(&self, record: &Record, by: &By) -> Result<(), Objection> {
        self.0.at_rotate_dyn(record, by).await
    }
}

impl fmt::Debug for SharedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Objection>> + Send + 'a>>;

trait DynPolicy: fmt::Debug + Send + Sync {
    fn at_use_dyn<'a>(&'a self, verified: &'a Verified, caller: &'a Caller) -> Boxed<'a, Assent>;
    fn at_issue_dyn<'a>(&'a self, grant: &'a Grant) -> Boxed<'a, ()>;
    fn at_rotate_dyn<'a>(&'a self, record: &'a Record, by: &'a By) -> Boxed<'a, ()>;
}

impl<P: Policy> DynPolicy for P {
    fn at_use_dyn<'a>(&'a self, verified: &'a Verified, caller: &'a Caller) -> Boxed<'a, Assent> {
        Box::pin(self.at_use(verified, caller))
    }

    fn at_issue_dyn<'a>(&'a self, grant: &'a Grant) -> Boxed<'a, ()> {
        Box::pin(self.at_issue(grant))
    }

    fn at_rotate_dyn<'a>(&'a self, record: &'a Record, by: &'a By) -> Boxed<'a, ()> {
        Box::pin(self.at_rotate(record, by))
    }
}
