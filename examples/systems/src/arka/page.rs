//! Settings → Personal Access Tokens: the workspace's page for people.

use axum::{Router, routing::get};
use counterfoil::{Owner, Registry, Status, record::Statuses};
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

/// Where the page stands: `arka login` opens it.
pub const PATH: &str = "/app/personal/settings/tokens";

const SETTINGS: &str = "/app/personal/settings";

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
        .columns([Column::Name, Column::Created, Column::Expiry, Column::LastUsed, Column::Status])
        .listing(Statuses::except(Status::Revoked)) // to revoke is to delete
        .without_filters()
        .row_actions([Change::Revoke])
        .fields([Field::Expiry])
        .expiries(Expiries::none().never("No expiration", "").on_date("Custom date"))
        .without(Operation::Rotate)
        .without(Operation::SetExpiry)
        .without(Operation::Block)
        .without(Operation::Unblock)
        .idempotency(store.clone());
    Ok(page
        .router::<Person, _>()?
        .route("/app/personal", get(async |_: Person| app::page("ARKA AI", &[("Settings", SETTINGS)])))
        .route(SETTINGS, get(async |_: Person| app::page("Settings", &[("Personal Access Tokens", PATH)]))))
}

fn words(words: &mut Words) {
    words.title = "Personal Access Tokens".into();
    words.introduction = "ARKA Code CLI requires a Personal Access Token to authenticate with the ARKA AI API, and a \
                          token requires a Pro subscription. Create one for each device or purpose: each can be \
                          revoked independently."
        .into();
    words.create = "Create Token".into();
    words.submit_create = "Create Token".into();
    words.hint_name = "A descriptive name, such as \"MacBook Pro\", \"Work Laptop\" or \"CI/CD Pipeline\".".into();
    words.hint_expiry = "Optional. An expiration date adds security.".into();
    words.read_on = "Upgrade at arka-ai.com/billing".into();

    words.shown_once = "Copy your token now - it won't be shown again! Store it securely.".into();
    words.shown_again_text =
        "The token was made then and shown once. You won't be able to see the full token again: if it was lost, delete \
         it and create another."
            .into();

    words.revoke = "\u{1f5d1} Delete".into();
    words.revoke_title = "Delete token".into();
    words.revoke_text = "Revoking a token is immediate and irreversible. Any applications or scripts using that token \
                         will stop working."
        .into();
    words.submit_revoke = "Delete token".into();
    words.done_revoke = "The token {name} is revoked and deleted.".into();
}
