//! The client's address: from the connection, or from what trusted proxies have written.

mod forwarded;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderName, header::FORWARDED, request::Parts};

/// The source of the client's address: none unless you name one that you trust.
///
/// A token that is bound to networks is refused where the address is unknown. So the settings page and the management
/// API offer networks only if a [`Gate`](crate::Gate) of the registry has a source, or if the registry was built with
/// [`client_addresses_known`](counterfoil::registry::RegistryBuilder::client_addresses_known).
///
/// | your service | source |
/// |---|---|
/// | clients connect to it | [`peer`](Self::peer) |
/// | one proxy in front of it | [`forwarded(header, 1)`](Self::forwarded) |
/// | a load balancer and a proxy, both adding to the header | [`forwarded(header, 2)`](Self::forwarded) |
/// | the address is somewhere else | [`from_fn`](Self::from_fn) |
///
/// ```
/// use counterfoil_tower::ClientAddress;
/// use http::{HeaderName, Request, header::FORWARDED};
///
/// let behind_one_proxy = ClientAddress::forwarded(HeaderName::from_static("x-forwarded-for"), 1);
/// let request = Request::builder().header("x-forwarded-for", "198.51.100.1, 192.0.2.7").body(())?;
/// let (parts, ()) = request.into_parts();
/// assert_eq!(behind_one_proxy.of(&parts), Some("192.0.2.7".parse()?)); // what the proxy saw, not what was claimed
///
/// let behind_one_proxy = ClientAddress::forwarded(FORWARDED, 1);
/// let request = Request::builder().header("forwarded", r#"for="[2001:db8::1]:4711";proto=https"#).body(())?;
/// let (parts, ()) = request.into_parts();
/// assert_eq!(behind_one_proxy.of(&parts), Some("2001:db8::1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ClientAddress(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    Unknown,
    Peer,
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

    /// The other end of the connection. Behind a proxy that is the proxy: use [`forwarded`](Self::forwarded) there.
    ///
    /// It is read from the request's extensions, where your server must put it:
    ///
    /// - axum: serve `app.into_make_service_with_connect_info::<SocketAddr>()` instead of `app`. This takes the feature
    ///   `axum` of this crate, which `counterfoil-axum` enables by default.
    /// - any other server: insert the [`SocketAddr`] of the connection into each request's extensions.
    ///
    /// Without either the address is unknown, and with the feature `tracing` a warning is logged.
    pub const fn peer() -> Self {
        Self(Source::Peer)
    }

    /// A header to which each proxy adds the address that it saw, such as `Forwarded` or `X-Forwarded-For`.
    ///
    /// The last `trusted_hops` entries were written by your own proxies. The first of these is the client. Entries before
    /// it are claims of the client and are not read. With no trusted hop the address is always unknown.
    ///
    /// `Forwarded` is read as RFC 7239 defines it: parameters in any case and order, quoted strings, IPv6 in brackets,
    /// ports. Any other header is read as a comma-separated list of addresses, each with or without a port and brackets.
    ///
    /// The address is unknown if there are fewer entries, or if the entry is no address: `unknown`, or a name such as
    /// `_hidden` (RFC 7239, section 6.3).
    pub const fn forwarded(header: HeaderName, trusted_hops: usize) -> Self {
        Self(Source::Forwarded { header, trusted_hops })
    }

    /// A source of your own.
    pub fn from_fn(source: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Source::Own(Arc::new(source)))
    }

    /// Whether an address can be known at all.
    pub(crate) const fn is_known(&self) -> bool {
        match &self.0 {
            Source::Unknown => false,
            Source::Peer | Source::Own(_) => true,
            Source::Forwarded { trusted_hops, .. } => *trusted_hops > 0,
        }
    }

    /// Returns the address of a request's client. An IPv4 address mapped into IPv6 is returned as the IPv4 address.
    pub fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let address = match &self.0 {
            Source::Unknown => None,
            Source::Peer => peer_of(parts),
            Source::Own(source) => source(parts),
            Source::Forwarded { header, trusted_hops } => {
                let back = trusted_hops.checked_sub(1)?;
                // By bytes, and from the end: what a client has put into its own entries, which may hold any byte, does
                // not shift what the proxies have written behind them.
                let lines = parts.headers.get_all(header).iter().rev().map(http::HeaderValue::as_bytes);
                if *header == FORWARDED {
                    forwarded::address_of(lines.flat_map(forwarded::elements).nth(back)?)
                } else {
                    let entry = lines.flat_map(|line| line.rsplit(|byte| *byte == b',')).nth(back)?;
                    read(std::str::from_utf8(entry).ok()?.trim())
                }
            }
        };
        address.map(|address| address.to_canonical())
    }
}

fn peer_of(parts: &Parts) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0.ip());
    }
    let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
    if address.is_none() {
        crate::observe::log_missing_peer();
    }
    address
}

/// Reads an address, perhaps in brackets, perhaps with a port.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Unknown => f.write_str("ClientAddress(unknown)"),
            Source::Peer => f.write_str("ClientAddress(peer)"),
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

    fn check(header: HeaderName, cases: &[(&[&str], usize, Option<&str>)]) {
        for (lines, hops, expected) in cases {
            let mut request = Request::new(());
            for line in *lines {
                request.headers_mut().append(&header, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let source = ClientAddress::forwarded(header.clone(), *hops);
            let found = source.of(&request.into_parts().0);
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{lines:?} behind {hops}");
        }
    }

    #[test]
    fn list_header_is_read_from_its_end() {
        check(
            HeaderName::from_static("x-forwarded-for"),
            &[
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
                (&["203.0.113.9,192.0.2.7"], 2, Some("203.0.113.9")),
                (&["\t 192.0.2.7 \t"], 1, Some("192.0.2.7")),
                (&["203.0.113.9 , 192.0.2.7:80 "], 1, Some("192.0.2.7")),
                (&["203.0.113.9, [2001:db8::1]:443"], 1, Some("2001:db8::1")),
                (&["203.0.113.9, [::ffff:192.0.2.7]:443"], 1, Some("192.0.2.7")),
                (&["192.0.2.7, 203.0.113.9, _hidden"], 2, Some("203.0.113.9")),
                (&["192.0.2.7, garbage"], 1, None),
                (&["192.0.2.7, 192.0.2.256"], 1, None),
                (&["192.0.2.7, 192.0.2.1:65536"], 1, None),
                (&["192.0.2.7, [2001:db8::1"], 1, None),
                (&["192.0.2.7, 2001:db8::1]"], 1, None),
                (&["192.0.2.7, 192.0.2.8 192.0.2.9"], 1, None),
                (&["192.0.2.7, \"192.0.2.8\""], 1, None),
                (&["192.0.2.7, fe80::1%eth0"], 1, None),
                (&["192.0.2.7, , 203.0.113.9"], 2, None),
                (&["192.0.2.7"], usize::MAX, None),
            ],
        );
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_defines_it() {
        check(
            FORWARDED,
            &[
                (&[r#"for="[2001:db8::1]:4711""#], 1, Some("2001:db8::1")),
                // The examples of sections 4 and 7.4.
                (&[r#"for="_gazonk""#], 1, None),
                (&[r#"For="[2001:db8:cafe::17]:4711""#], 1, Some("2001:db8:cafe::17")),
                (&["for=192.0.2.60;proto=http;by=203.0.113.43"], 1, Some("192.0.2.60")),
                (&["for=192.0.2.43, for=198.51.100.17"], 1, Some("198.51.100.17")),
                (&["for=192.0.2.43, for=198.51.100.17"], 2, Some("192.0.2.43")),
                (&[r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#], 1, None),
                (&[r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#], 2, Some("2001:db8:cafe::17")),
                (&[r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#], 3, Some("192.0.2.43")),
                (&[r#"for=192.0.2.43, for="[2001:db8:cafe::17]""#, "for=unknown"], 3, Some("192.0.2.43")),
                // Names in any case, parameters in any order, quoted or not.
                (&["FOR=192.0.2.7"], 1, Some("192.0.2.7")),
                (&["by=203.0.113.43;for=192.0.2.7"], 1, Some("192.0.2.7")),
                (&[r#"for="192.0.2.7""#], 1, Some("192.0.2.7")),
                (&[r#"for="192.0.2.7:4711""#], 1, Some("192.0.2.7")),
                (&[r#"for="192\.0.2.7""#], 1, Some("192.0.2.7")),
                (&["for=192.0.2.7;host=example.com:8080"], 1, Some("192.0.2.7")),
                (&[";for=192.0.2.7;"], 1, Some("192.0.2.7")),
                (&["proto=https ; for=192.0.2.7"], 1, Some("192.0.2.7")),
                (&[r#"host="a;for=203.0.113.9";for=192.0.2.7"#], 1, Some("192.0.2.7")),
                (&[r#"for="[2001:db8::1]:_port""#], 1, Some("2001:db8::1")),
                (&[r#"for="192.0.2.7:_p-o.rt""#], 1, Some("192.0.2.7")),
                (&[r#"for="[::ffff:192.0.2.7]""#], 1, Some("192.0.2.7")),
                // Ports and brackets that should have been quoted: they can be read in one way only.
                (&["for=192.0.2.7:4711"], 1, Some("192.0.2.7")),
                (&["for=[2001:db8::1]:4711"], 1, Some("2001:db8::1")),
                // Nothing that can be relied on.
                (&["for=unknown"], 1, None),
                (&[r#"for="unknown:4711""#], 1, None),
                (&["for=_hidden"], 1, None),
                (&["proto=https"], 1, None),
                (&["for="], 1, None),
                (&["for"], 1, None),
                (&["192.0.2.7"], 1, None),
                (&[""], 1, None),
                (&[], 1, None),
                (&["for=192.0.2.7;for=192.0.2.8"], 1, None),
                (&["for=192.0.2.7;For=192.0.2.7"], 1, None),
                (&["for=2001:db8::1"], 1, None), // with a port it would be another address
                (&[r#"for="2001:db8::1""#], 1, None),
                (&[r#"for="[2001:db8::1""#], 1, None),
                (&[r#"for="[192.0.2.7]""#], 1, None),
                (&[r#"for="192.0.2.7:""#], 1, None),
                (&[r#"for="192.0.2.7:123456""#], 1, None),
                (&[r#"for="192.0.2.7:http""#], 1, None),
                (&[r#"for="192.0.2.7"x"#], 1, None),
                (&[r#"for="192.0.2.7"#], 1, None),
                (&[r#"for=192.0.2.7""#], 1, None),
                (&["for = 192.0.2.7"], 1, None),
                (&["for=192.0.2.7"], 2, None),
                (&["for=192.0.2.7"], 0, None),
                // Lists may have empty elements (RFC 9110, section 5.6.1.2).
                (&["for=203.0.113.9, ,for=192.0.2.7,"], 2, Some("203.0.113.9")),
                // A client cannot hide what a proxy has written behind its own claims.
                (&[r#"for=", for=192.0.2.7"#], 1, Some("192.0.2.7")),
                (&[r#"for="a, for="[2001:db8::1]:4711""#], 1, Some("2001:db8::1")),
                (&[r#"for="\", for="[2001:db8::1]""#], 1, Some("2001:db8::1")),
                (&["\u{e9}=\u{e9}, for=192.0.2.7"], 1, Some("192.0.2.7")),
                (&[r#"for=""#, "for=192.0.2.7"], 1, Some("192.0.2.7")),
                (&[r#"for=203.0.113.9, for=192.0.2.7;host="a\",b""#], 1, Some("192.0.2.7")),
                (&[r#"for=203.0.113.9, for="a, b", for=192.0.2.7"#], 3, Some("203.0.113.9")),
            ],
        );
    }

    #[test]
    fn peer_is_what_the_server_put_into_the_extensions() {
        let (mut parts, ()) = Request::new(()).into_parts();
        assert_eq!(ClientAddress::peer().of(&parts), None);
        parts.extensions.insert(SocketAddr::from(([192, 0, 2, 7], 4711)));
        assert_eq!(ClientAddress::peer().of(&parts), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(ClientAddress::unknown().of(&parts), None);
        #[cfg(feature = "axum")]
        {
            let address: SocketAddr = "[::ffff:203.0.113.9]:4711".parse().unwrap();
            parts.extensions.insert(axum::extract::ConnectInfo(address));
            assert_eq!(ClientAddress::peer().of(&parts), Some("203.0.113.9".parse().unwrap()));
        }
    }
}
