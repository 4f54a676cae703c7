//! What a settings page cannot be made of.

use std::time::Duration;

use super::{ScopeGroup, SettingsPage, change::Place};
use crate::management::Operation;

/// A settings page that cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSettingsPage {
    /// A path without `/` at its start, or with two there, or with `{token_id}` in it.
    Path {
        /// The path.
        path: String,
    },
    /// The key of a group of scopes that is none.
    GroupKey {
        /// The key.
        key: String,
    },
    /// Two groups of scopes have one key.
    GroupTwice {
        /// The key.
        key: String,
    },
    /// An overlap that is not in whole seconds, or is there twice.
    Overlap {
        /// The overlap.
        overlap: Duration,
    },
    /// Tokens can be rotated, and no overlap is offered.
    NoOverlap,
    /// A [public URL](SettingsPage::public_url) that is neither an http or https URL nor a path.
    PublicUrl {
        /// What was found and what is expected.
        why: String,
    },
    /// A [trusted origin](SettingsPage::trusted_origin) that is none.
    Origin {
        /// What was found and what is expected.
        why: String,
    },
    /// A [sign-in URL](SettingsPage::sign_in) that is neither an http or https URL nor a path.
    SignIn {
        /// The URL.
        url: String,
    },
    /// A tag that is no [language](SettingsPage::language) tag, or is there twice.
    Language {
        /// The tag.
        tag: String,
    },
    /// An operation that cannot be left out, or that the page does not have.
    LeftOut {
        /// The operation.
        operation: Operation,
    },
}

impl std::fmt::Display for InvalidSettingsPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path { path } => write!(f, "path `{path}`: expected one `/` first, and no segment {{token_id}}"),
            Self::GroupKey { key } => {
                write!(f, "key `{key}` of a group of scopes: expected 1 to 40 of a to z, 0 to 9 and _")
            }
            Self::GroupTwice { key } => write!(f, "two groups of scopes have the key `{key}`"),
            Self::Overlap { overlap } => write!(f, "overlap of {overlap:?}: expected whole seconds, each once"),
            Self::NoOverlap => f.write_str("no overlap: expected at least one where tokens can be rotated"),
            Self::PublicUrl { why } | Self::Origin { why } => f.write_str(why),
            Self::SignIn { url } => {
                write!(f, "sign-in url `{url}`: expected an http or https url, or a path that begins with one `/`")
            }
            Self::Language { tag } => {
                write!(f, "language `{tag}`: expected a tag such as `ja` or `pt-BR`, each once")
            }
            Self::LeftOut { operation } => {
                write!(f, "{} left out: expected an operation of the page's, and not the list", operation.as_str())
            }
        }
    }
}

impl std::error::Error for InvalidSettingsPage {}

impl SettingsPage {
    pub(super) fn check(&self) -> Result<(), InvalidSettingsPage> {
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        // With two at its start it would be read as another host's.
        let is_rooted = self.path.starts_with('/') && !self.path.starts_with("//");
        if !is_rooted || self.path.split('/').any(|segment| segment == "{token_id}") {
            return Err(InvalidSettingsPage::Path { path: self.path.clone() });
        }
        let can_be = |operation| Place::all().any(|place| place != Place::List && place.operation() == operation);
        if let Some(operation) = self.left_out.iter().copied().find(|operation| !can_be(*operation)) {
            return Err(InvalidSettingsPage::LeftOut { operation });
        }
        self.check_overlaps()?;
        ScopeGroup::check(self.groups.as_deref().unwrap_or_default())
    }

    /// The form sends them in whole seconds, and the person must be able to choose one.
    fn check_overlaps(&self) -> Result<(), InvalidSettingsPage> {
        let Some(overlaps) = &self.overlaps else { return Ok(()) };
        if overlaps.is_empty() && self.has(Operation::Rotate) {
            return Err(InvalidSettingsPage::NoOverlap);
        }
        let times: Vec<Duration> = overlaps.iter().map(|(time, _)| *time).collect();
        let is_wrong = |(at, time): &(usize, &Duration)| time.subsec_nanos() > 0 || times[..*at].contains(time);
        let wrong = times.iter().enumerate().find(is_wrong);
        wrong.map_or(Ok(()), |(_, overlap)| Err(InvalidSettingsPage::Overlap { overlap: *overlap }))
    }
}
