//! From a request's head to the proof, or to the answer: the layer's work without a layer.

use std::sync::Arc;

use counterfoil::{
    Caller, Families, Registry, Scope, TokenFormat, Verified,
    caller::{RequestId, RequestRoute},
    registry::VerifyError,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response,
    header::{ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, WWW_AUTHENTICATE},
    request::Parts,
};

use crate::{
    answer::{Answer, Codes, Kind},
    attempt::{Attempt, AttemptLimiter, SharedAttemptLimiter},
    cache_headers::{add_vary, restrict_caching, vary_of},
    challenge::{Challenge, InvalidChallenge},
    client::ClientAddress,
    limit::{Limiter, SharedLimiter},
    metadata::ResourceMetadata,
    observe::{self, Observation},
    render::Renderer,
    second::{NotAdmitted, SecondVerifier, SharedSecond},
    transport::{MalformedCredential, Transport},
    user_agent::UserAgents,
};

/// A door: which credentials it reads, what it demands, and how it answers those it does not let in.
///
/// [`TokenLayer`](crate::TokenLayer) puts one before a Tower service. For any other framework, hand
/// [`admit`](Self::admit) the request's head and send [`refuse`](Self::refuse)'s response.
///
/// ```
/// use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, Verified};
/// use counterfoil_tower::{Gate, Kind, Transport};
/// use http::Request;
///
/// # pollster::block_on(async {
/// # let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
/// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
/// let issued = registry.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(90))).await?;
/// let gate = Gate::new(registry, Transport::bearer());
///
/// let bearer = format!("Bearer {}", issued.token.expose());
/// let (mut parts, ()) = Request::builder().header("authorization", bearer).body(())?.into_parts();
/// gate.admit(&mut parts).await.expect("the token is good");
/// assert!(parts.extensions.get::<Verified>().is_some());
///
/// let (mut parts, ()) = Request::new(()).into_parts();
/// let answer = gate.admit(&mut parts).await.expect_err("there is no token");
/// assert_eq!(answer.kind, Kind::Missing);
/// let response: http::Response<String> = gate.refuse(&answer);
/// assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="token""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Order
///
/// Credential, the host's [limiter of attempts](AttemptLimiter), verdict and policy, the door's scopes, the host's
/// [`Limiter`]. Scopes that a handler asks for come after.
#[derive(Debug, Clone)]
pub struct Gate {
    registry: Registry,
    transport: Transport,
    /// The headers that the transport reads, as `Vary` names them.
    vary: HeaderValue,
    is_optional: bool,
    passes_preflights: bool,
    strips: bool,
    required: Vec<Scope>,
    client: ClientAddress,
    agents: Arc<UserAgents>,
    request_id: Option<HeaderName>,
    /// The greatest length of a token of the registry's families, at least that of any `TokenFormat`.
    longest: usize,
    second: Option<SharedSecond>,
    longest_for_second: usize,
    attempt_limiter: Option<SharedAttemptLimiter>,
    limiter: Option<SharedLimiter>,
    codes: Codes,
    challenge: Challenge,
    renderer: Renderer,
    expiry_header: Option<HeaderName>,
    metadata: Option<ResourceMetadata>,
}

impl Gate {
    /// A door at which a good token of the registry's must be shown.
    pub fn new(registry: Registry, transport: Transport) -> Self {
        Self {
            longest: registry.families().longest().max(TokenFormat::MAX_LEN),
            registry,
            vary: vary_of(&transport),
            transport,
            is_optional: false,
            passes_preflights: false,
            strips: false,
            required: Vec::new(),
            client: ClientAddress::unknown(),
            agents: Arc::default(),
            request_id: None,
            second: None,
            longest_for_second: Families::MAX_LEN,
            attempt_limiter: None,
            limiter: None,
            codes: Codes::default(),
            challenge: Challenge::plain(),
            renderer: Renderer::problem(),
            expiry_header: None,
            metadata: None,
        }
    }

    /// Lets requests without a credential through as well, without a proof. A bad token is refused all the same.
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// Lets CORS preflights without a credential through, without a proof, for a CORS layer behind this door. They are
    /// `OPTIONS` requests with `Origin` and `Access-Control-Request-Method` (Fetch, section 4.8).
    ///
    /// By default they are answered with 401, because a handler that takes any method would be reached without a token.
    /// Put the CORS layer in front of the [`TokenLayer`](crate::TokenLayer#cors) instead if you can.
    pub fn pass_preflights(self) -> Self {
        Self { passes_preflights: true, ..self }
    }

    /// Takes the credential's header out of a request that is let in.
    pub fn strip(self) -> Self {
        Self { strips: true, ..self }
    }

    /// Demands a scope of every token; several may be demanded.
    pub fn require(mut self, scope: Scope) -> Self {
        self.required.push(scope);
        self
    }

    /// Takes the client's address from this source, and states to the registry that
    /// [addresses are known](Registry::set_client_addresses_known): the settings page and the management API then offer
    /// to bind a token to networks.
    pub fn client_address(self, client: ClientAddress) -> Self {
        if client.is_known() {
            self.registry.set_client_addresses_known();
        }
        Self { client, ..self }
    }

    /// Tells the registry's events what the host calls the request: what this header says, which something before the
    /// door must have written, since from a client it is a claim. A value that is no [`RequestId`] is left out.
    pub fn request_id(self, name: HeaderName) -> Self {
        Self { request_id: Some(name), ..self }
    }

    /// Gives texts of no known family to another verifier. What that lets in comes without a proof: neither the door's
    /// [scopes](Self::require) nor its [limiter](Self::limiter) are asked about it, so the verifier must.
    pub fn or_else(self, second: impl SecondVerifier) -> Self {
        Self { second: Some(SharedSecond::new(second)), ..self }
    }

    /// Sets the greatest length in bytes of a text that the [second verifier](Self::or_else) is given: 16 KiB by default.
    /// Longer ones are answered with 401 and not read.
    pub fn second_limit(self, bytes: usize) -> Self {
        Self { longest_for_second: bytes, ..self }
    }

    /// Asks the host's limiter of failed attempts before anything is looked up.
    pub fn attempt_limiter(self, limiter: impl AttemptLimiter) -> Self {
        Self { attempt_limiter: Some(SharedAttemptLimiter::new(limiter)), ..self }
    }

    /// Asks the host's limiter once everything else has said yes.
    pub fn limiter(self, limiter: impl Limiter) -> Self {
        Self { limiter: Some(SharedLimiter::new(limiter)), ..self }
    }

    /// Answers with these codes.
    pub fn codes(self, codes: Codes) -> Self {
        Self { codes, ..self }
    }

    /// Challenges with these parameters. Give them before the [metadata](Self::metadata), which add their place.
    pub fn challenge(self, challenge: Challenge) -> Self {
        Self { challenge, ..self }
    }

    /// Writes bodies this way.
    pub fn renderer(self, renderer: Renderer) -> Self {
        Self { renderer, ..self }
    }

    /// Tells when the token ends, in seconds of Unix time, in this header of every response to a good token.
    pub fn expiry_header(self, name: HeaderName) -> Self {
        Self { expiry_header: Some(name), ..self }
    }

    /// Serves the protected resource's metadata (RFC 9728) to anyone, names it in every challenge, and answers 404 at
    /// all other well-known places.
    ///
    /// # Errors
    ///
    /// [`InvalidChallenge`] if the document's place is too long for a challenge.
    pub fn metadata(mut self, metadata: ResourceMetadata) -> Result<Self, InvalidChallenge> {
        self.challenge = self.challenge.resource_metadata(&metadata.url())?;
        Ok(Self { metadata: Some(metadata), ..self })
    }

    /// The answer that needs no token, if the request is for a well-known place and metadata are served.
    pub fn answer_openly<B: From<String>>(&self, parts: &Parts) -> Option<Response<B>> {
        self.metadata.as_ref()?.answer(&parts.method, parts.uri.path())
    }

    /// The codes it answers with, for answers of a handler's.
    pub fn used_codes(&self) -> &Codes {
        &self.codes
    }

    /// Lets a request in, or says what to answer.
    ///
    /// The proof, a [`Verified`], is left in the extensions, and takes the place of one that another door has left there:
    /// behind several doors the innermost counts alone. The header of the credential is marked as sensitive, so
    /// that `Debug` does not show it and HTTP/2 does not index it, or taken out.
    ///
    /// # Errors
    ///
    /// [`Answer`].
    pub async fn admit(&self, parts: &mut Parts) -> Result<(), Answer> {
        let observation = Observation::begin();
        let admitted = observation.within(self.let_in(parts)).await;
        observation.tell(&admitted, &parts.extensions);
        admitted
    }

    async fn let_in(&self, parts: &mut Parts) -> Result<(), Answer> {
        // One that another door has left is of another registry, perhaps, and under other demands.
        parts.extensions.remove::<Verified>();
        // Not by `entry`, which makes room for one more and panics where there is none left.
        for (name, value) in &mut parts.headers {
            if self.transport.headers().any(|of_credential| of_credential == name) {
                value.set_sensitive(true);
            }
        }
        let codes = &self.codes;
        let found = self.transport.credential_within(&parts.headers, self.longest()).map_err(|reason| match reason {
            MalformedCredential::TooLong => Answer::invalid(codes),
            reason => Answer::malformed(reason, codes),
        });
        let Some(text) = found? else {
            return match is_preflight(parts) {
                _ if self.is_optional => Ok(()),
                true if self.passes_preflights => Ok(()),
                true => Err(Answer::preflight(codes)),
                false => Err(Answer::missing(codes)),
            };
        };
        if let Some(verified) = self.verified(text, parts).await? {
            self.demand(&verified, parts).await?;
            parts.extensions.insert(verified);
        } else if let Some(second) = &self.second {
            let admission = second.admit(text, parts).await.map_err(|reason| match reason {
                NotAdmitted::Invalid => Answer::invalid(codes),
                NotAdmitted::Unavailable => Answer::unavailable(codes),
            })?;
            admission.leave(&mut parts.extensions);
        }
        if self.strips {
            for name in self.transport.headers() {
                parts.headers.remove(name);
            }
        }
        Ok(())
    }

    /// The greatest length of a text that is read.
    fn longest(&self) -> usize {
        if self.second.is_some() { self.longest.max(self.longest_for_second) } else { self.longest }
    }

    /// The proof; none if the text is the second verifier's to judge.
    async fn verified(&self, text: &str, parts: &Parts) -> Result<Option<Verified>, Answer> {
        let caller = self.caller(parts);
        if let Some(limiter) = &self.attempt_limiter
            && let Some(attempt) = self.attempt(text, &caller)
        {
            limiter.may_try(&attempt).map_err(|later| {
                self.registry.report_attempt_limited(&later.code, route_of(parts), &caller);
                Answer::too_many_attempts(&later)
            })?;
        }
        match self.registry.verify_for(text, &caller).await {
            Ok(verified) => Ok(Some(verified)),
            Err(error) if self.second.is_some() && error.is_not_ours() && text.len() <= self.longest_for_second => {
                Ok(None)
            }
            Err(error) => {
                if !error.is_refusal() {
                    observe::tell_cause(&error);
                }
                if let Some(limiter) = &self.attempt_limiter
                    && matches!(error, VerifyError::Denied(denial) if !denial.may_be_told())
                    && let Some(attempt) = self.attempt(text, &caller)
                {
                    limiter.failed(&attempt);
                }
                Err(Answer::to_error(&error, &self.codes))
            }
        }
    }

    /// What the limiter of attempts is shown: read anew each time, so that not every admission carries it along. None if
    /// the text is no token of ours.
    fn attempt(&self, text: &str, caller: &Caller) -> Option<Attempt> {
        let presented = self.registry.families().parse(text).ok()?;
        Some(Attempt::new(caller.address, presented.selector()))
    }

    async fn demand(&self, verified: &Verified, parts: &Parts) -> Result<(), Answer> {
        for scope in &self.required {
            self.require_scope(verified, scope, parts)?;
        }
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.admit(verified).await.map_err(|later| {
            self.registry.report_limited(verified, &later.code, route_of(parts), &self.caller(parts));
            Answer::later(&later)
        })
    }

    /// Requires a scope of a token that was let in, for what a route asks for beyond [the door](Self::require). If the
    /// token lacks it, the registry's sink gets the event
    /// [`ScopeMissing`](counterfoil::event::EventKind::ScopeMissing), with the route if it is known.
    ///
    /// # Errors
    ///
    /// [`Answer`]: 403.
    pub fn require_scope(&self, verified: &Verified, scope: &Scope, parts: &Parts) -> Result<(), Answer> {
        verified.require(scope).map_err(|missing| {
            self.registry.report_missing_scope(verified, scope, route_of(parts), &self.caller(parts));
            Answer::missing_scope(missing.scope, &self.codes)
        })
    }

    /// What is known of a request besides its token.
    fn caller(&self, parts: &Parts) -> Caller {
        let request = self.request_id.as_ref().and_then(|name| parts.headers.get(name));
        let request = request.filter(|value| value.len() <= RequestId::MAX_LEN);
        let request = request.and_then(|value| RequestId::new(value.to_str().ok()?).ok());
        let agent = self.agents.of(&parts.headers);
        Caller { address: self.client.of(parts), request, agent, ..Caller::unknown() }
    }

    /// Returns the response of an answer: status, body, challenge, and `Cache-Control: no-store`.
    pub fn refuse<B: From<String>>(&self, answer: &Answer) -> Response<B> {
        let mut response = self.renderer.response(answer);
        if matches!(answer.kind, Kind::Missing | Kind::Invalid | Kind::Malformed | Kind::MissingScope) {
            let challenge = self.challenge.header(answer, &self.transport);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            // For scripts of origins that a CORS layer allows. A layer that exposes headers itself replaces this.
            let exposed = HeaderValue::from_static("www-authenticate");
            response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        self.mark(&mut response, true, None);
        response
    }

    /// Whether a request has any header that this door reads. Ask before [`admit`](Self::admit), which may
    /// [strip](Self::strip) it.
    pub fn is_credential_presented(&self, headers: &HeaderMap) -> bool {
        self.transport.headers().any(|name| headers.contains_key(name))
    }

    /// Adds to a response what this door adds to every response: `Vary`, `Cache-Control`, and the token's expiry if that
    /// is [wanted](Self::expiry_header). [`TokenLayer`](crate::TokenLayer) and [`refuse`](Self::refuse) do so themselves.
    ///
    /// | header | value |
    /// |---|---|
    /// | `Vary` | what the response names already, and every header that the transport reads |
    /// | `Cache-Control`, status 401, 403, 429 or 503 | `no-store` |
    /// | `Cache-Control`, any other status, if a [credential was presented](Self::is_credential_presented) | `private` |
    ///
    /// A response whose `Cache-Control` has `public`, `s-maxage`, `private` or `no-store` keeps it as it is. Other
    /// directives are kept too: `max-age=60` becomes `max-age=60, private`. RFC 9111, section 3.5 alone does not protect
    /// these responses: it is about `Authorization` only, and nginx does not follow it.
    pub fn mark<B>(&self, response: &mut Response<B>, is_credential_presented: bool, verified: Option<&Verified>) {
        let status = response.status();
        let headers = response.headers_mut();
        add_vary(headers, &self.vary);
        restrict_caching(headers, status, is_credential_presented);
        if let (Some(name), Some(verified)) = (&self.expiry_header, verified)
            && let Some(end) = verified.record().expiry().at()
        {
            headers.insert(name, end.unix_millis().div_euclid(1000).into());
        }
    }

    pub(crate) const fn tells_expiry(&self) -> bool {
        self.expiry_header.is_some()
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The method and the matched route. The path itself is not taken: it may hold ids, or whatever a stranger sends.
fn route_of(parts: &Parts) -> Option<RequestRoute> {
    #[cfg(feature = "axum")]
    if let Some(path) = parts.extensions.get::<axum::extract::MatchedPath>() {
        return RequestRoute::new(format!("{} {}", parts.method, path.as_str())).ok();
    }
    parts.extensions.get::<RequestRoute>().cloned()
}

/// An error of [`Registry::verify_for`] as this crate answers it, for hosts that verify by themselves.
impl From<&VerifyError> for Answer {
    fn from(error: &VerifyError) -> Self {
        Self::to_error(error, &Codes::default())
    }
}
