//! Who presents a token, as far as the host knows.

use std::net::IpAddr;

use crate::{record::Agent, restriction::Audience, text::bounded_text};

bounded_text! {
    /// The host's name of a request, to find it in its logs.
    RequestId, "request id", 128 bytes
}

bounded_text! {
    /// The method and the route of a request, such as `GET /parts/{id}`: the route as it is registered, never a path with
    /// ids or a query.
    RequestRoute, "request route", 255 bytes
}

/// What the host knows of a request beside the token.
///
/// ```
/// use counterfoil::Caller;
///
/// let caller = Caller { address: Some("192.0.2.7".parse()?), ..Caller::unknown() };
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// The client's address, from a source that the host trusts. Without one, a token bound to networks is refused.
    pub address: Option<IpAddr>,
    /// What the resource server of this request calls itself, if another than the registry's.
    pub audience: Option<Audience>,
    /// The client's own words for itself.
    pub agent: Option<Agent>,
    /// The host's name of the request.
    pub request: Option<RequestId>,
}

impl Caller {
    /// Nothing is known.
    pub const fn unknown() -> Self {
        Self { address: None, audience: None, agent: None, request: None }
    }
}
