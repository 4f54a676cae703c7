//! What holds for every grant and every text.

use counterfoil::{Audience, Family, Grant, Lifetime, Owner, Restrictions, Scopes};
use counterfoil_jwt::{JwtFormat, OfflineVerifier};
use proptest::{collection::vec, option, prelude::*, test_runner::Config};

use crate::support::{ISSUER, KEYRING, at, ed25519, format, p256};

fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

prop_compose! {
    fn grants()(
        subject in r#"[^\p{Cc}]{1,40}"#,
        tenant in option::of(r#"[^\p{Cc}]{1,40}"#),
        audience in option::of(r#"[^\p{Cc}]{1,40}"#),
        networks in vec(any::<[u8; 4]>(), 0..4),
        scopes in vec(r#"[!#-)+\--9<-\[\]-~]{1,8}(:[a-z]{1,4}){0,2}(:\*)?"#, 0..6),
        lifetime in option::of(1_000_u64..1_000_000_000_000),
    ) -> Grant {
        let mut restrictions = Restrictions::none();
        for network in networks {
            restrictions.add_network(std::net::IpAddr::from(network).to_string().parse().unwrap()).unwrap();
        }
        if let Some(audience) = audience {
            restrictions.set_audience(Audience::new(audience).unwrap());
        }
        let owner = match tenant {
            Some(tenant) => Owner::in_tenant(tenant, subject),
            None => Owner::new(subject),
        };
        let lifetime = lifetime.map_or(Lifetime::Forever, |millis| Lifetime::For(std::time::Duration::from_millis(millis)));
        let scopes = Scopes::from_texts(scopes.iter().map(String::as_str)).unwrap();
        Grant::new(owner.unwrap(), lifetime).scopes(scopes).restrictions(restrictions)
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_minted_token_says_what_was_granted(grant in grants(), by_p256: bool) {
        let key = if by_p256 { p256() } else { ed25519() };
        let format = JwtFormat::builder(ISSUER).signing(key).build().unwrap();
        let minted = grant.clone().mint(&format, &KEYRING, at(0)).unwrap();
        let text = minted.token.expose();
        let fits = format.heads().iter().any(|head| {
            text.starts_with(&head.text) && (head.shortest..=head.longest).contains(&text.len())
        });
        prop_assert!(fits);
        let presented = format.parse(text).unwrap();
        prop_assert_eq!(presented.selector(), Some(minted.record.slots().current.selector));
        prop_assert_eq!(presented.public(), minted.record.public());
        prop_assert_eq!(minted.record.text_end(), minted.record.expiry().at());

        let mut verifier = OfflineVerifier::new(&format.key_set(), ISSUER);
        if let Some(audience) = grant.restrictions.audience() {
            verifier = verifier.audience(audience.clone());
        }
        let client = grant.restrictions.networks().first().map(|net| {
            net.to_string().split_once('/').unwrap().0.parse().unwrap()
        });
        let claims = verifier.verify(text, at(0), client).unwrap();
        prop_assert_eq!(&claims.id, minted.record.slots().current.selector.as_str());
        prop_assert_eq!(&claims.owner, &grant.owner);
        prop_assert_eq!(&claims.scopes, &grant.scopes);
        prop_assert_eq!(&claims.restrictions, &grant.restrictions);
        prop_assert_eq!(claims.issued_at, at(0));
        let seconds = |at: counterfoil::Timestamp| at.unix_millis() / 1000;
        prop_assert_eq!(claims.expiry.at().map(seconds), minted.record.expiry().at().map(seconds));
    }

    #[test]
    fn no_text_is_read_but_a_minted_one(text in r"(eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEiLCJ0eXAiOiJwYXQrand0In0[.])?[A-Za-z0-9_.=-]{0,200}|\PC{0,80}") {
        prop_assert!(format().parse(&text).is_err());
    }
}
