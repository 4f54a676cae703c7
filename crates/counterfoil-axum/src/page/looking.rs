//! The pages that are looked at: the list, and one token.

use axum::{extract::Request, http::StatusCode, response::Response};
use counterfoil::{
    Status, TokenId,
    record::Statuses,
    store::{Filter, ListQuery, Order, Stored},
    token::InvalidTokenId,
};

use super::{
    Change, Column, PageSession,
    answer::Visit,
    reply,
    view::{self, Link},
};
use crate::management::{ApiError, Operation, list};

impl<M: PageSession> Visit<M> {
    pub(super) async fn list(&self, request: Request) -> Result<Response, ApiError> {
        let (page, words) = (&self.page, &self.page.words);
        let listed = self.session.listed(&self.path).await?;
        let query = query(&request)?;
        // Where no choice is offered, none is taken.
        let status = query.status.as_deref().filter(|_| page.filters);
        let statuses = match status {
            None => page.usual,
            Some("all") => Statuses::ALL,
            Some(text) => {
                let status = text.parse::<Status>();
                status.map_err(|error| ApiError::of_field("status", error))?.into()
            }
        };
        let after = query.after.as_deref().map(str::parse).transpose();
        let after = after.map_err(|error: InvalidTokenId| ApiError::of_field("after", error))?;
        let filter = Filter { statuses, ..listed };
        let order = Order::ById { after };
        let found = page.registry.list(&ListQuery { filter, order, limit: page.page_size }).await?;
        let changed = self.changed(&query).await;

        let here = |pairs: &[(&str, &str)]| {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let list = self.links.list();
            if query.is_empty() { list.to_owned() } else { format!("{list}?{query}") }
        };
        let kept: Vec<(&str, &str)> = status.map(|status| ("status", status)).into_iter().collect();
        let next = found.next.map(list::text_of);
        let showing = self.showing();
        let mut rows = Vec::new();
        for stored in &found.tokens {
            let is_linked = self.may(Operation::Get, &stored.record).await;
            rows.push(showing.row(stored, is_linked, &self.allowed(&stored.record, &page.row_actions).await));
        }
        let can_create = page.has(Operation::Create) && self.session.owner(Operation::Create, &self.path).await.is_ok();
        let view = view::List {
            frame: page.frame(&self.links, &words.title),
            can_create,
            done: changed.as_ref().and_then(|(change, stored)| showing.done(*change, &stored.record)),
            filters: self.filters(status, here),
            headings: page.columns.iter().map(|column| column.heading(words)).collect(),
            header: page.columns.iter().position(|column| matches!(column, Column::Name)).unwrap_or_default(),
            rows,
            has_actions: !page.row_actions.is_empty(),
            empty: match (after, status) {
                (Some(_), _) => &words.empty_further,
                (None, Some(_)) => &words.empty_filtered,
                (None, None) => &words.empty,
            },
            has_unreadable: !found.corrupt.is_empty(),
            first: after.is_some().then(|| here(&kept)),
            next: next.map(|next| here(&[&kept[..], &[("after", &next)]].concat())),
        };
        reply::page(StatusCode::OK, &view)
    }

    /// The token that the address says was changed, if this session may know of it.
    async fn changed(&self, query: &Query) -> Option<(Change, Stored)> {
        let change = query.done.as_deref().and_then(Change::of_segment)?;
        let id = query.token.as_deref()?.parse::<TokenId>().ok()?;
        let stored = self.page.registry.get(id).await.ok()??;
        self.may(change.operation(), &stored.record).await.then_some((change, stored))
    }

    fn filters(&self, chosen: Option<&str>, here: impl Fn(&[(&str, &str)]) -> String) -> Vec<Link<'_>> {
        let (page, words) = (&self.page, &self.page.words);
        if !page.filters {
            return Vec::new();
        }
        let link = |status: Option<&'static str>, label| Link {
            href: here(status.map(|status| ("status", status)).as_slice()),
            label,
            icon: None,
            is_current: status == chosen,
        };
        let is_all = page.usual == Statuses::ALL;
        let mut links = vec![link(None, if is_all { &*words.filter_all } else { &*words.filter_usual })];
        links.extend(Status::ALL.map(|status| link(Some(status.as_str()), words.status(status))));
        if !is_all {
            links.push(link(Some("all"), &words.filter_all));
        }
        links
    }

    pub(super) async fn token(&self, request: Request) -> Result<Response, ApiError> {
        let stored = self.stored(Operation::Get).await?;
        let change = query(&request)?.done.as_deref().and_then(Change::of_segment);
        let allowed = self.allowed(&stored.record, &Change::ALL).await;
        let showing = self.showing();
        let name = showing.name(&stored.record);
        let view = view::OneToken {
            frame: self.page.frame(&self.links, &name),
            done: change.and_then(|change| showing.done(change, &stored.record)),
            facts: showing.facts(&stored),
            actions: showing.actions(&stored.record, &allowed),
        };
        reply::page(StatusCode::OK, &view)
    }
}

/// What a list's address, or a token's, may say.
#[derive(Default)]
struct Query {
    status: Option<String>,
    after: Option<String>,
    done: Option<String>,
    token: Option<String>,
}

/// Unknown parameters are left alone: links of the host's may have some of their own.
fn query(request: &Request) -> Result<Query, ApiError> {
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        let place = match &*name {
            "status" => &mut query.status,
            "after" => &mut query.after,
            "done" => &mut query.done,
            "token" => &mut query.token,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(ApiError::of_field(&name, "given twice"));
        }
    }
    Ok(query)
}
