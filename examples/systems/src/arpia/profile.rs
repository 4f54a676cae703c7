//! The profile: what its form offers, the table of tokens, and who has used them from where.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use counterfoil::{
    Owner, Status, Timestamp,
    event::{Event, EventSink},
    store::{Filter, ListQuery, Stored},
};
use counterfoil_axum::management::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ALL_COLLECTIONS, Arpia, Body, LLM_PROXY,
    accounts::{Account, Member},
    collection_of,
};

/// A token that was not used for so long is inactive.
const INACTIVE: Duration = Duration::from_secs(90 * 86_400);

/// What happened to tokens and with them, the latest at the end. A real service keeps this in its database.
#[derive(Debug, Clone, Default)]
pub struct Audit(Arc<Mutex<VecDeque<Event>>>);

impl Audit {
    const MOST: usize = 100_000;

    fn of(&self, owner: &Owner) -> Vec<Event> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event.owner.as_ref() == Some(owner)).cloned().collect()
    }
}

impl EventSink for Audit {
    fn emit(&self, event: &Event) {
        if event.owner.is_none() {
            return; // nobody's: what strangers try pushes nothing out
        }
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == Self::MOST {
            events.pop_front();
        }
        events.push_back(event.clone());
    }
}

/// `GET /profile/audit`: what was done with the person's tokens, and from where.
pub async fn audit(State(arpia): State<Arpia>, member: Member) -> Json<Value> {
    let shown = |event: Event| {
        json!({
            "at": event.at.unix_millis(),
            "event": event.kind.as_str(),
            "token": event.token.map(|id| id.to_string()),
            "ip": event.caller.address,
            "unknown_ip": is_unknown(event.caller.address, &member.account),
        })
    };
    Json(arpia.audit.of(&member.person.owner).into_iter().map(shown).collect())
}

/// An address that a person calls theirs.
#[derive(Debug, Deserialize)]
pub struct KnownAddress {
    ip: IpAddr,
}

/// `POST /profile/known-ips`: checked, and mine.
pub async fn know(State(arpia): State<Arpia>, member: Member, Body(known): Body<KnownAddress>) -> StatusCode {
    arpia.accounts.know(&member.person.owner, known.ip);
    StatusCode::NO_CONTENT
}

fn is_unknown(address: Option<IpAddr>, account: &Account) -> bool {
    address.is_some_and(|address| !account.known.contains(&address))
}

/// `GET /profile`: the section "ARPIA Personal Tokens".
pub async fn profile(State(arpia): State<Arpia>, member: Member) -> Result<Json<Value>, ApiError> {
    let owner = &member.person.owner;
    let now = arpia.registry.now()?;
    let mut query = ListQuery::new(Filter::owner(owner.clone()));
    let mut rows = Vec::new();
    loop {
        let page = arpia.registry.list(&query).await?;
        rows.extend(page.tokens.iter().map(|stored| row(stored, now, &member.account)));
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    let profile = json!({
        "user": owner.subject().as_str(),
        "workspace": owner.tenant_or_empty(),
        "ARPIA Personal Tokens": { "Create New Token": form(&member.account), "tokens": rows },
    });
    Ok(Json(profile))
}

/// What the form offers: nothing is chosen before the person does.
fn form(account: &Account) -> Value {
    let days = |days: u32, text: &str| json!({ "label": text, "expires_in": days * 86_400 });
    let mut scopes = vec![json!({ "label": "All permitted collections", "scope": ALL_COLLECTIONS })];
    let specific = account.rights.exact().filter_map(|scope| Some((scope, collection_of(scope)?)));
    scopes.extend(specific.map(|(scope, name)| json!({ "label": name, "scope": scope.as_str() })));
    json!({
        "Token Name": null,
        "Expiration": [
            days(30, "30 days"),
            days(60, "60 days"),
            days(90, "90 days"),
            days(365, "1 year"),
            { "label": "No expiration", "expires_at": null, "warning": "use carefully" },
        ],
        "API Collection Scope": scopes,
        "AI/LLM Proxy Access": {
            "label": "Allow this token to call the AI / LLM chat proxy for custom integrations",
            "scope": LLM_PROXY,
            "checked": false,
        },
    })
}

fn row(stored: &Stored, now: Timestamp, account: &Account) -> Value {
    let (record, usage) = (&stored.record, stored.usage.as_ref());
    let is_for_all = record.scopes().patterns().any(|pattern| pattern.as_str() == ALL_COLLECTIONS);
    let names: Vec<_> = record.scopes().exact().filter_map(collection_of).collect();
    let scope = if is_for_all { "All permitted collections".to_owned() } else { names.join(", ") };
    let may_proxy = record.scopes().exact().any(|scope| scope.as_str() == LLM_PROXY);
    let end = record.expiry().at().map(Timestamp::unix_millis);
    let since = usage.map_or(record.created_at(), |usage| usage.at).unix_millis();
    let is_inactive = u128::try_from(now.unix_millis() - since).is_ok_and(|idle| idle >= INACTIVE.as_millis());
    let status = record.status(now);
    let marks = [
        (end.is_none(), "no expiration"),
        (usage.is_none(), "never used"),
        (is_inactive, "inactive"),
        (is_unknown(usage.and_then(|usage| usage.address), account), "unknown IP"),
    ];
    // What has ended needs no more care.
    let marks = marks.into_iter().filter_map(|(holds, mark)| (holds && status == Status::Active).then_some(mark));
    json!({
        "id": record.id().to_string(),
        "Name": record.annotations().name.as_ref().map(ToString::to_string),
        "Scope": scope,
        "AI/LLM Proxy Access": if may_proxy { "enabled" } else { "disabled" },
        "Expiration": end.map_or(json!("No expiration"), Value::from),
        "Last Used": usage.map(|usage| json!({ "at": usage.at.unix_millis(), "ip": usage.address })),
        // ACTIVE or REVOKED; one that has ended by itself is neither.
        "Status": status.as_str().to_uppercase(),
        "marks": marks.collect::<Value>(),
    })
}
