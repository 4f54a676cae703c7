//! Lists: which, in which order, from where on.

use counterfoil::{
    Timestamp,
    record::Statuses,
    store::{Cursor, Filter, ListQuery, Order},
};

use super::ApiError;

/// The greatest number of tokens on a page.
pub(super) const MOST: u32 = 100;

/// The number of tokens on a page where none is asked for.
pub(super) const USUAL: u32 = 50;

/// What a query may name.
pub(super) const PARAMETERS: [&str; 6] = ["limit", "cursor", "status", "sort", "used_since", "unused_since"];

/// Reads a query: every parameter is known and given once.
pub(super) fn query(text: &str, listed: Filter, usual: Statuses) -> Result<ListQuery, ApiError> {
    let mut found: [Option<String>; PARAMETERS.len()] = Default::default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let Some(at) = PARAMETERS.iter().position(|known| *known == name) else {
            return Err(ApiError::of_field(&name, "no such parameter"));
        };
        if found[at].replace(value.into_owned()).is_some() {
            return Err(ApiError::of_field(PARAMETERS[at], "given twice"));
        }
    }
    let [limit, cursor, status, sort, used_since, unused_since] = found;

    let limit = match limit {
        Some(text) => digits(&text)
            .and_then(|limit| u32::try_from(limit).ok())
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| ApiError::of_field("limit", format!("expected 1 to {MOST}")))?,
        None => USUAL,
    };
    let statuses = match status {
        Some(text) => {
            let status = text.parse::<counterfoil::Status>();
            status.map_err(|error| ApiError::of_field("status", error))?.into()
        }
        None => usual,
    };
    let filter = Filter {
        statuses,
        used_since: moment("used_since", used_since)?,
        unused_since: moment("unused_since", unused_since)?,
        ..listed
    };
    let refused = |error: &dyn std::fmt::Display| ApiError::of_field("cursor", error);
    let order = match sort.as_deref() {
        None | Some("id") => {
            let after = cursor.map(|text| text.parse()).transpose();
            Order::ById { after: after.map_err(|error: counterfoil::token::InvalidTokenId| refused(&error))? }
        }
        Some("last_used") => {
            let after = cursor.map(|text| text.parse()).transpose();
            Order::ByLastUse { after: after.map_err(|error: counterfoil::store::InvalidCursor| refused(&error))? }
        }
        Some(_) => return Err(ApiError::of_field("sort", "expected id or last_used")),
    };
    Ok(ListQuery { filter, order, limit })
}

fn moment(name: &'static str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let millis = digits(&text).and_then(|millis| i64::try_from(millis).ok());
    let millis = millis.ok_or_else(|| ApiError::of_field(name, "expected unix milliseconds"))?;
    Timestamp::from_unix_millis(millis).map(Some).map_err(|error| ApiError::of_field(name, error))
}

/// A number without a sign, which `parse` would take.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Where a page ends, as the next request gives it back.
pub(crate) fn text_of(cursor: Cursor) -> String {
    match cursor {
        Cursor::Id(id) => id.to_string(),
        Cursor::LastUse(place) => place.to_string(),
    }
}
