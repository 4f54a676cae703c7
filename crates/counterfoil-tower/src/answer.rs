//! What a request without a good token is answered: the table, as values.

use std::{borrow::Cow, time::Duration};

use counterfoil::{
    Denial, Scope,
    policy::{Objection, Refusal},
    registry::VerifyError,
};
use http::StatusCode;

use crate::{limit::Later, transport::MalformedCredential};

/// An answer to a request that is not let in.
///
/// | case | status | [`Kind`] |
/// |---|---|---|
/// | no credential | 401 | [`Missing`](Kind::Missing) |
/// | the credential's shape is wrong | 400 | [`Malformed`](Kind::Malformed) |
/// | the token is of bad shape, unknown, wrong, expired, revoked, … | 401 | [`Invalid`](Kind::Invalid) |
/// | a scope is missing | 403 | [`MissingScope`](Kind::MissingScope) |
/// | the policy refuses | 403 | [`Refused`](Kind::Refused) |
/// | a limiter or a budget says later | 429 | [`Later`](Kind::Later) |
/// | too many attempts have failed before, and this one was not looked at | 429 | [`TooManyAttempts`](Kind::TooManyAttempts) |
/// | nothing could be found out | 503 | [`Unavailable`](Kind::Unavailable) |
///
/// Nothing of the credential is in it, and an unknown token looks like one whose secret is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Which case.
    pub kind: Kind,
    /// The machine code: the policy's or limiter's own, else that of [`Codes`].
    pub code: Cow<'static, str>,
    /// What people are told.
    pub text: Cow<'static, str>,
    /// Why the token is not good, where its bearer has proven the secret: the reasons that strangers are not told apart,
    /// `Unknown` and `WrongSecret`, never stand here.
    pub denial: Option<Denial>,
    /// The scope that is missing.
    pub scope: Option<Scope>,
    /// Where people can read on, if the policy says so.
    pub link: Option<String>,
    /// When it may be tried again.
    pub retry_after: Option<Duration>,
}

/// The cases of an [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no credential where this door looks for one.
    Missing,
    /// There is one, and its shape is wrong.
    Malformed,
    /// The token is not good.
    Invalid,
    /// The token is good, and a scope is missing.
    MissingScope,
    /// The token is good, and the host's policy refuses it.
    Refused,
    /// The token is good, and the host's limiter or budget says later.
    Later,
    /// The host's limiter of failed attempts says later: nothing is known of the token.
    TooManyAttempts,
    /// Nothing could be found out: try again.
    Unavailable,
}

impl Kind {
    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::MissingScope | Self::Refused => StatusCode::FORBIDDEN,
            Self::Later | Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name, for logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::MissingScope => "missing_scope",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Unavailable => "unavailable",
        }
    }

    /// The error code of RFC 6750, section 3.1, for the challenge; a request without a credential is told none.
    pub(crate) const fn challenge_error(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("invalid_request"),
            Self::Invalid => Some("invalid_token"),
            Self::MissingScope => Some("insufficient_scope"),
            Self::Missing | Self::Refused | Self::Later | Self::TooManyAttempts | Self::Unavailable => None,
        }
    }
}

/// The machine codes of the answers that the layer gives by itself.
///
/// ```
/// use counterfoil_tower::Codes;
///
/// let codes = Codes { invalid: "invalid_api_key".into(), ..Codes::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// No credential.
    pub missing: Cow<'static, str>,
    /// A credential of wrong shape.
    pub malformed: Cow<'static, str>,
    /// A token that is not good.
    pub invalid: Cow<'static, str>,
    /// A missing scope.
    pub missing_scope: Cow<'static, str>,
    /// Nothing could be found out.
    pub unavailable: Cow<'static, str>,
}

/// The codes of RFC 6750, section 3.1, and two more.
impl Default for Codes {
    fn default() -> Self {
        Self {
            missing: "unauthorized".into(),
            malformed: "invalid_request".into(),
            invalid: "invalid_token".into(),
            missing_scope: "insufficient_scope".into(),
            unavailable: "temporarily_unavailable".into(),
        }
    }
}

/// How long a client should wait where nothing could be found out.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(1);

impl Answer {
    fn new(kind: Kind, code: Cow<'static, str>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code, text: text.into(), denial: None, scope: None, link: None, retry_after: None }
    }

    /// To a request without a credential.
    pub fn missing(codes: &Codes) -> Self {
        Self::new(Kind::Missing, codes.missing.clone(), "a token is required")
    }

    /// To a CORS preflight without a credential, at a door that does not [let it through](crate::Gate::pass_preflights).
    pub fn preflight(codes: &Codes) -> Self {
        let text = "a preflight request carries no token: put the CORS layer in front of the token layer";
        Self::new(Kind::Missing, codes.missing.clone(), text)
    }

    /// To a credential of wrong shape.
    pub fn malformed(reason: MalformedCredential, codes: &Codes) -> Self {
        Self::new(Kind::Malformed, codes.malformed.clone(), reason.text())
    }

    /// To a text that is no good token, of whichever family.
    pub fn invalid(codes: &Codes) -> Self {
        Self::new(Kind::Invalid, codes.invalid.clone(), NOT_VALID)
    }

    /// To a token that was not verified.
    pub fn to_error(error: &VerifyError, codes: &Codes) -> Self {
        match error {
            VerifyError::Malformed(_) => Self::invalid(codes),
            VerifyError::Denied(Denial::Unknown | Denial::WrongSecret) => Self::invalid(codes),
            VerifyError::Denied(denial) => {
                let answer = Self::new(Kind::Invalid, codes.invalid.clone(), text_of(*denial));
                Self { denial: Some(*denial), ..answer }
            }
            VerifyError::Policy(Objection::Refused(refusal)) => Self::refused(refusal),
            VerifyError::Policy(Objection::Later { refusal, retry_after }) => {
                Self { kind: Kind::Later, retry_after: Some(*retry_after), ..Self::refused(refusal) }
            }
            _ => Self::unavailable(codes),
        }
    }

    /// To a good token without a scope that is required.
    pub fn missing_scope(scope: Scope, codes: &Codes) -> Self {
        let text = format!("the token lacks the scope `{scope}`");
        Self { scope: Some(scope), ..Self::new(Kind::MissingScope, codes.missing_scope.clone(), text) }
    }

    /// To a good token that the host's policy refuses, in the policy's words.
    pub fn refused(refusal: &Refusal) -> Self {
        Self {
            link: refusal.link.clone(),
            ..Self::new(Kind::Refused, refusal.code.clone().into(), refusal.text.clone())
        }
    }

    /// To a good token that comes too often, in the limiter's words.
    pub fn later(later: &Later) -> Self {
        Self::in_words_of(later, Kind::Later)
    }

    /// To any token, where too many attempts have failed before, in the limiter's words.
    pub fn too_many_attempts(later: &Later) -> Self {
        Self::in_words_of(later, Kind::TooManyAttempts)
    }

    fn in_words_of(later: &Later, kind: Kind) -> Self {
        let retry_after = Some(later.retry_after);
        Self { retry_after, ..Self::new(kind, later.code.clone(), later.text.clone()) }
    }

    /// Where nothing could be found out.
    pub fn unavailable(codes: &Codes) -> Self {
        let answer = Self::new(Kind::Unavailable, codes.unavailable.clone(), "the token cannot be checked now");
        Self { retry_after: Some(UNAVAILABLE_FOR), ..answer }
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

const NOT_VALID: &str = "the token is not valid";

/// What a stranger is told: the reason where the secret was proven, else nothing.
const fn text_of(denial: Denial) -> &'static str {
    match denial {
        Denial::Unknown | Denial::WrongSecret => NOT_VALID,
        Denial::Superseded => "the token was replaced by a newer one",
        Denial::Revoked => "the token is revoked",
        Denial::Expired => "the token is expired",
        Denial::Suspended => "the token is suspended",
        Denial::Blocked => "the token is blocked",
        Denial::WrongEnvironment => "the token is for another environment",
        Denial::NetworkRefused => "the token may not be used from this network",
        Denial::WrongAudience => "the token is for another audience",
        Denial::UnknownRestriction => "the token has a restriction that is not known here",
    }
}
