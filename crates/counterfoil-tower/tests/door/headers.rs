//! Header lines as sent → status.

use counterfoil_tower::{Gate, Kind, Transport};
use http::{HeaderMap, HeaderName, Request, header::AUTHORIZATION};

use crate::support::{issue, registry, runtime, send, serve};

const KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A line and the status: `{T}` stands for a good token, `{B}` for a bad one of the same family.
type Case = (&'static [u8], u16);

fn check(transport: Transport, cases: &[(&[&[u8]], u16)]) {
    let registry = registry();
    let token = issue(&registry);
    let wrong = format!("{}-", &token.expose()[..token.expose().len() - 1]);
    for address in serve(&Gate::new(registry.clone(), transport)) {
        for (lines, status) in cases {
            let filled: Vec<Vec<u8>> = lines.iter().map(|line| fill(line, token.expose(), &wrong)).collect();
            let reply = send(address, &filled.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let shown: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
            assert_eq!(reply.status, *status, "{shown:?}: {reply:?}");
            assert!(!reply.body.contains(token.expose()), "a reply repeats a token");
            assert_eq!(
                reply.header("www-authenticate").is_some(),
                matches!(status, 401) || (*status == 400 && !reply.body.is_empty()),
                "{shown:?}"
            );
        }
    }
}

fn fill(line: &[u8], token: &str, wrong: &str) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.windows(3).position(|part| part == b"{T}" || part == b"{B}") {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(if rest[at + 1] == b'T' { token } else { wrong }.as_bytes());
        rest = &rest[at + 3..];
    }
    filled.extend_from_slice(rest);
    filled
}

/// What is the same at every door that reads `Authorization`.
const BEARER: &[Case] = &[
    (b"Authorization: Bearer {T}", 200),
    (b"authorization: bearer {T}", 200),
    (b"AUTHORIZATION: BEARER {T}", 200),
    (b"Authorization:Bearer {T}", 200),
    (b"Authorization: Bearer    {T}", 200),
    (b"Authorization: \t Bearer {T} \t ", 200), // white space around the value is HTTP's own
    (b"Authorization: Bearer {B}", 401),
    (b"Authorization: Bearer acme_", 401),
    (b"Authorization: Bearer another_family", 401),
    (b"Authorization: Bearer {T}=", 401),
    (b"Authorization: {T}", 401),
    (b"Authorization: Token {T}", 401),
    (b"Authorization: Basic dXNlcjpwYXNz", 401),
    (b"Authorization: BearerX {T}", 401),
    (b"Authorization:", 401),
    (b"Authorization: Bearer", 400),
    (b"Authorization: Bearer ", 400),
    (b"Authorization: Bearer\t{T}", 400),
    (b"Authorization: Bearer \t{T}", 400),
    (b"Authorization: Bearer {T} {T}", 400),
    (b"Authorization: Bearer {T},", 400),
    (b"Authorization: Bearer {T}, Bearer {T}", 400),
    (b"Authorization: Bearer \"{T}\"", 400),
    (b"Authorization: Bearer a=", 401),
    (b"Authorization: Bearer a====", 401),
    (b"Authorization: Bearer =", 400),
    (b"Authorization: Bearer ====", 400),
    (b"Authorization: Bearer   =", 400),
    (b"Authorization: Bearer =abc", 400),
    (b"Authorization: Bearer ={T}", 400),
    (b"Authorization: Bearer a=b", 400),
    (b"Authorization: Bearer a=b=", 400),
    (b"Authorization: Bearer = =", 400),
    (b"Authorization: Bearer \t=", 400),
    (b"Authorization: Bearer=", 400),
    (b"Authorization: Bearer/x", 400),
    (b"Authorization: Bearer/{T}", 400),
    (b"Authorization: Bearer,", 400),
    (b"Authorization: Beare", 401),
    (b"Authorization: Bearer~ {T}", 401),
    (b"Authorization: Bearer:{T}", 400),
    (b"Authorization: Bearer caf\xc3\xa9", 400),
    (b"Authorization: Bearer \xff", 400),
    (b"Authorization: Bearer a\0b", 400),
    (b"Authorization: Bearer a\rb", 400),
];

const NAMED: &[Case] = &[
    (b"X-API-Key: {T}", 200),
    (b"x-api-key:{T}", 200),
    (b"X-Api-Key:  {T}  ", 200),
    (b"X-API-Key: {B}", 401),
    (b"X-API-Key: another_family", 401),
    (b"X-API-Key:", 400),
    (b"X-API-Key: \t ", 400),
    (b"X-API-Key: a==", 401),
    (b"X-API-Key: =", 400),
    (b"X-API-Key: ==", 400),
    (b"X-API-Key: =abc", 400),
    (b"X-API-Key: a=b", 400),
    (b"X-API-Key: ={T}", 400),
    (b"X-API-Key: Bearer {T}", 400),
    (b"X-API-Key: {T},{T}", 400),
    (b"X-API-Key: {T}\t{T}", 400),
    (b"X-API-Key: \xff", 400),
];

fn one_line_each(cases: &[Case]) -> Vec<(Vec<&'static [u8]>, u16)> {
    cases.iter().map(|(line, status)| (vec![*line], *status)).collect()
}

fn check_all(transport: Transport, cases: Vec<(Vec<&'static [u8]>, u16)>) {
    let cases: Vec<_> = cases.iter().map(|(lines, status)| (lines.as_slice(), *status)).collect();
    check(transport, &cases);
}

#[test]
fn a_bearer_door_reads_authorization_alone() {
    let mut cases = one_line_each(BEARER);
    cases.extend(NAMED.iter().map(|(line, _)| (vec![*line], 401)).filter(|(line, _)| !line[0].ends_with(b"\xff")));
    cases.extend([
        (vec![], 401),
        (vec![&b"Authorization: Bearer {T}"[..], b"Authorization: Bearer {T}"], 400),
        (vec![b"Authorization: Bearer {T}", b"Authorization: Basic dXNlcjpwYXNz"], 400),
        (vec![b"Authorization: Bearer {T}", b"X-API-Key: {B}"], 200),
        (vec![b"Authorization: Bearer {B}", b"X-API-Key: {T}"], 401),
    ]);
    check_all(Transport::bearer(), cases);
}

#[test]
fn a_named_door_reads_its_header_alone() {
    let mut cases = one_line_each(NAMED);
    cases.extend([
        (vec![], 401),
        (vec![&b"Authorization: Bearer {T}"[..]], 401),
        (vec![b"Authorization: Bearer"], 401),
        (vec![b"X-API-Key: {T}", b"X-API-Key: {T}"], 400),
        (vec![b"X-API-Key: {T}", b"Authorization: Bearer {B}"], 200),
        (vec![b"X-API-Key: {T}", b"Authorization: Bearer {T}", b"Authorization: Bearer {T}"], 200),
    ]);
    check_all(Transport::header(KEY), cases);
}

#[test]
fn a_door_for_either_takes_exactly_one() {
    let mut cases = one_line_each(BEARER);
    cases.extend(one_line_each(NAMED));
    cases.extend([
        (vec![], 401),
        (vec![&b"X-API-Key: {T}"[..], b"Authorization: Bearer {T}"], 400),
        (vec![b"X-API-Key: {T}", b"Authorization: Bearer {B}"], 400),
        (vec![b"X-API-Key: {T}", b"Authorization: Basic dXNlcjpwYXNz"], 200),
        (vec![b"X-API-Key:", b"Authorization: Bearer {T}"], 400),
    ]);
    check_all(Transport::either(KEY), cases);
}

#[test]
fn what_holds_a_credential_is_marked_however_many_headers_there_are() {
    let fill_up = |headers: &mut HeaderMap| {
        let name = |number| HeaderName::try_from(format!("x-{number}")).unwrap();
        (0..).find(|number| headers.try_insert(name(*number), "1".parse().unwrap()).is_err())
    };
    let lone = |_: &mut HeaderMap| None;
    for (fill, least) in [(&lone as &dyn Fn(&mut HeaderMap) -> Option<usize>, None), (&fill_up, Some(20_000))] {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.headers.insert(AUTHORIZATION, "Bearer acme_1".parse().unwrap());
        parts.headers.insert(KEY, "acme_1".parse().unwrap());
        parts.headers.append(KEY, "acme_2".parse().unwrap());
        assert!(fill(&mut parts.headers) >= least);
        let gate = Gate::new(registry(), Transport::header(KEY));
        let answer = runtime().block_on(gate.admit(&mut parts)).unwrap_err();
        assert_eq!(answer.kind, Kind::Malformed);
        let marked = |name: HeaderName| parts.headers.get_all(name).iter().all(|value| value.is_sensitive());
        assert!(marked(KEY) && !marked(AUTHORIZATION));
    }
}

#[test]
fn credential_of_the_greatest_length_is_read_and_a_longer_one_is_not() {
    let gate = Gate::new(registry(), Transport::either(KEY));
    // A comma is seen where the value is read, and makes it malformed.
    for (prefix, fill, length, status) in [
        ("Authorization: Bearer ", "a", 512, 401),
        ("Authorization: Bearer ", ",", 512, 400),
        ("Authorization: Bearer ", ",", 513, 401),
        ("Authorization: Bearer ", ",", 1 << 20, 401),
        ("Authorization: Bearer ", "=", 512, 400),
        ("Authorization: Bearer ", "=", 513, 401),
        ("X-API-Key: ", ",", 512, 400),
        ("X-API-Key: ", ",", 513, 401),
        ("X-API-Key: ", ",", 1 << 20, 401),
        ("X-API-Key: ", "\u{e9}", 1 << 20, 401),
        ("Authorization: Bearer", " a", 1 << 19, 401),
        ("Authorization: ", "Bearer", 1 << 18, 401),
    ] {
        let [axum, hyper] = serve(&gate);
        let line = format!("{prefix}{}", fill.repeat(length));
        let reply = send(hyper, &[line.as_bytes()]);
        assert_eq!(reply.status, status, "{prefix}{fill} {length} times: {reply:?}");
        if length < 1000 {
            assert_eq!(send(axum, &[line.as_bytes()]).status, status, "{prefix}{fill} {length} times");
        }
    }
}

#[test]
fn greatest_spaces_before_a_token_are_skipped_and_more_are_malformed() {
    let registry = registry();
    let token = issue(&registry);
    for address in serve(&Gate::new(registry, Transport::bearer())) {
        for (spaces, status) in [(1, 200), (64, 200), (65, 400), (600, 401)] {
            let line = format!("Authorization: Bearer{}{}", " ".repeat(spaces), token.expose());
            assert_eq!(send(address, &[line.as_bytes()]).status, status, "{spaces} spaces");
        }
    }
}

#[test]
fn the_query_is_never_read_and_a_huge_value_is_no_panic() {
    let registry = registry();
    let token = issue(&registry);
    for address in serve(&Gate::new(registry.clone(), Transport::bearer())) {
        let long = format!("Authorization: Bearer acme_{}", "a".repeat(64 * 1024));
        assert_eq!(send(address, &[long.as_bytes()]).status, 401);
        let longer = format!("Authorization: Bearer acme_{}", "a".repeat(1 << 20));
        // Axum's server has a limit of its own.
        assert!(matches!(send(address, &[longer.as_bytes()]).status, 0 | 400 | 401 | 431));
        let good = format!("Authorization: Bearer {}", token.expose());
        assert_eq!(send(address, &[good.as_bytes()]).status, 200);
    }
}

/// Header lines at a door that allows `|` → the status. A text with the byte is read, and none of its neighbours is.
#[test]
fn allowed_byte_is_read_and_no_other() {
    let transport = Transport::bearer().allow("|").unwrap();
    let either = Transport::either(KEY).allow("|").unwrap();
    let registry = registry();
    for (transport, line, status) in [
        (Transport::bearer(), &b"Authorization: Bearer 17|abc"[..], 400),
        (transport.clone(), b"Authorization: Bearer 17|abc", 401),
        (transport.clone(), b"Authorization: Bearer |", 401),
        (transport.clone(), b"Authorization: Bearer 17|abc=", 401),
        (transport.clone(), b"Authorization: Bearer 17!abc", 400),
        (transport.clone(), b"Authorization: Bearer 17\\abc", 400),
        (transport.clone(), b"Authorization: Bearer 17|a bc", 400),
        (transport.clone(), b"Authorization: Bearer 17|abc,18|abc", 400),
        (transport.clone(), b"Authorization: Bearer 17|\xc3\xa9", 400),
        (transport, b"Authorization: Bearer|17", 401), // another scheme
        (either.clone(), b"X-API-Key: 17|abc", 401),
        (either, b"X-API-Key: 17;abc", 400),
    ] {
        for address in serve(&Gate::new(registry.clone(), transport)) {
            let reply = send(address, &[line]);
            assert_eq!(reply.status, status, "{}: {reply:?}", line.escape_ascii());
        }
    }
}

#[test]
fn byte_that_surrounds_tokens_is_not_allowed() {
    for (bytes, is_allowed) in
        [("|", true), ("|:!", true), ("", true), ("a", true), (" ", false), (",", false), ("|,", false), ("=", false)]
    {
        assert_eq!(Transport::bearer().allow(bytes).is_ok(), is_allowed, "{bytes:?}");
    }
    for bytes in ["\t", "\r", "\n", "\0", "\x7f", "\"", "\\", "\u{e9}"] {
        assert!(Transport::bearer().allow(bytes).is_err(), "{bytes:?}");
    }
    let error = Transport::bearer().allow("|\n").unwrap_err();
    let expected = r#"byte `\n` in a token: expected printable ascii other than `,`, `"`, `\` and `=`"#;
    assert_eq!(error.to_string(), expected);
}

#[test]
fn other_scheme_is_read_like_bearer() {
    let token = Transport::bearer().scheme("Token").unwrap();
    check(
        token,
        &[
            (&[b"Authorization: Token {T}"], 200),
            (&[b"authorization: token {T}"], 200),
            (&[b"Authorization: Bearer {T}"], 200),
            (&[b"Authorization: Token"], 400),
            (&[b"Authorization: Tokens {T}"], 401),
            (&[b"Authorization: Token {T}", b"Authorization: Token {T}"], 400),
        ],
    );
    for name in ["", "Basic", "basic", "To ken", "Token:", "T\u{e9}"] {
        assert!(Transport::bearer().scheme(name).is_err(), "{name:?}");
    }
}
