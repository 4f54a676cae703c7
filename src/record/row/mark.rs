//! A mark as a store keeps it.

use serde_json::{Map, Value};

use super::body::{put, read};
use crate::{json, subject::Mark, time::Timestamp};

/// A mark in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRow {
    /// When.
    pub at: i64,
    /// By whom and why, as a JSON object.
    pub detail: String,
}

impl MarkRow {
    pub(super) fn read(&self) -> Option<Mark> {
        if !json::has_unique_members(&self.detail) {
            return None;
        }
        let Value::Object(mut detail) = serde_json::from_str(&self.detail).ok()? else { return None };
        Some(Mark {
            at: Timestamp::from_unix_millis(self.at).ok()?,
            by: read(&mut detail, "by", |value| value.as_str()?.parse().ok())?,
            claimed_by: read(&mut detail, "claimed_by", |value| value.as_str()?.parse().ok())?,
            reason: read(&mut detail, "reason", |value| value.as_str()?.parse().ok())?,
        })
    }
}

/// The mark in columns: for a store of rows that [revokes](crate::TokenStore::revoke).
impl From<&Mark> for MarkRow {
    fn from(mark: &Mark) -> Self {
        let mut detail = Map::new();
        put(&mut detail, "by", mark.by.as_ref().map(|by| by.as_str().into()));
        put(&mut detail, "claimed_by", mark.claimed_by.as_ref().map(|by| by.as_str().into()));
        put(&mut detail, "reason", mark.reason.as_ref().map(|reason| reason.as_str().into()));
        Self { at: mark.at.unix_millis(), detail: Value::Object(detail).to_string() }
    }
}
