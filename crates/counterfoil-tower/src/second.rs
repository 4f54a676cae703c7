//! A second verifier, for texts that are of no family of the registry's.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{Extensions, request::Parts};

/// A verifier that has its turn where a text is of no known family: a session JWT behind the API keys, say.
///
/// It is never asked about a text that begins as our tokens do and is bad.
///
/// ```
/// use counterfoil_tower::{Admission, NotAdmitted, SecondVerifier};
/// use http::request::Parts;
///
/// #[derive(Clone)]
/// struct Session(String);
///
/// struct Sessions;
///
/// impl SecondVerifier for Sessions {
///     async fn admit(&self, text: &str, _: &Parts) -> Result<Admission, NotAdmitted> {
///         match text.strip_prefix("session-") {
///             Some(user) => Ok(Admission::with(Session(user.to_owned()))),
///             None => Err(NotAdmitted::Invalid),
///         }
///     }
/// }
/// ```
pub trait SecondVerifier: Send + Sync + 'static {
    /// Verifies `text`.
    ///
    /// # Errors
    ///
    /// [`NotAdmitted`].
    fn admit(&self, text: &str, parts: &Parts) -> impl Future<Output = Result<Admission, NotAdmitted>> + Send;
}

/// A second verifier's yes, and what it leaves for the handler.
pub struct Admission(Box<dyn FnOnce(&mut Extensions) + Send>);

impl Admission {
    /// Leaves `value` in the request's extensions.
    pub fn with<T: Clone + Send + Sync + 'static>(value: T) -> Self {
        Self(Box::new(move |extensions| {
            extensions.insert(value);
        }))
    }

    pub(crate) fn leave(self, extensions: &mut Extensions) {
        (self.0)(extensions);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission(..)")
    }
}

/// A second verifier's no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The text is no good credential: 401.
    Invalid,
    /// Nothing could be found out: 503.
    Unavailable,
}

/// Any second verifier, its type erased.
#[derive(Clone)]
pub(crate) struct SharedSecond(Arc<dyn DynSecond>);

impl SharedSecond {
    pub(crate) fn new(second: impl SecondVerifier) -> Self {
        Self(Arc::new(second))
    }

    pub(crate) async fn admit(&self, text: &str, parts: &Parts) -> Result<Admission, NotAdmitted> {
        self.0.admit_dyn(text, parts).await
    }
}

impl fmt::Debug for SharedSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondVerifier(..)")
    }
}

type Admitting<'a> = Pin<Box<dyn Future<Output = Result<Admission, NotAdmitted>> + Send + 'a>>;

trait DynSecond: Send + Sync {
    fn admit_dyn<'a>(&'a self, text: &'a str, parts: &'a Parts) -> Admitting<'a>;
}

impl<V: SecondVerifier> DynSecond for V {
    fn admit_dyn<'a>(&'a self, text: &'a str, parts: &'a Parts) -> Admitting<'a> {
        Box::pin(self.admit(text, parts))
    }
}
