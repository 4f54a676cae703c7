//! Behind PgBouncer, set as the store's page says: as a role with the least rights, whose search path is its own.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use counterfoil_sqlx::PostgresStore;
use counterfoil_testkit::{reservations, tokens};
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tempfile::TempDir;

use crate::{
    cluster::{Database, Server, own_cluster, pool, run, say_skipped, skip, unique},
    contract::{RUNTIME, harness},
    opening::grant,
};

/// What a pooler hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Session,
    Transaction,
}

/// A PgBouncer on a socket, in a directory that goes with it. It is gone when the test process is, however that went.
struct Pooler {
    directory: PathBuf,
    /// A shell that is told by the end of its input.
    guard: Child,
}

impl Pooler {
    /// Two connections to the server for each role, by transaction; by session as many as clients may hold at once.
    fn before(server: &Server, program: &Path, by: By) -> Self {
        let directory = TempDir::with_prefix("counterfoil-pgbouncer-").unwrap().keep();
        let options = server.cluster().options();
        let (mode, connections) = match by {
            By::Session => ("session", 60),
            By::Transaction => ("transaction\nmax_prepared_statements = 100", 2),
        };
        let configuration = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {}\nlogfile = {}\n\
             auth_type = trust\nauth_user = postgres\nmax_client_conn = 500\nserver_idle_timeout = 1\n\
             default_pool_size = {connections}\npool_mode = {mode}\n",
            options.get_socket().unwrap().display(),
            options.get_port(),
            directory.display(),
            directory.join("log").display(),
        );
        let file = directory.join("pgbouncer.ini");
        fs::write(&file, configuration).unwrap();
        const RUN: &str = "\"$0\" --quiet \"$1/pgbouncer.ini\" & read -r _; kill -KILL $!; wait; rm -rf \"$1\"";
        let mut command = Command::new("sh");
        command.arg("-c").arg(RUN).arg(program).arg(&directory).stdin(Stdio::piped());
        // It does not run as root either.
        if let Some((uid, gid)) = server.cluster().user() {
            [&directory, &file].into_iter().for_each(|path| chown(path, Some(uid), Some(gid)).unwrap());
            command.uid(uid).gid(gid);
        }
        let guard = command.current_dir("/").process_group(0).spawn().unwrap();
        Self { directory, guard }
    }

    /// How to connect to `database` through it, as the page says.
    fn options(&self, database: &str, role: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().socket(&self.directory).port(6432);
        options.ssl_mode(PgSslMode::Disable).database(database).username(role).extra_float_digits(None)
    }

    async fn wait_until_ready(&self) {
        let begun = Instant::now();
        while let Err(error) = self.options("postgres", "postgres").connect().await {
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "the pooler does not come up: {error}: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The program and its version, where it is installed.
fn program() -> Option<(PathBuf, [u32; 2])> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).chain(["/usr/sbin".into()]).map(|directory| directory.join("pgbouncer"));
    let program = installed.into_iter().find(|program| program.is_file())?;
    let told = Command::new(&program).arg("--version").output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let version = told.split_ascii_whitespace().nth(1).expect("a version");
    let mut parts = version.split('.').map(|part| part.parse().expect("a number"));
    Some((program, [parts.next().unwrap(), parts.next().unwrap()]))
}

/// A database of a cluster of its own, and a pooler before it.
fn behind(by: By) -> Option<(Server, Database, Pooler)> {
    let Some((program, version)) = program() else {
        skip("no PgBouncer: install `pgbouncer`");
        return None;
    };
    if by == By::Transaction && version < [1, 21] {
        say_skipped("this PgBouncer is older than 1.21, and carries no prepared statements by transaction");
        return None;
    }
    let server = own_cluster()?;
    let pooler = Pooler::before(&server, &program, by);
    let database = RUNTIME.block_on(async {
        pooler.wait_until_ready().await;
        server.database().await
    });
    Some((server, database, pooler))
}

/// Two nodes of 25 connections each.
fn every_promise(by: By) {
    let Some((_server, database, pooler)) = behind(by) else { return };
    let through = (pooler.options(database.name(), ""), database.name().to_owned());
    let node = move |owner: PgConnectOptions| {
        let (through, database) = through.clone();
        async move {
            let role = unique("app");
            let mut hand = owner.clone().connect().await.unwrap();
            let schema: String = sqlx::query_scalar("SELECT current_schema()").fetch_one(&mut hand).await.unwrap();
            run(&mut hand, &format!("CREATE ROLE {role} LOGIN")).await;
            run(&mut hand, &format!("ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}")).await;
            grant(&owner, &role).await;
            through.username(&role)
        }
    };
    tokens::run(&harness(database.options(), node.clone()).rounds(1)).assert_all_kept();
    reservations::run(&harness(database.options(), node).rounds(1)).assert_all_kept();
}

#[test]
fn sessions_of_a_pooler_keep_every_promise() {
    every_promise(By::Session);
}

#[test]
fn transactions_of_a_pooler_keep_every_promise() {
    every_promise(By::Transaction);
}

fn migrations(by: By) {
    let Some((_server, database, pooler)) = behind(by) else { return };
    RUNTIME.block_on(async {
        let options = pooler.options(database.name(), "postgres");
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let options = options.clone();
            opening.spawn(async move { PostgresStore::from_pool_or_create(pool(options, 2).await).await });
        }
        for opened in opening.join_all().await {
            opened.unwrap_or_else(|error| panic!("{error:?}")).close().await;
        }
        database.drop().await;
    });
}

#[test]
fn many_nodes_make_one_schema_through_a_pooler() {
    [By::Session, By::Transaction].into_iter().for_each(migrations);
}

/// What the page says it refuses: so that nobody's search path is passed over.
#[test]
fn a_pooler_refuses_a_start_that_it_does_not_know() {
    let Some((_server, database, pooler)) = behind(By::Session) else { return };
    let refused = pooler.options(database.name(), "postgres").extra_float_digits(2);
    let error = RUNTIME.block_on(refused.connect()).unwrap_err().to_string();
    assert!(error.contains("extra_float_digits"), "{error}");
}
