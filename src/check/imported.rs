//! The secret work for a digest that other software made.

use super::{CheckError, Checked, Checking, Unchecked};
use crate::{
    digest::imported::{Hashing, Imported, NotAdmitted},
    record::{CorruptRecord, Record, SlotKind},
    token::{Environment, Presented},
};

/// Out of line: few tokens are imported, and those once.
#[cold]
pub(super) fn begin(
    presented: Presented<'_>,
    digest: &Imported,
    record: &Record,
    kind: SlotKind,
    of: Option<Checked>,
) -> Result<Checking, CheckError> {
    let imports = presented.imports.ok_or(CheckError::NotAccepted)?;
    let input = digest.over.of(presented.text, imports.secret).ok_or(CheckError::NotAccepted)?;
    digest.admit(&imports.accepted).map_err(|refused| match refused {
        NotAdmitted::Algorithm => CheckError::NotAccepted,
        NotAdmitted::Cost(_) => CorruptRecord { id: record.id, column: kind.column() }.into(),
    })?;
    // A hash of the secret alone leaves open what stands around it. It must be what the record shows, or the token would
    // have several spellings until one is bound. A rotation has replaced what is shown of an older secret, and keeps
    // environment and routing.
    let is_as_shown = presented.environment() == record.environment().map(Environment::as_str)
        && presented.routing() == record.routing()
        && (kind != SlotKind::Current || presented.public().starts_with(&*record.public));
    if !is_as_shown {
        return Ok(Checking::Done(of));
    }
    let unchecked = Unchecked { of, expected: digest.expected() };
    Ok(match digest.hash(input) {
        Hashing::Done(hash) => Checking::Done(unchecked.finish(&hash)),
        Hashing::Slow(job) => Checking::Slow(job, unchecked),
    })
}
