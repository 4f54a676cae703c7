//! What is asked for when a token is minted.

use crate::{
    annotation::{Annotations, Metadata, Name},
    expiry::Lifetime,
    restriction::Restrictions,
    scope::Scopes,
    subject::{Actor, Owner},
    token::Environment,
};

/// What is asked for when a token is minted.
///
/// Only the owner and the lifetime must be given, and nothing is granted by silence: without scopes the token has no
/// rights.
///
/// ```
/// use counterfoil::{Grant, Lifetime, Name, Owner};
///
/// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90))
///     .name(Name::new("CI pipeline")?)
///     .scopes("parts:read parts:write".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a grant is only a wish until it is minted or issued"]
pub struct Grant {
    /// On whose behalf the token acts.
    pub owner: Owner,
    /// For how long.
    pub lifetime: Lifetime,
    /// What the bearer may do.
    pub scopes: Scopes,
    /// Where the token may be used.
    pub restrictions: Restrictions,
    /// Name, description, tags and metadata.
    pub annotations: Annotations,
    /// The environment, which a family that names environments must be told.
    pub environment: Option<Environment>,
    /// The routing segment, which a family that has one must be told.
    pub routing: Option<String>,
    /// Who asks.
    pub by: Option<Actor>,
}

impl Grant {
    /// A grant without rights, names and restrictions.
    pub fn new(owner: Owner, lifetime: Lifetime) -> Self {
        Self {
            owner,
            lifetime,
            scopes: Scopes::none(),
            restrictions: Restrictions::none(),
            annotations: Annotations::default(),
            environment: None,
            routing: None,
            by: None,
        }
    }

    /// With these scopes.
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// With these restrictions.
    pub fn restrictions(self, restrictions: Restrictions) -> Self {
        Self { restrictions, ..self }
    }

    /// With this name.
    pub fn name(mut self, name: Name) -> Self {
        self.annotations.name = Some(name);
        self
    }

    /// With these metadata.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.annotations.metadata = metadata;
        self
    }

    /// With all these notes.
    pub fn annotations(self, annotations: Annotations) -> Self {
        Self { annotations, ..self }
    }

    /// For this environment.
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// With this routing segment.
    pub fn routing(self, routing: impl Into<String>) -> Self {
        Self { routing: Some(routing.into()), ..self }
    }

    /// Asked for by this actor.
    pub fn by(self, actor: Actor) -> Self {
        Self { by: Some(actor), ..self }
    }
}
