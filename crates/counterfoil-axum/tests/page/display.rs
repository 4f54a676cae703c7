//! How the page looks where it is not a screen of the usual colours: printed, in forced colours, with long and odd names.

use counterfoil::{By, Lifetime, Status};
use counterfoil_axum::page::{Change, Column};
use serde_json::json;

use crate::{
    browser::{Browser, Setting},
    client::{PAGE, create, get},
    host::{Host, at, policy},
};

fn media(browser: &Browser<'_>, medium: &str, features: &[(&str, &str)]) {
    let features: Vec<_> = features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    browser.devtools("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
}

#[test]
fn printed_page_has_no_buttons_and_dark_text() {
    let host = crate::access::stocked();
    let id = host.records()[1].id();
    for scheme in ["light", "dark"] {
        let Some(browser) = Browser::start(&host, Setting { scheme, ..Setting::PLAIN }) else { return };
        for path in ["", "/new", &format!("/{id}"), &format!("/{id}/revoke")] {
            browser.go(&format!("{PAGE}{path}"));
            media(&browser, "print", &[("prefers-color-scheme", scheme)]);
            let seen = browser.run(
                "const seen = (selector) => [...document.querySelectorAll(selector)].filter((it) => it.checkVisibility()).length;
                 return [seen('.button, button, .actions a, .filters, .back, .top, .skip'), seen('h1'),
                     getComputedStyle(document.querySelector('h1')).color]",
            );
            assert_eq!(seen, json!([0, 1, "rgb(0, 0, 0)"]), "{scheme} {path}");
        }
        browser.go(PAGE);
        media(&browser, "print", &[]);
        // A table on paper too, however narrow the paper is.
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": false }),
        );
        assert_eq!(browser.run("return getComputedStyle(document.querySelector('tbody tr')).display"), "table-row");
        let width = browser.run("return document.documentElement.scrollWidth <= 700");
        assert_eq!(width, true, "nothing is cut off at the edge of the paper");
    }
}

#[test]
fn marks_of_statuses_differ_in_forced_colours() {
    let host = Host::plain();
    let [_, blocked, revoked] = ["active", "blocked", "revoked"].map(|name| host.token(name));
    host.runtime.block_on(host.registry.block(blocked, By::unknown())).map(drop).unwrap();
    host.runtime.block_on(host.registry.revoke(revoked, By::unknown())).unwrap();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    media(&browser, "screen", &[("forced-colors", "active")]);
    browser.go(PAGE);
    let mark = |status: &str| {
        browser.run(&format!(
            "const mark = getComputedStyle(document.querySelector('.status.{status}'), '::before');
             return [mark.backgroundColor == mark.borderTopColor, mark.borderTopStyle, mark.borderTopWidth]"
        ))
    };
    assert_eq!(mark("active"), json!([true, "solid", "2px"]));
    assert_eq!(mark("blocked"), json!([false, "solid", "2px"]));
    assert_eq!(mark("revoked"), json!([false, "dotted", "2px"]));
}

#[test]
fn long_name_and_many_scopes_make_no_tall_row() {
    let host = Host::plain();
    let (words, wide) = ("a long name ".repeat(16) + "the end", "W".repeat(200));
    for name in [&words, &wide, &"長".repeat(200)] {
        host.token(name);
    }
    let scopes: Vec<_> = (0..100).map(|at| format!("collections:{at}")).collect();
    let grant = counterfoil::Grant::new(counterfoil::Owner::new("ann").unwrap(), Lifetime::Forever);
    let grant = grant.scopes(scopes.join(" ").parse().unwrap());
    let many = host.runtime.block_on(host.registry.issue(grant)).unwrap().record;
    let list = get(PAGE).send(&host);
    assert!(list.has("and 94 more") && !list.has("collections:99"), "{list:?}");
    let own = get(format!("{PAGE}/{}", many.id())).send(&host);
    assert!(own.has("collections:99") && !own.has("more</li>"), "{own:?}");
    for width in [1200, 1030, 320] {
        let Some(browser) = Browser::start(&host, Setting { width, ..Setting::PLAIN }) else { return };
        browser.go(PAGE);
        let tallest = browser.run(
            "const height = (it) => it.getBoundingClientRect().height;
             const names = [...document.querySelectorAll('tbody .name')].map(height);
             const line = parseFloat(getComputedStyle(document.querySelector('tbody .name')).lineHeight);
             return Math.max(...names) / line",
        );
        assert!(tallest.as_f64().unwrap() <= 2.05, "{width}: a name takes {tallest} lines");
        let id = host
            .records()
            .iter()
            .find(|it| it.annotations().name.as_ref().is_some_and(|name| *name.as_str() == *words))
            .unwrap()
            .id();
        browser.go(&format!("{PAGE}/{id}"));
        browser.sees("the end");
    }
}

#[test]
fn name_is_read_in_the_order_in_which_it_is_written() {
    let host = Host::plain();
    host.token("invoice\u{202e}fdp.exe");
    host.token("\u{2067}a\u{2069}b");
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(PAGE);
    browser.sees("invoicefdp.exe");
    browser.sees("ab");
    // The first letter stands to the left of the last.
    let order = browser.run(
        "const names = [...document.querySelectorAll('tbody .name bdi')];
         const text = names.find((it) => it.textContent === 'invoicefdp.exe').firstChild;
         const left = (at) => { const range = document.createRange(); range.setStart(text, at); range.setEnd(text, at + 1); return range.getBoundingClientRect().left };
         return [left(0) < left(1), left(7) < left(8), left(12) < left(13)]",
    );
    assert_eq!(order, json!([true, true, true]));
}

#[test]
fn icon_of_a_change_is_drawn_and_has_a_name() {
    let host = Host::new(policy(), |page, store| {
        page.idempotency(store)
            .row_actions(Change::ALL)
            .row_action_icons()
            .words(|words| words.revoke = "Delete".into())
    });
    let id = host.token("CI");
    let list = get(PAGE).send(&host);
    assert_eq!(list.text.matches("<svg role=\"img\"").count(), 4, "{list:?}");
    let is_emoji = |character: char| matches!(u32::from(character), 0x2190..=0x2bff | 0xfe0f | 0x1f000..=0x1ffff);
    assert!(!list.text.contains(is_emoji), "{list:?}");
    for setting in [Setting::PLAIN, Setting { width: 320, ..Setting::PLAIN }] {
        let Some(browser) = Browser::start(&host, setting) else { return };
        browser.go(PAGE);
        let names: Vec<_> =
            browser.accessible().into_iter().filter(|node| node.role == "link").map(|node| node.name).collect();
        for name in ["Rotate CI", "Change expiration CI", "Block CI", "Delete CI"] {
            assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
        }
        let drawn = browser.run(
            "return [...document.querySelectorAll('.icon svg')].map((it) => it.getBoundingClientRect())
                 .every((it) => it.width >= 16 && it.height >= 16)
                 && [...document.querySelectorAll('.icon')].every((it) => it.getBoundingClientRect().height >= 24)",
        );
        assert_eq!(drawn, true);
        assert_eq!(browser.complaints(), [""; 0]);
    }
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(PAGE);
    browser.press("Delete", "CI");
    browser.press("Revoke token", "");
    assert_eq!(host.record(id).status(at(0)), Status::Revoked);
}

#[test]
fn browser_cuts_no_text_that_the_registry_takes() {
    let host = Host::new(policy(), |page, _| page.columns([Column::Name]));
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    for (name, is_taken) in [
        ("製".repeat(66), true),
        ("n".repeat(200), true),
        ("🔑".repeat(200), true),
        ("e\u{301}".repeat(100), true),
        ("n".repeat(201), false),
        ("製".repeat(201), false),
    ] {
        let before = host.records().len();
        browser.go(&format!("{PAGE}/new"));
        // As by pasting, which `maxlength` limits and a script does not.
        browser.run(&format!(
            "document.getElementById('name').focus(); return document.execCommand('insertText', false, {})",
            json!(name)
        ));
        assert_eq!(browser.value("Name"), name);
        browser.press("Create token", "");
        let records = host.records();
        assert_eq!(records.len(), before + usize::from(is_taken), "{name}");
        if is_taken {
            let found = records.iter().any(|record| record.annotations().name.as_ref().unwrap().as_str() == name);
            assert!(found, "{name}");
        } else {
            browser.sees("The name has 201 characters. Enter at most 200.");
            assert_eq!(browser.value("Name"), name, "what was entered is there to be shortened");
        }
    }
    let form = get(format!("{PAGE}/new")).send(&host);
    assert!(form.has(" maxlength=\"400\""), "{form:?}");
    assert_eq!(create(&host, &[("name", &"🔑".repeat(201)), ("expiry", "30")]).send(&host).status, 422);
}
