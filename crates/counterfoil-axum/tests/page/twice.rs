//! Forms that are sent twice, or too early.

use std::{sync::Arc, time::Duration};

use axum::Router;
use counterfoil::{
    By, Caller, Grant, Policy, Record, Verified,
    policy::{Approval, Assent, Objection, Refusal},
};
use counterfoil_axum::management::Operation;
use tokio::sync::Semaphore;

use crate::{
    client::{PAGE, change, create, get},
    host::{DAY, Host, policy},
};

#[test]
fn a_form_that_was_sent_before_leads_to_its_token() {
    for (is_left_out, links) in [
        (&[][..], "/ /rotate"),
        (&[Operation::Get], "/rotate"),
        (&[Operation::Rotate], "/"),
        (&[Operation::Get, Operation::Rotate], ""),
    ] {
        let host = Host::new(policy(), |page, store| {
            is_left_out.iter().fold(page.idempotency(store), |page, operation| page.without(*operation))
        });
        let ask = create(&host, &[("name", "CI pipeline"), ("expiry", "30")]);
        assert_eq!(ask.send(&host).status, 201);
        let id = host.records()[0].id();
        let asks = match is_left_out.contains(&Operation::Rotate) {
            true => vec![ask],
            false => {
                let rotate = change(&host, id, "rotate", &[("overlap", "0")]);
                assert!(rotate.send(&host).token().is_some());
                vec![ask, rotate]
            }
        };
        for ask in &asks {
            let again = ask.send(&host);
            assert_eq!((again.status, again.token(), again.heading()), (200, None, "This form was sent before"));
            assert!(again.has("<bdi>CI pipeline</bdi>"), "{again:?}");
            let found = [("/", ""), ("/rotate", "/rotate")]
                .into_iter()
                .filter(|(_, end)| again.has(&format!("href=\"{PAGE}/{id}{end}\"")))
                .map(|(name, _)| name);
            assert_eq!(found.collect::<Vec<_>>().join(" "), links, "{again:?}");
        }
        // Nothing is left to rotate.
        host.runtime.block_on(host.registry.revoke(id, By::unknown())).unwrap();
        assert!(asks.iter().all(|ask| !ask.send(&host).has("/rotate\"")));
    }
}

/// Takes its time, or says when to come again, as the token's name says.
#[derive(Debug, Clone)]
struct Moody {
    arrived: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl Policy for Moody {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Ok(Assent::plain())
    }

    async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
        match grant.annotations.name.as_ref().map_or("", |name| name.as_str()) {
            "later" => return Err(Refusal::new("later", "not in this minute").later(Duration::from_millis(59_500))),
            "lost" => return Err(Objection::Unavailable("no route to host".into())),
            "slow" => {
                self.arrived.add_permits(1);
                self.go_on.acquire().await.unwrap().forget();
            }
            _ => {}
        }
        Ok(Approval::plain())
    }

    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Err(Refusal::new("later", "not in this minute").later(Duration::from_secs(7)))
    }
}

fn moody() -> (Host, Moody) {
    let moody = Moody { arrived: Arc::new(Semaphore::new(0)), go_on: Arc::new(Semaphore::new(0)) };
    let its = moody.clone();
    let router = |router: Router| router;
    (Host::built(policy(), |builder| builder.policy(its), |page, store| page.idempotency(store), router), moody)
}

#[test]
fn a_form_that_is_still_at_work_says_so_in_words() {
    let (host, moody) = moody();
    let ask = create(&host, &[("name", "slow"), ("expiry", "30")]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask.send(&host));
        host.runtime.block_on(moody.arrived.acquire()).unwrap().forget();
        let second = ask.send(&host);
        moody.go_on.add_permits(1);
        assert!(second.status == 409 && second.has("is still at work"), "{second:?}");
        assert!(first.join().unwrap().token().is_some());
    });
    assert_eq!(host.records().len(), 1);
}

#[test]
fn a_form_whose_token_is_no_longer_kept_says_so_in_words() {
    let host = Host::new(policy(), |page, store| page.idempotency(store));
    let ask = create(&host, &[("name", "CI"), ("expiry", "30")]);
    assert_eq!(ask.send(&host).status, 201);
    host.runtime.block_on(host.registry.revoke(host.records()[0].id(), By::unknown())).unwrap();
    host.wait(40 * DAY);
    let _ = host.runtime.block_on(host.registry.maintain()).unwrap();
    assert!(host.records().is_empty());
    let again = ask.send(&host);
    assert!(again.status == 409 && again.has("what it made is no longer there"), "{again:?}");
}

#[test]
fn a_form_that_comes_too_early_says_when_to_come_again() {
    let (host, _) = moody();
    for (name, status, retry_after) in [("later", 429, "60"), ("lost", 503, "1")] {
        let reply = create(&host, &[("name", name), ("expiry", "30")]).send(&host);
        assert_eq!((reply.status, reply.header("retry-after")), (status, Some(retry_after)), "{name}: {reply:?}");
        assert_eq!(reply.value("name"), name, "what was entered stays");
    }
    let id = host.token("CI");
    let reply = change(&host, id, "rotate", &[("overlap", "0")]).send(&host);
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")), "{reply:?}");
    assert_eq!(get(PAGE).send(&host).header("retry-after"), None);
}
