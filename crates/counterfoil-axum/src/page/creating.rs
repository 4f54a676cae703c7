//! The page on which a token is made.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};
use counterfoil::{
    Grant,
    registry::{IssueOnceError, IssuedOnce},
    store::Stored,
};

use super::{
    Field, PageSession,
    answer::{Minted, Visit},
    field::{ExpiryField, GroupField, TextField, error_of},
    form::{Form, Wrong},
    offer::Offer,
    reply, view,
};
use crate::management::{ApiError, Operation, requests};

impl<M: PageSession> Visit<M> {
    pub(super) async fn create(&self, request: Request) -> Result<Response, ApiError> {
        let page = &self.page;
        let owner = self.session.owner(Operation::Create, &self.path).await?;
        let groups = if page.fields.contains(&Field::Scopes) {
            self.session.scope_groups(&owner, &self.path, page.offered_groups()).await?
        } else {
            Vec::new()
        };
        let expiries = page.offered_expiries(self.now);
        let offer = Offer { page, groups, expiries, now: self.now };
        if *request.method() != Method::POST {
            return self.create_form(StatusCode::OK, &offer, &offer.open(), &[]);
        }
        let (form, body) = Form::read(request).await?;
        self.key()?.check("create", form.first("form"))?;
        offer.check_fields(&form)?;
        let (status, wrong) = match offer.grant(&form, owner.clone(), &page.registry) {
            Err(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong),
            Ok(grant) => {
                let grant = Grant { by: self.session.actor(), ..grant };
                let grant = self.session.grant(grant).await?;
                match self.issue(grant, &form, &body).await {
                    Ok(issued) => return self.issued(issued),
                    Err(error) => self.wrong(error, offer.groups.first().map(|group| group.field()))?,
                }
            }
        };
        self.create_form(status, &offer, &form, &wrong)
    }

    async fn issue(&self, grant: Grant, form: &Form, body: &[u8]) -> Result<IssuedOnce, ApiError> {
        let registry = &self.page.registry;
        let issued = match &self.page.requests {
            None => registry.issue(grant).await.map(IssuedOnce::New).map_err(IssueOnceError::Issue),
            Some(requests) => {
                // A form that is sent twice has the same hidden field, and is one request.
                let name = form.first("form").unwrap_or_default();
                let key = requests::key(Operation::Create, &self.path, name, body);
                requests.issue(registry, grant, &key.map_err(|error| ApiError::of_field("form", error))?).await
            }
        };
        issued.map_err(|error| self.page.refusals().of_issue_once(error))
    }

    fn issued(&self, issued: IssuedOnce) -> Result<Response, ApiError> {
        let (record, token, dropped) = match issued {
            IssuedOnce::New(issued) => (Arc::new(issued.record), Some(issued.token), issued.dropped.to_string()),
            IssuedOnce::Replayed(record) => (record, None, String::new()),
        };
        self.minted(StatusCode::CREATED, &Minted { stored: Stored { record, usage: None }, token, dropped })
    }

    fn create_form(
        &self,
        status: StatusCode,
        offer: &Offer<'_>,
        form: &Form,
        wrong: &[Wrong],
    ) -> Result<Response, ApiError> {
        let words = &self.page.words;
        let field = |id: &'static str, label, hint, is_long, is_required| TextField {
            id,
            label,
            hint,
            // As it was entered: what is wrong with it must be seen.
            value: form.first(id).unwrap_or_default(),
            error: error_of(wrong, id),
            is_long,
            is_required,
        };
        let mut before = vec![field("name", &*words.field_name, &*words.hint_name, false, true)];
        let mut after = Vec::new();
        if offer.has(Field::Description) {
            before.push(field("description", &words.field_description, &words.hint_description, false, false));
        }
        if offer.has(Field::Networks) {
            after.push(field("networks", &words.field_networks, &words.hint_networks, true, false));
        }
        if offer.has(Field::Audience) {
            after.push(field("audience", &words.field_audience, &words.hint_audience, false, false));
        }
        let chooses_end = offer.has(Field::Expiry) && !offer.expiries.is_empty();
        let view = view::Create {
            frame: self.page.frame(&self.base, &words.create),
            form: self.key()?.field("create")?,
            wrong,
            before,
            expiry: chooses_end.then(|| ExpiryField::of(words, &offer.expiries, form, wrong, self.now)),
            groups: offer.groups.iter().map(|group| GroupField::of(group, form, wrong)).collect(),
            after,
        };
        reply::page(status, &view)
    }
}
