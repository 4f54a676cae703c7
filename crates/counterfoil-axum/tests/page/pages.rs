//! What pages are made of: names that would be more, paths that would lead elsewhere, and what help a reader needs.

use std::time::Duration;

use axum::Router;
use counterfoil_axum::{
    management::Operation,
    page::{InvalidSettingsPage, ScopeGroup, SettingsPage},
};

use crate::{
    client::{PAGE, change, create, get},
    host::{Host, User, policy},
};

#[test]
fn a_name_is_text_whatever_it_looks_like() {
    for (name, written) in [
        ("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"),
        ("\"><img src=x onerror=alert(1)>", "&#34;&#62;&#60;img src=x onerror=alert(1)&#62;"),
        ("' onfocus='alert(1)", "&#39; onfocus=&#39;alert(1)"),
        ("</textarea></title><b>", "&#60;/textarea&#62;&#60;/title&#62;&#60;b&#62;"),
        ("&lt;b&gt; &amp;", "&#38;lt;b&#38;gt; &#38;amp;"),
        ("{{ token }} {date} {why}", "{{ token }} {date} {why}"),
        ("\u{202e}txt.exe", "\u{202e}txt.exe"),
        ("مفتاح 1", "مفتاح 1"),
        ("a\u{2028}b", "a\u{2028}b"),
    ] {
        let host = Host::plain();
        // As entered in a form that is refused, and then in every page that shows the token.
        let refused = create(&host, &[("name", name), ("expiry", "x")]).send(&host);
        assert_eq!((refused.status, refused.value("name").as_str()), (422, written));
        let made = create(&host, &[("name", name), ("expiry", "30")]).send(&host);
        assert_eq!(made.status, 201, "{name}");
        let id = host.records()[0].id();
        let rotated = change(&host, id, "rotate", &[("overlap", "0")]).send(&host);
        let pages = ["", "/new", "/{id}", "/{id}/rotate", "/{id}/expiry", "/{id}/block", "/{id}/revoke"];
        let shown = pages.map(|page| get(format!("{PAGE}{}", page.replace("{id}", &id.to_string()))).send(&host));
        for page in shown.iter().chain([&refused, &made, &rotated]) {
            for part in ["<script>", "<img", "<b>", " onfocus='"] {
                assert!(!page.has(part), "{part} of {name}: {page:?}");
            }
        }
        // Kept apart from the text around it, in whichever direction it runs.
        for page in [&shown[0], &shown[2], &shown[3], &made, &rotated] {
            let upright = written.replace('\u{202e}', "");
            assert!(page.has(&format!("<bdi>{upright}</bdi>")), "{name}: {page:?}");
            assert!(!page.has("\u{202e}"), "{name}: {page:?}");
        }
    }
}

#[test]
fn the_secret_stands_in_the_reply_to_its_form_alone() {
    let host = Host::plain();
    let made = create(&host, &[("name", "CI"), ("expiry", "30")]).send(&host);
    let text = made.token().unwrap().to_owned();
    assert_eq!(made.text.matches(&text).count(), 1);
    assert_eq!((made.header("location"), made.header("set-cookie"), made.header("etag")), (None, None, None));
    assert!(!made.head.contains(&text));
    assert!(!made.has("<form"), "nothing is sent from there: {made:?}");
}

#[test]
fn every_page_has_one_heading_a_language_and_a_way_past_the_top() {
    let host = Host::plain();
    let id = host.token("CI");
    for (path, heading) in [
        (PAGE.to_owned(), "Personal access tokens"),
        (format!("{PAGE}/new"), "New token"),
        (format!("{PAGE}/{id}"), "CI"),
        (format!("{PAGE}/{id}/rotate"), "Rotate token"),
        (format!("{PAGE}/{id}/expiry"), "Change expiration"),
        (format!("{PAGE}/{id}/block"), "Block token"),
        (format!("{PAGE}/{id}/revoke"), "Revoke token"),
        (format!("{PAGE}/x"), "This did not work"),
    ] {
        let shown = get(&path).send(&host);
        assert_eq!(shown.heading(), heading, "{path}");
        assert!(shown.has("<!DOCTYPE html>") && shown.has("<html lang=\"en\" dir=\"ltr\">"), "{path}");
        assert!(shown.has("href=\"#content\"") && shown.has("<main id=\"content\""), "{path}");
        assert!(shown.has("name=\"viewport\""), "{path}");
    }
}

#[test]
fn links_follow_the_path_that_the_page_is_mounted_at() {
    let at = |path: &'static str| Host::new(policy(), move |page, _| page.path(path));
    let nested = Host::mounted(policy(), |page, _| page.path("/tokens"), |page| Router::new().nest("/account", page));
    for (host, base) in [
        (at("/keys"), "/keys"),
        (at("/users/{user_id}/tokens"), "/users/a%20b/tokens"),
        (at("/"), ""),
        (at("/keys/"), "/keys"),
        (at("/keys///"), "/keys"),
        (nested, "/account/tokens"),
    ] {
        let id = host.token("CI");
        let list = if base.is_empty() { "/" } else { base };
        let shown = get(list).send(&host);
        assert_eq!(shown.status, 200, "{base}: {shown:?}");
        for link in [format!("{base}/new"), format!("{base}/{id}"), format!("{base}/{id}/revoke")] {
            assert!(shown.has(&format!("href=\"{link}\"")), "{link}: {shown:?}");
            let target = get(&link).send(&host);
            assert_eq!(target.status, 200, "{link}");
            assert!(target.has(&format!("href=\"{base}/style.css?v=")), "{link}: {target:?}");
        }
        assert_eq!(get(format!("{base}/style.css")).send(&host).status, 200, "{base}");
        assert!(get(format!("{base}/new")).send(&host).has(&format!("action=\"{base}/new\"")));
        let form = get(format!("{base}/{id}/revoke")).send(&host);
        let fields = [("form", &*form.value("form")), ("version", &*form.value("version"))];
        let reply = crate::client::post(format!("{base}/{id}/revoke"), &fields).send(&host);
        assert_eq!(reply.header("location"), Some(&*format!("{list}?done=revoke&token={id}")), "{reply:?}");
    }
}

#[test]
fn no_link_leads_to_another_host() {
    let host = Host::new(policy(), |page, _| page.path("/{team}/tokens"));
    host.token("CI");
    for (path, status) in [
        ("/red/tokens", 200),
        ("/%5Cevil.example/tokens", 200),
        ("/\\evil.example/tokens", 404),
        ("//evil.example/tokens", 404),
    ] {
        let shown = get(path).send(&host);
        assert_eq!(shown.status, status, "{path}: {shown:?}");
        for start in ["=\"//", "=\"/\\", "=\"\\"] {
            assert!(!shown.has(start), "{path}: {shown:?}");
        }
    }
}

#[test]
fn a_page_that_cannot_be_mounted_says_why() {
    let registry = Host::plain().registry.clone();
    let group = |key: &str| ScopeGroup::any_of(key, "A group");
    let page = || SettingsPage::new(registry.clone());
    let overlap = |millis: u64| (Duration::from_millis(millis), "A while");
    let of_key = |key: &str| {
        (page().scope_groups([group("good_1"), group(key)]), InvalidSettingsPage::GroupKey { key: key.into() })
    };
    let long = "k".repeat(41);
    for (page, expected) in [
        of_key(""),
        of_key("a-among"),
        of_key("Groß"),
        of_key("a b"),
        of_key(&long),
        (page().path("//evil.example"), InvalidSettingsPage::Path { path: "//evil.example".into() }),
        (page().overlaps([overlap(0), overlap(500)]), InvalidSettingsPage::Overlap { overlap: overlap(500).0 }),
        (page().overlaps([overlap(0), overlap(0)]), InvalidSettingsPage::Overlap { overlap: overlap(0).0 }),
        (page().overlaps(Vec::<(Duration, &str)>::new()), InvalidSettingsPage::NoOverlap),
        (page().sign_in("sign-in"), InvalidSettingsPage::SignIn { url: "sign-in".into() }),
        (page().sign_in("//evil.example"), InvalidSettingsPage::SignIn { url: "//evil.example".into() }),
        (page().sign_in("javascript:alert(1)"), InvalidSettingsPage::SignIn { url: "javascript:alert(1)".into() }),
        (page().language("j a", |page| page), InvalidSettingsPage::Language { tag: "j a".into() }),
        (page().language("EN", |page| page), InvalidSettingsPage::Language { tag: "EN".into() }),
        (
            page().language("ja", |page| page).language("JA", |page| page),
            InvalidSettingsPage::Language { tag: "JA".into() },
        ),
        (page().language("ja", |page| page.overlaps(Vec::<(Duration, &str)>::new())), InvalidSettingsPage::NoOverlap),
        (page().without(Operation::List), InvalidSettingsPage::LeftOut { operation: Operation::List }),
        (page().without(Operation::Delete), InvalidSettingsPage::LeftOut { operation: Operation::Delete }),
        (SettingsPage::new(registry.clone()).path("tokens"), InvalidSettingsPage::Path { path: "tokens".into() }),
        (
            SettingsPage::new(registry.clone()).path("/{token_id}/x"),
            InvalidSettingsPage::Path { path: "/{token_id}/x".into() },
        ),
        (
            SettingsPage::new(registry.clone()).scope_groups([group("same"), group("same")]),
            InvalidSettingsPage::GroupTwice { key: "same".into() },
        ),
    ] {
        assert_eq!(page.router::<User, ()>().unwrap_err(), expected);
    }
    for origin in ["app.example.com", "https://app.example.com/x", "https://*.example.com", "null", ""] {
        let found = page().trusted_origin(origin).router::<User, ()>().unwrap_err();
        assert!(matches!(&found, InvalidSettingsPage::Origin { why } if why.contains(origin)), "{origin}: {found:?}");
    }
    for url in ["acme", "//evil.example", "/acme?x", "/{team}", "ftp://tools.example.com", ""] {
        let found = page().public_url(url).router::<User, ()>().unwrap_err();
        let is_expected = matches!(&found, InvalidSettingsPage::PublicUrl { why } if why.contains(url));
        assert!(is_expected || matches!(found, InvalidSettingsPage::Origin { .. }), "{url}: {found:?}");
    }
}
