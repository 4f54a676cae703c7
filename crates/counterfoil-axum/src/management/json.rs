//! A request's body: JSON without surprises.

use std::{borrow::Cow, collections::BTreeMap, error::Error as _, fmt};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use http_body_util::LengthLimitError;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{ApiError, Names};

/// Reads the whole body, if it is no larger than that.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    to_bytes(body, limit).await.map_err(|error| {
        // At whatever depth: a layer of the host's may have a limit of its own.
        let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
        if causes.any(|cause| cause.is::<LengthLimitError>()) {
            let text = format!("body too large: expected at most {limit} bytes");
            return ApiError::own(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text);
        }
        ApiError::bad("the body cannot be read to its end")
    })
}

/// A body of which every member is known, and given once.
pub(super) trait Members: DeserializeOwned {
    /// All that it may have.
    const MEMBERS: &[&str];
}

/// Parses the body of a request as an object under the host's names.
pub(super) fn parse<T: Members>(body: &[u8], headers: &HeaderMap, names: &Names) -> Result<T, ApiError> {
    check_content_type(headers)?;
    let Strict { value, twice } =
        serde_json::from_slice(body).map_err(|error| ApiError::bad(format!("not json: {error}")))?;
    if let Some(member) = twice {
        return Err(ApiError::of_field(&member, "given twice"));
    }
    let Value::Object(object) = value else { return Err(ApiError::bad("expected a json object")) };

    let mut known = Map::new();
    for (theirs, value) in object {
        let ours = T::MEMBERS.iter().copied().find(|ours| names.of(ours) == theirs);
        let Some(ours) = ours else { return Err(ApiError::of_field(&theirs, "no such member")) };
        known.insert(ours.to_owned(), value);
    }
    serde_path_to_error::deserialize(Value::Object(known)).map_err(|error| {
        let path = error.path().to_string();
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (ours, rest) = path.split_at(end);
        of_path(format!("{}{rest}", names.of(ours)), error.into_inner())
    })
}

/// The text of a member of a body that [`parse`] has taken: numbers in it still have all their digits.
pub(super) fn text_of_member<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let members: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_slice(body).ok()?;
    members.get(name).map(|value| value.get())
}

/// An error of serde's, whose text tells where in the text it was; the field says that better.
fn of_path(path: String, error: serde_json::Error) -> ApiError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    ApiError::of_field(path, text)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let only = values.next().filter(|_| values.next().is_none());
    let value = only.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    // JSON has no parameters (RFC 8259, section 11); the one that many clients send says what holds anyway.
    let parameters = parameters.trim();
    let is_utf8 = parameters.is_empty()
        || parameters.split_once('=').is_some_and(|(name, charset)| {
            name.trim().eq_ignore_ascii_case("charset")
                && charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    if kind.trim().eq_ignore_ascii_case("application/json") && is_utf8 {
        return Ok(());
    }
    let text = "content type: expected application/json";
    Err(ApiError::own(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text))
}

/// A value, and where an object in it has a member twice: of two, readers take different ones (RFC 8259, section 4).
struct Strict {
    value: Value,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

impl From<Value> for Strict {
    fn from(value: Value) -> Self {
        Self { value, twice: None }
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Value::Null.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Value::from(value).into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Value::from(value).into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Value::from(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let (mut values, mut twice) = (Vec::new(), None);
        while let Some(item) = items.next_element::<Strict>()? {
            twice = twice.or(item.twice.map(|member| format!("[{}].{member}", values.len())));
            values.push(item.value);
        }
        Ok(Strict { value: values.into(), twice })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let (mut object, mut twice) = (Map::new(), None);
        while let Some((name, member)) = members.next_entry::<String, Strict>()? {
            twice = twice.or(member.twice.map(|within| format!("{name}.{within}").replace(".[", "[")));
            if object.insert(name.clone(), member.value).is_some() {
                twice = twice.or(Some(name));
            }
        }
        Ok(Strict { value: object.into(), twice })
    }
}
