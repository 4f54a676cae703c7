//! `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1): a token's version, and which one a request has seen.

use axum::http::{HeaderMap, header::IF_MATCH};
use counterfoil::{Record, registry::Target};

use super::ApiError;

/// The strong entity tag of a version.
pub(super) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The token that a request means, in the version that it has seen, if it names one.
///
/// A tag that is weak matches nothing where the comparison is strong, as it is here (section 8.8.3.2); one that cannot be
/// read was not given by this API. `*` asks that the token exist, and it does.
///
/// # Errors
///
/// The answer 412, if the request names versions and none of them could be the token's.
pub(super) fn target(headers: &HeaderMap, record: &Record) -> Result<Target, ApiError> {
    let any = Target::from(record.id());
    let Some(seen) = versions(headers) else { return Ok(any) };
    let current = record.version();
    let version = seen.iter().find(|version| **version == current).or(seen.first()).copied();
    match version {
        // Even if it is another one than is stored, the registry decides: a repeated rotation names the version before.
        Some(_) => Ok(Target { version, ..any }),
        None if names_weak_tag(headers) => Err(ApiError::weak(current)),
        None => Err(ApiError::stale(current)),
    }
}

/// Whether a tag is weak, as proxies make it that compress the body.
fn names_weak_tag(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(IF_MATCH).iter();
    let mut tags = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    tags.any(|tag| tag.trim_ascii().starts_with(b"W/"))
}

/// The versions that are named; none if any will do.
fn versions(headers: &HeaderMap) -> Option<Vec<u64>> {
    let mut values = headers.get_all(IF_MATCH).iter().peekable();
    values.peek()?;
    let lines: Vec<&[u8]> = values.map(|value| value.as_bytes()).collect();
    if lines.iter().any(|line| line.trim_ascii() == b"*") {
        return (lines.len() > 1).then(Vec::new);
    }
    // A version holds neither comma nor quote, so a list can be split before its tags are read.
    let tags = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
    Some(tags.filter_map(|tag| version_of(tag.trim_ascii())).collect())
}

fn version_of(tag: &[u8]) -> Option<u64> {
    let digits = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let version = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // One spelling for each version: neither `+3` nor `03`.
    (etag(version).as_bytes() == tag).then_some(version)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_versions_or_any_or_nothing_that_is_ours() {
        for (lines, expected) in [
            (&[][..], None),
            (&["*"], None),
            (&[" * "], None),
            (&["\"3\""], Some(vec![3])),
            (&["\"3\", \"4\""], Some(vec![3, 4])),
            (&["\"3\"", "\"4\""], Some(vec![3, 4])),
            (&["W/\"3\""], Some(vec![])),
            (&["W/\"3\", \"4\""], Some(vec![4])),
            (&["3"], Some(vec![])),
            (&["\"03\""], Some(vec![])),
            (&["\"+3\""], Some(vec![])),
            (&["\"-3\""], Some(vec![])),
            (&["\"3"], Some(vec![])),
            (&["\"\""], Some(vec![])),
            (&["\"18446744073709551616\""], Some(vec![])),
            (&["\"abc\""], Some(vec![])),
            (&[""], Some(vec![])),
            (&["*, \"3\""], Some(vec![3])),
            (&["*", "\"3\""], Some(vec![])),
            (&["caf\u{e9}"], Some(vec![])),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_MATCH, axum::http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(versions(&headers), expected, "{lines:?}");
        }
    }
}
