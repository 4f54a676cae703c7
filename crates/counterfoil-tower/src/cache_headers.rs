//! The `Cache-Control` and `Vary` headers of responses behind a door.
//!
//! RFC 9111, section 3.5 keeps shared caches from storing the response to a request with
//! `Authorization`. It does not cover other headers such as `X-API-Key`, and widespread caches do
//! not follow it: nginx stores such a response as soon as `proxy_cache_valid` or `max-age` allows
//! it. So each response states its own terms.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, VARY},
};

use crate::transport::Transport;

const NO_STORE: &str = "no-store";
const PRIVATE: &str = "private";

/// The value of `Vary` for a transport: every header that it reads.
pub(crate) fn vary_of(transport: &Transport) -> HeaderValue {
    let names: Vec<_> = transport.headers().map(HeaderName::as_str).collect();
    // INVARIANT: header names, commas and spaces are valid in a value.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("*"))
}

/// Adds `names`, a comma-separated list, to `Vary`.
///
/// The result is one line: nginx before 1.23 reads only the last of several. Nothing is allocated
/// if the response has no `Vary` of its own.
pub(crate) fn add_vary(headers: &mut HeaderMap, names: &HeaderValue) {
    if !headers.contains_key(VARY) {
        headers.insert(VARY, names.clone());
        return;
    }
    let mut joined = joined(headers, &VARY);
    let is_listed = |name: &[u8], list: &[u8]| {
        let mut listed = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        listed.any(|listed| listed == b"*" || listed.eq_ignore_ascii_case(name))
    };
    for name in names.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if !is_listed(name, &joined) {
            append(&mut joined, name);
        }
    }
    set(headers, VARY, &joined);
}

/// Restricts who may store a response, unless the response decides with `public`, `s-maxage`, `private`
/// or `no-store`.
///
/// Responses to a request with a credential get `private`, and those with status 401, 403, 429 or
/// 503 `no-store`. Other directives such as `max-age=60` remain. Nothing is allocated if the
/// response has no `Cache-Control` or has decided.
pub(crate) fn restrict_caching(headers: &mut HeaderMap, status: StatusCode, is_presented: bool) {
    let directive = match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => NO_STORE,
        _ if is_presented => PRIVATE,
        _ => return,
    };
    let Some(first) = headers.get(CACHE_CONTROL) else {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(directive));
        return;
    };
    if matches!(decision(first.as_bytes()), Decision::Made) {
        return;
    }
    let mut joined = joined(headers, &CACHE_CONTROL);
    match decision(&joined) {
        Decision::Made => return,
        Decision::Open => append(&mut joined, directive.as_bytes()),
        // What is appended would be part of the open string.
        Decision::Unreadable => joined.splice(..0, directive.bytes().chain(*b", ")).for_each(drop),
    }
    set(headers, CACHE_CONTROL, &joined);
}

enum Decision {
    /// A directive says who may store the response.
    Made,
    Open,
    /// A quoted string does not end.
    Unreadable,
}

/// Reads the directives of `Cache-Control` (RFC 9111, section 5.2): names without case, arguments
/// as a token or a quoted string, in which a comma does not separate.
fn decision(list: &[u8]) -> Decision {
    let (mut start, mut is_quoted, mut is_escaped, mut is_made) = (0, false, false, false);
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                is_made |= decides(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    is_made |= !is_quoted && decides(&list[start..]);
    match (is_made, is_quoted) {
        (true, _) => Decision::Made,
        (false, true) => Decision::Unreadable,
        (false, false) => Decision::Open,
    }
}

/// Whether a directive says who may store the response. `private="…"` does not: it is about the
/// named header fields (RFC 9111, section 5.2.2.7).
fn decides(directive: &[u8]) -> bool {
    let end = directive.iter().position(|byte| *byte == b'=');
    let name = directive[..end.unwrap_or(directive.len())].trim_ascii();
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    is("public") || is("s-maxage") || is(NO_STORE) || is(PRIVATE) && end.is_none()
}

/// All lines of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let mut joined = Vec::new();
    for line in headers.get_all(name) {
        append(&mut joined, line.as_bytes());
    }
    joined
}

fn append(list: &mut Vec<u8>, element: &[u8]) {
    if !list.trim_ascii().is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element);
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    // INVARIANT: values joined by commas are a value.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect()
    }

    fn lines(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
        headers.get_all(name).iter().map(|line| line.to_str().unwrap()).collect()
    }

    #[test]
    fn response_to_a_credential_is_private_unless_it_says_otherwise() {
        for (own, expected) in [
            (&[][..], &["private"][..]),
            (&[""], &["private"]),
            (&["max-age=60"], &["max-age=60, private"]),
            (&["Max-Age=60"], &["Max-Age=60, private"]),
            (&["max-age=60", "must-revalidate"], &["max-age=60, must-revalidate, private"]),
            (&["no-cache"], &["no-cache, private"]),
            (&["must-revalidate"], &["must-revalidate, private"]),
            (&[r#"max-age="60""#], &[r#"max-age="60", private"#]),
            (&[r#"private="x-name""#], &[r#"private="x-name", private"#]),
            (&["private=x-name"], &["private=x-name, private"]),
            (&[r#"extension="public, s-maxage=1""#], &[r#"extension="public, s-maxage=1", private"#]),
            (&[r#"extension="\", public""#], &[r#"extension="\", public", private"#]),
            (&["publicly"], &["publicly, private"]),
            (&["x-private"], &["x-private, private"]),
            (&["max-age=60,"], &["max-age=60,, private"]),
            // The string does not end: what follows would belong to it.
            (&[r#"extension="public"#], &[r#"private, extension="public"#]),
            (&["private"], &["private"]),
            (&["PRIVATE, max-age=60"], &["PRIVATE, max-age=60"]),
            (&["public"], &["public"]),
            (&["Public , max-age=60"], &["Public , max-age=60"]),
            (&["max-age=60", "public"], &["max-age=60", "public"]),
            (&["s-maxage=60"], &["s-maxage=60"]),
            (&[r#"S-MaxAge = "60""#], &[r#"S-MaxAge = "60""#]),
            (&["no-store"], &["no-store"]),
            (&["max-age=0,\tno-store"], &["max-age=0,\tno-store"]),
            (&[r#"extension="a, b", public"#], &[r#"extension="a, b", public"#]),
        ] {
            for status in [StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
                let mut headers = headers(CACHE_CONTROL, own);
                restrict_caching(&mut headers, status, true);
                assert_eq!(lines(&headers, CACHE_CONTROL), expected, "{status}: {own:?}");
            }
        }
    }

    #[test]
    fn response_without_a_credential_keeps_its_own_terms() {
        for own in [&[][..], &["max-age=60"], &["private"]] {
            let mut headers = headers(CACHE_CONTROL, own);
            restrict_caching(&mut headers, StatusCode::OK, false);
            assert_eq!(lines(&headers, CACHE_CONTROL), own);
        }
    }

    #[test]
    fn refusal_is_not_stored_whoever_writes_it() {
        for (status, is_presented) in
            [401, 403, 429, 503].into_iter().flat_map(|status| [(status, true), (status, false)])
        {
            for (own, expected) in [
                (&[][..], &["no-store"][..]),
                (&["max-age=60"], &["max-age=60, no-store"]),
                (&["public, max-age=60"], &["public, max-age=60"]),
                (&["no-store"], &["no-store"]),
            ] {
                let mut headers = headers(CACHE_CONTROL, own);
                restrict_caching(&mut headers, status.try_into().unwrap(), is_presented);
                assert_eq!(lines(&headers, CACHE_CONTROL), expected, "{status}: {own:?}");
            }
        }
    }

    #[test]
    fn vary_names_each_header_once_and_on_one_line() {
        for (own, expected) in [
            (&[][..], &["authorization, x-api-key"][..]),
            (&[""], &["authorization, x-api-key"]),
            (&["Accept-Encoding"], &["Accept-Encoding, authorization, x-api-key"]),
            (&["Authorization"], &["Authorization, x-api-key"]),
            (&["X-API-Key,authorization"], &["X-API-Key,authorization"]),
            (&["Accept", "X-API-Key"], &["Accept, X-API-Key, authorization"]),
            (&["authorization", "X-Api-Key"], &["authorization, X-Api-Key"]),
            (&["x-authorization"], &["x-authorization, authorization, x-api-key"]),
            (&["*"], &["*"]),
            (&["Accept, *"], &["Accept, *"]),
        ] {
            let mut headers = headers(VARY, own);
            let transport = Transport::either(HeaderName::from_static("x-api-key"));
            add_vary(&mut headers, &vary_of(&transport));
            assert_eq!(lines(&headers, VARY), expected, "{own:?}");
        }
    }
}
