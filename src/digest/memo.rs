//! Slow hashes that were made before, so that a secret in use is not hashed slowly for each request.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    num::NonZero,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    argon2::{Argon2Cost, Job},
    keyed::{equal, finish, with_key},
};

/// What a slow hash came to, for the places that digests are kept in: which record, which slot.
///
/// It holds what is in the store anyway (cost, salt and value of a digest) and, in place of the hash's input, an
/// HMAC-SHA-256 of it under a key that this process draws and that is never written anywhere. Argon2id is a function of
/// cost, salt and input, so where all three are the same its value is too: nothing in here can be out of date, and
/// nothing in here says that a secret is right. Whoever asks compares the value with the digest that is stored now.
///
/// Bounded, first in first out: the place that was noted longest ago makes room. A place that is noted again keeps its
/// turn.
pub(crate) struct Memo<P> {
    key: Hmac<Sha256>,
    capacity: NonZero<usize>,
    inside: Mutex<Inside<P>>,
}

/// INVARIANT: `order` holds each place of `answers` once, and there are at most `capacity` of them.
struct Inside<P> {
    answers: HashMap<P, Answer>,
    order: VecDeque<P>,
}

struct Answer {
    cost: Argon2Cost,
    salt: [u8; 16],
    mac: [u8; 32],
    hash: [u8; 32],
}

/// A job as the memo knows it: its input under the memo's key.
pub(crate) struct Question<P> {
    place: P,
    cost: Argon2Cost,
    salt: [u8; 16],
    mac: Zeroizing<[u8; 32]>,
}

impl<P: Copy + Eq + Hash> Memo<P> {
    /// An empty memo. The key must be random, and of this process alone.
    pub(crate) fn new(capacity: NonZero<usize>, key: &[u8; 32]) -> Self {
        let inside = Inside { answers: HashMap::new(), order: VecDeque::new() };
        Self { key: with_key(key), capacity, inside: Mutex::new(inside) }
    }

    /// Asks what a job for the digest in this place comes to.
    pub(crate) fn ask(&self, place: P, job: &Job) -> Question<P> {
        let mut mac = self.key.clone();
        mac.update(&*job.input);
        if let Some(foreign) = &job.foreign {
            // The input is of one length, so nothing else reads like the two together.
            mac.update(&foreign.salt);
            mac.update(&foreign.length.to_be_bytes());
        }
        Question { place, cost: job.cost, salt: job.salt, mac: finish(mac) }
    }

    /// The hash, if it was made of the same input, at the same cost and with the same salt.
    pub(crate) fn recall(&self, question: &Question<P>) -> Option<Zeroizing<[u8; 32]>> {
        let Question { place, cost, salt, mac } = question;
        let inside = self.lock();
        let answer = inside.answers.get(place)?;
        let is_same = equal(&answer.mac, mac) && answer.salt == *salt && answer.cost == *cost;
        is_same.then(|| answer.hash.into())
    }

    /// Notes the hash, in place of what was noted for the same digest before.
    pub(crate) fn remember(&self, question: &Question<P>, hash: &[u8; 32]) {
        let Question { place, cost, salt, mac } = question;
        let answer = Answer { cost: *cost, salt: *salt, mac: **mac, hash: *hash };
        let mut guard = self.lock();
        let Inside { answers, order } = &mut *guard;
        if answers.insert(*place, answer).is_some() {
            return;
        }
        order.push_back(*place);
        if order.len() > self.capacity.get() {
            order.pop_front().map(|oldest| answers.remove(&oldest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside<P>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The capacity, and nothing that is remembered.
impl<P> fmt::Debug for Memo<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memo(at most {}, ..)", self.capacity)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn memo(capacity: usize) -> Memo<u32> {
        Memo::new(NonZero::new(capacity).unwrap(), &[9; 32])
    }

    fn job(input: u8, salt: u8, memory_kib: u32) -> Job {
        Job {
            input: [input; 32].into(),
            salt: [salt; 16],
            cost: Argon2Cost::new(memory_kib, 1, 1).unwrap(),
            foreign: None,
        }
    }

    fn places(memo: &Memo<u32>) -> Vec<u32> {
        let inside = memo.lock();
        assert_eq!(inside.answers.len(), inside.order.len());
        inside.order.iter().copied().filter(|place| inside.answers.contains_key(place)).collect()
    }

    #[test]
    fn only_the_same_job_in_the_same_place_is_known() {
        let memo = memo(4);
        assert!(memo.recall(&memo.ask(1, &job(1, 1, 8))).is_none(), "nothing is known at first");
        memo.remember(&memo.ask(1, &job(1, 1, 8)), &[5; 32]);
        for (place, asked, known) in [
            (1, job(1, 1, 8), true),
            (2, job(1, 1, 8), false),
            (1, job(2, 1, 8), false),
            (1, job(1, 2, 8), false),
            (1, job(1, 1, 9), false),
        ] {
            let hash = memo.recall(&memo.ask(place, &asked));
            assert_eq!(hash.as_deref(), known.then_some(&[5; 32]), "place {place}");
        }
    }

    #[test]
    fn a_key_of_another_process_knows_nothing() {
        let (one, other) = (memo(4), Memo::new(NonZero::<usize>::MIN, &[8; 32]));
        let asked = job(1, 1, 8);
        assert_ne!(one.ask(1, &asked).mac, other.ask(1, &asked).mac);
        assert_ne!(*one.ask(1, &asked).mac, *asked.input);
        one.remember(&other.ask(1, &asked), &[5; 32]);
        assert!(one.recall(&one.ask(1, &asked)).is_none());
    }

    #[test]
    fn what_was_noted_longest_ago_makes_room() {
        // Places noted one after another → what is left of them, at most three.
        for (noted, left) in [
            (vec![1, 2, 3], vec![1, 2, 3]),
            (vec![1, 2, 3, 4], vec![2, 3, 4]),
            (vec![1, 2, 3, 1, 4], vec![2, 3, 4]),
            (vec![1, 1, 1, 1], vec![1]),
            (vec![1, 2, 3, 4, 1], vec![3, 4, 1]),
            ((0..1000).collect(), vec![997, 998, 999]),
        ] {
            let memo = memo(3);
            for place in noted {
                memo.remember(&memo.ask(place, &job(1, 1, 8)), &[5; 32]);
            }
            assert_eq!(places(&memo), left);
        }
    }

    #[test]
    fn a_place_knows_its_newest_job_alone() {
        let memo = memo(2);
        memo.remember(&memo.ask(1, &job(1, 1, 8)), &[5; 32]);
        memo.remember(&memo.ask(1, &job(2, 2, 8)), &[6; 32]);
        assert!(memo.recall(&memo.ask(1, &job(1, 1, 8))).is_none());
        assert_eq!(memo.recall(&memo.ask(1, &job(2, 2, 8))).as_deref(), Some(&[6; 32]));
        assert_eq!(places(&memo), [1]);
    }
}
