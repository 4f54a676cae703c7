//! A PostgreSQL for tests: the one that `COUNTERFOIL_TEST_POSTGRES` names, else a private cluster of the machine's own
//! programs, which a test can kill, pause and start again.
//!
//! Tests of other crates take this file by its path. It needs `nix` with `signal` and `user`, `sqlx` with `postgres`,
//! `tempfile` and `tokio`.

#![allow(dead_code, unused_imports, reason = "not every test needs all of it")]

mod private;
mod proxy;

use std::{
    env,
    io::Write as _,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

pub(crate) use private::Cluster;
pub(crate) use proxy::{Cut, Proxy};

/// Where databases are made: a server, and a role that may make them and other roles.
pub(crate) enum Server {
    Named(PgConnectOptions),
    Private(Cluster),
}

static SHARED: LazyLock<Option<Server>> = LazyLock::new(|| match env::var("COUNTERFOIL_TEST_POSTGRES") {
    Ok(url) => Some(Server::Named(url.parse().expect("COUNTERFOIL_TEST_POSTGRES is an address of PostgreSQL"))),
    Err(_) => Cluster::start().map(Server::Private),
});

impl Server {
    /// The server that all tests of this process share. Where there is none the test says so, and is over.
    pub(crate) fn shared() -> Option<&'static Self> {
        if SHARED.is_none() {
            skip("no PostgreSQL: install `postgresql`, or name a server in COUNTERFOIL_TEST_POSTGRES");
        }
        SHARED.as_ref()
    }

    fn options(&self) -> PgConnectOptions {
        match self {
            Self::Named(options) => options.clone(),
            Self::Private(cluster) => cluster.options(),
        }
    }

    /// A new database.
    pub(crate) async fn database(&self) -> Database {
        self.database_with("").await
    }

    /// A new database, with more to say about how it is made.
    pub(crate) async fn database_with(&self, how: &str) -> Database {
        let name = unique("counterfoil");
        let mut admin = self.options().connect().await.expect("the server takes connections");
        run(&mut admin, &format!("CREATE DATABASE {name} {how}")).await;
        Database { options: self.options().database(&name), admin: self.options(), name }
    }
}

impl Server {
    /// The cluster, to be killed or paused.
    pub(crate) fn cluster(&self) -> &Cluster {
        match self {
            Self::Private(cluster) => cluster,
            Self::Named(_) => panic!("a server that was named is not ours to kill"),
        }
    }
}

/// A cluster of the test's own, to be killed or paused. Where there are no programs to make it of the test says so, and
/// is over.
pub(crate) fn own_cluster() -> Option<Server> {
    let cluster = Cluster::start();
    if cluster.is_none() {
        skip("no programs of PostgreSQL on this machine: install `postgresql`");
    }
    cluster.map(Server::Private)
}

/// A cluster of the test's own whose commits wait for a standby, and that standby. Where there are no programs to make them
/// of the test says so, and is over.
pub(crate) async fn own_cluster_with_standby() -> Option<(Server, Cluster)> {
    let server = own_cluster()?;
    let standby = server.cluster().standby();
    let mut admin = server.options().connect().await.expect("the server takes connections");
    run(&mut admin, "ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    until_it_streams(&mut admin).await;
    Some((server, standby))
}

/// Waits until commits are confirmed by the standby.
pub(crate) async fn until_it_streams(admin: &mut PgConnection) {
    let streams = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync')";
    let begun = std::time::Instant::now();
    while !sqlx::query_scalar::<_, bool>(streams).fetch_one(&mut *admin).await.expect("the server answers") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the standby does not stream");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Says aloud, past what the test harness captures, that a test is skipped; where everything must be there it fails.
pub(crate) fn skip(why: &str) {
    assert!(env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_none(), "{why}");
    say_skipped(why);
}

/// The same where what is missing cannot be demanded.
pub(crate) fn say_skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("standard error takes a line");
}

/// A name that no other database, schema or role of these tests has.
pub(crate) fn unique(prefix: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{}_{number}", std::process::id(), since.as_micros())
}

/// A database of the test's own. It goes with the cluster, or when the test drops it; one of a failed test stays on a
/// server that was named.
pub(crate) struct Database {
    name: String,
    options: PgConnectOptions,
    admin: PgConnectOptions,
}

impl Database {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How the role that owns the database connects to it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// A proxy to the server, and how to connect through it.
    pub(crate) async fn behind_proxy(&self) -> (Proxy, PgConnectOptions) {
        // A socket is only reached past it.
        let (host, options) = match self.options.get_socket() {
            None => (self.options.get_host().to_owned(), self.options()),
            Some(_) => {
                let options = PgConnectOptions::new_without_pgpass().username(self.options.get_username());
                ("127.0.0.1".to_owned(), options.database(&self.name).ssl_mode(PgSslMode::Disable))
            }
        };
        let proxy = Proxy::to(host, self.options.get_port()).await;
        let options = options.host("127.0.0.1").port(proxy.port());
        (proxy, options)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        self.options().connect().await.expect("the server takes connections")
    }

    pub(crate) async fn pool(&self, connections: u32) -> PgPool {
        pool(self.options(), connections).await
    }

    pub(crate) async fn drop(self) {
        let mut admin = self.admin.connect().await.expect("the server takes connections");
        run(&mut admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

/// A pool that tries no connection before it hands it out.
pub(crate) async fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(60));
    pool.connect_with(options).await.expect("the server takes connections")
}

/// Runs a script that must succeed.
pub(crate) async fn run(connection: &mut PgConnection, script: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(script)).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{script}: {error:?}"));
}
