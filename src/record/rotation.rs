//! What a rotation leaves behind: when it was, by which request, and the end that its text names.

use serde_json::{Map, Value, json};

use super::Record;
use crate::{
    digest::fingerprint,
    idempotency::{IdempotencyKey, NamedRequest},
    time::Timestamp,
};

impl Record {
    /// The end that the current token's own text names, if its family [writes one](crate::token::TokenText::states_end),
    /// as a JWT does. [`expiry`](Self::expiry) decides here, and is never later.
    pub fn text_end(&self) -> Option<Timestamp> {
        self.text_end
    }

    /// The key of the request that rotated it last, if that request had one: kept until the next rotation.
    pub fn rotation_key(&self) -> Option<&IdempotencyKey> {
        self.rotation_request.as_ref().map(|request| &request.key)
    }

    /// The request is written with the moment of its rotation. A build that does not know it keeps it through a rotation
    /// of its own, and must not make that one look like a repeat.
    pub(super) fn write_rotation(&self, body: &mut Map<String, Value>) {
        let Some(at) = self.rotated_at.map(Timestamp::unix_millis) else { return };
        body.insert("rotated_at".into(), at.into());
        if let Some(NamedRequest { key, fingerprint }) = self.rotation_request.as_deref() {
            let request = json!({ "at": at, "key": key.as_str(), "sha256": fingerprint::to_text(fingerprint) });
            body.insert("rotation_key".into(), request);
        }
    }

    pub(super) fn read_rotation(&mut self, body: &mut Map<String, Value>) -> Option<()> {
        let moment = |value: &Value| Timestamp::from_unix_millis(value.as_i64()?).ok();
        self.rotated_at = match body.remove("rotated_at") {
            Some(value) => Some(moment(&value)?),
            None => None,
        };
        if let Some(value) = body.remove("rotation_key") {
            let text = |name| value.get(name)?.as_str();
            let (key, fingerprint) = (text("key")?.parse().ok()?, fingerprint::from_text(text("sha256")?)?);
            let of = moment(value.get("at")?)?;
            let request = NamedRequest { key, fingerprint };
            self.rotation_request = Some(request).filter(|_| self.rotated_at == Some(of)).map(Box::new);
        }
        Some(())
    }
}
