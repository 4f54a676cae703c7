//! The `User-Agent` of requests, as it is recorded with a token's last use.

use std::{
    fmt,
    sync::{Mutex, TryLockError},
};

use counterfoil::record::Agent;
use http::{HeaderMap, header::USER_AGENT};

/// Reads user agents, and keeps some of those that it has seen, so that a busy client costs no
/// allocation for each request.
#[derive(Default)]
pub(crate) struct UserAgents([Mutex<Option<Agent>>; PLACES]);

const PLACES: usize = 32;

impl UserAgents {
    /// Returns what the client calls itself: the first [`Agent::MAX_LEN`] bytes of the header, with
    /// a replacement character for what is no text. None if there is no such header.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<Agent> {
        let value = headers.get(USER_AGENT)?.as_bytes();
        let value = &value[..value.len().min(Agent::MAX_LEN)];
        let mut place = match self.0[place_of(value)].try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another request is there: nobody waits for it.
            Err(TryLockError::WouldBlock) => return read(value),
        };
        match &*place {
            Some(known) if known.as_str().as_bytes() == value => Some(known.clone()),
            _ => {
                let agent = read(value);
                place.clone_from(&agent);
                agent
            }
        }
    }
}

/// FNV-1a. A client that makes two agents share a place costs one allocation for each of its requests.
fn place_of(value: &[u8]) -> usize {
    let hash = value
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash % PLACES as u64) as usize
}

fn read(value: &[u8]) -> Option<Agent> {
    let text = String::from_utf8_lossy(value);
    let mut text: String = text.chars().filter(|character| !character.is_control()).collect();
    // A replacement character is longer than the byte that it replaces.
    while text.len() > Agent::MAX_LEN {
        text.pop();
    }
    Agent::new(text).ok()
}

impl fmt::Debug for UserAgents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserAgents(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn user_agent_is_cut_and_cleaned() {
        let agents = UserAgents::default();
        let long = "a".repeat(300);
        let wide = "\u{e9}".repeat(200);
        for (value, expected) in [
            (&b"curl/8.17.0"[..], Some("curl/8.17.0")),
            (b"one\ttwo", Some("onetwo")),
            (b"", None),
            (b"\xff", Some("\u{fffd}")),
            (long.as_bytes(), Some(&long[..255])),
            (wide.as_bytes(), Some(&wide[..254])),
            ("\u{202e}x".as_bytes(), Some("\u{202e}x")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, HeaderValue::from_bytes(value).unwrap());
            for _ in 0..2 {
                let found = agents.of(&headers);
                assert_eq!(found.as_ref().map(Agent::as_str), expected, "{value:?}");
            }
        }
        assert_eq!(agents.of(&HeaderMap::new()), None);
    }
}
