//! Where in a request a token is looked for.

use counterfoil::Families;
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
/// | `=` alone, or before another character: it is padding, and ends a token | malformed | malformed |
/// | more bytes than any token may have | too long | too long |
///
/// [`either`](Self::either) reads both, and takes exactly one. [`allow`](Self::allow) adds bytes that tokens of other
/// software have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    reads_bearer: bool,
    header: Option<HeaderName>,
    /// One bit for each byte that is allowed in addition to those of a `b64token`.
    more: u128,
    /// A scheme that is read like `Bearer`.
    scheme: Option<&'static str>,
}

impl Transport {
    /// `Authorization: Bearer` alone (RFC 6750, section 2.1).
    pub const fn bearer() -> Self {
        Self { reads_bearer: true, header: None, more: 0, scheme: None }
    }

    /// The named header alone, the whole value of which is the token.
    pub const fn header(name: HeaderName) -> Self {
        Self { reads_bearer: false, header: Some(name), more: 0, scheme: None }
    }

    /// Either of both, but exactly one.
    pub const fn either(name: HeaderName) -> Self {
        Self { reads_bearer: true, header: Some(name), more: 0, scheme: None }
    }

    /// Allows these bytes in a token too, for tokens that other software made, such as the `|` of Laravel Sanctum.
    ///
    /// Allow no byte that none of your tokens has: without this option, a text with such a byte is answered with 400 and
    /// never parsed.
    ///
    /// ```
    /// use counterfoil_tower::Transport;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(AUTHORIZATION, "Bearer 17|0123456789".parse()?);
    /// assert!(Transport::bearer().credential(&headers).is_err());
    /// assert_eq!(Transport::bearer().allow("|")?.credential(&headers)?, Some("17|0123456789"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidTransport`] for a byte that cannot be told from what surrounds a token: white space, control characters,
    /// `,` (which joins values of one header), `"` and `\`, `=` (which is padding, and allowed at the end already), and all
    /// that is not ASCII.
    pub fn allow(mut self, bytes: &str) -> Result<Self, InvalidTransport> {
        for byte in bytes.bytes() {
            if !byte.is_ascii_graphic() || matches!(byte, b',' | b'"' | b'\\' | b'=') {
                return Err(InvalidTransport::Byte { found: byte });
            }
            self.more |= 1 << byte;
        }
        Ok(self)
    }

    /// Reads this scheme like `Bearer`, for clients of other software, such as the `Token` of Django REST framework. A door
    /// that does not read `Authorization` is not changed by it.
    ///
    /// # Errors
    ///
    /// [`InvalidTransport`] if `name` is not the name of a scheme (RFC 9110, section 11.1), or is `Basic`, whose credential
    /// is not a token.
    pub fn scheme(mut self, name: &'static str) -> Result<Self, InvalidTransport> {
        if name.is_empty() || !name.bytes().all(is_scheme_byte) || name.eq_ignore_ascii_case("basic") {
            return Err(InvalidTransport::Scheme);
        }
        self.scheme = Some(name);
        Ok(self)
    }

    /// Whether `Authorization: Bearer` is read.
    pub const fn reads_bearer(&self) -> bool {
        self.reads_bearer
    }

    /// The header that is read beside or instead.
    pub const fn header_name(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }

    /// Returns the credential of a request, if it has one, of at most [`Families::MAX_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// [`MalformedCredential`]: there is one, and its shape is wrong. Whether it is a token is not looked at.
    pub fn credential<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, MalformedCredential> {
        self.credential_within(headers, Families::MAX_LEN)
    }

    /// Returns the credential of a request, if it has one, of at most `longest` bytes. A longer one is not read.
    ///
    /// # Errors
    ///
    /// [`MalformedCredential`], as for [`credential`](Self::credential).
    pub fn credential_within<'h>(
        &self,
        headers: &'h HeaderMap,
        longest: usize,
    ) -> Result<Option<&'h str>, MalformedCredential> {
        let bearer = if self.reads_bearer { self.bearer_of(headers, longest)? } else { None };
        let named = match &self.header {
            Some(name) => only(headers, name)?.map(|value| self.read(value.as_bytes(), longest)).transpose()?,
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

    fn bearer_of<'h>(&self, headers: &'h HeaderMap, longest: usize) -> Result<Option<&'h str>, MalformedCredential> {
        let Some(value) = only(headers, &AUTHORIZATION)? else { return Ok(None) };
        let value = value.as_bytes();
        let mut schemes = std::iter::once("bearer").chain(self.scheme);
        let Some(rest) = schemes.find_map(|scheme| after_scheme(value, scheme)) else { return Ok(None) };
        let spaces = rest.iter().take(MAX_SPACES).take_while(|byte| **byte == b' ').count();
        match &rest[spaces..] {
            [] => Err(MalformedCredential::Empty),
            _ if spaces == 0 => Err(MalformedCredential::Bytes),
            token => self.read(token, longest).map(Some),
        }
    }

    fn read<'h>(&self, token: &'h [u8], longest: usize) -> Result<&'h str, MalformedCredential> {
        if token.is_empty() {
            return Err(MalformedCredential::Empty);
        }
        if token.len() > longest {
            return Err(MalformedCredential::TooLong);
        }
        // Padding stands at the end alone, and is rare: so one pass over the rest as a rule.
        let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
        let unpadded = &token[..token.len() - padding];
        if unpadded.is_empty() {
            return Err(MalformedCredential::Padding);
        }
        let allowed = B64TOKEN | self.more;
        if !unpadded.iter().all(|byte| byte.is_ascii() && allowed >> byte & 1 == 1) {
            return Err(MalformedCredential::Bytes);
        }
        std::str::from_utf8(token).map_err(|_| MalformedCredential::Bytes)
    }
}

/// Spaces between scheme and token are skipped up to this number, so that they cannot be used to make a value long.
const MAX_SPACES: usize = 64;

/// What follows a scheme, a token of RFC 9110 (section 5.6.2) whose letters have no case (section 11.1).
fn after_scheme<'v>(value: &'v [u8], scheme: &str) -> Option<&'v [u8]> {
    let (found, rest) = value.split_at_checked(scheme.len())?;
    let is_longer = rest.first().is_some_and(|byte| is_scheme_byte(*byte));
    (found.eq_ignore_ascii_case(scheme.as_bytes()) && !is_longer).then_some(rest)
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, MalformedCredential> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(MalformedCredential::Repeated) } else { Ok(first) }
}

/// The bytes of a `b64token` before its padding (RFC 6750, section 2.1), one bit each. Bits of a number, because a table
/// in memory that is indexed by a token's bytes would show them in the processor's cache.
const B64TOKEN: u128 = {
    let mut bits = 0;
    let mut byte = 0;
    while byte < 128 {
        if matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/') {
            bits |= 1 << byte;
        }
        byte += 1;
    }
    bits
};

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An option of a [`Transport`] that would make requests ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTransport {
    /// A byte that cannot be told from what surrounds a token.
    Byte {
        /// The byte.
        found: u8,
    },
    /// A text that is not the name of a scheme, or the name of one whose credential is not a token.
    Scheme,
}

impl std::fmt::Display for InvalidTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Byte { found } => {
                let found = found.escape_ascii();
                write!(f, "byte `{found}` in a token: expected printable ascii other than `,`, `\"`, `\\` and `=`")
            }
            Self::Scheme => f.write_str("invalid scheme: expected a token of rfc 9110 other than `Basic`"),
        }
    }
}

impl std::error::Error for InvalidTransport {}

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
    /// Nothing but padding (`=`).
    Padding,
    /// More bytes than any token may have. A [`Gate`](crate::Gate) answers this with 401, as any text that is no token.
    TooLong,
}

impl MalformedCredential {
    /// What to tell the client.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Repeated => "the credential header is given more than once",
            Self::Two => "more than one credential is given",
            Self::Empty => "the credential is empty",
            Self::Bytes => "the credential holds a byte that no token may have",
            Self::Padding => "the credential is padding without a token",
            Self::TooLong => "the credential is longer than any token",
        }
    }
}

impl std::fmt::Display for MalformedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for MalformedCredential {}
