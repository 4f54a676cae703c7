//! Who owns a token, who did something to it, and the marks that are left.

use std::fmt;

use crate::{
    text::{InvalidText, bounded_text},
    time::Timestamp,
};

bounded_text! {
    /// A tenant of the host's: an opaque text.
    Tenant, "tenant", 255 bytes
}

bounded_text! {
    /// The owner's own name within its tenant: an opaque text.
    Subject, "owner", 255 bytes
}

bounded_text! {
    /// Who did something: a user, an administrator, a job of the host's; an opaque text.
    ///
    /// ```
    /// use counterfoil::Actor;
    ///
    /// let actor = Actor::new("admin:7")?;
    /// assert_eq!(actor.as_str(), "admin:7");
    /// assert!(Actor::new("two\nlines").is_err());
    /// # Ok::<(), counterfoil::text::InvalidText>(())
    /// ```
    Actor, "actor", 255 characters
}

bounded_text! {
    /// Why something was done, in the words of whoever did it.
    Reason, "reason", 500 characters
}

/// On whose behalf a token acts: an opaque subject of the host's, within an optional tenant.
///
/// The owner is bound into the digest, so it never changes: to transfer a token, mint anew and revoke.
///
/// ```
/// use counterfoil::Owner;
///
/// let alone = Owner::new("user-42")?;
/// let within = Owner::in_tenant("acme", "user-42")?;
/// assert_ne!(alone, within);
/// # Ok::<(), counterfoil::text::InvalidText>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Owner {
    tenant: Option<Tenant>,
    subject: Subject,
}

impl Owner {
    /// An owner without a tenant.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] if the text is empty, longer than [`Subject::MAX_LEN`], or holds a control character.
    pub fn new(subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        Ok(Self { tenant: None, subject: Subject::new(subject)? })
    }

    /// An owner within a tenant.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] as for [`new`](Self::new), for either text.
    pub fn in_tenant(tenant: impl AsRef<str>, subject: impl AsRef<str>) -> Result<Self, InvalidText> {
        Ok(Self { tenant: Some(Tenant::new(tenant)?), subject: Subject::new(subject)? })
    }

    /// The tenant, if there is one.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// The tenant's text, empty where there is none: how stores keep it, since a tenant is never empty.
    pub fn tenant_or_empty(&self) -> &str {
        self.tenant.as_ref().map_or("", Tenant::as_str)
    }

    /// The owner's own name.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Reads the two texts of a row, the tenant empty where there is none.
    pub(crate) fn from_columns(tenant: &str, subject: &str) -> Result<Self, InvalidText> {
        if tenant.is_empty() { Self::new(subject) } else { Self::in_tenant(tenant, subject) }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "Owner({:?} in {:?})", self.subject.as_str(), tenant.as_str()),
            None => write!(f, "Owner({:?})", self.subject.as_str()),
        }
    }
}

/// Who does something, and why: what the host says of a change.
///
/// ```
/// use counterfoil::{Actor, By};
///
/// let by = By::actor(Actor::new("admin:7")?).because("leaked in a build log".try_into()?);
/// assert_eq!(by.reason.unwrap().as_str(), "leaked in a build log");
/// # Ok::<(), counterfoil::text::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct By {
    /// Who, if known.
    pub actor: Option<Actor>,
    /// Whom the request names as having asked for it: a claim that nobody has checked, kept beside the actor and never
    /// in its place.
    pub claimed: Option<Actor>,
    /// Why, if told.
    pub reason: Option<Reason>,
}

impl By {
    /// Nobody in particular.
    pub const fn unknown() -> Self {
        Self { actor: None, claimed: None, reason: None }
    }

    /// This actor.
    pub const fn actor(actor: Actor) -> Self {
        Self { actor: Some(actor), claimed: None, reason: None }
    }

    /// At the request, as it says, of somebody else.
    pub fn claiming(self, claimed: Actor) -> Self {
        Self { claimed: Some(claimed), ..self }
    }

    /// For this reason.
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The mark this leaves at `at`.
    pub fn mark(self, at: Timestamp) -> Mark {
        Mark { at, by: self.actor, claimed_by: self.claimed, reason: self.reason }
    }
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        Self::actor(actor)
    }
}

/// A fact about a token, as stored: that it was revoked, suspended or blocked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mark {
    /// When; in Unix milliseconds where it is serialized.
    pub at: Timestamp,
    /// By whom, if known.
    pub by: Option<Actor>,
    /// At whose request, as the request itself has claimed.
    pub claimed_by: Option<Actor>,
    /// Why, if told.
    pub reason: Option<Reason>,
}
