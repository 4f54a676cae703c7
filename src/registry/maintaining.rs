//! Upkeep, and the uses that it writes.

use std::{future::Future, sync::Arc, time::Duration};

use super::{ReadError, Registry, RegistryBuilder, issuing_once::REMEMBERED_FOR};
use crate::{
    event::{Event, EventKind, Step},
    maintain::{Maintained, Retention},
    store::{Filter, IdempotencyStore, ListQuery, Page, SharedRequests, StoreError, TokenStore},
    time::{InvalidTimestamp, Timestamp},
    timer::Timer,
    uses::{UseNotes, Uses, Which},
};

/// Uses handed over at once: a batch that no other writer waits long for.
const USES_AT_ONCE: usize = 500;

impl Registry {
    /// Writes every use that is noted and not written yet, whether it is due or not. Returns how many.
    ///
    /// A verification notes its use in memory alone and never waits for it to be written: that is done here, and by
    /// [`maintain`](Self::maintain) for the uses that are due. Before a host ends it calls this or
    /// [`shutdown`](Self::shutdown): what is noted is gone with the process.
    ///
    /// # Errors
    ///
    /// The store's, [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly) among them. What was not written stays noted.
    pub async fn flush_uses(&self) -> Result<u64, StoreError> {
        let (mut written, mut dropped) = (0, 0);
        self.write_uses(Which::All, &mut written, &mut dropped).await.map(|()| written)
    }

    /// Writes every use and tells what is still to be told: for the end of the host. The registry can be used on.
    ///
    /// # Errors
    ///
    /// As [`flush_uses`](Self::flush_uses).
    pub async fn shutdown(&self) -> Result<u64, StoreError> {
        if let Ok(now) = self.0.clock.now() {
            self.emit_count(now, self.0.denials.end(), |count| EventKind::DenialsSuppressed { count });
        }
        self.flush_uses().await
    }

    async fn write_uses(&self, which: Which, written: &mut u64, dropped: &mut u64) -> Result<(), StoreError> {
        let uses = &self.0.uses;
        // Without a time, what was dropped is told and what is idle forgotten when there is one again.
        if let Ok(now) = self.0.clock.now() {
            *dropped = uses.take_dropped();
            self.emit_count(now, *dropped, |count| EventKind::UsesDropped { count });
            uses.forget_idle(now);
        }
        for batch in uses.to_write(which).chunks(USES_AT_ONCE) {
            self.0.store.record_uses(batch).await?;
            uses.are_written(batch);
            *written += batch.len() as u64;
        }
        Ok(())
    }

    /// Runs the maintenance that is due: writes uses, deletes records that are past their [`Retention`], forgets
    /// requests with an idempotency key that are a day old, warns of tokens that expire soon, and revokes tokens that are
    /// no longer used.
    ///
    /// A run begins with a [check of the store](TokenStore::check_health), and ends there if it fails. Each of the other
    /// steps is bounded, and runs even if an earlier one failed. Only, no token is revoked as unused in a run that could
    /// not write all uses.
    ///
    /// The moment is that of the registry's clock, by which uses are noted too. Any number of nodes may run it, also at
    /// the same time. Requests are forgotten only if the registry knows
    /// [their store](RegistryBuilder::idempotency).
    ///
    /// ```
    /// # use counterfoil::{Keyring, MemoryStore, Registry, TokenFormat};
    /// use std::time::Duration;
    ///
    /// # pollster::block_on(async {
    /// # let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key()?).parse()?;
    /// # let format = TokenFormat::builder("acme").build()?;
    /// const DAY: Duration = Duration::from_secs(86_400);
    ///
    /// let registry = Registry::builder(format, keyring, MemoryStore::new())
    ///     .warn_before([7 * DAY, DAY])
    ///     .revoke_unused_after(365 * DAY)
    ///     .build()?;
    /// let done = registry.maintain().await?;
    /// assert_eq!((done.purged, done.more, done.failures.len()), (0, false, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The clock's alone: without a time nothing is due. What fails in the store is in
    /// [`failures`](Maintained::failures).
    pub async fn maintain(&self) -> Result<Maintained, InvalidTimestamp> {
        let (store, maintenance) = (&self.0.store, &self.0.maintenance);
        let now = self.0.clock.now()?;
        self.emit_count(now, self.0.denials.close(now), |count| EventKind::DenialsSuppressed { count });

        let mut run = Maintained::default();
        if let Err(error) = store.check_health().await {
            // Nothing may be deleted or revoked in a store that is not known to be the right one.
            run.fail(Step::Check, Some(error));
            return Ok(run);
        }
        let (mut written, mut dropped) = (0, 0);
        let flushed = self.write_uses(Which::Due(now), &mut written, &mut dropped).await;
        (run.uses_written, run.uses_dropped) = (written, dropped);
        let uses_are_written = flushed.is_ok();
        run.fail(Step::Uses, flushed.err());

        let purged = maintenance.purge(store, now).await;
        run.purged = run.add(Step::Purge, purged);
        self.emit_count(now, run.purged, |count| EventKind::Purged { count });

        let requests_before = now.checked_sub(REMEMBERED_FOR).unwrap_or(Timestamp::MIN);
        run.requests_forgotten = run.add(Step::Requests, maintenance.forget_requests(requests_before).await);

        let warned = maintenance.warn(store, now, |record, expiry, threshold| {
            self.emit(&Event::new(now, EventKind::Expiring { expiry, threshold }).of(record));
        });
        run.warned = run.add(Step::Warnings, warned.await);

        let Some(since) = maintenance.unused_since(now) else { return Ok(run) };
        if !uses_are_written || !self.0.uses.are_known_since(since) {
            return Ok(Maintained { sweep_put_off: true, ..run });
        }
        let swept = maintenance.sweep(store, (since, now), |id, owner, by| {
            let revoked = Event::new(now, EventKind::Revoked).token(id).by(by);
            self.emit(&Event { owner: owner.cloned(), ..revoked });
        });
        run.swept = run.add(Step::Sweep, swept.await);
        Ok(run)
    }

    /// Runs [`maintain`](Self::maintain) by itself, again and again, each time after a wait of `every`: half a minute,
    /// say. What a run leaves is done by the next.
    ///
    /// The future does nothing until it is spawned. It ends with the first wait during which the last clone of the
    /// registry was dropped, or when it is dropped itself; it does not keep the registry alive. A failure is an event,
    /// [`MaintenanceFailed`](EventKind::MaintenanceFailed), and ends nothing. One node needs to run it for the records'
    /// sake, every node for its own uses.
    ///
    /// ```
    /// # use counterfoil::{Keyring, MemoryStore, Registry, TokenFormat};
    /// use std::time::Duration;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// # let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key()?).parse()?;
    /// # let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
    /// let background = tokio::spawn(registry.background(tokio::time::sleep, Duration::from_secs(30)));
    ///
    /// // at the end
    /// background.abort();
    /// registry.shutdown().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn background<T: Timer>(&self, timer: T, every: Duration) -> impl Future<Output = ()> + Send + use<T> {
        let parts = Arc::downgrade(&self.0);
        async move {
            loop {
                timer.sleep(every).await;
                let Some(parts) = parts.upgrade() else { return };
                Self(parts).tend().await;
            }
        }
    }

    /// One run whose failures are told.
    async fn tend(&self) {
        // Without a time there is no event either; every verification says so.
        let Ok(run) = self.maintain().await else { return };
        let Ok(now) = self.0.clock.now() else { return };
        for failure in run.failures {
            let error = failure.source.to_string();
            self.emit(&Event::new(now, EventKind::MaintenanceFailed { step: failure.step, error }));
        }
    }

    /// The first page of the active tokens that end before a moment; the next ones are those of
    /// [`Filter::expiring`](Filter::expiring).
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the store or the clock fails.
    pub async fn expiring(&self, before: Timestamp) -> Result<Page, ReadError> {
        self.list(&ListQuery::new(Filter::expiring(before))).await
    }
}

impl RegistryBuilder {
    /// Keeps records that are of no more use for so long.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.0.maintenance.retention = retention;
        self
    }

    /// Forgets requests with an idempotency key from this store when they are a day old, as a step of
    /// [`maintain`](Registry::maintain). Give the store that you pass to [`issue_once`](Registry::issue_once), to the
    /// management API or to the settings page. Without it you call [`forget_requests`](Registry::forget_requests).
    pub fn idempotency(mut self, requests: impl IdempotencyStore) -> Self {
        self.0.maintenance.requests = Some(SharedRequests::new(requests));
        self
    }

    /// Tells of an active token whose end has come within one of these: an
    /// [`Expiring`](EventKind::Expiring) event, once for each threshold over all nodes, and anew when the end is moved.
    ///
    /// Of several thresholds that are reached at once the nearest is told alone. A token that lives shorter than a
    /// threshold is told of soon after it is made. A warning is claimed before it is told: if the process ends in
    /// between, it is lost. None by default.
    pub fn warn_before(mut self, thresholds: impl IntoIterator<Item = Duration>) -> Self {
        self.0.maintenance.warn_before(thresholds);
        self
    }

    /// Revokes active tokens once they were not used for longer than this; those never used count from when they were
    /// made. Not by default.
    ///
    /// An [`Import`](crate::Import) was made in the other system: without its usage an old one is revoked by the next run,
    /// before its bearer could use it here. It is final. So give imports their usage, or switch this on only once those
    /// in use have been used.
    ///
    /// It goes by the uses in the store. So it must be at least twice [`UseNotes::every`], and should be longer by far
    /// than any node may run without reaching the store. A node that had to drop a use, of whichever token, revokes none
    /// until that use would be too old to count.
    pub fn revoke_unused_after(mut self, idle: Duration) -> Self {
        self.0.maintenance.idle = Some(idle);
        self
    }

    /// Gathers uses in this way.
    pub fn uses(mut self, notes: UseNotes) -> Self {
        self.0.uses = Uses::new(notes);
        self
    }

    /// Tells at most so many denials a second one by one, of those that no secret was proven for, and as many tokens
    /// that [cannot be checked](EventKind::Unverifiable) for want of a server key; the others are counted in one
    /// [`DenialsSuppressed`](EventKind::DenialsSuppressed) event. 100 by default.
    pub fn denials_per_second(mut self, limit: u32) -> Self {
        self.0.denials.limit = limit;
        self
    }
}
