//! The pictures in the README, taken of the page as it is.
//!
//! `COUNTERFOIL_PICTURES=docs cargo test -p counterfoil-axum --features page --test page pictures` writes them there.

use std::path::PathBuf;

use counterfoil::{By, Caller, Lifetime};

use crate::{
    browser::{Browser, Setting},
    client::PAGE,
    host::{DAY, Host, policy},
};

/// An account as people have it.
fn account() -> Host {
    let host = Host::new(policy(), |page, store| page.idempotency(store).home("Acme", "/"));
    for (name, lifetime, used_from, wait) in [
        ("Release pipeline", Lifetime::days(365), Some("198.51.100.23"), 40 * DAY),
        ("Backup script", Lifetime::Forever, Some("2001:db8::7"), 20 * DAY),
        ("Old laptop", Lifetime::days(90), None, 30 * DAY),
        ("Contractor", Lifetime::days(16), Some("203.0.113.80"), 11 * DAY),
        ("Invoice export", Lifetime::days(90), None, DAY),
    ] {
        let (token, record) = host.issue("ann", name, lifetime);
        if let Some(address) = used_from {
            let caller = Caller { address: Some(address.parse().unwrap()), ..Caller::unknown() };
            host.wait_more(DAY / 3);
            host.runtime.block_on(host.registry.verify_for(token.expose(), &caller)).map(drop).unwrap();
        }
        if name == "Old laptop" {
            host.runtime.block_on(host.registry.revoke(record.id(), By::unknown())).unwrap();
        }
        host.wait_more(wait);
    }
    host.runtime.block_on(host.registry.flush_uses()).unwrap();
    host
}

#[test]
fn the_readmes_pictures_are_taken_of_the_page() {
    let host = account();
    let light = Setting { width: 1120, scale: 2, ..Setting::PLAIN };
    let folder = std::env::var_os("COUNTERFOIL_PICTURES").map(PathBuf::from);
    for (name, setting, path) in [
        ("list", light, ""),
        ("list-dark", Setting { scheme: "dark", ..light }, ""),
        ("shown-once", Setting { width: 800, ..light }, "/new"),
    ] {
        let Some(browser) = Browser::start(&host, setting) else { return };
        browser.go(&format!("{PAGE}{path}"));
        if path == "/new" {
            browser.fill("Name", "Nightly backup");
            browser.tick("parts:read");
            browser.press("Create token", "");
        }
        let picture = browser.picture();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{name}");
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("settings-page-{name}.png")), picture).unwrap();
        }
    }
}
