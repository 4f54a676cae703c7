//! A policy's no.

use std::{error::Error, time::Duration};

use crate::scope::Scopes;

/// A policy's no, or its silence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// It refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It refuses for now: a limiter or a budget. The answer is "too many requests", after the verdict.
    #[error("{refusal}")]
    Later {
        /// What is told.
        refusal: Refusal,
        /// After how long it may be worth to come again.
        retry_after: Duration,
    },
    /// It cannot say now: the answer is "try again", never a pass. A policy that panics or passes its deadline ends
    /// here as well; the source is a [`PolicyPanicked`](super::PolicyPanicked) or a
    /// [`PolicyTimedOut`](super::PolicyTimedOut) then.
    #[error("the policy cannot be asked now: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl Objection {
    /// The refusal, if it is one, for now or for good; none if the policy cannot say.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Later { refusal, .. } => Some(refusal),
            Self::Unavailable(_) => None,
        }
    }
}

/// A refusal with the host's own code, text and link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
#[non_exhaustive]
pub struct Refusal {
    /// The stable machine code.
    pub code: String,
    /// What people are told.
    pub text: String,
    /// Where they can read on or change it.
    pub link: Option<String>,
}

impl Refusal {
    /// A refusal without a link.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), link: None }
    }

    /// With a link.
    pub fn link(self, link: impl Into<String>) -> Self {
        Self { link: Some(link.into()), ..self }
    }

    /// For now only: coming again after so long may be worth it.
    ///
    /// ```
    /// use counterfoil::policy::Refusal;
    /// use std::time::Duration;
    ///
    /// let full = Refusal::new("rate_limited", "60 requests a minute").later(Duration::from_secs(12));
    /// assert_eq!(full.refusal().unwrap().code, "rate_limited");
    /// ```
    pub const fn later(self, retry_after: Duration) -> Objection {
        Objection::Later { refusal: self, retry_after }
    }
}

/// Scopes were asked for that the owner has no right to: refused by name, never narrowed in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scopes beyond the owner's rights: {scopes}")]
pub struct BeyondRights {
    /// Which.
    pub scopes: Scopes,
}
