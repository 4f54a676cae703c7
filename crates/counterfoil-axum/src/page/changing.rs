//! The pages on which a token is changed: each asks once more, and then does it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};
use counterfoil::{
    By, Record, Rotation, Usage,
    registry::{Rotated, Target},
    store::Stored,
};

use super::{
    PageSession,
    answer::{Minted, Visit},
    expiries,
    field::{ExpiryField, OptionView, error_of},
    form::{Form, Wrong},
    reply, view,
};
use crate::management::{ApiError, Operation, requests};

/// Why a change was not made.
enum NotMade {
    /// The form says something that was not offered.
    Field(Wrong),
    /// The registry, or the host, does not let it be.
    Refused(ApiError),
}

impl From<Wrong> for NotMade {
    fn from(wrong: Wrong) -> Self {
        Self::Field(wrong)
    }
}

impl From<ApiError> for NotMade {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl<M: PageSession> Visit<M> {
    pub(super) async fn change(&self, operation: Operation, request: Request) -> Result<Response, ApiError> {
        let stored = self.stored(operation).await?;
        let purpose = format!("{} {}", operation.as_str(), stored.record.id());
        if *request.method() != Method::POST {
            let mut form = Form::default();
            if let Some((time, _)) = self.page.offered_overlaps().first() {
                form.add("overlap", time.as_secs().to_string());
            }
            return self.change_form(StatusCode::OK, operation, &stored, &form, &[]);
        }
        let (form, body) = Form::read(request).await?;
        self.key()?.check(&purpose, form.first("form"))?;
        let fields = match operation {
            Operation::Rotate => &["form", "version", "overlap"][..],
            Operation::SetExpiry => &["form", "version", "expiry", "date"],
            _ => &["form", "version"],
        };
        form.check(fields, &[])?;
        let version = form.first("version").and_then(|version| version.parse().ok());
        let version = version.ok_or_else(|| ApiError::of_field("version", "expected a number"))?;
        let seen = Target { id: stored.record.id(), version: Some(version) };
        let made = match operation {
            Operation::Rotate => self.rotate(seen, stored.usage.clone(), &form, &body).await,
            _ => self.made(operation, seen, &form).await,
        };
        let (status, wrong) = match made {
            Ok(response) => return Ok(response),
            Err(NotMade::Field(wrong)) => (StatusCode::UNPROCESSABLE_ENTITY, vec![wrong]),
            Err(NotMade::Refused(error)) if error.current.is_some() || error.code == "overtaken" => {
                let stored = self.stored(operation).await?;
                let wrong = [Wrong::new("", self.page.words.changed_meanwhile.as_ref())];
                return self.change_form(StatusCode::CONFLICT, operation, &stored, &form, &wrong);
            }
            Err(NotMade::Refused(error)) => self.wrong(error, None)?,
        };
        self.change_form(status, operation, &stored, &form, &wrong)
    }

    fn by(&self) -> By {
        By { actor: self.session.actor(), ..By::unknown() }
    }

    /// Makes a change that shows no secret.
    async fn made(&self, operation: Operation, seen: Target, form: &Form) -> Result<Response, NotMade> {
        let (registry, refusals, by) = (&self.page.registry, self.page.refusals(), self.by());
        // Nothing that a person wants to stop goes on because somebody else changed the token meanwhile.
        let any = Target::from(seen.id);
        match operation {
            Operation::SetExpiry => {
                let offered = self.page.offered_expiries(self.now);
                let lifetime = expiries::read(form, &offered, &self.page.words, self.now)?;
                registry.set_expiry(seen, lifetime, by).await.map(drop)
            }
            Operation::Block => registry.block(any, by).await.map(drop),
            Operation::Unblock => registry.unblock(seen, by).await.map(drop),
            _ => registry.revoke(any, by).await,
        }
        .map_err(|error| refusals.of_change(error))?;
        let done = super::suffix(operation).trim_start_matches('/');
        // A revoked token may be one that the list does not show, and has nothing more to offer.
        let place = match operation {
            Operation::Revoke => String::new(),
            _ if self.page.has(Operation::Get) => format!("/{}", seen.id),
            _ => String::new(),
        };
        let list = if self.base.is_empty() && place.is_empty() { "/" } else { &self.base };
        Ok(reply::see_other(&format!("{list}{place}?done={done}")))
    }

    async fn rotate(&self, seen: Target, usage: Option<Usage>, form: &Form, body: &[u8]) -> Result<Response, NotMade> {
        let overlaps = self.page.offered_overlaps();
        let is_chosen = |time: &Duration| form.first("overlap") == Some(&time.as_secs().to_string());
        let Some((overlap, _)) = overlaps.iter().find(|(time, _)| is_chosen(time)) else {
            return Err(Wrong::new("overlap", self.page.words.wrong_overlap.as_ref()).into());
        };
        let rotation = Rotation::with_overlap(*overlap).by(self.by());
        let name = form.first("form").unwrap_or_default();
        let key = requests::key(Operation::Rotate, &self.path, name, body);
        let key = key.map_err(|error| ApiError::of_field("form", error))?;
        let rotated = self.page.registry.rotate_once(seen, &rotation, &key).await;
        let rotated = rotated.map_err(|error| self.page.refusals().of_rotation(error))?;
        let (record, token) = match rotated {
            Rotated::New(issued) => (Arc::new(issued.record), Some(issued.token)),
            Rotated::Replayed(record) => (record, None),
        };
        let minted = Minted { stored: Stored { record, usage }, token, dropped: String::new() };
        Ok(self.minted(StatusCode::OK, &minted)?)
    }

    fn change_form(
        &self,
        status: StatusCode,
        operation: Operation,
        stored: &Stored,
        form: &Form,
        wrong: &[Wrong],
    ) -> Result<Response, ApiError> {
        let (page, record) = (&self.page, &stored.record);
        if !page.offers(operation, record, self.now) {
            return Err(self.not_offered(operation, record));
        }
        let (words, showing) = (&page.words, self.showing());
        let offered = page.offered_expiries(self.now);
        let overlaps = if operation == Operation::Rotate { page.offered_overlaps() } else { &[] };
        let action = words.action(operation);
        let view = view::Change {
            frame: page.frame(&self.base, action.title),
            form: self.key()?.field(&format!("{} {}", operation.as_str(), record.id()))?,
            version: record.version(),
            wrong,
            text: action.text,
            submit: action.submit,
            is_final: operation == Operation::Revoke,
            summary: showing.summary(stored),
            expiry: (operation == Operation::SetExpiry)
                .then(|| ExpiryField::of(words, &offered, form, wrong, self.now)),
            overlaps: overlaps.iter().map(|(time, label)| overlap(*time, label, form)).collect(),
            overlap_error: error_of(wrong, "overlap"),
            cancel: match page.has(Operation::Get) {
                true => showing.href(record, ""),
                false if self.base.is_empty() => "/".to_owned(),
                false => self.base.clone(),
            },
        };
        reply::page(status, &view)
    }

    fn not_offered(&self, operation: Operation, record: &Record) -> ApiError {
        if record.revoked().is_some() {
            return ApiError::conflict("token_revoked", "token is revoked, which is final");
        }
        match operation {
            Operation::Rotate => ApiError::conflict("token_expired", "token is expired"),
            // Blocked already, or unblocked: that is what was wanted, and how it is now.
            _ => ApiError::conflict("overtaken", "the token was changed meanwhile"),
        }
    }
}

fn overlap<'a>(time: Duration, label: &'a str, form: &Form) -> OptionView<'a> {
    let value = time.as_secs().to_string();
    let (id, is_chosen) = (format!("overlap-{value}"), form.has("overlap", &value));
    OptionView { id, value, label, hint: None, is_chosen }
}
