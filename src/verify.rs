//! The verdict: what makes a token good.

use std::{any::Any, fmt, sync::Arc};

use crate::{
    check::SecretCheck,
    circumstances::Circumstances,
    denial::Denial,
    record::{Record, SlotKind, Status},
    scope::{MissingScope, Scope, ScopeCatalog, Scopes},
    token::Environment,
};

/// Decides whether a token is good. The first row that applies wins:
///
/// | # | if | then |
/// |---|---|---|
/// | 1 | there is no record, or the check is of another record, version or slot | [`Denial::Unknown`] |
/// | 2 | the secret is not the one of the matched slot | [`Denial::WrongSecret`] |
/// | 3 | the slot is a spent one, or its overlap is over | [`Denial::Superseded`] |
/// | 4–7 | the record is revoked, expired, suspended, blocked | [`Denial::Revoked`] and so on |
/// | 8 | the token's environment is not served here | [`Denial::WrongEnvironment`] |
/// | 9 | a restriction does not hold, or is unknown to this build | [`Denial::NetworkRefused`] and so on |
/// | 10 | otherwise | [`Verified`] |
///
/// Rows 1 and 2 must look the same from outside. Later rows may be told: the bearer has proven the secret.
///
/// # Errors
///
/// [`Denial`], as the table says.
#[inline(always)]
pub fn verify(check: SecretCheck<'_>, record: Option<Arc<Record>>, at: &Circumstances<'_>) -> Result<Verified, Denial> {
    let (Some(record), Some(of)) = (record, check.of) else { return Err(Denial::Unknown) };
    if record.id() != of.id || record.version() != of.version || record.slots().get(of.slot).is_none() {
        return Err(Denial::Unknown);
    }
    if !of.secret_is_right {
        return Err(Denial::WrongSecret);
    }
    let overlap_is_over = record.slots().retiring.as_ref().is_none_or(|retiring| at.now >= retiring.until);
    if of.slot == SlotKind::Spent || of.slot == SlotKind::Retiring && overlap_is_over {
        return Err(Denial::Superseded);
    }
    match record.status(at.now) {
        Status::Active => {}
        Status::Revoked => return Err(Denial::Revoked),
        Status::Expired => return Err(Denial::Expired),
        Status::Suspended => return Err(Denial::Suspended),
        Status::Blocked => return Err(Denial::Blocked),
    }
    let environment = check.environment;
    let is_served = environment.is_none_or(|name| at.environments.iter().any(|served| served.as_str() == name));
    if !is_served || environment != record.environment().map(Environment::as_str) {
        return Err(Denial::WrongEnvironment);
    }
    let restrictions = record.restrictions();
    if !restrictions.admit_client(at.client) {
        return Err(Denial::NetworkRefused);
    }
    if !restrictions.admit_audience(at.audience) {
        return Err(Denial::WrongAudience);
    }
    if !restrictions.unknown().is_empty() {
        return Err(Denial::UnknownRestriction);
    }
    Ok(Verified { record, slot: of.slot, catalog: at.catalog.cloned(), ceiling: None, attached: None })
}

/// Proof that a token is good: made by [`verify`] and nowhere else.
///
/// It cannot be built, defaulted or deserialized. Cloning shares the record.
///
/// ```compile_fail,E0451
/// fn forge(record: std::sync::Arc<counterfoil::Record>) -> counterfoil::Verified {
///     counterfoil::Verified { record, slot: counterfoil::record::SlotKind::Current, catalog: None, ceiling: None, attached: None }
/// }
/// ```
#[derive(Clone)]
pub struct Verified {
    record: Arc<Record>,
    slot: SlotKind,
    catalog: Option<Arc<ScopeCatalog>>,
    ceiling: Option<Arc<Scopes>>,
    attached: Option<Arc<dyn Any + Send + Sync>>,
}

impl Verified {
    /// The record of the token.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The record alone, once the proof has served.
    pub fn into_record(self) -> Arc<Record> {
        self.record
    }

    /// Which of the record's secrets was presented; one that retires should be replaced soon.
    pub fn slot(&self) -> SlotKind {
        self.slot
    }

    /// The environment that the token is for.
    pub fn environment(&self) -> Option<&Environment> {
        self.record.environment()
    }

    /// Demands a scope.
    ///
    /// # Errors
    ///
    /// [`MissingScope`] unless the token holds it, the ceiling of the moment allows it, and the catalog does not forbid it.
    pub fn require(&self, scope: &Scope) -> Result<(), MissingScope> {
        let held = self.record.scopes().allow(scope)
            && self.ceiling.as_ref().is_none_or(|ceiling| ceiling.allow(scope))
            && !self.catalog.as_ref().is_some_and(|catalog| catalog.forbids(scope));
        if held { Ok(()) } else { Err(MissingScope { scope: scope.clone() }) }
    }

    /// The scopes of the token under the ceiling of the moment, without what the catalog forbids: to be shown. A pattern
    /// among them may hold forbidden scopes; [`require`](Self::require) alone decides.
    pub fn scopes(&self) -> Scopes {
        let held = self.record.scopes();
        let under = self.ceiling.as_ref().map_or_else(|| held.clone(), |ceiling| held.intersection(ceiling));
        self.catalog.as_ref().map_or_else(|| under.clone(), |catalog| catalog.without_forbidden(&under))
    }

    /// What the host's policy attached: its own user, say.
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.attached.as_deref().and_then(|attached| attached.downcast_ref())
    }

    /// Sets the ceiling of the moment, once: beside the token's own scopes it can only lower what is allowed.
    pub(crate) fn under(mut self, ceiling: Scopes) -> Self {
        self.ceiling = Some(Arc::new(ceiling));
        self
    }

    pub(crate) fn with(mut self, attached: Arc<dyn Any + Send + Sync>) -> Self {
        self.attached = Some(attached);
        self
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({})", self.record.id())
    }
}
