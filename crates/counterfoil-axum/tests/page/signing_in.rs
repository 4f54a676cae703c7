//! A session that ends or is renewed while a form is filled in.

use counterfoil::{Expiry, Status};
use counterfoil_axum::page::{Field, SettingsPage};

use crate::{
    browser::{Browser, Setting},
    client::{PAGE, change, create, get, post},
    host::{DAY, Host, at, policy},
};

fn page(page: SettingsPage) -> SettingsPage {
    page.sign_in("/sign-in/ann?return_to={path}").fields([
        Field::Description,
        Field::Expiry,
        Field::Scopes,
        Field::Networks,
        Field::Audience,
    ])
}

/// Every field of the form for a new token.
const FIELDS: [(&str, &str); 8] = [
    ("name", "CI \"<pipeline>\" 製品"),
    ("description", "Nightly"),
    ("expiry", "date"),
    ("date", "2026-03-04"),
    ("scopes-catalog", "parts:read"),
    ("scopes-catalog", "collections:*"),
    ("networks", "192.0.2.0/24\r\n2001:db8::1"),
    ("audience", "api.example"),
];

#[test]
fn form_of_a_renewed_session_comes_back_filled_and_makes_nothing() {
    let host = Host::new(policy(), |it, store| page(it.idempotency(store)));
    let renewed = "session=ann.the-secret-of-a-renewed-session";
    let shown = create(&host, &FIELDS).cookie(renewed).send(&host);
    assert_eq!((shown.status, host.records().len()), (403, 0), "{shown:?}");
    assert!(shown.has("Your session was renewed after this form was opened"), "{shown:?}");
    assert_eq!(shown.value("name"), "CI &#34;&#60;pipeline&#62;&#34; 製品");
    assert_eq!([shown.value("description"), shown.value("audience")], ["Nightly", "api.example"]);
    assert_eq!(shown.value("date"), "2026-03-04");
    for text in [
        "<option value=\"date\" selected>",
        "value=\"parts:read\" checked",
        "value=\"collections:*\" checked",
        "192.0.2.0/24\r\n2001:db8::1</textarea>",
    ] {
        assert!(shown.has(text), "{text}: {shown:?}");
    }
    let form = shown.value("form");
    let fields: Vec<_> = FIELDS.into_iter().chain([("form", &*form)]).collect();
    assert_eq!(post(format!("{PAGE}/new"), &fields).send(&host).status, 403, "the new key is the renewed session's");
    assert_eq!(post(format!("{PAGE}/new"), &fields).cookie(renewed).send(&host).status, 201);
    let record = host.records().remove(0);
    assert_eq!(record.annotations().name.as_ref().unwrap().as_str(), "CI \"<pipeline>\" 製品");
    assert_eq!(record.expiry(), Expiry::At(at(63 * DAY - 1000)));

    for (name, fields, chosen) in [
        ("rotate", &[("overlap", "3600")][..], "value=\"3600\" checked"),
        ("expiry", &[("expiry", "60")], "<option value=\"60\" selected>"),
        ("block", &[], "Block token"),
        ("revoke", &[], "Revoke token"),
    ] {
        let before = host.versions();
        let shown = change(&host, record.id(), name, fields).cookie(renewed).send(&host);
        assert_eq!((shown.status, host.versions()), (403, before), "{name}");
        assert!(shown.has(chosen) && shown.has("Your session was renewed"), "{name}: {shown:?}");
    }
}

#[test]
fn request_without_a_session_is_led_to_the_sign_in_and_no_further() {
    let host = Host::new(policy(), |it, _| page(it));
    let id = host.token("CI");
    for path in
        [PAGE.to_owned(), format!("{PAGE}/new"), format!("{PAGE}/{id}/revoke"), format!("{PAGE}?x=//evil%22%3E%3C&y='")]
    {
        let shown = get(&path).cookie("none=none").send(&host);
        assert_eq!((shown.status, shown.heading()), (401, "You are signed out"), "{path}");
        assert!(shown.has("sign in first"), "the extractor's own words: {shown:?}");
        let (_, rest) = shown.text.split_once("href=\"/sign-in/ann?return_to=").unwrap();
        let link = rest.split('"').next().unwrap();
        assert!(link.starts_with("%2Fsettings%2Ftokens") && !link.contains(['/', '<', '?']), "{path}: {link}");
        assert!(!shown.has(&format!("href=\"{PAGE}\"")), "a link back would lead to this page again: {shown:?}");
        assert!(!shown.has("<form"), "{shown:?}");
    }
    // Another answer of the extractor's to the same is passed on.
    assert_eq!(get(PAGE).cookie("session=gone").send(&host).status, 303);
    let plain = get(PAGE).cookie("none=none").send(&Host::plain());
    assert!(plain.status == 401 && !plain.has("Sign in<"), "{plain:?}");
}

#[test]
fn form_that_is_sent_without_a_session_is_kept_and_makes_nothing() {
    let host = Host::new(policy(), |it, _| page(it));
    let form = get(format!("{PAGE}/new")).send(&host).value("form");
    let sent: Vec<_> = FIELDS.into_iter().chain([("form", &*form), ("version", "7"), ("surprise", "x")]).collect();
    for session in ["none=none", "session=gone"] {
        let shown = post(format!("{PAGE}/new"), &sent).cookie(session).send(&host);
        assert_eq!((shown.status, shown.header("location"), host.records().len()), (401, None, 0), "{shown:?}");
        let kept: Vec<_> = shown.text.split("<input type=\"hidden\" name=\"").skip(1).collect();
        let names: Vec<_> = kept.iter().map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(names, FIELDS.map(|(name, _)| name), "{shown:?}");
        assert!(!shown.has(&form), "the key of the form is not shown again");
        assert!(shown.has(&format!("action=\"{PAGE}/new\"")) && shown.has("target=\"_blank\""), "{shown:?}");
        // Continued in the new session, it is shown filled in, and waits for another press.
        let again = post(format!("{PAGE}/new"), &FIELDS).send(&host);
        assert_eq!((again.status, host.records().len()), (403, 0));
        assert_eq!(again.value("date"), "2026-03-04");
    }
    // What another site has sent is not kept.
    let foreign = post(format!("{PAGE}/new"), &sent).cookie("none=none").header("Sec-Fetch-Site", "cross-site");
    let foreign = foreign.send(&host);
    assert!(foreign.status == 403 && !foreign.has("Nightly"), "{foreign:?}");
}

#[test]
fn person_signs_in_again_and_goes_on_with_the_form() {
    for has_script in [true, false] {
        let host = Host::new(policy(), |it, store| page(it.idempotency(store)));
        let Some(browser) = Browser::start(&host, Setting { has_script, ..Setting::PLAIN }) else { return };
        browser.go(&format!("{PAGE}/new"));
        browser.fill("Name", "製品 pipeline");
        browser.choose("Expiration", "60 days");
        browser.tick("parts:write");
        browser.fill("Allowed networks", "192.0.2.0/24");
        // The session ends.
        browser.devtools("Network.clearBrowserCookies", serde_json::json!({}));
        browser.press("Create token", "");
        browser.sees("You are signed out");
        browser.press("Continue", "");
        browser.sees("You are signed out");
        // Signing in again happens in another tab.
        let link = browser.run("return document.querySelector('.primary').href");
        assert!(link.as_str().unwrap().ends_with("/sign-in/ann?return_to=%2Fsettings%2Ftokens%2Fnew"), "{link}");
        browser.sign_in_elsewhere();
        browser.press("Continue", "");
        browser.sees("Your session was renewed");
        assert_eq!([browser.value("Name"), browser.value("Allowed networks")], ["製品 pipeline", "192.0.2.0/24"]);
        assert_eq!(host.records().len(), 0);
        browser.press("Create token", "");
        browser.sees("shown only this once");
        let record = host.records().remove(0);
        assert_eq!(record.annotations().name.as_ref().unwrap().as_str(), "製品 pipeline");
        assert_eq!(record.scopes().to_string(), "parts:write");
        assert_eq!(record.expiry(), Expiry::At(at(60 * DAY)));
        assert_eq!(record.restrictions().networks()[0].to_string(), "192.0.2.0/24");

        // A confirmation, for which nothing was typed.
        browser.go(&format!("{PAGE}/{}/revoke", record.id()));
        browser.devtools("Network.clearBrowserCookies", serde_json::json!({}));
        browser.press("Revoke token", "");
        browser.sees("You are signed out");
        browser.sign_in_elsewhere();
        browser.press("Continue", "");
        browser.sees("This cannot be undone.");
        assert_eq!(host.record(record.id()).status(at(0)), Status::Active);
        browser.press("Revoke token", "");
        browser.sees("is revoked.");
    }
}
