//! Records, made by the core itself.

use std::{fmt::Debug, time::Duration};

use counterfoil::{
    Actor, Annotations, By, Environment, Grant, Keyring, Lifetime, Mark, Metadata, Name, Owner, Record, Restrictions,
    Rotation, Row, Selector, Timestamp, TokenFormat, TokenId, Usage,
    annotation::{Description, Tags},
    record::{Agent, MarkRow, Statuses, Use},
    rotate::rotate,
    store::Filter,
};

/// What holds by construction here, and would be a fault of this crate if it did not.
#[track_caller]
pub(crate) fn must<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("a fault of the testkit: {error:?}"),
    }
}

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// The moment of most checks, 2026-01-01, and later ones.
pub(crate) fn at(after_start: Duration) -> Timestamp {
    must(must(Timestamp::from_unix_millis(1_767_225_600_000)).checked_add(after_start))
}

pub(crate) fn now() -> Timestamp {
    at(Duration::ZERO)
}

pub(crate) fn before(moment: Timestamp) -> Timestamp {
    must(moment.checked_sub(MILLI))
}

pub(crate) fn after(moment: Timestamp) -> Timestamp {
    must(moment.checked_add(MILLI))
}

pub(crate) fn format() -> TokenFormat {
    must(TokenFormat::builder("test").build())
}

pub(crate) fn minting_k1() -> Keyring {
    must("k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse())
}

pub(crate) fn minting_k2() -> Keyring {
    must("k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint".parse())
}

pub(crate) fn owner(subject: &str) -> Owner {
    must(Owner::new(subject))
}

pub(crate) fn tenant_owner(tenant: &str, subject: &str) -> Owner {
    must(Owner::in_tenant(tenant, subject))
}

/// A record made at a moment, good for 90 days.
pub(crate) fn record_at(owner: &Owner, moment: Timestamp) -> Record {
    must(Grant::new(owner.clone(), Lifetime::days(90)).mint(&format(), &minting_k1(), moment)).record
}

pub(crate) fn record(subject: &str) -> Record {
    record_at(&owner(subject), now())
}

/// So many records of one owner, in the order of their ids.
pub(crate) fn records(subject: &str, count: u32) -> Vec<Record> {
    (0..count).map(|number| record_at(&owner(subject), at(MILLI * number))).collect()
}

/// A hand on a row.
pub(crate) type Edit = fn(&mut Row);

/// The record with something else in one of its columns.
pub(crate) fn edited(record: &Record, edit: impl FnOnce(&mut Row)) -> Record {
    let mut row = record.to_row();
    edit(&mut row);
    must(Record::from_row(row))
}

/// The record's next version.
pub(crate) fn next(record: &Record, edit: impl FnOnce(&mut Row)) -> Record {
    edited(record, |row| {
        row.version += 1;
        edit(row);
    })
}

pub(crate) fn rotated(record: &Record, rotation: &Rotation) -> Record {
    must(rotate(record, rotation, &format(), &minting_k2(), now())).record
}

/// A record with all three slots: the spent one is of `k1`, the others of `k2`.
pub(crate) fn of_three_slots(owner: &Owner) -> Record {
    let overlap = Rotation::with_overlap(DAY);
    rotated(&rotated(&record_at(owner, now()), &overlap), &overlap)
}

pub(crate) fn selector(record: &Record) -> Selector {
    record.slots().current.selector
}

pub(crate) fn mark(at: Timestamp) -> Mark {
    By::unknown().mark(at)
}

pub(crate) fn mark_row(at: Timestamp) -> Option<MarkRow> {
    Some(MarkRow::from(&mark(at)))
}

pub(crate) fn used(id: TokenId, at: Timestamp) -> Use {
    Use { id, usage: Usage { at, address: None, agent: None } }
}

/// A record in which nothing is left out, its texts of the kind that breaks a quoting.
pub(crate) fn with_everything() -> Record {
    let format = must(TokenFormat::builder("test").environments(["live"]).routing(2, 8).build());
    let mut restrictions = Restrictions::none();
    must(
        ["192.0.2.0/24", "2001:db8::/32"]
            .map(|text| must(text.parse()))
            .into_iter()
            .try_for_each(|network| restrictions.add_network(network)),
    );
    restrictions.set_audience(must("https://example.com/?a=1&b='2'".parse()));
    let annotations = Annotations {
        name: Some(must(Name::new(HOSTILE))),
        description: Some(must(Description::new("🦀".repeat(Description::MAX_CHARS)))),
        tags: must(Tags::from_texts([HOSTILE, "a,b", "{c}"])),
        metadata: must(Metadata::from_json(r#"{"a":{"b":[1,-2.5,null,"\u0000 \ud83e\udd80"]},"Ω":"'; --"}"#)),
    };
    let grant = Grant::new(tenant_owner(HOSTILE, HOSTILE), Lifetime::days(90))
        .scopes(must("parts:read parts:* read:users".parse()))
        .restrictions(restrictions)
        .annotations(annotations)
        .environment(must(Environment::new("live")))
        .routing("eu1")
        .by(must(Actor::new(HOSTILE)));
    let minted = must(grant.mint(&format, &minting_k1(), now())).record;
    let overlap = Rotation::with_overlap(DAY);
    let once = must(rotate(&minted, &overlap, &format, &minting_k2(), now())).record;
    let twice = must(rotate(&once, &overlap, &format, &minting_k1(), now())).record;
    let marked = |days: u32| {
        let by = By::actor(must(Actor::new(HOSTILE))).because(must(HOSTILE.try_into()));
        Some(MarkRow::from(&by.mark(at(days * DAY))))
    };
    edited(&twice, |row| {
        (row.revoked, row.suspended, row.blocked) = (marked(1), marked(2), marked(3));
        // As a newer build would have written.
        row.body = row.body.replacen('{', r#"{"later":{"list":[1,2.5,"x"]},"#, 1);
    })
}

/// The texts as the types allow them at their longest, the numbers at their ends.
pub(crate) fn extremes() -> Vec<Record> {
    let longest = tenant_owner(&"ü".repeat(127), &"%".repeat(255));
    let with_id = |bytes: [u8; 16]| move |row: &mut Row| row.id = TokenId::from_bytes(bytes);
    vec![
        record_at(&longest, now()),
        edited(&record("a"), with_id([0; 16])),
        edited(&record("a"), with_id([0x7f; 16])),
        edited(&record("a"), with_id([0x80; 16])),
        edited(&record("a"), with_id([0xff; 16])),
        edited(&record("a"), |row| (row.version, row.digest_version) = (i64::MAX - 1, i64::MAX - 1)),
        edited(&record("a"), |row| row.created_at = Timestamp::MIN.unix_millis()),
        edited(&record("a"), |row| row.created_at = Timestamp::MAX.unix_millis()),
        edited(&record("a"), |row| row.expires_at = Some(Timestamp::MIN.unix_millis())),
        edited(&record("a"), |row| row.expires_at = Some(Timestamp::MAX.unix_millis())),
        edited(&record("a"), |row| row.expires_at = None),
        edited(&record("a"), |row| row.current.selector = format!("~{}", "-_".repeat(22))),
        edited(&record("a"), |row| {
            let words: Vec<_> = (0..128).map(|number| format!(r#""{number}:{}""#, "s".repeat(120))).collect();
            row.body = row.body.replacen('{', &format!(r#"{{"scopes":[{}],"#, words.join(",")), 1);
        }),
    ]
}

/// A text that ends a string in SQL and JSON, matches everything in `LIKE`, and is not ASCII.
pub(crate) const HOSTILE: &str = r#"'; "%_\--?1$1{}[] ſÅ🦀"#;

/// Owners that only an exact comparison of both texts tells apart.
pub(crate) fn owners() -> Vec<Owner> {
    let alone = [
        "ann",
        "Ann",
        "ann ",
        " ann",
        "an%",
        "a_n",
        "'ann'",
        "\"ann\"",
        "ann'; --",
        "an\\n",
        "å",
        "a\u{30a}",
        "Å",
        "ａｎｎ",
        "🦀",
        "0",
        "00",
        "null",
        "NULL",
        "acme",
        "acme/ann",
        "acme:ann",
    ];
    let alone = alone.into_iter().map(owner);
    let within = [("acme", "ann"), ("Acme", "ann"), ("acme ", "ann"), ("ann", "acme"), ("%", "ann"), ("null", "ann")];
    let within = within.into_iter().map(|(tenant, subject)| tenant_owner(tenant, subject));
    let long = [owner(&"x".repeat(255)), owner(&format!("{}y", "x".repeat(254)))];
    alone.chain(within).chain(long).collect()
}

/// Records of every status and slot, on both sides of every moment that a filter or a status turns on, and their uses.
pub(crate) fn spread() -> Vec<(Record, Option<Usage>)> {
    let base = || record_at(&owner("ann"), now());
    let end = at(10 * DAY);
    let mut all = vec![
        base(),
        record_at(&owner("bob"), now()),
        record_at(&tenant_owner("acme", "ann"), now()),
        record_at(&tenant_owner("acme", "bob"), at(DAY)),
        record_at(&tenant_owner("zeta", "ann"), at(2 * DAY)),
        edited(&base(), |row| row.expires_at = None),
        rotated(&base(), &Rotation::at_once()),
        rotated(&base(), &Rotation::with_overlap(DAY)),
        of_three_slots(&owner("ann")),
        of_three_slots(&tenant_owner("acme", "ann")),
    ];
    for moment in [before(end), end, after(end)] {
        all.push(edited(&base(), |row| row.expires_at = Some(moment.unix_millis())));
        all.push(edited(&base(), |row| row.created_at = moment.unix_millis()));
    }
    // Every set of marks, once with an end and once without.
    for marks in 0..8_u8 {
        for expires_at in [None, Some(end.unix_millis())] {
            all.push(edited(&base(), |row| {
                row.revoked = mark_row(now()).filter(|_| marks & 1 != 0);
                row.suspended = mark_row(now()).filter(|_| marks & 2 != 0);
                row.blocked = mark_row(now()).filter(|_| marks & 4 != 0);
                row.expires_at = expires_at;
            }));
        }
    }
    let moments = [None, Some(now()), Some(before(end)), Some(end), Some(after(end))];
    let uses = moments.into_iter().cycle().map(|at| {
        Some(Usage { at: at?, address: must("192.0.2.7".parse().map(Some)), agent: Some(must(Agent::new(HOSTILE))) })
    });
    all.into_iter().zip(uses).collect()
}

/// Filters on every field, on both sides of every moment of [`spread`]; then every two of different fields together.
pub(crate) fn filters() -> Vec<Filter> {
    use counterfoil::Status::{Active, Blocked, Expired, Revoked, Suspended};
    let end = at(10 * DAY);
    let moments = [now(), before(end), end, after(end)];
    let all = Filter::all;
    let mut fields: Vec<Vec<Filter>> = vec![
        [owner("ann"), owner("ANN"), tenant_owner("acme", "ann"), tenant_owner("ann", "acme")]
            .map(Filter::owner)
            .into(),
        ["acme", "zeta", "ACME", "%"].map(|text| Filter { tenant: Some(must(text.parse())), ..all() }).into(),
        [Active, Blocked, Suspended, Expired, Revoked]
            .into_iter()
            .flat_map(|status| [Statuses::only(status), Statuses::except(status)])
            .map(|statuses| Filter { statuses, ..all() })
            .collect(),
        ["k1", "k2", "k3"].map(|key| Filter { key: Some(must(key.parse())), ..all() }).into(),
    ];
    let by_moment: [fn(Timestamp) -> Filter; 4] = [
        |at| Filter { created_before: Some(at), ..Filter::all() },
        |at| Filter { expires_before: Some(at), ..Filter::all() },
        |at| Filter { used_since: Some(at), ..Filter::all() },
        |at| Filter { unused_since: Some(at), ..Filter::all() },
    ];
    fields.extend(by_moment.map(|of| moments.map(of).into()));
    let mut filters = vec![all()];
    for (index, some) in fields.iter().enumerate() {
        filters.extend(some.iter().cloned());
        for others in &fields[index + 1..] {
            filters.extend(some.iter().zip(others).map(|(one, other)| both(one, other)));
        }
    }
    filters
}

fn both(one: &Filter, other: &Filter) -> Filter {
    let (one, other) = (one.clone(), other.clone());
    Filter {
        owner: one.owner.or(other.owner),
        tenant: one.tenant.or(other.tenant),
        statuses: one.statuses.iter().filter(|status| other.statuses.contains(*status)).collect(),
        created_before: one.created_before.or(other.created_before),
        expires_before: one.expires_before.or(other.expires_before),
        used_since: one.used_since.or(other.used_since),
        unused_since: one.unused_since.or(other.unused_since),
        key: one.key.or(other.key),
    }
}
