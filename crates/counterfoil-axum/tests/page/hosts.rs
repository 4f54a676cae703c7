//! Pages as three hosts have them: each statement of theirs is one line.

use counterfoil::{IssuePolicy, Lifetime, Status, policy::Lifetimes, record::Statuses};
use counterfoil_axum::{
    management::Operation,
    page::{Change, Column, Expiries, Field, ScopeChoice, ScopeGroup, SettingsPage},
};

use crate::{
    client::{PAGE, change, create, get},
    host::{DAY, Host, policy},
};

fn arpia(page: SettingsPage) -> SettingsPage {
    let proxy: counterfoil::Scope = "parts:write".parse().unwrap();
    let choice = |scope: &str, label: &str| ScopeChoice::new(scope.parse().unwrap(), label);
    page.title("ARPIA Personal Tokens")
        .words(|words| {
            words.create = "Create New Token".into();
            words.field_name = "Token Name".into();
            words.column_scopes = "Scope".into();
            words.column_expiry = "Expiration".into();
            words.column_last_used = "Last Used".into();
            words.status_active = "ACTIVE".into();
            words.status_revoked = "REVOKED".into();
        })
        .columns([
            Column::Name,
            Column::Scopes,
            Column::own("AI/LLM Proxy Access", move |token| {
                if token.record.scopes().allow(&proxy) { "enabled".into() } else { "disabled".into() }
            }),
            Column::Expiry,
            Column::LastUsed,
            Column::Status,
        ])
        .fields([Field::Expiry, Field::Scopes])
        .expiries(
            Expiries::none()
                .days(30, "30 days")
                .days(60, "60 days")
                .days(90, "90 days")
                .days(365, "1 year")
                .never("No expiration ⚠️", "This token will never expire."),
        )
        .scope_groups([
            ScopeGroup::all_or(
                "collections",
                "API Collection Scope",
                choice("collections:*", "All permitted collections").chosen(),
                "Specific collections",
            )
            .choice(choice("collections:7", "Parts")),
            ScopeGroup::any_of("ai", "AI/LLM Proxy Access")
                .choice(choice("parts:write", "Allow this token to call the AI / LLM chat proxy")),
        ])
}

#[test]
fn arpia_personal_tokens() {
    let host = Host::new(policy(), |page, _| arpia(page));
    let fields = [("name", "Bot"), ("expiry", "never"), ("scopes-collections", "all"), ("scopes-ai", "parts:write")];
    assert_eq!(create(&host, &fields).send(&host).status, 201);
    assert_eq!(
        create(&host, &[("name", "Plain"), ("expiry", "365"), ("scopes-collections", "all")]).send(&host).status,
        201
    );
    assert_eq!(
        create(&host, &[("name", "Odd"), ("expiry", "120"), ("scopes-collections", "all")]).send(&host).status,
        422
    );
    let id = host.records()[1].id();
    assert_eq!(change(&host, id, "revoke", &[]).send(&host).status, 303);
    let list = get(PAGE).send(&host);
    for text in [
        "ARPIA Personal Tokens",
        "Create New Token",
        "AI/LLM Proxy Access",
        "enabled",
        "disabled",
        ">ACTIVE<",
        ">REVOKED<",
    ] {
        assert!(list.has(text), "{text}: {list:?}");
    }
    let form = get(format!("{PAGE}/new")).send(&host);
    for text in [
        "Token Name",
        "No expiration ⚠️",
        "All permitted collections",
        "Specific collections",
        "Allow this token to call the AI / LLM chat proxy",
    ] {
        assert!(form.has(text), "{text}: {form:?}");
    }
    assert!(!form.has("name=\"date\"") && !form.has("networks"));
}

#[test]
fn arka_hides_what_is_revoked_and_deletes_by_an_icon() {
    let host = Host::new(IssuePolicy::default(), |page, _| {
        page.words(|words| words.revoke = "🗑 Delete".into())
            .listing(Statuses::except(Status::Revoked))
            .without_filters()
            .without(Operation::Rotate)
            .without(Operation::Block)
            .without(Operation::Unblock)
            .row_actions([Change::Revoke])
            .fields([Field::Expiry])
            .expiries(Expiries::none().never("No expiration", "").on_date("On a date"))
    });
    let form = get(format!("{PAGE}/new")).send(&host);
    assert!(form.has("<option value=\"never\" selected>") && form.has("type=\"date\"") && !form.has("<fieldset"));
    for (name, expiry, date) in [("kept", "never", ""), ("deleted", "date", "2026-05-01")] {
        assert_eq!(create(&host, &[("name", name), ("expiry", expiry), ("date", date)]).send(&host).status, 201);
    }
    let is_deleted = |record: &counterfoil::Record| record.expiry().at().is_some();
    let deleted = host.records().into_iter().find(is_deleted).unwrap();
    assert!(get(PAGE).send(&host).has("🗑 Delete<span class=\"hidden\"> <bdi>deleted</bdi></span>"));
    assert_eq!(change(&host, deleted.id(), "revoke", &[]).send(&host).status, 303);
    assert_eq!(get(PAGE).send(&host).names(), ["kept"]);
}

#[test]
fn arca_keys_are_dated_anew_after_they_have_ended() {
    let lifetimes = Lifetimes::any().by_default(Lifetime::Forever).unwrap();
    let host = Host::new(IssuePolicy { lifetimes, ..policy() }, |page, _| {
        page.words(|words| {
            words.title = "API Keys".into();
            words.create = "New API key".into();
            words.field_name = "Label".into();
        })
        .fields([Field::Expiry, Field::Scopes])
        .expiries(Expiries::none().never("No expiration", "").on_date("On a date"))
    });
    let made =
        create(&host, &[("name", "k"), ("expiry", "date"), ("date", "2026-01-02"), ("scopes-catalog", "parts:read")]);
    let made = made.send(&host);
    host.wait(5 * DAY);
    assert_eq!(host.verdict(made.token().unwrap()), "expired");
    let id = host.records()[0].id();
    assert_eq!(change(&host, id, "expiry", &[("expiry", "date"), ("date", "2026-03-01")]).send(&host).status, 303);
    assert_eq!(host.verdict(made.token().unwrap()), "ok");
    assert!(get(PAGE).send(&host).has("New API key"));
}
