//! What may cross threads, and what a secret deliberately lacks.

use counterfoil::{
    Caller, Grant, Keyring, MemoryStore, Minted, Record, Registry, Rotation, SharedStore, Token, Verified,
    policy::{BeyondRights, LifetimeRefused, MintSwitch, Objection},
    registry::{ChangeError, IssueError, Issued, Rotated, RotationError, SurrenderError, Surrendered, VerifyError},
    store::{RequestKey, StoreError},
};

fn crosses_threads<T: Send + Sync + 'static>() {}
fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
fn is_send<T: Send>(_: T) {}

#[test]
fn types_cross_threads() {
    crosses_threads::<Keyring>();
    crosses_threads::<Minted>();
    crosses_threads::<Issued>();
    crosses_threads::<Record>();
    crosses_threads::<MintSwitch>();
    crosses_threads::<Registry>();
    crosses_threads::<Rotated>();
    crosses_threads::<SharedStore>();
    crosses_threads::<Surrendered>();
    crosses_threads::<Token>();
    crosses_threads::<counterfoil::Maintained>();
    crosses_threads::<counterfoil::event::QueuedSink>();
    crosses_threads::<Verified>();
}

#[test]
fn errors_are_errors() {
    is_an_error::<BeyondRights>();
    is_an_error::<ChangeError>();
    is_an_error::<IssueError>();
    is_an_error::<LifetimeRefused>();
    is_an_error::<Objection>();
    is_an_error::<RotationError>();
    is_an_error::<StoreError>();
    is_an_error::<SurrenderError>();
    is_an_error::<VerifyError>();
    is_an_error::<counterfoil::maintain::StepFailed>();
}

/// Compiles only if every future of a registry can be spawned.
#[expect(dead_code, reason = "to be compiled, not run")]
fn futures_cross_threads(registry: &Registry, grant: Grant, id: counterfoil::TokenId, request: &RequestKey) {
    is_send(registry.issue(grant));
    is_send(registry.verify("text"));
    is_send(registry.verify_for("text", &Caller::unknown()));
    is_send(registry.rotate(id, &Rotation::at_once()));
    is_send(registry.rotate_once(id, &Rotation::at_once(), request));
    is_send(registry.revoke_all(id, counterfoil::By::unknown()));
    is_send(registry.revoke_presented("text", counterfoil::By::unknown(), &Caller::unknown()));
    is_send(registry.revoke(id, counterfoil::By::unknown()));
    is_send(registry.block(id, counterfoil::By::unknown()));
    is_send(registry.maintain());
    is_send(registry.shutdown());
    is_send(registry.background(|_| std::future::ready(()), std::time::Duration::ZERO));
    is_send(registry.import(Vec::new(), counterfoil::By::unknown()));
}

/// Compiles only if stores of every shape can be given to a registry: references and trait objects among their
/// parameters defeat a registry that is generic over its store.
#[expect(dead_code, reason = "to be compiled, not run")]
fn stores_of_every_shape(keyring: &Keyring, format: &counterfoil::TokenFormat) {
    let registry = |store: SharedStore| is_send(Registry::builder(format.clone(), keyring.clone(), store).build());
    registry(SharedStore::new(MemoryStore::new()));
    registry(SharedStore::new(SharedStore::new(MemoryStore::new())));
    registry(SharedStore::new(shapes::With(MemoryStore::new(), "a reference")));
    registry(SharedStore::new(shapes::With(
        MemoryStore::new(),
        std::sync::Arc::new(|| ()) as std::sync::Arc<dyn Fn() + Send + Sync>,
    )));
}

mod shapes {
    use std::{fmt, sync::Arc};

    use counterfoil::{
        KeyId, Mark, Record, Selector, Timestamp, TokenId, TokenStore,
        record::{Revision, Use},
        store::{ListQuery, Page, Revocation, RevokeStep, RevokeTarget, StoreError, Stored, WarningClaim},
    };

    pub(crate) struct With<S, T>(pub(crate) S, pub(crate) T);

    impl<S, T> fmt::Debug for With<S, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("With")
        }
    }

    impl<S: TokenStore, T: Send + Sync + 'static> TokenStore for With<S, T> {
        async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
            self.0.insert(record, limit, now).await
        }
        async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
            self.0.find(selectors).await
        }
        async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
            self.0.get(id).await
        }
        async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
            self.0.list(query, now).await
        }
        async fn update(
            &self,
            record: &Record,
            expected: Revision,
            limit: Option<u32>,
            now: Timestamp,
        ) -> Result<(), StoreError> {
            self.0.update(record, expected, limit, now).await
        }
        async fn revoke(
            &self,
            target: &RevokeTarget,
            mark: &Mark,
            now: Timestamp,
            step: RevokeStep,
        ) -> Result<Revocation, StoreError> {
            self.0.revoke(target, mark, now, step).await
        }
        async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
            self.0.record_uses(uses).await
        }
        async fn purge(
            &self,
            revoked_before: Timestamp,
            expired_before: Option<Timestamp>,
            max_rows: u32,
        ) -> Result<u64, StoreError> {
            self.0.purge(revoked_before, expired_before, max_rows).await
        }
        async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
            self.0.claim_warnings(claims).await
        }
        async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
            self.0.count_by_key(key).await
        }
        async fn confirm_durable(&self) -> Result<(), StoreError> {
            self.0.confirm_durable().await
        }

        async fn check_health(&self) -> Result<(), StoreError> {
            self.0.check_health().await
        }
    }
}
