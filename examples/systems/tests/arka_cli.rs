//! What ARKA's page on personal access tokens says of the command-line program, statement by statement: the program
//! itself, on a terminal and in scripts, with the service behind it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod rig;

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use counterfoil::{Grant, Lifetime, Owner, Token, TokenFormat};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rig::Rig;
use systems::{
    arka::{Arka, page},
    host::Service as _,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_arka-code");
const PAGE: &str = "https://arka-ai.com/app/personal/settings/tokens";
const NO_PRO: &str = "arka-code: the server refuses: Pro subscription required (see https://arka-ai.com/billing)\n";
const INVALID: &str = "arka-code: the server does not accept this token: Invalid token\n";
const PATIENCE: Duration = Duration::from_secs(20);

/// The service, ann with a Pro subscription, and her home directory.
struct World {
    rig: Rig<Arka>,
    home: TempDir,
}

#[derive(Debug, PartialEq, Eq)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn said(out: &str) -> Ended {
    Ended { code: 0, out: out.to_owned(), err: String::new() }
}

fn failed(err: &str) -> Ended {
    Ended { code: 1, out: String::new(), err: err.to_owned() }
}

impl World {
    async fn new() -> Self {
        let world = Self { rig: Rig::start().await, home: tempfile::tempdir().unwrap() };
        world.rig.service.plans.subscribe(&Self::ann());
        world
    }

    fn ann() -> Owner {
        Owner::new("ann").unwrap()
    }

    async fn token(&self, name: &str) -> Token {
        let grant = Grant::new(Self::ann(), Lifetime::Forever).name(name.parse().unwrap());
        self.rig.service.registry().issue(grant).await.unwrap().token
    }

    /// With the trash icon beside the token's name on the tokens page.
    async fn revoke(&self, name: &str) {
        let session = self.rig.service.sessions.sign_in(Self::ann()).unwrap();
        let page = self.rig.page(&session, page::PATH).await;
        let reply = self.rig.submit(&session, &page.link(&format!("🗑 Delete {name}")).unwrap(), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/arka-code-nodejs/config.json")
    }

    fn kept(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }

    /// The program's environment: nothing is taken over from whoever runs the tests.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.home.path().display().to_string();
        vec![("HOME", home), ("PATH", env!("PATH").to_owned()), ("ARKA_API_URL", self.rig.url.clone())]
    }

    fn run(&self, more: &[(&'static str, &str)], arguments: &[&str], input: &str) -> Ended {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .envs(more.iter().copied())
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

    fn log_in(&self, token: &Token) -> Ended {
        self.run(&[], &["login"], token.expose())
    }

    fn ask(&self) -> Ended {
        self.run(&[], &["ask", "why?"], "")
    }
}

fn created_at(server: &str, err: &str) -> String {
    format!("Create a token at {server}/app/personal/settings/tokens\n{err}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_requires_a_token() {
    let world = World::new().await;
    let missing = format!(
        "arka-code: no token: --api-key and ARKA_API_KEY are not given, and {} does not exist\n",
        world.file().display()
    );
    assert_eq!(world.ask(), failed(&missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn login_opens_the_tokens_page_and_prompts_for_the_paste_without_showing_it() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    let (browser, opened) = (world.home.path().join("browser"), world.home.path().join("opened"));
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", opened.display());
    fs::write(&browser, script).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).unwrap();

    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(PROGRAM);
    command.arg("login");
    command.cwd(world.home.path());
    command.env_clear();
    for (name, value) in world.environment() {
        command.env(name, value);
    }
    command.env("BROWSER", &browser);
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let (mut reader, mut keyboard) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
    let (sender, screen) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 1024];
        // An error is the end as well: a terminal that nobody holds open any more.
        while let Ok(read @ 1..) = reader.read(&mut bytes) {
            let _ = sender.send(String::from_utf8_lossy(&bytes[..read]).into_owned());
        }
    });
    let mut shown = String::new();
    while !shown.contains("Paste your token") {
        shown += &screen.recv_timeout(PATIENCE).expect("no prompt");
    }
    let tty = pair.master.tty_name().unwrap();
    let settings = || String::from_utf8(Command::new("stty").arg("-aF").arg(&tty).output().unwrap().stdout).unwrap();
    let end = Instant::now() + PATIENCE;
    while !settings().contains("-echo ") {
        assert!(Instant::now() < end, "the terminal shows what is typed");
    }
    keyboard.write_all(format!("{}\r", token.expose()).as_bytes()).unwrap();
    while let Ok(text) = screen.recv_timeout(PATIENCE) {
        shown += &text;
    }
    assert!(child.wait().unwrap().success(), "{shown}");
    let url = format!("{}{}", world.rig.url, PAGE.strip_prefix("https://arka-ai.com").unwrap());
    assert!(shown.contains(&url) && shown.contains("Logged in.") && shown.contains("MacBook Pro"), "{shown}");
    assert!(!shown.contains(token.expose()), "{shown}");
    while !opened.exists() {
        assert!(Instant::now() < end, "no browser was opened");
    }
    let opened = fs::read_to_string(opened).unwrap();
    assert_eq!(opened, url);
    // It is the page that the service has, on which the token stands.
    let session = world.rig.service.sessions.sign_in(World::ann()).unwrap();
    let page = world.rig.page(&session, opened.strip_prefix(&world.rig.url).unwrap()).await;
    assert_eq!((page.heading().as_str(), &*page.rows()[0]["Name"]), ("Personal Access Tokens", "MacBook Pro"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_stored_in_the_config_file_for_its_owner_alone() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    assert_eq!(world.log_in(&token).code, 0);
    assert_eq!(world.kept().unwrap(), format!("{{\n  \"apiKey\": \"{}\"\n}}\n", token.expose()));
    assert_eq!(fs::metadata(world.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(world.ask(), said("ann asked: why?\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_location_varies_with_the_users_config_directory() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    let elsewhere = world.home.path().join("elsewhere");
    let environment = [("XDG_CONFIG_HOME", elsewhere.to_str().unwrap())];
    assert_eq!(world.run(&environment, &["login"], token.expose()).code, 0);
    assert!(elsewhere.join("arka-code-nodejs/config.json").is_file());
    assert_eq!(world.kept(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_needs_no_file() {
    let world = World::new().await;
    let token = world.token("CI/CD Pipeline").await;
    let environment = [("ARKA_API_KEY", token.expose())];
    assert_eq!(world.run(&environment, &["ask", "why?"], ""), said("ann asked: why?\n"));
    let who = world.run(&environment, &["whoami"], "");
    let expected = "name     CI/CD Pipeline\ntoken    arka_…\nscopes   none\nexpires  never\n\
         from     the environment variable ARKA_API_KEY\n";
    assert_eq!(who, said(expected));
    assert_eq!(world.kept(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_on_the_command_line_comes_before_the_environment_and_the_file() {
    let world = World::new().await;
    let (given, set, stored) = (world.token("given").await, world.token("set").await, world.token("stored").await);
    assert_eq!(world.log_in(&stored).code, 0);
    let set = [("ARKA_API_KEY", set.expose())];
    let empty = [("ARKA_API_KEY", "")];
    let flag = ["whoami", "--api-key", given.expose()];
    let file = world.file().display().to_string();
    let table: [(_, &[_], _, _); 4] = [
        (&set[..], &flag, "given", "the option --api-key"),
        (&set[..], &["whoami"], "set", "the environment variable ARKA_API_KEY"),
        (&empty[..], &["whoami"], "stored", &*file),
        (&[], &["whoami"], "stored", &file),
    ];
    for (environment, arguments, name, source) in table {
        let ended = world.run(environment, arguments, "");
        assert!(ended.out.starts_with(&format!("name     {name}\n")), "{ended:?}");
        assert!(ended.out.ends_with(&format!("from     {source}\n")), "{ended:?}");
    }
    assert_eq!(world.run(&set, &["--api-key", given.expose(), "ask", "why?"], ""), said("ann asked: why?\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_clears_the_stored_token_and_leaves_it_good() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    assert_eq!(world.log_in(&token).code, 0);
    let expected = format!(
        "Removed {}, which held the token alone.\n\
         This is local: the token works until it is revoked. Revoke it at {PAGE}\n",
        world.file().display()
    );
    assert_eq!(world.run(&[], &["logout", "--server", "https://arka-ai.com"], ""), said(&expected));
    assert_eq!(world.kept(), None);
    assert_eq!(world.ask().code, 1);
    assert_eq!(world.run(&[], &["ask", "why?", "--api-key", token.expose()], "").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_a_revoked_token_stops_working_at_once() {
    let world = World::new().await;
    let (lost, other) = (world.token("Work Laptop").await, world.token("MacBook Pro").await);
    assert_eq!(world.log_in(&lost).code, 0);
    assert_eq!(world.ask().code, 0);
    world.revoke("Work Laptop").await;
    assert_eq!(world.ask(), failed(INVALID));
    // Each is revoked by itself: the other device goes on.
    assert_eq!(world.run(&[("ARKA_API_KEY", other.expose())], &["ask", "why?"], "").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_token_is_told_by_the_server_and_not_stored() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    world.revoke("MacBook Pro").await;
    assert_eq!(world.log_in(&token), failed(&created_at(&world.rig.url, INVALID)));
    assert_eq!(world.kept(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_start_with_arka_is_told_without_a_server() {
    let world = World::new().await;
    let token = TokenFormat::builder("arca").build().unwrap().fake().unwrap();
    let expected = "this does not begin with `arka_`, as every token of this program does\n";
    // Nobody is there: whoever asked would say so.
    let nobody = "http://127.0.0.1:1";
    let login = world.run(&[], &["login", "--server", nobody], &token);
    assert_eq!(login, failed(&created_at(nobody, &format!("arka-code: not a token: {expected}"))));
    let nobody = [("ARKA_API_URL", nobody)];
    let ask = world.run(&nobody, &["ask", "why?", "--api-key", &token], "");
    assert_eq!(ask, failed(&format!("arka-code: the token from the option --api-key cannot be used: {expected}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_page_is_told_to_be_an_example() {
    let world = World::new().await;
    let example = [("ARKA_API_KEY", "arka_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")];
    let expected = "arka-code: the token from the environment variable ARKA_API_KEY cannot be used: \
         the checksum does not fit: a character was mistyped or lost\n";
    assert_eq!(world.run(&example, &["ask", "why?"], ""), failed(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pro_subscription_the_text_and_the_link_are_shown() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    assert_eq!(world.log_in(&token).code, 0);
    world.rig.service.plans.cancel(&World::ann());
    assert_eq!(world.ask(), failed(NO_PRO));
    assert_eq!(world.run(&[], &["whoami"], ""), failed(NO_PRO));

    let kept = world.kept();
    assert_eq!(world.log_in(&token), failed(&created_at(&world.rig.url, NO_PRO)));
    assert_eq!(world.kept(), kept); // the old token stays

    world.rig.service.plans.subscribe(&World::ann());
    assert_eq!(world.ask().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_that_of_the_option_before_that_of_the_environment() {
    let world = World::new().await;
    let token = world.token("MacBook Pro").await;
    let wrong = [("ARKA_API_URL", "http://127.0.0.1:1"), ("ARKA_API_KEY", token.expose())];
    assert_eq!(world.run(&wrong, &["ask", "why?"], "").code, 1);
    assert_eq!(world.run(&wrong, &["ask", "why?", "--server", &world.rig.url], ""), said("ann asked: why?\n"));
    let far = world.run(&wrong, &["ask", "why?", "--server", "http://arka-ai.com"], "");
    assert!(far.err.contains("expected https"), "{far:?}");
}
