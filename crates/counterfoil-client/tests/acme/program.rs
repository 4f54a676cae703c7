//! The program in a home of its own, with standard input from a pipe.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::service::Service;

/// What the program left when it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A user's home, and what is in the environment there. Nothing is taken over from whoever runs the tests.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Home {
    pub(crate) fn new(url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().display().to_string();
        let path = std::env::var("PATH").unwrap();
        let environment = vec![("HOME", home), ("PATH", path), ("ACME_URL", url.to_owned())];
        Self { directory, environment }
    }

    pub(crate) fn at(service: &Service) -> Self {
        Self::new(&service.url())
    }

    pub(crate) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path().join(".config/acme-cli/config.json")
    }

    /// The config file's text; none if there is no file.
    pub(crate) fn kept(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }

    /// Puts a config file there that is the user's alone.
    pub(crate) fn keep(&self, text: &str) {
        fs::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A program that notes the page it is to show, as the user's browser; and where it notes it.
    pub(crate) fn browser(&mut self) -> PathBuf {
        let (program, noted) = (self.path().join("browser"), self.path().join("shown"));
        // Renamed when it is complete, so that whoever sees it sees all of it.
        let script = format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", noted.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        self.environment.push(("BROWSER", program.display().to_string()));
        noted
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = Command::new(program())
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who ends before it has read everything is no fault here.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The example, which is built with the tests, and beside them.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/acme");
    assert!(program.exists(), "build it first: cargo build -p counterfoil-client --example acme");
    program
}
