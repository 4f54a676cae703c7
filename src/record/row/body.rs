//! What stands in a row's body: all that no store filters, counts or swaps by.

use std::{fmt, str::FromStr, sync::Arc};

use serde_core::{
    Deserializer as _,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    annotation::{Annotations, Metadata, Tags},
    json::{self, Text},
    record::Record,
    scope::Scopes,
    time::Timestamp,
    token::Environment,
};

const BODY_VERSION: u64 = 1;

/// What a newer build wrote into the body and this one does not read: kept as it is, so that an older node's change
/// does not drop it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread {
    pub(crate) body: Map<String, Value>,
    pub(crate) restrictions: Map<String, Value>,
}

impl Record {
    pub(super) fn to_body(&self) -> String {
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
        Value::Object(body).to_string()
    }

    /// Reads the body into the fields that it holds; `None` if any of it cannot be read.
    pub(super) fn read_body(&mut self, text: &str) -> Option<()> {
        if text.len() > Self::MAX_BODY_LEN {
            return None;
        }
        // Members of the body itself are counted as they are read, so most bodies need no pass of their own.
        let has_inner_object = text.bytes().filter(|byte| *byte == b'{').nth(1).is_some();
        if has_inner_object && !json::has_unique_members(text) {
            return None;
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let mut rest = json.deserialize_map(Members(self)).ok()?;
        json.end().ok()?;
        self.read_rotation(&mut rest)?;
        if let Some(metadata) = rest.remove("metadata") {
            self.annotations.metadata = Metadata::from_value(metadata).ok()?;
        }
        let restrictions = match rest.remove("restrictions") {
            None => Map::new(),
            Some(Value::Object(restrictions)) => self.read_restrictions(restrictions)?,
            Some(_) => return None,
        };
        let all_read = rest.is_empty() && restrictions.is_empty();
        self.unread = (!all_read).then(|| Box::new(Unread { body: rest, restrictions }));
        Some(())
    }

    /// Gives back the members that this build does not know.
    fn read_restrictions(&mut self, mut members: Map<String, Value>) -> Option<Map<String, Value>> {
        let networks = read(&mut members, "networks", texts_of)?;
        if networks.as_ref().is_some_and(Vec::is_empty) {
            return None; // never written; it must not come to mean "any network"
        }
        for network in networks.unwrap_or_default() {
            self.restrictions.add_network(network.parse().ok()?).ok()?;
        }
        if let Some(audience) = read(&mut members, "audience", |value| value.as_str()?.parse().ok())? {
            self.restrictions.set_audience(audience);
        }
        for name in members.keys() {
            self.restrictions.add_unknown(name.clone());
        }
        Some(members)
    }
}

/// Reads what most bodies hold as it comes by, and gives back the members that are not: every verification waits for
/// this, and one by one they would each cost allocations.
struct Members<'r>(&'r mut Record);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Map<String, Value>, A::Error> {
        let Self(record) = self;
        let (mut version, mut public, mut tags, mut scopes) = (None, None, None, None);
        let mut rest = Map::new();
        while let Some(Text(name)) = members.next_key()? {
            match &*name {
                "v" => once(&mut version, members.next_value::<u64>()?),
                "public" => once(&mut public, segment(&members.next_value()?)?),
                "text_end" => {
                    once(&mut record.text_end, valid(Timestamp::from_unix_millis(members.next_value()?).ok())?)
                }
                "environment" => {
                    once(&mut record.environment, valid(Environment::new(&members.next_value::<Text<'_>>()?.0).ok())?)
                }
                "routing" => once(&mut record.routing, segment(&members.next_value()?)?),
                "created_by" => once(&mut record.created_by, parsed(&members.next_value()?)?),
                "name" => once(&mut record.annotations.name, parsed(&members.next_value()?)?),
                "description" => once(&mut record.annotations.description, parsed(&members.next_value()?)?),
                "tags" => once(&mut tags, valid(Tags::from_texts(all(&members.next_value::<Vec<Text<'_>>>()?)).ok())?),
                "scopes" => {
                    once(&mut scopes, valid(Scopes::from_texts(all(&members.next_value::<Vec<Text<'_>>>()?)).ok())?)
                }
                _ => match rest.insert(name.into_owned(), members.next_value()?) {
                    None => Ok(()),
                    Some(_) => Err(A::Error::custom(TWICE)),
                },
            }?;
        }
        if version != Some(BODY_VERSION) {
            return Err(A::Error::custom("of another version"));
        }
        record.public = valid(public)?;
        record.annotations.tags = tags.unwrap_or_default();
        record.scopes = scopes.unwrap_or(Scopes::none());
        Ok(rest)
    }
}

const TWICE: &str = "a member stands twice";

fn once<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom(TWICE)),
    }
}

fn valid<T, E: Error>(value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| E::custom("a value breaks its rules"))
}

fn parsed<T: FromStr, E: Error>(Text(text): &Text<'_>) -> Result<T, E> {
    valid(text.parse().ok())
}

/// A part of a token's text.
fn segment<E: Error>(Text(text): &Text<'_>) -> Result<Arc<str>, E> {
    let is_segment = text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
    valid(is_segment.then(|| (&**text).into()))
}

fn all<'a>(texts: &'a [Text<'_>]) -> impl Iterator<Item = &'a str> {
    texts.iter().map(|Text(text)| &**text)
}

pub(super) fn put(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(name.into(), value);
    }
}

fn list(values: impl Iterator<Item = Value>) -> Option<Value> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then_some(Value::Array(values))
}

/// Takes a member out: `Some(None)` if it is not there, `None` if it is and cannot be read.
pub(super) fn read<T>(
    map: &mut Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<Option<T>> {
    match map.remove(name) {
        None => Some(None),
        Some(value) => read(&value).map(Some),
    }
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
