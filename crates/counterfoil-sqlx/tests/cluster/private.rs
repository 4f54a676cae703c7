//! A cluster of the machine's own programs, in a directory that goes with it.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;

/// A server on a socket and on a port of this machine, open to all who can reach them, with durability as by default.
///
/// It runs as the user `postgres` where the tests run as root, which the server refuses. A shell that is told by the
/// end of its input that the test process is gone, however it went, kills the server and removes the directory.
pub(crate) struct Cluster {
    directory: PathBuf,
    programs: PathBuf,
    port: u16,
    user: Option<User>,
    /// Beyond those that every server is started with.
    settings: Vec<String>,
    server: Mutex<Child>,
    guard: Child,
}

impl Cluster {
    /// Makes one and starts it, if the programs are there.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let user = geteuid().is_root().then(|| User::from_name("postgres").unwrap().expect("a user `postgres`"));
        let directory = directory_of(user.as_ref());
        let mut initdb = command(&programs.join("initdb"), user.as_ref());
        let initdb = initdb
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(directory.join("data"));
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        Some(Self::serving(directory, programs, user, Vec::new()))
    }

    fn serving(directory: PathBuf, programs: PathBuf, user: Option<User>, settings: Vec<String>) -> Self {
        let guard = guard(&directory);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Mutex::new(serve(&programs, &directory, port, user.as_ref(), &settings));
        let cluster = Self { directory, programs, port, user, settings, server, guard };
        cluster.wait_until_ready();
        cluster
    }

    /// Copies the server and starts the copy as a standby, which streams from it under the name `standby`. It is not
    /// synchronous until the server's `synchronous_standby_names` names it.
    pub(crate) fn standby(&self) -> Self {
        let directory = directory_of(self.user.as_ref());
        let mut backup = command(&self.programs.join("pg_basebackup"), self.user.as_ref());
        backup.args(["--username=postgres", "--checkpoint=fast", "--no-sync", "--pgdata"]).arg(directory.join("data"));
        let backup = backup.arg("--host").arg(&self.directory).arg("--port").arg(self.port.to_string());
        let made = backup.output().unwrap();
        assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
        fs::write(directory.join("data/standby.signal"), "").unwrap();
        let from = format!(
            "primary_conninfo=host={} port={} user=postgres application_name=standby",
            self.directory.display(),
            self.port
        );
        // After a loss it comes back at once, not after five seconds.
        let settings = vec![from, "wal_retrieve_retry_interval=100ms".to_owned()];
        Self::serving(directory, self.programs.clone(), self.user.clone(), settings)
    }

    /// How to reach it over the socket, as its superuser.
    pub(crate) fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().username("postgres").database("postgres");
        options.socket(&self.directory).port(self.port).ssl_mode(PgSslMode::Disable)
    }

    /// Whom the server runs as, where that is another than whoever runs the tests.
    pub(crate) fn user(&self) -> Option<(u32, u32)> {
        self.user.as_ref().map(|user| (user.uid.as_raw(), user.gid.as_raw()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL to the server and each of its processes, as a machine that loses power would do it but for the disk.
    pub(crate) fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        // The first one stands still, so that it starts no more while the others are looked for.
        signal(pid(&server), Signal::SIGSTOP);
        let others = children(pid(&server));
        signal(pid(&server), Signal::SIGKILL);
        others.into_iter().for_each(|other| signal(other, Signal::SIGKILL));
        server.wait().unwrap();
    }

    /// SIGSTOP to the server and each of its processes: connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        let server = self.server.lock().unwrap();
        signal(pid(&server), Signal::SIGSTOP);
        children(pid(&server)).into_iter().for_each(|other| signal(other, Signal::SIGSTOP));
    }

    pub(crate) fn resume(&self) {
        let server = self.server.lock().unwrap();
        children(pid(&server)).into_iter().for_each(|other| signal(other, Signal::SIGCONT));
        signal(pid(&server), Signal::SIGCONT);
    }

    /// Starts it again after it was killed, and waits until it has recovered.
    pub(crate) fn restart(&self) {
        *self.server.lock().unwrap() =
            serve(&self.programs, &self.directory, self.port, self.user.as_ref(), &self.settings);
        self.wait_until_ready();
    }

    /// Dumps the rows of a database's tokens with `pg_dump --data-only --disable-triggers`, to `plain` or `custom`.
    pub(crate) fn dump_data(&self, database: &str, format: &str) -> PathBuf {
        let dump = self.directory.join(format!("{database}.{format}"));
        let tables = ["owner", "token", "selector", "usage"].map(|table| format!("--table=counterfoil_{table}"));
        let mut program = self.client("pg_dump", database);
        program.args(["--data-only", "--disable-triggers", "--format", format]).args(tables).arg("--file").arg(&dump);
        succeed(&mut program);
        dump
    }

    /// Restores such a dump, with `psql` or `pg_restore`.
    pub(crate) fn restore_data(&self, database: &str, format: &str, dump: &Path) {
        let mut program = if format == "plain" {
            let mut psql = self.client("psql", database);
            psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file"]).arg(dump);
            psql
        } else {
            let mut restore = self.client("pg_restore", database);
            restore.args(["--data-only", "--disable-triggers", "--exit-on-error"]).arg(dump);
            restore
        };
        succeed(&mut program);
    }

    /// Dumps a database with `pg_dump` as a script.
    pub(crate) fn dump(&self, database: &str, arguments: &[&str]) -> PathBuf {
        let dump = self.directory.join(format!("{database}.sql"));
        succeed(self.client("pg_dump", database).args(arguments).arg("--file").arg(&dump));
        dump
    }

    /// Runs a script with `psql`. With `is_whole` it must run to its end without an error; otherwise errors are skipped.
    pub(crate) fn load(&self, database: &str, script: &Path, is_whole: bool) {
        let stop = format!("--set=ON_ERROR_STOP={}", u8::from(is_whole));
        succeed(self.client("psql", database).args(["--quiet", "--no-psqlrc", &stop, "--file"]).arg(script));
    }

    /// A program of PostgreSQL's for clients, as the superuser.
    fn client(&self, program: &str, database: &str) -> Command {
        let mut client = command(&self.programs.join(program), self.user.as_ref());
        client.arg("--host").arg(&self.directory).arg("--port").arg(self.port.to_string());
        client.args(["--username=postgres", "--dbname", database]);
        client
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        loop {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            let ready =
                ready.arg("--quiet").arg("--host").arg(&self.directory).arg("--port").arg(self.port.to_string());
            if ready.status().unwrap().success() {
                return;
            }
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(self.server.lock().unwrap().try_wait().unwrap().is_none(), "the server has ended: {}", log());
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not come up: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.resume();
        if let Ok(mut server) = self.server.lock() {
            signal(pid(&server), Signal::SIGQUIT);
            let _ = server.wait();
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A new one in the system's own directory: others must be able to reach it, and a socket's path is short.
fn directory_of(user: Option<&User>) -> PathBuf {
    let directory = TempDir::with_prefix("counterfoil-postgres-").unwrap().keep();
    if let Some(user) = user {
        chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    directory
}

/// The directory of the programs: of those in the path, else the newest that Debian has installed.
fn programs() -> Option<PathBuf> {
    let is_whole = |directory: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "pg_basebackup"].iter().all(|p| directory.join(p).is_file())
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path)
        .filter_map(|directory| Some(fs::canonicalize(directory.join("postgres")).ok()?.parent()?.to_owned()));
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    installed.sort();
    in_path.chain(installed.into_iter().rev().map(|(_, directory)| directory)).find(is_whole)
}

fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn serve(programs: &Path, directory: &Path, port: u16, user: Option<&User>, more: &[String]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
    let mut command = command(&programs.join("postgres"), user);
    let settings = [
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "shared_buffers=64MB",
        // In the directory, so that nothing stays behind a server that was killed.
        "dynamic_shared_memory_type=mmap",
    ];
    command.arg("-D").arg(directory.join("data")).arg("-k").arg(directory).arg("-p").arg(port.to_string());
    let settings = settings.into_iter().chain(more.iter().map(String::as_str));
    command.args(settings.flat_map(|setting| ["-c", setting]));
    // Apart from the tests' own group, so that an interrupt at the terminal leaves the cleaning to the guard.
    command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0).spawn().unwrap()
}

/// Outlives the tests, and cleans up behind them.
fn guard(directory: &Path) -> Child {
    // Woken if it was paused, asked to end at once, and made to if it does not.
    const CLEAN: &str = "cat >/dev/null
        if server=$(head -n 1 \"$0/data/postmaster.pid\" 2>/dev/null); then
            all=\"$(cat /proc/$server/task/*/children 2>/dev/null) $server\"
            kill -CONT $all 2>/dev/null
            kill -QUIT $server 2>/dev/null
            for _ in $(seq 100); do kill -0 $server 2>/dev/null || break; sleep 0.1; done
            kill -KILL $all 2>/dev/null
        fi
        rm -rf \"$0\"";
    let mut command = Command::new("sh");
    let command = command.arg("-c").arg(CLEAN).arg(directory).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn children(parent: Pid) -> Vec<Pid> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// One that has ended meanwhile needs none.
fn signal(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

fn succeed(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
