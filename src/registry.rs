//! The service: parse, find, check, verify; mint, insert; change. No decision is made here.

mod changing;
mod hashing;
mod issuing;
mod verifying;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

pub use changing::{ChangeError, ReadError, Target};
pub use issuing::{IssueError, Issued, RotationError};
pub use verifying::VerifyError;

use crate::{
    digest::Keyring,
    entropy::{Entropy, SystemEntropy},
    event::{Event, EventSink, NoSink},
    policy::{IssuePolicy, Policy, SharedPolicy},
    restriction::Audience,
    store::{SharedStore, TokenStore},
    time::{Clock, SystemClock},
    token::{Environment, Families},
};

/// Issues, verifies and manages the tokens of one service.
///
/// ```
/// use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, Scope, TokenFormat};
///
/// # pollster::block_on(async {
/// # let keys = format!("k1:{}:mint", counterfoil::draw_server_key()?);
/// let keyring: Keyring = keys.parse()?; // from the environment or a file; never in the database
/// let format = TokenFormat::builder("acme").build()?;
/// let registry = Registry::builder(format, keyring, MemoryStore::new()).build()?;
///
/// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
/// let issued = registry.issue(grant).await?;
/// let bearer = issued.token.expose().to_owned(); // shown once
///
/// let verified = registry.verify(&bearer).await?;
/// verified.require(&"parts:read".parse::<Scope>()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Cloning is cheap: clones are the same registry.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    families: Families,
    keyring: Keyring,
    store: SharedStore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    environments: Vec<Environment>,
    audience: Option<Audience>,
    issue_policy: IssuePolicy,
    policy: Option<SharedPolicy>,
    sink: Arc<dyn EventSink>,
    hashing: hashing::Hashing,
}

impl Registry {
    /// Begins a registry that mints with one family, makes digests with the keyring, and keeps records in the store.
    pub fn builder(families: impl Into<Families>, keyring: Keyring, store: impl TokenStore) -> RegistryBuilder {
        RegistryBuilder(Parts {
            families: families.into(),
            keyring,
            store: SharedStore::new(store),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            environments: Vec::new(),
            audience: None,
            issue_policy: IssuePolicy::default(),
            policy: None,
            sink: Arc::new(NoSink),
            hashing: hashing::Hashing::default(),
        })
    }

    /// The families whose tokens are accepted.
    pub fn families(&self) -> &Families {
        &self.0.families
    }

    /// The store.
    pub fn store(&self) -> &SharedStore {
        &self.0.store
    }

    /// Hands an event to the sink; a panic there must not touch the request.
    fn emit(&self, event: &Event) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.sink.emit(event)));
    }
}

/// Collects a [`Registry`].
#[derive(Debug)]
#[must_use]
pub struct RegistryBuilder(Parts);

impl RegistryBuilder {
    /// Serves these environments: a token that names another is refused. A registry whose tokens name environments must
    /// be told.
    pub fn serving(mut self, environments: impl IntoIterator<Item = Environment>) -> Self {
        self.0.environments = environments.into_iter().collect();
        self
    }

    /// Calls itself this, for tokens that are meant for one audience.
    pub fn audience(mut self, audience: Audience) -> Self {
        self.0.audience = Some(audience);
        self
    }

    /// Issues by these rules.
    pub fn issue_policy(mut self, policy: IssuePolicy) -> Self {
        self.0.issue_policy = policy;
        self
    }

    /// Asks the host's policy after every verdict, and before a token is issued or rotated.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.0.policy = Some(SharedPolicy::new(policy));
        self
    }

    /// Tells this sink what happens.
    pub fn sink(mut self, sink: impl EventSink) -> Self {
        self.0.sink = Arc::new(sink);
        self
    }

    /// Reads this clock instead of the system's: for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Draws from this source instead of the system: for tests of its failure.
    #[doc(hidden)]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.0.entropy = Arc::new(entropy);
        self
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// [`InvalidRegistry`] if the families name environments and none of them is served, or one is served that none
    /// names.
    pub fn build(self) -> Result<Registry, InvalidRegistry> {
        let Parts { families, environments, .. } = &self.0;
        if environments.is_empty() && families.environments().next().is_some() {
            return Err(InvalidRegistry::NothingServed);
        }
        if let Some(unknown) = environments.iter().find(|served| !families.environments().any(|known| known == *served))
        {
            return Err(InvalidRegistry::UnknownEnvironment { environment: unknown.clone() });
        }
        Ok(Registry(Arc::new(self.0)))
    }
}

/// A registry that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegistry {
    /// Its tokens name environments and it serves none.
    #[error("tokens name an environment, and none is served: every token would be refused")]
    NothingServed,
    /// It serves an environment that no token can name.
    #[error("environment `{environment}` is served, and no token family names it")]
    UnknownEnvironment {
        /// Which.
        environment: Environment,
    },
}
