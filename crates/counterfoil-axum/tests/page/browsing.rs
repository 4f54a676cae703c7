//! The page in a browser: what a person does there, by pointer and by keyboard, with script and without.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode},
    middleware::{Next, from_fn},
    routing::get as get_route,
};
use counterfoil::{Expiry, Status};
use tokio::sync::Semaphore;

use crate::{
    browser::{Browser, Setting},
    client::{PAGE, get},
    host::{DAY, Host, at, policy},
};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SPACE: &str = "\u{e00d}";

/// What the route that asks for `parts:read` says to a token.
fn parts(host: &Host, token: &str) -> u16 {
    get("/parts").header("Authorization", &format!("Bearer {token}")).send(host).status
}

fn host() -> Host {
    Host::new(policy(), |page, store| page.idempotency(store))
}

#[test]
fn a_token_lives_its_life_with_script_and_without() {
    for has_script in [true, false] {
        let host = host();
        let Some(browser) = Browser::start(&host, Setting { has_script, ..Setting::PLAIN }) else { return };
        browser.sees("No tokens yet.");
        browser.press("New token", "");
        browser.fill("Name", "CI pipeline");
        browser.choose("Expiration", "60 days");
        browser.tick("parts:read");
        browser.press("Create token", "");

        let token = browser.value("Token");
        browser.sees("shown only this once");
        assert_eq!(parts(&host, &token), 200);
        assert_eq!(browser.text().contains("Copy\n"), has_script, "a button that does nothing is not shown");
        let id = host.records()[0].id();
        browser.press("I have copied it", "");
        browser.sees("CI pipeline");
        browser.sees("2026-03-02 00:00 UTC");
        assert!(!browser.run("return document.documentElement.outerHTML").as_str().unwrap().contains(&token));

        browser.press("CI pipeline", "");
        for (action, confirm, done, status) in [
            ("Block", "Block token", "The token CI pipeline is blocked.", Status::Blocked),
            ("Unblock", "Unblock token", "The token CI pipeline is not blocked.", Status::Active),
        ] {
            browser.press(action, "");
            assert_eq!(host.record(id).status(at(0)), if action == "Block" { Status::Active } else { Status::Blocked });
            browser.press(confirm, "");
            browser.sees(done);
            assert_eq!(host.record(id).status(at(0)), status);
            assert_eq!(parts(&host, &token), if status == Status::Active { 200 } else { 401 });
        }

        browser.press("Change expiration", "");
        browser.choose("Expiration", "Custom date");
        // A date field takes its digits as the browser's own language orders them.
        browser.run("document.getElementById('date').value = '2026-06-01'");
        browser.press("Change expiration", "");
        browser.sees("The expiration of CI pipeline is now: 2026-06-01 23:59 UTC.");
        assert_eq!(host.record(id).expiry(), Expiry::At(at(152 * DAY - 1000)));

        browser.press("Rotate", "");
        browser.tick("For 1 hour");
        browser.press("Rotate token", "");
        let renewed = browser.value("Token");
        assert_ne!(renewed, token);
        assert_eq!([parts(&host, &renewed), parts(&host, &token)], [200, 200]);

        browser.press("I have copied it", "");
        browser.press("Revoke", "CI pipeline");
        browser.sees("This cannot be undone.");
        browser.press("Cancel", "");
        assert_eq!(parts(&host, &renewed), 200);
        browser.go(PAGE);
        browser.press("Revoke", "CI pipeline");
        browser.press("Revoke token", "");
        browser.sees("The token CI pipeline is revoked.");
        assert_eq!([parts(&host, &renewed), parts(&host, &token)], [401, 401]);
        assert_eq!(browser.complaints(), [""; 0]);
    }
}

#[test]
fn the_token_is_copied_by_one_press_and_gone_when_its_page_is_left() {
    let host = host();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(&format!("{PAGE}/new"));
    browser.fill("Name", "CI");
    browser.press("Create token", "");
    let token = browser.value("Token");
    browser.press("Copy", "");
    browser.until("document.getElementById('copy-result').textContent");
    browser.sees("Copied");
    // What was copied is what is pasted: into a field of the next form.
    browser.go(&format!("{PAGE}/new"));
    browser.tick("Name");
    browser.keys("\u{e009}v\u{e000}");
    assert_eq!(browser.value("Name"), token);

    browser.back();
    assert!(!browser.text().contains(&token));
    assert!(!browser.run("return document.documentElement.outerHTML").as_str().unwrap().contains(&token));
}

/// Holds the reply to the first form back until the page says that it was pressed again.
fn held(page: Router) -> Router {
    let (made, pressed) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (told, go_on) = (Arc::clone(&made), Arc::clone(&pressed));
    let hold = from_fn(move |request: Request, next: Next| {
        let (told, go_on) = (Arc::clone(&told), Arc::clone(&go_on));
        async move {
            let is_form = request.method() == Method::POST;
            let response = next.run(request).await;
            if is_form {
                told.add_permits(1);
                drop(go_on.acquire().await);
            }
            response
        }
    });
    page.layer(hold)
        .route("/made", get_route(async move || made.acquire().await.map(drop).map_err(|_| StatusCode::GONE)))
        .route("/pressed", get_route(async move || pressed.add_permits(9)))
}

#[test]
fn who_presses_twice_is_shown_the_token_all_the_same() {
    let host = Host::mounted(policy(), |page, store| page.idempotency(store), held);
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(&format!("{PAGE}/new"));
    browser.fill("Name", "CI");
    // Once the first form has made its token, and before its reply comes, the button is pressed again.
    browser.run(
        "const button = document.querySelector('button[type=submit]');
         const made = new Image();
         made.onerror = () => { button.click(); new Image().src = '/pressed' };
         button.click();
         made.src = '/made'",
    );
    browser.until("document.querySelector('h1').textContent != 'New token'");
    assert_eq!((parts(&host, &browser.value("Token")), host.records().len()), (403, 1), "{}", browser.text());
    // Whoever comes back to the form can send it again.
    browser.go(&format!("{PAGE}/new"));
    browser.fill("Name", "Second");
    browser.run("document.forms[0].addEventListener('submit', (event) => event.preventDefault(), { once: true })");
    browser.run("document.querySelector('button[type=submit]').click()");
    browser.run("dispatchEvent(new Event('pageshow'))");
    browser.press("Create token", "");
    browser.sees("shown only this once");
}

#[test]
fn a_page_that_is_left_keeps_no_token_and_copying_is_told_each_time() {
    let host = host();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(&format!("{PAGE}/new"));
    browser.fill("Name", "CI");
    browser.press("Create token", "");
    let token = browser.value("Token");
    browser.run(
        "window.told = [];
         const result = document.getElementById('copy-result');
         new MutationObserver(() => told.push(result.textContent)).observe(result, { childList: true })",
    );
    browser.press("Copy", "");
    browser.until("told.includes('Copied')");
    browser.press("Copy", "");
    browser.until("told.filter((it) => it == 'Copied').length == 2");
    assert_eq!(browser.run("return told.join(',')"), "Copied,,Copied", "emptied in between");
    // As a browser does that keeps the page to come back to.
    browser.run("dispatchEvent(new Event('pagehide'))");
    let left = browser.run("return [document.documentElement.outerHTML, document.getElementById('token').value]");
    assert!(!left.to_string().contains(&token), "{left}");
    assert_eq!(browser.run("return document.getElementById('copy').hidden"), true);
}

#[test]
fn a_page_that_is_loaded_anew_makes_nothing_twice() {
    let host = host();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(&format!("{PAGE}/new"));
    browser.fill("Name", "CI");
    browser.press("Create token", "");
    let token = browser.value("Token");
    browser.devtools("Page.reload", serde_json::json!({}));
    browser.until("document.querySelector('h1').textContent == 'This form was sent before'");
    browser.sees("cannot be shown again");
    assert_eq!((host.records().len(), browser.text().contains(&token)), (1, false));
}

/// Goes forward by the tab key until this has the focus: its role and name, as a screen reader says them.
fn tab_to(browser: &Browser<'_>, wanted: &str) {
    let mut met = Vec::new();
    for _ in 0..40 {
        browser.keys(TAB);
        let focused = browser.focused();
        // Whoever goes by keyboard must see where they are.
        let outline = browser.run(
            "const style = getComputedStyle(document.activeElement);
             return document.activeElement == document.body ? 'body' : style.outlineStyle + ' ' + style.outlineWidth",
        );
        assert!(["body", "solid 3px"].contains(&outline.as_str().unwrap()), "{focused}: {outline}");
        if focused == wanted {
            return;
        }
        met.push(focused);
    }
    panic!("`{wanted}` is not reached: {met:#?}");
}

#[test]
fn everything_can_be_done_by_keyboard_alone() {
    let host = host();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.keys(TAB);
    assert_eq!(browser.focused(), "link Skip to content");
    browser.keys(ENTER);
    tab_to(&browser, "link New token");
    browser.enter();

    // Sent too early: what is wrong is read out, and leads to its field.
    tab_to(&browser, "button Create token");
    browser.enter();
    assert_eq!(browser.focused(), "group There is a problem");
    let told = browser.accessible().into_iter().find(|node| node.is_focused && node.role == "group").unwrap();
    assert_eq!(told.description, "Enter a name.");
    assert_eq!(browser.run("return document.querySelectorAll('[role=alert]').length"), 0, "it would be read twice");
    assert_eq!(browser.run("return document.title"), "Problem: New token · Personal access tokens");
    tab_to(&browser, "link Enter a name.");
    browser.keys(ENTER);
    assert_eq!(browser.focused(), "textbox Name");
    let name = browser.accessible().into_iter().find(|node| node.is_focused && node.role == "textbox").unwrap();
    assert!(name.is_invalid && name.description.contains("Enter a name"), "{name:?}");
    browser.keys("Laptop");
    tab_to(&browser, "combobox Expiration");
    browser.keys("90");
    tab_to(&browser, "checkbox parts:read");
    browser.keys(SPACE);
    tab_to(&browser, "button Create token");
    browser.enter();

    // The token itself has the focus, and the button to copy it is the next stop.
    assert_eq!(browser.focused(), "textbox Token");
    let token = browser.value("Token");
    browser.keys(TAB);
    assert_eq!(browser.focused(), "button Copy");
    browser.keys(ENTER);
    browser.until("document.getElementById('copy-result').textContent");
    assert_eq!(parts(&host, &token), 200);
    assert_eq!(host.records()[0].expiry(), Expiry::At(at(90 * DAY)));

    tab_to(&browser, "link I have copied it");
    browser.enter();
    tab_to(&browser, "link Rotate Laptop");
    browser.enter();
    tab_to(&browser, "radio Not at all: it stops at once");
    browser.keys("\u{e015}"); // one down: for 1 hour
    tab_to(&browser, "button Rotate token");
    browser.enter();
    let renewed = browser.value("Token");
    assert_eq!([parts(&host, &renewed), parts(&host, &token)], [200, 200]);

    tab_to(&browser, "link I have copied it");
    browser.enter();
    tab_to(&browser, "link Revoke Laptop");
    browser.enter();
    tab_to(&browser, "button Revoke token");
    browser.enter();
    assert_eq!(parts(&host, &renewed), 401);
    let told = browser.accessible().into_iter().any(|node| node.role == "status");
    assert!(told, "what was done is read out");
}

#[test]
fn what_is_put_into_the_page_does_not_run() {
    let host = host();
    let Some(browser) = Browser::start(&host, Setting::PLAIN) else { return };
    browser.go(&format!("{PAGE}/new"));
    assert_eq!(browser.complaints(), [""; 0]);
    // As a flaw in escaping would: a script, a handler, a style, and a form that leads away.
    let put = browser.run(
        "const script = document.createElement('script');
         script.textContent = 'window.ran = true';
         document.body.append(script);
         document.body.insertAdjacentHTML('beforeend', '<p id=styled style=\"color: rgb(1, 2, 3)\"></p><img src=x onerror=\"ran = 1\">');
         return [window.ran === true, getComputedStyle(document.getElementById('styled')).color]",
    );
    assert_eq!(put[0], false);
    assert_ne!(put[1], "rgb(1, 2, 3)");
    assert!(browser.complaints().iter().any(|text| text.contains("Content Security Policy")));
}
