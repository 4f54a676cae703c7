//! The `WWW-Authenticate` of an answer.

use std::fmt::Write as _;

use http::HeaderValue;

use crate::{answer::Answer, transport::Transport};

/// The parameters of a challenge (RFC 6750, section 3; RFC 9728, section 5.1): fixed by the host, never taken from a
/// request.
///
/// ```
/// use counterfoil_tower::Challenge;
///
/// let challenge = Challenge::realm("api.example.com")?;
/// assert!(Challenge::realm("two\nlines").is_err());
/// # Ok::<(), counterfoil_tower::InvalidChallenge>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    realm: Option<String>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// Without a realm of the host's: `token`, where nothing else would stand.
    pub const fn plain() -> Self {
        Self { realm: None, resource_metadata: None }
    }

    /// With a realm, the host's name of what is protected.
    ///
    /// # Errors
    ///
    /// [`InvalidChallenge`] unless it is 1 to 255 printable ASCII characters without `"` and `\`.
    pub fn realm(realm: &str) -> Result<Self, InvalidChallenge> {
        Ok(Self { realm: Some(quotable(realm, "realm")?), resource_metadata: None })
    }

    /// Names the protected resource's metadata document (RFC 9728, section 5.1).
    ///
    /// # Errors
    ///
    /// [`InvalidChallenge`], as for [`realm`](Self::realm).
    pub fn resource_metadata(self, url: &str) -> Result<Self, InvalidChallenge> {
        Ok(Self { resource_metadata: Some(quotable(url, "resource_metadata")?), ..self })
    }

    /// The header of an answer at a door with this transport.
    ///
    /// The scheme fits the door: `Bearer` where it is read; else `ApiKey` with the header's name, since a client that
    /// follows `Bearer` there would be refused again. (`ApiKey` is no registered scheme; there is none for this.)
    pub fn header(&self, answer: &Answer, transport: &Transport) -> HeaderValue {
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        let header = transport.header_name().filter(|_| !transport.reads_bearer());
        parameters.extend(header.map(|name| ("header", name.as_str())));
        parameters.extend(self.realm.as_deref().map(|realm| ("realm", realm)));
        parameters.extend(self.resource_metadata.as_deref().map(|url| ("resource_metadata", url)));
        if let Some(error) = answer.kind.challenge_error() {
            parameters.push(("error", error));
            if let Some(scope) = &answer.scope {
                parameters.push(("scope", scope.as_str()));
            }
        }
        if parameters.is_empty() {
            // At least one must follow the scheme (RFC 6750, section 3).
            parameters.push(("realm", "token"));
        }
        let mut text = String::from(if transport.reads_bearer() { "Bearer" } else { "ApiKey" });
        for (at, (name, value)) in parameters.into_iter().enumerate() {
            let separator = if at == 0 { " " } else { ", " };
            let _ = write!(text, "{separator}{name}=\"{value}\"");
        }
        // INVARIANT: every value is printable ASCII without quotes: checked above, or a scope (RFC 6749, section 3.3).
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

fn quotable(text: &str, name: &'static str) -> Result<String, InvalidChallenge> {
    let is_plain = |byte: u8| (byte == b' ' || byte.is_ascii_graphic()) && byte != b'"' && byte != b'\\';
    if text.is_empty() || text.len() > 255 || !text.bytes().all(is_plain) {
        return Err(InvalidChallenge { name });
    }
    Ok(text.to_owned())
}

/// A parameter that cannot stand in a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidChallenge {
    name: &'static str,
}

impl std::fmt::Display for InvalidChallenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "challenge parameter `{}`: expected 1 to 255 printable ascii characters without quotes and backslashes",
            self.name
        )
    }
}

impl std::error::Error for InvalidChallenge {}
