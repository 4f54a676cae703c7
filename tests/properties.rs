//! What holds for every format, token, record and set of scopes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, SystemTime},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use counterfoil::{
    Actor, Alphabet, Annotations, Audience, Checksum, Circumstances, Denial, Digest, Environment, Expiry, Families,
    Family, Grant, Import, KeyId, Keyring, Lifetime, Metadata, Name, Network, Owner, Record, Restrictions, Row, Scope,
    ScopePattern, Scopes, Selector, Timestamp, TokenFormat, TokenId,
    annotation::{Description, Tags},
    check,
    check::selectors,
    digest::{ImportedAlgorithm, ImportedDigests, Over},
    entropy::{Entropy, NoEntropy},
    import::ImportRefused,
    mint::Minted,
    record::{MarkRow, SlotRow},
    token::FormatBuilder,
    verify,
};
use proptest::{collection::vec, option, prelude::*, sample::Index, test_runner::Config};
use sha2::{Digest as _, Sha256};

fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

// Tokens: one text, one token

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn a_minted_token_is_read_back_as_it_was_made(specimen in specimens()) {
        let Specimen { format, environment, routing, minted, .. } = &specimen;
        let text = minted.token.expose();
        let families = Families::minting(format.clone());
        for presented in [format.parse(text).unwrap(), families.parse(text).unwrap()] {
            prop_assert_eq!(presented.environment(), environment.as_deref());
            prop_assert_eq!(presented.routing(), routing.as_deref());
            prop_assert_eq!(presented.public(), minted.token.public());
            prop_assert_eq!(presented.public(), minted.record.public());
            let found = selectors(&presented, &KEYRING).unwrap();
            prop_assert_eq!(presented.selector().is_some(), found.as_slice().len() == 1);
            prop_assert!(found.as_slice().contains(&minted.record.slots().current.selector));
        }
        prop_assert_eq!(minted.record.environment().map(Environment::as_str), environment.as_deref());
        prop_assert!(text.is_ascii() && text.starts_with(minted.token.public()));
        prop_assert_eq!(verdict(format, text, minted.record.to_row()), Ok(()));
        let fits = format.heads().iter().any(|head| {
            text.starts_with(&head.text) && (head.shortest..=head.longest).contains(&text.len())
        });
        prop_assert!(fits, "no head of {:?} fits a text of {} bytes", format.heads(), text.len());
    }

    #[test]
    fn an_edited_token_is_refused(specimen in specimens(), edits in vec(edits(), 24)) {
        let Specimen { format, checksum, minted, .. } = &specimen;
        let text = minted.token.expose();
        for edit in edits {
            let edited = edit.of(text);
            if edited == text {
                continue;
            }
            let found = verdict(format, &edited, minted.record.to_row());
            prop_assert!(found.is_err(), "verified: {:?} of {:?}", edit, text);
            let is_one_character = matches!(edit, Edit::Substitute(..) | Edit::SwapCase(_));
            if is_one_character && *checksum == Checksum::Crc32OfText {
                prop_assert!(format.parse(&edited).is_err(), "read: {:?} of {:?}", edit, text);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_scanner_finds_tokens_and_fakes(specimen in specimens(), before in sample(), after in sample()) {
        let Specimen { format, checksum, minted, .. } = &specimen;
        let pattern = regex::Regex::new(&format.scanner_pattern()).unwrap();
        let text = minted.token.expose();
        let page = format!("{before}{text}{after}");
        prop_assert_eq!(pattern.find(&page).map(|found| found.as_str()), Some(text));
        prop_assert_eq!(pattern.find(text).map(|found| found.as_str()), Some(text));
        for page in [format!("{text}0"), format!("0{text}"), format!("é{text}日"), format!("_{text}_")] {
            prop_assert_eq!(pattern.find(&page).map(|found| found.as_str()), Some(text), "{}", page);
        }

        prop_assert_eq!(format.fake().is_none(), *checksum == Checksum::None);
        if let Some(fake) = format.fake() {
            prop_assert_eq!(pattern.find(&fake).map(|found| found.as_str()), Some(&*fake));
            let is_read = format.parse(&fake).is_ok_and(|presented| selectors(&presented, &KEYRING).is_ok());
            prop_assert!(!is_read, "a fake is read: {}", fake);
        }
    }
}

#[test]
fn no_substitution_passes_a_crc() {
    let crc_of_secret = |prefix| TokenFormat::builder(prefix).without_selector().checksum(Checksum::Crc32OfSecret);
    for format in [
        TokenFormat::builder("acme"),
        TokenFormat::builder("ak").environments(["live", "test"]).selector(Alphabet::Base62, 8),
        TokenFormat::builder("rt").routing(4, 12).without_selector(),
        TokenFormat::builder("hx").selector(Alphabet::Hex, 16).secret(Alphabet::Hex, 32),
        crc_of_secret("gh").secret(Alphabet::Base62, 30),
        crc_of_secret("hs").secret(Alphabet::Hex, 40),
    ] {
        let specimen = Specimen::of(format.build().unwrap(), None, "eu-1", 7);
        let text = specimen.minted.token.expose();
        for (edited, edit) in substitutions(text) {
            assert!(specimen.format.parse(&edited).is_err(), "{edit} of {text}");
        }
    }
}

#[test]
fn no_substitution_insertion_or_deletion_verifies_without_a_checksum() {
    for format in [
        TokenFormat::builder("arka").without_selector().secret(Alphabet::Base62, 37),
        TokenFormat::builder("apt").routing(2, 8).without_selector().secret(Alphabet::Hex, 40),
        TokenFormat::builder("sel").environments(["live", "test"]).selector(Alphabet::Base62, 6),
    ] {
        let specimen = Specimen::of(format.checksum(Checksum::None).build().unwrap(), None, "eu-1", 7);
        let text = specimen.minted.token.expose();
        let deletions = (0..text.len()).map(|at| format!("{}{}", &text[..at], &text[at + 1..]));
        let insertions = (0..=text.len())
            .flat_map(|at| " 0aA_-\0\u{430}".chars().map(move |new| format!("{}{new}{}", &text[..at], &text[at..])));
        for edited in substitutions(text).map(|(edited, _)| edited).chain(deletions).chain(insertions) {
            assert!(
                verdict(&specimen.format, &edited, specimen.minted.record.to_row()).is_err(),
                "{edited} for {text}"
            );
        }
    }
}

fn substitutions(text: &str) -> impl Iterator<Item = (String, String)> {
    (0..text.len()).flat_map(move |at| {
        let new = (0..128_u8).map(char::from).chain("\u{430}\u{ff11}\u{131}".chars());
        new.filter(move |new| !text[at..].starts_with(*new))
            .map(move |new| (format!("{}{new}{}", &text[..at], &text[at + 1..]), format!("{new:?} at {at}")))
    })
}

// Digests: bound to their row

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_digest_in_another_row_verifies_nothing(
        specimen in specimens(),
        id in any::<[u8; 16]>(),
        tenant in option::of(texts()),
        owner in texts(),
    ) {
        let Specimen { format, minted, .. } = &specimen;
        let (text, row) = (minted.token.expose(), minted.record.to_row());
        let tenant = tenant.unwrap_or_default();
        for moved in [
            Row { id: TokenId::from_bytes(id), ..row.clone() },
            Row { owner: owner.clone(), ..row.clone() },
            Row { tenant: tenant.clone(), ..row.clone() },
            Row { tenant: row.owner.clone(), owner: row.tenant.clone(), ..row.clone() },
            Row { tenant: format!("{}{}", row.tenant, &row.owner[..1]), owner: row.owner[1..].into(), ..row.clone() },
            Row { tenant: String::new(), owner: format!("{}{}", row.tenant, row.owner), ..row.clone() },
        ] {
            let is_elsewhere = (moved.id, &moved.tenant, &moved.owner) != (row.id, &row.tenant, &row.owner);
            if is_elsewhere && !moved.owner.is_empty() {
                prop_assert_eq!(verdict(format, text, moved), Err(Some(Denial::WrongSecret)));
            }
        }
    }

    #[test]
    fn a_slot_swapped_between_two_records_verifies_nothing(one in specimens(), seed in any::<u64>()) {
        let routing = one.routing.as_deref().unwrap_or_default();
        let other = Specimen::of(one.format.clone(), one.environment.as_deref(), routing, seed);
        let (row, other_row) = (one.minted.record.to_row(), other.minted.record.to_row());
        prop_assume!(row.id != other_row.id);
        let text = one.minted.token.expose();
        let elsewhere = Row { current: row.current.clone(), ..other_row.clone() };
        prop_assert_eq!(verdict(&one.format, text, elsewhere), Err(Some(Denial::WrongSecret)));
        let digest_of_other = SlotRow { selector: row.current.selector.clone(), ..other_row.current.clone() };
        let mixed = Row { current: digest_of_other, ..row.clone() };
        prop_assert_eq!(verdict(&one.format, text, mixed), Err(Some(Denial::WrongSecret)));
        prop_assert_eq!(verdict(&one.format, text, other_row.clone()), Err(Some(Denial::Unknown)));
        let spare = Row { spent: Some(row.current.clone()), current: other_row.current, ..row.clone() };
        prop_assert_eq!(verdict(&one.format, text, spare), Err(Some(Denial::Superseded)));
    }

    #[test]
    fn a_digest_under_the_name_of_another_key_verifies_nothing(specimen in specimens()) {
        let row = specimen.minted.record.to_row();
        let current = SlotRow {
            digest: row.current.digest.replace("$key=new$", "$key=old$"),
            key: "old".into(),
            ..row.current.clone()
        };
        prop_assert_ne!(&current.digest, &row.current.digest);
        let found = verdict(&specimen.format, specimen.minted.token.expose(), Row { current, ..row });
        prop_assert_eq!(found, Err(Some(Denial::WrongSecret)));
    }
}

#[cfg(feature = "argon2")]
#[test]
fn a_slow_digest_in_another_row_verifies_nothing() {
    use counterfoil::{Argon2Bounds, Argon2Cost};

    let cost = Argon2Cost::new(64, 1, 1).unwrap();
    let keyring =
        KEYRING.clone().with_argon2_bounds(Argon2Bounds::new(cost, cost)).unwrap().with_argon2id(cost).unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let grant = || Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::Forever);
    let minted = grant().mint_with(&format, &keyring, now(), &Seeded::new(1)).unwrap();
    let other = grant().mint_with(&format, &keyring, now(), &Seeded::new(2)).unwrap();
    let (text, row) = (minted.token.expose(), minted.record.to_row());
    let found = |text: &str, row: Row| verdict_with(&format, text, row, &keyring);
    assert_eq!(found(text, row.clone()), Ok(()));
    for moved in [
        Row { id: TokenId::from_bytes([0; 16]), ..row.clone() },
        Row { owner: "user-43".into(), ..row.clone() },
        Row { tenant: "other".into(), ..row.clone() },
        Row { tenant: String::new(), ..row.clone() },
        Row { tenant: "acmeuser".into(), owner: "-42".into(), ..row.clone() },
        Row { current: row.current.clone(), ..other.record.to_row() },
        Row { current: SlotRow { digest: other.record.to_row().current.digest, ..row.current.clone() }, ..row.clone() },
    ] {
        assert_eq!(found(text, moved), Err(Some(Denial::WrongSecret)));
    }
    assert_eq!(found(other.token.expose(), row), Err(Some(Denial::Unknown)));
}

// Digests of other software

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn an_imported_token_verifies_however_its_digest_is_spelt_and_no_edit_of_it_does(
        specimen in specimens(),
        over in prop_oneof![Just(Over::Secret), Just(Over::Text)],
        is_upper in any::<bool>(),
        edits in vec(edits(), 24),
    ) {
        let Specimen { format, checksum, minted, .. } = &specimen;
        let text = minted.token.expose();
        let check_width = match (checksum, text.len()) {
            (Checksum::None, _) => 0,
            _ if format.needs().secret.0 == Alphabet::Hex => 8,
            _ => 6,
        };
        let covered = &text[..text.len() - check_width];
        let hashed = if over == Over::Text { text } else { &covered[covered.len() - format.needs().secret.1..] };
        let hash = Sha256::digest(hashed);
        let hex = if is_upper { hex::encode_upper(hash) } else { hex::encode(hash) };
        let digest = Digest::imported(ImportedAlgorithm::Sha256, &hex, over).unwrap();
        for spelling in [STANDARD.encode(hash), STANDARD_NO_PAD.encode(hash), URL_SAFE.encode(hash), URL_SAFE_NO_PAD.encode(hash)] {
            let read = Digest::imported(ImportedAlgorithm::Sha256, &spelling, over).unwrap();
            prop_assert_eq!(read.to_text(), digest.to_text());
        }
        prop_assert_eq!(digest.to_text().parse::<Digest>().unwrap().to_text(), digest.to_text());

        let import = Import::new(minted.record.owner().clone(), minted.token.public(), digest, now(), Expiry::Never);
        let record = match import.into_record(&Families::minting(format.clone())) {
            Err(ImportRefused::NotAccepted) => return Ok(()),
            record => record.unwrap(),
        };
        prop_assert_eq!((record.environment(), record.routing()), (minted.record.environment(), minted.record.routing()));
        let row = record.to_row();
        prop_assert_eq!(verdict(format, text, row.clone()), Ok(()));
        for edit in edits {
            let edited = edit.of(text);
            if edited != text {
                prop_assert!(verdict(format, &edited, row.clone()).is_err(), "{edit:?}");
            }
        }
    }
}

// Garbage: refused, never a panic

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn garbage_is_refused(specimen in specimens(), garbage in garbage(), at in any::<Index>()) {
        let Specimen { format, minted, .. } = &specimen;
        let (text, row) = (minted.token.expose(), minted.record.to_row());
        let head = &format.heads()[0].text;
        let (front, back) = text.split_at(at.index(text.len() + 1));
        for text in [
            garbage.clone(),
            format!("{head}{garbage}"),
            format!("{}{garbage}", minted.token.public()),
            format!("{front}{garbage}"),
            format!("{front}{garbage}{back}"),
            format!("{garbage}{back}"),
        ] {
            if text != minted.token.expose() {
                prop_assert!(verdict(format, &text, row.clone()).is_err());
                prop_assert_eq!(Families::minting(format.clone()).parse(&text).is_ok(), format.parse(&text).is_ok());
            }
        }
    }

    #[test]
    fn no_reader_panics_on_garbage(garbage in garbage(), head in sample()) {
        for text in [
            garbage.clone(),
            format!("{head}{garbage}"),
            format!("$argon2id$v=19${garbage}"),
            format!("$imported$over={garbage}"),
            format!("$imported$over=text$sha256${garbage}"),
            format!("k1:{garbage}:mint"),
        ] {
            let _ = (text.parse::<Keyring>().is_ok(), text.parse::<KeyId>().is_ok(), text.parse::<TokenId>().is_ok());
            let _ = (text.parse::<Scopes>().is_ok(), text.parse::<ScopePattern>().is_ok());
            let _ = text.parse::<Network>().is_ok();
            let _ = (Environment::new(&text).is_ok(), Metadata::from_json(&text).is_ok(), Owner::new(&text).is_ok());
            let _ = TokenFormat::builder(&text).environments([&*text]).build().is_ok();
            for over in [Over::Secret, Over::Text] {
                for algorithm in [ImportedAlgorithm::Sha256, ImportedAlgorithm::Sha512, ImportedAlgorithm::Argon2id] {
                    if let Ok(digest) = Digest::imported(algorithm, &text, over) {
                        prop_assert_eq!(digest.to_text().parse::<Digest>().unwrap().to_text(), digest.to_text());
                    }
                }
            }
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_text(), text.clone());
            }
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.as_str(), &*text);
            }
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.as_str(), &*text);
            }
        }
    }

    #[test]
    fn a_row_of_garbage_is_refused_or_kept(
        specimen in specimens(),
        garbage in garbage(),
        number in prop_oneof![any::<i64>(), 0..i64::from(u16::MAX), NOW..NOW + 1000],
        column in 0..14_u8,
    ) {
        let mut row = specimen.minted.record.to_row();
        match column {
            0 => row.tenant = garbage,
            1 => row.owner = garbage,
            2 => row.version = number,
            3 => row.digest_version = number,
            4 => row.created_at = number,
            5 => row.expires_at = Some(number),
            6 => row.revoked = Some(MarkRow { at: number, detail: format!("{{\"reason\":{garbage:?}}}") }),
            7 => row.suspended = Some(MarkRow { at: NOW, detail: garbage }),
            8 => row.current.selector = garbage,
            9 => row.current.digest = garbage,
            10 => row.current.key = garbage,
            11 => row.retiring_until = Some(number),
            12 => row.body = garbage,
            _ => row.body = format!("{{\"v\":1,\"public\":\"\",{garbage:?}:{number}}}"),
        }
        if let Ok(record) = Record::from_row(row) {
            let kept = record.to_row();
            prop_assert_eq!(Record::from_row(kept.clone()).unwrap().to_row(), kept);
        }
    }
}

// Rows: read as they were written

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_record_is_the_same_after_its_row((row, grant) in rows()) {
        let record = Record::from_row(row.clone()).unwrap();
        prop_assert_eq!(&record.to_row(), &row);
        prop_assert_eq!(format!("{:?}", Record::from_row(record.to_row()).unwrap()), format!("{record:?}"));
        prop_assert_eq!(record.annotations(), &grant.annotations);
        prop_assert_eq!(record.scopes(), &grant.scopes);
        prop_assert_eq!(record.restrictions(), &grant.restrictions);
        prop_assert_eq!(record.owner(), &grant.owner);
        prop_assert_eq!(record.created_by(), grant.by.as_ref());
        prop_assert_eq!(record.environment(), grant.environment.as_ref());
        prop_assert_eq!(record.created_at(), now());
        prop_assert_eq!(record.expiry().at().map(Timestamp::unix_millis), row.expires_at);
        for (mark, column) in [
            (record.revoked(), &row.revoked),
            (record.suspended(), &row.suspended),
            (record.blocked(), &row.blocked),
        ] {
            prop_assert_eq!(mark.map(|mark| mark.at.unix_millis()), column.as_ref().map(|mark| mark.at));
        }
    }
}

#[test]
fn metadata_with_floats_are_the_same_after_a_row() {
    for number in ["1.0715660391465825e-75", "3.0261999441573207e-52", "6.4660538264326985e-236"] {
        let metadata = Metadata::from_json(&format!(r#"{{"a":{number}}}"#)).unwrap();
        assert_eq!(metadata.as_json(), format!(r#"{{"a":{number}}}"#));
        let row = minted_with(metadata.clone()).record.to_row();
        assert_eq!(Record::from_row(row).unwrap().annotations().metadata, metadata);
    }
}

#[test]
fn metadata_that_are_accepted_can_be_read_from_the_row() {
    for depth in 1..200 {
        let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let Ok(metadata) = Metadata::from_json(&nested) else { continue };
        assert!(Record::from_row(minted_with(metadata).record.to_row()).is_ok(), "{depth} lists in metadata");
    }
}

fn minted_with(metadata: Metadata) -> Minted {
    let format = TokenFormat::builder("acme").build().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::Forever).metadata(metadata);
    grant.mint_with(&format, &KEYRING, now(), &Seeded::new(1)).unwrap()
}

// Families: each text has one

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn families_accepted_together_never_read_one_text(specs in vec(look_alikes(), 2..5), seed in any::<u64>()) {
        let mut families: Option<Families> = None;
        let mut accepted: Vec<&Spec> = Vec::new();
        for spec in &specs {
            let format = spec.build();
            let all = match &families {
                None => Families::minting(format),
                Some(families) => match families.clone().accepting(format) {
                    Ok(all) => all,
                    Err(_) => continue,
                },
            };
            families = Some(all);
            accepted.push(spec);
        }
        for (at, spec) in accepted.iter().enumerate() {
            for routing in ["a", "b", "live", "aaaaaaa"] {
                for environment in spec.environments.iter().map(Some).chain([None]) {
                    let Some(minted) = spec.try_mint(environment.map(|name| &**name), routing, seed) else { continue };
                    let text = minted.token.expose();
                    for (other_at, other) in accepted.iter().enumerate() {
                        prop_assert_eq!(other.build().parse(text).is_ok(), other_at == at, "{} by {:?}", text, other);
                    }
                    prop_assert!(families.as_ref().unwrap().parse(text).is_ok());
                }
            }
        }
    }
}

#[test]
fn families_that_read_one_text_are_refused() {
    let format = TokenFormat::builder;
    for (one, other) in [
        (format("a"), format("a")),
        (format("a_live"), format("a").environments(["live"])),
        (format("a").routing(1, 8), format("a_live")),
        (format("a").routing(1, 8), format("a").environments(["live"])),
        (format("a").routing(1, 8).without_selector(), format("a_b").without_selector()),
        (
            format("a").selector(Alphabet::Base62, 6).without_selector().routing(6, 6),
            format("a").selector(Alphabet::Base62, 6),
        ),
    ] {
        let (one, other) = (one.build().unwrap(), other.build().unwrap());
        assert!(Families::minting(one.clone()).accepting(other.clone()).is_err(), "{one:?} {other:?}");
        assert!(Families::minting(other.clone()).accepting(one.clone()).is_err(), "{other:?} {one:?}");
    }
}

// Scopes

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_scope_is_held_as_it_stands_or_below_a_pattern(scopes in scopes()) {
        for scope in universe(&[&scopes]) {
            let is_held = scopes.texts().any(|text| match text.strip_suffix(":*") {
                None => text == scope.as_str(),
                Some(stem) => {
                    let stem: Vec<_> = stem.split(':').collect();
                    let scope: Vec<_> = scope.as_str().split(':').collect();
                    scope.len() > stem.len() && scope.starts_with(&stem)
                }
            });
            prop_assert_eq!(scopes.allow(&scope), is_held, "{} of {}", scope, scopes);
        }
    }

    #[test]
    fn an_intersection_allows_what_both_allow(one in scopes(), other in scopes()) {
        let both = one.intersection(&other);
        for scope in universe(&[&one, &other]) {
            prop_assert_eq!(both.allow(&scope), one.allow(&scope) && other.allow(&scope), "{}", scope);
        }
        prop_assert!(one.cover(&both) && other.cover(&both));
        prop_assert_eq!(&other.intersection(&one), &both);
        prop_assert_eq!(&one.intersection(&one).intersection(&other), &both);
        prop_assert_eq!(one.intersection(&Scopes::none()), Scopes::none());
    }

    #[test]
    fn a_cover_allows_what_is_covered(one in scopes(), other in scopes()) {
        let allows_all = universe(&[&one, &other]).iter().all(|scope| one.allow(scope) || !other.allow(scope));
        prop_assert_eq!(one.cover(&other), allows_all);
        prop_assert!(one.cover(&one) && one.cover(&Scopes::none()));
        let mut more = one.clone();
        for scope in other.exact() {
            more.insert(scope.clone()).unwrap();
        }
        for pattern in other.patterns() {
            more.insert_pattern(pattern.clone()).unwrap();
        }
        prop_assert!(more.cover(&one) && more.cover(&other));
        prop_assert_eq!(one.cover(&other), one.cover(&more));
    }

    #[test]
    fn what_is_beyond_is_each_that_is_not_covered(one in scopes(), other in scopes()) {
        let beyond = one.beyond(&other);
        for text in one.texts() {
            let alone = Scopes::from_texts([text]).unwrap();
            prop_assert_eq!(beyond.texts().any(|named| named == text), !other.cover(&alone), "{}", text);
        }
        prop_assert!(one.cover(&beyond));
    }

    #[test]
    fn scopes_are_read_as_they_are_written(scopes in scopes()) {
        prop_assert_eq!(&scopes.to_string().parse::<Scopes>().unwrap(), &scopes);
        prop_assert_eq!(&Scopes::from_texts(scopes.texts()).unwrap(), &scopes);
        let mut backwards: Vec<_> = scopes.texts().collect();
        backwards.reverse();
        prop_assert_eq!(&Scopes::from_texts(backwards.iter().chain(&backwards).copied()).unwrap(), &scopes);
    }

    #[test]
    fn scope_has_the_characters_of_the_rfc_without_separators(text in "[!-~ ]{0,12}|[a-b:*]{0,8}") {
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\*,;".contains(&byte))
        };
        prop_assert_eq!(text.parse::<Scope>().is_ok(), text.split(':').all(is_segment));
        let is_pattern = text.strip_suffix(":*").is_some_and(|stem| stem.split(':').all(is_segment));
        prop_assert_eq!(text.parse::<ScopePattern>().is_ok(), is_pattern);
    }
}

#[test]
fn an_intersection_is_no_larger_than_a_set_may_be() {
    let set = |own: &str, other: &str| {
        let exact = (1..Scopes::MAX_COUNT).map(|number| format!("{own}:{number}"));
        exact.chain([format!("{other}:*")]).collect::<Vec<_>>().join(" ").parse::<Scopes>().unwrap()
    };
    let both = set("a", "b").intersection(&set("b", "a"));
    assert!(both.len() <= Scopes::MAX_COUNT, "{} scopes", both.len());
    assert_eq!(both.to_string().parse::<Scopes>().unwrap(), both);
}

// Time

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn arithmetic_on_time_is_exact_or_refused(
        at in Timestamp::MIN.unix_millis()..=Timestamp::MAX.unix_millis(),
        duration in prop_oneof![
            (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
            (0..400_000_000_000_u64).prop_map(Duration::from_secs),
            (0..5_000_000_u64).prop_map(Duration::from_micros),
            Just(Duration::MAX),
        ],
    ) {
        let start = Timestamp::from_unix_millis(at).unwrap();
        let in_range = |millis: i128| {
            let range = i128::from(Timestamp::MIN.unix_millis())..=i128::from(Timestamp::MAX.unix_millis());
            range.contains(&millis).then_some(millis)
        };
        let found = |end: Result<Timestamp, _>| end.ok().map(|end: Timestamp| i128::from(end.unix_millis()));
        let whole = i128::try_from(duration.as_millis()).unwrap();
        prop_assert_eq!(found(start.checked_add(duration)), in_range(i128::from(at) + whole));
        prop_assert_eq!(found(start.checked_sub(duration)), in_range(i128::from(at) - whole));
        let begins = whole > 0 && start.checked_add(duration).is_ok();
        prop_assert_eq!(Lifetime::For(duration).starting(start).is_ok(), begins);
    }

    #[test]
    fn a_moment_is_the_same_in_every_form(
        at in Timestamp::MIN.unix_millis()..=Timestamp::MAX.unix_millis(),
        nanos in 0..1_000_000_u32,
    ) {
        let moment = Timestamp::from_unix_millis(at).unwrap();
        let within = Duration::from_nanos(nanos.into());
        prop_assert_eq!(Timestamp::try_from(SystemTime::from(moment) + within).unwrap(), moment);
        prop_assert_eq!(Timestamp::try_from(time::OffsetDateTime::from(moment) + within).unwrap(), moment);
        let text = moment.to_string();
        let format = &time::format_description::well_known::Rfc3339;
        prop_assert_eq!(Timestamp::try_from(time::OffsetDateTime::parse(&text, format).unwrap()).unwrap(), moment);
    }

    #[test]
    fn a_number_outside_of_the_era_is_no_moment(millis in any::<i64>()) {
        let era = Timestamp::MIN.unix_millis()..=Timestamp::MAX.unix_millis();
        prop_assert_eq!(Timestamp::from_unix_millis(millis).is_ok(), era.contains(&millis));
        prop_assert!(Timestamp::from_unix_millis(millis % 1_000_000_000_000 / 1000).is_err());
    }
}

// What is drawn

const NOW: i64 = 1_767_225_600_000;

fn now() -> Timestamp {
    Timestamp::from_unix_millis(NOW).unwrap()
}

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    "old:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=,new:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint"
        .parse()
        .unwrap()
});

/// The verdict on a text and a row; `Err(None)` if the text is refused before.
fn verdict(format: &TokenFormat, text: &str, row: Row) -> Result<(), Option<Denial>> {
    verdict_with(format, text, row, &KEYRING)
}

fn verdict_with(format: &TokenFormat, text: &str, row: Row, keyring: &Keyring) -> Result<(), Option<Denial>> {
    let presented = format.parse(text).map_err(|_| None)?;
    let record = Arc::new(Record::from_row(row).unwrap());
    let checked = check(presented, Some(&record), keyring).unwrap();
    let mut at = Circumstances::at(now());
    at.environments = format.environments();
    verify(checked, Some(record), &at).map(|_| ()).map_err(Some)
}

/// All that a builder takes.
#[derive(Debug, Clone)]
struct Spec {
    prefix: String,
    environments: BTreeSet<String>,
    routing: Option<(usize, usize)>,
    selector: Option<(Alphabet, usize)>,
    secret: (Alphabet, usize),
    checksum: Checksum,
    hint: usize,
}

impl Spec {
    fn build(&self) -> TokenFormat {
        self.builder().build().unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// With SHA-256 imports, where there can be any.
    fn build_accepting(&self) -> TokenFormat {
        let sha256 = self.checksum != Checksum::Keyed;
        let format = self.builder().accepts_imported(ImportedDigests { sha256, ..ImportedDigests::default() });
        format.build().unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    fn builder(&self) -> FormatBuilder {
        let mut format = TokenFormat::builder(&self.prefix)
            .environments(self.environments.iter().map(String::as_str))
            .secret(self.secret.0, self.secret.1)
            .checksum(self.checksum)
            .hint(self.hint);
        if let Some((least, most)) = self.routing {
            format = format.routing(least, most);
        }
        match self.selector {
            Some((alphabet, width)) => format.selector(alphabet, width),
            None => format.without_selector(),
        }
    }

    fn try_mint(&self, environment: Option<&str>, routing: &str, seed: u64) -> Option<Minted> {
        let mut grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::Forever);
        grant.environment = environment.map(|name| Environment::new(name).unwrap());
        grant.routing = self.routing.map(|_| routing.into());
        grant.mint_with(&self.build(), &KEYRING, now(), &Seeded::new(seed)).ok()
    }
}

#[derive(Debug)]
struct Specimen {
    format: TokenFormat,
    checksum: Checksum,
    environment: Option<String>,
    routing: Option<String>,
    minted: Minted,
}

impl Specimen {
    /// A token of `format`, in its first environment if none is named, routed if it has routing.
    fn of(format: TokenFormat, environment: Option<&str>, routing: &str, seed: u64) -> Self {
        let environment = environment.or(format.environments().first().map(Environment::as_str)).map(str::to_owned);
        let routing = format.scanner_pattern().contains("[0-9A-Za-z-]").then(|| routing.to_owned());
        let mut grant = Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::Forever);
        grant.environment = environment.as_deref().map(|name| Environment::new(name).unwrap());
        grant.routing.clone_from(&routing);
        let minted = grant.mint_with(&format, &KEYRING, now(), &Seeded::new(seed)).unwrap();
        Self { format, checksum: Checksum::None, environment, routing, minted }
    }
}

fn alphabets() -> impl Strategy<Value = Alphabet> {
    prop_oneof![Just(Alphabet::Base62), Just(Alphabet::Hex)]
}

fn checksums() -> impl Strategy<Value = Checksum> {
    prop_oneof![Just(Checksum::None), Just(Checksum::Crc32OfSecret), Just(Checksum::Crc32OfText), Just(Checksum::Keyed)]
}

/// A secret, and a hint that leaves enough of it, over the whole range.
fn secrets() -> impl Strategy<Value = ((Alphabet, usize), usize)> {
    let least = |alphabet| if alphabet == Alphabet::Hex { 32 } else { 22 };
    let width = move |alphabet| prop_oneof![3 => least(alphabet)..=48, 1 => least(alphabet)..=256];
    let with_hint = move |(alphabet, width): (Alphabet, usize)| (Just((alphabet, width)), 0..=width - least(alphabet));
    alphabets().prop_flat_map(move |alphabet| (Just(alphabet), width(alphabet))).prop_flat_map(with_hint)
}

fn specs() -> impl Strategy<Value = Spec> {
    let ranges = (1..=64_usize).prop_flat_map(|least| (Just(least), least..=64));
    let environments = proptest::collection::btree_set("[a-z0-9]{1,16}", 0..=16);
    (
        "[A-Za-z]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?",
        prop_oneof![Just(BTreeSet::new()), environments],
        option::of(ranges),
        option::of((alphabets(), 6..=40_usize)),
        secrets(),
        checksums(),
    )
        .prop_map(|(prefix, environments, routing, selector, (secret, hint), checksum)| {
            let hint = if selector.is_some() { 0 } else { hint };
            Spec { prefix, environments, routing, selector, secret, checksum, hint }
        })
}

/// Formats so alike that they often read each other's texts.
fn look_alikes() -> impl Strategy<Value = Spec> {
    let environments = proptest::collection::btree_set(prop_oneof![Just("a"), Just("b"), Just("live")], 0..=2);
    (
        prop_oneof![Just("a"), Just("a_a"), Just("a_b"), Just("a_live"), Just("a_a_b"), Just("b")],
        environments,
        option::of((1..=4_usize).prop_flat_map(|least| (Just(least), least..=8))),
        option::of(Just(6_usize)),
        22..=24_usize,
        prop_oneof![Just(Checksum::None), Just(Checksum::Crc32OfText)],
    )
        .prop_map(|(prefix, environments, routing, selector, width, checksum)| Spec {
            prefix: prefix.into(),
            environments: environments.into_iter().map(str::to_owned).collect(),
            routing,
            selector: selector.map(|width| (Alphabet::Base62, width)),
            secret: (Alphabet::Base62, width),
            checksum,
            hint: 0,
        })
}

fn specimens() -> impl Strategy<Value = Specimen> {
    let routing = "[0-9A-Za-z-]{64}";
    (specs(), any::<Index>(), routing, any::<Index>(), any::<u64>()).prop_map(|(spec, named, routing, width, seed)| {
        let names: Vec<_> = spec.environments.iter().collect();
        let environment = (!names.is_empty()).then(|| names[named.index(names.len())].as_str());
        let (least, most) = spec.routing.unwrap_or_default();
        let width = least + width.index(most - least + 1);
        let format = if seed % 4 == 0 { spec.build() } else { spec.build_accepting() };
        let specimen = Specimen::of(format, environment, &routing[..width], seed);
        Specimen { checksum: spec.checksum, ..specimen }
    })
}

#[derive(Debug, Clone)]
enum Edit {
    Substitute(Index, char),
    SwapCase(Index),
    Insert(Index, char),
    Delete(Index),
    Swap(Index),
    CutFront(Index),
    CutBack(Index),
    Upper,
    Lower,
    Surround(&'static str, &'static str),
    Twice,
}

impl Edit {
    fn of(&self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        let at = |index: &Index| index.index(text.len());
        match self {
            Self::Substitute(index, new) => characters[at(index)] = *new,
            Self::SwapCase(index) => {
                let character = &mut characters[at(index)];
                let is_upper = character.is_ascii_uppercase();
                *character = if is_upper { character.to_ascii_lowercase() } else { character.to_ascii_uppercase() };
            }
            Self::Insert(index, new) => characters.insert(index.index(text.len() + 1), *new),
            Self::Delete(index) => drop(characters.remove(at(index))),
            Self::Swap(index) => characters.swap(at(index), (at(index) + 1) % text.len()),
            Self::CutFront(index) => drop(characters.drain(..at(index))),
            Self::CutBack(index) => characters.truncate(at(index)),
            Self::Upper => characters.iter_mut().for_each(|character| character.make_ascii_uppercase()),
            Self::Lower => characters.iter_mut().for_each(|character| character.make_ascii_lowercase()),
            Self::Surround(before, after) => return format!("{before}{text}{after}"),
            Self::Twice => return text.repeat(2),
        }
        characters.into_iter().collect()
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    let range = proptest::char::range;
    let new = move || prop_oneof![4 => range(' ', '~'), 1 => range('\0', '\u{7f}'), 1 => any::<char>()];
    let white =
        || prop_oneof![Just(""), Just(" "), Just("\t"), Just("\n"), Just("\r\n"), Just("\u{a0}"), Just("\u{feff}")];
    prop_oneof![
        6 => (any::<Index>(), new()).prop_map(|(at, new)| Edit::Substitute(at, new)),
        3 => any::<Index>().prop_map(Edit::SwapCase),
        3 => (any::<Index>(), new()).prop_map(|(at, new)| Edit::Insert(at, new)),
        2 => any::<Index>().prop_map(Edit::Delete),
        2 => any::<Index>().prop_map(Edit::Swap),
        1 => any::<Index>().prop_map(Edit::CutFront),
        1 => any::<Index>().prop_map(Edit::CutBack),
        1 => prop_oneof![Just(Edit::Upper), Just(Edit::Lower), Just(Edit::Twice)],
        2 => (white(), white()).prop_map(|(before, after)| Edit::Surround(before, after)),
    ]
}

/// What may stand beside a token on a page.
fn sample() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just(""),
        Just(" "),
        Just("\""),
        Just("\n"),
        Just("'"),
        Just("="),
        Just(": "),
        Just(","),
        Just("/"),
        Just("."),
        Just("-")
    ]
}

fn garbage() -> impl Strategy<Value = String> {
    let any_characters = vec(any::<char>(), 0..=600).prop_map(|characters| characters.into_iter().collect::<String>());
    prop_oneof![any_characters, "[ -~]{0,600}", "[0-9A-Za-z_]{0,80}", "[$,=~:*{}\\[\\]0-9a-z\"]{0,40}"]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9-]{1,12}", "\\PC{1,60}"]
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("ab"), Just("read"), Just("reads")]
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let text = (vec(names(), 1..=3), any::<bool>()).prop_map(|(segments, is_pattern)| {
        let text = segments.join(":");
        if is_pattern { format!("{text}:*") } else { text }
    });
    vec(text, 0..8).prop_map(|texts| Scopes::from_texts(texts.iter().map(String::as_str)).unwrap())
}

/// Every scope that could tell two of these sets apart: all of up to three names, and a new one below each pattern.
fn universe(sets: &[&Scopes]) -> Vec<Scope> {
    const NAMES: [&str; 5] = ["a", "b", "ab", "read", "reads"];
    let mut texts: Vec<String> = NAMES.map(str::to_owned).into();
    let mut last = texts.clone();
    for _ in 0..2 {
        last = last.iter().flat_map(|text| NAMES.map(|name| format!("{text}:{name}"))).collect();
        texts.extend_from_slice(&last);
    }
    let patterns = sets.iter().flat_map(|set| set.patterns());
    texts.extend(patterns.flat_map(|pattern| ["new", "new:new"].map(|new| pattern.as_str().replace('*', new))));
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Rows as a store gives them back: of a minted record, with columns that a registry may set; and what was granted.
fn rows() -> impl Strategy<Value = (Row, Grant)> {
    let mark = || {
        let detail = prop_oneof![
            Just("{}".to_owned()),
            Just(r#"{"by":"admin:7"}"#.to_owned()),
            Just(r#"{"by":"admin:7","claimed_by":"ann","reason":"a \"quoted\" ž"}"#.to_owned()),
        ];
        option::of((NOW..NOW + 1000, detail).prop_map(|(at, detail)| MarkRow { at, detail }))
    };
    let network = prop_oneof![
        (any::<u32>(), 0..=32_u32).prop_map(|(address, width)| {
            let kept = address & u32::MAX.checked_shl(32 - width).unwrap_or(0);
            format!("{}/{width}", std::net::Ipv4Addr::from(kept))
        }),
        (any::<u64>(), 0..=64_u32).prop_map(|(address, width)| {
            let kept = u128::from(address & u64::MAX.checked_shl(64 - width).unwrap_or(0)) << 64;
            format!("{}/{width}", std::net::Ipv6Addr::from(kept))
        }),
    ];
    let restrictions = (vec(network, 0..4), option::of(texts())).prop_map(|(networks, audience)| {
        let mut restrictions = Restrictions::none();
        for network in networks {
            restrictions.add_network(network.parse().unwrap()).unwrap();
        }
        if let Some(audience) = audience {
            restrictions.set_audience(Audience::new(audience).unwrap());
        }
        restrictions
    });
    let metadata = prop_oneof![
        Just("{}".to_owned()),
        (texts(), any::<i64>(), any::<u64>(), any::<bool>()).prop_map(|(text, signed, unsigned, is)| format!(
            r#"{{"t":{:?},"n":[{signed},{unsigned},{is},null]}}"#,
            text.escape_default().to_string().replace('\\', "")
        )),
    ];
    let annotations = (option::of(texts()), option::of(texts()), vec(texts(), 0..4), metadata).prop_map(
        |(name, description, tags, metadata)| Annotations {
            name: name.map(|text| Name::new(text).unwrap()),
            description: description.map(|text| Description::new(text).unwrap()),
            tags: Tags::from_texts(tags.iter().filter(|tag| tag.len() <= 64).map(String::as_str)).unwrap(),
            metadata: Metadata::from_json(&metadata).unwrap(),
        },
    );
    let wishes = (option::of(texts()), texts(), option::of(texts()), scopes(), restrictions, annotations);
    let marks = (mark(), mark(), mark());
    let facts = (1..i64::MAX, 1..i64::MAX, option::of(NOW + 1..NOW + 1000), option::of(NOW..NOW + 1000), any::<bool>());
    (specs(), any::<u64>(), wishes, marks, facts).prop_map(|(spec, seed, wishes, marks, facts)| {
        let (tenant, owner, by, scopes, restrictions, annotations) = wishes;
        let owner = match tenant {
            None => Owner::new(owner),
            Some(tenant) => Owner::in_tenant(tenant, owner),
        };
        let format = spec.build();
        let mut grant = Grant::new(owner.unwrap(), Lifetime::Forever)
            .scopes(scopes)
            .restrictions(restrictions)
            .annotations(annotations);
        grant.by = by.map(|text| Actor::new(text).unwrap());
        grant.environment = format.environments().first().cloned();
        grant.routing = spec.routing.map(|(_, most)| "r".repeat(most));
        let mint =
            |seed| grant.clone().mint_with(&format, &KEYRING, now(), &Seeded::new(seed)).unwrap().record.to_row();
        let (version, digest_version, expires_at, retiring_until, is_spent) = facts;
        let row = Row {
            version,
            digest_version,
            expires_at,
            revoked: marks.0,
            suspended: marks.1,
            blocked: marks.2,
            retiring: retiring_until.map(|_| mint(seed ^ 1).current),
            retiring_until,
            spent: is_spent.then(|| mint(seed ^ 2).current),
            ..mint(seed)
        };
        (row, grant.clone())
    })
}

/// Random bytes that are the same for the same seed (SplitMix64).
#[derive(Debug)]
struct Seeded(Mutex<u64>);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut state = self.0.lock().unwrap();
        bytes.fill_with(|| {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ mixed >> 31) as u8
        });
        Ok(())
    }
}
