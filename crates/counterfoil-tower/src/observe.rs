//! What a host's own tools are told of each request: the outcome and the token's id, never a secret.

use std::future::Future;

use counterfoil::Verified;
use http::Extensions;

use crate::answer::Answer;

/// Runs `admitting` in a span, and counts what it comes to.
#[cfg_attr(not(any(feature = "tracing", feature = "metrics")), expect(unused_variables, reason = "nobody is told"))]
pub(crate) async fn observed<'p>(
    admitting: impl Future<Output = (Result<(), Answer>, &'p Extensions)>,
) -> Result<(), Answer> {
    #[cfg(feature = "tracing")]
    let span = tracing::debug_span!("token", token = tracing::field::Empty, outcome = tracing::field::Empty);
    #[cfg(feature = "tracing")]
    let admitting = tracing::Instrument::instrument(admitting, span.clone());

    let (admitted, extensions) = admitting.await;
    let token = extensions.get::<Verified>().map(|verified| verified.record().id());
    let outcome = match (&admitted, &token) {
        (Err(answer), _) => answer.kind.as_str(),
        (Ok(()), Some(_)) => "admitted",
        (Ok(()), None) => "admitted_without_token",
    };
    #[cfg(feature = "tracing")]
    {
        span.record("outcome", outcome);
        token.map(|token| span.record("token", tracing::field::display(token)));
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("counterfoil_requests_total", "outcome" => outcome).increment(1);
    admitted
}
