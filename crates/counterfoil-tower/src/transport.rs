//! Where in a request a token is looked for.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

/// Where a token is looked for. What it does not name is not read.
///
/// ```
/// use counterfoil_tower::Transport;
/// use http::{HeaderMap, HeaderName};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-api-key", "ak_1".parse()?);
///
/// let named = Transport::header(HeaderName::from_static("x-api-key"));
/// assert_eq!(named.credential(&headers)?, Some("ak_1"));
/// assert_eq!(Transport::bearer().credential(&headers)?, None); // a stray header at this door
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What counts as a credential
///
/// | in the request | with [`bearer`](Self::bearer) | with [`header`](Self::header) |
/// |---|---|---|
/// | no such header, or `Authorization` of another scheme | none | none |
/// | `Bearer`, in any case, one or more spaces, a token | it | not read |
/// | `Bearer` with nothing behind it, or with anything but spaces between | malformed | not read |
/// | the named header, with a token | not read | it |
/// | the named header, empty | not read | malformed |
/// | the header twice, also if equal | malformed | malformed |
/// | a byte that no token may have (RFC 6750, section 2.1: `b64token`) | malformed | malformed |
///
/// [`either`](Self::either) reads both, and takes exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    reads_bearer: bool,
    header: Option<HeaderName>,
}

impl Transport {
    /// `Authorization: Bearer` alone (RFC 6750, section 2.1).
    pub const fn bearer() -> Self {
        Self { reads_bearer: true, header: None }
    }

    /// The named header alone, the whole value of which is the token.
    pub const fn header(name: HeaderName) -> Self {
        Self { reads_bearer: false, header: Some(name) }
    }

    /// Either of both, but exactly one.
    pub const fn either(name: HeaderName) -> Self {
        Self { reads_bearer: true, header: Some(name) }
    }

    /// Whether `Authorization: Bearer` is read.
    pub const fn reads_bearer(&self) -> bool {
        self.reads_bearer
    }

    /// The header that is read beside or instead.
    pub const fn header_name(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }

    /// The credential of a request, if it has one.
    ///
    /// # Errors
    ///
    /// [`MalformedCredential`]: there is one, and its shape is wrong. Whether it is a token is not looked at.
    pub fn credential<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, MalformedCredential> {
        let bearer = if self.reads_bearer { bearer_of(headers)? } else { None };
        let named = match &self.header {
            Some(name) => only(headers, name)?.map(token_of).transpose()?,
            None => None,
        };
        match (bearer, named) {
            (Some(_), Some(_)) => Err(MalformedCredential::Two),
            (one, None) | (None, one) => Ok(one),
        }
    }

    /// The headers that hold a credential, for what must be hidden or stripped.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        const AUTHORIZATION_HEADER: &HeaderName = &AUTHORIZATION;
        self.reads_bearer.then_some(AUTHORIZATION_HEADER).into_iter().chain(&self.header)
    }
}

fn bearer_of(headers: &HeaderMap) -> Result<Option<&str>, MalformedCredential> {
    let Some(value) = only(headers, &AUTHORIZATION)? else { return Ok(None) };
    let value = value.as_bytes();
    // The scheme is a token of RFC 9110 (section 5.6.2), whose letters have no case (section 11.1).
    let end = value.iter().position(|byte| !is_scheme_byte(*byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    match &rest[spaces..] {
        [] => Err(MalformedCredential::Empty),
        _ if spaces == 0 => Err(MalformedCredential::Bytes),
        token => read(token).map(Some),
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, MalformedCredential> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(MalformedCredential::Repeated) } else { Ok(first) }
}

fn token_of(value: &HeaderValue) -> Result<&str, MalformedCredential> {
    if value.is_empty() { Err(MalformedCredential::Empty) } else { read(value.as_bytes()) }
}

fn read(token: &[u8]) -> Result<&str, MalformedCredential> {
    // Padding stands at the end alone, and is rare: so one pass over the rest as a rule.
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let unpadded = &token[..token.len() - padding];
    if !unpadded.iter().all(|byte| IN_TOKEN[usize::from(*byte)]) {
        return Err(MalformedCredential::Bytes);
    }
    std::str::from_utf8(token).map_err(|_| MalformedCredential::Bytes)
}

/// The bytes of a `b64token` before its padding (RFC 6750, section 2.1), by value.
const IN_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] =
            matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    table
};

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A credential of a shape that no token has: the request is wrong, not the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedCredential {
    /// The header stands there more than once.
    Repeated,
    /// Two headers hold one each.
    Two,
    /// Nothing stands where a token belongs.
    Empty,
    /// A byte that no token may have.
    Bytes,
}

impl MalformedCredential {
    /// What to tell the client.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Repeated => "the credential header is given more than once",
            Self::Two => "more than one credential is given",
            Self::Empty => "the credential is empty",
            Self::Bytes => "the credential holds a byte that no token may have",
        }
    }
}

impl std::fmt::Display for MalformedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for MalformedCredential {}
