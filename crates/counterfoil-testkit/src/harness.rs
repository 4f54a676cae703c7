//! What the author of a store gives: empty stores, and a way to wait.

use std::{any::Any, env, fmt, future::Future, pin::Pin, sync::Arc};

use counterfoil::TokenId;

/// A piece of work to wait for: what [`Harness::new`]'s second argument is called with, from any thread.
pub type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) type BlockOn = Arc<dyn Fn(Job) + Send + Sync>;
pub(crate) type Hook = Arc<dyn Fn(TokenId) -> Job + Send + Sync>;
type Making<S> = Pin<Box<dyn Future<Output = Fresh<S>> + Send>>;

/// How the checks get a store, wait for it, and how often they try what takes luck to break.
///
/// ```
/// use counterfoil::MemoryStore;
/// use counterfoil_testkit::{Fresh, Harness, tokens};
///
/// let harness = Harness::new(|| async { Fresh::new(MemoryStore::new()) }, pollster::block_on).rounds(5);
/// tokens::run(&harness).assert_kept();
/// ```
///
/// A store that needs a runtime is given the runtime's own way to wait; many threads wait at the same time:
///
/// ```
/// # use counterfoil::MemoryStore as MyStore;
/// use counterfoil_testkit::{Fresh, Harness, reservations};
///
/// let runtime = tokio::runtime::Runtime::new()?;
/// let harness = Harness::new(|| async { Fresh::new(MyStore::new()) }, move |job| runtime.block_on(job));
/// reservations::run(&harness).assert_kept();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Harness<S> {
    fresh: Box<dyn Fn() -> Making<S> + Send + Sync>,
    pub(crate) block_on: BlockOn,
    rounds: u32,
}

impl<S> Harness<S> {
    /// How often races are run unless told otherwise.
    pub const DEFAULT_ROUNDS: u32 = 200;

    /// The environment variable that overrides the rounds of every harness.
    pub const ROUNDS_VARIABLE: &str = "COUNTERFOIL_ROUNDS";

    /// `fresh` makes an empty store, a new one each time; `block_on` waits on the calling thread until a job is done.
    ///
    /// `fresh` should panic if it cannot make one: the check it was made for then counts as broken.
    pub fn new<F>(fresh: impl Fn() -> F + Send + Sync + 'static, block_on: impl Fn(Job) + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Fresh<S>> + Send + 'static,
    {
        Self { fresh: Box::new(move || Box::pin(fresh())), block_on: Arc::new(block_on), rounds: Self::DEFAULT_ROUNDS }
    }

    /// Runs races so often. On a disk, where a round takes 200 times as long, 20 will do.
    pub fn rounds(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    pub(crate) fn rounds_to_run(&self) -> u32 {
        rounds(env::var(Self::ROUNDS_VARIABLE).ok().as_deref(), self.rounds)
    }

    pub(crate) fn make(&self) -> Making<S> {
        (self.fresh)()
    }
}

/// At least one; what the environment says comes first, and must be a number.
fn rounds(told: Option<&str>, own: u32) -> u32 {
    let told = told.map(|text| match text.parse() {
        Ok(rounds) => rounds,
        Err(_) => panic!("{}: found `{text}`, expected a number", Harness::<()>::ROUNDS_VARIABLE),
    });
    told.unwrap_or(own).max(1)
}

impl<S> fmt::Debug for Harness<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

/// An empty store, and what belongs to it.
///
/// ```
/// use counterfoil::MemoryStore;
/// use counterfoil_testkit::Fresh;
///
/// let directory = String::from("a temporary one, gone when this is dropped");
/// let fresh = Fresh::new(MemoryStore::new()).keeping(directory);
/// ```
#[must_use = "a store is checked only if a harness gives it"]
pub struct Fresh<S> {
    /// The store, and others beside it; at least one.
    pub(crate) nodes: Vec<S>,
    pub(crate) corrupt: Option<Hook>,
    pub(crate) kept: Vec<Box<dyn Any + Send + Sync>>,
}

impl<S> Fresh<S> {
    /// An empty store.
    pub fn new(store: S) -> Self {
        Self { nodes: vec![store], corrupt: None, kept: Vec::new() }
    }

    /// With another node that keeps the same records: a second pool on the same database, say. The calls of a check
    /// then go to the nodes in turn, so that what one has written the next must see.
    ///
    /// ```
    /// use counterfoil::MemoryStore;
    /// use counterfoil_testkit::Fresh;
    ///
    /// let store = MemoryStore::new();
    /// let fresh = Fresh::new(store.clone()).beside(store); // clones share the records
    /// ```
    pub fn beside(mut self, node: S) -> Self {
        self.nodes.push(node);
        self
    }

    /// With a hand that damages the stored body of a record, by SQL beside the store, say, so that
    /// [`Record::from_row`](counterfoil::Record::from_row) refuses it. Without one, what is promised of corrupt rows is
    /// not looked at, and is reported as not run.
    pub fn corrupting<F>(self, corrupt: impl Fn(TokenId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { corrupt: Some(Arc::new(move |id| Box::pin(corrupt(id)))), ..self }
    }

    /// With something that must live as long as the store: a temporary directory, say.
    pub fn keeping(mut self, kept: impl Any + Send + Sync) -> Self {
        self.kept.push(Box::new(kept));
        self
    }
}

impl<S: fmt::Debug> fmt::Debug for Fresh<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh")
            .field("nodes", &self.nodes)
            .field("can_corrupt", &self.corrupt.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::rounds;

    #[test]
    fn the_environment_comes_before_the_harness() {
        for (told, own, expected) in [(None, 20, 20), (None, 0, 1), (Some("2000"), 20, 2000), (Some("0"), 20, 1)] {
            assert_eq!(rounds(told, own), expected, "{told:?} {own}");
        }
        assert!(std::panic::catch_unwind(|| rounds(Some("2k"), 20)).is_err());
    }
}
