//! Verified tokens looked at again, for connections that outlive a request.

use std::{sync::Arc, time::Duration};

use super::{Parts, Registry, VerifyError};
use crate::{
    caller::Caller,
    check::{Checked, SecretCheck},
    circumstances::Circumstances,
    denial::Denial,
    record::{Record, SlotKind},
    store::TokenStore,
    timer::Timer,
    token::Environment,
    verify::{Verified, verify},
};

impl Registry {
    /// Verifies again a token that was verified before, without its text: it may have been revoked, blocked, rotated or
    /// narrowed, or have expired since. The application's policy is asked as well.
    ///
    /// No use is noted and no event is emitted.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], as for [`verify_for`](Self::verify_for): a refusal, or that nothing could be found out.
    pub async fn recheck(&self, verified: &Verified, caller: &Caller) -> Result<(), VerifyError> {
        let Parts { store, clock, environments, audience, issue_policy, policy, .. } = &*self.0;
        let refused = || VerifyError::Denied(Denial::Unknown);
        let selector = verified.record().slots().get(verified.slot()).ok_or_else(refused)?.selector;
        let record = store.find(&[selector]).await?;
        let find = |record: &Arc<Record>| -> Option<SlotKind> {
            let is_same = record.id() == verified.record().id();
            let (kind, _) = record.slots().find(|other| *other == selector).filter(|_| is_same)?;
            Some(kind)
        };
        let slot = record.as_ref().and_then(find).ok_or_else(refused)?;
        // `verified` proves that the secret of this selector and record was presented.
        let of = record.as_ref().map(|record| Checked {
            id: record.id(),
            version: record.version(),
            slot,
            secret_is_right: true,
        });
        let environment = verified.environment().map(Environment::as_str);
        let circumstances = Circumstances {
            client: caller.address,
            environments,
            audience: caller.audience.as_ref().or(audience.as_ref()),
            catalog: issue_policy.scopes.as_ref().map(|(catalog, _)| catalog),
            ..Circumstances::at(clock.now()?)
        };
        let again = verify(SecretCheck { environment, of }, record, &circumstances).map_err(VerifyError::Denied)?;
        if let Some(policy) = policy {
            policy.at_use(&again, caller).await?;
        }
        Ok(())
    }

    /// Waits until a verified token is no longer good, and returns why. For WebSockets, server-sent events and other
    /// streams: a token is verified when such a connection is opened, and a revocation does not close it.
    ///
    /// The token is [looked at again](Self::recheck) each time after `every`. So a stream ends at most `every` after the
    /// revocation is seen on this node. A store that cannot be asked ends the wait too, because nothing is known then.
    ///
    /// ```
    /// use counterfoil::{Caller, Registry, Verified};
    /// use std::time::Duration;
    ///
    /// # async fn next_message() -> Option<String> { None }
    /// # async fn send(_: String) {}
    /// async fn socket(registry: Registry, verified: Verified, caller: Caller) {
    ///     let end = registry.wait_for_end(&verified, &caller, tokio::time::sleep, Duration::from_secs(10));
    ///     tokio::pin!(end);
    ///     loop {
    ///         tokio::select! {
    ///             _reason = &mut end => return, // close the connection
    ///             message = next_message() => match message {
    ///                 Some(message) => send(message).await,
    ///                 None => return,
    ///             },
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn wait_for_end(
        &self,
        verified: &Verified,
        caller: &Caller,
        timer: impl Timer,
        every: Duration,
    ) -> VerifyError {
        loop {
            timer.sleep(every).await;
            if let Err(error) = self.recheck(verified, caller).await {
                return error;
            }
        }
    }
}
