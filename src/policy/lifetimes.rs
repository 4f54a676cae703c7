//! For how long tokens may live.

use std::{fmt, time::Duration};

use crate::{expiry::Lifetime, time::Timestamp};

/// For how long tokens may live, counted from when they are issued or given a new end.
///
/// ```
/// use counterfoil::{Lifetime, Timestamp, policy::Lifetimes};
/// use std::time::Duration;
///
/// const DAY: Duration = Duration::from_secs(86_400);
///
/// let offered = Lifetimes::among([30 * DAY, 60 * DAY, 90 * DAY, 365 * DAY]).or_forever();
/// let offered = offered.by_default(Lifetime::days(30))?;
///
/// let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
/// assert_eq!(offered.resolve(None)?, Lifetime::days(30));
/// assert!(offered.check(Lifetime::Forever, now).is_ok());
/// let refused = offered.check(Lifetime::days(31), now).unwrap_err();
/// assert_eq!(refused.to_string(), "lifetime not offered: found 31 days, expected one of 30 days, 60 days, 90 days, 365 days, forever");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A month or a year is so many days of 24 hours: there is no calendar here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    ending: Ending,
    forever: bool,
    default: Option<Lifetime>,
}

/// The rule for a token that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Any,
    AtMost(Duration),
    Among(Vec<Duration>),
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::any()
    }
}

impl Lifetimes {
    /// Whatever is asked for, forever too.
    pub const fn any() -> Self {
        Self { ending: Ending::Any, forever: true, default: None }
    }

    /// Whatever ends.
    pub const fn ending() -> Self {
        Self { ending: Ending::Any, forever: false, default: None }
    }

    /// Whatever ends after so long at the latest.
    pub const fn at_most(longest: Duration) -> Self {
        Self { ending: Ending::AtMost(longest), forever: false, default: None }
    }

    /// One of these, exactly; an end given as a moment must be as far away as one of them, to the millisecond.
    pub fn among(offered: impl IntoIterator<Item = Duration>) -> Self {
        Self { ending: Ending::Among(offered.into_iter().collect()), forever: false, default: None }
    }

    /// Or without an end.
    pub fn or_forever(self) -> Self {
        Self { forever: true, ..self }
    }

    /// With a lifetime for requests that name none.
    ///
    /// # Errors
    ///
    /// [`LifetimeRefused`] if it is not allowed itself, or is a moment, which would come and pass.
    pub fn by_default(self, lifetime: Lifetime) -> Result<Self, LifetimeRefused> {
        match lifetime {
            Lifetime::Forever => self.check_forever()?,
            Lifetime::For(found) => self.check_ending(found)?,
            Lifetime::Until(_) => return Err(LifetimeRefused::MomentByDefault),
        }
        Ok(Self { default: Some(lifetime), ..self })
    }

    /// What a request comes to: what it asks for, or else the default. That it is allowed is another question, which
    /// [`check`](Self::check) answers and a registry asks by itself.
    ///
    /// # Errors
    ///
    /// [`LifetimeRefused::Missing`] if nothing is asked for and there is no default.
    pub fn resolve(&self, asked: Option<Lifetime>) -> Result<Lifetime, LifetimeRefused> {
        asked.or(self.default).ok_or_else(|| LifetimeRefused::Missing { expected: self.offered() })
    }

    /// Whether a token may live so long from `now` on.
    ///
    /// # Errors
    ///
    /// [`LifetimeRefused`] with what was found and what is allowed.
    pub fn check(&self, lifetime: Lifetime, now: Timestamp) -> Result<(), LifetimeRefused> {
        match lifetime {
            Lifetime::Forever => self.check_forever(),
            Lifetime::For(found) => self.check_ending(found),
            Lifetime::Until(end) => {
                // An end in the past is no time at all here, and refused when the token is minted.
                let millis = u64::try_from(end.unix_millis() - now.unix_millis()).unwrap_or(0);
                self.check_ending(Duration::from_millis(millis))
            }
        }
    }

    fn check_forever(&self) -> Result<(), LifetimeRefused> {
        if self.forever { Ok(()) } else { Err(LifetimeRefused::Forever { expected: self.offered() }) }
    }

    fn check_ending(&self, found: Duration) -> Result<(), LifetimeRefused> {
        match &self.ending {
            Ending::Any => Ok(()),
            Ending::AtMost(longest) if found <= *longest => Ok(()),
            Ending::AtMost(_) => Err(LifetimeRefused::TooLong { found, expected: self.offered() }),
            Ending::Among(offered) if offered.contains(&found) => Ok(()),
            Ending::Among(_) => Err(LifetimeRefused::NotOffered { found, expected: self.offered() }),
        }
    }

    /// The default, if there is one: what a form preselects.
    pub fn default_lifetime(&self) -> Option<Lifetime> {
        self.default
    }

    /// What may be asked for: what a form shows.
    pub fn offered(&self) -> Offered {
        let (longest, among) = match &self.ending {
            Ending::Any => (None, Vec::new()),
            Ending::AtMost(longest) => (Some(*longest), Vec::new()),
            Ending::Among(offered) => (offered.iter().max().copied(), offered.clone()),
        };
        let closed = matches!(self.ending, Ending::Among(_));
        Offered { longest, among: closed.then_some(among), forever: self.forever }
    }
}

/// What lifetimes may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// The longest one that ends; none is no bound.
    pub longest: Option<Duration>,
    /// The only ones that end, where the set is closed.
    pub among: Option<Vec<Duration>>,
    /// Whether a token may live forever.
    pub forever: bool,
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { longest, among, forever } = self;
        match (among, longest) {
            (Some(among), _) => {
                let mut texts: Vec<_> = among.iter().map(|offered| Span(*offered).to_string()).collect();
                texts.extend(forever.then(|| "forever".to_owned()));
                return write!(f, "one of {}", texts.join(", "));
            }
            (None, Some(longest)) => write!(f, "at most {}", Span(*longest))?,
            (None, None) => f.write_str("any that ends")?,
        }
        if *forever { f.write_str(", or forever") } else { Ok(()) }
    }
}

/// Whole days as days, and anything else as it is.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_nanos(), seconds % 86_400) {
            (0, 0) if seconds == 86_400 => f.write_str("1 day"),
            (0, 0) => write!(f, "{} days", seconds / 86_400),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

/// A lifetime that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifetimeRefused {
    /// None was asked for, and there is no default.
    #[error("lifetime missing: expected {expected}")]
    Missing {
        /// What may be asked for.
        expected: Offered,
    },
    /// Tokens must end.
    #[error("lifetime never ends: expected {expected}")]
    Forever {
        /// What may be asked for.
        expected: Offered,
    },
    /// Longer than the longest allowed.
    #[error("lifetime too long: found {}, expected {expected}", Span(*.found))]
    TooLong {
        /// What was asked for.
        found: Duration,
        /// What may be asked for.
        expected: Offered,
    },
    /// None of the closed set.
    #[error("lifetime not offered: found {}, expected {expected}", Span(*.found))]
    NotOffered {
        /// What was asked for.
        found: Duration,
        /// What may be asked for.
        expected: Offered,
    },
    /// A default that is a moment.
    #[error("default lifetime ends at a moment: expected a duration, or forever")]
    MomentByDefault,
}
