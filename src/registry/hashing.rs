//! Slow hashes, made off the calling thread.

use std::{
    num::NonZero,
    sync::{Mutex, OnceLock, PoisonError},
};

use zeroize::Zeroizing;

use super::Registry;
use crate::{
    check::CheckError,
    digest::{
        Algorithm, Argon2Cost, Keyring,
        argon2::{Job, NotMade},
        pool::{Pool, PoolSize},
    },
    event::{Event, EventKind},
    tally::Tally,
};

/// How slow hashes are made. Most registries never make one: nothing is set up before the first.
#[derive(Debug)]
pub(super) struct Hashing {
    threads: Option<NonZero<usize>>,
    waiting: usize,
    pool: OnceLock<Pool>,
    refused: Mutex<Tally>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            threads: None,
            // At some 50 ms each, whoever is behind these has waited three seconds for a single thread.
            waiting: 64,
            pool: OnceLock::new(),
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
    /// Makes a slow hash, off the calling thread.
    pub(super) async fn hash(&self, job: Job) -> Result<Zeroizing<[u8; 32]>, CheckError> {
        let made = self.0.hashing.pool(&self.0.keyring).make(job).await;
        if matches!(made, Err(NotMade::Overloaded)) {
            self.tell_of_overload();
        }
        Ok(made?)
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
    pub fn slow_hash_threads(mut self, threads: NonZero<usize>) -> Self {
        self.0.hashing.threads = Some(threads);
        self
    }

    /// Lets so many slow hashes wait for a thread: 64 by default. What comes then is refused at once as
    /// [`CheckError::Overloaded`](crate::CheckError::Overloaded), and [`EventKind::Overloaded`] tells how many, at most
    /// once a second. A request that is given up leaves its place.
    pub fn slow_hash_queue(mut self, waiting: usize) -> Self {
        self.0.hashing.waiting = waiting;
        self
    }
}
