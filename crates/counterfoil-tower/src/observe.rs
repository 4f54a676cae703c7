//! What a host's own tools are told of each request: the outcome and the token's id, never a secret.

use std::future::Future;

use counterfoil::{Verified, registry::VerifyError};
use http::Extensions;

use crate::answer::Answer;

/// The counter of an outcome. Those that are written out need nothing allocated for their label: most requests', and
/// those that anybody can bring about at will.
#[cfg(feature = "metrics")]
macro_rules! counter_of {
    ($outcome:expr, $($written:literal),+) => {
        match $outcome {
            $($written => metrics::counter!("counterfoil_requests_total", "outcome" => $written),)+
            other => metrics::counter!("counterfoil_requests_total", "outcome" => other),
        }
    };
}

/// A request that is being admitted: a span if spans are made.
pub(crate) struct Observation {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Observation {
    pub(crate) fn begin() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("token", token = tracing::field::Empty, outcome = tracing::field::Empty),
        }
    }

    /// Runs `admitting` in the span. Not an `async fn`: that would hold the future twice, where it is handed over and
    /// where it is awaited.
    pub(crate) fn within<F: Future>(&self, admitting: F) -> impl Future<Output = F::Output> + use<F> {
        #[cfg(feature = "tracing")]
        let admitting = tracing::Instrument::instrument(admitting, self.span.clone());
        admitting
    }

    /// Tells what it came to, and counts it.
    #[cfg_attr(not(any(feature = "tracing", feature = "metrics")), expect(unused_variables, reason = "nobody is told"))]
    pub(crate) fn tell(&self, admitted: &Result<(), Answer>, extensions: &Extensions) {
        if cfg!(not(any(feature = "tracing", feature = "metrics"))) {
            return;
        }
        let token = extensions.get::<Verified>().map(|verified| verified.record().id());
        let outcome = match (admitted, &token) {
            (Err(answer), _) => answer.kind.as_str(),
            (Ok(()), Some(_)) => "admitted",
            (Ok(()), None) => "admitted_without_token",
        };
        #[cfg(feature = "tracing")]
        {
            self.span.record("outcome", outcome);
            token.map(|token| self.span.record("token", tracing::field::display(token)));
        }
        #[cfg(feature = "metrics")]
        counter_of!(outcome, "admitted", "missing", "malformed", "invalid", "too_many_attempts").increment(1);
    }
}

/// Logs why nothing could be found out: the error and its causes, which the answer does not have.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "nobody is told"))]
pub(crate) fn tell_cause(error: &VerifyError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "a token cannot be checked now");
}

/// Logs, once in a process, that a door takes the peer's address and the server does not hand it over.
pub(crate) fn log_missing_peer() {
    #[cfg(feature = "tracing")]
    {
        static LOGGED: std::sync::Once = std::sync::Once::new();
        LOGGED.call_once(|| {
            tracing::warn!(
                "`ClientAddress::peer()` found no address in a request's extensions: tokens bound to a network are \
                 refused; with axum, serve `into_make_service_with_connect_info::<SocketAddr>()`"
            );
        });
    }
}
