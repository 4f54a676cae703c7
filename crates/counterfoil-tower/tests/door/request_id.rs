//! A header that names the request → what the events name it.

use std::sync::{Arc, Mutex};

use counterfoil::{
    caller::RequestId,
    event::{Event, EventSink},
};
use counterfoil_tower::{Gate, Transport};
use http::{HeaderName, Request};

use crate::support::{builder, issue, runtime};

#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<Event>>>);

impl EventSink for Seen {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn events_name_the_request_as_the_header_does_if_the_door_is_told_to() {
    let seen = Seen::default();
    let registry = builder().sink(seen.clone()).build().unwrap();
    let (token, unknown) = (issue(&registry), issue(&crate::support::registry()));
    let plain = Gate::new(registry, Transport::bearer());
    let told = plain.clone().request_id(HeaderName::from_static("x-request-id"));
    let long = "r".repeat(129);
    for (gate, value, expected) in [
        (&told, Some("req-7"), Some("req-7")),
        (&told, None, None),
        (&told, Some(""), None),
        (&told, Some(long.as_str()), None),
        (&plain, Some("req-7"), None),
    ] {
        seen.0.lock().unwrap().clear();
        for text in [token.expose(), unknown.expose()] {
            let mut request = Request::builder().header("authorization", format!("Bearer {text}"));
            if let Some(value) = value {
                request = request.header("x-request-id", value);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let admitted = runtime().block_on(gate.admit(&mut parts)).is_ok();
            assert_eq!(admitted, text == token.expose());
        }
        let seen = seen.0.lock().unwrap();
        let kinds: Vec<_> = seen.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["used", "denied"], "{value:?}");
        for event in &*seen {
            assert_eq!(event.caller.request.as_ref().map(RequestId::as_str), expected, "{value:?}");
        }
    }
}
