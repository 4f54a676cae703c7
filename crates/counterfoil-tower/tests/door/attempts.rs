//! A text → whether the limiter of attempts is asked about it, and whether it is told of a failure.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use counterfoil::{
    By, Checksum, Clock, FixedClock, Lifetime, Registry, Rotation, SystemClock, TokenFormat, registry::RegistryBuilder,
};
use counterfoil_tower::{Attempt, AttemptLimiter, ClientAddress, Gate, Later, Transport};
use http::HeaderName;

use crate::{
    counted::Counted,
    support::{Reply, grant, runtime, send, serve},
};

/// Remembers what it is asked and told, with the lookups that were made until then.
#[derive(Clone)]
struct Spy(Arc<Seen>);

struct Seen {
    store: Counted,
    refuses: AtomicBool,
    asked: Mutex<Vec<Attempt>>,
    told: Mutex<Vec<Attempt>>,
}

impl Spy {
    fn new(store: &Counted) -> Self {
        let (asked, told) = Default::default();
        Self(Arc::new(Seen { store: store.clone(), refuses: AtomicBool::new(false), asked, told }))
    }

    fn take(&self) -> (Vec<Attempt>, Vec<Attempt>) {
        (std::mem::take(&mut self.0.asked.lock().unwrap()), std::mem::take(&mut self.0.told.lock().unwrap()))
    }
}

impl AttemptLimiter for Spy {
    fn may_try(&self, attempt: &Attempt) -> Result<(), Later> {
        self.0.asked.lock().unwrap().push(*attempt);
        assert_eq!(self.0.store.lookups(), 0, "it is asked before the lookup");
        if self.0.refuses.load(SeqCst) {
            return Err(Later::new("too_many_bad_tokens", "come back in a minute", Duration::from_millis(59_001)));
        }
        Ok(())
    }

    fn failed(&self, attempt: &Attempt) {
        self.0.told.lock().unwrap().push(*attempt);
        assert_eq!(self.0.store.lookups(), 1, "it is told after the lookup");
    }
}

fn format(checksum: Checksum) -> TokenFormat {
    TokenFormat::builder("acme").checksum(checksum).build().unwrap()
}

fn over(store: &Counted, format: TokenFormat) -> RegistryBuilder {
    let keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    Registry::builder(format, keyring, store.clone())
}

/// A door that takes what `x-client` says for the client's address.
fn gate(registry: Registry, spy: &Spy) -> Gate {
    let client = ClientAddress::forwarded(HeaderName::from_static("x-client"), 1);
    Gate::new(registry, Transport::bearer()).client_address(client).attempt_limiter(spy.clone())
}

fn present(text: &str, address: SocketAddr) -> Reply {
    send(address, &[format!("Authorization: Bearer {text}").as_bytes(), b"X-Client: 192.0.2.7"])
}

/// The same text with another last character.
fn edited(text: &str) -> String {
    let (head, last) = text.split_at(text.len() - 1);
    head.to_owned() + if last == "0" { "1" } else { "0" }
}

fn issue(registry: &Registry) -> String {
    runtime().block_on(registry.issue(grant())).unwrap().token.expose().to_owned()
}

#[test]
fn it_is_asked_about_what_looks_like_a_token_and_told_where_no_secret_was_proven() {
    let (store, clock) = (Counted::new(), FixedClock::new(SystemClock.now().unwrap()));
    let registry = over(&store, format(Checksum::None)).clock(clock.clone()).build().unwrap();
    let spy = Spy::new(&store);
    let addresses = serve(&gate(registry.clone(), &spy));
    let good = issue(&registry);
    let ended = |what: &str| {
        runtime().block_on(async {
            let mut grant = grant();
            match what {
                "expired" => grant.lifetime = Lifetime::For(Duration::from_secs(1)),
                "of another network" => {
                    grant.restrictions.add_network("198.51.100.0/24".parse().unwrap()).unwrap();
                }
                _ => {}
            }
            let issued = registry.issue(grant).await.unwrap();
            let (id, by) = (issued.record.id(), By::unknown());
            match what {
                "revoked" => registry.revoke(id, by).await.unwrap(),
                "blocked" => drop(registry.block(id, by).await.unwrap()),
                "replaced" => drop(registry.rotate(id, &Rotation::at_once()).await.unwrap()),
                _ => {}
            }
            issued.token.expose().to_owned()
        })
    };
    let of_others = issue(&over(&Counted::new(), format(Checksum::None)).build().unwrap());
    let cases = [
        ("good", good.clone(), 200, true, false),
        ("no token of ours", "ghp_0123".into(), 401, false, false),
        ("too short", "acme_0123".into(), 401, false, false),
        ("wrong secret", edited(&good), 401, true, true),
        ("unknown", of_others, 401, true, true),
        ("revoked", ended("revoked"), 401, true, false),
        ("blocked", ended("blocked"), 401, true, false),
        ("replaced", ended("replaced"), 401, true, false),
        ("expired", ended("expired"), 401, true, false),
        ("of another network", ended("of another network"), 401, true, false),
    ];
    clock.set(clock.now().unwrap().checked_add(Duration::from_secs(2)).unwrap());
    for (what, text, status, is_asked, is_told) in cases {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let attempt = registry.families().parse(&text).ok().map(|read| Attempt::new(Some(address), read.selector()));
        for address in addresses {
            let reply = present(&text, address);
            let expected = attempt.into_iter().collect::<Vec<_>>();
            let (asked, told) = spy.take();
            assert_eq!(reply.status, status, "{what}");
            assert_eq!(asked, if is_asked { expected.clone() } else { Vec::new() }, "{what}");
            assert_eq!(told, if is_told { expected } else { Vec::new() }, "{what}");
            store.lookups();
        }
    }
    store.set_away(true);
    for address in addresses {
        let reply = present(&good, address);
        let (asked, told) = spy.take();
        assert_eq!((reply.status, asked.len(), told.len()), (503, 1, 0), "a store that is away proves nothing");
        store.lookups();
    }
}

#[test]
fn a_checksum_alone_costs_no_attempt_and_a_selector_is_named_where_it_is_printed() {
    let without_selector = TokenFormat::builder("acme").without_selector().checksum(Checksum::None).build().unwrap();
    for (format, told, names) in [
        (format(Checksum::Crc32OfText), 0, false),
        (format(Checksum::Keyed), 0, true),
        (format(Checksum::None), 1, true),
        (without_selector, 1, false),
    ] {
        let store = Counted::new();
        let (registry, spy) = (over(&store, format.clone()).build().unwrap(), Spy::new(&store));
        let text = edited(&issue(&registry));
        for address in serve(&gate(registry, &spy)) {
            assert_eq!(present(&text, address).status, 401, "{format:?}");
            let (asked, failed) = spy.take();
            assert_eq!(failed.len(), told, "{format:?}");
            assert!(failed.iter().all(|attempt| asked.contains(attempt)), "{format:?}");
            assert_eq!(asked.iter().any(|attempt| attempt.selector.is_some()), names, "{format:?}");
            assert_eq!(store.lookups(), 0, "{format:?}");
        }
    }
}

#[test]
fn a_refused_attempt_is_429_whatever_the_text_and_nothing_is_looked_up() {
    let store = Counted::new();
    let registry = over(&store, format(Checksum::None)).build().unwrap();
    let (good, unknown) = (issue(&registry), issue(&over(&Counted::new(), format(Checksum::None)).build().unwrap()));
    let spy = Spy::new(&store);
    let addresses = serve(&gate(registry, &spy));
    spy.0.refuses.store(true, SeqCst);
    let replies = [&good, &edited(&good), &unknown].map(|text| addresses.map(|address| present(text, address)));
    for [axum, hyper] in &replies {
        for (reply, other) in [(axum, &replies[0][0]), (hyper, &replies[0][1])] {
            assert_eq!((reply.status, reply.header("retry-after")), (429, Some("60")));
            assert_eq!(reply.header("www-authenticate"), None);
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let json = reply.json();
            assert_eq!([&json["code"], &json["detail"]], ["too_many_bad_tokens", "come back in a minute"]);
            assert_eq!(reply.body, other.body);
        }
    }
    let (asked, told) = spy.take();
    assert_eq!((asked.len(), told.len(), store.lookups()), (6, 0, 0));
    for address in addresses {
        assert_eq!(present("acme_0123", address).status, 401, "what is no token is told so: that costs nothing");
    }
}
