//! The address under which clients reach the service: its origin, and the path prefix that a proxy removes.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName};
use url::Url;

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The greatest length of a path prefix, in bytes.
const MAX_PREFIX_LEN: usize = 512;

/// The address that clients use, as far as it differs from what a request says.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublicUrl {
    /// The origin, if the URL names one, as browsers write it.
    pub(crate) origin: Option<String>,
    /// The path prefix, without `/` at its end; empty if there is none.
    prefix: String,
    pub(crate) trusts_header: bool,
}

impl PublicUrl {
    /// Sets origin and prefix from `https://tools.example.com/acme`, or the prefix alone from `/acme`.
    pub(crate) fn set(&mut self, text: &str) -> Result<(), String> {
        let (origin, path) = match text.find("://").map(|at| at + 3) {
            None => ("", text),
            Some(host) => match text[host..].find('/') {
                None => (text, ""),
                Some(path) => text.split_at(host + path),
            },
        };
        let origin = (!origin.is_empty()).then(|| normal_origin(origin)).transpose()?;
        let prefix = match path {
            "" if origin.is_some() => "",
            _ => prefix_of(path).ok_or_else(|| {
                format!("public url `{text}`: expected an http or https url, or a path that begins with one `/`, without query and fragment")
            })?,
        };
        self.origin = origin;
        prefix.clone_into(&mut self.prefix);
        Ok(())
    }

    /// The prefix of the paths in a response to this request.
    pub(crate) fn prefix(&self, headers: &HeaderMap) -> Cow<'_, str> {
        let forwarded = self.trusts_header.then(|| forwarded_prefix(headers)).flatten();
        forwarded.map_or(Cow::Borrowed(&self.prefix), Cow::Owned)
    }

    /// The server's URL in an OpenAPI document.
    pub(crate) fn server(&self) -> String {
        let url = format!("{}{}", self.origin.as_deref().unwrap_or_default(), self.prefix);
        if url.is_empty() { "/".into() } else { url }
    }
}

/// The prefix that proxies have removed: one value each, the outermost first. A value that is not a path is ignored with
/// the whole header, because it would be written into links.
fn forwarded_prefix(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(FORWARDED_PREFIX).iter().peekable();
    values.peek()?;
    let mut prefix = String::new();
    for value in values {
        for part in value.to_str().ok()?.split(',') {
            prefix.push_str(prefix_of(part.trim())?);
        }
    }
    (prefix.len() <= MAX_PREFIX_LEN).then_some(prefix)
}

/// A path prefix without `/` at its end: whole segments of the characters of a path (RFC 3986, section 3.3), none of
/// them empty, `.` or `..`.
fn prefix_of(text: &str) -> Option<&str> {
    let path = text.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some("");
    }
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && has_path_characters(segment);
    (text.len() <= MAX_PREFIX_LEN && path.split('/').all(is_segment)).then(|| &text[..=path.len()])
}

fn has_path_characters(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        let mut is_hex = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        let is_escape = byte == b'%' && is_hex() && is_hex();
        if !is_plain && !is_escape {
            return false;
        }
    }
    true
}

/// An origin as browsers write it: lower case, an internationalized name in punycode, no default port, no `/` at its end.
pub(crate) fn normal_origin(text: &str) -> Result<String, String> {
    let wrong = || {
        format!("origin `{text}`: expected http or https, a host and perhaps a port, such as https://app.example.com")
    };
    let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    // The parser would read all of these as something else, as browsers do in an address bar.
    let is_strange =
        |character: char| character.is_whitespace() || character.is_control() || "/\\?#@*%".contains(character);
    if !is_web || authority.is_empty() || authority.ends_with(':') || authority.contains(is_strange) {
        return Err(wrong());
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| wrong())?;
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn origin_is_written_as_browsers_send_it() {
        for (text, expected) in [
            ("https://app.example.com", Some("https://app.example.com")),
            ("https://app.example.com/", Some("https://app.example.com")),
            ("HTTPS://App.Example.COM", Some("https://app.example.com")),
            ("https://app.example.com:443", Some("https://app.example.com")),
            ("http://app.example.com:80/", Some("http://app.example.com")),
            ("http://app.example.com:443", Some("http://app.example.com:443")),
            ("https://app.example.com:8443", Some("https://app.example.com:8443")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://192.0.2.7", Some("http://192.0.2.7")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://[2001:DB8:0:0::1]", Some("http://[2001:db8::1]")),
            ("http://[::ffff:192.0.2.7]", Some("http://[::ffff:c000:207]")),
            ("https://b\u{fc}cher.example", Some("https://xn--bcher-kva.example")),
            ("app.example.com", None),
            ("https://", None),
            ("https:///", None),
            ("https://app.example.com//", None),
            ("https://app.example.com/x", None),
            ("https://app.example.com?x", None),
            ("https://app.example.com#x", None),
            ("https://ann@app.example.com", None),
            ("https://*.example.com", None),
            ("https://app.example.com:", None),
            ("https://app.example.com:99999", None),
            ("https://app.example.com:x", None),
            ("https://app.example.com evil.example", None),
            (" https://app.example.com", None),
            ("https://app.example.com\\evil", None),
            ("https://[::1", None),
            ("https://256.256.256.256", None),
            ("ftp://app.example.com", None),
            ("file://", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(normal_origin(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn public_url_is_an_origin_a_prefix_or_both() {
        for (text, expected) in [
            ("https://tools.example.com/acme", Some((Some("https://tools.example.com"), "/acme"))),
            ("https://Tools.example.com:443/acme/", Some((Some("https://tools.example.com"), "/acme"))),
            ("https://tools.example.com/a/b", Some((Some("https://tools.example.com"), "/a/b"))),
            ("https://tools.example.com", Some((Some("https://tools.example.com"), ""))),
            ("https://tools.example.com/", Some((Some("https://tools.example.com"), ""))),
            ("/acme", Some((None, "/acme"))),
            ("/acme/", Some((None, "/acme"))),
            ("/a%20b/c~d", Some((None, "/a%20b/c~d"))),
            ("/", Some((None, ""))),
            ("", None),
            ("acme", None),
            ("//evil.example", None),
            ("/acme//x", None),
            ("/acme/../x", None),
            ("/./acme", None),
            ("/ac me", None),
            ("/acme%2", None),
            ("/acme%", None),
            ("/acme\\x", None),
            ("/acme?x=1", None),
            ("/acme#x", None),
            ("/{team}", None),
            ("/caf\u{e9}", None),
            ("/\r\nx: y", None),
            ("https://tools.example.com//evil", None),
            ("https://tools.example.com/acme?x", None),
            ("https:///acme", None),
            ("ftp://tools.example.com/acme", None),
        ] {
            let mut url = PublicUrl::default();
            let found = url.set(text).ok().map(|()| (url.origin.as_deref(), url.prefix.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn forwarded_prefix_is_read_only_if_trusted_and_well_formed() {
        for (lines, trusted) in [
            (&[][..], "/said"),
            (&["/acme"], "/acme"),
            (&["/acme/"], "/acme"),
            (&["/"], ""),
            (&["/a", "/b"], "/a/b"),
            (&["/a, /b/"], "/a/b"),
            (&["//evil.example"], "/said"),
            (&["/a", "//evil.example"], "/said"),
            (&["/a,/\\evil.example"], "/said"),
            (&["https://evil.example"], "/said"),
            (&["acme"], "/said"),
            (&[""], "/said"),
            (&["/a\"><b"], "/said"),
            (&["/caf\u{e9}"], "/said"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_PREFIX, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let mut url = PublicUrl::default();
            url.set("/said").unwrap();
            assert_eq!(url.prefix(&headers), "/said", "{lines:?}: not trusted");
            url.trusts_header = true;
            assert_eq!(url.prefix(&headers), trusted, "{lines:?}");
        }
        let long = HeaderValue::try_from("/a".repeat(1000)).unwrap();
        let headers = HeaderMap::from_iter([(FORWARDED_PREFIX, long)]);
        let url = PublicUrl { trusts_header: true, ..PublicUrl::default() };
        assert_eq!(url.prefix(&headers), "", "too long");
    }
}
