//! The characters a token is written in, and how random and checked characters are made of them.

/// The characters of a token's random segments and its checksum.
///
/// ```
/// use counterfoil::Alphabet;
///
/// assert!(Alphabet::Base62.contains(b'Z'));
/// assert!(!Alphabet::Hex.contains(b'F')); // lower case alone, so that a token has one spelling
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// `0-9`, `A-Z`, `a-z`, in this order of value: 5.95 bits a character.
    Base62,
    /// `0-9`, `a-f`: 4 bits a character.
    Hex,
}

impl Alphabet {
    /// Whether `byte` is one of the characters.
    pub const fn contains(self, byte: u8) -> bool {
        match self {
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        }
    }

    /// Whether all of `bytes` are. Every byte is looked at: that takes fewer steps than leaving early.
    #[inline(always)]
    pub(crate) fn contains_all(self, bytes: &[u8]) -> bool {
        match self {
            Self::Base62 => all(bytes, |byte| Self::Base62.contains(byte)),
            Self::Hex => all(bytes, |byte| Self::Hex.contains(byte)),
        }
    }

    /// How many bits of randomness `length` characters hold, rounded down.
    pub const fn bits(self, length: usize) -> usize {
        match self {
            // log2(62) = 5.954196…
            Self::Base62 => length.saturating_mul(5_954_196) / 1_000_000,
            Self::Hex => length.saturating_mul(4),
        }
    }

    /// The characters as a class of a regular expression.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Base62 => "[0-9A-Za-z]",
            Self::Hex => "[0-9a-f]",
        }
    }

    /// How many characters hold 32 bits.
    pub(crate) const fn check_width(self) -> usize {
        match self {
            Self::Base62 => 6,
            Self::Hex => 8,
        }
    }

    const fn radix(self) -> u32 {
        match self {
            Self::Base62 => 62,
            Self::Hex => 16,
        }
    }

    /// Writes characters, each equally likely if each byte of `random` is.
    pub(crate) fn draw<E>(self, random: impl FnMut() -> Result<u8, E>, out: &mut [u8]) -> Result<(), E> {
        match self {
            Self::Base62 => Self::Base62.draw_each(random, out),
            Self::Hex => Self::Hex.draw_each(random, out),
        }
    }

    /// Inlined, so that the radix is a constant where the alphabet is one, and nothing is divided.
    #[inline(always)]
    fn draw_each<E>(self, mut random: impl FnMut() -> Result<u8, E>, out: &mut [u8]) -> Result<(), E> {
        // Bytes from the last, incomplete run of the alphabet are thrown away, so that no character is favoured.
        let usable = (256 / self.radix() * self.radix()) as u16;
        for place in out {
            *place = loop {
                let byte = random()?;
                if u16::from(byte) < usable {
                    break self.character(u32::from(byte) % self.radix());
                }
            };
        }
        Ok(())
    }

    /// Appends 32 bits in fixed width, most significant character first, padded with `0`.
    pub(crate) fn encode_check(self, check: u32, out: &mut String) {
        match self {
            Self::Base62 => out.push_str(ascii(&Self::Base62.digits::<6>(check))),
            Self::Hex => out.push_str(ascii(&Self::Hex.digits::<8>(check))),
        }
    }

    /// Whether `text` is exactly how `check` is written; for values that are no secret.
    ///
    /// Read, not written: that needs no division, and can go on while the checksum is still being made.
    #[inline(always)]
    pub(crate) fn check_is(self, check: u32, text: &[u8]) -> bool {
        self.number(text) == Some(u64::from(check))
    }

    /// The 32 bits that `text` writes, if it has the width, the alphabet, and a value that fits.
    pub(crate) fn decode_check(self, text: &[u8]) -> Option<u32> {
        self.number(text)?.try_into().ok()
    }

    /// The number that a text of a checksum's width writes; 62^6 and 16^8 are far from the end of 64 bits.
    #[inline(always)]
    fn number(self, text: &[u8]) -> Option<u64> {
        match self {
            Self::Base62 => Self::Base62.number_of::<6>(text.try_into().ok()?),
            Self::Hex => Self::Hex.number_of::<8>(text.try_into().ok()?),
        }
    }

    #[inline(always)]
    fn number_of<const WIDTH: usize>(self, text: [u8; WIDTH]) -> Option<u64> {
        let mut number = 0;
        let mut all_known = true;
        for byte in text {
            all_known &= self.contains(byte);
            number = number * u64::from(self.radix()) + u64::from(self.value(byte));
        }
        all_known.then_some(number)
    }

    /// The last `WIDTH` digits of `check`. Inlined, so that radix and width are constants where the alphabet is one.
    #[inline(always)]
    fn digits<const WIDTH: usize>(self, mut check: u32) -> [u8; WIDTH] {
        let mut digits = [0; WIDTH];
        for digit in digits.iter_mut().rev() {
            *digit = self.character(check % self.radix());
            check /= self.radix();
        }
        digits
    }

    /// The value of a character of the alphabet; of any other byte, anything.
    #[inline(always)]
    const fn value(self, character: u8) -> u8 {
        let past_digits = (character > b'9') as u8;
        let jumps = match self {
            Self::Base62 => 7 * past_digits + 6 * (character >= b'a') as u8,
            Self::Hex => 39 * past_digits,
        };
        character.wrapping_sub(b'0').wrapping_sub(jumps)
    }

    /// The character of a value below the radix, by arithmetic alone: a table indexed by secret values would show them
    /// in the cache.
    #[inline(always)]
    fn character(self, value: u32) -> u8 {
        let past_digits = u32::from(value > 9);
        let (first_jump, second_jump) = match self {
            Self::Base62 => (7, 6 * u32::from(value > 35)), // '9' to 'A', then 'Z' to 'a'
            Self::Hex => (39, 0),                           // '9' to 'a'
        };
        (48 + value + past_digits * first_jump + second_jump) as u8
    }
}

fn ascii(digits: &[u8]) -> &str {
    // INVARIANT: every character of an alphabet is ASCII.
    std::str::from_utf8(digits).unwrap_or_default()
}

#[inline(always)]
fn all(bytes: &[u8], is_in: impl Fn(u8) -> bool) -> bool {
    let strangers = |bytes: &[u8]| bytes.iter().fold(0, |any, byte| any | u8::from(!is_in(*byte)));
    // Sixteen or eight at a time; the last ones may overlap those before.
    if let Some(last) = bytes.last_chunk::<16>() {
        let mut any = strangers(last);
        for chunk in bytes.as_chunks::<16>().0 {
            any |= strangers(chunk);
        }
        any == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        strangers(first) | strangers(last) == 0
    } else {
        strangers(bytes) == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn checks_are_written_in_fixed_width_and_read_back() {
        // Computed apart from this code: CRC-32 of thirty `0` and of thirty `A`, in GitHub's base62.
        for (alphabet, check, text) in [
            (Alphabet::Base62, 0x77e5_db82, "2C8GjS"),
            (Alphabet::Base62, 0x317f_6a1b, "0uCPlr"),
            (Alphabet::Base62, 0xa28e_2384, "2yZ9b2"),
            (Alphabet::Base62, 0, "000000"),
            (Alphabet::Base62, u32::MAX, "4gfFC3"),
            (Alphabet::Hex, 0x2ae9_8c30, "2ae98c30"),
            (Alphabet::Hex, 0xa, "0000000a"),
        ] {
            let mut out = String::new();
            alphabet.encode_check(check, &mut out);
            assert_eq!(out, text);
            assert!(alphabet.check_is(check, text.as_bytes()));
            assert_eq!(alphabet.decode_check(text.as_bytes()), Some(check));
        }
    }

    #[test]
    fn what_no_check_is_written_as_is_not_read() {
        for (alphabet, text) in [
            (Alphabet::Base62, "4gfFC4"), // 2^32
            (Alphabet::Base62, "zzzzzz"),
            (Alphabet::Base62, "00000"),
            (Alphabet::Base62, "0000000"),
            (Alphabet::Base62, "00000-"),
            (Alphabet::Hex, "2AE98C30"),
            (Alphabet::Hex, "2ae98c3g"),
        ] {
            assert_eq!(alphabet.decode_check(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_character_is_in_its_alphabet_and_in_order() {
        for alphabet in [Alphabet::Base62, Alphabet::Hex] {
            let all: Vec<u8> = (0..alphabet.radix()).map(|value| alphabet.character(value)).collect();
            assert!(all.is_sorted());
            assert!(all.iter().all(|&character| alphabet.contains(character)));
        }
    }

    #[test]
    fn each_character_is_drawn_for_equally_many_bytes() {
        // How many of the 256 bytes give each character, and the first byte that gives none.
        for (alphabet, each, unusable) in [(Alphabet::Base62, 4, 248), (Alphabet::Hex, 16, 256)] {
            let mut counts = [0; 256];
            let mut rejected = Vec::new();
            for byte in 0..=u8::MAX {
                // A byte that gives no character is followed by one that gives `0`.
                let mut bytes = [byte, 0].into_iter();
                let mut drawn = [0];
                alphabet.draw(|| bytes.next().ok_or(()), &mut drawn).unwrap();
                match bytes.next() {
                    Some(_) => counts[usize::from(drawn[0])] += 1,
                    None => rejected.push(u16::from(byte)),
                }
            }
            for character in 0..=u8::MAX {
                let expected = if alphabet.contains(character) { each } else { 0 };
                assert_eq!(counts[usize::from(character)], expected, "{alphabet:?} {:?}", char::from(character));
            }
            assert_eq!(rejected, (unusable..256).collect::<Vec<_>>());
        }
    }

    #[test]
    fn draw_that_runs_out_of_bytes_fails() {
        let mut bytes = [7, 255, 255].into_iter();
        assert_eq!(Alphabet::Base62.draw(|| bytes.next().ok_or("none left"), &mut [0; 2]), Err("none left"));
    }
}
