//! The channel of PostgreSQL: `LISTEN` and `NOTIFY`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use counterfoil_sqlx::postgres::CHANGES;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions},
};

use crate::{Channel, ChannelError, Listener, Signal};

/// Hears of changes from the triggers of [`PostgresStore`](counterfoil_sqlx::PostgresStore)'s schema, on a connection of
/// its own, and sends heartbeats on another.
///
/// Both go where the host's pool goes, and take none of its connections: a pool that is used up must not end the lease, or
/// all reads would come to it on top.
///
/// ```no_run
/// use counterfoil::{Keyring, Registry, TokenFormat};
/// use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
/// use counterfoil_sqlx::PostgresStore;
///
/// # async fn start(pool: sqlx::PgPool, keyring: Keyring) -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::from_pool(pool.clone()).await?;
/// let on_event = |event: &CacheEvent| eprintln!("{event:?}");
/// let (store, listening) =
///     CachedStore::by_lease(store, PostgresChannel::new(&pool), Settings::default(), tokio::time::sleep, on_event);
/// tokio::spawn(listening);
/// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # What the database must be
///
/// One writable primary, which the pool goes to as well: a standby lets nobody listen, and its reads are late. A pooler that
/// gives a connection for a transaction passes no notifications on: name the server itself with
/// [`listen_with`](Self::listen_with). Where a notification does not come through, no heartbeat does either, and the
/// cache stands aside. At most one database of a server's is heard; its schemas are not told apart, which costs reads and
/// nothing else.
#[derive(Debug)]
pub struct PostgresChannel {
    listen: PgConnectOptions,
    beats: PgPool,
    /// The channel of this node's own heartbeats.
    own: String,
}

impl PostgresChannel {
    /// Where the host's pool goes.
    pub fn new(pool: &PgPool) -> Self {
        let options = PgConnectOptions::clone(&pool.connect_options());
        let beats = PgPoolOptions::new().max_connections(1).min_connections(0).connect_lazy_with(options.clone());
        Self { listen: options, beats, own: own_channel() }
    }

    /// Listens on a connection with these options.
    #[must_use = "it is another channel that listens there"]
    pub fn listen_with(self, options: PgConnectOptions) -> Self {
        Self { listen: options, ..self }
    }
}

/// A name that no other node has at the same time. What it is made of need not be secret: whoever may send heartbeats may
/// change rows as well.
fn own_channel() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let random = RandomState::new().hash_one((std::process::id(), since));
    format!("counterfoil_beat_{random:016x}{:x}", since.as_nanos())
}

impl Channel for PostgresChannel {
    type Listener = PostgresListener;

    async fn listen(&self) -> Result<PostgresListener, ChannelError> {
        let one = PgPoolOptions::new().max_connections(1);
        let pool = one.connect_with(self.listen.clone()).await.map_err(ChannelError::new)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(ChannelError::new)?;
        // A listener whose connection is lost is not asked again: it must not try to get another before it says so.
        listener.eager_reconnect(false);
        listener.listen_all([CHANGES, self.own.as_str()]).await.map_err(ChannelError::new)?;
        Ok(PostgresListener(listener))
    }

    async fn beat(&self, number: u64) -> Result<(), ChannelError> {
        let sent = sqlx::query("SELECT pg_catalog.pg_notify($1, $2)").bind(&self.own).bind(number.to_string());
        sent.execute(&self.beats).await.map(drop).map_err(ChannelError::new)
    }
}

/// A connection on which a node listens.
#[derive(Debug)]
pub struct PostgresListener(PgListener);

impl Listener for PostgresListener {
    async fn hear(&mut self) -> Result<Signal, ChannelError> {
        match self.0.try_recv().await {
            Ok(Some(notification)) => Ok(read(&notification)),
            Ok(None) => Err(ChannelError::new("the connection is lost")),
            Err(error) => Err(ChannelError::new(error)),
        }
    }
}

/// What cannot be read may be about any record.
fn read(notification: &PgNotification) -> Signal {
    let payload = notification.payload();
    if notification.channel() == CHANGES {
        let id = payload.split(' ').next().and_then(|id| id.parse().ok());
        return id.map_or(Signal::AllChanged, Signal::Changed);
    }
    payload.parse().map_or(Signal::AllChanged, Signal::Beat)
}
