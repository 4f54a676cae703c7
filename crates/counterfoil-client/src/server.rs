//! One request with a token.

use std::{io::Read as _, time::Duration};

use ureq::{
    Agent,
    config::Config,
    http::{
        HeaderName, HeaderValue, Method, Request,
        header::{AUTHORIZATION, RETRY_AFTER},
    },
    tls::{RootCerts, TlsConfig},
};
use zeroize::Zeroizing;

use crate::{ServerError, answer::Reply, endpoint::Endpoint, printable::printable};

/// So much of a body is read, in bytes.
const LIMIT: u64 = 64 * 1024;

/// How a token is presented.
#[derive(Debug, Clone)]
pub(crate) enum Carrier {
    Bearer,
    Header(HeaderName),
}

/// A server's route, and how it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) carrier: Carrier,
    pub(crate) timeout: Duration,
}

impl Server {
    /// Sends the token there and nowhere else: no redirect is followed.
    pub(crate) fn ask(&self, method: Method, token: &str) -> Result<Reply, ServerError> {
        self.send(method, token).map_err(|error| {
            // The words of a proxy may be in it.
            ServerError::Unreachable { reason: printable(&error.to_string(), token) }
        })
    }

    fn send(&self, method: Method, token: &str) -> Result<Reply, ureq::Error> {
        let (name, text) = match &self.carrier {
            Carrier::Bearer => (AUTHORIZATION, Zeroizing::new(format!("Bearer {token}"))),
            Carrier::Header(name) => (name.clone(), Zeroizing::new(token.to_owned())),
        };
        let mut value = HeaderValue::from_str(&text).map_err(ureq::http::Error::from)?;
        value.set_sensitive(true);
        let request = Request::builder().method(method).uri(self.endpoint.uri()).header(name, value).body(())?;
        let response = self.agent().run(request)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        response.into_body().into_reader().take(LIMIT).read_to_end(&mut body)?;
        Ok(Reply { status, retry_after, body })
    }

    fn agent(&self) -> Agent {
        // The operating system's own roots: a company's too.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Config::builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept("application/json, application/problem+json")
            .user_agent(concat!("counterfoil-client/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(self.timeout));
        // Without TLS a proxy of the environment would be shown the token.
        if self.endpoint.is_plain() { config.proxy(None) } else { config }.build().new_agent()
    }
}
