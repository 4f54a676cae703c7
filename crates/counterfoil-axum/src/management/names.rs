//! The host's own words: for members of bodies, and for codes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What the host calls things that are called otherwise here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<&'static str, String>);

impl Names {
    pub(super) fn set(&mut self, ours: &'static str, theirs: String) {
        self.0.insert(ours, theirs);
    }

    /// The host's name.
    pub(super) fn of<'a>(&'a self, ours: &'a str) -> &'a str {
        self.0.get(ours).map_or(ours, String::as_str)
    }

    /// A name that two of `members` would have.
    pub(super) fn clash(&self, members: &[&'static str]) -> Option<&str> {
        members.iter().enumerate().find_map(|(at, ours)| {
            let name = self.of(ours);
            members[..at].iter().any(|other| self.of(other) == name).then_some(name)
        })
    }

    /// An object under the host's names.
    pub(super) fn rename(&self, object: Map<String, Value>) -> Map<String, Value> {
        if self.0.is_empty() {
            return object;
        }
        object.into_iter().map(|(ours, value)| (self.of(&ours).to_owned(), value)).collect()
    }
}
