//! Every text of the page.

use std::borrow::Cow;

macro_rules! words {
    ($($name:ident: $text:literal,)*) => {
        /// The texts of the page. They are in English by default.
        ///
        /// A name in braces is replaced by a value. Your text can use it too, or leave it out.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Words {
            $(
                #[doc = concat!("“", $text, "”")]
                pub $name: Cow<'static, str>,
            )*
        }

        impl Words {
            /// Returns every text with its name, to be read from a file of translations, for example.
            ///
            /// ```
            /// use counterfoil_axum::page::Words;
            ///
            /// let mut words = Words::default();
            /// for (name, text) in words.iter_mut() {
            ///     if name == "title" {
            ///         *text = "API keys".into();
            ///     }
            /// }
            /// assert_eq!(words.title, "API keys");
            /// ```
            pub fn iter_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Cow<'static, str>)> {
                [$((stringify!($name), &mut self.$name),)*].into_iter()
            }
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
    title_problem: "Problem: {title}",
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
    empty_further: "No further tokens.",
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
    more_scopes: "and {count} more",
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
    required: "{label} (required)",

    expiry_days: "{days} days",
    expiry_year: "1 year",
    expiry_never: "No expiration",
    expiry_date: "Custom date",
    expiry_warning: "{choice}: {warning}",
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

    done_expiry: "The expiration of {name} is now: {expiry}.",
    done_block: "The token {name} is blocked.",
    done_unblock: "The token {name} is not blocked.",
    done_revoke: "The token {name} is revoked.",

    problems: "There is a problem",
    missing_name: "Enter a name.",
    long_name: "The name has {count} characters. Enter at most {limit}.",
    wrong_name: "The name holds characters that cannot be shown: type it anew.",
    long_description: "The description has {count} characters. Enter at most {limit}.",
    wrong_description: "The description holds characters that cannot be shown: type it anew.",
    wrong_expiry: "Choose one of the expirations offered.",
    wrong_date: "Enter a day from today on, as year-month-day.",
    late_expiry: "This expiration is too late. The last day allowed is {date}.",
    refused_expiry: "This expiration is not allowed. Choose another one.",
    fixed_expiry: "The token cannot end later, because its end is part of its text.",
    wrong_choice: "Choose among what is offered.",
    missing_choice: "Choose at least one.",
    refused_scopes: "These scopes are not granted: {scopes}.",
    many_scopes: "Choose fewer scopes: at most {limit}.",
    long_token: "The token would be too long. Choose fewer scopes or networks.",
    wrong_networks: "“{network}” is not an address or a CIDR block. Enter one per line, such as 192.0.2.0/24.",
    wrong_network_bits: "“{network}” is not a network. Enter {expected} instead.",
    wrong_network_mapped: "“{network}” is an IPv4 address in IPv6. Enter it as IPv4.",
    many_networks: "Enter fewer networks: at most {limit}.",
    long_audience: "The audience has {count} characters. Enter at most {limit}.",
    wrong_audience: "The audience holds characters that cannot be shown: type it anew.",
    wrong_overlap: "Choose one of the times offered.",
    limit_reached: "You have as many tokens as are allowed. Revoke one that is no longer needed.",
    changed_meanwhile: "The token was changed meanwhile. This is how it is now: look again before you go on.",

    read_on: "Read more",
    error_title: "This did not work",
    error_not_found: "There is no such token, or no such page.",
    error_foreign_form: "Your session was renewed after this form was opened, and nothing was changed. Check what you entered and send it again.",
    signed_out: "You are signed out",
    signed_out_text: "Sign in to see this page.",
    signed_out_form: "Nothing was changed. What you entered is kept on this page: sign in in a new tab, come back, and continue.",
    sign_in: "Sign in",
    resume: "Continue",
    error_cross_site: "The request came from another site, and nothing was changed.",
    error_token: "A token cannot manage tokens. Sign in instead.",
    error_unavailable: "This cannot be done now. Nothing is lost: try again in a moment.",
    error_revoked: "The token is revoked. There is nothing left to do with it.",
    error_expired: "The token is expired: a new secret would be dead at once. Change the expiration first.",
    error_in_flight: "This form was sent before, and is still at work. Look at the list in a moment.",
    error_reused: "This form was sent before, with something else in it. Open it anew.",
    error_gone: "This form was sent before, and what it made is no longer there. Open it anew.",
    error_method: "This page cannot be asked for in this way.",
    error_request: "The request cannot be read. Go back and open the page again.",
    error_too_large: "The form is too large. Go back and enter less.",
    error_stopped: "No new tokens are issued now. Try again later.",
    error_internal: "Something is wrong with this service. Ask an administrator.",
}
