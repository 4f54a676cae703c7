//! When a token was last used: beside the record, never in it, and never moving its version.

use std::net::IpAddr;

use crate::{text::bounded_text, time::Timestamp, token::TokenId};

bounded_text! {
    /// With what a token was used, in the client's own words: a user agent, say.
    Agent, "user agent", 255 bytes
}

/// When, from where and with what a token was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Usage {
    /// When; in Unix milliseconds where it is serialized.
    pub at: Timestamp,
    /// From where, if known.
    pub address: Option<IpAddr>,
    /// With what, if known.
    pub agent: Option<Agent>,
}

/// One use of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Which token.
    pub id: TokenId,
    /// The use.
    pub usage: Usage,
}
