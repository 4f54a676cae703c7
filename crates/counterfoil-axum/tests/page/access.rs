//! What everyone needs of a page: names for what can be worked, contrast, and room on a small screen.

use counterfoil::{By, Caller, Lifetime};

use crate::{
    browser::{Browser, Setting},
    client::PAGE,
    host::{DAY, Host, policy},
};

/// Tokens of every look, one with as long a name as there can be, and one in another direction.
pub(crate) fn stocked() -> Host {
    let host = Host::new(policy(), |page, store| page.idempotency(store).home("Acme", "/"));
    let run = |act: &mut dyn FnMut()| act();
    run(&mut || drop(host.issue("ann", "Old laptop", Lifetime::days(1))));
    host.wait(2 * DAY);
    for (name, lifetime) in [
        ("CI pipeline", Lifetime::days(90)),
        ("Backup script", Lifetime::Forever),
        ("Phone", Lifetime::days(5)),
        ("Contractor", Lifetime::days(30)),
        ("مفتاح النسخ الاحتياطي", Lifetime::days(60)),
        (&"W".repeat(200), Lifetime::days(60)),
    ] {
        let (token, record) = host.issue("ann", name, lifetime);
        let caller =
            Caller { address: Some("2001:db8:85a3:8d3:1319:8a2e:370:7348".parse().unwrap()), ..Caller::unknown() };
        match name {
            "CI pipeline" | "Phone" => {
                host.runtime.block_on(host.registry.verify_for(token.expose(), &caller)).map(drop).unwrap();
            }
            "Contractor" => drop(host.runtime.block_on(host.registry.block(record.id(), By::unknown())).unwrap()),
            "Backup script" => {}
            _ => continue,
        }
        host.wait(2 * DAY + 60_000);
    }
    let gone = host.token("Lost key");
    host.runtime.block_on(host.registry.revoke(gone, By::unknown())).unwrap();
    host.runtime.block_on(host.registry.flush_uses()).unwrap();
    host
}

/// Goes to every page there is, errors among them, and looks at each.
fn every_page(browser: &Browser<'_>, host: &Host, look: impl Fn(&str)) {
    let records = host.records();
    let named = |name: &str| {
        let is_it = |record: &&counterfoil::Record| record.annotations().name.as_ref().unwrap().as_str() == name;
        records.iter().find(is_it).unwrap().id()
    };
    let (id, blocked, gone) = (named("CI pipeline"), named("Contractor"), named("Lost key"));
    for path in [
        String::new(),
        "?status=suspended".into(),
        "?done=block".into(),
        "/new".into(),
        format!("/{id}"),
        format!("/{id}/rotate"),
        format!("/{id}/expiry"),
        format!("/{id}/block"),
        format!("/{blocked}/unblock"),
        format!("/{id}/revoke"),
        format!("/{gone}/revoke"),
        "/nothing".into(),
    ] {
        browser.go(&format!("{PAGE}{path}"));
        look(&path);
    }
    browser.go(&format!("{PAGE}/new"));
    browser
        .run("document.querySelectorAll('select option, input[type=date]').forEach((it) => { it.disabled = false })");
    browser.choose("Expiration", "No expiration");
    look("a warning");
    browser.fill("Allowed networks", "everywhere");
    browser.press("Create token", "");
    browser.sees("There is a problem");
    let edges = browser.run(
        "const edge = (id) => getComputedStyle(document.getElementById(id)).borderTopColor;
         return [edge('name') == edge('networks'), edge('name') == edge('expiry')]",
    );
    assert_eq!(edges, serde_json::json!([true, false]), "what is wrong looks so");
    look("problems");
    browser.fill("Name", "Made");
    browser.fill("Allowed networks", "");
    browser.press("Create token", "");
    browser.sees("shown only this once");
    look("the token");
}

#[test]
fn all_that_can_be_worked_has_a_name_and_the_list_is_a_table() {
    let host = stocked();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    let narrow = Setting { width: 320, ..Setting::PLAIN };
    let look = |browser: &Browser<'_>, page: &str| {
        let nodes = browser.accessible();
        let of_role = |role: &str| nodes.iter().filter(|node| node.role == role).collect::<Vec<_>>();
        for role in ["link", "button", "textbox", "combobox", "checkbox", "radio", "columnheader", "table", "group"] {
            for node in of_role(role) {
                assert!(!node.name.trim().is_empty(), "{page}: {node:?}");
            }
        }
        let headings = browser.run("return document.querySelectorAll('h1').length");
        assert_eq!((headings.as_i64(), of_role("main").len()), (Some(1), 1), "{page}");
        if page.is_empty() {
            // A table stays one on a small screen, where it is drawn as cards.
            assert_eq!((of_role("table").len(), of_role("columnheader").len()), (1, 7), "{page}");
            assert_eq!(of_role("row").len(), 1 + host.records().len(), "{page}");
            // Each row is known by the token's name.
            let names: Vec<&str> = of_role("rowheader").iter().map(|cell| cell.name.as_str()).collect();
            assert!(names.len() == host.records().len() && names.contains(&"CI pipeline"), "{page}: {names:?}");
            assert!(of_role("link").iter().any(|link| link.name == "Revoke CI pipeline"), "{page}");
        }
        let twice = browser.run(
            "const ids = [...document.querySelectorAll('[id]')].map((it) => it.id);
             return ids.filter((id, at) => ids.indexOf(id) < at)",
        );
        assert_eq!(twice, serde_json::json!([]), "{page}: ids that stand twice");
    };
    every_page(&browser, &host, |page| look(&browser, page));
    drop(browser);
    let Some(browser) = Browser::start(&host, narrow) else { return };
    look(&browser, "");
}

/// WCAG 2.2, 1.4.3 and 1.4.11: the texts that stand out less than 4.5 to 1 from what is behind them, and the edges of fields
/// that do less than 3 to 1.
const FAINT: &str = r#"
    const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) =>
        0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length == 3 || color[3] == 1) return color;
            if (color[3] != 0) throw Error("half transparent: not reckoned with");
        }
        return [255, 255, 255];
    };
    const contrast = (one, other) => {
        const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    };
    const faint = [];
    let texts = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !element.checkVisibility()) continue;
        texts += 1;
        const found = contrast(parse(getComputedStyle(element).color), behind(element));
        if (found < 4.5) faint.push(`${walk.currentNode.data.trim()}: ${found.toFixed(2)}`);
    }
    for (const field of document.querySelectorAll('input[type=text], input[type=date], select, textarea')) {
        if (!field.checkVisibility()) continue;
        const style = getComputedStyle(field);
        const text = contrast(parse(style.color), behind(field));
        if (text < 4.5) faint.push(`text of #${field.id}: ${text.toFixed(2)}`);
        const edge = contrast(parse(style.borderTopColor), behind(field.parentElement));
        if (edge < 3) faint.push(`edge of #${field.id}: ${edge.toFixed(2)}`);
    }
    return [texts, faint];
"#;

#[test]
fn every_text_stands_out_in_light_and_in_dark() {
    let host = stocked();
    for scheme in ["light", "dark"] {
        let Some(browser) = Browser::start(&host, Setting { scheme, ..Setting::PLAIN }) else { return };
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground, if scheme == "light" { "rgb(255, 255, 255)" } else { "rgb(13, 17, 23)" });
        every_page(&browser, &host, |page| {
            let found = browser.run(FAINT);
            assert!(found[0].as_i64() > Some(3), "{page}: {found}");
            assert_eq!(found[1], serde_json::json!([]), "{scheme}, {page}");
        });
    }
}

#[test]
fn nothing_is_cut_off_on_any_screen() {
    let host = stocked();
    for width in [320, 768, 930, 1030, 1200] {
        let Some(browser) = Browser::start(&host, Setting { width, ..Setting::PLAIN }) else { return };
        every_page(&browser, &host, |page| {
            // WCAG 2.2, 1.4.10: nothing is scrolled to the side; and what is worked is large enough to be hit (2.5.8).
            let found = browser.run(&format!("const width = {width};
                 const wide = [...document.querySelectorAll('main *')].filter((it) =>
                     it.checkVisibility() && !it.closest('.hidden, thead') && it.getBoundingClientRect().right > width + 0.5);
                 const small = [...document.querySelectorAll('a.button, button, select, input[type=text], .actions a')].filter((it) =>
                     it.checkVisibility() && it.getBoundingClientRect().height < 24);
                 return [document.documentElement.scrollWidth, wide.concat(small).map((it) => it.outerHTML.slice(0, 80))]"),
            );
            assert_eq!(found, serde_json::json!([width, []]), "{page}");
        });
    }
}

#[test]
fn no_column_becomes_a_thread() {
    let host = stocked();
    for width in [1030, 1200] {
        let Some(browser) = Browser::start(&host, Setting { width, ..Setting::PLAIN }) else { return };
        browser.go(PAGE);
        let widths = browser.run(
            "return [...document.querySelectorAll('tbody tr:first-child > *')].map((it) => it.getBoundingClientRect().width)",
        );
        let widths: Vec<f64> = widths.as_array().unwrap().iter().map(|width| width.as_f64().unwrap()).collect();
        assert!(widths.len() == 7 && widths.iter().all(|width| *width >= 80.0), "{width}: {widths:?}");
    }
}

#[test]
fn what_is_not_chosen_looks_so_where_the_reader_sets_the_colours() {
    let host = stocked();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    let forced = serde_json::json!([{ "name": "forced-colors", "value": "active" }]);
    browser.devtools("Emulation.setEmulatedMedia", serde_json::json!({ "features": forced }));
    browser.go(&format!("{PAGE}?status=blocked"));
    assert_eq!(browser.run("return matchMedia('(forced-colors: active)').matches"), true);
    let lined = browser.run(
        "return [...document.querySelectorAll('.filters a')]
             .filter((it) => getComputedStyle(it).borderBlockEndWidth != '0px').map((it) => it.textContent)",
    );
    assert_eq!(lined, serde_json::json!(["Blocked"]));
}
