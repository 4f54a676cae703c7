//! JSON that every reader reads alike: no member twice, no number that a double would change, bounded depth.

use std::fmt;

use serde_core::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{InvalidAnnotation, Metadata};

/// Reads a value whose arrays and objects nest at most `depth` deep.
pub(super) fn read(text: &str, depth: usize) -> Result<Value, InvalidAnnotation> {
    // The text of each number is needed: the value of a parsed number has lost the digits that a double cannot hold.
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| InvalidAnnotation::NoObject)?;
    let text = raw.get();
    let within = depth.checked_sub(1).ok_or(InvalidAnnotation::MetadataTooDeep);
    match text.as_bytes().first() {
        Some(b'{') => {
            let (within, mut object) = (within?, Map::new());
            for (name, raw) in parse::<Members<'_>>(text)?.0 {
                let value = read(raw.get(), within)?;
                if object.contains_key(&name) {
                    return Err(InvalidAnnotation::RepeatedMember);
                }
                object.insert(name, value);
            }
            Ok(Value::Object(object))
        }
        Some(b'[') => {
            let within = within?;
            parse::<Vec<&RawValue>>(text)?.into_iter().map(|raw| read(raw.get(), within)).collect()
        }
        Some(b'-' | b'0'..=b'9') => number(text),
        _ => parse(text),
    }
}

fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, InvalidAnnotation> {
    serde_json::from_str(text).map_err(|_| InvalidAnnotation::NoObject)
}

fn number(text: &str) -> Result<Value, InvalidAnnotation> {
    let inexact = || InvalidAnnotation::InexactNumber { text: shortened(text) };
    let value: Value = serde_json::from_str(text).map_err(|_| inexact())?;
    let is_exact = Decimal::of(text).is_some_and(|decimal| Some(decimal) == Decimal::of(&value.to_string()));
    if is_exact { Ok(value) } else { Err(inexact()) }
}

fn shortened(text: &str) -> String {
    text.chars().take(Metadata::MAX_SHOWN).collect()
}

/// A number as JSON writes it, so that two spellings of one number are equal: `1e2` and `100.0`, `0` and `-0`.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    /// `None` if the exponent is longer than any number needs.
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_negative = whole.starts_with('-');
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = all.trim_end_matches('0');
        let zeros = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let exponent: i64 = exponent.trim_start_matches('+').parse().ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
        Some(Self { is_negative, digits: digits.to_owned(), exponent })
    }
}

/// The members of an object in order, a name that stands twice included.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllMembers;

        impl<'de> Visitor<'de> for AllMembers {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
                let mut found = Vec::new();
                while let Some(member) = members.next_entry()? {
                    found.push(member);
                }
                Ok(Members(found))
            }
        }

        deserializer.deserialize_map(AllMembers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_kept_exactly_or_refused() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-0", Some("-0.0")),
            ("0.0", Some("0.0")),
            ("0e5", Some("0.0")),
            ("1", Some("1")),
            ("-1", Some("-1")),
            ("1.0", Some("1.0")),
            ("1.50", Some("1.5")),
            ("1e2", Some("100.0")),
            ("1E+2", Some("100.0")),
            ("100e-2", Some("1.0")),
            ("0.1", Some("0.1")),
            ("9007199254740993", Some("9007199254740993")),
            ("9223372036854775807", Some("9223372036854775807")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("1e23", Some("1e+23")),
            ("5e-324", Some("5e-324")),
            ("1.7976931348623157e308", Some("1.7976931348623157e+308")),
            ("18446744073709551616", None),
            ("-9223372036854775809", None),
            ("12345678901234567890123", None),
            ("9007199254740993.0", None),
            ("0.1234567890123456789", None),
            ("1.00000000000000000001", None),
            ("3.141592653589793238", None),
            ("1e400", None),
            ("-1e400", None),
            ("1e-400", None),
            ("1e99999999999999999999", None),
        ] {
            let found = read(text, 1).map(|value| value.to_string());
            match expected {
                Some(expected) => assert_eq!(found.as_deref(), Ok(expected), "{text}"),
                None => assert_eq!(found, Err(InvalidAnnotation::InexactNumber { text: text.to_owned() })),
            }
        }
    }

    #[test]
    fn object_is_read_alike_by_everyone_or_refused() {
        let twice = Err(InvalidAnnotation::RepeatedMember);
        let inexact = |text: &str| Err(InvalidAnnotation::InexactNumber { text: text.to_owned() });
        for (text, expected) in [
            (r#" { "b" : [ 1 , { } ] , "a" : null } "#, Ok(r#"{"a":null,"b":[1,{}]}"#)),
            (
                r#"{"a":"1e400, \"a\": 12345678901234567890123"}"#,
                Ok(r#"{"a":"1e400, \"a\": 12345678901234567890123"}"#),
            ),
            (r#"{"a":1,"a":1}"#, twice.clone()),
            (r#"{"a":1,"\u0061":2}"#, twice.clone()),
            (r#"{"x":[{"b":1,"c":{},"b":null}]}"#, twice.clone()),
            (r#"{"x":[{"b":[0.5,1e400]}]}"#, inexact("1e400")),
            (r#"{"x":01}"#, Err(InvalidAnnotation::NoObject)),
            (r#"{"x":1.}"#, Err(InvalidAnnotation::NoObject)),
            (r#"{"x":NaN}"#, Err(InvalidAnnotation::NoObject)),
            (r#"{"x":1,}"#, Err(InvalidAnnotation::NoObject)),
            (r#"{"x":1}{}"#, Err(InvalidAnnotation::NoObject)),
            ("[]", Err(InvalidAnnotation::NoObject)),
            ("7", Err(InvalidAnnotation::NoObject)),
            ("", Err(InvalidAnnotation::NoObject)),
        ] {
            let found = Metadata::from_json(text);
            assert_eq!(found.as_ref().map(Metadata::as_json), expected.as_ref().copied(), "{text}");
        }
        let long = format!("{{\"x\":{}}}", "7".repeat(100));
        let found = Metadata::from_json(&long).map_err(|error| error.to_string().len());
        assert!(matches!(found, Err(length) if length < 160), "{found:?}");
    }
}
