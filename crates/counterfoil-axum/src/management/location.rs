//! The `Location` of a token that was made (RFC 9110, section 10.2.2).

use axum::extract::NestedPath;

use super::{Management, Operation, PathParams, settings::Settings};

/// The path of a token, made of that of the request which has created it.
#[derive(Debug, Clone)]
pub(super) struct LocationPath(String);

impl LocationPath {
    /// `None` if there is no path to show a token at, or if it has a parameter that the path to create has not.
    pub(super) fn of(management: &Management) -> Option<Self> {
        let path_of = |wanted| management.routes().find(|(operation, _)| *operation == wanted).map(|(_, path)| path);
        let (create, get) = (path_of(Operation::Create)?, path_of(Operation::Get)?);
        let is_known = |name: &str| name == Settings::TOKEN_ID || parameters(&create).any(|known| known == name);
        let can_be_filled = parameters(&get).all(is_known);
        can_be_filled.then_some(Self(get))
    }

    /// The path of this token, for clients in front of all proxies.
    pub(super) fn fill(&self, prefix: &str, nested: Option<&NestedPath>, path: &PathParams, id: &str) -> String {
        let template = format!("{}{}", nested.map_or("", NestedPath::as_str).trim_end_matches('/'), self.0);
        let mut location = prefix.to_owned();
        for segment in template.split('/').skip(1) {
            location.push('/');
            match parameter(segment) {
                Some(Settings::TOKEN_ID) => location.push_str(id),
                Some(name) => push_encoded(&mut location, path.get(name).unwrap_or_default()),
                None => location.push_str(segment),
            }
        }
        location
    }
}

/// The names of the parameters of a path.
pub(super) fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(parameter)
}

fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn push_encoded(text: &mut String, segment: &str) {
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}
