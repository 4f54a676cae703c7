//! Where a credential may be sent.

use std::net::IpAddr;

use ureq::http::{Uri, uri::Scheme};

/// Why an address is none that a token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is no absolute URL.
    #[error("not an absolute url, such as https://api.example.com/token")]
    Form,
    /// Another scheme than `https` and `http`.
    #[error("expected https")]
    Scheme,
    /// `http`, and not to this machine: anyone on the way could read the token.
    #[error("expected https: over http a token goes to this machine alone (localhost, 127.0.0.0/8, ::1)")]
    PlainHttp,
    /// A user name or a password is in it.
    #[error("a user name or a password is in the url")]
    UserInfo,
}

/// Which servers may be spoken to without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    Loopback,
    Anywhere,
}

/// An address that a token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    uri: Uri,
}

impl Endpoint {
    pub(crate) fn new(url: &str, plain: PlainHttp) -> Result<Self, InvalidUrl> {
        let uri: Uri = url.parse().map_err(|_| InvalidUrl::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(InvalidUrl::Form) };
        if authority.as_str().contains('@') {
            return Err(InvalidUrl::UserInfo);
        }
        if authority.host().is_empty() {
            return Err(InvalidUrl::Form);
        }
        let may_be_plain = plain == PlainHttp::Anywhere || is_loopback(authority.host());
        match scheme {
            scheme if *scheme == Scheme::HTTPS => {}
            scheme if *scheme != Scheme::HTTP => return Err(InvalidUrl::Scheme),
            _ if may_be_plain => {}
            _ => return Err(InvalidUrl::PlainHttp),
        }
        Ok(Self { uri })
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTP)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        use InvalidUrl::{Form, PlainHttp as Plain, Scheme, UserInfo};
        let table = [
            ("https://api.example.com/token", Ok(())),
            ("HTTPS://api.example.com", Ok(())),
            ("http://localhost:3000/token", Ok(())),
            ("http://LOCALHOST/token", Ok(())),
            ("http://127.0.0.1:3000/token", Ok(())),
            ("http://127.8.9.1/token", Ok(())),
            ("http://[::1]:3000/token", Ok(())),
            ("http://api.example.com/token", Err(Plain)),
            ("http://localhost.example.com/", Err(Plain)),
            ("http://127.0.0.1.example.com/", Err(Plain)),
            ("http://0.0.0.0/", Err(Plain)),
            ("http://[::2]/", Err(Plain)),
            ("http://10.0.0.1/", Err(Plain)),
            ("http://localhost@api.example.com/", Err(UserInfo)),
            ("https://ada:s3cret@api.example.com/", Err(UserInfo)),
            ("ftp://localhost/", Err(Scheme)),
            ("file:///etc/passwd", Err(Form)),
            ("api.example.com/token", Err(Form)),
            ("/token", Err(Form)),
            ("", Err(Form)),
            ("https:///token", Err(Form)),
            ("https://api.example.com/to ken", Err(Form)),
        ];
        for (url, expected) in table {
            assert_eq!(Endpoint::new(url, PlainHttp::Loopback).map(|_| ()), expected, "{url}");
        }
        assert!(Endpoint::new("http://10.0.0.1/", PlainHttp::Anywhere).is_ok());
        assert_eq!(Endpoint::new("ftp://10.0.0.1/", PlainHttp::Anywhere), Err(Scheme));
    }
}
