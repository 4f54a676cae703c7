//! What a registry's errors are answered.

use axum::http::StatusCode;
use counterfoil::{
    change::ChangeRefused,
    check::CheckError,
    mint::MintError,
    policy::LifetimeRefused,
    registry::{ChangeError, IssueError, IssueOnceError, ReadError, RotationError},
    rotate::RotateError,
    scope::ScopesRefused,
    store::{StoreError, StoreErrorKind},
    time::InvalidTimestamp,
    token::InvalidDraft,
};

use super::{ApiError, Detail, Names};

/// The answers that hold the host's own words.
pub(crate) struct Refusals<'a> {
    pub(crate) names: &'a Names,
    pub(crate) limit: StatusCode,
}

impl Refusals<'_> {
    fn of_field(&self, field: &'static str, error: &dyn std::fmt::Display) -> ApiError {
        ApiError::of_field(self.names.of(field), error)
    }

    fn lifetime(&self, error: &LifetimeRefused) -> ApiError {
        let is_late = matches!(error, LifetimeRefused::TooLong { .. });
        self.of_field("expires_at", error).with(if is_late { Detail::LateEnd } else { Detail::None })
    }

    fn limit(&self, error: &dyn std::fmt::Display) -> ApiError {
        ApiError::own(self.limit, "limit_reached", error.to_string())
    }

    pub(crate) fn of_issue(&self, error: IssueError) -> ApiError {
        match error {
            IssueError::Stopped => {
                let text = "no tokens are issued now";
                ApiError::own(StatusCode::SERVICE_UNAVAILABLE, "issuing_stopped", text)
            }
            IssueError::Lifetime(error) => self.lifetime(&error),
            IssueError::Scopes(error) => {
                let detail = match &error {
                    ScopesRefused::Unknown { .. } | ScopesRefused::NothingLeft { .. } => Detail::Scopes,
                    _ => Detail::TooManyScopes,
                };
                self.of_field("scopes", &error).with(detail)
            }
            IssueError::BeyondRights(error) => {
                let refused = ApiError::own(StatusCode::FORBIDDEN, "beyond_rights", error.to_string());
                let refused = refused.with(Detail::Scopes);
                ApiError { field: Some(self.names.of("scopes").into()), ..refused }
            }
            IssueError::Policy(objection) => objection.into(),
            IssueError::Mint(error) => self.of_mint(&error),
            IssueError::LimitReached { .. } => self.limit(&error),
            _ => ApiError::unavailable(),
        }
    }

    pub(crate) fn of_issue_once(&self, error: IssueOnceError) -> ApiError {
        match error {
            IssueOnceError::Issue(error) => self.of_issue(error),
            IssueOnceError::OtherRequest => other_request(),
            IssueOnceError::InFlight => ApiError::conflict("request_in_flight", error.to_string()),
            IssueOnceError::Gone => ApiError::conflict("token_gone", error.to_string()),
            _ => ApiError::unavailable(),
        }
    }

    pub(crate) fn of_change(&self, error: ChangeError) -> ApiError {
        match error {
            ChangeError::NotFound => ApiError::not_found(),
            ChangeError::Stale { found, .. } => ApiError::stale(found),
            ChangeError::Overtaken => ApiError::conflict("overtaken", error.to_string()),
            ChangeError::Lifetime(error) => self.lifetime(&error),
            ChangeError::Refused(ChangeRefused::Lifetime(error)) => self.of_field("expires_at", &error),
            ChangeError::Refused(error @ ChangeRefused::Wider) => self.of_field("scopes", &error),
            ChangeError::Refused(error @ ChangeRefused::PastTextEnd { .. }) => {
                let field = Some(self.names.of("expires_at").into());
                let conflict = ApiError::conflict("token_ends_earlier", error.to_string()).with(Detail::FixedEnd);
                ApiError { field, ..conflict }
            }
            ChangeError::Refused(error) => ApiError::conflict("token_revoked", error.to_string()),
            ChangeError::LimitReached { .. } => self.limit(&error),
            ChangeError::Store(error) if *error.kind() == StoreErrorKind::LostRace => {
                ApiError::conflict("overtaken", error.to_string())
            }
            _ => ApiError::unavailable(),
        }
    }

    pub(crate) fn of_rotation(&self, error: RotationError) -> ApiError {
        match error {
            RotationError::Rotate(RotateError::Mint(error)) => self.of_mint(&error),
            RotationError::Rotate(error @ RotateError::Overlap(_)) => self.of_field("overlap", &error),
            RotationError::Rotate(error @ RotateError::Expired) => {
                ApiError::conflict("token_expired", error.to_string())
            }
            RotationError::Rotate(error) => ApiError::conflict("token_revoked", error.to_string()),
            RotationError::Policy(objection) => objection.into(),
            RotationError::Change(error) => self.of_change(error),
            RotationError::OtherRequest => other_request(),
            _ => ApiError::unavailable(),
        }
    }

    fn of_mint(&self, error: &MintError) -> ApiError {
        match error {
            MintError::Lifetime(error) => self.of_field("expires_at", error),
            MintError::Draft(error @ InvalidDraft::Environment { .. }) => self.of_field("environment", error),
            MintError::Draft(error @ InvalidDraft::TooLong { .. }) => {
                ApiError::bad(error.to_string()).with(Detail::LongToken)
            }
            MintError::Draft(error @ InvalidDraft::Text(_)) => self.of_field("audience", error),
            MintError::Hash(CheckError::Overloaded) | MintError::NoEntropy(_) => ApiError::unavailable(),
            // What the host's own session or family got wrong.
            _ => ApiError::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the token cannot be made"),
        }
    }
}

fn other_request() -> ApiError {
    let text = "another request was made under this idempotency key";
    ApiError::own(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", text)
}

impl From<StoreError> for ApiError {
    fn from(_: StoreError) -> Self {
        Self::unavailable()
    }
}

impl From<ReadError> for ApiError {
    fn from(_: ReadError) -> Self {
        Self::unavailable()
    }
}

impl From<InvalidTimestamp> for ApiError {
    fn from(_: InvalidTimestamp) -> Self {
        Self::unavailable()
    }
}
