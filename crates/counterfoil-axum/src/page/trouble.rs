//! Why a form that was sent is shown again.

use std::time::Duration;

use axum::http::StatusCode;
use counterfoil::{Scopes, Timestamp};

use super::{
    PageSession, SettingsPage,
    answer::Visit,
    day,
    filling::fill,
    form::{Form, Wrong},
    reply,
    words::Words,
};
use crate::management::{ApiError, Detail};

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

    /// The form was shown to another session, or to this one before it was renewed. It is shown again as it was filled in.
    pub(super) fn of_foreign_form(words: &Words) -> Self {
        let wrong = vec![Wrong::new("", words.error_foreign_form.as_ref())];
        Self { status: StatusCode::FORBIDDEN, wrong, retry_after: None }
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

impl<M: PageSession> Visit<M> {
    /// What the person can correct in the form, or else the error itself. The field `scopes` is where scopes are chosen.
    pub(super) fn trouble(&self, error: ApiError, form: &Form, scopes: &str) -> Result<Trouble, ApiError> {
        let words = &self.page.words;
        let end = if form.first("expiry") == Some("date") { "date" } else { "expiry" };
        let limit = |text: &str, limit: usize| fill(text, &[("limit", &limit.to_string())]);
        let field = error.field.as_deref();
        let mut wrong = match (error.detail, field) {
            (Detail::LateEnd, _) => Wrong::new(end, late_end(&self.page, self.now)),
            (Detail::FixedEnd, _) => Wrong::new(end, words.fixed_expiry.as_ref()),
            (Detail::Scopes, _) => Wrong::new(scopes, fill(&words.refused_scopes, &[("scopes", error.scopes())])),
            (Detail::TooManyScopes, _) => Wrong::new(scopes, limit(&words.many_scopes, Scopes::MAX_COUNT)),
            (Detail::LongToken, _) => Wrong::new("", words.long_token.as_ref()),
            // The application's own refusal, in its own words.
            (Detail::Application, None) if is_refusal(error.status) => Wrong::new("", error.text.as_ref()),
            (_, Some("expires_at")) => Wrong::new(end, words.refused_expiry.as_ref()),
            (_, Some("audience")) => Wrong::new("audience", words.wrong_audience.as_ref()),
            (_, Some("overlap")) => Wrong::new("overlap", words.wrong_overlap.as_ref()),
            (_, None) if error.code == "limit_reached" => Wrong::new("", words.limit_reached.as_ref()),
            (_, None) if error.code == "issuing_stopped" => Wrong::new("", words.error_stopped.as_ref()),
            (_, None) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
                Wrong::new("", words.error_unavailable.as_ref())
            }
            _ => return Err(error),
        };
        wrong.link = error.link.as_deref().and_then(reply::safe_link).map(|link| self.links.application(link));
        let status =
            if error.status == StatusCode::BAD_REQUEST { StatusCode::UNPROCESSABLE_ENTITY } else { error.status };
        Ok(Trouble { status, wrong: vec![wrong], retry_after: error.retry_after })
    }
}

fn is_refusal(status: StatusCode) -> bool {
    [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// What is said of an end that the registry's lifetimes do not reach.
fn late_end(page: &SettingsPage, now: Timestamp) -> String {
    match day::last_day(page.lifetimes(), now) {
        Some(day) => fill(&page.words.late_expiry, &[("date", &day)]),
        None => page.words.refused_expiry.to_string(),
    }
}
