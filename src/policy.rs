//! The host's rules: what may be issued, and who may use what was issued.

mod deadline;
mod issue;
mod lifetimes;
mod objection;
mod shared;
mod switch;

use std::{any::Any, fmt, future::Future, sync::Arc};

pub(crate) use deadline::Deadline;
pub use deadline::{PolicyPanicked, PolicyTimedOut};
pub use issue::IssuePolicy;
pub use lifetimes::{LifetimeRefused, Lifetimes, Offered};
pub use objection::{BeyondRights, Objection, Refusal};
pub(crate) use shared::SharedPolicy;
pub use switch::MintSwitch;

use crate::{caller::Caller, grant::Grant, record::Record, scope::Scopes, subject::By, verify::Verified};

/// The host's say beyond the token's own facts: whether its owner is still welcome, on which plan, with which rights.
///
/// ```
/// use counterfoil::policy::{Approval, Assent, Objection, Refusal};
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
///     async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
///         self.demand(&grant.owner).map(|()| Approval::plain())
///     }
///     async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
///         self.demand(record.owner())
///     }
/// }
/// ```
///
/// It is asked within the [deadline](crate::registry::RegistryBuilder::policy_deadline), if the host gives one. Neither
/// silence past it nor a panic is a pass: both are [`Objection::Unavailable`]. A future that is late is dropped.
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Asked once a token is verified.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse the use, or if it cannot be said.
    fn at_use(&self, verified: &Verified, caller: &Caller) -> impl Future<Output = Result<Assent, Objection>> + Send;

    /// Asked before a token is issued. The scopes of the grant are those that would be stored: known to the catalog, with
    /// all that they imply.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse it, or if it cannot be said.
    fn at_issue(&self, grant: &Grant) -> impl Future<Output = Result<Approval, Objection>> + Send;

    /// Asked before a token is rotated, and by whom.
    ///
    /// # Errors
    ///
    /// [`Objection`] to refuse it, or if it cannot be said.
    fn at_rotate(&self, record: &Record, by: &By) -> impl Future<Output = Result<(), Objection>> + Send;
}

/// A policy's yes to a new token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "an approval says nothing until it is returned"]
pub struct Approval {
    ceiling: Option<Scopes>,
}

impl Approval {
    /// Whatever is asked for.
    pub const fn plain() -> Self {
        Self { ceiling: None }
    }

    /// Only within these rights of the owner's.
    ///
    /// ```
    /// use counterfoil::policy::Approval;
    ///
    /// let approval = Approval::plain().ceiling("parts:* users:read".parse()?);
    /// assert!(approval.check(&"parts:read parts:calculations:*".parse()?).is_ok());
    /// let beyond = approval.check(&"parts:read users:* users:write".parse()?).unwrap_err();
    /// assert_eq!(beyond.to_string(), "scopes beyond the owner's rights: users:write users:*");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ceiling(self, rights: Scopes) -> Self {
        Self { ceiling: Some(rights) }
    }

    /// Whether the scopes may be granted.
    ///
    /// # Errors
    ///
    /// [`BeyondRights`] names those that the ceiling does not cover.
    pub fn check(&self, asked: &Scopes) -> Result<(), BeyondRights> {
        let Some(ceiling) = &self.ceiling else { return Ok(()) };
        let scopes = asked.beyond(ceiling);
        if scopes.is_empty() { Ok(()) } else { Err(BeyondRights { scopes }) }
    }
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
