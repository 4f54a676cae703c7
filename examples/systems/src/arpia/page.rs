//! Profile → ARPIA Personal Tokens: the page for people.

use std::{iter, time::Duration};

use axum::{Router, routing::get};
use counterfoil::{Owner, Registry, Status, Timestamp, store::Stored};
use counterfoil_axum::{
    management::{Declined, Operation, PathParams},
    page::{Column, Expiries, Field, PageSession, ScopeChoice, ScopeGroup, SettingsPage, Words},
};

use super::{
    ALL_COLLECTIONS, Arpia, LLM_PROXY,
    accounts::{Account, Accounts, Member, no_collections},
    collection_of,
};
use crate::{app, host::Error};

/// Where the page stands.
pub const PATH: &str = "/profile/personal-tokens";

const PROFILE: &str = "/profile";

/// A token that was not used for so long is inactive.
const INACTIVE: Duration = Duration::from_secs(90 * 86_400);

/// The page, and the way to it.
///
/// # Errors
///
/// None: what the page is made of are constants.
pub fn router(arpia: &Arpia) -> Result<Router<Arpia>, Error> {
    let page = SettingsPage::new(arpia.registry.clone())
        .path(PATH)
        .home("Profile", PROFILE)
        .words(words)
        .columns([
            Column::Name,
            Column::own("Scope", scope),
            Column::own("AI/LLM Proxy Access", |token| {
                (if may_proxy(token) { "enabled" } else { "disabled" }).to_owned()
            }),
            Column::Expiry,
            Column::LastUsed,
            Column::Status,
            to_review(arpia.registry.clone(), arpia.accounts.clone()),
        ])
        .without_filters()
        .fields([Field::Expiry, Field::Scopes])
        .expiries(
            Expiries::none()
                .days(30, "30 days")
                .days(60, "60 days")
                .days(90, "90 days")
                .days(365, "1 year")
                .never("No expiration", "⚠️ No expiration: use carefully.")
                .nothing_chosen(),
        )
        .scope_groups([ScopeGroup::any_of("proxy", "AI/LLM Proxy Access").choice(
            ScopeChoice::new(
                LLM_PROXY.parse()?,
                "Allow this token to call the AI / LLM chat proxy for custom integrations",
            )
            .hint("AI/LLM usage will count against your workarea's AI budget guardrails."),
        )])
        .without(Operation::Block) // a token is active or revoked
        .without(Operation::Unblock)
        .idempotency(arpia.store.clone());
    Ok(page
        .router::<Member, _>()?
        .route("/", get(async |_: Member| app::page("ARPIA", &[("Profile", PROFILE)])))
        .route(PROFILE, get(async |_: Member| app::page("Profile", &[("ARPIA Personal Tokens", PATH)]))))
}

fn words(words: &mut Words) {
    words.title = "ARPIA Personal Tokens".into();
    words.introduction =
        "Apply least privilege, and use separate tokens per tool. Revoke unused tokens, check unknown \
                          IPs and remove inactive tokens."
            .into();
    words.create = "Create New Token".into();
    words.submit_create = "Create Token".into();
    words.column_scopes = "Granted scopes".into();
    words.column_expiry = "Expiration".into();
    words.column_last_used = "Last Used".into();
    words.never_expires = "No expiration".into();
    words.status_active = "ACTIVE".into();
    words.status_revoked = "REVOKED".into();
    words.status_expired = "EXPIRED".into(); // one that has ended by itself is neither

    words.field_name = "Token Name".into();
    words.hint_name = "Friendly name (e.g., \"Claude Code - Laptop\")".into();
    words.hint_expiry = "Token validity period".into();
    words.expiry_warning = "{warning}".into(); // which names the choice itself

    words.shown_once =
        "Copy the token immediately, and store it securely (env variables, secrets manager). ⚠️ You will \
                        NOT be able to see the token again."
            .into();
    words.shown_done = "Done".into();

    words.revoke_text = "⚠️ Revocation is permanent. Programs that use the token are refused at once.".into();
    words.submit_revoke = "Confirm".into();
}

fn scope(token: &Stored) -> String {
    let scopes = token.record.scopes();
    if scopes.patterns().any(|pattern| pattern.as_str() == ALL_COLLECTIONS) {
        return "All permitted collections".to_owned();
    }
    scopes.exact().filter_map(collection_of).collect::<Vec<_>>().join(", ")
}

fn may_proxy(token: &Stored) -> bool {
    token.record.scopes().exact().any(|scope| scope.as_str() == LLM_PROXY)
}

/// What a person should look at.
fn to_review(registry: Registry, accounts: Accounts) -> Column {
    Column::own("Review", move |token| {
        let record = &token.record;
        let (Ok(now), Ok(account)) = (registry.now(), accounts.active(record.owner())) else { return String::new() };
        if record.status(now) != Status::Active {
            return String::new(); // what has ended needs no more care
        }
        let address = token.usage.as_ref().and_then(|usage| usage.address);
        let marks = [(is_inactive(token, now), "inactive"), (account.is_unknown(address), "unknown IP")];
        let marks = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark));
        marks.collect::<Vec<_>>().join(", ")
    })
}

fn is_inactive(token: &Stored, now: Timestamp) -> bool {
    let since = token.usage.as_ref().map_or(token.record.created_at(), |usage| usage.at);
    since.checked_add(INACTIVE).is_ok_and(|end| end <= now)
}

impl PageSession for Member {
    fn form_secret(&self) -> impl AsRef<[u8]> {
        self.person.form_secret()
    }

    /// The collections that are permitted now, none of them chosen in advance.
    async fn scope_groups(
        &self,
        _: &Owner,
        _: &PathParams,
        groups: Vec<ScopeGroup>,
    ) -> Result<Vec<ScopeGroup>, Declined> {
        if !self.account.has_collections() {
            return Err(no_collections().into());
        }
        let collections = collections(&self.account).map_err(|_| Declined::Unavailable)?;
        Ok(iter::once(collections).chain(groups).collect())
    }
}

fn collections(account: &Account) -> Result<ScopeGroup, Error> {
    let all = ScopeChoice::new(ALL_COLLECTIONS.parse()?, "All permitted collections");
    let mut group = ScopeGroup::all_or("collections", "API Collection Scope", all, "Specific collections only");
    for (scope, name) in account.rights.exact().filter_map(|scope| Some((scope, collection_of(scope)?))) {
        group = group.choice(ScopeChoice::new(scope.as_str().parse()?, name));
    }
    Ok(group.hint("Allowed collections"))
}
