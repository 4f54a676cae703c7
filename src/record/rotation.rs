//! When a record was rotated, and by which request.

use serde_json::{Map, Value};

use super::Record;
use crate::{idempotency::IdempotencyKey, time::Timestamp};

impl Record {
    /// The key of the request that rotated it last, if that request had one: kept until the next rotation.
    pub fn rotation_key(&self) -> Option<&IdempotencyKey> {
        self.rotation_key.as_ref()
    }

    /// The key is written with the moment of its rotation. A build that does not know it keeps it through a rotation of
    /// its own, and must not make that one look like a repeat.
    pub(super) fn write_rotation(&self, body: &mut Map<String, Value>) {
        let Some(at) = self.rotated_at.map(Timestamp::unix_millis) else { return };
        body.insert("rotated_at".into(), at.into());
        if let Some(key) = &self.rotation_key {
            body.insert("rotation_key".into(), serde_json::json!({ "at": at, "key": key.as_str() }));
        }
    }

    pub(super) fn read_rotation(&mut self, body: &mut Map<String, Value>) -> Option<()> {
        let moment = |value: &Value| Timestamp::from_unix_millis(value.as_i64()?).ok();
        self.rotated_at = match body.remove("rotated_at") {
            Some(value) => Some(moment(&value)?),
            None => None,
        };
        if let Some(value) = body.remove("rotation_key") {
            let key = value.get("key")?.as_str()?.parse().ok()?;
            let of = moment(value.get("at")?)?;
            self.rotation_key = Some(key).filter(|_| self.rotated_at == Some(of));
        }
        Some(())
    }
}
