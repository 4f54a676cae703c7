//! Which state of a row a record is.

/// Which state of a row this is. A store replaces a row only if both numbers are as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// Counts the changes that the host makes.
    pub version: u64,
    /// Counts how often the digests were made anew on use; apart, so that using a token does not move its ETag.
    pub digest_version: u64,
}

impl Revision {
    pub(crate) const FIRST: Self = Self { version: 1, digest_version: 1 };

    pub(crate) fn next_version(self) -> Self {
        Self { version: self.version + 1, ..self }
    }

    pub(crate) fn next_digest_version(self) -> Self {
        Self { digest_version: self.digest_version + 1, ..self }
    }
}
