//! What is typed or piped → what is shown, sent, and kept.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, Instant},
};

use counterfoil::policy::{Objection, Refusal};

use crate::{
    program::{Ended, Home},
    service::{END, Service},
    terminal::Terminal,
};

const PAGE: &str = "https://acme.example/settings/tokens";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn kept(token: &str) -> Option<String> {
    Some(format!("{{\n  \"apiKey\": \"{token}\"\n}}\n"))
}

#[test]
fn a_pasted_token_is_not_shown_and_is_kept() {
    let service = Service::new();
    let mut home = Home::at(&service);
    let page = home.browser();
    let token = service.issue("MacBook Pro");
    let mut terminal = Terminal::run(&home, &["login"]);
    terminal.prompts();
    terminal.types(&format!("{}\r", token.expose()));
    let (status, shown) = terminal.ends();

    assert!(status.success(), "{shown}");
    let lines = [
        format!("Create a token at {PAGE}"),
        "Paste your token (it will not be shown): ".to_owned(),
        "Logged in.".to_owned(),
        "name     MacBook Pro".to_owned(),
        format!("token    {}…", token.public()),
        "scopes   parts:read parts:write".to_owned(),
        format!("expires  {END}"),
        format!("stored   {}", home.file().display()),
        String::new(),
    ];
    assert_eq!(shown, lines.join("\r\n"));
    assert_eq!(home.kept(), kept(token.expose()));
    assert_eq!((mode(&home.file()), mode(home.file().parent().unwrap())), (0o600, 0o700));

    let end = Instant::now() + Duration::from_secs(20);
    while !page.exists() {
        assert!(Instant::now() < end, "no browser was opened");
    }
    assert_eq!(fs::read_to_string(page).unwrap(), PAGE);
}

#[test]
fn the_terminal_shows_again_what_is_typed_afterwards() {
    let home = Home::new("http://127.0.0.1:1");
    let mut terminal = Terminal::run(&home, &["login"]);
    terminal.prompts();
    terminal.types("what is this\r");
    terminal.shows("acme: not a token: this holds a blank or a line break, which no token does");
    assert!(terminal.echoes());
    assert!(!terminal.ends().0.success());
}

#[test]
fn who_breaks_off_leaves_nothing_and_gets_the_terminal_back() {
    let service = Service::new();
    let home = Home::at(&service);
    let table = [("\u{3}", Some("Interrupt")), ("\u{4}", None)];
    for (key, signal) in table {
        let mut terminal = Terminal::run(&home, &["login"]);
        terminal.prompts();
        terminal.types(key);
        let status = terminal.waits();
        assert_eq!((status.success(), status.signal()), (false, signal));
        assert!(terminal.echoes(), "{key:?}");
        assert_eq!((home.kept(), service.asked()), (None, 0));
    }
}

#[test]
fn no_browser_is_opened_for_scripts_or_where_it_is_not_wanted() {
    let service = Service::new();
    let token = service.issue("CI");
    let mut home = Home::at(&service);
    let page = home.browser();
    let Ended { code, err, .. } = home.run(&["login"], token.expose());
    assert_eq!((code, &*err), (0, &*format!("Create a token at {PAGE}\n")));

    let mut terminal = Terminal::run(&home, &["login", "--no-browser"]);
    terminal.prompts();
    terminal.types(&format!("{}\r", token.expose()));
    let (status, shown) = terminal.ends();
    assert!(status.success() && shown.contains(PAGE), "{shown}");
    assert!(!page.exists());
}

#[test]
fn blanks_around_a_paste_are_dropped() {
    let service = Service::new();
    let token = service.issue("CI");
    let token = token.expose();
    for input in [token.to_owned(), format!("{token}\n"), format!("  {token}\t\r\n"), format!("{token}\nmore\n")] {
        let home = Home::at(&service);
        let ended = home.run(&["login"], &input);
        assert_eq!((ended.code, home.kept()), (0, kept(token)), "{input:?} {ended:?}");
    }
}

#[test]
fn what_is_no_token_is_told_and_goes_nowhere() {
    let service = Service::new();
    let token = service.issue("CI");
    let token = token.expose();
    let swapped = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    let table = [
        (String::new(), "this is empty"),
        ("\n".to_owned(), "this is empty"),
        (format!("\n{token}\n"), "this is empty"),
        (token[..token.len() - 12].to_owned(), "this is 12 characters short"),
        (format!("{token}{token}"), "this is 56 characters too long"),
        (swapped, "the checksum does not fit: a character was mistyped or lost"),
        (token.replacen("acme", "ghp", 1), "this does not begin with `acme_`, as every token of this program does"),
        (format!("Bearer {token}"), "this holds a blank or a line break, which no token does"),
        ("acme_\u{1b}[2J".to_owned(), "this holds a character that no token has"),
        ("x".repeat(1 << 20), "this does not begin with `acme_`, as every token of this program does"),
    ];
    for (input, expected) in table {
        let home = Home::at(&service);
        let ended = home.run(&["login"], &input);
        let expected = format!("Create a token at {PAGE}\nacme: not a token: {expected}\n");
        assert_eq!(ended, Ended { code: 1, out: String::new(), err: expected });
        assert_eq!((home.kept(), service.asked()), (None, 0));
    }
}

#[test]
fn what_the_server_does_not_accept_is_told_and_not_kept() {
    let plan = || {
        let refusal = Refusal::new("plan_required", "Pro subscription required");
        Err(refusal.link("https://acme.example/billing").into())
    };
    let down = || Err(Objection::Unavailable("the plans cannot be read".into()));
    let open = Service::new();
    let revoked = open.issue("CI");
    open.revoke(&revoked);
    let stranger = Service::new().issue("of another server");
    let (no_plan, is_down) = (Service::that_objects(plan), Service::that_objects(down));
    let unavailable = "the server cannot answer now (status 503): the token cannot be checked now, try again in 1 s";
    let table = [
        (&open, &revoked, "the server does not accept this token: the token is revoked"),
        (&open, &stranger, "the server does not accept this token: the token is not valid"),
        (
            &no_plan,
            &no_plan.issue("CI"),
            "the server refuses: Pro subscription required (see https://acme.example/billing)",
        ),
        (&is_down, &is_down.issue("CI"), unavailable),
    ];
    for (service, token, expected) in table {
        let home = Home::at(service);
        let before = service.asked();
        let ended = home.run(&["login"], token.expose());
        assert_eq!((ended.code, &*ended.out), (1, ""));
        assert_eq!(ended.err, format!("Create a token at {PAGE}\nacme: {expected}\n"));
        assert_eq!((home.kept(), service.asked()), (None, before + 1));
    }
}

#[test]
fn a_login_that_fails_keeps_the_old_token() {
    let service = Service::new();
    let (old, revoked) = (service.issue("old"), service.issue("new"));
    service.revoke(&revoked);
    let home = Home::at(&service);
    assert_eq!(home.run(&["login"], old.expose()).code, 0);
    assert_eq!(home.run(&["login"], revoked.expose()).code, 1);
    assert_eq!(home.kept(), kept(old.expose()));
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_refuses() {
    let service = Service::new();
    let token = service.issue("CI");
    // Bound and closed again, so that nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}"), "https://no-such-host.invalid".to_owned(), {
        // TLS with a server that has none.
        service.url().replace("http:", "https:")
    }] {
        let home = Home::new(&url);
        let ended = home.run(&["login"], token.expose());
        assert_eq!((ended.code, home.kept()), (1, None));
        assert!(ended.err.contains("\nacme: no answer from the server: "), "{}", ended.err);
        assert!(!ended.err.contains(token.expose()));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anybody_is_asked() {
    let service = Service::new();
    let token = service.issue("CI");
    let home = Home::at(&service);
    home.keep("{}");
    fs::set_permissions(home.file(), fs::Permissions::from_mode(0o640)).unwrap();
    let ended = home.run(&["login"], token.expose());
    let file = home.file().display().to_string();
    let expected = format!("acme: {file}: others can use this file (mode 0640), fix it with: chmod 600 {file}\n");
    assert_eq!(ended, Ended { code: 1, out: String::new(), err: expected });

    fs::remove_file(home.file()).unwrap();
    symlink("/dev/null", home.file()).unwrap();
    let ended = home.run(&["login"], token.expose());
    assert_eq!(ended.err, format!("acme: {file}: this is not a file\n"));
    assert_eq!(service.asked(), 0);
}

#[test]
fn a_variable_that_comes_before_the_stored_token_is_told() {
    let service = Service::new();
    let token = service.issue("CI");
    let note = "\nNote: ACME_API_KEY is set, and comes before the stored token.\n";
    for (value, told) in [("something", true), ("", false)] {
        let home = Home::at(&service).set("ACME_API_KEY", value);
        let ended = home.run(&["login"], token.expose());
        assert_eq!((ended.code, ended.out.ends_with(note)), (0, told), "{ended:?}");
    }
}

#[test]
fn the_file_lies_where_the_user_keeps_such_files() {
    let service = Service::new();
    let token = service.issue("CI");
    let home = Home::at(&service);
    let elsewhere = home.path().join("elsewhere");
    let home = home.set("XDG_CONFIG_HOME", elsewhere.to_str().unwrap());
    assert_eq!(home.run(&["login"], token.expose()).code, 0);
    assert_eq!(mode(&elsewhere.join("acme-cli/config.json")), 0o600);
    assert_eq!(home.kept(), None);

    // As the specification has it, a path that is not absolute is ignored.
    let home = Home::at(&service).set("XDG_CONFIG_HOME", "elsewhere");
    assert_eq!(home.run(&["login"], token.expose()).code, 0);
    assert_eq!(home.kept(), kept(token.expose()));
}

#[test]
fn a_token_without_tls_is_shown_to_no_proxy() {
    let service = Service::new();
    let token = service.issue("CI");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let home = Home::at(&service).set("http_proxy", &address).set("HTTP_PROXY", &address).set("ALL_PROXY", &address);
    assert_eq!(home.run(&["login"], token.expose()).code, 0);
    proxy.set_nonblocking(true).unwrap();
    assert_eq!(proxy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
