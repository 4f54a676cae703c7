//! Who is let in, and what every page comes with.

use counterfoil::Lifetime;

use crate::{
    client::{Ask, PAGE, change, create, get, post},
    host::{Host, policy},
};

/// Every page that there is, for a token of ann's.
fn pages(id: &str) -> Vec<String> {
    let of_one = ["", "/rotate", "/expiry", "/block", "/revoke"].map(|end| format!("{PAGE}/{id}{end}"));
    [vec![PAGE.to_owned(), format!("{PAGE}/new")], of_one.to_vec()].concat()
}

/// One change of each kind, each of which would be made.
fn changes(host: &Host, id: &str) -> Vec<Ask> {
    vec![
        create(host, &[("name", "CI"), ("expiry", "30")]),
        change(host, id, "expiry", &[("expiry", "60")]),
        change(host, id, "rotate", &[("overlap", "0")]),
        change(host, id, "block", &[]),
        change(host, id, "revoke", &[]),
    ]
}

#[test]
fn every_page_is_kept_by_nobody_and_runs_nothing_foreign() {
    let host = Host::plain();
    let id = host.token("CI").to_string();
    let asks = pages(&id).into_iter().map(get).chain([
        create(&host, &[("name", "CI"), ("expiry", "30")]),
        create(&host, &[("name", ""), ("expiry", "30")]),
        change(&host, &id, "expiry", &[("expiry", "60")]),
        change(&host, &id, "rotate", &[("overlap", "0")]),
        get(format!("{PAGE}/nothing")),
        get(format!("{PAGE}?status=unheard-of")),
        get(PAGE).cookie("none=none"),
        get(PAGE).cookie("session=short"),
        post(format!("{PAGE}/new"), &[]).header("Sec-Fetch-Site", "cross-site"),
        get(PAGE).header("Authorization", "Bearer acme_broken"),
        get(PAGE).method("DELETE"),
        get(PAGE).method("HEAD"),
    ]);
    for ask in asks {
        let reply = ask.send(&host);
        for (name, expected) in [
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                 frame-ancestors 'none'; base-uri 'none'",
            ),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("referrer-policy", if reply.token().is_some() { "no-referrer" } else { "same-origin" }),
        ] {
            assert_eq!(reply.header(name), Some(expected), "{name}: {reply:?}");
        }
        for forbidden in [" style=", "<style", " onclick", "<script>", "http://", "https://"] {
            assert!(!reply.has(forbidden), "{forbidden}: {reply:?}");
        }
    }
}

#[test]
fn style_and_script_may_be_read_by_anyone_but_not_with_a_token() {
    let host = Host::new(policy(), |page, _| page.style("main { color: teal }"));
    for (name, kind, content) in [
        ("style.css", "text/css; charset=utf-8", "color: teal"),
        ("script.js", "text/javascript; charset=utf-8", "strict"),
    ] {
        let path = format!("{PAGE}/{name}");
        let reply = get(&path).cookie("none=none").send(&host);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)));
        assert!(reply.has(content) && reply.header("cache-control").unwrap().contains("immutable"), "{reply:?}");
        assert_eq!(get(&path).header("X-API-Key", "acme_broken").send(&host).status, 403);
        assert!(get(PAGE).send(&host).has(&format!("{path}?v=")));
    }
}

#[test]
fn nobody_comes_in_without_a_session() {
    let host = Host::plain();
    let id = host.token("CI").to_string();
    for path in pages(&id) {
        let reply = get(&path).cookie("none=none").send(&host);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Cookie")), "{path}");
        assert!(reply.has("sign in first") && reply.header("content-type") == Some("text/html; charset=utf-8"));
        // What the host answers by itself is passed on.
        let reply = get(&path).cookie("session=gone").send(&host);
        assert_eq!((reply.status, reply.header("location")), (303, Some("/sign-in/ann")), "{path}");
        // It may be a page of the host's, which loads what ours does not.
        for (name, value) in [("content-security-policy", None), ("cache-control", Some("no-store"))] {
            assert_eq!(reply.header(name), value, "{path}");
        }
    }
}

#[test]
fn a_token_of_another_owner_is_not_there() {
    let host = Host::plain();
    let id = host.token("CI").to_string();
    let nobody = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa";
    for path in pages(&id).into_iter().skip(2) {
        let foreign = get(&path).by("bob").send(&host);
        let absent = get(path.replace(&id, nobody)).by("bob").send(&host);
        assert_eq!((foreign.status, absent.status, &foreign.text), (404, 404, &absent.text), "{path}");
    }
    let before = host.versions();
    for ask in changes(&host, &id).into_iter().skip(1) {
        assert_eq!(ask.by("bob").send(&host).status, 404);
    }
    assert_eq!(host.versions(), before);
}

#[test]
fn the_session_has_the_last_word() {
    let host = Host::plain();
    let id = host.token("CI").to_string();
    for (mood, status, text) in [
        ("refused", 403, "the account is closed"),
        ("not_found", 404, "There is no such token"),
        ("unavailable", 503, "try again"),
    ] {
        for path in pages(&id) {
            let cookie = format!("session=ann.the-secret-of-a-session; mood={mood}");
            let reply = get(&path).cookie(&cookie).send(&host);
            assert_eq!(reply.status, status, "{path}: {reply:?}");
            assert!(reply.has(text), "{path}: {reply:?}");
            assert_eq!(reply.has("href=\"/closed\""), mood == "refused", "{path}: {reply:?}");
            assert_eq!(reply.header("retry-after").is_some(), mood == "unavailable", "{path}");
        }
    }
    // Whoever may only look is offered nothing more, and whoever may not look no link to do so.
    let (_, record) = host.issue("kim", "CI", Lifetime::Forever);
    let own = get(format!("{PAGE}/{}", record.id())).by("kim").send(&host);
    assert_eq!((own.status, own.has("/rotate"), own.has("/revoke")), (200, false, false), "{own:?}");
    assert_eq!(get(format!("{PAGE}/{}/revoke", record.id())).by("kim").send(&host).status, 403);
    drop(host.issue("lou", "CI", Lifetime::Forever));
    for (user, links) in [("ann", "new / /rotate /revoke"), ("kim", "/"), ("lou", "new /revoke")] {
        let list = get(PAGE).by(user).send(&host);
        let owned = host.records().into_iter().find(|record| record.owner().subject().as_str() == user).unwrap().id();
        let links_of = [("new", format!("{PAGE}/new")), ("/", format!("{PAGE}/{owned}"))]
            .into_iter()
            .chain(["/rotate", "/expiry", "/block", "/revoke"].map(|end| (end, format!("{PAGE}/{owned}{end}"))));
        let found = links_of.filter(|(_, href)| list.has(&format!("href=\"{href}\""))).map(|(end, _)| end);
        assert_eq!(found.collect::<Vec<_>>().join(" "), links, "{user}");
    }
}

#[test]
fn a_token_is_no_session() {
    let host = Host::new(policy(), |page, _| page.credential_header("x-own".parse().unwrap()));
    let (token, record) = host.issue("ann", "CI", Lifetime::Forever);
    let (text, id) = (token.expose(), record.id().to_string());
    let asks: Vec<Ask> = pages(&id).into_iter().map(get).chain(changes(&host, &id)).collect();
    for ask in &asks {
        for (name, value) in [
            ("Authorization", format!("Bearer {text}")),
            ("authorization", format!("bearer  {text}")),
            ("X-API-Key", text.to_owned()),
            ("X-API-Key", format!("{text}x")),
            ("X-Own", text.to_owned()),
        ] {
            let reply = ask.clone().header(name, &value).send(&host);
            assert_eq!((reply.status, reply.heading()), (403, "This did not work"), "{name}: {value}");
            assert!(!reply.has(text));
        }
    }
    assert_eq!(host.versions(), [(record.id(), 1)]);
    for (name, value) in [("Authorization", "Basic YW5uOnNlY3JldA=="), ("X-Other", text)] {
        assert_eq!(get(PAGE).header(name, value).send(&host).status, 200, "{name}");
    }
}

#[test]
fn a_change_that_another_site_has_sent_is_not_made() {
    let host = Host::plain();
    let id = host.token("CI").to_string();
    for (site, origin, is_let_in) in [
        (None, None, true),
        (None, Some("http://localhost"), true),
        (None, Some("https://evil.example"), false),
        (None, Some("null"), false),
        (Some("same-origin"), Some("null"), true),
        (Some("same-site"), None, false),
        (Some("cross-site"), Some("https://evil.example"), false),
        (Some("none"), None, true),
    ] {
        let before = host.versions();
        for ask in changes(&host, &id).into_iter().take(2) {
            let ask = site.into_iter().fold(ask, |ask, site| ask.header("Sec-Fetch-Site", site));
            let ask = origin.into_iter().fold(ask, |ask, origin| ask.header("Origin", origin));
            let reply = ask.send(&host);
            assert_eq!(reply.status == 403, !is_let_in, "{site:?} {origin:?}: {reply:?}");
            assert_eq!(reply.text.contains("came from another site"), !is_let_in, "{site:?} {origin:?}");
        }
        assert_eq!(host.versions() == before, !is_let_in, "{site:?} {origin:?}");
    }
}

#[test]
fn a_form_is_good_for_its_session_and_its_change_alone() {
    let host = Host::plain();
    let (id, other) = (host.token("CI").to_string(), host.token("other").to_string());
    let (block, revoke) =
        (change(&host, &id, "block", &[]), get(format!("{PAGE}/{id}/revoke")).send(&host).value("form"));
    let of_other = get(format!("{PAGE}/{other}/block")).send(&host).value("form");
    let of_create = get(format!("{PAGE}/new")).send(&host).value("form");
    let before = host.versions();
    let foreign = block.clone().without("form");
    for ask in [
        foreign.clone(),
        foreign.clone().with("form", ""),
        foreign.clone().with("form", "AAAA"),
        foreign.clone().with("form", &revoke),
        foreign.clone().with("form", &of_other),
        foreign.with("form", &of_create),
        // Ann, signed in elsewhere.
        block.clone().cookie("session=ann.the-secret-of-another-session"),
        create(&host, &[("name", "CI"), ("expiry", "30")]).cookie("session=ann.the-secret-of-another-session"),
        // Ann, who was asked about a token of her own.
        create(&host, &[("name", "CI"), ("expiry", "30")]).cookie("session=ann.the-secret-of-a-session; for=bob"),
    ] {
        let reply = ask.send(&host);
        assert_eq!(reply.status, 403, "{reply:?}");
        assert!(reply.has("Your session was renewed after this form was opened"), "{reply:?}");
        assert_eq!(reply.token(), None);
    }
    assert_eq!(host.versions(), before);
    assert_eq!(block.send(&host).status, 303);
    // A session with too short a secret has no forms, and no way around them.
    assert_eq!(get(format!("{PAGE}/new")).cookie("session=ann").send(&host).status, 500);
    assert_eq!(get(PAGE).cookie("session=ann").send(&host).status, 200);
}

#[test]
fn what_is_no_form_is_refused() {
    let host = Host::plain();
    let ask = create(&host, &[("name", "CI"), ("expiry", "30")]);
    for (ask, status) in [
        (ask.clone().header("Content-Type", "application/json"), 415),
        (ask.clone().header("Content-Type", "text/plain"), 415),
        (ask.clone().header("Content-Type", "multipart/form-data; boundary=x"), 415),
        (ask.clone().with("padding", &"x".repeat(70_000)), 413),
        (ask.clone().with("surprise", "1"), 400),
        (ask.clone().with("name", "again"), 400),
        (ask.clone().with("audience", "not offered"), 400),
        (ask.clone().with("scopes-catalog-among", "parts:read"), 400),
        (ask.clone().header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"), 201),
    ] {
        assert_eq!(ask.send(&host).status, status);
    }
    assert_eq!(host.records().len(), 1);
}

#[test]
fn a_form_for_a_new_token_is_good_at_its_own_path_alone() {
    let host = Host::new(policy(), |page, _| page.path("/teams/{team}/tokens"));
    let form = get("/teams/red/tokens/new").send(&host).value("form");
    let fields = [("form", form.as_str()), ("name", "CI"), ("expiry", "30")];
    for (path, status) in [("/teams/blue/tokens/new", 403), ("/teams/red/tokens/new", 201)] {
        assert_eq!(post(path, &fields).send(&host).status, status, "{path}");
    }
}
