//! What a host's own tools are told of each request: `cargo test -p counterfoil-tower --all-features --test observe`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use counterfoil::{
    Clock, Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, Timestamp, TokenFormat, time::InvalidTimestamp,
};
use counterfoil_tower::{Attempt, AttemptLimiter, Gate, Later, Transport};
use http::Request;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing_subscriber::fmt::format::FmtSpan;

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl AttemptLimiter for Closed {
    fn may_try(&self, _: &Attempt) -> Result<(), Later> {
        Err(Later::new("too_many_attempts", "too many bad tokens", Duration::from_secs(1)))
    }
    fn failed(&self, _: &Attempt) {}
}

/// Not set.
#[derive(Debug)]
struct BrokenClock;

impl Clock for BrokenClock {
    fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        Timestamp::from_unix_millis(0)
    }
}

#[test]
fn a_span_and_a_counter_tell_the_outcome_and_no_secret() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format.clone(), keyring.clone(), MemoryStore::new()).build().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
    let issued = pollster::block_on(registry.issue(grant)).unwrap();
    let (token, id) = (issued.token.expose(), issued.record.id().to_string());
    let store = MemoryStore::new();
    let broken = Registry::builder(format, keyring, store).clock(BrokenClock).build().unwrap();
    let broken = Gate::new(broken, Transport::bearer());
    let gate = Gate::new(registry, Transport::bearer());
    let scoped = gate.clone().require("parts:read".parse().unwrap());
    let optional = gate.clone().optional();
    let closed = gate.clone().attempt_limiter(Closed);

    for (gate, credential, outcome, told) in [
        (&gate, Some(format!("Bearer {token}")), "admitted", Some(&id)),
        (&gate, Some(format!("Bearer {token}x")), "invalid", None),
        (&gate, Some("Bearer".into()), "malformed", None),
        (&gate, None, "missing", None),
        (&scoped, Some(format!("Bearer {token}")), "missing_scope", None),
        (&optional, None, "admitted_without_token", None),
        (&closed, Some(format!("Bearer {token}")), "too_many_attempts", None),
        (&broken, Some(format!("Bearer {token}")), "unavailable", None),
    ] {
        let mut request = Request::builder();
        if let Some(credential) = &credential {
            request = request.header("authorization", credential);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let (log, recorder) = (Log::default(), DebuggingRecorder::new());
        let written = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(move || written.clone())
            .finish();
        metrics::with_local_recorder(&recorder, || {
            tracing::subscriber::with_default(subscriber, || {
                let _ = pollster::block_on(gate.admit(&mut parts));
            });
        });

        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains(&format!("outcome=\"{outcome}\"")), "{log}");
        assert_eq!(log.contains("token="), told.is_some(), "{log}");
        assert!(told.is_none_or(|id| log.contains(&**id)), "{log}");
        let cause = "a token cannot be checked now error=";
        assert_eq!(log.contains(cause), outcome == "unavailable", "{log}");
        assert!(!log.contains(&token[issued.token.public().len()..]), "a secret is logged: {log}");

        let counted: Vec<_> = recorder.snapshotter().snapshot().into_vec();
        let labels: Vec<_> = counted[0].0.key().labels().map(|label| (label.key(), label.value())).collect();
        assert_eq!((counted.len(), counted[0].0.key().name()), (1, "counterfoil_requests_total"));
        assert_eq!(labels, [("outcome", outcome)]);
        assert_eq!(counted[0].3, DebugValue::Counter(1));
    }
}
