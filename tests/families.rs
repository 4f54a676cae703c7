//! A family of the host's own is held to what it promises before anything is handed out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use counterfoil::{
    Alphabet, Audience, By, Environment, Expiry, Family, Grant, Keyring, Lifetime, Owner, Record, Restrictions,
    Rotation, Timestamp,
    change::{Change, ChangeRefused},
    rotate::rotate,
    token::{Draft, Head, InvalidDraft, Malformed, Needs, ParseError, Presented, Selector, TokenText},
};

/// `x-`, 8 characters of selector, and a secret; faulty in one way or none.
#[derive(Debug, Clone, Copy)]
struct Own {
    secret_width: usize,
    reads_selector_from: usize,
    writes: &'static str,
}

const SOUND: Own = Own { secret_width: 32, reads_selector_from: 2, writes: "x-" };

impl Family for Own {
    fn heads(&self) -> Vec<Head> {
        vec![Head { text: "x-".into(), shortest: 10, longest: 10 + self.secret_width }]
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let selector = text.get(self.reads_selector_from..self.reads_selector_from + 8).ok_or(Malformed::Shape)?;
        Ok(Presented::new(text, 10, Selector::printed(selector).ok()))
    }

    fn needs(&self) -> Needs {
        Needs { selector: Some((Alphabet::Hex, 8)), secret: (Alphabet::Hex, self.secret_width), keyed_check: None }
    }

    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        let mut text = TokenText::with_capacity(10 + self.secret_width);
        text.push(self.writes);
        text.push(draft.selector);
        text.end_public();
        text.push(draft.secret);
        Ok(text)
    }
}

fn minted(family: Own, environment: Option<&str>) -> String {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
    let grant = Grant { environment: environment.map(|name| Environment::new(name).unwrap()), ..grant };
    let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
    grant.mint(&family, &keyring, now).map_or_else(|error| error.to_string(), |_| "minted".into())
}

#[test]
fn only_a_sound_family_mints() {
    let weak = "the token family asks for Needs { selector: Some((Hex, 8)), secret: (Hex, 31), keyed_check: None }: \
                expected a secret of at least 128 bits, and short segments";
    let other = "the token family does not read a token as it wrote it: token is not of the format's shape";
    let unprintable = "the token family does not read a token as it wrote it: token holds a character outside of its \
                       alphabet";
    for (family, environment, outcome) in [
        (SOUND, None, "minted"),
        (Own { secret_width: 31, ..SOUND }, None, weak),
        (Own { reads_selector_from: 3, ..SOUND }, None, other),
        (SOUND, Some("live"), other), // it does not write the environment
        (Own { writes: "x ", ..SOUND }, None, unprintable),
    ] {
        assert_eq!(minted(family, environment), outcome, "{family:?}");
    }
}

/// A family whose text names its end, and holds all that a draft has.
#[derive(Debug)]
struct Stating;

impl Family for Stating {
    fn heads(&self) -> Vec<Head> {
        SOUND.heads()
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        SOUND.parse(text)
    }

    fn needs(&self) -> Needs {
        SOUND.needs()
    }

    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        let mut text = SOUND.write(draft)?;
        let audience = draft.restrictions.audience().map_or("any", Audience::as_str);
        let owner = (draft.owner.tenant_or_empty(), draft.owner.subject().as_str());
        text.push(&format!("/{}/{}/{}/{audience}/{}", owner.0, owner.1, draft.scopes, draft.created_at.unix_millis()));
        if let Some(end) = draft.expires_at {
            text.states_end(end);
        }
        Ok(text)
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + millis).unwrap()
}

fn keyring() -> Keyring {
    "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap()
}

#[test]
fn a_draft_holds_what_a_family_may_write() {
    let mut restrictions = Restrictions::none();
    restrictions.set_audience("billing".parse().unwrap());
    let grant = Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::Until(at(9_000)))
        .scopes("parts:read".parse().unwrap())
        .restrictions(restrictions);
    let minted = grant.mint(&Stating, &keyring(), at(0)).unwrap();
    let rotated = rotate(&minted.record, &Rotation::at_once(), &Stating, &keyring(), at(5_000)).unwrap();
    for (token, written) in [(minted.token, "1767225600000"), (rotated.token, "1767225605000")] {
        let told = format!("/acme/user-42/parts:read/billing/{written}");
        assert!(token.expose().ends_with(&told), "{}", token.expose());
    }
}

#[test]
fn no_end_is_set_past_the_one_that_the_text_names() {
    let grant = |lifetime| Grant::new(Owner::new("user-42").unwrap(), lifetime);
    let stated = |lifetime| grant(lifetime).mint(&Stating, &keyring(), at(0)).unwrap().record;
    let unstated = grant(Lifetime::Until(at(9_000))).mint(&SOUND, &keyring(), at(0)).unwrap().record;
    let end = |millis| Lifetime::Until(at(millis));
    let set = |record: &Record, lifetime| {
        let changed = Change::SetExpiry(lifetime).apply(record, &By::unknown(), at(1_000));
        changed.map(|changed| changed.map(|changed| Record::from_row(changed.record.to_row()).unwrap()))
    };
    let refused = |found| Err(ChangeRefused::PastTextEnd { found, text_end: at(9_000) });

    let until_9 = stated(end(9_000));
    assert_eq!(until_9.text_end(), Some(at(9_000)));
    let shortened = set(&until_9, end(3_000)).unwrap().unwrap();
    let rotated = rotate(&shortened, &Rotation::at_once(), &Stating, &keyring(), at(1_000)).unwrap().record;
    assert_eq!(rotated.text_end(), Some(at(3_000)));
    for (record, lifetime, outcome) in [
        (&until_9, end(9_000), Ok(None)),
        (&until_9, end(9_001), refused(Expiry::At(at(9_001)))),
        (&until_9, Lifetime::Forever, refused(Expiry::Never)),
        (&shortened, end(9_000), Ok(Some(at(9_000)))),
        (&shortened, end(9_001), refused(Expiry::At(at(9_001)))),
        // The new text was written with the new end.
        (&rotated, end(3_001), Err(ChangeRefused::PastTextEnd { found: Expiry::At(at(3_001)), text_end: at(3_000) })),
        // A text without an end bears any, and so does one of a family that names none.
        (&stated(Lifetime::Forever), end(9_001), Ok(Some(at(9_001)))),
        (&unstated, end(9_001), Ok(Some(at(9_001)))),
    ] {
        let found = set(record, lifetime).map(|changed| changed.map(|record| record.expiry().at().unwrap()));
        assert_eq!(found, outcome, "{lifetime:?} of {record:?}");
    }
}
