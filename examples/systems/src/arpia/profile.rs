//! The profile: who has used the person's tokens, and from where.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, extract::State, http::StatusCode};
use counterfoil::{
    Owner,
    event::{Event, EventSink},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Arpia, Body, accounts::Member};

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
            "unknown_ip": member.account.is_unknown(event.caller.address),
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
