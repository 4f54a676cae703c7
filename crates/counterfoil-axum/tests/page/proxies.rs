//! The page behind proxies that change its host and remove a path prefix.

use counterfoil::Status;
use counterfoil_axum::page::SettingsPage;

use crate::{
    browser::{Browser, Setting},
    client::{Ask, PAGE, change, create, get, post},
    host::{Host, at, policy},
    nginx::Nginx,
};

/// Links and forms of every page lead below this prefix, and each lets a person do what it says.
fn lives_in_a_browser(host: &Host, browser: &Browser<'_>, prefix: &str) {
    browser.go(&format!("{prefix}/sign-in/ann"));
    browser.go(&format!("{prefix}{PAGE}"));
    browser.sees("No tokens yet.");
    assert_ne!(browser.run("return getComputedStyle(document.querySelector('main')).maxWidth"), "none", "styled");
    browser.press("New token", "");
    browser.fill("Name", "CI");
    browser.press("Create token", "");
    browser.sees("shown only this once");
    browser.press("I have copied it", "");
    browser.press("CI", "");
    browser.press("Block", "");
    browser.press("Block token", "");
    browser.sees("The token CI is blocked.");
    browser.press("Change expiration", "");
    browser.choose("Expiration", "60 days");
    browser.press("Change expiration", "");
    browser.sees("The expiration of CI is now");
    browser.press("Revoke", "");
    browser.press("Revoke token", "");
    browser.sees("The token CI is revoked.");
    assert_eq!(host.records()[0].status(at(0)), Status::Revoked);
    browser.press("Revoked", "");
    assert_eq!(browser.run("return location.pathname"), format!("{prefix}{PAGE}"));
    // Without TLS the browser has no use for this header, and says so.
    let complaints = browser.complaints();
    let is_other = |text: &&String| !text.contains("Cross-Origin-Opener-Policy header has been ignored");
    assert_eq!(complaints.iter().find(is_other), None);
}

#[test]
fn page_works_behind_nginx_with_the_settings_of_the_guide() {
    type SetUp = fn(SettingsPage) -> SettingsPage;
    // Over plain HTTP browsers send no `Sec-Fetch-Site`, so that origin and host alone decide.
    let cases: [(&str, &str, &str, SetUp); 4] = [
        // The host is that of `proxy_pass`, unless it is said otherwise.
        ("http://tools.example", "/acme", "", |page| page.public_url("http://tools.example/acme")),
        ("http://tools.example:8080", "/acme", "proxy_set_header Host $host;", |page| {
            page.public_url("/acme").trusted_origin("http://tools.example:8080")
        }),
        ("http://tools.example:8080", "", "proxy_set_header Host $http_host;", |page| page),
        (
            "http://tools.example",
            "/acme/tools",
            "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Prefix /acme/tools;",
            SettingsPage::trust_forwarded_prefix,
        ),
    ];
    for (origin, prefix, lines, set_up) in cases {
        let host = Host::new(policy(), |page, store| set_up(page.idempotency(store)));
        let server = format!("location {prefix}/ {{ proxy_pass http://{}/; {lines} }}", host.address);
        let Some(nginx) = Nginx::start("", &server) else { return };
        let Some(browser) = Browser::behind(&host, Setting::PLAIN, origin, Some(nginx.address())) else { return };
        lives_in_a_browser(&host, &browser, prefix);
    }
}

#[test]
fn form_behind_a_changed_host_is_refused_until_its_origin_is_trusted() {
    for (trusted, is_taken) in
        [(None, false), (Some("http://other.example"), false), (Some("http://tools.example"), true)]
    {
        let host = Host::new(policy(), |page, _| trusted.into_iter().fold(page, SettingsPage::trusted_origin));
        let Some(nginx) = Nginx::start("", &format!("location / {{ proxy_pass http://{}; }}", host.address)) else {
            return;
        };
        let proxy = Some(nginx.address());
        let Some(browser) = Browser::behind(&host, Setting::PLAIN, "http://tools.example", proxy) else { return };
        browser.go(&format!("{PAGE}/new"));
        browser.fill("Name", "CI");
        browser.press("Create token", "");
        browser.sees(if is_taken { "shown only this once" } else { "came from another site" });
        assert_eq!(host.records().len(), usize::from(is_taken), "{trusted:?}");
    }
}

#[test]
fn trusted_origin_is_compared_as_browsers_write_it() {
    for (said, origin, is_trusted) in [
        ("https://app.example.com", "https://app.example.com", true),
        ("HTTPS://App.Example.COM:443/", "https://app.example.com", true),
        ("http://app.example.com:80", "http://app.example.com", true),
        ("http://[2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080", true),
        ("https://app.example.com", "http://app.example.com", false),
        ("https://app.example.com", "https://app.example.com:8443", false),
        ("https://app.example.com", "https://app.example.com.evil.example", false),
        ("https://app.example.com", "null", false),
    ] {
        // A second origin does not replace the first.
        let host = Host::new(policy(), |page, _| page.trusted_origin(said).trusted_origin("https://second.example"));
        for (origin, is_trusted) in [(origin, is_trusted), ("https://second.example", true)] {
            for site in [None, Some("cross-site")] {
                let ask = create(&host, &[("name", "CI"), ("expiry", "30")]).header("Origin", origin);
                let ask = site.into_iter().fold(ask, |ask, site| ask.header("Sec-Fetch-Site", site));
                let reply = ask.send(&host);
                assert_eq!(reply.status, if is_trusted { 201 } else { 403 }, "{said} {origin} {site:?}: {reply:?}");
            }
        }
    }
}

#[test]
fn every_link_has_the_prefix_that_a_proxy_removes() {
    type SetUp = fn(SettingsPage) -> SettingsPage;
    let cases: [(SetUp, Option<&str>, &str); 8] = [
        (|page| page.public_url("/acme"), None, "/acme"),
        (|page| page.public_url("https://tools.example.com/acme/"), None, "/acme"),
        (|page| page.public_url("/acme"), Some("/other"), "/acme"),
        (|page| page.public_url("/acme").trust_forwarded_prefix(), Some("/other"), "/other"),
        (|page| page.public_url("/acme").trust_forwarded_prefix(), None, "/acme"),
        (SettingsPage::trust_forwarded_prefix, Some("/a, /b"), "/a/b"),
        (SettingsPage::trust_forwarded_prefix, Some("//evil.example"), ""),
        (SettingsPage::trust_forwarded_prefix, Some("https://evil.example"), ""),
    ];
    for (set_up, header, prefix) in cases {
        for (path, list) in [(PAGE, PAGE), ("/", "/")] {
            let host = Host::new(policy(), |page, _| {
                set_up(page.path(path)).home("Home", "/home").sign_in("/sign-in?to={path}").page_size(1)
            });
            let base = path.trim_end_matches('/');
            let forwarded =
                |ask: Ask| header.into_iter().fold(ask, |ask, value| ask.header("X-Forwarded-Prefix", value));
            let (id, _) = (host.token("CI"), host.token("second"));
            let paths = [list.to_owned(), format!("{base}/new"), format!("{base}/{id}"), format!("{base}/{id}/revoke")];
            let shown: Vec<_> = paths.iter().map(|path| forwarded(get(path)).send(&host)).collect();
            let signed_out = forwarded(get(format!("{list}?status=active")).cookie("none=none")).send(&host);
            for page in shown.iter().chain([&signed_out]) {
                for attribute in ["href=\"", "action=\"", "src=\""] {
                    for link in page.text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                        let is_within = link.starts_with(&format!("{prefix}/")) && !link.starts_with("//");
                        assert!(is_within || link.starts_with('#'), "{header:?} {prefix}: {link}");
                    }
                }
            }
            assert!(shown[0].has(&format!("href=\"{prefix}{base}/new\"")), "{:?}", shown[0]);
            assert!(shown[0].has(&format!("href=\"{prefix}{list}?after=")), "{:?}", shown[0]);
            assert!(shown[0].has(&format!("href=\"{prefix}{base}/style.css?v=")), "{:?}", shown[0]);
            assert!(shown[0].has(&format!("href=\"{prefix}/home\"")), "{:?}", shown[0]);
            assert!(shown[1].has(&format!("action=\"{prefix}{base}/new\"")), "{:?}", shown[1]);
            let encoded = |text: &str| text.replace('/', "%2F");
            let back = format!("{}{}%3Fstatus%3Dactive", encoded(prefix), encoded(list));
            assert!(signed_out.has(&format!("href=\"{prefix}/sign-in?to={back}\"")), "{signed_out:?}");
            let fields = [("form", &*shown[3].value("form")), ("version", &*shown[3].value("version"))];
            let revoked = forwarded(post(format!("{base}/{id}/revoke"), &fields)).send(&host);
            assert_eq!(revoked.header("location"), Some(&*format!("{prefix}{list}?done=revoke&token={id}")));
        }
    }
}

#[test]
fn link_of_a_refusal_gets_the_prefix_and_a_whole_url_does_not() {
    let host = Host::new(policy(), |page, _| page.public_url("/acme").home("Home", "https://www.example.com/"));
    let refused = get(PAGE).cookie("session=ann.the-secret-of-a-session; mood=refused").send(&host);
    assert!(refused.has("href=\"/acme/closed\"") && refused.has("href=\"https://www.example.com/\""), "{refused:?}");
    let id = host.token("CI");
    let made = change(&host, id, "block", &[]).send(&host);
    assert_eq!(made.header("location"), Some(&*format!("/acme{PAGE}/{id}?done=block")));
}
