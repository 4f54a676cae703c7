//! Argon2id digests: their cost, their text, and, with feature `argon2`, their making.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::{InvalidDigest, KeyId, imported::Foreign};

/// What one Argon2id hash costs (RFC 9106, section 3.1).
///
/// ```
/// use counterfoil::Argon2Cost;
///
/// let cost = Argon2Cost::default();
/// assert_eq!((cost.memory_kib(), cost.passes(), cost.lanes()), (19 * 1024, 2, 1));
/// assert!(Argon2Cost::new(8, 1, 2).is_err()); // RFC 9106 asks for 8 KiB per lane
/// # Ok::<(), counterfoil::digest::InvalidCost>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Cost {
    /// A cost of `memory_kib` KiB, `passes` over them, in `lanes`.
    ///
    /// # Errors
    ///
    /// [`InvalidCost`] outside of what RFC 9106 allows: at least one pass, 1 to 2²⁴−1 lanes, at least 8 KiB per lane.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, InvalidCost> {
        let cost = Self { memory_kib, passes, lanes };
        if passes == 0 || lanes == 0 || lanes > 0xff_ffff || memory_kib < 8 * lanes {
            return Err(InvalidCost { found: cost, expected: "at least one pass and lane, and 8 KiB for each lane" });
        }
        Ok(cost)
    }

    /// The memory, in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// The passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// The lanes. They change the result; here they are computed one after the other.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// One number to order costs by: a total order, so that no two nodes each hold the other's cost to be the lower.
    pub(crate) const fn work(self) -> u64 {
        self.memory_kib as u64 * self.passes as u64
    }
}

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// The costs that a stored digest may ask for.
///
/// A verifier that obeys any row serves one that asks for 4 GiB. By default memory is held between 7 MiB, the least
/// that OWASP names, and 64 MiB, with at most 8 passes and 4 lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Bounds {
    floor: Argon2Cost,
    ceiling: Argon2Cost,
}

impl Argon2Bounds {
    /// Bounds that hold every one of the three figures.
    pub const fn new(floor: Argon2Cost, ceiling: Argon2Cost) -> Self {
        Self { floor, ceiling }
    }

    /// Whether every figure of `cost` lies within.
    ///
    /// # Errors
    ///
    /// [`InvalidCost`] if one does not.
    pub fn check(&self, cost: Argon2Cost) -> Result<(), InvalidCost> {
        let within =
            |figure: fn(Argon2Cost) -> u32| (figure(self.floor)..=figure(self.ceiling)).contains(&figure(cost));
        if within(Argon2Cost::memory_kib) && within(Argon2Cost::passes) && within(Argon2Cost::lanes) {
            return Ok(());
        }
        Err(InvalidCost { found: cost, expected: "each within the bounds" })
    }
}

impl Default for Argon2Bounds {
    fn default() -> Self {
        Self {
            floor: Argon2Cost { memory_kib: 7 * 1024, passes: 1, lanes: 1 },
            ceiling: Argon2Cost { memory_kib: 64 * 1024, passes: 8, lanes: 4 },
        }
    }
}

/// A cost that Argon2id does not know, or that the bounds do not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("argon2id cost: found m={} KiB, t={}, p={}, expected {expected}", .found.memory_kib, .found.passes, .found.lanes)]
pub struct InvalidCost {
    found: Argon2Cost,
    expected: &'static str,
}

/// An Argon2id digest as it is stored.
#[derive(Clone)]
pub(crate) struct Phc {
    pub(crate) key: KeyId,
    pub(crate) cost: Argon2Cost,
    pub(crate) salt: [u8; 16],
    pub(crate) hash: [u8; 32],
}

impl Phc {
    /// Reads the one form that [`to_text`](Self::to_text) writes: each parameter once, in order, in plain decimals.
    pub(crate) fn from_text(text: &str) -> Result<Self, InvalidDigest> {
        let [parameters, salt, hash] = sections_of(text)?;
        let mut parameters = parameters.split(',');
        let cost = cost_of(&mut parameters)?;
        let key = parameter(&mut parameters, "keyid")?;
        let key = STANDARD_NO_PAD.decode(key).map_err(|_| InvalidDigest::Field("keyid"))?;
        let key = std::str::from_utf8(&key).ok().and_then(|key| key.parse().ok());
        if parameters.next().is_some() {
            return Err(InvalidDigest::Field("parameters"));
        }
        Ok(Self {
            key: key.ok_or(InvalidDigest::Field("keyid"))?,
            cost,
            salt: bytes(salt, "salt")?,
            hash: bytes(hash, "hash")?,
        })
    }

    pub(crate) fn to_text(&self) -> String {
        let Argon2Cost { memory_kib, passes, lanes } = self.cost;
        format!(
            "$argon2id$v=19$m={memory_kib},t={passes},p={lanes},keyid={}${}${}",
            STANDARD_NO_PAD.encode(self.key.as_str()),
            STANDARD_NO_PAD.encode(self.salt),
            STANDARD_NO_PAD.encode(self.hash),
        )
    }
}

/// Parameters, salt and hash of a PHC string: of Argon2id in its version 19, and of no other.
pub(super) fn sections_of(text: &str) -> Result<[&str; 3], InvalidDigest> {
    let rest = text.strip_prefix("$argon2id$v=19$").ok_or(InvalidDigest::Algorithm)?;
    let mut sections = rest.split('$');
    match (sections.next(), sections.next(), sections.next(), sections.next()) {
        (Some(parameters), Some(salt), Some(hash), None) => Ok([parameters, salt, hash]),
        _ => Err(InvalidDigest::Field("sections")),
    }
}

/// The three parameters that every Argon2id has, in their order.
pub(super) fn cost_of<'t>(parameters: &mut impl Iterator<Item = &'t str>) -> Result<Argon2Cost, InvalidDigest> {
    let mut figure = |name| decimal(parameter(parameters, name)?, name);
    Argon2Cost::new(figure("m")?, figure("t")?, figure("p")?).map_err(|_| InvalidDigest::Field("cost"))
}

fn parameter<'t>(parameters: &mut impl Iterator<Item = &'t str>, name: &'static str) -> Result<&'t str, InvalidDigest> {
    let text = parameters.next().and_then(|text| text.strip_prefix(name)).and_then(|text| text.strip_prefix('='));
    text.ok_or(InvalidDigest::Field(name))
}

pub(super) fn decimal(text: &str, name: &'static str) -> Result<u32, InvalidDigest> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let value = if plain { text.parse().ok() } else { None };
    value.ok_or(InvalidDigest::Field(name))
}

fn bytes<const N: usize>(text: &str, name: &'static str) -> Result<[u8; N], InvalidDigest> {
    let bytes = STANDARD_NO_PAD.decode(text).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidDigest::Field(name))
}

/// One hash to be made: everything a thread needs, and nothing borrowed.
///
/// With `foreign` it is made of that, and folded into 32 bytes; `input` then only says which hash it is.
pub(crate) struct Job {
    pub(crate) input: Zeroizing<[u8; 32]>,
    pub(crate) salt: [u8; 16],
    pub(crate) cost: Argon2Cost,
    pub(crate) foreign: Option<Box<Foreign>>,
}

/// Why a hash was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// No memory, or no place in the queue.
    Overloaded,
    /// This build has no Argon2.
    #[cfg_attr(feature = "argon2", expect(dead_code, reason = "only a build without Argon2 lacks it"))]
    Unsupported,
}

/// Makes a hash in memory of its own.
pub(crate) fn make(job: &Job) -> Result<Zeroizing<[u8; 32]>, NotMade> {
    Memory::default().make(job)
}

/// Memory that is used for one hash after another and wiped in between.
#[derive(Default)]
pub(crate) struct Memory {
    #[cfg(feature = "argon2")]
    pub(super) blocks: Vec<::argon2::Block>,
}

impl Memory {
    /// Makes a hash. The cost must have been held against the bounds before.
    #[cfg(feature = "argon2")]
    pub(crate) fn make(&mut self, job: &Job) -> Result<Zeroizing<[u8; 32]>, NotMade> {
        let Job { input, salt, cost, foreign } = job;
        if let Some(foreign) = foreign {
            let mut hash = Zeroizing::new([0; Foreign::MAX_LENGTH]);
            let hash = &mut hash[..foreign.length];
            self.fill(*cost, &foreign.password, &foreign.salt, hash)?;
            return Ok(super::imported::folded(hash));
        }
        let mut hash = Zeroizing::new([0; 32]);
        self.fill(*cost, &**input, salt, &mut *hash)?;
        Ok(hash)
    }

    #[cfg(feature = "argon2")]
    fn fill(&mut self, cost: Argon2Cost, password: &[u8], salt: &[u8], hash: &mut [u8]) -> Result<(), NotMade> {
        use ::argon2::{Algorithm, Argon2, Block, Params, Version};

        let Argon2Cost { memory_kib, passes, lanes } = cost;
        let params = Params::new(memory_kib, passes, lanes, Some(hash.len())).map_err(|_| NotMade::Overloaded)?;
        let count = params.block_count();
        self.blocks.try_reserve_exact(count.saturating_sub(self.blocks.len())).map_err(|_| NotMade::Overloaded)?;
        if self.blocks.len() < count {
            self.blocks.resize(count, Block::new());
        }
        let memory = &mut self.blocks[..count];
        let made = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            password,
            salt,
            hash,
            &mut *memory,
        );
        // The blocks are full of what the input can be tested against.
        memory.iter_mut().for_each(zeroize::Zeroize::zeroize);
        made.map_err(|_| NotMade::Overloaded)
    }

    /// Gives back what is held beyond `kib`.
    #[cfg(feature = "argon2")]
    pub(crate) fn keep_at_most(&mut self, kib: u32) {
        // A block is one KiB.
        self.blocks.truncate(kib as usize);
        self.blocks.shrink_to(kib as usize);
    }

    /// Wipes everything, after a hash that was not brought to its end.
    #[cfg(feature = "argon2")]
    pub(crate) fn wipe(&mut self) {
        self.blocks.iter_mut().for_each(zeroize::Zeroize::zeroize);
    }

    /// Makes no hash: this build has no Argon2.
    #[cfg(not(feature = "argon2"))]
    pub(crate) fn make(&mut self, _: &Job) -> Result<Zeroizing<[u8; 32]>, NotMade> {
        Err(NotMade::Unsupported)
    }

    #[cfg(not(feature = "argon2"))]
    pub(crate) fn keep_at_most(&mut self, _: u32) {}

    #[cfg(not(feature = "argon2"))]
    pub(crate) fn wipe(&mut self) {}
}

#[cfg(test)]
#[cfg(feature = "argon2")]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_for_a_costly_hash_and_keeps_what_it_may() {
        let job = |memory_kib| Job {
            input: [7; 32].into(),
            salt: [8; 16],
            cost: Argon2Cost { memory_kib, passes: 1, lanes: 1 },
            foreign: None,
        };
        let mut memory = Memory::default();
        // The memory that a hash asks for, what may be kept → the KiB held while it is made, and after.
        for (asked, kept, during, after) in
            [(16, 32, 16, 16), (64, 32, 64, 32), (8, 32, 32, 32), (64, 64, 64, 64), (8, 8, 64, 8)]
        {
            assert!(memory.make(&job(asked)).is_ok());
            assert_eq!(memory.blocks.capacity(), during, "m={asked}");
            assert!(memory.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)), "wiped");
            memory.keep_at_most(kept);
            assert_eq!(memory.blocks.capacity(), after, "m={asked}");
        }
    }
}
