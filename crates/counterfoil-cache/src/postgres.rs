//! The channel of PostgreSQL: `LISTEN` and `NOTIFY`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterfoil_sqlx::postgres::CHANGES;
use sqlx::{
    ConnectOptions as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgListener, PgNotification},
};

use crate::{Channel, ChannelError, Listener, Signal};

/// Hears of changes from the triggers of [`PostgresStore`](counterfoil_sqlx::PostgresStore)'s schema, on a connection of
/// its own, and sends heartbeats on another.
///
/// Both go where the host's pool goes, by the options that it has whenever they connect, and take none of its connections: a
/// pool that is used up must not end the lease, or all reads would come to it on top.
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
///
/// The triggers of [`MIGRATIONS`](counterfoil_sqlx::postgres::MIGRATIONS) must be on the tables that the pool's search path
/// finds, and enabled. They are looked for whenever the node begins to listen, and where one is missing the cache stands
/// aside. One that is dropped later is noticed when the connection is made the next time; what it would have told is seen
/// after the [longest age](crate::Settings::longest).
///
/// A primary that was failed over from must be fenced off. A heartbeat is committed without waiting for a standby, so nodes
/// that are still connected to it go on hearing their own, and reading its rows, for as long as it lives.
#[derive(Debug)]
pub struct PostgresChannel {
    /// The host's, which is asked how to connect and for nothing else.
    pool: PgPool,
    listen: Option<PgConnectOptions>,
    /// The connection of the last heartbeat, while none is being sent. One whose sending is given up is closed with it: where
    /// the network was cut, the next one must not wait for what does not answer.
    idle: Mutex<Option<PgConnection>>,
    /// The channel of this node's own heartbeats.
    own: String,
}

impl PostgresChannel {
    /// Where the host's pool goes.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), listen: None, idle: Mutex::default(), own: own_channel() }
    }

    /// Listens on a connection with these options.
    #[must_use = "it is another channel that listens there"]
    pub fn listen_with(self, options: PgConnectOptions) -> Self {
        Self { listen: Some(options), ..self }
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.pool.connect_options())
    }

    // INVARIANT: what is done under the lock is one step.
    fn idle(&self) -> MutexGuard<'_, Option<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of those triggers that do not tell, if there are any: they are not there, or do not fire.
const SILENT: &str = "
    SELECT string_agg(name, ', ') FROM (VALUES
        ('counterfoil_token', 'counterfoil_token_went'),
        ('counterfoil_token', 'counterfoil_token_changed'),
        ('counterfoil_token', 'counterfoil_token_emptied'),
        ('counterfoil_selector', 'counterfoil_selector_changed'),
        ('counterfoil_selector', 'counterfoil_selector_emptied')
    ) AS teller (place, name)
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger
        WHERE tgrelid = pg_catalog.to_regclass(place) AND tgname = name AND tgenabled IN ('O', 'A')
    )";

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
        // Whatever broke off the last session may have been about this one as well.
        self.idle().take();
        // With the host's hooks: they may set the search path.
        let one = self.pool.options().clone().min_connections(0).max_connections(1);
        let options = self.listen.clone().unwrap_or_else(|| self.options());
        let pool = one.connect_with(options).await.map_err(ChannelError::new)?;
        let silent: Option<String> = sqlx::query_scalar(SILENT).fetch_one(&pool).await.map_err(ChannelError::new)?;
        if let Some(names) = silent {
            return Err(ChannelError::new(format!("triggers do not tell of changes: {names}")));
        }
        let mut listener = PgListener::connect_with(&pool).await.map_err(ChannelError::new)?;
        // A listener whose connection is lost is not asked again: it must not try to get another before it says so.
        listener.eager_reconnect(false);
        listener.listen_all([CHANGES, self.own.as_str()]).await.map_err(ChannelError::new)?;
        Ok(PostgresListener(listener))
    }

    async fn beat(&self, number: u64) -> Result<(), ChannelError> {
        let idle = self.idle().take();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.options().connect().await.map_err(ChannelError::new)?,
        };
        let sent = sqlx::query("SELECT pg_catalog.pg_notify($1, $2)").bind(&self.own).bind(number.to_string());
        sent.execute(&mut connection).await.map_err(ChannelError::new)?;
        *self.idle() = Some(connection);
        Ok(())
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
