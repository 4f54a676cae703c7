//! From a person's request to the page that answers it.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use counterfoil::{Timestamp, Token, store::Stored};

use super::{PageSession, SettingsPage, facts::Showing, form::Wrong, form_key::FormKey, reply, view, words::fill};
use crate::management::{ApiError, Operation, PathParams};

/// A request of a session's.
pub(super) struct Visit<M> {
    pub(super) page: Arc<SettingsPage>,
    pub(super) session: M,
    pub(super) path: PathParams,
    /// The list's own path.
    pub(super) base: String,
    pub(super) now: Timestamp,
}

/// A new secret, to be shown in this reply alone; none if the form was sent before.
pub(super) struct Minted {
    pub(super) stored: Stored,
    pub(super) token: Option<Token>,
    pub(super) dropped: String,
}

impl<M: PageSession> Visit<M> {
    pub(super) async fn answer(&self, operation: Operation, request: Request) -> Result<Response, ApiError> {
        // Once more: the session extractor may have let itself be shown a token.
        self.page.shut(&request)?;
        match operation {
            Operation::List => self.list(request).await,
            Operation::Create => self.create(request).await,
            Operation::Get => self.token(request).await,
            _ => self.change(operation, request).await,
        }
    }

    pub(super) fn showing(&self) -> Showing<'_> {
        Showing { page: &self.page, base: &self.base, now: self.now }
    }

    pub(super) fn key(&self) -> Result<FormKey, ApiError> {
        FormKey::new(self.session.form_secret().as_ref())
    }

    /// The one place where a plaintext is shown.
    pub(super) fn minted(&self, status: StatusCode, minted: &Minted) -> Result<Response, ApiError> {
        let words = &self.page.words;
        let Some(token) = &minted.token else {
            let frame = self.page.frame(&self.base, &words.shown_again);
            return reply::page(StatusCode::OK, &view::Message { frame, text: &words.shown_again_text, link: None });
        };
        let facts = self.showing().facts(&minted.stored);
        let dropped = minted.dropped.clone();
        let frame = self.page.frame(&self.base, &words.shown_title);
        let mut response = reply::page(status, &view::Shown { frame, token: token.expose(), facts, dropped })?;
        let policy = HeaderValue::from_static("no-referrer");
        response.headers_mut().insert(header::REFERRER_POLICY, policy);
        Ok(response)
    }

    /// The token that the path names, if this session may do this to it.
    pub(super) async fn stored(&self, operation: Operation) -> Result<Stored, ApiError> {
        let id = self.path.get("token_id").and_then(|text| text.parse().ok()).ok_or_else(ApiError::not_found)?;
        let stored = self.page.registry.get(id).await?.ok_or_else(ApiError::not_found)?;
        self.session.may(operation, &stored.record, &self.path).await?;
        Ok(stored)
    }

    /// What the person can mend in the form, or else the error itself.
    pub(super) fn wrong(&self, error: ApiError, scopes: Option<String>) -> Result<(StatusCode, Vec<Wrong>), ApiError> {
        let words = &self.page.words;
        let field = error.field.as_deref();
        let why = field.and_then(|field| error.text.strip_prefix(field)?.strip_prefix(": ")).unwrap_or(&error.text);
        let filled = |text: &str| fill(text, &[("why", why)]);
        let mut wrong = match field {
            Some("expires_at") => Wrong::new("expiry", filled(&words.refused_expiry)),
            Some("scopes") => Wrong::new(scopes.unwrap_or_default(), filled(&words.refused_scopes)),
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
        Ok((status, vec![wrong]))
    }
}
