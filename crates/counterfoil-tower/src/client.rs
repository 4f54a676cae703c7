//! Where a request comes from.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderName, request::Parts};

/// Where the client's address is taken from: nowhere, unless the host names a source that it trusts.
///
/// A token that is bound to networks is refused where the address is unknown.
///
/// ```
/// use counterfoil_tower::ClientAddress;
/// use http::{HeaderName, Request};
///
/// let behind_one_proxy = ClientAddress::forwarded(HeaderName::from_static("x-forwarded-for"), 1);
/// let request = Request::builder().header("x-forwarded-for", "198.51.100.1, 192.0.2.7").body(())?;
/// let (parts, ()) = request.into_parts();
/// assert_eq!(behind_one_proxy.of(&parts), Some("192.0.2.7".parse()?)); // what the proxy saw, not what was claimed
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ClientAddress(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    Unknown,
    Forwarded {
        header: HeaderName,
        trusted_hops: usize,
    },
    Own(Arc<Read>),
}

type Read = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl ClientAddress {
    /// No source: the address is unknown.
    pub const fn unknown() -> Self {
        Self(Source::Unknown)
    }

    /// A list header such as `X-Forwarded-For`, of whose entries the last `trusted_hops` were written by proxies of the
    /// host's: the first of these is the client. Entries before it are the client's own claims and are not read.
    ///
    /// The address is unknown if there are fewer entries, or if that one is no address (a port behind it is left out).
    /// With no trusted hop it is always unknown.
    pub const fn forwarded(header: HeaderName, trusted_hops: usize) -> Self {
        Self(Source::Forwarded { header, trusted_hops })
    }

    /// A source of the host's, such as the socket's address that its server put into the request's extensions.
    pub fn from_fn(source: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Source::Own(Arc::new(source)))
    }

    /// The address of a request's client; an IPv4 address mapped into IPv6 is given as the IPv4 address.
    pub fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let address = match &self.0 {
            Source::Unknown => None,
            Source::Own(source) => source(parts),
            Source::Forwarded { header, trusted_hops } => {
                let values = parts.headers.get_all(header).iter().rev();
                // By bytes: a line is counted entry by entry, whatever a client has put into its own part of it.
                let mut entries = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
                let entry = entries.nth(trusted_hops.checked_sub(1)?)?;
                read(std::str::from_utf8(entry).ok()?.trim())
            }
        };
        address.map(|address| address.to_canonical())
    }
}

/// An address, perhaps in brackets, perhaps with a port.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Unknown => f.write_str("ClientAddress(unknown)"),
            Source::Own(_) => f.write_str("ClientAddress(..)"),
            Source::Forwarded { header, trusted_hops } => {
                write!(f, "ClientAddress({header}, {trusted_hops} trusted hops)")
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    #[test]
    fn the_trusted_proxies_say_where_a_request_comes_from() {
        for (lines, hops, expected) in [
            (&["192.0.2.7"][..], 1, Some("192.0.2.7")),
            (&["203.0.113.9, 192.0.2.7"], 1, Some("192.0.2.7")),
            (&["203.0.113.9, 192.0.2.7"], 2, Some("203.0.113.9")),
            (&["203.0.113.9", "192.0.2.7"], 1, Some("192.0.2.7")),
            (&["203.0.113.9", "192.0.2.7"], 2, Some("203.0.113.9")),
            (&["192.0.2.7:4711"], 1, Some("192.0.2.7")),
            (&["[2001:db8::1]:4711"], 1, Some("2001:db8::1")),
            (&["[2001:db8::1]"], 1, Some("2001:db8::1")),
            (&["2001:db8::1"], 1, Some("2001:db8::1")),
            (&["::ffff:192.0.2.7"], 1, Some("192.0.2.7")),
            (&["192.0.2.7"], 2, None),
            (&["192.0.2.7"], 0, None),
            (&["192.0.2.7, unknown"], 1, None),
            (&["192.0.2.7,"], 1, None),
            (&[""], 1, None),
            (&[], 1, None),
            // The client's own claims, which may hold any byte, do not shift what the proxies have written behind them.
            (&["\u{e9}, 192.0.2.7"], 1, Some("192.0.2.7")),
            (&["203.0.113.9", "\u{e9}, 198.51.100.4, 192.0.2.7"], 2, Some("198.51.100.4")),
            (&["203.0.113.9", "\u{e9}"], 1, None),
        ] {
            let mut request = Request::new(());
            for line in lines {
                let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                request.headers_mut().append("x-forwarded-for", line);
            }
            let source = ClientAddress::forwarded(HeaderName::from_static("x-forwarded-for"), hops);
            let found = source.of(&request.into_parts().0);
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{lines:?} behind {hops}");
        }
    }
}
