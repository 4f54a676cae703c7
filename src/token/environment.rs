//! What a token is for: production, or trying out.

use std::fmt;

use super::InvalidFormat;

/// The environment a token is for, such as `live` or `test`: 1 to 16 lower-case letters and digits.
///
/// ```
/// use counterfoil::Environment;
///
/// assert_eq!(Environment::new("live")?.as_str(), "live");
/// assert!(Environment::new("live_eu").is_err()); // `_` separates segments
/// # Ok::<(), counterfoil::token::InvalidFormat>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct Environment(std::sync::Arc<str>);

impl Environment {
    /// The greatest length in bytes.
    pub const MAX_LEN: usize = 16;

    /// Reads an environment's name.
    ///
    /// # Errors
    ///
    /// [`InvalidFormat::Environment`] if it is not of the form above.
    pub fn new(text: &str) -> Result<Self, InvalidFormat> {
        let well_formed = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !(1..=Self::MAX_LEN).contains(&text.len()) || !well_formed {
            return Err(InvalidFormat::Environment { found: text.chars().take(64).collect() });
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({self})")
    }
}

impl From<Environment> for String {
    fn from(environment: Environment) -> Self {
        environment.as_str().to_owned()
    }
}

impl TryFrom<String> for Environment {
    type Error = InvalidFormat;

    fn try_from(text: String) -> Result<Self, InvalidFormat> {
        Self::new(&text)
    }
}
