//! A family of the host's own is held to what it promises before anything is handed out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use counterfoil::{
    Alphabet, Environment, Family, Grant, Keyring, Lifetime, Owner, Timestamp,
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
