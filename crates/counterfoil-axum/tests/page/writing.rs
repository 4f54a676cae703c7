//! Texts in every direction, and some that cannot be seen.

use counterfoil::{IssuePolicy, Lifetime, ScopeCatalog, UnknownScopes};
use counterfoil_axum::page::{Field, ScopeChoice, ScopeGroup};

use crate::{
    browser::{Browser, Setting},
    client::{PAGE, create, get},
    host::{Host, policy},
};

#[test]
fn a_name_that_cannot_be_seen_is_shown_as_none() {
    let host = Host::plain();
    for name in ["\u{200b}", " \u{3164}\u{2060}", "\u{202e}\u{2066}"] {
        let (_, record) = host.issue("ann", name, Lifetime::days(90));
        for path in [PAGE.to_owned(), format!("{PAGE}/{}", record.id()), format!("{PAGE}/{}/revoke", record.id())] {
            let shown = get(&path).send(&host);
            assert!(shown.has("<bdi>Unnamed token</bdi>") && !shown.has(name), "{path}: {shown:?}");
        }
    }
}

#[test]
fn no_name_turns_the_title() {
    let host = Host::plain();
    let (_, record) = host.issue("ann", "\u{202e}gnp.exe\u{2066}", Lifetime::days(90));
    let shown = get(format!("{PAGE}/{}", record.id())).send(&host);
    assert!(shown.has("<title>gnp.exe · Personal access tokens</title>"), "{shown:?}");
    assert_eq!(shown.heading(), "gnp.exe", "nor the text around it");
}

#[test]
fn what_is_wrong_is_told_in_the_title() {
    let host = Host::plain();
    let good = get(format!("{PAGE}/new")).send(&host);
    assert!(good.has("<title>New token · Personal access tokens</title>"), "{good:?}");
    let wrong = create(&host, &[("name", ""), ("expiry", "30")]).send(&host);
    assert!(wrong.has("<title>Problem: New token · Personal access tokens</title>"), "{wrong:?}");
}

#[test]
fn a_warning_names_its_choice_and_is_not_said_of_the_others() {
    let host = Host::plain();
    let form = get(format!("{PAGE}/new")).send(&host);
    assert!(form.has("No expiration: A token that never expires stays dangerous"), "{form:?}");
    assert!(!form.has("aria-describedby=\"expiry-"), "{form:?}");
}

/// A page in Hebrew, say, whose catalog is in English.
fn from_the_right() -> Host {
    let catalog = ScopeCatalog::builder().scope("parts:read", "(Read) parts!").build().unwrap();
    let policy = IssuePolicy { scopes: Some((catalog.into(), UnknownScopes::Reject)), ..policy() };
    Host::new(policy, |page, store| {
        page.idempotency(store).words(|words| (words.direction, words.language) = ("rtl".into(), "he".into())).fields([
            Field::Description,
            Field::Expiry,
            Field::Scopes,
            Field::Networks,
            Field::Audience,
        ])
    })
}

#[test]
fn a_page_from_right_to_left_keeps_what_is_written_from_the_left() {
    let host = from_the_right();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    let direction = |selector: &str| {
        browser.run(&format!(
            "const found = [...document.querySelectorAll('{selector}')].map((it) => getComputedStyle(it).direction);
             return [...new Set(found)].join()"
        ))
    };
    browser.go(&format!("{PAGE}/new"));
    assert_eq!([direction("html"), direction("#networks")], ["rtl", "ltr"]);
    for (text, expected) in [("Laptop", "ltr"), ("מחשב נייד", "rtl")] {
        for label in ["Name", "Description", "Audience"] {
            browser.fill(label, text);
        }
        assert_eq!(direction("#name, #description, #audience"), expected, "{text}");
    }
    // Names of scopes, and what the catalog says of them, are kept apart: their marks stay where they belong.
    let apart = browser.run("return [...document.querySelectorAll('bdi')].map((it) => it.textContent)");
    for text in ["parts:read", "(Read) parts!"] {
        assert!(apart.as_array().unwrap().iter().any(|found| found == text), "{text}: {apart}");
    }
    browser.tick("parts:read");
    browser.press("Create token", "");
    assert_eq!([direction("#token"), direction("code")], ["ltr", "ltr"]);
    browser.go(PAGE);
    assert_eq!(direction("time bdi"), "ltr");
    assert_eq!(direction("code"), "ltr");
}

#[test]
fn labels_of_the_hosts_are_kept_apart() {
    let group = ScopeGroup::one_of("g", "(Level)")
        .choice(ScopeChoice::new("parts:read".parse().unwrap(), "Read!").hint("Only (reads)"));
    let host = Host::new(policy(), |page, _| page.scope_groups([group]));
    let shown = get(format!("{PAGE}/new")).send(&host);
    for text in ["(Level)", "Read!", "Only (reads)"] {
        assert!(shown.has(&format!("<bdi>{text}</bdi>")), "{text}: {shown:?}");
    }
}
