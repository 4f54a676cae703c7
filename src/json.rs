//! JSON in which no object has a member twice.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde_core::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// Whether `text` is JSON in which each object, at whatever depth, has each of its members once.
///
/// Of two members with one name different readers take different ones (RFC 8259, section 4), so a text with such a pair
/// has no meaning that all nodes and tools agree on. Names are compared after their escapes are read.
pub(crate) fn has_unique_members(text: &str) -> bool {
    let mut json = serde_json::Deserializer::from_str(text);
    Unique.deserialize(&mut json).is_ok() && json.end().is_ok()
}

/// Reads a value and keeps nothing of it. An object with a member twice is an error.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Unique)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(Text(name)) = members.next_key()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("a member is given twice"));
            }
            members.next_value_seed(Unique)?;
        }
        Ok(())
    }
}

/// A string, borrowed from the input unless it has escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;

        impl<'de> Visitor<'de> for AnyText {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(AnyText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_given_twice_is_found_at_any_depth() {
        for (text, is_unique) in [
            ("null", true),
            ("{}", true),
            (r#"{"a":1,"b":-1,"c":1.5,"d":true,"e":"x","f":null,"g":[{"a":1},{"a":2}],"h":{"a":1}}"#, true),
            (r#"{"a":1,"A":2,"a ":3,"":4}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"b":2,"a":3}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"":1,"":2}"#, false),
            (r#"{"a":{"b":1,"b":2}}"#, false),
            (r#"[[{"a":[{"b":{"c":1,"c":2}}]}]]"#, false),
            (r#"{"a":1,"#, false),
            (r#"{"a":1} 2"#, false),
            ("", false),
        ] {
            assert_eq!(has_unique_members(text), is_unique, "{text}");
        }
        // Numbers of any length, and depth up to what is read at all.
        assert!(has_unique_members(&format!(r#"{{"a":{0},"b":-{0},"c":0.{0}}}"#, "9".repeat(40))));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(has_unique_members(&nested(100)));
        assert!(!has_unique_members(&nested(100_000)));
    }
}
