//! The pages on which a token is changed: each asks once more, and then does it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};
use counterfoil::{
    By, Record, Rotation, Usage,
    registry::{ChangeError, Rotated, Target},
    store::Stored,
};

use super::{
    Change, PageSession,
    answer::{Minted, Visit},
    day, expiries,
    field::{ExpiryField, OptionView, error_of},
    form::{Form, Wrong},
    reply,
    trouble::Trouble,
    view,
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
    pub(super) async fn change(&self, change: Change, request: Request) -> Result<Response, ApiError> {
        let stored = self.stored(change.operation()).await?;
        if *request.method() != Method::POST {
            let mut form = Form::default();
            if let Some((time, _)) = self.page.offered_overlaps().first() {
                form.add("overlap", time.as_secs().to_string());
            }
            return self.change_form(change, &stored, &form, Trouble::default());
        }
        let (form, body) = Form::read(request).await?;
        if !self.key()?.check(&purpose(change, &stored.record), form.first("form")) {
            return self.change_form(change, &stored, &form, Trouble::of_foreign_form(&self.page.words));
        }
        let fields = match change {
            Change::Rotate => &["form", "version", "overlap"][..],
            Change::SetExpiry => &["form", "version", "expiry", "date"],
            Change::Block | Change::Unblock | Change::Revoke => &["form", "version"],
        };
        form.check(fields, &[])?;
        let version = form.first("version").and_then(|version| version.parse().ok());
        let version = version.ok_or_else(|| ApiError::of_field("version", "expected a number"))?;
        let seen = Target { id: stored.record.id(), version: Some(version) };
        let (registry, any) = (&self.page.registry, Target::from(seen.id));
        let made = match change {
            Change::Rotate => self.rotate(seen, stored.usage.clone(), &form, &body).await,
            Change::SetExpiry => self.set_expiry(seen, &form).await,
            Change::Block => self.made(change, seen, registry.block(any, self.by()).await.map(drop)),
            Change::Unblock => self.made(change, seen, registry.unblock(seen, self.by()).await.map(drop)),
            Change::Revoke => self.made(change, seen, registry.revoke(any, self.by()).await),
        };
        let is_overtaken = |error: &ApiError| error.current.is_some() || error.code == "overtaken";
        let (trouble, is_overtaken) = match made {
            Ok(response) => return Ok(response),
            Err(NotMade::Field(wrong)) => (Trouble::of_fields(vec![wrong]), false),
            Err(NotMade::Refused(error)) if is_overtaken(&error) => (Trouble::default(), true),
            Err(NotMade::Refused(error)) => (self.trouble(error, &form, "")?, false),
        };
        // The form that is shown now is of the token as it is now: whoever sends it again must have been told.
        let stored = self.stored(change.operation()).await?;
        let is_another = change.minds_version() && stored.record.version() != version;
        let trouble = if is_overtaken || is_another { trouble.after_a_change(&self.page.words) } else { trouble };
        self.change_form(change, &stored, &form, trouble)
    }

    fn by(&self) -> By {
        By { actor: self.session.actor(), ..By::unknown() }
    }

    async fn set_expiry(&self, seen: Target, form: &Form) -> Result<Response, NotMade> {
        let offered = self.page.offered_expiries(self.now);
        let lifetime = expiries::read(form, &offered, &self.page.words, self.now)?;
        let changed = self.page.registry.set_expiry(seen, lifetime, self.by()).await;
        self.made(Change::SetExpiry, seen, changed.map(drop))
    }

    /// The way on to the token's page, or to the list: of a revoked token there is nothing more to do, and the list tells
    /// of it also where it does not show it.
    fn made(&self, change: Change, seen: Target, result: Result<(), ChangeError>) -> Result<Response, NotMade> {
        result.map_err(|error| self.page.refusals().of_change(error))?;
        let (id, done) = (seen.id, change.segment());
        let is_shown = change != Change::Revoke && self.page.has(Operation::Get);
        Ok(reply::see_other(&match is_shown {
            true => format!("{}/{id}?done={done}", self.links.base()),
            false => format!("{}?done={done}&token={id}", self.links.list()),
        }))
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
        Ok(self.minted(StatusCode::OK, &minted).await?)
    }

    fn change_form(
        &self,
        change: Change,
        stored: &Stored,
        form: &Form,
        trouble: Trouble,
    ) -> Result<Response, ApiError> {
        let (page, record) = (&self.page, &stored.record);
        if !page.offers(change, record, self.now) {
            return Err(not_offered(change, record));
        }
        let (words, showing) = (&page.words, self.showing());
        let offered = page.offered_expiries(self.now);
        let has_date = offered.iter().any(|choice| choice.is_date());
        let trouble = trouble.within(match change {
            Change::Rotate => &["overlap"],
            Change::SetExpiry if has_date => &["expiry", "date"],
            Change::SetExpiry => &["expiry"],
            Change::Block | Change::Unblock | Change::Revoke => &[],
        });
        let wrong = &trouble.wrong;
        let overlaps = if change == Change::Rotate { page.offered_overlaps() } else { &[] };
        let action = words.action(change);
        let view = view::Change {
            frame: page.frame(&self.links, action.title).telling_of(wrong),
            form: self.key()?.field(&purpose(change, record))?,
            version: record.version(),
            wrong,
            text: action.text,
            submit: action.submit,
            is_final: change == Change::Revoke,
            summary: showing.summary(stored, false),
            expiry: (change == Change::SetExpiry).then(|| {
                let last_day = day::last_day(page.lifetimes(), self.now);
                ExpiryField::of(words, &offered, form, wrong, self.now, last_day)
            }),
            overlaps: overlaps.iter().map(|(time, label)| overlap(*time, label, form)).collect(),
            overlap_error: error_of(wrong, "overlap"),
            cancel: match page.has(Operation::Get) {
                true => showing.href(record, None),
                false => self.links.list().to_owned(),
            },
        };
        reply::form(&trouble, &view)
    }
}

/// What the hidden field of a change is good for.
fn purpose(change: Change, record: &Record) -> [String; 2] {
    [change.operation().as_str().to_owned(), record.id().to_string()]
}

fn not_offered(change: Change, record: &Record) -> ApiError {
    if record.revoked().is_some() {
        return ApiError::conflict("token_revoked", "token is revoked, which is final");
    }
    match change {
        Change::Rotate => ApiError::conflict("token_expired", "token is expired"),
        // Blocked already, or unblocked: that is what was wanted, and how it is now.
        Change::SetExpiry | Change::Block | Change::Unblock | Change::Revoke => {
            ApiError::conflict("overtaken", "the token was changed meanwhile")
        }
    }
}

fn overlap<'a>(time: Duration, label: &'a str, form: &Form) -> OptionView<'a> {
    let value = time.as_secs().to_string();
    let (id, is_chosen) = (format!("overlap-{value}"), form.has("overlap", &value));
    OptionView { id, value, label, hint: None, is_chosen }
}
