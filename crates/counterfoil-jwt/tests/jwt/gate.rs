//! A door for these tokens and for sessions, both of them JWTs of one issuer and one key.

use std::sync::{Arc, Mutex};

use counterfoil::{MemoryStore, Registry, Verified};
use counterfoil_tower::{Admission, Gate, Kind, NotAdmitted, SecondVerifier, Transport};
use http::{Request, request::Parts};

use crate::support::{KEYRING, format, plain, signed};

#[derive(Clone)]
struct Session;

#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<Vec<String>>>);

impl SecondVerifier for Sessions {
    async fn admit(&self, text: &str, _: &Parts) -> Result<Admission, NotAdmitted> {
        self.0.lock().unwrap().push(text.to_owned());
        let header = crate::support::opened(text).0;
        if header.contains(r#""typ":"JWT""#) { Ok(Admission::with(Session)) } else { Err(NotAdmitted::Invalid) }
    }
}

#[tokio::test]
async fn a_session_is_left_to_its_own_verifier_and_a_bad_token_is_not() {
    let registry = Registry::builder(format(), KEYRING.clone(), MemoryStore::new()).build().unwrap();
    let grant = counterfoil::Grant { lifetime: counterfoil::Lifetime::days(1), ..plain() };
    let issued = registry.issue(grant).await.unwrap();
    let sessions = Sessions::default();
    let gate = Gate::new(registry, Transport::bearer()).or_else(sessions.clone());

    let token = issued.token.expose();
    let session = signed(r#"{"typ":"JWT","alg":"EdDSA","kid":"ed-1"}"#, r#"{"sub":"user-42"}"#);
    let both = signed(r#"{"typ":"JWT","typ":"pat+jwt","alg":"EdDSA","kid":"ed-1"}"#, r#"{"sub":"user-42"}"#);
    let none = format!("{}.", token.rsplit_once('.').unwrap().0);
    for (what, text, outcome, asked) in [
        ("a token", token, Ok((true, false)), false),
        ("a session", &session, Ok((false, true)), true),
        ("a header that is both", &both, Err(Kind::Invalid), false),
        ("a token without signature", &none, Err(Kind::Invalid), false),
    ] {
        let request = Request::builder().header("authorization", format!("Bearer {text}")).body(()).unwrap();
        let mut parts = request.into_parts().0;
        let admitted = gate
            .admit(&mut parts)
            .await
            .map(|_| (parts.extensions.get::<Verified>().is_some(), parts.extensions.get::<Session>().is_some()));
        assert_eq!(admitted.map_err(|answer| answer.kind), outcome, "{what}");
        assert_eq!(sessions.0.lock().unwrap().drain(..).next().is_some(), asked, "{what}");
    }
}
