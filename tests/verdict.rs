//! The verdict table of [`verify`], and that of [`possession`]: every row, and for every combination which row wins.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    iter,
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex},
};

use counterfoil::{
    Audience, Circumstances, Denial, Environment, Grant, Keyring, Lifetime, Owner, Record, Row, Timestamp, TokenFormat,
    TokenId, check,
    entropy::{Entropy, NoEntropy},
    possession::{Possession, possession},
    record::{MarkRow, SlotKind, SlotRow},
    verify,
};

type TableRow = (&'static str, fn(&Case) -> bool, Denial);

/// The rows of the table, in order. The first that applies wins; if none does, the token is good.
const TABLE: [TableRow; 11] = [
    ("1", |case| case.binding != Binding::Same, Denial::Unknown),
    ("2", |case| case.secret == Secret::Wrong, Denial::WrongSecret),
    ("3", |case| matches!(case.slot, Slot::RetiringAtEnd | Slot::RetiringAfter | Slot::Spent), Denial::Superseded),
    ("4", |case| case.revoked, Denial::Revoked),
    ("5", |case| matches!(case.expiry, Expiry::Now | Expiry::Before), Denial::Expired),
    ("6", |case| case.suspended, Denial::Suspended),
    ("7", |case| case.blocked, Denial::Blocked),
    ("8", |case| !matches!(case.environment, Env::None | Env::Served), Denial::WrongEnvironment),
    (
        "9, networks",
        |case| matches!(case.network, Network::Outside | Network::Unknown | Network::MappedOutside),
        Denial::NetworkRefused,
    ),
    ("9, audience", |case| matches!(case.audience, Aud::Other | Aud::Absent), Denial::WrongAudience),
    ("9, unknown", |case| case.unknown_restriction, Denial::UnknownRestriction),
];

fn expected(case: &Case) -> Result<(), Denial> {
    TABLE.iter().find(|(_, applies, _)| applies(case)).map_or(Ok(()), |(.., denial)| Err(*denial))
}

#[test]
fn each_row_by_itself() {
    for (case, verdict) in [
        (GOOD, Ok(())),
        (Case { binding: Binding::NoRecord, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::NoRecordAtCheck, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::NoRecordAtVerdict, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::OtherSelector, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::OtherRecord, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::OtherVersion, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::SlotGone, slot: Slot::RetiringBefore, ..GOOD }, Err(Denial::Unknown)),
        (Case { binding: Binding::SlotGone, slot: Slot::Spent, ..GOOD }, Err(Denial::Unknown)),
        (Case { secret: Secret::Wrong, ..GOOD }, Err(Denial::WrongSecret)),
        (Case { slot: Slot::RetiringBefore, ..GOOD }, Ok(())),
        (Case { slot: Slot::RetiringAtEnd, ..GOOD }, Err(Denial::Superseded)),
        (Case { slot: Slot::RetiringAfter, ..GOOD }, Err(Denial::Superseded)),
        (Case { slot: Slot::Spent, ..GOOD }, Err(Denial::Superseded)),
        (Case { revoked: true, ..GOOD }, Err(Denial::Revoked)),
        (Case { expiry: Expiry::After, ..GOOD }, Ok(())),
        (Case { expiry: Expiry::Now, ..GOOD }, Err(Denial::Expired)),
        (Case { expiry: Expiry::Before, ..GOOD }, Err(Denial::Expired)),
        (Case { suspended: true, ..GOOD }, Err(Denial::Suspended)),
        (Case { blocked: true, ..GOOD }, Err(Denial::Blocked)),
        (Case { environment: Env::Served, ..GOOD }, Ok(())),
        (Case { environment: Env::NotServed, ..GOOD }, Err(Denial::WrongEnvironment)),
        (Case { environment: Env::NoneServed, ..GOOD }, Err(Denial::WrongEnvironment)),
        (Case { environment: Env::RecordDiffers, ..GOOD }, Err(Denial::WrongEnvironment)),
        (Case { environment: Env::RecordHasNone, ..GOOD }, Err(Denial::WrongEnvironment)),
        (Case { environment: Env::TokenHasNone, ..GOOD }, Err(Denial::WrongEnvironment)),
        (Case { network: Network::Inside, ..GOOD }, Ok(())),
        (Case { network: Network::MappedInside, ..GOOD }, Ok(())),
        (Case { network: Network::Outside, ..GOOD }, Err(Denial::NetworkRefused)),
        (Case { network: Network::MappedOutside, ..GOOD }, Err(Denial::NetworkRefused)),
        (Case { network: Network::Unknown, ..GOOD }, Err(Denial::NetworkRefused)),
        (Case { audience: Aud::Right, ..GOOD }, Ok(())),
        (Case { audience: Aud::Other, ..GOOD }, Err(Denial::WrongAudience)),
        (Case { audience: Aud::Absent, ..GOOD }, Err(Denial::WrongAudience)),
        (Case { unknown_restriction: true, ..GOOD }, Err(Denial::UnknownRestriction)),
    ] {
        assert_eq!(judge(&case), verdict, "{case:?}");
        assert_eq!(expected(&case), verdict, "the table itself: {case:?}");
    }
}

#[test]
fn the_first_row_that_applies_wins_in_every_combination() {
    let mut reached: BTreeMap<&str, u32> = BTreeMap::new();
    let mut held_in: BTreeMap<String, u32> = BTreeMap::new();
    for facts in every_state_of_a_record() {
        let halves = Halves::new(&facts);
        for binding in Binding::ALL {
            for secret in Secret::ALL {
                let case = Case { binding, secret, ..facts };
                let Some(judged) = halves.judged(&case) else { continue };
                let held = possession(judged.checked, judged.record.as_deref(), millis(NOW));
                assert_eq!(held, expected_of_possession(&case), "{case:?}");
                *held_in.entry(format!("{held:?}")).or_default() += 1;
                for (network, audience) in Network::ALL.into_iter().flat_map(|n| Aud::ALL.map(|a| (n, a))) {
                    if network.is_set() != facts.network.is_set() || audience.is_set() != facts.audience.is_set() {
                        continue;
                    }
                    let case = Case { binding, secret, network, audience, ..facts };
                    let verdict = judged.verdict(&case);
                    assert_eq!(verdict, expected(&case), "{case:?}");
                    *reached.entry(verdict.err().map_or("good", Denial::code)).or_default() += 1;
                }
            }
        }
    }
    assert_eq!(reached.len(), TABLE.len() + 1, "{reached:?}");
    assert!(reached.values().sum::<u32>() > 500_000, "{reached:?}");
    assert_eq!(held_in.len(), 5, "{held_in:?}");
}

/// Of the table's rows, possession asks the first three.
fn expected_of_possession(case: &Case) -> Result<Possession, Denial> {
    match TABLE[..3].iter().find(|(_, applies, _)| applies(case)) {
        Some((.., denial)) => Err(*denial),
        None if case.revoked => Ok(Possession::Ended),
        None => Ok(Possession::Live),
    }
}

#[test]
fn an_end_comes_with_its_millisecond() {
    const END: i64 = 1_800_000_000_000;
    for (now, is_over) in [
        (Timestamp::MIN.unix_millis(), false),
        (END - 1000, false),
        (END - 1, false),
        (END, true),
        (END + 1, true),
        (END + 1000, true),
        (Timestamp::MAX.unix_millis(), true),
    ] {
        let at = Circumstances::at(millis(now));
        let pair = &*NAMELESS;
        let verdict = |row: Row| {
            let record = Arc::new(Record::from_row(row).unwrap());
            let checked = check(pair.format.parse(&pair.right.0).unwrap(), Some(&record), &KEYRING).unwrap();
            verify(checked, Some(record), &at).map(|verified| verified.slot())
        };
        let expiring = Row { expires_at: Some(END), ..pair.row() };
        assert_eq!(verdict(expiring), if is_over { Err(Denial::Expired) } else { Ok(SlotKind::Current) }, "{now}");

        let retiring = |expires_at| Row {
            current: pair.newer.1.clone(),
            retiring: Some(pair.right.1.clone()),
            retiring_until: Some(END),
            expires_at,
            ..pair.row()
        };
        let lasting = if is_over { Err(Denial::Superseded) } else { Ok(SlotKind::Retiring) };
        assert_eq!(verdict(retiring(None)), lasting, "{now}");
        assert_eq!(verdict(retiring(Some(END))), lasting, "the overlap is judged first: {now}");
        let record = Record::from_row(retiring(None)).unwrap();
        let checked = check(pair.format.parse(&pair.right.0).unwrap(), Some(&record), &KEYRING).unwrap();
        let held = if is_over { Err(Denial::Superseded) } else { Ok(Possession::Live) };
        assert_eq!(possession(checked, Some(&record), millis(now)), held, "{now}");
        let outlived = if now >= END - 500 { Err(Denial::Expired) } else { Ok(SlotKind::Retiring) };
        let outlived = if is_over { Err(Denial::Superseded) } else { outlived };
        assert_eq!(verdict(retiring(Some(END - 500))), outlived, "no overlap outlives the expiry: {now}");
    }
}

#[test]
fn the_slot_is_the_one_whose_selector_was_presented() {
    let pair = &*NAMELESS;
    let row = Row {
        retiring: Some(pair.right.1.clone()),
        retiring_until: Some(NOW + 1),
        spent: Some(pair.older.1.clone()),
        current: pair.newer.1.clone(),
        ..pair.row()
    };
    let record = Arc::new(Record::from_row(row).unwrap());
    for (text, verdict) in [
        (&pair.newer.0, Ok(SlotKind::Current)),
        (&pair.right.0, Ok(SlotKind::Retiring)),
        (&pair.older.0, Err(Denial::Superseded)),
        (&pair.wrong, Err(Denial::WrongSecret)),
    ] {
        let checked = check(pair.format.parse(text).unwrap(), Some(&record), &KEYRING).unwrap();
        let found = verify(checked, Some(record.clone()), &Circumstances::at(millis(NOW)));
        assert_eq!(found.map(|verified| verified.slot()), verdict);
    }
}

#[test]
fn a_digest_made_anew_does_not_spoil_a_check() {
    let pair = &*NAMELESS;
    let record = Record::from_row(pair.row()).unwrap();
    let checked = check(pair.format.parse(&pair.right.0).unwrap(), Some(&record), &KEYRING).unwrap();
    let rehashed = Arc::new(Record::from_row(Row { digest_version: 2, ..pair.row() }).unwrap());
    assert!(verify(checked, Some(rehashed), &Circumstances::at(millis(NOW))).is_ok());
}

#[test]
fn a_network_admits_its_addresses_alone() {
    const V4: &str = r#"["192.0.2.0/24","198.51.100.7/32"]"#;
    const V6: &str = r#"["2001:db8::/32"]"#;
    for (networks, client, is_admitted) in [
        (V4, Some("192.0.2.0"), true),
        (V4, Some("192.0.2.255"), true),
        (V4, Some("192.0.1.255"), false),
        (V4, Some("192.0.3.0"), false),
        (V4, Some("198.51.100.7"), true),
        (V4, Some("198.51.100.8"), false),
        (V4, Some("::ffff:198.51.100.7"), true),
        (V4, Some("::ffff:198.51.100.8"), false),
        (V4, Some("::198.51.100.7"), false),
        (V4, Some("64:ff9b::c633:6407"), false),
        (V4, None, false),
        (V6, Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), true),
        (V6, Some("2001:db9::"), false),
        (V6, Some("192.0.2.1"), false),
        (r#"["0.0.0.0/0"]"#, Some("203.0.113.9"), true),
        (r#"["0.0.0.0/0"]"#, Some("::ffff:203.0.113.9"), true),
        (r#"["0.0.0.0/0"]"#, Some("2001:db8::1"), false),
        (r#"["::/0"]"#, Some("2001:db8::1"), true),
        (r#"["::/0"]"#, Some("203.0.113.9"), false),
        (r#"["::/0"]"#, None, false),
    ] {
        let pair = &*NAMELESS;
        let row =
            Row { body: format!(r#"{{"v":1,"public":"","restrictions":{{"networks":{networks}}}}}"#), ..pair.row() };
        let record = Arc::new(Record::from_row(row).unwrap());
        let checked = check(pair.format.parse(&pair.right.0).unwrap(), Some(&record), &KEYRING).unwrap();
        let mut at = Circumstances::at(millis(NOW));
        at.client = client.map(|address| address.parse().unwrap());
        let verdict = verify(checked, Some(record), &at).map(|_| ());
        assert_eq!(verdict, if is_admitted { Ok(()) } else { Err(Denial::NetworkRefused) }, "{networks} {client:?}");
    }
}

/// A body → the same as it is written again, or nothing.
#[test]
fn every_member_of_a_body_is_read_by_its_rule_and_once() {
    for (body, expected) in [
        (r#"{"v":1,"public":""}"#, Some(r#"{"public":"","v":1}"#)),
        (r#" { "public" : "" , "v" : 1 } "#, Some(r#"{"public":"","v":1}"#)),
        (
            r#"{"v":1,"public":"a_1","text_end":1893456000000,"environment":"test","routing":"eu","created_by":"ann","name":"n",
                "description":"d","tags":["t"],"scopes":["parts:read"],"metadata":{"k":"v"},"rotated_at":1782864000000,
                "restrictions":{"networks":["192.0.2.0/24"],"audience":"https://api.example","hours":[9]},"new":null}"#,
            Some(
                r#"{"created_by":"ann","description":"d","environment":"test","metadata":{"k":"v"},"name":"n","new":null,"public":"a_1","restrictions":{"audience":"https://api.example","hours":[9],"networks":["192.0.2.0/24"]},"rotated_at":1782864000000,"routing":"eu","scopes":["parts:read"],"tags":["t"],"text_end":1893456000000,"v":1}"#,
            ),
        ),
        // Escapes, in names too.
        (r#"{"\u0076":1,"public":"\u0061","name":"a\nb"}"#, None),
        (
            r#"{"\u0076":1,"public":"\u0061","name":"\u00e9\u0301"}"#,
            Some("{\"name\":\"é\u{301}\",\"public\":\"a\",\"v\":1}"),
        ),
        ("", None),
        ("{}", None),
        ("[1]", None),
        (r#"{"v":1}"#, None),
        (r#"{"public":""}"#, None),
        (r#"{"v":2,"public":""}"#, None),
        (r#"{"v":1.0,"public":""}"#, None),
        (r#"{"v":"1","public":""}"#, None),
        (r#"{"v":1,"public":""}{}"#, None),
        (r#"{"v":1,"public":"","public":"a"}"#, None),
        (r#"{"v":1,"public":"","scopes":["a"],"scopes":["b"]}"#, None),
        (r#"{"v":1,"public":"","tags":["a"],"tags":["b"]}"#, None),
        (r#"{"v":1,"public":"","name":"a","name":"b"}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"audience":"https://api.example"},"restrictions":{}}"#, None),
        (r#"{"v":1,"public":"","new":1,"new":2}"#, None),
        (r#"{"v":1,"public":null}"#, None),
        (r#"{"v":1,"public":" "}"#, None),
        (r#"{"v":1,"public":"","name":null}"#, None),
        (r#"{"v":1,"public":"","scopes":"a"}"#, None),
        (r#"{"v":1,"public":"","scopes":["a",1]}"#, None),
        (r#"{"v":1,"public":"","scopes":["a b"]}"#, None),
        (r#"{"v":1,"public":"","tags":[null]}"#, None),
        (r#"{"v":1,"public":"","text_end":1.5}"#, None),
        (r#"{"v":1,"public":"","text_end":253402300800000}"#, None),
        (r#"{"v":1,"public":"","environment":"A!"}"#, None),
        (r#"{"v":1,"public":"","restrictions":[]}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"networks":[]}}"#, None),
        // A member twice, at any depth: of two networks or audiences the last would win.
        (r#"{"v":1,"public":"","restrictions":{"networks":["192.0.2.0/24"],"networks":["0.0.0.0/0"]}}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"audience":"a","audience":"a"}}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"networks":["192.0.2.0/24"],"\u006eetworks":["0.0.0.0/0"]}}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"hours":[9],"hours":[10]}}"#, None),
        (r#"{"v":1,"public":"","restrictions":{"hours":{"from":9,"from":0}}}"#, None),
        (r#"{"v":1,"public":"","metadata":{"k":1,"k":2}}"#, None),
        (r#"{"v":1,"public":"","metadata":{"k":[{"l":1,"l":2}]}}"#, None),
        (r#"{"v":1,"public":"","rotated_at":1782864000000,"rotation_key":{"at":1,"at":1782864000000}}"#, None),
        (r#"{"v":1,"public":"","new":{"a":{"b":1,"b":2}}}"#, None),
        (r#"{"v":1,"public":"","name":"{a{","name":"b"}"#, None),
        (
            r#"{"v":1,"public":"","name":"{a{","metadata":{"public":1,"v":{"v":2}}}"#,
            Some(r#"{"metadata":{"public":1,"v":{"v":2}},"name":"{a{","public":"","v":1}"#),
        ),
    ] {
        let row = Row { body: body.into(), ..NAMELESS.row() };
        let read = Record::from_row(row).map(|record| record.to_row().body);
        assert_eq!(read.as_deref().map_err(|error| error.column), expected.ok_or("body"), "{body}");
    }
}

/// The details of a mark are those of the stored row, not of the token: each mark is held to the same rule.
#[test]
fn mark_with_a_member_twice_is_corrupt() {
    let mark = |detail: &str| Some(MarkRow { at: NOW - 1, detail: detail.into() });
    for (detail, is_read) in [
        ("{}", true),
        (r#"{"by":"admin:7","reason":"leaked"}"#, true),
        (r#"{"by":"admin:7","by":"admin:8"}"#, false),
        (r#"{"reason":"a","by":"admin:7","reason":"a"}"#, false),
        (r#"{"by":"admin:7","\u0062y":"admin:7"}"#, false),
        (r#"{"by":"admin:7","new":{"a":1,"a":1}}"#, false),
    ] {
        for column in ["revoked", "suspended", "blocked"] {
            let mut row = NAMELESS.row();
            *match column {
                "revoked" => &mut row.revoked,
                "suspended" => &mut row.suspended,
                _ => &mut row.blocked,
            } = mark(detail);
            let read = Record::from_row(row).map(drop).map_err(|error| error.column);
            assert_eq!(read, if is_read { Ok(()) } else { Err(column) }, "{detail}");
        }
    }
}

#[test]
fn what_may_be_told_begins_after_the_secret_is_proven() {
    for (_, _, denial) in TABLE {
        assert_eq!(denial.may_be_told(), !matches!(denial, Denial::Unknown | Denial::WrongSecret), "{denial:?}");
    }
    let codes = TABLE.map(|(_, _, denial)| denial.code());
    assert!(codes.iter().enumerate().all(|(at, code)| !codes[..at].contains(code)), "{codes:?}");
}

/// One combination.
#[derive(Debug, Clone, Copy)]
struct Case {
    binding: Binding,
    secret: Secret,
    slot: Slot,
    revoked: bool,
    expiry: Expiry,
    suspended: bool,
    blocked: bool,
    environment: Env,
    network: Network,
    audience: Aud,
    unknown_restriction: bool,
}

const GOOD: Case = Case {
    binding: Binding::Same,
    secret: Secret::Right,
    slot: Slot::Current,
    revoked: false,
    expiry: Expiry::Never,
    suspended: false,
    blocked: false,
    environment: Env::None,
    network: Network::Unset,
    audience: Aud::Unset,
    unknown_restriction: false,
};

macro_rules! all_of {
    ($type:ident { $($(#[$doc:meta])* $variant:ident),* $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum $type {
            $($(#[$doc])* $variant),*
        }

        impl $type {
            const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];
        }
    };
}

all_of!(Binding {
    Same,
    NoRecord,
    NoRecordAtCheck,
    NoRecordAtVerdict,
    /// Checked against a record that the presented selector does not find.
    OtherSelector,
    OtherRecord,
    OtherVersion,
    SlotGone,
});
all_of!(Secret { Right, Wrong });
all_of!(Slot { Current, RetiringBefore, RetiringAtEnd, RetiringAfter, Spent });
all_of!(Expiry { Never, After, Now, Before });
all_of!(Env { None, Served, NotServed, NoneServed, RecordDiffers, RecordHasNone, TokenHasNone });
all_of!(Network { Unset, Inside, Outside, Unknown, MappedInside, MappedOutside });
all_of!(Aud { Unset, Right, Other, Absent });

impl Network {
    fn is_set(self) -> bool {
        self != Self::Unset
    }

    fn client(self) -> Option<IpAddr> {
        let address = match self {
            Self::Unknown => return None,
            Self::Inside => "192.0.2.7",
            Self::Unset | Self::Outside => "198.51.100.7",
            Self::MappedInside => "::ffff:192.0.2.7",
            Self::MappedOutside => "::ffff:198.51.100.7",
        };
        Some(address.parse().unwrap())
    }
}

impl Aud {
    fn is_set(self) -> bool {
        self != Self::Unset
    }
}

impl Env {
    fn of_token(self) -> &'static Tokens {
        if matches!(self, Self::None | Self::TokenHasNone) { &NAMELESS } else { &LIVE }
    }

    fn of_record(self) -> Option<&'static str> {
        match self {
            Self::None | Self::RecordHasNone => None,
            Self::Served | Self::NotServed | Self::NoneServed | Self::TokenHasNone => Some("live"),
            Self::RecordDiffers => Some("test"),
        }
    }

    fn served(self) -> &'static [Environment] {
        static BOTH: LazyLock<[Environment; 2]> =
            LazyLock::new(|| ["test", "live"].map(|name| Environment::new(name).unwrap()));
        match self {
            Self::NotServed => &BOTH[..1],
            Self::NoneServed => &[],
            _ => &BOTH[..],
        }
    }
}

/// Every state that a record can be in; of the networks and the audience only whether they are set.
fn every_state_of_a_record() -> impl Iterator<Item = Case> {
    const BOTH: [bool; 2] = [false, true];
    iter::once(GOOD)
        .flat_map(|case| Slot::ALL.map(|slot| Case { slot, ..case }))
        .flat_map(|case| BOTH.map(|revoked| Case { revoked, ..case }))
        .flat_map(|case| Expiry::ALL.map(|expiry| Case { expiry, ..case }))
        .flat_map(|case| BOTH.map(|suspended| Case { suspended, ..case }))
        .flat_map(|case| BOTH.map(|blocked| Case { blocked, ..case }))
        .flat_map(|case| Env::ALL.map(|environment| Case { environment, ..case }))
        .flat_map(|case| [Network::Unset, Network::Inside].map(|network| Case { network, ..case }))
        .flat_map(|case| [Aud::Unset, Aud::Right].map(|audience| Case { audience, ..case }))
        .flat_map(|case| BOTH.map(|unknown_restriction| Case { unknown_restriction, ..case }))
}

fn judge(case: &Case) -> Result<(), Denial> {
    Halves::new(case).judged(case).expect("a case that exists").verdict(case)
}

/// The record of a case, and those that it might be mistaken for.
struct Halves {
    tokens: &'static Tokens,
    record: Arc<Record>,
    other_record: Arc<Record>,
    other_version: Arc<Record>,
    other_selector: Arc<Record>,
    /// None where the slot is the current one, which is always there.
    slot_gone: Option<Arc<Record>>,
}

impl Halves {
    fn new(case: &Case) -> Self {
        let tokens = case.environment.of_token();
        let row = row_of(case, tokens);
        let read = |row: Row| Arc::new(Record::from_row(row).unwrap());
        let bare =
            Row { current: tokens.newer.1.clone(), retiring: None, retiring_until: None, spent: None, ..row.clone() };
        Self {
            tokens,
            other_record: read(Row { id: TokenId::from_bytes([7; 16]), ..row.clone() }),
            other_version: read(Row { version: row.version + 1, ..row.clone() }),
            other_selector: read(bare.clone()),
            slot_gone: (case.slot != Slot::Current).then(|| read(bare)),
            record: read(row),
        }
    }

    /// The check and the record that come to the verdict; none for a combination that does not exist.
    fn judged(&self, case: &Case) -> Option<Judged> {
        let record = Some(&self.record);
        let (at_check, at_verdict) = match case.binding {
            Binding::Same => (record, record),
            Binding::NoRecord => (None, None),
            Binding::NoRecordAtCheck => (None, record),
            Binding::NoRecordAtVerdict => (record, None),
            Binding::OtherSelector => (Some(&self.other_selector), record),
            Binding::OtherRecord => (record, Some(&self.other_record)),
            Binding::OtherVersion => (record, Some(&self.other_version)),
            Binding::SlotGone => (record, Some(self.slot_gone.as_ref()?)),
        };
        let text = if case.secret == Secret::Right { &self.tokens.right.0 } else { &self.tokens.wrong };
        let presented = self.tokens.format.parse(text).unwrap();
        let checked = check(presented, at_check.map(|record| &**record), &KEYRING).unwrap();
        Some(Judged { checked, record: at_verdict.cloned() })
    }
}

struct Judged {
    checked: counterfoil::SecretCheck<'static>,
    record: Option<Arc<Record>>,
}

impl Judged {
    fn verdict(&self, case: &Case) -> Result<(), Denial> {
        static AUDIENCES: LazyLock<[Audience; 2]> =
            LazyLock::new(|| ["https://api.example", "https://other.example"].map(|text| Audience::new(text).unwrap()));
        let mut at = Circumstances::at(millis(NOW));
        at.environments = case.environment.served();
        at.client = case.network.client();
        at.audience = match case.audience {
            Aud::Unset | Aud::Right => Some(&AUDIENCES[0]),
            Aud::Other => Some(&AUDIENCES[1]),
            Aud::Absent => None,
        };
        verify(self.checked, self.record.clone(), &at).map(|_| ())
    }
}

fn row_of(case: &Case, tokens: &Tokens) -> Row {
    let mark = |is_set: bool| is_set.then(|| MarkRow { at: NOW - 1, detail: "{}".into() });
    let mut members = vec![r#""v":1,"public":"""#.to_owned()];
    members.extend(case.environment.of_record().map(|name| format!(r#""environment":"{name}""#)));
    let restrictions: Vec<_> = [
        case.network.is_set().then_some(r#""networks":["192.0.2.0/24"]"#),
        case.audience.is_set().then_some(r#""audience":"https://api.example""#),
        case.unknown_restriction.then_some(r#""hours":"9-17""#),
    ]
    .into_iter()
    .flatten()
    .collect();
    members.push(format!(r#""restrictions":{{{}}}"#, restrictions.join(",")));
    let (right, newer) = (|| tokens.right.1.clone(), || tokens.newer.1.clone());
    let (current, retiring, spent) = match case.slot {
        Slot::Current => (right(), None, None),
        Slot::RetiringBefore => (newer(), Some((right(), NOW + 1)), None),
        Slot::RetiringAtEnd => (newer(), Some((right(), NOW)), None),
        Slot::RetiringAfter => (newer(), Some((right(), NOW - 1)), None),
        Slot::Spent => (newer(), None, Some(right())),
    };
    Row {
        expires_at: match case.expiry {
            Expiry::Never => None,
            Expiry::After => Some(NOW + 1),
            Expiry::Now => Some(NOW),
            Expiry::Before => Some(NOW - 1),
        },
        revoked: mark(case.revoked),
        suspended: mark(case.suspended),
        blocked: mark(case.blocked),
        current,
        retiring_until: retiring.as_ref().map(|(_, until)| *until),
        retiring: retiring.map(|(slot, _)| slot),
        spent,
        body: format!("{{{}}}", members.join(",")),
        ..tokens.row()
    }
}

const NOW: i64 = 1_767_225_600_000;

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap());
static NAMELESS: LazyLock<Tokens> = LazyLock::new(|| Tokens::mint(&[]));
static LIVE: LazyLock<Tokens> = LazyLock::new(|| Tokens::mint(&["live", "test"]));

/// Tokens of one record, with what is stored of each.
struct Tokens {
    format: TokenFormat,
    right: (String, SlotRow),
    /// The same selector and another secret.
    wrong: String,
    newer: (String, SlotRow),
    older: (String, SlotRow),
    row: Row,
}

impl Tokens {
    fn mint(environments: &[&str]) -> Self {
        let format = TokenFormat::builder("vt").environments(environments.iter().copied()).build().unwrap();
        let mint = |selector: u8, secret: u8| {
            let mut grant = Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::Forever);
            grant.environment = environments.first().map(|name| Environment::new(name).unwrap());
            let script = Script(Mutex::new([vec![3; 10], vec![selector; 12], vec![secret; 32]].concat()));
            let minted = grant.mint_with(&format, &KEYRING, millis(NOW - 1000), &script).unwrap();
            (minted.token.expose().to_owned(), minted.record.to_row())
        };
        let of = |(text, row): (String, Row)| (text, row.current);
        let (text, row) = mint(1, 2);
        Self {
            right: (text, row.current.clone()),
            wrong: mint(1, 3).0,
            newer: of(mint(4, 5)),
            older: of(mint(6, 7)),
            row,
            format,
        }
    }

    fn row(&self) -> Row {
        self.row.clone()
    }
}

/// Gives these bytes in turn, then zeros.
#[derive(Debug)]
struct Script(Mutex<Vec<u8>>);

impl Entropy for Script {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut script = self.0.lock().unwrap();
        let given = script.len().min(bytes.len());
        bytes.fill(0);
        bytes[..given].copy_from_slice(&script[..given]);
        script.drain(..given);
        Ok(())
    }
}
