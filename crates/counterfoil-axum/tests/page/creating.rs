//! The form for a new token.

use std::time::Duration;

use axum::{
    middleware::map_response,
    response::{AppendHeaders, Response},
};
use counterfoil::{Expiry, IssuePolicy, Lifetime, policy::Lifetimes};
use counterfoil_axum::{
    management::ApiError,
    page::{Expiries, Field, ScopeChoice, ScopeGroup},
};

use crate::{
    client::{PAGE, Reply, create, get},
    host::{DAY, Host, at, policy},
};

#[test]
fn networks_are_offered_only_where_clients_addresses_are_known() {
    let host = Host::built(policy(), |builder| builder, |page, _| page, |router| router);
    assert!(!get(format!("{PAGE}/new")).send(&host).has("name=\"networks\""));
    let fields = [("name", "CI"), ("expiry", "60"), ("scopes-catalog", "parts:read")];
    let made = create(&host, &fields).send(&host);
    assert_eq!(made.status, 201, "{made:?}");
    let forged = create(&host, &[&fields[..], &[("networks", "192.0.2.0/24")]].concat()).send(&host);
    assert_eq!((forged.status, host.records().len()), (400, 1), "{forged:?}");

    host.registry.set_client_addresses_known();
    assert!(get(format!("{PAGE}/new")).send(&host).has("name=\"networks\""));
}

#[test]
fn a_token_is_made_as_the_form_says_and_shown_once() {
    let host = Host::new(policy(), |page, store| page.idempotency(store));
    let ask = create(
        &host,
        &[
            ("name", "  CI pipeline "),
            ("expiry", "60"),
            ("date", ""),
            ("scopes-catalog", "parts:read"),
            ("scopes-catalog", "collections:*"),
            ("networks", "192.0.2.0/24\r\n2001:db8::1"),
        ],
    );
    let reply = ask.send(&host);
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = reply.token().unwrap();
    assert_eq!(host.verdict(text), "network_refused");
    let record = host.records().remove(0);
    assert_eq!(record.owner().subject().as_str(), "ann");
    assert_eq!(record.created_by().unwrap().as_str(), "session:ann");
    assert_eq!(record.annotations().name.as_ref().unwrap().as_str(), "CI pipeline");
    assert_eq!(record.scopes().to_string(), "parts:read collections:*");
    assert_eq!(record.expiry(), Expiry::At(at(60 * DAY)));
    let networks: Vec<String> = record.restrictions().networks().iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::1/128"]);

    // Sent again, as a browser does that loads the page anew: nothing is made, and nothing shown.
    let again = ask.send(&host);
    assert_eq!((again.status, again.token(), host.records().len()), (200, None, 1), "{again:?}");
    assert!(again.has("cannot be shown again"), "{again:?}");
    let secret = &text[text.len() - 20..];
    for path in [PAGE.to_owned(), format!("{PAGE}/{}", record.id()), format!("{PAGE}/new")] {
        assert!(!get(&path).send(&host).has(secret), "{path}");
    }
    // Another request under the same form.
    let other = ask.without("name").with("name", "other").send(&host);
    assert!(other.status == 422 && other.has("This form was sent before, with something else in it."), "{other:?}");
    assert_eq!(host.records().len(), 1);
}

#[test]
fn without_a_memory_of_requests_a_form_makes_a_token_each_time() {
    let host = Host::plain();
    let ask = create(&host, &[("name", "CI"), ("expiry", "30")]);
    assert_eq!([ask.send(&host).status, ask.send(&host).status], [201, 201]);
    assert_eq!(host.records().len(), 2);
}

/// The problems that the page tells of, each with its field.
fn problems(reply: &Reply) -> Vec<String> {
    let list = reply.text.split_once("class=\"problems\"").map_or("", |(_, rest)| rest.split("</ul>").next().unwrap());
    let fields = list.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    fields.collect()
}

#[test]
fn what_is_wrong_is_told_beside_its_field_and_what_was_entered_stays() {
    let long = "n".repeat(201);
    for (name, value, field) in [
        ("name", "", "name"),
        ("name", "   ", "name"),
        ("name", "\u{200b}\u{202e}", "name"),
        ("name", long.as_str(), "name"),
        ("name", "a\u{7}b", "name"),
        ("expiry", "", "expiry"),
        ("expiry", "31", "expiry"),
        ("expiry", "date", "date"),
        ("networks", "everywhere", "networks"),
        ("networks", "192.0.2.1/24", "networks"),
        ("scopes-catalog", "parts:later", "scopes-catalog"),
        ("scopes-catalog", "admin:all", "scopes-catalog"),
        ("scopes-catalog", "parts:read parts:write", "scopes-catalog"),
        ("scopes-catalog", "", "scopes-catalog"),
    ] {
        let host = Host::plain();
        let good =
            [("name", "CI \"1\""), ("expiry", "60"), ("scopes-catalog", "parts:write"), ("networks", "192.0.2.7")];
        let mut ask = create(&host, &good);
        // Beside the scope that is offered.
        ask = if name == "scopes-catalog" { ask } else { ask.without(name) };
        let reply = ask.with(name, value).send(&host);
        assert_eq!((reply.status, problems(&reply)), (422, vec![field.to_owned()]), "{name}={value}: {reply:?}");
        assert!(host.records().is_empty(), "{name}={value}");
        let error = reply.of_id(&format!("{field}-error"));
        assert!(error.is_some_and(|text| !text.is_empty()), "{name}={value}: {reply:?}");
        // The field, or the group that it stands in, says where its error is told.
        let described = reply.text.split("aria-describedby=\"").skip(1);
        let mut described = described.flat_map(|rest| rest.split('"').next().unwrap().split(' '));
        assert!(described.any(|id| id == format!("{field}-error")), "{name}={value}: {reply:?}");
        assert_eq!(reply.text.matches("<div class=\"problems\" role=\"group\" ").count(), 1);
        for (kept, text) in [
            ("name", "value=\"CI &#34;1&#34;\""),
            ("expiry", "<option value=\"60\" selected>"),
            ("scopes-catalog", "value=\"parts:write\" checked"),
            ("networks", "\n192.0.2.7</textarea>"),
        ] {
            assert_eq!(reply.has(text), kept != name || name == "scopes-catalog", "{name}={value} {kept}: {reply:?}");
        }
        // The form that is shown is a good one.
        let fixed = crate::client::post(format!("{PAGE}/new"), &good).with("form", &reply.value("form"));
        assert_eq!(fixed.send(&host).status, 201, "{name}={value}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let host = Host::plain();
    let reply = create(&host, &[("expiry", "x"), ("networks", "x"), ("scopes-catalog", "x")]).send(&host);
    assert_eq!(problems(&reply), ["name", "expiry", "scopes-catalog", "networks"]);
}

#[test]
fn an_end_is_one_of_those_offered() {
    let hosts_own = || Expiries::none().days(7, "A week").never("Never ⚠️", "Danger").chosen().on_date("On a day");
    let closed = || Expiries::none().days(7, "A week");
    let year = Duration::from_secs(365 * 86_400);
    for (expiries, lifetimes, expiry, date, expected) in [
        (None, Lifetimes::any(), "30", "", Some(Expiry::At(at(30 * DAY)))),
        (None, Lifetimes::any(), "365", "", Some(Expiry::At(at(365 * DAY)))),
        (None, Lifetimes::any(), "never", "", Some(Expiry::Never)),
        (None, Lifetimes::any(), "date", "2026-01-01", Some(Expiry::At(at(DAY - 1000)))),
        (None, Lifetimes::any(), "date", "2026-02-28", Some(Expiry::At(at(59 * DAY - 1000)))),
        (None, Lifetimes::any(), "date", "2025-12-31", None),
        (None, Lifetimes::any(), "date", "2026-02-30", None),
        (None, Lifetimes::any(), "date", "", None),
        (None, Lifetimes::any(), "7", "", None),
        (None, Lifetimes::any(), "0", "", None),
        // A date beside another choice is not what was chosen.
        (None, Lifetimes::any(), "30", "2026-02-28", Some(Expiry::At(at(30 * DAY)))),
        (Some(hosts_own()), Lifetimes::any(), "7", "", Some(Expiry::At(at(7 * DAY)))),
        (Some(hosts_own()), Lifetimes::any(), "30", "", None),
        (Some(closed()), Lifetimes::any(), "never", "", None),
        (Some(closed()), Lifetimes::any(), "date", "2026-02-28", None),
        (None, Lifetimes::ending(), "never", "", None),
        (None, Lifetimes::at_most(year), "365", "", Some(Expiry::At(at(365 * DAY)))),
        (None, Lifetimes::at_most(year), "date", "2027-01-01", None),
        (None, Lifetimes::among([Duration::from_secs(60 * 86_400)]), "30", "", None),
        (None, Lifetimes::among([Duration::from_secs(60 * 86_400)]), "60", "", Some(Expiry::At(at(60 * DAY)))),
    ] {
        let case = format!("{expiries:?} {lifetimes:?} {expiry} {date}");
        let policy = IssuePolicy { lifetimes, ..IssuePolicy::default() };
        let host = Host::new(policy, |page, _| match expiries {
            Some(expiries) => page.expiries(expiries),
            None => page,
        });
        let reply = create(&host, &[("name", "CI"), ("expiry", expiry), ("date", date)]).send(&host);
        assert_eq!(reply.status, if expected.is_some() { 201 } else { 422 }, "{case}: {reply:?}");
        assert_eq!(host.records().first().map(counterfoil::Record::expiry), expected, "{case}");
    }
}

#[test]
fn the_form_shows_the_ends_that_are_offered_in_the_hosts_words() {
    let expiries = Expiries::none().days(30, "A month").never("For ever ⚠️", "Think twice.").chosen();
    let host = Host::new(policy(), |page, _| page.expiries(expiries));
    let shown = get(format!("{PAGE}/new")).send(&host);
    for (text, is_there) in [
        ("<option value=\"30\">A month</option>", true),
        ("<option value=\"never\" selected>For ever ⚠️</option>", true),
        ("Think twice.", true),
        ("name=\"date\"", false),
        ("value=\"60\"", false),
    ] {
        assert_eq!(shown.has(text), is_there, "{text}: {shown:?}");
    }
}

#[test]
fn where_nothing_stands_chosen_a_choice_must_be_made() {
    let expiries = Expiries::none().days(30, "30 days").days(60, "60 days");
    for (expiries, chosen) in
        [(expiries.clone(), "30"), (expiries.clone().chosen(), "60"), (expiries.nothing_chosen(), "")]
    {
        let host = Host::new(policy(), |page, _| page.expiries(expiries));
        let form = get(format!("{PAGE}/new")).send(&host);
        assert_eq!(form.has("<option value=\"\">Choose</option>"), chosen.is_empty(), "{form:?}");
        assert_eq!(form.has(&format!("<option value=\"{chosen}\" selected>")), !chosen.is_empty(), "{form:?}");
    }
}

#[test]
fn without_a_field_the_registrys_default_holds() {
    let lifetimes = Lifetimes::any().by_default(Lifetime::days(5)).unwrap();
    let host = Host::new(IssuePolicy { lifetimes, ..policy() }, |page, _| page.fields([]));
    let shown = get(format!("{PAGE}/new")).send(&host);
    assert!(!shown.has("name=\"expiry\"") && !shown.has("<fieldset") && !shown.has("networks"), "{shown:?}");
    assert_eq!(create(&host, &[("name", "CI"), ("expiry", "30")]).send(&host).status, 400);
    assert_eq!(create(&host, &[("name", "CI"), ("scopes-catalog", "parts:read")]).send(&host).status, 400);
    assert_eq!(create(&host, &[("name", "CI")]).send(&host).status, 201);
    let record = host.records().remove(0);
    assert_eq!((record.expiry(), record.scopes().is_empty()), (Expiry::At(at(5 * DAY)), true));
}

#[test]
fn description_and_audience_are_kept_where_they_are_offered() {
    let host = Host::new(policy(), |page, _| page.fields([Field::Description, Field::Audience, Field::Expiry]));
    let fields = [("name", "CI"), ("description", "Nightly"), ("audience", "api.example"), ("expiry", "30")];
    assert_eq!(create(&host, &fields).send(&host).status, 201);
    let record = host.records().remove(0);
    assert_eq!(record.annotations().description.as_ref().unwrap().as_str(), "Nightly");
    assert_eq!(record.restrictions().audience().unwrap().as_str(), "api.example");
    let long = "x".repeat(1001);
    for (name, value) in [("description", long.as_str()), ("audience", "a\u{1}b")] {
        let reply = create(&host, &fields).without(name).with(name, value).send(&host);
        assert_eq!((reply.status, problems(&reply)), (422, vec![name.to_owned()]));
    }
}

#[test]
fn people_are_told_what_to_mend() {
    let host = Host::new(policy(), |page, _| page.fields([Field::Description, Field::Audience, Field::Expiry]));
    let (name, long) = ("n".repeat(201), "x".repeat(1001));
    for (field, value, expected) in [
        ("name", "", "Enter a name."),
        ("name", "\u{2066}\u{3164}", "Enter a name."),
        ("name", name.as_str(), "The name has 201 characters. Enter at most 200."),
        ("name", "a\u{7}b", "The name holds characters that cannot be shown: type it anew."),
        ("description", long.as_str(), "The description has 1001 characters. Enter at most 1000."),
        ("description", "a\u{7}b", "The description holds characters that cannot be shown: type it anew."),
        ("audience", long.as_str(), "The audience has 1001 characters. Enter at most 255."),
        ("audience", "a\u{7}b", "The audience holds characters that cannot be shown: type it anew."),
    ] {
        let ask = create(&host, &[("name", "CI"), ("expiry", "30")]).without(field).with(field, value);
        let reply = ask.send(&host);
        assert_eq!((reply.status, reply.of_id(&format!("{field}-error"))), (422, Some(expected)), "{field}: {value}");
    }
}

#[test]
fn the_registrys_default_stands_chosen_unless_the_host_says_otherwise() {
    let lifetimes = Lifetimes::any().by_default(Lifetime::days(90)).unwrap();
    let own = || Expiries::none().days(30, "30 days").days(90, "90 days").days(60, "60 days");
    for (expiries, chosen) in [
        (None, Some("90")),
        (Some(own()), Some("90")),
        (Some(own().chosen()), Some("60")),
        (Some(own().nothing_chosen()), None),
        (Some(Expiries::none().days(30, "30 days")), Some("30")),
    ] {
        let host = Host::new(IssuePolicy { lifetimes: lifetimes.clone(), ..policy() }, |page, _| match expiries {
            Some(expiries) => page.expiries(expiries),
            None => page,
        });
        let form = get(format!("{PAGE}/new")).send(&host);
        let found = form
            .text
            .split("<option value=\"")
            .skip(1)
            .find(|rest| rest.split('>').next().unwrap().ends_with(" selected"));
        assert_eq!(found.map(|rest| rest.split('"').next().unwrap()), chosen, "{form:?}");
    }
}

#[test]
fn a_date_stays_within_the_longest_lifetime() {
    let lifetimes = Lifetimes::at_most(Duration::from_secs(30 * 86_400));
    let host = Host::new(IssuePolicy { lifetimes, ..policy() }, |page, _| page);
    let id = host.token_for("CI", Lifetime::days(30));
    for path in [format!("{PAGE}/new"), format!("{PAGE}/{id}/expiry")] {
        let form = get(&path).send(&host);
        assert!(form.has("min=\"2026-01-01\" max=\"2026-01-30\""), "{path}: {form:?}");
    }
    for (date, status) in [("2026-01-30", 201), ("2026-01-31", 422)] {
        let reply = create(&host, &[("name", "CI"), ("expiry", "date"), ("date", date)]).send(&host);
        assert_eq!(reply.status, status, "{date}: {reply:?}");
        if status == 422 {
            assert_eq!(problems(&reply), ["date"]);
            let expected = "This expiration is too late. The last day allowed is 2026-01-30.";
            assert_eq!(reply.of_id("date-error"), Some(expected), "{reply:?}");
        }
    }
    assert!(!get(format!("{PAGE}/new")).send(&Host::plain()).has(" max=\""));
}

#[test]
fn no_error_leads_to_a_field_that_is_not_there() {
    for (fields, expected) in [(vec![], Vec::<&str>::new()), (vec![Field::Expiry], vec!["expiry"])] {
        let lifetimes = Lifetimes::ending().by_default(Lifetime::days(5)).unwrap();
        let host = Host::new(IssuePolicy { lifetimes, ..policy() }, |page, _| page.fields(fields));
        let form = get(format!("{PAGE}/new")).by("gus").send(&host).value("form");
        let end = expected.iter().map(|field| (*field, "30"));
        let sent: Vec<_> = [("form", form.as_str()), ("name", "CI")].into_iter().chain(end).collect();
        let reply = crate::client::post(format!("{PAGE}/new"), &sent).by("gus").send(&host);
        assert_eq!((reply.status, problems(&reply)), (422, expected.iter().map(|field| (*field).to_owned()).collect()));
        assert!(reply.has("This expiration is not allowed"), "{reply:?}");
    }
}

fn groups() -> [ScopeGroup; 3] {
    let choice = |scope: &str, label: &str| ScopeChoice::new(scope.parse().unwrap(), label);
    [
        ScopeGroup::all_or("where", "Collections", choice("collections:*", "All"), "Some")
            .choice(choice("collections:7", "Seven"))
            .choice(choice("collections:8", "Eight")),
        ScopeGroup::one_of("level", "Level")
            .choice(choice("parts:read", "Read").chosen())
            .choice(choice("parts:read parts:write", "Read and write")),
        ScopeGroup::any_of("ai", "AI").choice(choice("parts:write", "Proxy")),
    ]
}

#[test]
fn scopes_come_of_the_hosts_groups_alone() {
    for (fields, expected) in [
        (&[("where", "all")][..], Ok("collections:*")),
        (&[("where", "some"), ("where-among", "collections:7")], Ok("collections:7")),
        (
            &[("where", "some"), ("where-among", "collections:7"), ("where-among", "collections:8")],
            Ok("collections:7 collections:8"),
        ),
        (&[("where", "all"), ("where-among", "collections:7")], Ok("collections:*")),
        (&[("where", "all"), ("ai", "parts:write")], Ok("parts:write collections:*")),
        (&[("where", "all"), ("level", "parts:read parts:write")], Ok("parts:read parts:write collections:*")),
        (&[], Err("scopes-where")),
        (&[("where", "some")], Err("scopes-where")),
        (&[("where", "collections:*")], Err("scopes-where")),
        (&[("where", "some"), ("where-among", "collections:9")], Err("scopes-where")),
        (&[("where", "some"), ("where-among", "collections:*")], Err("scopes-where")),
        (&[("where", "all"), ("level", "parts:write")], Err("scopes-level")),
        (&[("where", "all"), ("ai", "parts:read")], Err("scopes-ai")),
    ] {
        let host = Host::new(policy(), |page, _| page.scope_groups(groups()));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (format!("scopes-{name}"), *value)).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let reply = create(&host, &[&[("name", "CI"), ("expiry", "30")], &fields[..]].concat()).send(&host);
        match expected {
            Ok(scopes) => {
                assert_eq!(reply.status, 201, "{fields:?}: {reply:?}");
                assert_eq!(host.records()[0].scopes().to_string(), scopes, "{fields:?}");
            }
            Err(field) => {
                assert_eq!((reply.status, problems(&reply)), (422, vec![field.to_owned()]), "{fields:?}: {reply:?}");
                assert!(host.records().is_empty());
            }
        }
    }
}

#[test]
fn what_stands_chosen_is_what_the_host_says() {
    let host = Host::new(policy(), |page, _| page.scope_groups(groups()));
    let shown = get(format!("{PAGE}/new")).send(&host);
    assert_eq!(shown.text.matches(" checked").count(), 1, "{shown:?}");
    assert!(shown.has("value=\"parts:read\" checked"));
}

#[test]
fn a_choice_among_some_opens_its_group() {
    let choice = |scope: &str| ScopeChoice::new(scope.parse().unwrap(), "A choice");
    let group = |all: ScopeChoice| ScopeGroup::all_or("where", "Collections", all, "Some");
    for (group, opens_with) in [
        (group(choice("collections:*")).choice(choice("collections:7")), &[][..]),
        (group(choice("collections:*").chosen()).choice(choice("collections:7")), &["all"]),
        (group(choice("collections:*")).choice(choice("collections:7").chosen()), &["some", "collections:7"]),
    ] {
        let host = Host::new(policy(), |page, _| page.scope_groups([group]));
        let shown = get(format!("{PAGE}/new")).send(&host);
        let checked: Vec<&str> = shown
            .text
            .split("<input type=\"")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
            .filter(|tag| tag.contains(" checked"))
            .map(|tag| tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        assert_eq!(checked, opens_with, "{shown:?}");
    }
}

#[test]
fn what_must_be_chosen_says_so_before_it_is_sent() {
    let choice = || ScopeChoice::new("parts:read".parse().unwrap(), "Read");
    for (group, legend, is_required) in [
        (ScopeGroup::any_of("g", "Group").choice(choice()), "Group", 0),
        (ScopeGroup::any_of("g", "Group").choice(choice()).required(), "Group (required)", 0),
        (ScopeGroup::one_of("g", "Group").choice(choice()), "Group", 0),
        (ScopeGroup::one_of("g", "Group").choice(choice()).required(), "Group (required)", 1),
        (ScopeGroup::all_or("g", "Group", choice(), "Some").choice(choice()), "Group (required)", 2),
    ] {
        let host = Host::new(policy(), |page, _| page.fields([Field::Scopes]).scope_groups([group]));
        let shown = get(format!("{PAGE}/new")).send(&host);
        assert!(shown.has(&format!("<legend><bdi>{legend}</bdi></legend>")), "{shown:?}");
        let options = shown.text.split("<div class=\"option\">").skip(1).map(|rest| rest.split('>').next().unwrap());
        assert_eq!(options.filter(|tag| tag.contains(" required")).count(), is_required, "{legend}: {shown:?}");
    }
}

#[test]
fn groups_of_a_session_that_cannot_be_told_apart_are_its_hosts_mistake() {
    // The application's log has the reason, and the person's page has not.
    let log = async |response: Response| {
        let why = response.extensions().get::<ApiError>().map(|error| error.text.to_string());
        (AppendHeaders(why.map(|why| ("x-log", why))), response)
    };
    let host = Host::mounted(policy(), |page, _| page, |router| router.layer(map_response(log)));
    for (user, text) in [("twice", "two groups of scopes"), ("dash", "key `catalog-among`")] {
        let shown = get(format!("{PAGE}/new")).by(user).send(&host);
        assert!(shown.status == 500 && !shown.has(text) && !shown.has("<form"), "{user}: {shown:?}");
        assert!(shown.has("Something is wrong with this service"), "{user}: {shown:?}");
        assert!(shown.header("x-log").unwrap().contains(text), "{user}: {shown:?}");
    }
}

#[test]
fn a_session_offers_scopes_of_its_own() {
    let host = Host::plain();
    for (user, is_offered) in [("ann", false), ("lea", true)] {
        let shown = get(format!("{PAGE}/new")).by(user).send(&host);
        assert_eq!(shown.has("Your collections"), is_offered, "{user}");
        let fields = [("name", "CI"), ("expiry", "30"), ("scopes-own", "collections:lea")];
        let ask = crate::client::post(format!("{PAGE}/new"), &fields).with("form", &shown.value("form")).by(user);
        assert_eq!(ask.send(&host).status, if is_offered { 201 } else { 400 }, "{user}");
    }
    assert_eq!(host.records()[0].scopes().to_string(), "collections:lea");
}

#[test]
fn the_limit_is_told_in_the_form() {
    let host = Host::new(IssuePolicy { limit: Some(1), ..policy() }, |page, _| page);
    host.token("first");
    let reply = create(&host, &[("name", "second"), ("expiry", "30")]).send(&host);
    assert_eq!((reply.status, reply.value("name").as_str()), (429, "second"));
    assert!(reply.has("You have as many tokens as are allowed."), "{reply:?}");
    assert_eq!(host.records().len(), 1);
}

#[test]
fn while_minting_is_stopped_the_form_keeps_what_was_entered() {
    let policy = policy();
    let switch = policy.switch.clone();
    let host = Host::new(policy, |page, _| page);
    switch.stop();
    let reply = create(&host, &[("name", "CI"), ("expiry", "30")]).send(&host);
    assert_eq!((reply.status, reply.value("name").as_str()), (503, "CI"), "{reply:?}");
}
