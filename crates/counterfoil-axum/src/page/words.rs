//! Every text of the page.

use std::borrow::Cow;

use counterfoil::Status;

use crate::management::Operation;

macro_rules! words {
    ($($name:ident: $text:literal,)*) => {
        /// The texts of the page, in English unless the host says otherwise.
        ///
        /// In braces stands what is filled in: a text of the host's may name the same, or leave it out.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Words {
            $(
                #[doc = concat!("“", $text, "”")]
                pub $name: Cow<'static, str>,
            )*
        }

        impl Default for Words {
            fn default() -> Self {
                Self { $($name: Cow::Borrowed($text),)* }
            }
        }
    };
}

words! {
    language: "en",
    direction: "ltr",
    title: "Personal access tokens",
    introduction: "Tokens let programs act for you. Treat them like passwords: give each program its own, with no more than it needs.",
    skip: "Skip to content",
    moment: "{date} {time} UTC",

    create: "New token",
    submit_create: "Create token",
    cancel: "Cancel",
    back: "Back to all tokens",
    filters: "Filter by status",
    filter_usual: "Current",
    filter_all: "All",
    empty: "No tokens yet.",
    empty_filtered: "No tokens of this status.",
    next_page: "Next page",
    first_page: "First page",
    unreadable: "Some tokens cannot be read now, and are not shown. Ask an administrator.",

    column_name: "Name",
    column_token: "Token",
    column_scopes: "Scopes",
    column_expiry: "Expires",
    column_last_used: "Last used",
    column_status: "Status",
    column_created: "Created",
    column_actions: "Actions",
    description: "Description",
    networks: "Allowed networks",
    audience: "Audience",
    rotated: "Rotated",
    overlap: "The secret before this one works until",
    reason: "Reason",
    revoked_at: "Revoked",
    blocked_at: "Blocked",
    suspended_at: "Suspended",

    unnamed: "Unnamed token",
    no_scopes: "No scopes",
    never_expires: "Never expires",
    expires_soon: "Expires soon",
    never_used: "Never used",
    used_from: "from {address}",
    any_network: "Any network",

    status_active: "Active",
    status_blocked: "Blocked",
    status_suspended: "Suspended",
    status_expired: "Expired",
    status_revoked: "Revoked",

    field_name: "Name",
    hint_name: "What the token is for, such as the program that will use it.",
    field_description: "Description",
    hint_description: "Optional.",
    field_expiry: "Expiration",
    hint_expiry: "",
    field_date: "Ends with this day (UTC)",
    scopes: "Scopes",
    hint_scopes: "What a program with this token may do.",
    field_networks: "Allowed networks",
    hint_networks: "Optional. One address or CIDR block per line, such as 192.0.2.0/24. Without any, the token works from everywhere.",
    field_audience: "Audience",
    hint_audience: "Optional. The one service that the token is meant for.",
    choose: "Choose",

    expiry_days: "{days} days",
    expiry_year: "1 year",
    expiry_never: "No expiration",
    expiry_date: "Custom date",
    warning_never: "A token that never expires stays dangerous for as long as nobody thinks of it.",

    shown_title: "Your new token",
    shown_once: "Copy the token now. For your safety it is shown only this once.",
    shown_label: "Token",
    copy: "Copy",
    copied: "Copied",
    copy_failed: "Select the token and copy it by hand",
    shown_done: "I have copied it",
    shown_again: "This form was sent before",
    shown_again_text: "The token was made then and shown once. It cannot be shown again: if it was lost, rotate it to get a new secret.",
    dropped: "Not granted",

    rotate: "Rotate",
    rotate_title: "Rotate token",
    rotate_text: "The token gets a new secret, which is shown once. Name, scopes and expiration stay.",
    field_overlap: "The secret of now keeps working",
    overlap_none: "Not at all: it stops at once",
    overlap_hour: "For 1 hour",
    overlap_day: "For 1 day",
    submit_rotate: "Rotate token",
    expiry: "Change expiration",
    expiry_title: "Change expiration",
    expiry_text: "The token keeps its secret and ends at another time.",
    submit_expiry: "Change expiration",
    block: "Block",
    block_title: "Block token",
    block_text: "Programs that use the token are refused until it is unblocked.",
    submit_block: "Block token",
    unblock: "Unblock",
    unblock_title: "Unblock token",
    unblock_text: "Programs that use the token are let in again.",
    submit_unblock: "Unblock token",
    revoke: "Revoke",
    revoke_title: "Revoke token",
    revoke_text: "Programs that use the token are refused at once, and for good. This cannot be undone.",
    submit_revoke: "Revoke token",

    done_expiry: "The expiration was changed.",
    done_block: "The token is blocked.",
    done_unblock: "The token is unblocked.",
    done_revoke: "The token is revoked.",

    problems: "There is a problem",
    wrong_name: "Enter a name of at most 200 bytes.",
    wrong_description: "Enter a description of at most 1000 bytes.",
    wrong_expiry: "Choose one of the expirations offered.",
    wrong_date: "Enter a day from today on, as year-month-day.",
    refused_expiry: "This expiration is not allowed: {why}.",
    wrong_choice: "Choose among what is offered.",
    missing_choice: "Choose at least one.",
    refused_scopes: "These scopes are not granted: {why}.",
    wrong_networks: "Enter addresses or CIDR blocks, one per line: {why}.",
    wrong_audience: "Enter the name of a service of at most 255 bytes.",
    wrong_overlap: "Choose one of the times offered.",
    limit_reached: "You have as many tokens as are allowed. Revoke one that is no longer needed.",
    changed_meanwhile: "The token was changed meanwhile. This is how it is now: look again before you go on.",

    read_on: "Read more",
    error_title: "This did not work",
    error_not_found: "There is no such token, or no such page.",
    error_foreign_form: "This form does not belong to your session, or is too old. Open the page again.",
    error_cross_site: "The request came from another site, and nothing was changed.",
    error_token: "A token cannot manage tokens. Sign in instead.",
    error_unavailable: "This cannot be done now. Nothing is lost: try again in a moment.",
    error_revoked: "The token is revoked. There is nothing left to do with it.",
    error_expired: "The token is expired: a new secret would be dead at once. Change the expiration first.",
    error_method: "This page cannot be asked for in this way.",
}

/// What a person may do, in words.
pub(super) struct Action<'a> {
    pub(super) label: &'a str,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) submit: &'a str,
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

    pub(super) fn action(&self, operation: Operation) -> Action<'_> {
        let [label, title, text, submit] = match operation {
            Operation::Rotate => [&self.rotate, &self.rotate_title, &self.rotate_text, &self.submit_rotate],
            Operation::SetExpiry => [&self.expiry, &self.expiry_title, &self.expiry_text, &self.submit_expiry],
            Operation::Block => [&self.block, &self.block_title, &self.block_text, &self.submit_block],
            Operation::Unblock => [&self.unblock, &self.unblock_title, &self.unblock_text, &self.submit_unblock],
            _ => [&self.revoke, &self.revoke_title, &self.revoke_text, &self.submit_revoke],
        };
        Action { label, title, text, submit }
    }

    /// What is told after a change, by the word that stands in the address.
    pub(super) fn done(&self, done: &str) -> Option<&str> {
        match done {
            "expiry" => Some(&self.done_expiry),
            "block" => Some(&self.done_block),
            "unblock" => Some(&self.done_unblock),
            "revoke" => Some(&self.done_revoke),
            _ => None,
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
}
