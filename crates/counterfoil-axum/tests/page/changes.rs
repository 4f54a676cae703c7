//! Changes of a token, each behind a page that asks once more.

use counterfoil::{By, Expiry, IssuePolicy, Lifetime, Status, policy::Lifetimes};
use counterfoil_axum::management::Operation;
use std::time::Duration;

use crate::{
    client::{PAGE, change, get, post},
    host::{DAY, Host, at, policy},
};

#[test]
fn looking_changes_nothing_and_confirming_does() {
    let host = Host::plain();
    for (operation, fields, status) in [
        ("block", &[][..], Status::Blocked),
        ("unblock", &[], Status::Active),
        ("expiry", &[("expiry", "never")], Status::Active),
        ("revoke", &[], Status::Revoked),
    ] {
        let id = host.token("CI");
        if operation == "unblock" {
            host.runtime.block_on(host.registry.block(id, By::unknown())).unwrap();
        }
        let before = host.record(id);
        let ask = change(&host, id, operation, fields);
        let shown = get(format!("{PAGE}/{id}/{operation}")).send(&host);
        assert!(shown.status == 200 && shown.has("CI") && shown.has(before.public()), "{operation}: {shown:?}");
        assert_eq!(host.record(id).version(), before.version(), "{operation}");
        let reply = ask.send(&host);
        let place = match operation {
            "revoke" => format!("{PAGE}?done=revoke&token={id}"),
            _ => format!("{PAGE}/{id}?done={operation}"),
        };
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*place)));
        let after = host.record(id);
        assert_eq!(after.status(at(0)), status, "{operation}");
        if operation == "expiry" {
            assert_eq!(after.expiry(), Expiry::Never);
        }
        let told = get(reply.header("location").unwrap()).send(&host);
        assert!(told.has("role=\"status\""), "{operation}: {told:?}");
    }
    let revoked = host.records().into_iter().find_map(|record| record.revoked().cloned());
    assert_eq!(revoked.unwrap().by.as_ref().unwrap().as_str(), "session:ann");
}

#[test]
fn a_rotation_shows_the_new_secret_once() {
    let host = Host::plain();
    for (overlap, old) in [("0", "superseded"), ("3600", "ok"), ("86400", "ok")] {
        let (token, record) = host.issue("ann", "CI", Lifetime::days(90));
        host.verdict(token.expose());
        host.runtime.block_on(host.registry.flush_uses()).unwrap();
        let ask = change(&host, record.id(), "rotate", &[("overlap", overlap)]);
        let reply = ask.send(&host);
        assert!(reply.status == 200 && !reply.has("Never used"), "{overlap}: {reply:?}");
        let text = reply.token().unwrap();
        assert_eq!((host.verdict(text), host.verdict(token.expose())), ("ok", old), "{overlap}");
        // Sent again it neither rotates once more nor shows anything.
        let again = ask.send(&host);
        assert_eq!((again.status, again.token()), (200, None), "{again:?}");
        assert_eq!((host.verdict(text), host.record(record.id()).version()), ("ok", 2));
    }
}

#[test]
fn an_overlap_is_one_of_those_offered() {
    let overlaps = [(Duration::from_secs(600), "Ten minutes")];
    let host = Host::new(policy(), |page, _| page.overlaps(overlaps));
    let id = host.token("CI");
    for (overlap, status) in [("0", 422), ("3600", 422), ("600x", 422), ("", 422), ("600", 200)] {
        let reply = change(&host, id, "rotate", &[("overlap", overlap)]).send(&host);
        assert_eq!(reply.status, status, "{overlap}: {reply:?}");
        assert_eq!(reply.of_id("overlap-error").is_some(), status == 422, "{overlap}");
    }
    assert!(get(format!("{PAGE}/{id}/rotate")).send(&host).has("Ten minutes"));
}

#[test]
fn a_new_end_is_one_of_those_offered() {
    let host = Host::plain();
    let id = host.token("CI");
    for (expiry, date, expected) in [
        ("", "", None),
        ("31", "", None),
        ("date", "2025-06-01", None),
        ("date", "2026-06-01", Some(Expiry::At(at(152 * DAY - 1000)))),
        ("30", "", Some(Expiry::At(at(30 * DAY)))),
        ("never", "", Some(Expiry::Never)),
    ] {
        let before = host.record(id);
        let reply = change(&host, id, "expiry", &[("expiry", expiry), ("date", date)]).send(&host);
        assert_eq!(reply.status, if expected.is_some() { 303 } else { 422 }, "{expiry} {date}: {reply:?}");
        assert_eq!(host.record(id).expiry(), expected.unwrap_or(before.expiry()), "{expiry} {date}");
    }
}

#[test]
fn an_expired_token_lives_again_with_a_later_end() {
    let host = Host::plain();
    let (token, record) = host.issue("ann", "CI", Lifetime::days(1));
    host.wait(2 * DAY);
    assert_eq!(host.verdict(token.expose()), "expired");
    let page = get(format!("{PAGE}/{}", record.id())).send(&host);
    assert_eq!((page.has("/expiry\""), page.has("/rotate\"")), (true, false), "{page:?}");
    assert_eq!(get(format!("{PAGE}/{}/rotate", record.id())).send(&host).status, 409);
    assert_eq!(change(&host, record.id(), "expiry", &[("expiry", "30")]).send(&host).status, 303);
    assert_eq!(host.verdict(token.expose()), "ok");
}

#[test]
fn a_revoked_token_offers_nothing() {
    let host = Host::plain();
    let id = host.token("CI");
    let form = change(&host, id, "revoke", &[]);
    assert_eq!([form.send(&host).status, form.send(&host).status], [303, 303], "revoking again changes nothing");
    for page in [PAGE.to_owned(), format!("{PAGE}/{id}")] {
        let shown = get(&page).send(&host);
        assert!(shown.has("CI") && !shown.has(&format!("{id}/")), "{page}: {shown:?}");
    }
    for operation in ["rotate", "expiry", "block", "unblock", "revoke"] {
        let reply = get(format!("{PAGE}/{id}/{operation}")).send(&host);
        assert_eq!((reply.status, reply.has("<form")), (409, false), "{operation}: {reply:?}");
        assert!(reply.has("The token is revoked."), "{operation}: {reply:?}");
    }
}

#[test]
fn a_race_that_is_lost_is_told_where_it_matters() {
    for (operation, fields, is_told) in [
        ("rotate", &[("overlap", "0")][..], true),
        ("expiry", &[("expiry", "never")], true),
        ("unblock", &[], true),
        ("block", &[], false),
        ("revoke", &[], false),
    ] {
        let host = Host::plain();
        let id = host.token("CI");
        if operation == "unblock" {
            host.runtime.block_on(host.registry.block(id, By::unknown())).unwrap();
        }
        let ask = change(&host, id, operation, fields);
        // Meanwhile somebody else sets another end.
        host.runtime.block_on(host.registry.set_expiry(id, Lifetime::days(10), By::unknown())).unwrap();
        let before = host.record(id);
        let reply = ask.send(&host);
        if is_told {
            assert_eq!(reply.status, 409, "{operation}: {reply:?}");
            assert!(reply.has("was changed meanwhile") && reply.has("2026-01-11"), "{operation}: {reply:?}");
            assert_eq!(host.record(id).version(), before.version(), "{operation}");
            // The page shows how it is now, and goes on from there.
            let seen = [("form", &*reply.value("form")), ("version", &*reply.value("version"))];
            let ask = post(format!("{PAGE}/{id}/{operation}"), &[&seen[..], fields].concat());
            assert!([200, 303].contains(&ask.send(&host).status), "{operation}");
        } else {
            assert_eq!(reply.status, 303, "{operation}: {reply:?}");
        }
        assert_ne!(host.record(id).version(), before.version(), "{operation}");
    }
}

#[test]
fn a_field_that_is_refused_hides_no_lost_race() {
    let year = Duration::from_secs(365 * 86_400);
    for (operation, wrong, right, field) in [
        ("rotate", &[("overlap", "7")][..], &[("overlap", "0")][..], Some("overlap")),
        ("expiry", &[("expiry", "31")], &[("expiry", "30")], Some("expiry")),
        ("expiry", &[("expiry", "date"), ("date", "2025-01-01")], &[("expiry", "30")], Some("date")),
        // This the registry would refuse, which looks at the version first.
        ("expiry", &[("expiry", "date"), ("date", "2028-01-01")], &[("expiry", "30")], None),
    ] {
        let host = Host::new(IssuePolicy { lifetimes: Lifetimes::at_most(year), ..policy() }, |page, _| page);
        let id = host.token("CI");
        let ask = change(&host, id, operation, wrong);
        host.runtime.block_on(host.registry.set_expiry(id, Lifetime::days(10), By::unknown())).unwrap();
        let reply = ask.send(&host);
        assert_eq!(reply.status, 409, "{wrong:?}: {reply:?}");
        assert!(reply.has("was changed meanwhile") && reply.has("2026-01-11"), "{wrong:?}: {reply:?}");
        if let Some(field) = field {
            assert!(reply.has(&format!("href=\"#{field}\"")), "{wrong:?}: {reply:?}");
        }
        assert_eq!(host.record(id).version(), 2, "{wrong:?}");
        let seen = [("form", &*reply.value("form")), ("version", &*reply.value("version"))];
        let again = |fields: &[_]| post(format!("{PAGE}/{id}/{operation}"), &[&seen[..], fields].concat());
        assert_eq!(again(wrong).send(&host).status, 422, "{wrong:?}: told once");
        assert!([200, 303].contains(&again(right).send(&host).status), "{right:?}");
    }
}

#[test]
fn what_is_told_of_a_change_is_what_holds() {
    let host = Host::plain();
    let [good, blocked, gone] = ["good", "held", "gone"].map(|name| host.token(name));
    host.runtime.block_on(host.registry.block(blocked, By::unknown())).unwrap();
    host.runtime.block_on(host.registry.revoke(gone, By::unknown())).unwrap();
    let foreign = host.issue("bob", "bob's", Lifetime::Forever).1.id();
    host.runtime.block_on(host.registry.revoke(foreign, By::unknown())).unwrap();
    let told = |path: String| {
        let shown = get(format!("{PAGE}{path}")).send(&host);
        assert_eq!(shown.status, 200, "{path}: {shown:?}");
        let text = shown.text.split_once("role=\"status\">").map(|(_, rest)| rest.split("</p>").next().unwrap());
        text.map(|text| text.replace("<bdi>", "").replace("</bdi>", ""))
    };
    for (done, of_good, of_blocked, of_gone) in [
        ("revoke", None, None, Some("The token gone is revoked.")),
        ("block", None, Some("The token held is blocked."), None),
        ("unblock", Some("The token good is not blocked."), None, None),
        (
            "expiry",
            Some("The expiration of good is now: 2026-04-01 00:00 UTC."),
            Some("The expiration of held is now: 2026-04-01 00:00 UTC."),
            None,
        ),
        ("rotate", None, None, None),
        ("unheard", None, None, None),
    ] {
        for (id, expected) in [(good, of_good), (blocked, of_blocked), (gone, of_gone), (foreign, None)] {
            assert_eq!(told(format!("?done={done}&token={id}")).as_deref(), expected, "{done}");
            if id != foreign {
                assert_eq!(told(format!("/{id}?done={done}")).as_deref(), expected, "{done}");
            }
        }
        for nothing in ["", "&token=", "&token=x", "&token=0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa"] {
            assert_eq!(told(format!("?done={done}{nothing}")), None, "{done}{nothing}");
        }
    }
    assert_eq!(get(format!("{PAGE}?token={good}&token={gone}")).send(&host).status, 400);
}

#[test]
fn a_race_lost_to_a_revocation_ends_there() {
    let host = Host::plain();
    let id = host.token("CI");
    let asks = [("rotate", ("overlap", "0")), ("expiry", ("expiry", "30"))];
    let asks = asks.map(|(operation, field)| change(&host, id, operation, &[field]));
    host.runtime.block_on(host.registry.revoke(id, By::unknown())).unwrap();
    for ask in asks {
        let reply = ask.send(&host);
        assert!(reply.status == 409 && reply.has("The token is revoked."), "{reply:?}");
    }
}

#[test]
fn a_version_that_is_none_is_refused() {
    let host = Host::plain();
    let id = host.token("CI");
    let ask = change(&host, id, "expiry", &[("expiry", "never")]).without("version");
    for version in [None, Some(""), Some("-1"), Some("one")] {
        let ask = version.into_iter().fold(ask.clone(), |ask, version| ask.with("version", version));
        assert_eq!(ask.send(&host).status, 400, "{version:?}");
    }
    assert_eq!(host.record(id).version(), 1);
}

#[test]
fn the_limit_is_told_where_a_change_meets_it() {
    let host = Host::new(IssuePolicy { limit: Some(1), ..policy() }, |page, _| page);
    let id = host.token("CI");
    host.runtime.block_on(host.registry.block(id, By::unknown())).unwrap();
    host.token("another");
    let reply = change(&host, id, "unblock", &[]).send(&host);
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.has("You have as many tokens as are allowed."), "{reply:?}");
}

#[test]
fn what_is_left_out_is_not_there() {
    let host = Host::new(policy(), |page, _| {
        [Operation::Get, Operation::Rotate, Operation::Block, Operation::Create]
            .into_iter()
            .fold(page, |page, operation| page.without(operation))
    });
    let id = host.token("CI");
    let list = get(PAGE).send(&host);
    assert!(list.has("<bdi>CI</bdi>") && !list.has(&format!("{id}\"")) && !list.has("/rotate") && !list.has("/new"));
    assert!(list.has(&format!("{id}/revoke")), "{list:?}");
    for (path, status) in [("rotate", 404), ("block", 404), ("unblock", 200), ("expiry", 200), ("revoke", 200)] {
        let expected = if path == "unblock" { 409 } else { status };
        assert_eq!(get(format!("{PAGE}/{id}/{path}")).send(&host).status, expected, "{path}");
    }
    assert_eq!(get(format!("{PAGE}/{id}")).send(&host).status, 404);
    assert_eq!(get(format!("{PAGE}/new")).send(&host).status, 404);
    let reply = change(&host, id, "expiry", &[("expiry", "never")]).send(&host);
    assert_eq!(reply.header("location"), Some(&*format!("{PAGE}?done=expiry&token={id}")));
}
