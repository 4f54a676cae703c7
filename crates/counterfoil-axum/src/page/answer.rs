//! From a person's request to the page that answers it.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use counterfoil::{Record, Timestamp, Token, store::Stored};

use super::{
    Change, PageSession, SettingsPage, change::Place, facts::Showing, form_key::FormKey, links::Links, reply, view,
};
use crate::management::{ApiError, Operation, PathParams};

/// A request of a session's.
pub(super) struct Visit<M> {
    pub(super) page: Arc<SettingsPage>,
    pub(super) session: M,
    pub(super) path: PathParams,
    pub(super) links: Links,
    pub(super) now: Timestamp,
}

/// A new secret, to be shown in this reply alone; none if the form was sent before.
pub(super) struct Minted {
    pub(super) stored: Stored,
    pub(super) token: Option<Token>,
    pub(super) dropped: String,
}

impl<M: PageSession> Visit<M> {
    pub(super) async fn answer(&self, place: Place, request: Request) -> Result<Response, ApiError> {
        // Once more: the session extractor may have let itself be shown a token.
        self.page.shut(&request)?;
        match place {
            Place::List => self.list(request).await,
            Place::Create => self.create(request).await,
            Place::Token => self.token(request).await,
            Place::Change(change) => self.change(change, request).await,
        }
    }

    pub(super) fn showing(&self) -> Showing<'_> {
        Showing { page: &self.page, links: &self.links, now: self.now }
    }

    pub(super) fn key(&self) -> Result<FormKey, ApiError> {
        FormKey::new(self.session.form_secret().as_ref())
    }

    pub(super) async fn may(&self, operation: Operation, record: &Record) -> bool {
        self.page.has(operation) && self.session.may(operation, record, &self.path).await.is_ok()
    }

    /// Those of these changes that make sense for the token now, and that this session may make.
    pub(super) async fn allowed(&self, record: &Record, wanted: &[Change]) -> Vec<Change> {
        let mut allowed = Vec::new();
        for change in wanted.iter().copied().filter(|change| self.page.offers(*change, record, self.now)) {
            if self.may(change.operation(), record).await {
                allowed.push(change);
            }
        }
        allowed
    }

    /// The one place where a plaintext is shown.
    pub(super) async fn minted(&self, status: StatusCode, minted: &Minted) -> Result<Response, ApiError> {
        let Some(token) = &minted.token else { return self.sent_before(&minted.stored).await };
        let facts = self.showing().facts(&minted.stored);
        let dropped = minted.dropped.clone();
        let frame = self.page.frame(&self.links, &self.page.words.shown_title);
        let mut response = reply::page(status, &view::Shown { frame, token: token.expose(), facts, dropped })?;
        let policy = HeaderValue::from_static("no-referrer");
        response.headers_mut().insert(header::REFERRER_POLICY, policy);
        Ok(response)
    }

    /// Which token the form has made, and the way to a new secret for whoever has lost the first.
    async fn sent_before(&self, stored: &Stored) -> Result<Response, ApiError> {
        let (showing, record) = (self.showing(), &*stored.record);
        let is_linked = self.may(Operation::Get, record).await;
        let allowed = self.allowed(record, &[Change::Rotate]).await;
        let view = view::SentBefore {
            frame: self.page.frame(&self.links, &self.page.words.shown_again),
            facts: showing.summary(stored, is_linked),
            actions: showing.actions(record, &allowed),
        };
        reply::page(StatusCode::OK, &view)
    }

    /// The token that the path names, if this session may do this to it.
    pub(super) async fn stored(&self, operation: Operation) -> Result<Stored, ApiError> {
        let id = self.path.get("token_id").and_then(|text| text.parse().ok()).ok_or_else(ApiError::not_found)?;
        let stored = self.page.registry.get(id).await?.ok_or_else(ApiError::not_found)?;
        self.session.may(operation, &stored.record, &self.path).await?;
        Ok(stored)
    }
}
