//! What became of the checks.

use std::{any::Any, error::Error, fmt, panic::Location};

use counterfoil::store::{StoreError, StoreErrorKind};

/// One promise of a contract, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The name: that of the `#[test]` too.
    pub name: &'static str,
    /// What the store promises.
    pub promise: &'static str,
}

/// What became of one check.
#[derive(Debug, Clone)]
#[must_use = "a promise may be broken"]
pub enum Outcome {
    /// The store did as promised.
    Kept,
    /// It did not.
    Broken(Failure),
    /// It was not looked at, for this reason.
    NotRun(&'static str),
}

/// How a promise was broken.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What was looked at.
    pub what: String,
    /// What the store did.
    pub found: String,
    /// What it promised.
    pub expected: String,
    /// Where in the source of this crate it was seen; none if the store panicked.
    pub at: Option<&'static Location<'static>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, expected, at } = self;
        write!(f, "{what}\n     found: {found}\n  expected: {expected}")?;
        if let Some(at) = at {
            write!(f, "\n        at: {}:{}", at.file(), at.line())?;
        }
        Ok(())
    }
}

impl Error for Failure {}

impl From<StoreError> for Failure {
    #[track_caller]
    fn from(error: StoreError) -> Self {
        Self {
            what: "a call that must succeed".into(),
            found: chain(&error),
            expected: "no error".into(),
            at: Some(Location::caller()),
        }
    }
}

/// An error and its causes. A store error's text has its causes already.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

pub(crate) type Kept = Result<(), Failure>;

/// Holds what the store did against what it promised.
#[track_caller]
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: impl Into<String>, found: T, expected: T) -> Kept {
    if found == expected {
        return Ok(());
    }
    Err(Failure {
        what: what.into(),
        found: format!("{found:?}"),
        expected: format!("{expected:?}"),
        at: Some(Location::caller()),
    })
}

/// The kind of a refusal, to be compared.
pub(crate) fn kind<T>(result: Result<T, StoreError>) -> Result<(), StoreErrorKind> {
    result.map(drop).map_err(|error| error.kind().clone())
}

/// What a registry must be able to do.
#[track_caller]
pub(crate) fn done<T, E: Error>(what: &str, result: Result<T, E>) -> Result<T, Failure> {
    let at = Some(Location::caller());
    result.map_err(|error| Failure { what: what.into(), found: chain(&error), expected: "no error".into(), at })
}

/// What a check came to that fell with a panic of the store's.
pub(crate) fn fallen(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
    let what = "the store, or the harness".into();
    Failure { what, found: format!("a panic: {text}"), expected: "no panic".into(), at: None }
}

impl Outcome {
    /// Whether the store did as promised; one that was not run did not.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }

    /// Whether the store broke its promise.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// What became of every check, in order. Its [`Display`](fmt::Display) is a line for each, and more for a broken one.
#[derive(Debug, Clone)]
#[must_use = "a promise may be broken"]
pub struct Report(pub(crate) Vec<(Check, Outcome)>);

impl Report {
    /// The checks and their outcomes.
    pub fn iter(&self) -> impl Iterator<Item = (&Check, &Outcome)> {
        self.0.iter().map(|(check, outcome)| (check, outcome))
    }

    /// The names of the broken ones.
    pub fn broken(&self) -> Vec<&'static str> {
        self.iter().filter(|(_, outcome)| outcome.is_broken()).map(|(check, _)| check.name).collect()
    }

    /// The names of those that were not run.
    pub fn not_run(&self) -> Vec<&'static str> {
        self.iter().filter(|(_, outcome)| matches!(outcome, Outcome::NotRun(_))).map(|(check, _)| check.name).collect()
    }

    /// Panics unless every promise was looked at and kept.
    ///
    /// # Panics
    ///
    /// With the whole report, if one was broken or not run.
    #[track_caller]
    pub fn assert_all_kept(&self) {
        assert!(
            self.iter().all(|(_, outcome)| outcome.is_kept()),
            "the store is not shown to keep its contract\n{self}"
        );
    }

    /// Panics unless every promise that was looked at was kept; one that was not run is no reason.
    ///
    /// # Panics
    ///
    /// With the whole report, if one was broken.
    #[track_caller]
    pub fn assert_kept(&self) {
        assert!(self.broken().is_empty(), "the store breaks its contract\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Check { name, promise }, outcome) in self.iter() {
            match outcome {
                Outcome::Kept => writeln!(f, "kept     {name}")?,
                Outcome::NotRun(reason) => writeln!(f, "not run  {name}: {reason}")?,
                Outcome::Broken(failure) => {
                    writeln!(f, "BROKEN   {name}\n   promise: {promise}\n      when: {failure}")?
                }
            }
        }
        Ok(())
    }
}
