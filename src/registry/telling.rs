//! Handing events to the host's sink.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Registry;
use crate::{
    caller::{Caller, RequestRoute},
    denial::Denial,
    event::{Event, EventKind, Telling, Unproven},
    record::{Record, Usage},
    scope::Scope,
    time::Timestamp,
    verify::Verified,
};

impl Registry {
    /// Reports that a verified token lacks a scope that a route requires, as
    /// [`ScopeMissing`](EventKind::ScopeMissing). Doors and extractors of the companion crates call it.
    pub fn report_missing_scope(
        &self,
        verified: &Verified,
        scope: &Scope,
        route: Option<RequestRoute>,
        caller: &Caller,
    ) {
        self.report(Some(verified), caller, || EventKind::ScopeMissing { scope: scope.clone(), route });
    }

    /// Reports that a limiter refused the request of a verified token, as [`Limited`](EventKind::Limited).
    pub fn report_limited(&self, verified: &Verified, code: &str, route: Option<RequestRoute>, caller: &Caller) {
        self.report(Some(verified), caller, || EventKind::Limited { code: code.to_owned(), route });
    }

    /// Reports that a limiter refused an attempt before the token was looked up, as
    /// [`AttemptLimited`](EventKind::AttemptLimited). Anyone can make those, so they share the bound of
    /// [`denials_per_second`](super::RegistryBuilder::denials_per_second).
    pub fn report_attempt_limited(&self, code: &str, route: Option<RequestRoute>, caller: &Caller) {
        if self.0.sink.is_some() && self.0.clock.now().is_ok_and(|now| self.has_room_for(Unproven::Denied, now)) {
            self.report(None, caller, || EventKind::AttemptLimited { code: code.to_owned(), route });
        }
    }

    /// Without a time there is no event.
    fn report(&self, verified: Option<&Verified>, caller: &Caller, kind: impl FnOnce() -> EventKind) {
        let (Some(_), Ok(now)) = (&self.0.sink, self.0.clock.now()) else { return };
        let event = Event::new(now, kind()).caller(caller);
        self.emit(&match verified {
            Some(verified) => event.of(verified.record()),
            None => event,
        });
    }

    /// Hands an event to the sink; a panic there must not touch the request.
    pub(super) fn emit(&self, event: &Event) {
        if let Some(sink) = &self.0.sink {
            let _ = catch_unwind(AssertUnwindSafe(|| sink.emit(event)));
        }
    }

    /// Tells of a count, unless it is zero.
    pub(super) fn emit_count(&self, now: Timestamp, count: u64, kind: impl FnOnce(u64) -> EventKind) {
        if count > 0 {
            self.emit(&Event::new(now, kind(count)));
        }
    }

    /// Tells of a denial. Where no secret was proven, whoever is denied could make any number of them: those are bounded.
    pub(super) fn emit_denied(&self, denial: Denial, record: Option<&Record>, caller: &Caller, now: Timestamp) {
        if self.0.sink.is_none() {
            return;
        }
        if !denial.may_be_told() && !self.has_room_for(Unproven::Denied, now) {
            return;
        }
        let denied = Event::new(now, EventKind::Denied { denial }).caller(caller);
        self.emit(&match record {
            Some(record) => denied.of(record),
            None => denied,
        });
    }

    /// Whether one more event may be told of a text that no secret was proven for; else it is counted.
    pub(super) fn has_room_for(&self, of: Unproven, now: Timestamp) -> bool {
        let Telling { denial: is_told, suppressed } = self.0.denials.count(of, now);
        self.emit_count(now, suppressed, |count| EventKind::DenialsSuppressed { count });
        is_told
    }

    /// Notes a use in memory and tells of it. On every request's path: no event is made that nobody hears.
    pub(super) fn note_use(&self, record: &Record, caller: &Caller, now: Timestamp) {
        let Caller { address, agent, .. } = caller;
        self.0.uses.note(record.id(), Usage { at: now, address: *address, agent: agent.clone() });
        if self.0.sink.is_some() {
            self.emit(&Event::new(now, EventKind::Used).of(record).caller(caller));
        }
    }
}
