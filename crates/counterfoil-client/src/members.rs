//! One member of a JSON file, while the others stay as they are written.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::FileFault;

/// The members of a JSON object in their order, each value as it is written: a number keeps its digits.
pub(crate) struct Members<'t> {
    text: &'t str,
    members: Vec<(String, &'t RawValue)>,
}

impl<'t> Members<'t> {
    /// Reads the text of a file. Nothing of it is in the error.
    pub(crate) fn of(text: &'t str) -> Result<Self, FileFault> {
        match serde_json::from_str(text) {
            Ok(Pairs(members)) => Ok(Self { text, members }),
            Err(error) if error.is_data() => Err(FileFault::NotAnObject),
            Err(error) => Err(FileFault::InvalidJson { line: error.line(), column: error.column() }),
        }
    }

    /// The text that the member `name` holds, if there is such a member.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Zeroizing<String>>, FileFault> {
        let mut values = self.members.iter().filter(|(found, _)| found == name).map(|(_, value)| value);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(FileFault::Repeated { member: name.to_owned() });
        }
        match serde_json::from_str::<String>(value.get()) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(_) => Err(FileFault::NotText { member: name.to_owned() }),
        }
    }

    /// The file with this member, in its old place or as the last.
    pub(crate) fn with(&self, name: &str, text: &str) -> Result<Zeroizing<String>, FileFault> {
        let mut members: Vec<_> =
            self.members.iter().map(|(name, value)| (name.as_str(), Value::Kept(value))).collect();
        match members.iter_mut().find(|(found, _)| *found == name) {
            Some((_, value)) => *value = Value::Text(text),
            None => members.push((name, Value::Text(text))),
        }
        self.print(&members, name.len() + text.len())
    }

    /// The file without this member; none if nothing else was in it.
    pub(crate) fn without(&self, name: &str) -> Result<Option<Zeroizing<String>>, FileFault> {
        let others = self.members.iter().filter(|(found, _)| found != name);
        let others: Vec<_> = others.map(|(name, value)| (name.as_str(), Value::Kept(value))).collect();
        if others.is_empty() { Ok(None) } else { self.print(&others, 0).map(Some) }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(found, _)| found == name)
    }

    fn print(&self, members: &[(&str, Value<'_>)], more: usize) -> Result<Zeroizing<String>, FileFault> {
        // Room enough for every member on a line of its own: what holds a secret must not be left behind by growing.
        let room = 2 * (self.text.len() + more) + 64;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        Print(members).serialize(&mut serde_json::Serializer::pretty(&mut *bytes)).map_err(std::io::Error::from)?;
        bytes.push(b'\n');
        debug_assert!(bytes.len() <= room, "the text grew beyond its room");
        // INVARIANT: a serializer writes UTF-8.
        Ok(Zeroizing::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default()))
    }
}

enum Value<'t> {
    Kept(&'t RawValue),
    Text(&'t str),
}

struct Print<'t>(&'t [(&'t str, Value<'t>)]);

impl Serialize for Print<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                Value::Kept(value) => map.serialize_entry(name, value)?,
                Value::Text(text) => map.serialize_entry(name, text)?,
            }
        }
        map.end()
    }
}

struct Pairs<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Pairs(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_is_set_and_removed_where_it_stands() {
        let with = [
            ("{}", "{\n  \"key\": \"new\"\n}\n"),
            (r#"{"key": "old"}"#, "{\n  \"key\": \"new\"\n}\n"),
            (
                r#"{"z":1,"key":null,"a":[1.50, 1e400]}"#,
                "{\n  \"z\": 1,\n  \"key\": \"new\",\n  \"a\": [1.50, 1e400]\n}\n",
            ),
            (
                r#"{"n":12345678901234567890123,"n":2}"#,
                "{\n  \"n\": 12345678901234567890123,\n  \"n\": 2,\n  \"key\": \"new\"\n}\n",
            ),
            ("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n", "{\n  \"a\": {\n    \"b\": 1\n  },\n  \"key\": \"new\"\n}\n"),
        ];
        for (text, expected) in with {
            assert_eq!(*Members::of(text).unwrap().with("key", "new").unwrap(), expected, "{text}");
        }
        let without = [
            ("{}", None),
            (r#"{"key": "old"}"#, None),
            (r#"{"z":1,"key":"old","a":2}"#, Some("{\n  \"z\": 1,\n  \"a\": 2\n}\n")),
        ];
        for (text, expected) in without {
            assert_eq!(Members::of(text).unwrap().without("key").unwrap().as_ref().map(|text| text.as_str()), expected);
        }
    }

    #[test]
    fn what_is_no_object_is_told_by_place_alone() {
        let table = [
            ("", "not valid json at line 1, column 0"),
            ("{\"key\": \"s3cret", "not valid json at line 1, column 15"),
            ("{'s3cret'}", "not valid json at line 1, column 2"),
            ("\"s3cret\"", "not a json object"),
            ("[\"s3cret\"]", "not a json object"),
            ("{} s3cret", "not valid json at line 1, column 4"),
        ];
        for (text, expected) in table {
            let fault = Members::of(text).map(|_| ()).unwrap_err();
            assert_eq!(fault.to_string(), expected, "{text}");
            assert!(!format!("{fault:?}").contains("s3cret"));
        }
        let table = [
            (r#"{"key": 17}"#, "`key` is not a text"),
            (r#"{"key": null}"#, "`key` is not a text"),
            (r#"{"key": "\ud800"}"#, "`key` is not a text"),
            (r#"{"key": "a", "\u006bey": "b"}"#, "`key` is there more than once"),
        ];
        for (text, expected) in table {
            assert_eq!(Members::of(text).unwrap().get("key").unwrap_err().to_string(), expected, "{text}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((".{0,6}", inner), 0..4).prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_others_stay_as_they_are(
            members in prop::collection::vec(("[a-j]\\PC{0,4}", json()), 0..5),
            token in "\\PC{0,40}",
            pretty: bool,
        ) {
            let before: serde_json::Map<String, serde_json::Value> = members.into_iter().collect();
            let text = if pretty { serde_json::to_string_pretty(&before) } else { serde_json::to_string(&before) }.unwrap();
            let with = Members::of(&text).unwrap().with("key", &token).unwrap();
            let after = Members::of(&with).unwrap();
            let kept = after.get("key").unwrap();
            prop_assert_eq!(kept.as_deref(), Some(&token));
            let gone = after.without("key").unwrap();
            let gone = gone.as_ref().map_or("{}", |text| text.as_str());
            prop_assert_eq!(serde_json::from_str::<serde_json::Map<_, _>>(gone).unwrap(), before);
        }
    }
}
