//! From the host's words to what is told.

use std::borrow::Cow;

use super::{Change, words::Words};
use counterfoil::Status;

/// What a person may do, in words.
pub(super) struct Action<'a> {
    pub(super) label: &'a str,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) submit: &'a str,
}

/// What is told of a token: its name stands apart from the text around it, in whichever direction it runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told<'a> {
    pub(super) before: String,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) after: String,
}

impl Words {
    pub(super) fn status(&self, status: Status) -> &str {
        match status {
            Status::Active => &self.status_active,
            Status::Blocked => &self.status_blocked,
            Status::Suspended => &self.status_suspended,
            Status::Expired => &self.status_expired,
            Status::Revoked => &self.status_revoked,
        }
    }

    pub(super) fn action(&self, change: Change) -> Action<'_> {
        let [label, title, text, submit] = match change {
            Change::Rotate => [&self.rotate, &self.rotate_title, &self.rotate_text, &self.submit_rotate],
            Change::SetExpiry => [&self.expiry, &self.expiry_title, &self.expiry_text, &self.submit_expiry],
            Change::Block => [&self.block, &self.block_title, &self.block_text, &self.submit_block],
            Change::Unblock => [&self.unblock, &self.unblock_title, &self.unblock_text, &self.submit_unblock],
            Change::Revoke => [&self.revoke, &self.revoke_title, &self.revoke_text, &self.submit_revoke],
        };
        Action { label, title, text, submit }
    }
}

impl<'a> Told<'a> {
    /// `text` with the values filled in, and the name where `{name}` stands.
    pub(super) fn of(text: &str, name: Cow<'a, str>, values: &[(&str, &str)]) -> Self {
        match text.split_once("{name}") {
            Some((before, after)) => {
                Self { before: fill(before, values), name: Some(name), after: fill(after, values) }
            }
            None => Self { before: fill(text, values), name: None, after: String::new() },
        }
    }
}

/// A text with what is in braces filled in, once: what is filled in is not read again.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from_brace) = rest.split_at(at);
        filled.push_str(before);
        let found = values.iter().find_map(|(name, value)| {
            let after = from_brace[1..].strip_prefix(name)?.strip_prefix('}')?;
            Some((value, after))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = &from_brace[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_filled_once() {
        for (text, expected) in [
            ("{date} {time} UTC", "{time} {date} UTC"),
            ("no braces", "no braces"),
            ("{other} {", "{other} {"),
            ("{date", "{date"),
            ("{{date}}", "{{time}}"),
        ] {
            assert_eq!(fill(text, &[("date", "{time}"), ("time", "{date}")]), expected, "{text}");
        }
    }

    #[test]
    fn a_name_stands_apart_once() {
        let told = |before: &str, name: Option<&'static str>, after: &str| Told {
            before: before.to_owned(),
            name: name.map(Cow::Borrowed),
            after: after.to_owned(),
        };
        for (text, expected) in [
            ("Now {name} ends: {end}.", told("Now ", Some("{end}"), " ends: never.")),
            ("It ends: {end}.", told("It ends: never.", None, "")),
            ("{name}{name}", told("", Some("{end}"), "{name}")),
        ] {
            assert_eq!(Told::of(text, "{end}".into(), &[("end", "never")]), expected, "{text}");
        }
    }
}
