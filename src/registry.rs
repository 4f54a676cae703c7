//! The service: parse, find, check, verify; mint, insert; change. No decision is made here.

mod changing;
mod hashing;
mod importing;
mod issuing;
mod issuing_once;
mod maintaining;
mod rechecking;
mod revoking;
mod rotating;
mod telling;
mod verifying;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use changing::{ChangeError, ReadError, Target};
pub use importing::ImportOutcome;
pub use issuing::{IssueError, Issued};
pub use issuing_once::{IssueOnceError, IssuedOnce};
pub use revoking::{SurrenderError, Surrendered};
pub use rotating::{Rotated, RotationError};
pub use verifying::VerifyError;

use crate::{
    backoff::Backoff,
    digest::Keyring,
    entropy::{Entropy, SystemEntropy},
    event::{DenialBound, EventSink},
    maintain::{IdleTooShort, Maintenance},
    policy::{Deadline, IssuePolicy, Policy, SharedPolicy},
    possession::Reuse,
    restriction::Audience,
    store::{SharedStore, TokenStore},
    time::{Clock, InvalidTimestamp, SystemClock, Timestamp},
    timer::Timer,
    token::{Environment, Families},
    uses::{UseNotes, Uses},
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
    /// None: then no event is made at all.
    sink: Option<Arc<dyn EventSink>>,
    denials: DenialBound,
    uses: Uses,
    maintenance: Maintenance,
    policy_deadline: Option<Deadline>,
    reuse: Reuse,
    rehashing: Backoff,
    hashing: hashing::Hashing,
    /// Set once, by the builder or by a door.
    client_addresses_known: AtomicBool,
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
            sink: None,
            denials: DenialBound::default(),
            uses: Uses::new(UseNotes::default()),
            maintenance: Maintenance::default(),
            policy_deadline: None,
            reuse: Reuse::Report,
            rehashing: Backoff::default(),
            hashing: hashing::Hashing::default(),
            client_addresses_known: AtomicBool::new(false),
        })
    }

    /// The families whose tokens are accepted.
    pub fn families(&self) -> &Families {
        &self.0.families
    }

    /// The rules for what may be issued: what a form offers.
    pub fn issue_policy(&self) -> &IssuePolicy {
        &self.0.issue_policy
    }

    /// The moment, by the registry's clock.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] if the clock is not set.
    pub fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        self.0.clock.now()
    }

    /// Whether the addresses of clients are known where tokens are used, so that a token can be bound to networks. See
    /// [`client_addresses_known`](RegistryBuilder::client_addresses_known).
    pub fn are_client_addresses_known(&self) -> bool {
        self.0.client_addresses_known.load(Ordering::Relaxed)
    }

    /// States that clients' addresses are known, for all clones of this registry. Doors of `counterfoil-tower` do so when
    /// they are given a source of addresses.
    pub fn set_client_addresses_known(&self) {
        self.0.client_addresses_known.store(true, Ordering::Relaxed);
    }

    /// The store.
    pub fn store(&self) -> &SharedStore {
        &self.0.store
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

    /// Waits for the policy's answers so long at most, asleep with the host's timer. A policy that is late
    /// [cannot be asked](crate::policy::Objection::Unavailable). Without a deadline it is waited for as long as it takes.
    ///
    /// ```
    /// # use counterfoil::{policy::{Approval, Assent, Objection}, By, Caller, Grant, Keyring, MemoryStore, Policy, Record, Verified};
    /// # #[derive(Debug)]
    /// # struct Plans;
    /// # impl Policy for Plans {
    /// #     async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> { Ok(Assent::plain()) }
    /// #     async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> { Ok(Approval::plain()) }
    /// #     async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> { Ok(()) }
    /// # }
    /// # let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
    /// use counterfoil::{Registry, TokenFormat};
    /// use std::time::Duration;
    ///
    /// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new())
    ///     .policy(Plans)
    ///     .policy_deadline(Duration::from_millis(500), tokio::time::sleep)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn policy_deadline(mut self, after: Duration, timer: impl Timer) -> Self {
        self.0.policy_deadline = Some(Deadline::new(after, timer));
        self
    }

    /// Lets this follow when a secret is presented that was rotated away.
    pub fn on_reuse(mut self, reuse: Reuse) -> Self {
        self.0.reuse = reuse;
        self
    }

    /// Tells this sink what happens.
    pub fn sink(mut self, sink: impl EventSink) -> Self {
        self.0.sink = Some(Arc::new(sink));
        self
    }

    /// States that clients' addresses are known wherever these tokens are used, so that a person may bind a token to
    /// networks. Otherwise the management API and the settings page do not offer networks, because such a token would
    /// be refused at every use.
    ///
    /// A door of `counterfoil-tower` with a source of addresses states this itself. You need this option where tokens are
    /// managed in one process and used in another, or where you call [`verify_for`](Registry::verify_for) yourself.
    pub fn client_addresses_known(self) -> Self {
        self.0.client_addresses_known.store(true, Ordering::Relaxed);
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
    /// names, or unused tokens would be revoked before their uses are written.
    pub fn build(mut self) -> Result<Registry, InvalidRegistry> {
        let Parts { families, environments, .. } = &self.0;
        if environments.is_empty() && families.environments().next().is_some() {
            return Err(InvalidRegistry::NothingServed);
        }
        if let Some(unknown) = environments.iter().find(|served| !families.environments().any(|known| known == *served))
        {
            return Err(InvalidRegistry::UnknownEnvironment { environment: unknown.clone() });
        }
        self.0.maintenance.check_idle(self.0.uses.every())?;
        if let (Some(policy), Some(deadline)) = (&mut self.0.policy, self.0.policy_deadline.take()) {
            policy.set_deadline(deadline);
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
    /// It would revoke tokens as unused whose uses are not written yet.
    #[error(transparent)]
    Idle(#[from] IdleTooShort),
}
