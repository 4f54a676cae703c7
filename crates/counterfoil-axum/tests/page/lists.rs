//! The list: which, from where on, and what it tells of each.

use counterfoil::{By, Caller, Lifetime, Status, record::Statuses};
use counterfoil_axum::page::Column;

use crate::{
    client::{PAGE, get},
    host::{DAY, Host, policy},
};

/// Tokens of ann's named by their status, and one of bob's.
fn stocked(set_up: impl FnOnce(counterfoil_axum::page::SettingsPage) -> counterfoil_axum::page::SettingsPage) -> Host {
    let host = Host::new(policy(), |page, _| set_up(page));
    drop(host.issue("ann", "over", Lifetime::days(1)));
    for (name, seconds) in [("good", 1), ("paused", 2), ("gone", 3)] {
        host.wait(2 * DAY + 1000 * seconds); // ids are in the order of time
        let id = host.token(name);
        match name {
            "paused" => drop(host.runtime.block_on(host.registry.block(id, By::unknown())).unwrap()),
            "gone" => host.runtime.block_on(host.registry.revoke(id, By::unknown())).unwrap(),
            _ => {}
        }
    }
    drop(host.issue("bob", "bob's", Lifetime::Forever));
    host
}

#[test]
fn a_list_shows_ones_own_of_the_status_that_is_asked_for() {
    let all = stocked(|page| page);
    let some = stocked(|page| page.listing(Statuses::except(Status::Revoked)));
    for (query, of_all, of_some) in [
        ("", "over good paused gone", "over good paused"),
        ("?status=all", "over good paused gone", "over good paused gone"),
        ("?status=active", "good", "good"),
        ("?status=blocked", "paused", "paused"),
        ("?status=suspended", "", ""),
        ("?status=expired", "over", "over"),
        ("?status=revoked", "gone", "gone"),
        ("?unheard=of", "over good paused gone", "over good paused"),
    ] {
        for (host, expected) in [(&all, of_all), (&some, of_some)] {
            let shown = get(format!("{PAGE}{query}")).send(host);
            assert_eq!((shown.status, shown.names().join(" ").as_str()), (200, expected), "{query}");
            assert_eq!(shown.has("<table"), !expected.is_empty(), "{query}");
        }
    }
    let fixed = stocked(|page| page.without_filters().listing(Statuses::except(Status::Revoked)));
    for query in ["", "?status=revoked", "?status=all", "?status=none"] {
        assert_eq!(get(format!("{PAGE}{query}")).send(&fixed).names().join(" "), "over good paused", "{query}");
    }
    for query in ["?status=", "?status=Active", "?status=active&status=revoked", "?after=", "?after=1"] {
        assert_eq!(get(format!("{PAGE}{query}")).send(&all).status, 400, "{query}");
    }
    assert_eq!(get(PAGE).by("bob").send(&all).names(), ["bob&#39;s"]);
}

#[test]
fn filters_are_links_and_tell_which_one_holds() {
    for (host, links) in [
        (stocked(|page| page), "All Active Blocked Suspended Expired Revoked"),
        (
            stocked(|page| page.listing(Statuses::except(Status::Revoked))),
            "Current Active Blocked Suspended Expired Revoked All",
        ),
        (stocked(|page| page.without_filters()), ""),
    ] {
        let first = links.split(' ').next().unwrap();
        for (query, current) in [("", first), ("?status=blocked", "Blocked")] {
            let shown = get(format!("{PAGE}{query}")).send(&host);
            let nav =
                shown.text.split_once("class=\"filters\"").map_or("", |(_, rest)| rest.split("</nav>").next().unwrap());
            let found: Vec<&str> = nav.split("</a>").filter_map(|link| Some(link.rsplit_once('>')?.1)).collect();
            assert_eq!(found[..found.len().saturating_sub(1)].join(" "), links, "{query}");
            if !links.is_empty() {
                assert_eq!(nav.matches(&format!("aria-current=\"page\">{current}<")).count(), 1, "{query}: {nav}");
            }
        }
    }
}

#[test]
fn a_walk_through_the_pages_meets_each_token_once() {
    let host = Host::new(policy(), |page, _| page.page_size(2));
    let names: Vec<String> = (0..5).map(|number| format!("token-{number}")).collect();
    for (name, seconds) in names.iter().zip(1..) {
        host.wait(1000 * seconds); // ids are in the order of time
        host.token(name);
    }
    let (mut met, mut path, mut pages) = (Vec::new(), format!("{PAGE}?status=active"), 0);
    loop {
        let shown = get(&path).send(&host);
        met.extend(shown.names().into_iter().map(str::to_owned));
        pages += 1;
        assert_eq!(shown.has("First page"), pages > 1);
        let Some((_, rest)) = shown.text.split_once("rel=\"next\" href=\"") else { break };
        path = rest.split('"').next().unwrap().replace("&#38;", "&");
        assert!(path.contains("status=active"), "{path}");
    }
    assert_eq!((met, pages), (names, 3));
}

#[test]
fn an_empty_list_says_why_it_is_empty() {
    let host = stocked(|page| page);
    let last = host.records().iter().map(counterfoil::Record::id).max().unwrap();
    for (user, query, expected) in [
        ("new", String::new(), "No tokens yet."),
        ("new", "?status=active".into(), "No tokens of this status."),
        ("ann", "?status=suspended".into(), "No tokens of this status."),
        ("ann", format!("?after={last}"), "No further tokens."),
        ("ann", format!("?after={last}&status=active"), "No further tokens."),
    ] {
        let shown = get(format!("{PAGE}{query}")).by(user).send(&host);
        assert!(shown.has(&format!("<p class=\"empty\">{expected}</p>")), "{query}: {shown:?}");
    }
}

#[test]
fn last_use_is_told_with_its_address_unless_the_host_hides_it() {
    for (host, is_shown) in [(Host::plain(), true), (Host::new(policy(), |page, _| page.without_addresses()), false)] {
        let (token, record) = host.issue("ann", "CI", Lifetime::days(90));
        assert!(get(PAGE).send(&host).has("Never used"));
        host.wait(3 * 3_600_000);
        let caller = Caller { address: Some("192.0.2.7".parse().unwrap()), ..Caller::unknown() };
        host.runtime.block_on(host.registry.verify_for(token.expose(), &caller)).unwrap();
        host.runtime.block_on(host.registry.flush_uses()).unwrap();
        for path in [PAGE.to_owned(), format!("{PAGE}/{}", record.id())] {
            let shown = get(&path).send(&host);
            assert!(
                shown.has("<time datetime=\"2026-01-01T03:00:00Z\"><bdi>2026-01-01 03:00 UTC</bdi></time>"),
                "{shown:?}"
            );
            assert_eq!(shown.has("from 192.0.2.7"), is_shown, "{shown:?}");
        }
    }
}

#[test]
fn what_wants_attention_is_said_in_words() {
    let host = Host::plain();
    for (name, days, never, soon) in
        [("a", Some(8), false, false), ("b", Some(7), false, true), ("c", None, true, false)]
    {
        let lifetime = days.map_or(Lifetime::Forever, Lifetime::days);
        let (_, record) = host.issue("ann", name, lifetime);
        let shown = get(format!("{PAGE}/{}", record.id())).send(&host);
        assert_eq!((shown.has("Never expires"), shown.has("Expires soon")), (never, soon), "{name}");
        // Nobody has had time to use it yet.
        assert!(shown.has("<span class=\"muted\">Never used"));
    }
    host.wait(DAY - 1);
    assert!(!get(PAGE).send(&host).has("<span class=\"warning\">Never used"));
    host.wait(DAY);
    let shown = get(PAGE).send(&host);
    assert_eq!(shown.text.matches("<span class=\"warning\">Never used").count(), 3, "{shown:?}");
}

#[test]
fn columns_are_the_hosts() {
    let own = Column::own("AI/LLM Proxy Access", |token| {
        format!("<b>{}</b>", if token.record.scopes().is_empty() { "disabled" } else { "enabled" })
    });
    let host = Host::new(policy(), |page, _| page.columns([Column::Created, Column::Name, own]).row_actions([]));
    host.token("CI");
    let shown = get(PAGE).send(&host);
    let headings: Vec<&str> = shown
        .text
        .split("scope=\"col\" role=\"columnheader\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap())
        .collect();
    assert_eq!(headings, ["Created", "Name", "AI/LLM Proxy Access"]);
    assert!(shown.has("&#60;b&#62;enabled&#60;/b&#62;") && !shown.has("<b>"), "{shown:?}");
}

#[test]
fn the_words_are_the_hosts() {
    let host = Host::new(policy(), |page, _| {
        page.words(|words| {
            words.language = "de".into();
            words.title = "Persönliche Zugangstoken".into();
            words.status_active = "AKTIV".into();
            words.moment = "{date} um {time} UTC".into();
            words.overlap_none = "Sofort".into();
            words.expiry_days = "{days} Tage".into();
        })
        .home("Zurück", "/konto")
    });
    let id = host.token("CI");
    for (path, expected) in [
        (
            "",
            &[
                "<html lang=\"de\"",
                "<h1>Persönliche Zugangstoken</h1>",
                "AKTIV",
                "2026-04-01 um 00:00 UTC",
                "href=\"/konto\"",
            ][..],
        ),
        ("/new", &["30 Tage", "90 Tage"]),
        (&format!("/{id}/rotate"), &["Sofort"]),
    ] {
        let shown = get(format!("{PAGE}{path}")).send(&host);
        for text in expected {
            assert!(shown.has(text), "{text}: {shown:?}");
        }
    }
}
