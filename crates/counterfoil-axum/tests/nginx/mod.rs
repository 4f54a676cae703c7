//! A real nginx in front of a service under test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running nginx with a directory of its own. It ends when this is dropped.
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Nginx {
    /// Starts nginx with one server on a free port of 127.0.0.1, and returns when it listens.
    ///
    /// `http` goes into the `http` block, for example `proxy_cache_path cache keys_zone=c:1m;`
    /// (relative paths are below a temporary directory). `server` goes into the `server` block, for
    /// example `location / { proxy_pass http://127.0.0.1:3000; }`.
    ///
    /// Without nginx this prints that the test was skipped and returns `None`; if
    /// `COUNTERFOIL_REQUIRE_TOOLS` is set it panics.
    pub(crate) fn start(http: &str, server: &str) -> Option<Self> {
        let Some(program) = program() else {
            skip("no nginx on this machine: `apt-get install nginx`");
            return None;
        };
        // Another process may take a free port before nginx does.
        (0..5).find_map(|_| Self::try_start(&program, http, server)).or_else(|| panic!("nginx did not start"))
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What nginx has logged so far, to be shown when a test fails.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }

    fn try_start(program: &Path, http: &str, server: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = directory.path().join("nginx.conf");
        fs::write(&file, config(address, http, server)).unwrap();
        let child = Command::new(program)
            .args(["-e", "error.log", "-p"])
            .arg(directory.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx can be run");
        let mut nginx = Self { child, address, directory };
        let deadline = Instant::now() + Duration::from_secs(20);
        while nginx.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            if TcpStream::connect(address).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = nginx.log();
        assert!(log.contains("Address already in use"), "nginx did not start: {log}");
        None
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process, so that ending it ends all of nginx.
fn config(address: SocketAddr, http: &str, server: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid nginx.pid;\n\
         events {{}}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         {http}\n\
         server {{\nlisten {address};\n{server}\n}}\n\
         }}\n"
    )
}

fn program() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    // `/usr/sbin` is not on everyone's path.
    let mut directories = env::split_paths(&paths).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.find_map(|directory| Some(directory.join("nginx")).filter(|program| program.is_file()))
}

/// Prints past what the test harness captures that a test is skipped.
fn skip(why: &str) {
    assert!(env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_none(), "{why}");
    let thread = std::thread::current();
    writeln!(std::io::stderr(), "SKIPPED {}: {why}", thread.name().unwrap_or("a test"))
        .expect("standard error takes a line");
}
