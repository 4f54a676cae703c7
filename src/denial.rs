//! The reasons for which a token is refused.

/// Why a token is refused.
///
/// Exhaustive: a new reason must break the caller's build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    /// No record has this token.
    #[error("no such token")]
    Unknown,
    /// A record was found, and the secret is another.
    #[error("wrong secret")]
    WrongSecret,
    /// The secret was rotated away: whoever presents it has an old copy, or has stolen one.
    #[error("token was rotated and its overlap is over")]
    Superseded,
    /// Ended for good.
    #[error("token is revoked")]
    Revoked,
    /// Its end has come.
    #[error("token is expired")]
    Expired,
    /// Paused by a suspension.
    #[error("token is suspended")]
    Suspended,
    /// Paused by a block.
    #[error("token is blocked")]
    Blocked,
    /// It is for another environment.
    #[error("token is for an environment that is not served here")]
    WrongEnvironment,
    /// The client's address is outside of the token's networks, or unknown.
    #[error("token may not be used from this network")]
    NetworkRefused,
    /// It is meant for another audience.
    #[error("token is for another audience")]
    WrongAudience,
    /// A newer build wrote a restriction that this one cannot judge.
    #[error("token has a restriction that this build does not know")]
    UnknownRestriction,
}

impl Denial {
    /// The stable machine code, for logs and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::WrongSecret => "wrong_secret",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Blocked => "blocked",
            Self::WrongEnvironment => "wrong_environment",
            Self::NetworkRefused => "network_refused",
            Self::WrongAudience => "wrong_audience",
            Self::UnknownRestriction => "unknown_restriction",
        }
    }

    /// Whether the bearer has proven the secret, so that the reason may be told.
    pub const fn may_be_told(self) -> bool {
        !matches!(self, Self::Unknown | Self::WrongSecret)
    }
}
