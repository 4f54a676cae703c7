//! What a verdict is reached under, beside the secret and the record.

use std::{net::IpAddr, sync::Arc};

use crate::{restriction::Audience, scope::ScopeCatalog, time::Timestamp, token::Environment};

/// What a verdict is reached under. What is left out makes the verdict stricter, but for
/// the catalog: without one, nothing that a record holds is forbidden.
///
/// ```
/// use counterfoil::{Circumstances, Timestamp};
///
/// let mut at = Circumstances::at(Timestamp::from_unix_millis(1_767_225_600_000)?);
/// at.client = Some("192.0.2.7".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Circumstances<'a> {
    /// The moment it is.
    pub now: Timestamp,
    /// The client's address, if known.
    pub client: Option<IpAddr>,
    /// The environments that are served here; a token that names another is refused.
    pub environments: &'a [Environment],
    /// What this resource server calls itself.
    pub audience: Option<&'a Audience>,
    /// What can never be granted, whatever a record says.
    pub catalog: Option<&'a Arc<ScopeCatalog>>,
}

impl Circumstances<'_> {
    /// At this moment, with nothing else known: no environment is served, no address and no audience is given.
    #[inline(always)]
    pub const fn at(now: Timestamp) -> Self {
        Self { now, client: None, environments: &[], audience: None, catalog: None }
    }
}
