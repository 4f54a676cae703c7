//! The operating system's randomness, and nothing else's.
//!
//! There is no seat for a generator of the host's: a generator held in a field and cloned has produced the same key
//! twice elsewhere. The trait is hidden; it exists so that tests can make the source fail.

use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroize;

/// A source of random bytes that may fail.
#[doc(hidden)]
pub trait Entropy: std::fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`, or fails without a promise about what they hold.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The operating system.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        SysRng.try_fill_bytes(bytes).map_err(|error| NoEntropy { detail: Some(error.to_string()) })
    }
}

/// The random source failed: nothing was minted and nothing stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the operating system{}", .detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct NoEntropy {
    detail: Option<String>,
}

impl NoEntropy {
    /// For sources that fail on purpose.
    #[doc(hidden)]
    pub fn new() -> Self {
        Self { detail: None }
    }
}

impl Default for NoEntropy {
    fn default() -> Self {
        Self::new()
    }
}

/// Random bytes drawn in one call for one token, wiped when dropped.
///
/// One call to the system per token: a call costs several hundred nanoseconds, most of what a mint costs.
pub(crate) struct Drawn<'e> {
    source: &'e dyn Entropy,
    bytes: [u8; Drawn::SIZE],
    next: usize,
    end: usize,
    /// How far the buffer was ever filled: what is to be wiped.
    used: usize,
}

impl<'e> Drawn<'e> {
    const SIZE: usize = 96;
    const REFILL: usize = 32;

    /// Draws `expected` bytes now (at most 96) and more when they run out.
    pub(crate) fn new(source: &'e dyn Entropy, expected: usize) -> Result<Self, NoEntropy> {
        let end = expected.clamp(Self::REFILL, Self::SIZE);
        let mut drawn = Self { source, bytes: [0; Self::SIZE], next: 0, end, used: end };
        source.fill(&mut drawn.bytes[..end])?;
        Ok(drawn)
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Result<u8, NoEntropy> {
        if self.next == self.end {
            self.refill()?;
        }
        let byte = self.bytes[self.next];
        self.next += 1;
        Ok(byte)
    }

    #[cold]
    fn refill(&mut self) -> Result<(), NoEntropy> {
        self.source.fill(&mut self.bytes[..Self::REFILL])?;
        (self.next, self.end) = (0, Self::REFILL);
        Ok(())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], NoEntropy> {
        let mut out = [0; N];
        // Nearly always they were drawn already, and are taken at once.
        if let Some(drawn) = self.bytes[self.next..self.end].first_chunk() {
            out = *drawn;
            self.next += N;
            return Ok(out);
        }
        for byte in &mut out {
            *byte = self.byte()?;
        }
        Ok(out)
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        self.bytes[..self.used].zeroize();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Gives 0, 1, 2 and so on, over all of its calls.
    #[derive(Debug, Default)]
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
            bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }
    }

    #[test]
    fn each_drawn_byte_is_used_once() {
        for expected in [0, 1, 31, 32, 33, 95, 96, 97, 500] {
            let source = Counting::default();
            let mut drawn = Drawn::new(&source, expected).unwrap();
            let singly: Vec<u8> = (0..200).map(|_| drawn.byte().unwrap()).collect();
            assert_eq!(singly, (0..200).collect::<Vec<u8>>(), "{expected} expected");

            // In chunks, of which some lie across two calls to the source.
            let source = Counting::default();
            let mut drawn = Drawn::new(&source, expected).unwrap();
            let chunks: Vec<u8> = (0..20).flat_map(|_| drawn.bytes::<10>().unwrap()).collect();
            assert_eq!(chunks, (0..200).collect::<Vec<u8>>(), "{expected} expected");
        }
    }

    #[test]
    fn system_entropy_repeats_nothing() {
        let draw = || {
            let mut bytes = [0; 32];
            SystemEntropy.fill(&mut bytes).map(|()| bytes).unwrap()
        };
        let (first, second) = (draw(), draw());
        assert!(first != second && first != [0; 32] && second != [0; 32]);
    }
}
