//! Settings → API Keys: the app's page for people.

use axum::{Router, routing::get};
use counterfoil::{Owner, Registry};
use counterfoil_axum::{
    management::Operation,
    page::{Change, Column, Expiries, Field, SettingsPage, Words},
};
use counterfoil_sqlx::SqliteStore;

use crate::{
    app,
    host::Error,
    session::{Person, Sessions},
};

/// Where the page stands.
pub const PATH: &str = "/app/settings/api-keys";

const SETTINGS: &str = "/app/settings";

/// The page, and the way to it.
///
/// # Errors
///
/// None: what the page is made of are constants.
pub fn router(registry: &Registry, store: &SqliteStore) -> Result<Router<Sessions<Owner>>, Error> {
    let page = SettingsPage::new(registry.clone())
        .path(PATH)
        .home("Settings", SETTINGS)
        .words(words)
        .columns([Column::Name, Column::Scopes, Column::Created, Column::Expiry, Column::LastUsed, Column::Status])
        .without_filters()
        .row_actions([Change::SetExpiry, Change::Revoke])
        .fields([Field::Expiry, Field::Scopes])
        .expiries(Expiries::none().never("No expiration date", "").on_date("On a date"))
        .without(Operation::Rotate) // a replacement is a new key
        .without(Operation::Block)
        .without(Operation::Unblock)
        .idempotency(store.clone());
    Ok(page
        .router::<Person, _>()?
        .route("/app", get(async |_: Person| app::page("Arca", &[("Settings", SETTINGS)])))
        .route(SETTINGS, get(async |_: Person| app::page("Settings", &[("API Keys", PATH)]))))
}

/// Keys where the library says tokens.
fn words(words: &mut Words) {
    words.title = "API Keys".into();
    words.introduction = "API keys carry full access within their granted scopes. Treat them like passwords.".into();
    words.create = "New API key".into();
    words.submit_create = "Create key".into();
    words.back = "Back to all keys".into();
    words.empty = "No keys yet.".into();
    words.empty_further = "No further keys.".into();
    words.unreadable = "Some keys cannot be read now, and are not shown. Ask an administrator.".into();
    words.unnamed = "Unlabelled key".into();
    words.column_name = "Label".into();
    words.column_token = "Key".into();

    words.field_name = "Label".into();
    words.hint_name = "What the key is for, such as the program that will use it.".into();
    words.missing_name = "Enter a label.".into();
    words.long_name = "The label is too long: enter a shorter one.".into();
    words.wrong_name = "The label holds characters that cannot be shown: type it anew.".into();
    words.field_expiry = "Expiration date".into();
    words.hint_expiry = "Optional. Set one for keys used in short-lived scripts or CI pipelines.".into();
    words.hint_scopes = "Grant only the scopes you need. They cannot be changed after the key is created.".into();

    words.shown_title = "Your new API key".into();
    words.shown_once = "The key is shown once, copy it immediately.".into();
    words.shown_label = "API key".into();
    words.shown_again_text =
        "The key was made then and shown once. It cannot be shown again: if you lose it, you must create a new key."
            .into();

    words.expiry = "Set a new expiration".into();
    words.expiry_title = "Set a new expiration".into();
    words.expiry_text = "The key keeps its value and its scopes, and ends at another time.".into();
    words.submit_expiry = "Set the expiration".into();
    words.revoke_title = "Revoke key".into();
    words.revoke_text = "Requests with this key are refused at once, and for good. This cannot be undone.".into();
    words.submit_revoke = "Revoke key".into();
    words.done_revoke = "The key {name} is revoked.".into();

    words.changed_meanwhile =
        "The key was changed meanwhile. This is how it is now: look again before you go on.".into();
    words.error_not_found = "There is no such key, or no such page.".into();
    words.error_token = "A key cannot manage keys. Sign in instead.".into();
    words.error_revoked = "The key is revoked. There is nothing left to do with it.".into();
}
