//! How a node hears of changes.

use std::{error::Error, fmt, future::Future, sync::Arc};

use counterfoil::TokenId;

/// A channel on which the nodes of a database hear which records have changed.
///
/// What it must promise is the order: a heartbeat that was [sent](Self::beat) after a change was committed is
/// [heard](Listener::hear) after that change, or not at all. Then a node that hears its own heartbeat knows of every change
/// that was committed before it was sent. A channel that loses something must lose, for that listener, all that comes after
/// it: a stream on one connection does, datagrams do not.
///
/// `PostgresChannel`, of feature `postgres`, is one. In one process a queue is one:
///
/// ```
/// use std::sync::Mutex;
/// use counterfoil_cache::{Channel, ChannelError, Listener, Signal};
/// use tokio::sync::broadcast::{Receiver, Sender};
///
/// /// From one store of this process to all of them, with the sender's own number.
/// #[derive(Debug)]
/// struct InProcess(u64, Sender<(u64, Signal)>);
///
/// struct Heard(u64, Receiver<(u64, Signal)>);
///
/// impl Channel for InProcess {
///     type Listener = Heard;
///
///     async fn listen(&self) -> Result<Heard, ChannelError> {
///         Ok(Heard(self.0, self.1.subscribe()))
///     }
///     async fn beat(&self, number: u64) -> Result<(), ChannelError> {
///         self.1.send((self.0, Signal::Beat(number))).map(drop).map_err(ChannelError::new)
///     }
/// }
///
/// impl Listener for Heard {
///     async fn hear(&mut self) -> Result<Signal, ChannelError> {
///         loop {
///             // An error as well where some were missed: then all begins anew.
///             match self.1.recv().await.map_err(ChannelError::new)? {
///                 (from, Signal::Beat(_)) if from != self.0 => {} // another one's
///                 (_, signal) => return Ok(signal),
///             }
///         }
///     }
/// }
/// ```
pub trait Channel: fmt::Debug + Send + Sync + 'static {
    /// One connection on which this node listens.
    type Listener: Listener;

    /// Connects. Everything that is committed after this has returned is heard.
    ///
    /// # Errors
    ///
    /// [`ChannelError`]; it is tried again later.
    fn listen(&self) -> impl Future<Output = Result<Self::Listener, ChannelError>> + Send;

    /// Sends a heartbeat of this node's through the database, the way that changes take. No number comes twice.
    ///
    /// # Errors
    ///
    /// [`ChannelError`]; the next one is tried in its time. What ends a lease is that none comes back.
    fn beat(&self, number: u64) -> impl Future<Output = Result<(), ChannelError>> + Send;
}

/// One connection on which a node listens.
pub trait Listener: Send {
    /// The next signal, in the order in which what they stand for was committed.
    ///
    /// # Errors
    ///
    /// [`ChannelError`] if the connection is lost, or a signal may have been. It is not asked again.
    fn hear(&mut self) -> impl Future<Output = Result<Signal, ChannelError>> + Send;
}

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A record has changed.
    Changed(TokenId),
    /// Any record may have changed. Between two heartbeats a node notes one of these at once. More of them are noted with the
    /// next heartbeat, before it renews the lease. The same holds for more than 10,000 changes of single records.
    AllChanged,
    /// A heartbeat of this node's own, with its number.
    Beat(u64),
}

/// Why a channel is silent. It can be told to several, so its cause is shared.
#[derive(Debug, Clone)]
pub struct ChannelError(Arc<dyn Error + Send + Sync>);

impl ChannelError {
    /// With its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the channel of changes is silent: {}", self.0)
    }
}

impl Error for ChannelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
