//! Why a form that was sent is shown again.

use std::time::Duration;

use axum::http::StatusCode;

use super::{
    filling::fill,
    form::{Form, Wrong},
    reply,
    words::Words,
};
use crate::management::ApiError;

/// What has become of a form: all well, as long as it was not sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    pub(super) wrong: Vec<Wrong>,
    pub(super) retry_after: Option<Duration>,
}

impl Trouble {
    pub(super) fn of_fields(wrong: Vec<Wrong>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, wrong, retry_after: None }
    }

    /// What the person can mend in the form, or else the error itself. The field `scopes` is where scopes are chosen.
    pub(super) fn of_error(error: ApiError, words: &Words, form: &Form, scopes: &str) -> Result<Self, ApiError> {
        let field = error.field.as_deref();
        let why = field.and_then(|field| error.text.strip_prefix(field)?.strip_prefix(": ")).unwrap_or(&error.text);
        let filled = |text: &str| fill(text, &[("why", why)]);
        let end = if form.first("expiry") == Some("date") { "date" } else { "expiry" };
        let mut wrong = match field {
            Some("expires_at") => Wrong::new(end, filled(&words.refused_expiry)),
            Some("scopes") => Wrong::new(scopes, filled(&words.refused_scopes)),
            Some("audience") => Wrong::new("audience", words.wrong_audience.as_ref()),
            Some("overlap") => Wrong::new("overlap", words.wrong_overlap.as_ref()),
            None if error.code == "limit_reached" => Wrong::new("", words.limit_reached.as_ref()),
            None if error.status == StatusCode::SERVICE_UNAVAILABLE => Wrong::new("", words.error_unavailable.as_ref()),
            // The host's own no, in its own words.
            None if [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&error.status) => {
                Wrong::new("", error.text.as_ref())
            }
            _ => return Err(error),
        };
        wrong.link = error.link.as_deref().and_then(reply::safe_link).map(str::to_owned);
        let status =
            if error.status == StatusCode::BAD_REQUEST { StatusCode::UNPROCESSABLE_ENTITY } else { error.status };
        Ok(Self { status, wrong: vec![wrong], retry_after: error.retry_after })
    }

    /// The token was changed after the person saw it: that is told before all else.
    pub(super) fn after_a_change(mut self, words: &Words) -> Self {
        self.wrong.insert(0, Wrong::new("", words.changed_meanwhile.as_ref()));
        Self { status: StatusCode::CONFLICT, ..self }
    }

    /// Nothing leads to a field that the form does not have.
    pub(super) fn within(mut self, fields: &[&str]) -> Self {
        for wrong in self.wrong.iter_mut().filter(|wrong| !fields.contains(&wrong.field.as_str())) {
            wrong.field.clear();
        }
        self
    }
}
