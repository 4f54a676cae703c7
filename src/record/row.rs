//! A record as a store keeps it: a few fixed columns, and a versioned body that stores need not understand.

mod mark;

use std::fmt;

pub use mark::MarkRow;
use serde_json::{Map, Value};

use super::{Record, Retiring, Revision, Slot, Slots};
use crate::{
    annotation::{Annotations, Metadata, Tags},
    digest::KeyId,
    restriction::Restrictions,
    scope::Scopes,
    subject::Owner,
    time::Timestamp,
    token::{Environment, TokenId},
};

/// A record in columns. Times are Unix milliseconds.
///
/// Every field is a column that a store filters, counts or swaps by, except `body`: JSON with whatever else a record
/// holds, so that a new part of it breaks no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record's public name; 16 bytes, in order.
    pub id: TokenId,
    /// The owner's tenant, empty where there is none.
    pub tenant: String,
    /// The owner's own name.
    pub owner: String,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Counts the digests made anew on use, from 1.
    pub digest_version: i64,
    /// When the token was made.
    pub created_at: i64,
    /// When it ends; none is never.
    pub expires_at: Option<i64>,
    /// That it was revoked.
    pub revoked: Option<MarkRow>,
    /// That it is suspended.
    pub suspended: Option<MarkRow>,
    /// That it is blocked.
    pub blocked: Option<MarkRow>,
    /// The current secret.
    pub current: SlotRow,
    /// The retiring secret.
    pub retiring: Option<SlotRow>,
    /// When the retiring secret's overlap ends; there exactly if `retiring` is.
    pub retiring_until: Option<i64>,
    /// The spent secret.
    pub spent: Option<SlotRow>,
    /// Everything else, as a JSON object.
    pub body: String,
}

/// A secret's columns.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// What finds the record: unique over all slots of all records.
    pub selector: String,
    /// The digest's text.
    pub digest: String,
    /// The id of the server key it was made with, empty where there is none: for [`count_by_key`](crate::TokenStore::count_by_key).
    pub key: String,
}

/// All but the digest, which belongs into no log.
impl fmt::Debug for SlotRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, digest: _, key } = self;
        f.debug_struct("SlotRow").field("selector", selector).field("key", key).finish_non_exhaustive()
    }
}

impl From<&Slot> for SlotRow {
    fn from(slot: &Slot) -> Self {
        Self {
            selector: slot.selector.to_string(),
            digest: slot.digest.to_text(),
            key: slot.digest.key_id().map(|key| key.to_string()).unwrap_or_default(),
        }
    }
}

impl Record {
    /// The greatest length of a row's body, in bytes.
    pub const MAX_BODY_LEN: usize = 128 * 1024;

    /// The record in columns.
    pub fn to_row(&self) -> Row {
        let Slots { current, retiring, spent } = &self.slots;
        Row {
            id: self.id,
            tenant: self.owner.tenant_or_empty().to_owned(),
            owner: self.owner.subject().as_str().to_owned(),
            version: i64::try_from(self.revision.version).unwrap_or(i64::MAX),
            digest_version: i64::try_from(self.revision.digest_version).unwrap_or(i64::MAX),
            created_at: self.created_at.unix_millis(),
            expires_at: self.expiry.at().map(Timestamp::unix_millis),
            revoked: self.revoked().map(MarkRow::from),
            suspended: self.suspended().map(MarkRow::from),
            blocked: self.blocked().map(MarkRow::from),
            current: current.into(),
            retiring: retiring.as_ref().map(|retiring| SlotRow::from(&retiring.slot)),
            retiring_until: retiring.as_ref().map(|retiring| retiring.until.unix_millis()),
            spent: spent.as_deref().map(SlotRow::from),
            body: Value::Object(self.to_body()).to_string(),
        }
    }

    /// Reads a row. It is hostile: every value is held against its type's rules, and nothing is guessed.
    ///
    /// # Errors
    ///
    /// [`CorruptRecord`] names the first column that cannot be read.
    pub fn from_row(row: Row) -> Result<Self, CorruptRecord> {
        let id = row.id;
        let corrupt = |column: &'static str| move || CorruptRecord { id, column };
        let moment = |millis: i64, column| Timestamp::from_unix_millis(millis).ok().ok_or_else(corrupt(column));
        let count = |number: i64, column| {
            u64::try_from(number).ok().filter(|count| is_version(*count)).ok_or_else(corrupt(column))
        };
        let mark = |mark: Option<MarkRow>, column| {
            mark.map(|mark| mark.read().map(Box::new).ok_or_else(corrupt(column))).transpose()
        };
        let slot = |slot: &SlotRow, column| read_slot(slot).ok_or_else(corrupt(column));

        let retiring = match (&row.retiring, row.retiring_until) {
            (None, None) => None,
            (Some(retiring), Some(until)) => {
                let until = moment(until, "retiring_until")?;
                Some(Box::new(Retiring { slot: slot(retiring, "retiring")?, until }))
            }
            _ => return Err(corrupt("retiring_until")()),
        };
        let mut record = Self {
            id,
            owner: Owner::from_columns(&row.tenant, &row.owner).ok().ok_or_else(corrupt("owner"))?,
            revision: Revision {
                version: count(row.version, "version")?,
                digest_version: count(row.digest_version, "digest_version")?,
            },
            created_at: moment(row.created_at, "created_at")?,
            created_by: None,
            rotated_at: None,
            rotation_request: None,
            expiry: row.expires_at.map(|at| moment(at, "expires_at")).transpose()?.into(),
            revoked: mark(row.revoked, "revoked")?,
            suspended: mark(row.suspended, "suspended")?,
            blocked: mark(row.blocked, "blocked")?,
            slots: Slots {
                current: slot(&row.current, "current")?,
                retiring,
                spent: row.spent.as_ref().map(|spent| slot(spent, "spent").map(Box::new)).transpose()?,
            },
            public: "".into(),
            text_end: None,
            environment: None,
            routing: None,
            annotations: Annotations::default(),
            scopes: Scopes::none(),
            restrictions: Restrictions::none(),
            unread: None,
        };
        record.read_body(&row.body).ok_or_else(corrupt("body"))?;
        Ok(record)
    }

    fn to_body(&self) -> Map<String, Value> {
        let Annotations { name, description, tags, metadata } = &self.annotations;
        let Unread { mut body, mut restrictions } = self.unread.as_deref().cloned().unwrap_or_default();
        body.insert("v".into(), BODY_VERSION.into());
        body.insert("public".into(), (&*self.public).into());
        put(&mut body, "text_end", self.text_end.map(|end| end.unix_millis().into()));
        put(&mut body, "environment", self.environment.as_ref().map(|environment| environment.as_str().into()));
        put(&mut body, "routing", self.routing.as_deref().map(Value::from));
        put(&mut body, "created_by", self.created_by.as_ref().map(|actor| actor.as_str().into()));
        self.write_rotation(&mut body);
        put(&mut body, "name", name.as_ref().map(|name| name.as_str().into()));
        put(&mut body, "description", description.as_ref().map(|description| description.as_str().into()));
        put(&mut body, "tags", list(tags.iter().map(|tag| tag.as_str().into())));
        put(&mut body, "metadata", (!metadata.is_empty()).then(|| metadata.to_value()));
        put(&mut body, "scopes", list(self.scopes.texts().map(Value::from)));
        let networks = self.restrictions.networks().iter().map(|network| network.to_string().into());
        put(&mut restrictions, "networks", list(networks));
        put(&mut restrictions, "audience", self.restrictions.audience().map(|audience| audience.as_str().into()));
        put(&mut body, "restrictions", (!restrictions.is_empty()).then_some(Value::Object(restrictions)));
        body
    }

    /// Reads the body into the fields that it holds; `None` if any of it cannot be read.
    fn read_body(&mut self, text: &str) -> Option<()> {
        if text.len() > Self::MAX_BODY_LEN {
            return None;
        }
        let Value::Object(mut body) = serde_json::from_str(text).ok()? else { return None };
        if body.remove("v")? != BODY_VERSION {
            return None;
        }
        self.public = segment_of(&body.remove("public")?)?.into();
        self.text_end = read(&mut body, "text_end", |end| Timestamp::from_unix_millis(end.as_i64()?).ok())?;
        self.environment = read(&mut body, "environment", |value| Environment::new(text_of(value)?).ok())?;
        self.routing = read(&mut body, "routing", |value| Some(segment_of(value)?.into()))?;
        self.created_by = read(&mut body, "created_by", |value| text_of(value)?.parse().ok())?;
        self.read_rotation(&mut body)?;
        self.annotations.name = read(&mut body, "name", |value| text_of(value)?.parse().ok())?;
        self.annotations.description = read(&mut body, "description", |value| text_of(value)?.parse().ok())?;
        self.annotations.tags =
            read(&mut body, "tags", |value| Tags::from_texts(texts_of(value)?).ok())?.unwrap_or_default();
        if let Some(metadata) = body.remove("metadata") {
            self.annotations.metadata = Metadata::from_value(metadata).ok()?;
        }
        self.scopes =
            read(&mut body, "scopes", |value| Scopes::from_texts(texts_of(value)?).ok())?.unwrap_or(Scopes::none());
        let restrictions = match body.remove("restrictions") {
            None => Map::new(),
            Some(Value::Object(restrictions)) => self.read_restrictions(restrictions)?,
            Some(_) => return None,
        };
        let all_read = body.is_empty() && restrictions.is_empty();
        self.unread = (!all_read).then(|| Box::new(Unread { body, restrictions }));
        Some(())
    }

    /// Gives back the members that this build does not know.
    fn read_restrictions(&mut self, mut members: Map<String, Value>) -> Option<Map<String, Value>> {
        let networks = read(&mut members, "networks", owned_texts_of)?;
        if networks.as_ref().is_some_and(Vec::is_empty) {
            return None; // never written; it must not come to mean "any network"
        }
        for network in networks.unwrap_or_default() {
            self.restrictions.add_network(network.parse().ok()?).ok()?;
        }
        if let Some(audience) = read(&mut members, "audience", |value| text_of(value)?.parse().ok())? {
            self.restrictions.set_audience(audience);
        }
        for name in members.keys() {
            self.restrictions.add_unknown(name.clone());
        }
        Some(members)
    }
}

/// What a newer build wrote into the body and this one does not read: kept as it is, so that an older node's change
/// does not drop it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread {
    pub(crate) body: Map<String, Value>,
    pub(crate) restrictions: Map<String, Value>,
}

/// From 1, and below the greatest number, so that there is always a next one.
fn is_version(count: u64) -> bool {
    (1..i64::MAX.unsigned_abs()).contains(&count)
}

const BODY_VERSION: u64 = 1;

fn read_slot(row: &SlotRow) -> Option<Slot> {
    let slot = Slot { selector: row.selector.parse().ok()?, digest: row.digest.parse().ok()? };
    let key = slot.digest.key_id();
    (key.as_ref().map_or("", KeyId::as_str) == row.key).then_some(slot)
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(name.into(), value);
    }
}

fn list(values: impl Iterator<Item = Value>) -> Option<Value> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then_some(Value::Array(values))
}

/// Takes a member out: `Some(None)` if it is not there, `None` if it is and cannot be read.
fn read<T>(map: &mut Map<String, Value>, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    match map.remove(name) {
        None => Some(None),
        Some(value) => read(&value).map(Some),
    }
}

fn text_of(value: &Value) -> Option<&str> {
    value.as_str()
}

/// A part of a token's text.
fn segment_of(value: &Value) -> Option<&str> {
    text_of(value).filter(|text| text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn texts_of(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn owned_texts_of(value: &Value) -> Option<Vec<String>> {
    Some(texts_of(value)?.into_iter().map(str::to_owned).collect())
}

/// A stored row that cannot be read. It verifies nothing and can still be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {id} cannot be read: column `{column}` holds no valid value")]
pub struct CorruptRecord {
    /// Which record.
    pub id: TokenId,
    /// The first column that cannot be read.
    pub column: &'static str,
}
