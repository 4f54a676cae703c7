//! The channel of PostgreSQL: `LISTEN` and `NOTIFY`.

mod sender;
mod triggers;

use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterfoil_sqlx::postgres::CHANGES;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgNotification},
};

use self::{
    sender::{LOCK_TIMEOUT, Sender, is_lock_timeout},
    triggers::{BEAT, Triggers},
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
/// finds, call the schema's functions, and be enabled with `ENABLE ALWAYS TRIGGER`. They are checked when the node begins
/// to listen, and again in the transaction that sends each heartbeat. If one is missing, altered or in another state, the
/// cache stands aside, and the event names the trigger and its state. The [bound](crate::Settings::bound) holds here too: a
/// lease is renewed only by a heartbeat that was sent while all triggers were as they must be, so it has ended by the time
/// a change that was not reported is as old as the bound. Triggers that are altered and put back between two heartbeats
/// are noticed as well, and everything is read from the store again.
///
/// A table of the same name in a schema that is put in front of the search path later is noticed when the node begins to
/// listen the next time.
///
/// `pg_restore --data-only --disable-triggers` and `ALTER TABLE … ENABLE TRIGGER ALL` leave triggers that do not fire in
/// replica sessions (state `O`). Put them back with `ALTER TABLE … ENABLE ALWAYS TRIGGER …`, as the second step of
/// [`MIGRATIONS`](counterfoil_sqlx::postgres::MIGRATIONS) does.
///
/// Any role that may connect to the database can send notifications on the channel of changes, also without a right on any
/// table. It cannot hide a change, and it cannot renew a lease: the channel of a node's heartbeats has a random name. Notes
/// that say nothing useful make a node read each record in use again, at most once between two heartbeats, which are a
/// quarter of the bound apart. To rule that out, take the right away: `REVOKE CONNECT ON DATABASE … FROM PUBLIC`, and grant
/// it to the roles of your service. PostgreSQL itself lets such a role fill the queue of notifications as well.
///
/// # Connections
///
/// A node has two connections beside its pool: one listens, and one sends heartbeats, at most one at a time. Heartbeats
/// and changes of tokens commit one after another, so a change that waits for a synchronous standby holds heartbeats up.
/// A heartbeat waits at most one second for its turn, by `lock_timeout`; then it fails, and the cache stands aside until a
/// heartbeat comes back. So nothing piles up on the server, and heartbeats come back with the standby.
///
/// A primary that was failed over from must be fenced off. A heartbeat is committed without waiting for a standby, so nodes
/// that are still connected to it go on hearing their own, and reading its rows, for as long as it lives.
#[derive(Debug)]
pub struct PostgresChannel {
    /// The host's, which is asked how to connect and for nothing else.
    pool: PgPool,
    listen: Option<PgConnectOptions>,
    sender: Sender,
    /// The schemas of the tables, since the node began to listen.
    schemas: Mutex<[String; 2]>,
    /// The channel of this node's own heartbeats.
    own: String,
}

impl PostgresChannel {
    /// Where the host's pool goes.
    pub fn new(pool: &PgPool) -> Self {
        Self {
            pool: pool.clone(),
            listen: None,
            sender: Sender::default(),
            schemas: Mutex::default(),
            own: own_channel(),
        }
    }

    /// Listens on a connection with these options.
    #[must_use = "it is another channel that listens there"]
    pub fn listen_with(self, options: PgConnectOptions) -> Self {
        Self { listen: Some(options), ..self }
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.pool.connect_options())
    }
}

/// A name that no other node has at the same time. A role that may connect to the database could send heartbeats in the
/// place of a node whose channel it knows, so 64 bits of the name are random.
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
        self.sender.close_idle();
        // With the host's hooks: they may set the search path.
        let one = self.pool.options().clone().min_connections(0).max_connections(1);
        let options = self.listen.clone().unwrap_or_else(|| self.options());
        let pool = one.connect_with(options).await.map_err(ChannelError::new)?;
        // Before the keeper forgets what it has read: triggers that are altered from now on have another state.
        let triggers = Triggers::read(&pool).await.map_err(ChannelError::new)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(ChannelError::new)?;
        // A listener whose connection is lost is not asked again: it must not try to get another before it says so.
        listener.eager_reconnect(false);
        listener.listen_all([CHANGES, self.own.as_str()]).await.map_err(ChannelError::new)?;
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&triggers.schemas);
        Ok(PostgresListener { listener, triggers })
    }

    async fn beat(&self, number: u64) -> Result<(), ChannelError> {
        let [token, selector] = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = self.own.clone();
        let sent = self.sender.send(
            || self.options(),
            async move |mut connection| {
                let beat = sqlx::query(BEAT).bind(own).bind(number.to_string()).bind(token).bind(selector);
                let sent = beat.bind(format!("{}ms", LOCK_TIMEOUT.as_millis())).execute(&mut connection).await;
                (connection, sent.map(drop))
            },
        );
        sent.await.map_err(|error| match is_lock_timeout(&error) {
            true => ChannelError::new(Blocked),
            false => ChannelError::new(error),
        })
    }
}

/// The lock on the queue of notifications was not free in time.
#[derive(Debug)]
struct Blocked;

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a heartbeat waited {LOCK_TIMEOUT:?} for the commit of another change, which may be waiting for a synchronous \
             standby"
        )
    }
}

impl Error for Blocked {}

/// A connection on which a node listens.
#[derive(Debug)]
pub struct PostgresListener {
    listener: PgListener,
    triggers: Triggers,
}

impl Listener for PostgresListener {
    async fn hear(&mut self) -> Result<Signal, ChannelError> {
        match self.listener.try_recv().await {
            Ok(Some(notification)) => self.read(&notification),
            Ok(None) => Err(ChannelError::new("the connection is lost")),
            Err(error) => Err(ChannelError::new(error)),
        }
    }
}

impl PostgresListener {
    /// Reads a notification. One that cannot be read may be about any record.
    fn read(&self, notification: &PgNotification) -> Result<Signal, ChannelError> {
        let (first, rest) = notification.payload().split_once(' ').unwrap_or((notification.payload(), ""));
        if notification.channel() == CHANGES {
            return Ok(first.parse().map_or(Signal::AllChanged, Signal::Changed));
        }
        let Ok(number) = first.parse() else { return Ok(Signal::AllChanged) };
        self.triggers.compare(rest).map_err(ChannelError::new)?;
        Ok(Signal::Beat(number))
    }
}
