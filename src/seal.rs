//! From the text of a new token to the slot that is kept of it.

use zeroize::Zeroizing;

use crate::{
    digest::{
        Algorithm, Binding, Digest, Form, KeyId, Keyring,
        argon2::{Argon2Cost, Job, NotMade, Phc, make},
    },
    record::Slot,
    subject::Owner,
    token::{Presented, Selector, TokenId},
};

/// A slot that is made, or that waits for a slow hash.
pub(crate) enum Sealing {
    Done(Slot),
    Slow(Job, Unsealed),
}

pub(crate) struct Unsealed {
    selector: Selector,
    key: KeyId,
    cost: Argon2Cost,
    salt: [u8; 16],
}

impl Sealing {
    /// Makes a slot by the minting key; `salt` is asked for only where it is needed.
    #[inline(always)]
    pub(crate) fn begin<E>(
        presented: &Presented<'_>,
        id: TokenId,
        owner: &Owner,
        keyring: &Keyring,
        salt: impl FnOnce() -> Result<[u8; 16], E>,
    ) -> Result<Self, E> {
        let key = keyring.minting();
        let text = presented.text;
        let selector = presented.selector().unwrap_or_else(|| Selector::derived(key.sub.selector(text)));
        let binding =
            Binding { record: id.as_bytes(), tenant: owner.tenant_or_empty(), owner: owner.subject().as_str(), text };
        Ok(match keyring.algorithm() {
            Algorithm::HmacSha256 => {
                let mac = *key.sub.digest(binding);
                Self::Done(Slot { selector, digest: Digest(Form::Keyed { key: key.id, mac }) })
            }
            Algorithm::Argon2id(cost) => {
                let salt = salt()?;
                let job = Job { input: key.sub.argon2_input(binding), salt, cost, foreign: None };
                Self::Slow(job, Unsealed { selector, key: key.id, cost, salt })
            }
        })
    }

    /// Makes the slow hash, if there is one, on the calling thread.
    #[inline(always)]
    pub(crate) fn finish_here(self) -> Result<Slot, NotMade> {
        match self {
            Self::Done(slot) => Ok(slot),
            Self::Slow(job, unsealed) => Ok(unsealed.finish(make(&job)?)),
        }
    }
}

impl Unsealed {
    pub(crate) fn finish(self, hash: Zeroizing<[u8; 32]>) -> Slot {
        let Self { selector, key, cost, salt } = self;
        Slot { selector, digest: Digest(Form::Argon2id(Phc { key, cost, salt, hash: *hash })) }
    }
}
