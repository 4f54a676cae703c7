//! Slow hashes: remembered, or made off the calling thread.

use std::{
    num::NonZero,
    sync::{Mutex, OnceLock, PoisonError},
};

use zeroize::Zeroizing;

use super::Registry;
use crate::{
    check::{CheckError, Checked, Unchecked},
    digest::{
        Algorithm, Argon2Cost, Keyring,
        argon2::{Job, NotMade},
        memo::Memo,
        pool::{Pool, PoolSize},
    },
    event::{Event, EventKind},
    record::SlotKind,
    tally::Tally,
    token::TokenId,
};

/// How slow hashes are made. Most registries never make one: nothing is set up before the first.
#[derive(Debug)]
pub(super) struct Hashing {
    threads: Option<NonZero<usize>>,
    waiting: usize,
    remembered: Option<NonZero<usize>>,
    pool: OnceLock<Pool>,
    /// By the digest's place; a record that is not there has none, and is asked for all the same.
    memo: OnceLock<Memo<Option<(TokenId, SlotKind)>>>,
    refused: Mutex<Tally>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            threads: None,
            // At some 50 ms each, whoever is behind these has waited three seconds for a single thread.
            waiting: 64,
            remembered: None,
            pool: OnceLock::new(),
            memo: OnceLock::new(),
            refused: Mutex::default(),
        }
    }
}

impl Hashing {
    fn pool(&self, keyring: &Keyring) -> &Pool {
        self.pool.get_or_init(|| {
            let minted = match keyring.algorithm() {
                Algorithm::Argon2id(cost) => cost,
                Algorithm::HmacSha256 => Argon2Cost::default(),
            };
            Pool::new(PoolSize {
                threads: self.threads.unwrap_or_else(PoolSize::default_threads),
                waiting: self.waiting,
                kept_kib: minted.memory_kib(),
            })
        })
    }
}

impl Registry {
    /// Ends a check that waits for a slow hash: by memory, if that knows the hash of these very bytes, and the answer
    /// is compared with the stored digest either way.
    pub(super) async fn finish(&self, job: Job, unchecked: Unchecked) -> Result<Option<Checked>, CheckError> {
        let Some(memo) = self.memo() else { return Ok(unchecked.finish(&*self.hash(job).await?)) };
        // Asked for an absent record too, so that it costs the same.
        let question = memo.ask(unchecked.of.map(|of| (of.id, of.slot)), &job);
        if let Some(hash) = memo.recall(&question) {
            return Ok(unchecked.finish(&hash));
        }
        let hash = self.hash(job).await?;
        let of = unchecked.finish(&hash);
        if of.is_some_and(|of| of.secret_is_right) {
            memo.remember(&question, &hash);
        }
        Ok(of)
    }

    /// Makes a slow hash, off the calling thread.
    pub(super) async fn hash(&self, job: Job) -> Result<Zeroizing<[u8; 32]>, CheckError> {
        let made = self.0.hashing.pool(&self.0.keyring).make(job).await;
        if matches!(made, Err(NotMade::Overloaded)) {
            self.tell_of_overload();
        }
        Ok(made?)
    }

    fn memo(&self) -> Option<&Memo<Option<(TokenId, SlotKind)>>> {
        let Hashing { remembered, memo, .. } = &self.0.hashing;
        let capacity = (*remembered)?;
        if let Some(memo) = memo.get() {
            return Some(memo);
        }
        let mut key = Zeroizing::new([0; 32]);
        // Without randomness nothing is remembered, rather than under a weak key; the next slow hash asks again.
        self.0.entropy.fill(&mut *key).ok()?;
        Some(memo.get_or_init(|| Memo::new(capacity, &key)))
    }

    fn tell_of_overload(&self) {
        let Ok(now) = self.0.clock.now() else { return };
        let mut refused = self.0.hashing.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, told) = refused.one_more(now);
        *refused = next;
        drop(refused);
        if let Some(count) = told {
            self.emit(&Event::new(now, EventKind::Overloaded { count }));
        }
    }
}

/// Slow hashes, for registries whose keyring makes or accepts Argon2id digests.
#[cfg(feature = "argon2")]
impl super::RegistryBuilder {
    /// Makes so many slow hashes at once, each on a thread of its own.
    ///
    /// By default one for each processor, and at most four: Argon2id is bound by the memory's bandwidth, which a few
    /// threads use up; each holds the memory of a hash; and the service needs its processors too. A thread starts when
    /// a hash is to be made and no thread is free, and ends with the registry. Between two hashes a thread keeps, wiped,
    /// the memory of one hash at the cost that the keyring mints with (19 MiB if it mints keyed digests); what a
    /// costlier digest needed beyond that is given back at once.
    ///
    /// # Memory
    ///
    /// However many requests come, slow hashes take for each thread at most the greatest memory that a row may ask for,
    /// by the [bounds](crate::Argon2Bounds) of the keyring and of imported digests, and for each that
    /// [waits](Self::slow_hash_queue) at most 200 bytes, and the token's text if its digest was imported. By default that
    /// is 4 × 64 MiB and 64 × 200 bytes; where all digests have the default cost, 4 × 19 MiB. The requests themselves
    /// are the host's to bound.
    pub fn slow_hash_threads(mut self, threads: NonZero<usize>) -> Self {
        self.0.hashing.threads = Some(threads);
        self
    }

    /// Lets so many slow hashes wait for a thread: 64 by default. What comes then is refused at once as
    /// [`CheckError::Overloaded`], and [`EventKind::Overloaded`] tells how many, at most once a second. A request that
    /// is given up leaves its place. What waits takes no [memory](Self::slow_hash_threads) to speak of.
    pub fn slow_hash_queue(mut self, waiting: usize) -> Self {
        self.0.hashing.waiting = waiting;
        self
    }

    /// Remembers the slow hashes of the last so many digests whose secret was presented, in this process alone. Off by
    /// default.
    ///
    /// ```
    /// use counterfoil::{Argon2Cost, Keyring, MemoryStore, Registry, TokenFormat};
    /// use std::num::NonZero;
    ///
    /// # let keys = format!("k1:{}:mint", counterfoil::draw_server_key()?);
    /// const TOKENS_IN_USE: NonZero<usize> = NonZero::new(10_000).unwrap();
    /// let keyring = keys.parse::<Keyring>()?.with_argon2id(Argon2Cost::default())?;
    /// let format = TokenFormat::builder("acme").build()?;
    /// let registry =
    ///     Registry::builder(format, keyring, MemoryStore::new()).remember_slow_hashes(TOKENS_IN_USE).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A token in use then costs about as much as with a keyed digest: the slow hash is made for its first request
    /// here, and again when its digest or the server key of it has changed.
    ///
    /// # What an auditor asks
    ///
    /// - **What is remembered:** for a record and one of its slots, the digest's cost, salt and value, as they are in the
    ///   store, and an HMAC-SHA-256 of the very bytes that Argon2id was given, under a key that this process draws.
    ///   Never a token's text, nor any hash of it without a key.
    /// - **When it is used:** if cost, salt and HMAC are all the same; the value is then compared with the digest that is
    ///   stored now, as after a hash that was made. Wrong secrets are never remembered: each costs a slow hash.
    /// - **What it does not save:** the record is read for every request, and with it revocation, marks, expiry,
    ///   rotation and the digest. A verification that starts after a change sees the change.
    /// - **For how long:** until so many other digests were remembered after it (the first noted is the first to go),
    ///   until another secret or digest takes its place, or until the registry is dropped. At most some 300 bytes each.
    /// - **Who reads the process's memory** finds the server keys there, with or without this, and the tokens of the
    ///   requests of the moment. Beyond that they learn which records were used here, and can test a guess at one of
    ///   those tokens by three fast hashes instead of a slow one. A secret has at least 128 random bits, so guessing is
    ///   hopeless by either. The process's key is wiped when the registry is dropped; without it and the server keys,
    ///   what is left cannot be tested against anything.
    ///
    /// If the system gives no randomness for the key, nothing is remembered and verification goes on without.
    pub fn remember_slow_hashes(mut self, capacity: NonZero<usize>) -> Self {
        self.0.hashing.remembered = Some(capacity);
        self
    }
}

#[cfg(test)]
#[cfg(feature = "argon2")]
mod interleavings;
