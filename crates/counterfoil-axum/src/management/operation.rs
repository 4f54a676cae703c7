//! What a management API does, and where each operation stands.

use axum::{http::Method, routing::MethodFilter};

/// One operation of the management API.
///
/// | operation | method | path, unless the host says otherwise | reply |
/// |---|---|---|---|
/// | [`List`](Self::List) | `GET` | the collection | 200, a page |
/// | [`Create`](Self::Create) | `POST` | the collection | 201, with the plaintext |
/// | [`Get`](Self::Get) | `GET` | the item | 200 |
/// | [`Delete`](Self::Delete) | `DELETE` | the item | 204; the token is revoked, and kept for its retention |
/// | [`Revoke`](Self::Revoke) | `POST` | the item, `/revoke` | 200 |
/// | [`Block`](Self::Block) | `POST` | the item, `/block` | 200 |
/// | [`Unblock`](Self::Unblock) | `POST` | the item, `/unblock` | 200 |
/// | [`Rotate`](Self::Rotate) | `POST` | the item, `/rotate` | 200, with the plaintext |
/// | [`SetExpiry`](Self::SetExpiry) | `PUT` | the item, `/expiry` | 200 |
/// | [`NarrowScopes`](Self::NarrowScopes) | `PUT` | the item, `/scopes` | 200 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A page of tokens.
    List,
    /// A new token.
    Create,
    /// One token.
    Get,
    /// Revokes a token, as the deletion that clients see.
    Delete,
    /// Revokes a token.
    Revoke,
    /// Pauses a token.
    Block,
    /// Ends a block.
    Unblock,
    /// Gives a token a new secret.
    Rotate,
    /// Gives a token a new end.
    SetExpiry,
    /// Takes scopes from a token.
    NarrowScopes,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::List,
        Self::Create,
        Self::Get,
        Self::Delete,
        Self::Revoke,
        Self::Block,
        Self::Unblock,
        Self::Rotate,
        Self::SetExpiry,
        Self::NarrowScopes,
    ];

    /// The stable name, which is the operation's id in the OpenAPI document too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list_tokens",
            Self::Create => "create_token",
            Self::Get => "get_token",
            Self::Delete => "delete_token",
            Self::Revoke => "revoke_token",
            Self::Block => "block_token",
            Self::Unblock => "unblock_token",
            Self::Rotate => "rotate_token",
            Self::SetExpiry => "set_token_expiry",
            Self::NarrowScopes => "narrow_token_scopes",
        }
    }

    /// Its method.
    pub const fn method(self) -> Method {
        match self {
            Self::List | Self::Get => Method::GET,
            Self::Create | Self::Revoke | Self::Block | Self::Unblock | Self::Rotate => Method::POST,
            Self::Delete => Method::DELETE,
            Self::SetExpiry | Self::NarrowScopes => Method::PUT,
        }
    }

    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::List | Self::Get => MethodFilter::GET,
            Self::Create | Self::Revoke | Self::Block | Self::Unblock | Self::Rotate => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
            Self::SetExpiry | Self::NarrowScopes => MethodFilter::PUT,
        }
    }

    /// Whether it is about one token, which its path names.
    pub const fn is_of_one(self) -> bool {
        !matches!(self, Self::List | Self::Create)
    }

    /// What stands behind the item's path.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::List | Self::Create | Self::Get | Self::Delete => "",
            Self::Revoke => "/revoke",
            Self::Block => "/block",
            Self::Unblock => "/unblock",
            Self::Rotate => "/rotate",
            Self::SetExpiry => "/expiry",
            Self::NarrowScopes => "/scopes",
        }
    }
}
