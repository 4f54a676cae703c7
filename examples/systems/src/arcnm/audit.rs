//! The audit log: what has happened to each tenant's keys, and never a secret, since no event holds one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Extension, Json, extract::State};
use counterfoil::event::{Event, EventKind, EventSink};
use serde_json::{Value, json};

use super::{Arcnm, Context};

/// How many events are kept here; a real service keeps them in its database.
const CAPACITY: usize = 10_000;

/// The events of all tenants, the newest last.
#[derive(Debug, Clone, Default)]
pub struct AuditLog(Arc<Mutex<VecDeque<Event>>>);

impl EventSink for AuditLog {
    fn emit(&self, event: &Event) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == CAPACITY {
            events.pop_front();
        }
        events.push_back(event.clone());
    }
}

/// The events of the key's tenant.
pub(super) async fn export(State(arcnm): State<Arcnm>, Extension(context): Extension<Context>) -> Json<Value> {
    let events = arcnm.audit.0.lock().unwrap_or_else(PoisonError::into_inner);
    let is_own = |event: &&Event| event.owner.as_ref().is_some_and(|owner| owner.subject().as_str() == context.tenant);
    Json(json!({ "events": events.iter().filter(is_own).map(row).collect::<Value>() }))
}

fn row(event: &Event) -> Value {
    let reason = match &event.kind {
        EventKind::Denied { denial, .. } => Some(denial.code()),
        _ => None,
    };
    json!({
        "at": event.at.unix_millis(),
        "event": event.kind.as_str(),
        "reason": reason,
        "key": event.token.map(|token| token.to_string()),
        "by": event.by.actor.as_ref().map(|actor| actor.as_str()),
        "address": event.caller.address,
        "request_id": event.caller.request.as_ref().map(|request| request.as_str()),
    })
}
