//! The page on which a token is made.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    response::Response,
};
use counterfoil::{
    Audience, Grant, Name, Owner,
    annotation::Description,
    registry::{IssueOnceError, IssuedOnce},
    store::Stored,
};

use super::{
    Field, PageSession, ScopeGroup,
    answer::{Minted, Visit},
    day,
    field::{ExpiryField, GroupField, TextField, TextKind, error_of},
    form::Form,
    offer::Offer,
    reply,
    trouble::Trouble,
    view,
};
use crate::management::{ApiError, Operation, requests};

impl<M: PageSession> Visit<M> {
    pub(super) async fn create(&self, request: Request) -> Result<Response, ApiError> {
        let page = &self.page;
        let owner = self.session.owner(Operation::Create, &self.path).await?;
        let purpose = self.purpose(&owner);
        let groups = if page.fields.contains(&Field::Scopes) {
            self.session.scope_groups(&owner, &self.path, page.offered_groups()).await?
        } else {
            Vec::new()
        };
        // Those of the page itself were looked at when it was mounted.
        ScopeGroup::check(&groups)
            .map_err(|error| ApiError::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
        let expiries = page.offered_expiries(self.now);
        let offer = Offer { page, groups, expiries, now: self.now };
        if *request.method() != Method::POST {
            return self.create_form(&purpose, &offer, &offer.open(), Trouble::default());
        }
        let (form, body) = Form::read(request).await?;
        if !self.key()?.check(&purpose, form.first("form")) {
            return self.create_form(&purpose, &offer, &form, Trouble::of_foreign_form(&page.words));
        }
        offer.check_fields(&form)?;
        let trouble = match offer.grant(&form, owner, &page.registry) {
            Err(wrong) => Trouble::of_fields(wrong),
            Ok(grant) => {
                let grant = Grant { by: self.session.actor(), ..grant };
                let grant = self.session.grant(grant).await?;
                match self.issue(grant, &form, &body).await {
                    Ok(issued) => return self.issued(issued).await,
                    Err(error) => {
                        let scopes = offer.groups.first().map(ScopeGroup::field).unwrap_or_default();
                        self.trouble(error, &form, &scopes)?
                    }
                }
            }
        };
        self.create_form(&purpose, &offer, &form, trouble)
    }

    /// What the hidden field is good for: a token of this owner's, made at this path.
    fn purpose(&self, owner: &Owner) -> Vec<String> {
        let operation = Operation::Create.as_str();
        let of_owner = [operation, owner.tenant_or_empty(), owner.subject().as_str()];
        of_owner.into_iter().chain(self.path.values()).map(str::to_owned).collect()
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

    async fn issued(&self, issued: IssuedOnce) -> Result<Response, ApiError> {
        let (record, token, dropped) = match issued {
            IssuedOnce::New(issued) => (Arc::new(issued.record), Some(issued.token), issued.dropped.to_string()),
            IssuedOnce::Replayed(record) => (record, None, String::new()),
        };
        self.minted(StatusCode::CREATED, &Minted { stored: Stored { record, usage: None }, token, dropped }).await
    }

    fn create_form(
        &self,
        purpose: &[String],
        offer: &Offer<'_>,
        form: &Form,
        trouble: Trouble,
    ) -> Result<Response, ApiError> {
        let words = &self.page.words;
        let fields = offer.fields();
        let trouble = trouble.within(&fields.iter().map(String::as_str).collect::<Vec<_>>());
        let wrong = &trouble.wrong;
        let field = |id: &'static str, kind, limit, label, hint| TextField {
            id,
            kind,
            label,
            hint,
            limit,
            // As it was entered: what is wrong with it must be seen.
            value: form.first(id).unwrap_or_default(),
            error: error_of(wrong, id),
        };
        let mut before =
            vec![field("name", TextKind::Name, Some(Name::MAX_CHARS), &*words.field_name, &*words.hint_name)];
        let mut after = Vec::new();
        if offer.has(Field::Description) {
            let limit = Some(Description::MAX_CHARS);
            before.push(field(
                "description",
                TextKind::Prose,
                limit,
                &words.field_description,
                &words.hint_description,
            ));
        }
        if offer.has(Field::Networks) {
            after.push(field("networks", TextKind::Networks, None, &words.field_networks, &words.hint_networks));
        }
        if offer.has(Field::Audience) {
            let limit = Some(Audience::MAX_CHARS);
            after.push(field("audience", TextKind::Prose, limit, &words.field_audience, &words.hint_audience));
        }
        let view = view::Create {
            frame: self.page.frame(&self.links, &words.create).telling_of(wrong),
            form: self.key()?.field(purpose)?,
            wrong,
            before,
            expiry: offer.has_expiry().then(|| {
                let last_day = day::last_day(self.page.lifetimes(), self.now);
                ExpiryField::of(words, &offer.expiries, form, wrong, self.now, last_day)
            }),
            groups: offer.groups.iter().map(|group| GroupField::of(words, group, form, wrong)).collect(),
            after,
        };
        reply::form(&trouble, &view)
    }
}
