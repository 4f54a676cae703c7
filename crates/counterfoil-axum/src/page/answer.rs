//! From a person's request to the page that answers it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use counterfoil::{
    By, Record, Rotation, Timestamp, Token,
    record::Statuses,
    registry::{IssueOnceError, IssuedOnce, Rotated, Target},
    store::{ListQuery, Order, Stored},
};

use super::{
    Field, PageSession, SettingsPage,
    create::Offer,
    expiries,
    form::{Form, Wrong},
    form_key::FormKey,
    reply,
    view::{self, ExpiryField, GroupField, Link, Showing, TextField},
    words::fill,
};
use crate::management::{ApiError, Operation, PathParams, list, requests};

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
struct Minted {
    stored: Stored,
    token: Option<Token>,
    dropped: String,
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

    fn showing(&self) -> Showing<'_> {
        Showing { page: &self.page, base: &self.base, now: self.now }
    }

    fn key(&self) -> Result<FormKey, ApiError> {
        FormKey::new(self.session.form_secret().as_ref())
    }

    async fn list(&self, request: Request) -> Result<Response, ApiError> {
        let page = &self.page;
        let listed = self.session.listed(&self.path).await?;
        let query = query(&request)?;
        let statuses = match query.status.as_deref() {
            None => page.usual,
            Some("all") => Statuses::ALL,
            Some(text) => {
                let status = text.parse::<counterfoil::Status>();
                status.map_err(|error| ApiError::of_field("status", error))?.into()
            }
        };
        let after = query.after.as_deref().map(str::parse).transpose();
        let after = after.map_err(|error: counterfoil::token::InvalidTokenId| ApiError::of_field("after", error))?;
        let filter = counterfoil::store::Filter { statuses, ..listed };
        let order = Order::ById { after };
        let found = page.registry.list(&ListQuery { filter, order, limit: page.page_size }).await?;

        let frame = page.frame(&self.base, &page.words.title);
        let here = |pairs: &[(&str, &str)]| {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let list = if self.base.is_empty() { "/" } else { &self.base };
            if query.is_empty() { list.to_owned() } else { format!("{list}?{query}") }
        };
        let status: Vec<(&str, &str)> = query.status.as_deref().map(|status| ("status", status)).into_iter().collect();
        let next = found.next.map(list::text_of);
        let showing = self.showing();
        let view = view::List {
            can_create: page.has(Operation::Create),
            done: query.done.as_deref().and_then(|done| page.words.done(done)),
            filters: self.filters(query.status.as_deref(), here),
            headings: page.columns.iter().map(|column| column.heading(&page.words)).collect(),
            rows: found.tokens.iter().map(|stored| showing.row(stored)).collect(),
            has_actions: !page.row_actions.is_empty(),
            is_filtered: query.status.is_some() || query.after.is_some(),
            has_unreadable: !found.corrupt.is_empty(),
            first: query.after.is_some().then(|| here(&status)),
            next: next.map(|next| here(&[&status[..], &[("after", &next)]].concat())),
            frame,
        };
        reply::page(StatusCode::OK, &view)
    }

    fn filters(&self, chosen: Option<&str>, here: impl Fn(&[(&str, &str)]) -> String) -> Vec<Link<'_>> {
        let (page, words) = (&self.page, &self.page.words);
        if !page.filters {
            return Vec::new();
        }
        let link = |status: Option<&'static str>, label| Link {
            href: here(status.map(|status| ("status", status)).as_slice()),
            label,
            is_current: status == chosen,
        };
        let is_all = page.usual == Statuses::ALL;
        let mut links = vec![link(None, if is_all { &*words.filter_all } else { &*words.filter_usual })];
        links.extend(counterfoil::Status::ALL.map(|status| link(Some(status.as_str()), words.status(status))));
        if !is_all {
            links.push(link(Some("all"), &words.filter_all));
        }
        links
    }

    async fn token(&self, request: Request) -> Result<Response, ApiError> {
        let page = &self.page;
        let stored = self.stored(Operation::Get).await?;
        let done = query(&request)?.done;
        let mut allowed = Vec::new();
        for operation in super::CHANGES {
            if self.session.may(operation, &stored.record, &self.path).await.is_ok() {
                allowed.push(operation);
            }
        }
        let showing = self.showing();
        let view = view::OneToken {
            frame: page.frame(&self.base, showing.name(&stored.record)),
            done: done.as_deref().and_then(|done| page.words.done(done)),
            facts: showing.facts(&stored),
            actions: showing.actions(&stored.record, &allowed),
        };
        reply::page(StatusCode::OK, &view)
    }

    async fn create(&self, request: Request) -> Result<Response, ApiError> {
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
                let grant = counterfoil::Grant { by: self.session.actor(), ..grant };
                let grant = self.session.grant(grant).await?;
                match self.issue(grant, &form, &body).await {
                    Ok(issued) => return self.issued(issued),
                    Err(error) => self.wrong(error, offer.groups.first().map(|group| group.field()))?,
                }
            }
        };
        self.create_form(status, &offer, &form, &wrong)
    }

    async fn issue(&self, grant: counterfoil::Grant, form: &Form, body: &[u8]) -> Result<IssuedOnce, ApiError> {
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

    /// The one place where a plaintext is shown.
    fn minted(&self, status: StatusCode, minted: &Minted) -> Result<Response, ApiError> {
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
            error: view::error_of(wrong, id),
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

    /// The token that the path names, if this session may do this to it.
    async fn stored(&self, operation: Operation) -> Result<Stored, ApiError> {
        let id = self.path.get("token_id").and_then(|text| text.parse().ok()).ok_or_else(ApiError::not_found)?;
        let stored = self.page.registry.get(id).await?.ok_or_else(ApiError::not_found)?;
        self.session.may(operation, &stored.record, &self.path).await?;
        Ok(stored)
    }

    async fn change(&self, operation: Operation, request: Request) -> Result<Response, ApiError> {
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
        let (status, wrong) = match self.made(operation, seen, &form, &body).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(wrong)) => (StatusCode::UNPROCESSABLE_ENTITY, vec![wrong]),
            Err(error) if error.current.is_some() || error.code == "overtaken" => {
                let stored = self.stored(operation).await?;
                let wrong = [Wrong::new("", self.page.words.changed_meanwhile.as_ref())];
                return self.change_form(StatusCode::CONFLICT, operation, &stored, &form, &wrong);
            }
            Err(error) => self.wrong(error, None)?,
        };
        self.change_form(status, operation, &stored, &form, &wrong)
    }

    /// Makes the change, or tells which field is wrong.
    async fn made(
        &self,
        operation: Operation,
        seen: Target,
        form: &Form,
        body: &[u8],
    ) -> Result<Result<Response, Wrong>, ApiError> {
        let (registry, refusals) = (&self.page.registry, self.page.refusals());
        let by = By { actor: self.session.actor(), ..By::unknown() };
        // Nothing that a person wants to stop goes on because somebody else changed the token meanwhile.
        let any = Target::from(seen.id);
        match operation {
            Operation::Rotate => return self.rotate(seen, by, form, body).await,
            Operation::SetExpiry => {
                let offered = self.page.offered_expiries(self.now);
                let lifetime = match expiries::read(form, &offered, &self.page.words, self.now) {
                    Ok(lifetime) => lifetime,
                    Err(wrong) => return Ok(Err(wrong)),
                };
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
        Ok(Ok(reply::see_other(&format!("{list}{place}?done={done}"))))
    }

    async fn rotate(
        &self,
        seen: Target,
        by: By,
        form: &Form,
        body: &[u8],
    ) -> Result<Result<Response, Wrong>, ApiError> {
        let overlaps = self.page.offered_overlaps();
        let is_chosen = |time: &Duration| form.first("overlap") == Some(&time.as_secs().to_string());
        let Some((overlap, _)) = overlaps.iter().find(|(time, _)| is_chosen(time)) else {
            return Ok(Err(Wrong::new("overlap", self.page.words.wrong_overlap.as_ref())));
        };
        let rotation = Rotation::with_overlap(*overlap).by(by);
        let name = form.first("form").unwrap_or_default();
        let key = requests::key(Operation::Rotate, &self.path, name, body);
        let key = key.map_err(|error| ApiError::of_field("form", error))?;
        let rotated = self.page.registry.rotate_once(seen, &rotation, &key).await;
        let rotated = rotated.map_err(|error| self.page.refusals().of_rotation(error))?;
        let (record, token) = match rotated {
            Rotated::New(issued) => (Arc::new(issued.record), Some(issued.token)),
            Rotated::Replayed(record) => (record, None),
        };
        let minted = Minted { stored: Stored { record, usage: None }, token, dropped: String::new() };
        self.minted(StatusCode::OK, &minted).map(Ok)
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
            overlap_error: view::error_of(wrong, "overlap"),
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

    /// What the person can mend in the form, or else the error itself.
    fn wrong(&self, error: ApiError, scopes: Option<String>) -> Result<(StatusCode, Vec<Wrong>), ApiError> {
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

fn overlap<'a>(time: Duration, label: &'a str, form: &Form) -> view::OptionView<'a> {
    let value = time.as_secs().to_string();
    let (id, is_chosen) = (format!("overlap-{value}"), form.has("overlap", &value));
    view::OptionView { id, value, label, hint: None, is_chosen }
}

/// What a list's address, or a token's, may say.
#[derive(Default)]
struct Query {
    status: Option<String>,
    after: Option<String>,
    done: Option<String>,
}

/// Unknown parameters are left alone: links of the host's may have some of their own.
fn query(request: &Request) -> Result<Query, ApiError> {
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        let place = match &*name {
            "status" => &mut query.status,
            "after" => &mut query.after,
            "done" => &mut query.done,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(ApiError::of_field(&name, "given twice"));
        }
    }
    Ok(query)
}
