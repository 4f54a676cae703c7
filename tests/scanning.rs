//! Tokens in texts of others: found wherever they are, by several engines, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and reports what it skips"
)]

mod common;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use common::{at, minting_k1, owner};
use counterfoil::{Alphabet, Checksum, Environment, Grant, Lifetime, TokenFormat};
use regex::{Regex, bytes};

/// What is before a token, and what is behind it.
const SURROUNDINGS: [(&str, &str); 44] = [
    ("", ""),
    ("\n", "\n"),
    ("\r\n", "\r\n"),
    ("\\n", "\\n"),
    ("\\r\\n", "\\t"),
    ("\\t", "\\u0000"),
    ("\\x3d", "\\x22"),
    ("\\u003d", "\\u0026"),
    ("\\u001b[1m", "\\u001b[0m"),
    ("%3D", "%26"),
    ("%22", "%22"),
    ("%20", "%0A"),
    ("?token=", "&page=2"),
    ("https://example.com/", "/parts"),
    ("https:\\/\\/example.com\\/", "\\/parts"),
    ("\u{1b}[1m", "\u{1b}[0m"),
    ("\u{1b}[38;5;196m", "\u{1b}[m"),
    ("日本", "語"),
    ("é", "é"),
    ("ключ", "ключ"),
    ("مفتاح", "مفتاح"),
    ("\u{feff}", "\u{feff}"),
    ("\u{200b}", "\u{200b}"),
    ("\u{a0}", "\u{a0}"),
    ("😀", "😀"),
    ("0", "0"),
    ("abc", "abc"),
    ("TOKEN", "END"),
    ("_", "_"),
    ("__", "__"),
    ("-", "-"),
    ("token_", "_token"),
    ("\"", "\""),
    ("\\\"", "\\\""),
    ("&quot;", "&quot;"),
    ("&#61;", "&#10;"),
    ("`", "`"),
    ("**", "**"),
    ("<b>", "</b>"),
    ("(", ")"),
    ("Bearer+", "="),
    ("SGVsbG8gd29ybGQ", "SGVsbG8gd29ybGQ=="),
    ("\0", "\0"),
    ("$", ";"),
];

fn formats() -> Vec<TokenFormat> {
    [
        TokenFormat::builder("acme"),
        TokenFormat::builder("ak").environments(["live", "test"]).selector(Alphabet::Base62, 8),
        TokenFormat::builder("ghp").without_selector().secret(Alphabet::Base62, 30).checksum(Checksum::Crc32OfSecret),
        TokenFormat::builder("hx").without_selector().secret(Alphabet::Hex, 40),
        TokenFormat::builder("rt").routing(2, 12),
        TokenFormat::builder("old_key").without_selector().secret(Alphabet::Base62, 40).checksum(Checksum::None),
    ]
    .map(|format| format.build().unwrap())
    .into()
}

fn mint(format: &TokenFormat) -> String {
    let mut grant = Grant::new(owner("user-42"), Lifetime::days(1));
    if format.scanner_pattern().contains("live") {
        grant = grant.environment(Environment::new("live").unwrap());
    }
    if format.prefix() == "rt" {
        grant = grant.routing("eu-1");
    }
    grant.mint(format, &minting_k1(), at(Duration::ZERO)).unwrap().token.expose().to_owned()
}

/// The tokens in a page, as the guide shows it.
fn scan<'t>(format: &TokenFormat, page: &'t str) -> Vec<&'t str> {
    let pattern = Regex::new(&format.scanner_pattern()).unwrap();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(found) = pattern.find_at(page, at) {
        if format.parse(found.as_str()).is_ok() {
            tokens.push(found.as_str());
            at = found.end();
        } else {
            at = found.start() + 1;
        }
    }
    tokens
}

#[test]
fn token_is_found_in_every_surrounding() {
    for format in formats() {
        let (token, other) = (mint(&format), mint(&format));
        for (before, after) in SURROUNDINGS {
            let page = format!("{before}{token}{after}{before}{other}{after}");
            assert_eq!(scan(&format, &page), [&*token, &*other], "{page:?}");
        }
        assert_eq!(scan(&format, &format!("{token}{other}")), [&*token, &*other], "next to each other");
        // In bytes that are not UTF-8.
        let pattern = bytes::Regex::new(&format!("(?-u){}", format.scanner_pattern())).unwrap();
        let page = [b"\xff\xfe".as_slice(), token.as_bytes(), b"\xff"].concat();
        assert_eq!(pattern.find(&page).map(|found| found.as_bytes()), Some(token.as_bytes()));
    }
}

/// What looks like a token and is refused by its checksum; a token directly behind it is found.
#[test]
fn look_alike_is_dropped_and_hides_no_token() {
    for format in formats().into_iter().filter(|format| format.fake().is_some()) {
        let token = mint(&format);
        let swapped = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { "1" } else { "0" });
        for look_alike in [format.fake().unwrap(), swapped.clone()] {
            assert_eq!(scan(&format, &look_alike), Vec::<&str>::new(), "{look_alike}");
            for between in ["", " ", "\\n"] {
                let page = format!("{look_alike}{between}{token}{between}{look_alike}");
                assert_eq!(scan(&format, &page), [&*token], "{page}");
            }
        }
        for cut in 1..token.len() {
            let page = format!("{}{token}", &token[..cut]);
            assert_eq!(scan(&format, &page), [&*token], "{page}");
        }
    }
}

/// Runs a program with a page as its standard input; none where it is not installed and not demanded.
fn output(program: &str, arguments: &[&str], page: &[u8]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").env("PYTHONIOENCODING", "utf-8");
    let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        assert!(std::env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_none(), "{program} is not installed");
        eprintln!("NOT RUN: {program} is not installed");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let page = page.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&page));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

/// One page with a token in every surrounding, searched by the engines of other languages.
#[test]
fn other_engines_find_the_same_tokens() {
    let python = "import re,sys\npage=sys.stdin.buffer.read()\n\
        found=re.findall(sys.argv[1],page.decode())\n\
        assert found==[one.decode() for one in re.findall(sys.argv[1].encode(),page)]\n\
        print('\\n'.join(found))";
    for format in formats() {
        let token = mint(&format);
        let lines = SURROUNDINGS.iter().filter(|(before, _)| !before.contains('\0'));
        let page: String = lines.clone().map(|(before, after)| format!("{before}{token}{after}\n")).collect();
        let expected = format!("{token}\n").repeat(lines.count());
        let pattern = format.scanner_pattern();
        for (program, arguments) in [("python3", &["-c", python, &pattern][..]), ("grep", &["-aoP", &pattern])] {
            if let Some(found) = output(program, arguments, page.as_bytes()) {
                assert_eq!(found, expected, "{program} {pattern}");
            }
        }
    }
}
