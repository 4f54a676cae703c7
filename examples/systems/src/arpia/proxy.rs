//! The LLM proxy, and the budget that a workspace has for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Json;
use counterfoil::{Clock, Verified};
use counterfoil_axum::Proof;
use counterfoil_tower::{Later, Limiter};
use serde_json::{Value, json};

use super::Body;

const DAY: i64 = 86_400_000;

/// How many calls of the proxy each workspace has in a day (UTC), whoever makes them and with which token. A real
/// service counts where all its nodes see it, and in money.
#[derive(Debug, Clone)]
pub struct Budget {
    clock: Arc<dyn Clock>,
    workspaces: Arc<Mutex<HashMap<String, Spent>>>,
}

#[derive(Debug)]
struct Spent {
    daily: u64,
    day: i64,
    calls: u64,
}

impl Spent {
    const USUAL: Self = Self { daily: 1000, day: 0, calls: 0 };
}

impl Budget {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, workspaces: Arc::default() }
    }

    /// Gives a workspace so many calls a day.
    pub fn set_daily(&self, workspace: &str, daily: u64) {
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        workspaces.entry(workspace.to_owned()).or_insert(Spent::USUAL).daily = daily;
    }
}

impl Limiter for Budget {
    async fn admit(&self, verified: &Verified) -> Result<(), Later> {
        let spent = |wait| Later::new("ai_budget_spent", "the AI budget of the workarea is spent for today", wait);
        let Ok(now) = self.clock.now() else { return Err(spent(Duration::from_secs(1))) };
        let now = now.unix_millis();
        let day = now.div_euclid(DAY);
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let workspace = verified.record().owner().tenant_or_empty().to_owned();
        let budget = workspaces.entry(workspace).or_insert(Spent::USUAL);
        if budget.day != day {
            (budget.day, budget.calls) = (day, 0);
        }
        if budget.calls >= budget.daily {
            return Err(spent(Duration::from_millis(u64::try_from(DAY - now.rem_euclid(DAY)).unwrap_or(1000))));
        }
        budget.calls += 1;
        Ok(())
    }
}

/// A completion.
pub async fn chat(Proof(apt): Proof, Body(request): Body<Value>) -> Json<Value> {
    let prompt = request["messages"][0]["content"].as_str().unwrap_or_default();
    let content = format!("{} said: {prompt}", apt.record().owner().subject());
    Json(json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] }))
}
