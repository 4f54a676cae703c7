//! The page in other languages: every text replaced, and one language for each person.

use std::collections::BTreeSet;

use counterfoil::{IssuePolicy, Lifetime, ScopeCatalog, UnknownScopes, policy::Lifetimes};
use counterfoil_axum::page::{Expiries, Field, ScopeChoice, ScopeGroup, SettingsPage, Words};

use crate::{
    client::{Ask, PAGE, Reply, change, create, get, post},
    host::{DAY, Host, policy},
};

/// Replaces every text by one without a Latin letter: its number in Greek letters, with all its placeholders.
fn greek(words: &mut Words) {
    for (at, (name, text)) in words.iter_mut().enumerate() {
        if matches!(name, "language" | "direction") {
            continue;
        }
        let number: String =
            at.to_string().bytes().map(|digit| char::from_u32(0x3b1 + u32::from(digit - b'0')).unwrap()).collect();
        let placeholders: String =
            text.split('{').skip(1).map(|rest| format!(" {{{}}}", rest.split('}').next().unwrap())).collect();
        *text = format!("⟦{number}{placeholders}⟧").into();
    }
}

/// What people read and hear of a page: its texts, and the attributes that are shown or read out.
fn told(page: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        told.push(text.to_owned());
        let end = tag.find('>').unwrap();
        for attribute in [
            "aria-label=\"",
            "title=\"",
            "alt=\"",
            "placeholder=\"",
            "data-label=\"",
            "data-copied=\"",
            "data-failed=\"",
        ] {
            told.extend(tag[..end].split(attribute).skip(1).map(|value| value.split('"').next().unwrap().to_owned()));
        }
        rest = &tag[end + 1..];
    }
    told
}

/// The words of Latin letters that a page holds, without what the test itself has put there.
fn latin(page: &Reply) -> BTreeSet<String> {
    let is_ours = |word: &str| {
        word.starts_with("acme_") || ["parts", "read", "write", "collections", "own", "CI", "x", "ffff"].contains(&word)
    };
    let texts = told(&page.text).join(" ").replace("&#60;", "<").replace("&#38;", "&");
    let texts: String = texts.split_whitespace().filter(|word| !word.contains("acme_")).collect::<Vec<_>>().join(" ");
    let words = texts.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words
        .filter(|word| word.bytes().any(|byte| byte.is_ascii_alphabetic()) && !is_ours(word))
        .map(str::to_owned)
        .collect()
}

/// A host all of whose words are Greek, and whose rules refuse a good deal.
fn host(lifetimes: Lifetimes, set_up: impl FnOnce(SettingsPage) -> SettingsPage) -> Host {
    let catalog = ScopeCatalog::builder().scope("parts:read", "⟦⟧").scope("parts:write", "⟦⟧").build().unwrap();
    let scopes = Some((catalog.into(), UnknownScopes::Reject));
    let policy = IssuePolicy { lifetimes, scopes, limit: Some(3), ..policy() };
    Host::new(policy, |page, store| {
        set_up(page.idempotency(store).words(greek).fields([
            Field::Description,
            Field::Expiry,
            Field::Scopes,
            Field::Networks,
            Field::Audience,
        ]))
    })
}

#[track_caller]
fn is_greek(what: &str, reply: &Reply) {
    assert_eq!(latin(reply), BTreeSet::new(), "{what}: {} {}", reply.status, reply.text);
    assert!(reply.text.contains('⟦') || reply.status == 303, "{what}: {}", reply.text);
}

#[test]
fn no_page_holds_a_word_that_the_application_has_not_said() {
    let host = host(Lifetimes::any(), |page| page.sign_in("/sign-in").row_action_icons());
    let id = host.token("CI");
    let (blocked, gone) = (host.token("x"), host.token_for("x", Lifetime::days(1)));
    for (id, what) in [(blocked, "block"), (gone, "revoke")] {
        assert_eq!(change(&host, id, what, &[]).send(&host).status, 303);
    }
    let paths = [
        String::new(),
        "?status=revoked".into(),
        "?status=suspended".into(),
        format!("?after={id}"),
        format!("?done=revoke&token={gone}"),
        "/new".into(),
        format!("/{id}"),
        format!("/{blocked}?done=block"),
        format!("/{gone}"),
        format!("/{id}/rotate"),
        format!("/{id}/expiry"),
        format!("/{id}/block"),
        format!("/{blocked}/unblock"),
        format!("/{id}/revoke"),
    ];
    for path in paths {
        let shown = get(format!("{PAGE}{path}")).send(&host);
        assert_eq!(shown.status, 200, "{path}");
        is_greek(&path, &shown);
    }
    is_greek("made", &create(&host, &[("name", "CI"), ("expiry", "30"), ("scopes-catalog", "parts:read")]).send(&host));
    host.wait(2 * DAY);
    let rotation = change(&host, id, "rotate", &[("overlap", "3600")]);
    is_greek("rotated", &rotation.send(&host));
    is_greek("rotated before", &rotation.send(&host));
    is_greek("with an overlap", &get(format!("{PAGE}/{id}")).send(&host));
}

/// Requests of every kind that comes to nothing.
fn failures(host: &Host) -> Vec<(String, Ask)> {
    let (id, gone, ended) = (host.token("CI"), host.token("x"), host.token_for("x", Lifetime::days(1)));
    assert_eq!(change(host, gone, "revoke", &[]).send(host).status, 303);
    host.wait(2 * DAY);
    let good = [("name", "CI"), ("expiry", "30")];
    let with = |name: &'static str, value: &str| create(host, &good).without(name).with(name, value);
    let long = "n".repeat(1001);
    let networks = (0..65).map(|at| format!("192.0.2.{at}")).collect::<Vec<_>>().join("\n");
    let of_form = [
        with("name", ""),
        with("name", &"7".repeat(201)),
        with("name", "7\u{7}"),
        with("description", &long),
        with("description", "7\u{7}"),
        with("audience", &long),
        with("audience", "7\u{7}"),
        with("expiry", "7"),
        with("expiry", "365"),
        with("expiry", "never"),
        with("expiry", "date").with("date", "2026-13-01"),
        with("expiry", "date").with("date", "2025-01-01"),
        with("expiry", "date").with("date", "9999-12-31"),
        with("networks", "999"),
        with("networks", "192.0.2.1/24"),
        with("networks", "::ffff:192.0.2.0/120"),
        with("networks", &networks),
        with("scopes-catalog", "7"),
    ];
    let of_request = [
        with("surprise", "7"),
        with("name", "7").with("name", "8"),
        create(host, &good).header("Content-Type", "application/json"),
        create(host, &good).with("padding", &"7".repeat(70_000)),
        create(host, &good).cookie("session=ann.the-secret-of-another-session"),
        create(host, &good).cookie("none=none"),
        create(host, &good).header("Origin", "https://evil.example"),
        create(host, &good).header("X-API-Key", "acme_broken"),
        get(format!("{PAGE}/new")).cookie("session=ann"),
        get(format!("{PAGE}/new")).by("twice"),
        get(format!("{PAGE}/nothing")),
        get(format!("{PAGE}/%ff")),
        get(format!("{PAGE}?status=7")),
        get(format!("{PAGE}?status=active&status=active")),
        get(format!("{PAGE}?after=7")),
        get(PAGE).method("DELETE"),
        get(PAGE).cookie("session=ann.the-secret-of-a-session; mood=unavailable"),
        get(format!("{PAGE}/{gone}/revoke")),
        get(format!("{PAGE}/{ended}/rotate")),
        change(host, id, "rotate", &[("overlap", "7")]),
        change(host, id, "expiry", &[("expiry", "7")]),
        change(host, id, "expiry", &[("expiry", "date"), ("date", "9999-12-31")]),
        change(host, id, "block", &[]).without("version").with("version", "x"),
        get(format!("{PAGE}/{id}/unblock")),
    ];
    let named = |name: &str, ask: (usize, Ask)| (format!("{name} {}", ask.0), ask.1);
    let of_form = of_form.into_iter().enumerate().map(|ask| named("form", ask));
    of_form.chain(of_request.into_iter().enumerate().map(|ask| named("request", ask))).collect()
}

#[test]
fn no_error_holds_a_word_that_the_application_has_not_said() {
    let longest = Lifetimes::at_most(std::time::Duration::from_secs(100 * 86_400));
    let host = host(longest, |page| page.sign_in("/sign-in"));
    // `sign in first` is the extractor's, and `no` and `look only` are the session's.
    for (what, ask) in failures(&host) {
        let reply = ask.send(&host);
        let is_own = reply.text.contains("sign in first");
        let reply = Reply { text: reply.text.replace("sign in first", "⟦⟧"), ..reply };
        assert!(reply.status >= 400 || is_own, "{what}: {} {}", reply.status, reply.text);
        is_greek(&what, &reply);
    }
    assert_eq!(host.records().len(), 3, "nothing was made");
}

#[test]
fn what_the_registry_refuses_is_said_in_words() {
    // More than a token may have, of a session that grants itself more, and as many tokens as allowed.
    let choices = (0..130).map(|at| ScopeChoice::new(format!("own:{at}").parse().unwrap(), "⟦⟧"));
    let group = choices.fold(ScopeGroup::any_of("own", "⟦⟧"), ScopeGroup::choice);
    let ending = Lifetimes::ending().by_default(Lifetime::days(5)).unwrap();
    let host = host(ending, move |page| page.scope_groups([group.clone()]).expiries(Expiries::none()));
    let scopes: Vec<String> = (0..130).map(|at| format!("own:{at}")).collect();
    let form = get(format!("{PAGE}/new")).send(&host).value("form");
    let fields: Vec<_> = [("form", form.as_str()), ("name", "CI")]
        .into_iter()
        .chain(scopes.iter().map(|scope| ("scopes-own", scope.as_str())))
        .collect();
    let many = post(format!("{PAGE}/new"), &fields).send(&host);
    assert!(many.status == 422 && many.has(" 128⟧"), "{many:?}");
    is_greek("too many scopes", &many);
    let unknown = post(format!("{PAGE}/new"), &fields[..4]).send(&host);
    assert!(unknown.status == 422 && unknown.has("own:0 own:1"), "{unknown:?}");
    is_greek("unknown scopes", &unknown);

    let form = get(format!("{PAGE}/new")).by("gus").send(&host).value("form");
    let forever = post(format!("{PAGE}/new"), &[("form", &form), ("name", "CI")]).by("gus").send(&host);
    assert_eq!(forever.status, 422);
    is_greek("a lifetime that the session has set", &forever);

    for _ in 0..3 {
        host.token("CI");
    }
    let limit = create(&host, &[("name", "CI")]).send(&host);
    assert_eq!(limit.status, 429, "{limit:?}");
    is_greek("as many as allowed", &limit);
}

fn japanese_and_arabic(page: SettingsPage) -> SettingsPage {
    page.language("ja", |page| {
        page.words(|words| {
            words.title = "アクセストークン".into();
            words.missing_name = "名前を入力してください。".into();
            words.error_cross_site = "別のサイトからのリクエストです。".into();
        })
        .expiries(Expiries::none().days(7, "一週間"))
    })
    .language("pt-BR", |page| page.title("Tokens de acesso"))
    .language("ar", |page| page.title("رموز الوصول").words(|words| words.direction = "rtl".into()))
}

#[test]
fn each_person_reads_the_page_in_their_own_language() {
    let host = Host::new(policy(), |page, _| japanese_and_arabic(page));
    let of_session = |language: &str| format!("session=ann.the-secret-of-a-session; language={language}");
    for (cookie, accepted, language, heading) in [
        (None, None, "en", "Personal access tokens"),
        (None, Some("ja"), "ja", "アクセストークン"),
        (None, Some("ja-JP,en;q=0.5"), "ja", "アクセストークン"),
        (None, Some("en;q=0.5, JA;q=0.9"), "ja", "アクセストークン"),
        (None, Some("fr, *;q=0.1, ar;q=0.5"), "ar", "رموز الوصول"),
        (None, Some("fr, *"), "en", "Personal access tokens"),
        (None, Some("ja;q=0, pt-br"), "pt-BR", "Tokens de acesso"),
        (None, Some("pt"), "en", "Personal access tokens"),
        (None, Some("ja;q=x"), "en", "Personal access tokens"),
        (None, Some(";;q=,,"), "en", "Personal access tokens"),
        (Some("ja"), Some("ar"), "ja", "アクセストークン"),
        (Some("ar-EG"), None, "ar", "رموز الوصول"),
        (Some("en"), Some("ja"), "en", "Personal access tokens"),
        (Some("fr"), Some("ja"), "ja", "アクセストークン"),
    ] {
        let ask = cookie.into_iter().fold(get(PAGE), |ask, language| ask.cookie(&of_session(language)));
        let ask = accepted.into_iter().fold(ask, |ask, accepted| ask.header("Accept-Language", accepted));
        let shown = ask.send(&host);
        assert_eq!(shown.heading(), heading, "{cookie:?} {accepted:?}");
        let direction = if language == "ar" { "rtl" } else { "ltr" };
        assert!(shown.has(&format!("<html lang=\"{language}\" dir=\"{direction}\">")), "{shown:?}");
    }

    let ja = of_session("ja");
    let shown = get(format!("{PAGE}/new")).cookie(&ja).send(&host);
    assert!(shown.has("一週間") && !shown.has("30 days"), "{shown:?}");
    let sent = create(&host, &[("name", ""), ("expiry", "7")]).cookie(&ja);
    let wrong = sent.send(&host);
    assert_eq!(wrong.of_id("name-error"), Some("名前を入力してください。"));
    // What is offered to one person in one language alone is not taken of another.
    assert_eq!(create(&host, &[("name", "CI"), ("expiry", "7")]).send(&host).status, 422);
    assert_eq!(create(&host, &[("name", "CI"), ("expiry", "7")]).cookie(&ja).send(&host).status, 201);
    // Before there is a session, the request says which language.
    let foreign = sent.header("Sec-Fetch-Site", "cross-site").header("Accept-Language", "ja").send(&host);
    assert!(foreign.has("別のサイトからのリクエストです。"), "{foreign:?}");
}
