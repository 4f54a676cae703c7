//! Tokens that come over from another system.

use std::sync::Arc;

use super::Registry;
use crate::{
    event::{Event, EventKind},
    import::{Import, ImportRefused},
    record::Use,
    store::{StoreError, StoreErrorKind, TokenStore},
    subject::By,
    time::{InvalidTimestamp, Timestamp},
    token::TokenId,
};

/// What became of one row of an import.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportOutcome {
    /// It is stored, under this id.
    Imported(TokenId),
    /// A record with its id or its selector is there, durably. Nothing of it was changed: it may have been used, rotated or
    /// revoked since it came in.
    AlreadyPresent,
    /// Its token could never be verified.
    Refused(ImportRefused),
    /// The store failed.
    Failed(StoreError),
    /// The store could not be written to when an earlier row came up, and was not asked again.
    NotTried,
}

impl Registry {
    /// Stores tokens that another system has made, and says of each row, in order, what became of it.
    ///
    /// Limits and scope catalog, and the host's policy, are not asked. The digests are those of the other system: each is
    /// replaced by one of this registry on the token's first use, and its selector too where it was made of the digest.
    ///
    /// ```
    /// use counterfoil::digest::{ImportedAlgorithm::Sha256, ImportedDigests, Over};
    /// # use counterfoil::{By, Digest, Expiry, Import, Keyring, MemoryStore, Owner, Registry, Timestamp, TokenFormat};
    /// use counterfoil::registry::ImportOutcome;
    ///
    /// # pollster::block_on(async {
    /// # let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key()?).parse()?;
    /// let format = TokenFormat::builder("acme")
    ///     .accepts_imported(ImportedDigests { sha256: true, ..ImportedDigests::default() })
    ///     .build()?;
    /// let registry = Registry::builder(format, keyring, MemoryStore::new()).build()?;
    ///
    /// // Rows of the old table: owner, the token up to its secret, SHA-256 of the whole token, Unix milliseconds.
    /// let rows = [("user-42", "acme_dXt8q2RbLm3k", "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", 1_700_000_000_000)];
    /// let mut batch = Vec::new();
    /// for (owner, public, sha256, made) in rows {
    ///     let digest = Digest::imported(Sha256, sha256, Over::Text)?;
    ///     let made = Timestamp::from_unix_millis(made)?;
    ///     batch.push(Import::new(Owner::new(owner)?, public, digest, made, Expiry::Never));
    /// }
    /// let outcomes = registry.import(batch.clone(), By::unknown()).await?;
    /// assert!(matches!(outcomes[..], [ImportOutcome::Imported(_)]));
    /// let again = registry.import(batch, By::unknown()).await?;
    /// assert!(matches!(again[..], [ImportOutcome::AlreadyPresent]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// A batch that broke off can be imported again: rows that are there are left alone. This holds as long as no record
    /// of it is purged, so a revoked token must be given as revoked once its retention is over.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] if the clock is not set; nothing is imported then.
    pub async fn import(
        &self,
        batch: impl IntoIterator<Item = Import>,
        by: impl Into<By>,
    ) -> Result<Vec<ImportOutcome>, InvalidTimestamp> {
        let (batch, by): (Vec<_>, By) = (batch.into_iter().collect(), by.into());
        let now = self.0.clock.now()?;
        let mut uses = Vec::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut is_down = false;
        for import in batch {
            let outcome =
                if is_down { ImportOutcome::NotTried } else { self.import_one(import, &by, now, &mut uses).await };
            is_down |= matches!(&outcome, ImportOutcome::Failed(error) if is_of_the_whole_store(error));
            outcomes.push(outcome);
        }
        self.confirm_present(&mut outcomes).await;
        // Where this fails, the records are in all the same, and the next import of the batch notes the uses.
        if !uses.is_empty() && self.0.store.record_uses(&uses).await.is_err() {
            self.emit(&Event::new(now, EventKind::UsesDropped { count: uses.len() as u64 }));
        }
        Ok(outcomes)
    }

    /// An earlier import that returned an error may have stored the rows that are present. They are reported as present
    /// only if they are durable, and as failed otherwise.
    async fn confirm_present(&self, outcomes: &mut [ImportOutcome]) {
        let is_present = |outcome: &ImportOutcome| matches!(outcome, ImportOutcome::AlreadyPresent);
        if !outcomes.iter().any(is_present) {
            return;
        }
        let Err(error) = self.0.store.confirm_durable().await else { return };
        let error = Arc::new(error);
        for outcome in outcomes.iter_mut().filter(|outcome| is_present(outcome)) {
            let error = StoreError::new(error.kind().clone()).with_source(Arc::clone(&error));
            *outcome = ImportOutcome::Failed(error);
        }
    }

    async fn import_one(&self, mut import: Import, by: &By, now: Timestamp, uses: &mut Vec<Use>) -> ImportOutcome {
        let usage = import.usage.take();
        let record = match import.into_record(&self.0.families) {
            Ok(record) => record,
            Err(refused) => return ImportOutcome::Refused(refused),
        };
        let outcome = match self.0.store.insert(&record, None, now).await {
            Ok(()) => {
                self.emit(&Event::new(now, EventKind::Imported).of(&record).by(by));
                ImportOutcome::Imported(record.id())
            }
            Err(error) if *error.kind() == StoreErrorKind::Duplicate => ImportOutcome::AlreadyPresent,
            Err(error) => return ImportOutcome::Failed(error),
        };
        // Noted for one that is present too: an import that broke off may not have come to it, and an earlier use never
        // replaces a later one.
        uses.extend(usage.map(|usage| Use { id: record.id(), usage }));
        outcome
    }
}

/// Whether the next row would fail for the same reason, perhaps after as long a wait.
fn is_of_the_whole_store(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        StoreErrorKind::Unavailable
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::NewerSchema { .. }
            | StoreErrorKind::OlderSchema { .. }
            | StoreErrorKind::NoStore { .. }
            | StoreErrorKind::Incomplete { .. }
            | StoreErrorKind::WrongStore { .. }
            | StoreErrorKind::RowSecurity { .. }
            | StoreErrorKind::EditedMigration { .. }
    )
}
