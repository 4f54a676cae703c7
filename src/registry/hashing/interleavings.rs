//! Verifications with one memory, and a change of the record, in every order of their steps.
//!
//! The steps are those of [`Registry::verify`](super::Registry::verify), with the functions that it calls; whatever
//! threads can do to each other, they do between two of these.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{num::NonZero, sync::Arc};

use crate::{
    change::Change,
    check::{Checked, Checking, SecretCheck, Unchecked, begin, selectors},
    circumstances::Circumstances,
    denial::Denial,
    digest::{
        Argon2Bounds, Argon2Cost, Digest, Form, Keyring,
        argon2::{Job, Phc, make},
        memo::{Memo, Question},
    },
    expiry::Lifetime,
    grant::Grant,
    memory::MemoryStore,
    record::{Record, Slot, SlotKind},
    rotate::{Rotation, rotate},
    store::{RevokeStep, RevokeTarget, TokenStore},
    subject::{By, Owner},
    time::Timestamp,
    token::{TokenFormat, TokenId},
    verify::verify,
};

type Place = Option<(TokenId, SlotKind)>;

/// What every order begins with.
struct Setting {
    format: TokenFormat,
    keyring: Keyring,
    now: Timestamp,
    text: String,
    record: Record,
    another: Record,
}

impl Setting {
    fn new() -> Self {
        let cost = Argon2Cost::new(8, 1, 1).unwrap();
        let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint,\
                                k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk="
            .parse()
            .unwrap();
        let keyring = keyring.with_argon2_bounds(Argon2Bounds::new(cost, cost)).unwrap().with_argon2id(cost).unwrap();
        let (format, now) = (TokenFormat::builder("acme").build().unwrap(), Timestamp::MIN);
        let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
        let another = grant.clone().mint(&format, &keyring, now).unwrap().record;
        let minted = grant.mint(&format, &keyring, now).unwrap();
        Self { text: minted.token.expose().to_owned(), record: minted.record, another, format, keyring, now }
    }

    /// The record with another digest of the same selector.
    fn with_digest(&self, record: &Record, edit: impl FnOnce(&mut Phc)) -> Record {
        let Slot { selector, digest: Digest(form) } = record.slots().current.clone();
        let Form::Argon2id(mut phc) = form else { panic!("the setting mints slow hashes") };
        edit(&mut phc);
        record.with_digest_anew(SlotKind::Current, Slot { selector, digest: Digest(Form::Argon2id(phc)) })
    }
}

/// What becomes of the record, so that the text is good no longer: at once, or by reading and then writing.
enum What {
    AtOnce,
    Anew(fn(&Setting, &Record) -> Record),
}

const CHANGES: [(&str, What, Denial); 7] = [
    ("revoked", What::AtOnce, Denial::Revoked),
    ("blocked", What::Anew(|at, record| changed(at, record, &Change::Block)), Denial::Blocked),
    (
        "rotated",
        What::Anew(|at, record| rotate(record, &Rotation::at_once(), &at.format, &at.keyring, at.now).unwrap().record),
        Denial::Superseded,
    ),
    ("another value", What::Anew(|at, record| at.with_digest(record, |phc| phc.hash = [7; 32])), Denial::WrongSecret),
    ("another salt", What::Anew(|at, record| at.with_digest(record, |phc| phc.salt = [7; 16])), Denial::WrongSecret),
    (
        "another key",
        What::Anew(|at, record| at.with_digest(record, |phc| phc.key = "k2".parse().unwrap())),
        Denial::WrongSecret,
    ),
    (
        "another token's",
        What::Anew(|at, record| {
            let Form::Argon2id(other) = &at.another.slots().current.digest.0 else { panic!("all hashes are slow") };
            at.with_digest(record, |phc| *phc = other.clone())
        }),
        Denial::WrongSecret,
    ),
];

fn changed(at: &Setting, record: &Record, change: &Change) -> Record {
    change.apply(record, &By::unknown(), at.now).unwrap().unwrap().record
}

/// What the actors share.
struct World<'s> {
    at: &'s Setting,
    store: MemoryStore,
    memo: Memo<Place>,
}

/// A verification between two of its steps.
enum Step {
    Find,
    Recall(Arc<Record>, Job, Unchecked),
    Hash(Arc<Record>, Job, Unchecked, Question<Place>),
    Remember(Arc<Record>, Option<Checked>, Question<Place>, [u8; 32]),
    Decide(Arc<Record>, Option<Checked>),
    Done(Result<(), Denial>),
}

impl World<'_> {
    fn next(&self, step: Step) -> Step {
        let presented = self.at.format.parse(&self.at.text).unwrap();
        match step {
            Step::Find => {
                let selectors = selectors(&presented, &self.at.keyring).unwrap();
                let record = pollster::block_on(self.store.find(selectors.as_slice())).unwrap().unwrap();
                match begin(&presented, selectors.as_slice(), Some(&record), &self.at.keyring).unwrap() {
                    Checking::Slow(job, unchecked) => Step::Recall(record, job, unchecked),
                    Checking::Done(_) => panic!("the setting stores slow hashes"),
                }
            }
            Step::Recall(record, job, unchecked) => {
                let question = self.memo.ask(unchecked.of.map(|of| (of.id, of.slot)), &job);
                match self.memo.recall(&question) {
                    Some(hash) => Step::Decide(record, unchecked.finish(&hash)),
                    None => Step::Hash(record, job, unchecked, question),
                }
            }
            Step::Hash(record, job, unchecked, question) => {
                let hash = make(&job).unwrap();
                Step::Remember(record, unchecked.finish(&hash), question, *hash)
            }
            Step::Remember(record, of, question, hash) => {
                if of.is_some_and(|of| of.secret_is_right) {
                    self.memo.remember(&question, &hash);
                }
                Step::Decide(record, of)
            }
            Step::Decide(record, of) => {
                let check = SecretCheck { environment: presented.environment(), of };
                Step::Done(verify(check, Some(record), &Circumstances::at(self.at.now)).map(|_| ()))
            }
            Step::Done(outcome) => Step::Done(outcome),
        }
    }

    fn verify_alone(&self) -> Result<(), Denial> {
        let mut step = Step::Find;
        loop {
            step = self.next(step);
            if let Step::Done(outcome) = step {
                return outcome;
            }
        }
    }
}

/// Which of several comes next: a script that is counted up until every choice was made.
#[derive(Default)]
struct Choices {
    made: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.made.len() {
            self.made.push((0, of));
        }
        self.at += 1;
        self.made[self.at - 1].0
    }

    /// On to the next order; false after the last.
    fn count_up(&mut self) -> bool {
        self.at = 0;
        while self.made.pop_if(|(chosen, of)| *chosen + 1 == *of).is_some() {}
        self.made.last_mut().map(|(chosen, _)| *chosen += 1).is_some()
    }
}

#[derive(Default)]
struct Seen {
    orders: usize,
    passed: usize,
    refused_after: usize,
}

/// What is played: so many verifications, beside one change.
struct Play<'s> {
    at: &'s Setting,
    verifications: usize,
    /// Whether the text was verified before, and so is in memory.
    is_warm: bool,
    what: &'s What,
    denial: Denial,
}

/// Plays one order to its end.
fn play(Play { at, verifications, is_warm, what, denial }: &Play<'_>, choices: &mut Choices, seen: &mut Seen) {
    let denial = *denial;
    let memo = Memo::new(NonZero::new(4).unwrap(), &[9; 32]);
    let world = World { at, store: MemoryStore::new(), memo };
    pollster::block_on(world.store.insert(&at.record, None, at.now)).unwrap();
    if *is_warm {
        assert_eq!(world.verify_alone(), Ok(()));
    }
    let mut verifying: Vec<_> = (0..*verifications).map(|_| Some(Step::Find)).collect();
    let mut began_after = vec![false; *verifications];
    let (mut read, mut is_changed) = (None, false);
    loop {
        let mut able: Vec<_> = (0..*verifications).filter(|actor| verifying[*actor].is_some()).collect();
        able.extend((!is_changed).then_some(*verifications));
        let Some(last) = able.len().checked_sub(1) else { break };
        let actor = able[if last == 0 { 0 } else { choices.choose(last + 1) }];
        if let Some(place) = verifying.get_mut(actor) {
            let step = place.take().unwrap();
            if matches!(step, Step::Find) {
                began_after[actor] = is_changed;
            }
            let mut step = world.next(step);
            // With several there are many orders; so a step that touches nothing shared is not told from the one before.
            while *verifications > 1 && matches!(step, Step::Hash(..) | Step::Decide(..)) {
                step = world.next(step);
            }
            match step {
                Step::Done(outcome) if began_after[actor] => {
                    assert_eq!(outcome, Err(denial), "began after the change");
                    seen.refused_after += 1;
                }
                Step::Done(outcome) => seen.passed += usize::from(outcome.is_ok()),
                step => *place = Some(step),
            }
            continue;
        }
        match (what, read.take()) {
            (What::AtOnce, _) => {
                let target = RevokeTarget::Token(at.record.id());
                let mark = By::unknown().mark(at.now);
                let revoked =
                    pollster::block_on(world.store.revoke(&target, &mark, at.now, RevokeStep::WHOLE)).unwrap().revoked;
                assert_eq!(revoked, [at.record.id()]);
                is_changed = true;
            }
            (What::Anew(_), None) => read = pollster::block_on(world.store.get(at.record.id())).unwrap(),
            (What::Anew(anew), Some(stored)) => {
                let (earlier, next) = (stored.record.revision(), anew(at, &stored.record));
                pollster::block_on(world.store.update(&next, earlier, None, at.now)).unwrap();
                is_changed = true;
            }
        }
    }
    assert_eq!(world.verify_alone(), Err(denial), "after everything");
    seen.orders += 1;
}

#[test]
fn a_verification_that_begins_after_a_change_never_passes_from_memory() {
    let at = Setting::new();
    for (name, what, denial) in &CHANGES {
        // From memory a verification takes fewer steps, so that the orders are counted only where there is none.
        let orders_of_one = if matches!(what, What::AtOnce) { 6 } else { 21 };
        for (verifications, is_warm, expected) in
            [(1, false, Some(orders_of_one)), (1, true, None), (2, false, None), (2, true, None)]
        {
            let (mut choices, mut seen) = (Choices::default(), Seen::default());
            let one = Play { at: &at, verifications, is_warm, what, denial: *denial };
            loop {
                play(&one, &mut choices, &mut seen);
                if !choices.count_up() {
                    break;
                }
            }
            let Seen { orders, passed, refused_after } = seen;
            assert_eq!(orders, expected.unwrap_or(orders), "{name}");
            assert!(passed > 0 && refused_after > 0, "{name}: both were seen, {passed} and {refused_after}");
        }
    }
}
