//! What a name looks like: whether anything of it can be seen, and whether it turns what stands beside it.

use std::borrow::Cow;

/// Whether anything of a text can be seen.
pub(super) fn is_visible(text: &str) -> bool {
    text.chars().any(|character| !character.is_whitespace() && !character.is_control() && !is_blank(character))
}

/// Characters without a glyph: those that Unicode calls default ignorable (UAX #44, section 5.7.1), and the one empty
/// pattern of Braille.
const fn is_blank(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text without the characters that set a direction (UAX #9, section 2), for where no element can keep it apart.
pub(super) fn undirected(text: &str) -> Cow<'_, str> {
    let is_mark = |character| matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}');
    without(text, |character| is_mark(character) || turns(character))
}

/// A text without the characters that turn what follows them, such as U+202E: it is read as it is written. Marks of a
/// direction, which texts from right to left need, stay.
pub(super) fn upright(text: &str) -> Cow<'_, str> {
    without(text, turns)
}

/// Embeddings, overrides and isolates (UAX #9, sections 2.1 to 2.5).
const fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn without(text: &str, leaves_out: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&leaves_out) { text.replace(&leaves_out, "").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_visible_if_one_character_of_it_is() {
        for (text, expected) in [
            ("a", true),
            ("\u{200b}a", true),
            ("🔑\u{fe0f}", true),
            ("مفتاح", true),
            ("\u{301}", true),
            ("", false),
            (" \u{a0}\u{3000}\u{2003}", false),
            ("\u{200b}\u{200d}\u{feff}", false),
            ("\u{202e}\u{2066}\u{61c}", false),
            ("\u{3164}\u{115f}\u{ffa0}", false),
            ("\u{2800}", false),
            ("\u{e0041}\u{fe0e}", false),
        ] {
            assert_eq!(is_visible(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_sets_a_direction_is_left_out() {
        for (text, expected) in [
            ("CI", "CI"),
            ("\u{202e}txt.exe", "txt.exe"),
            ("a\u{2066}b\u{2069}c\u{200f}\u{61c}", "abc"),
            ("مفتاح \u{200d}", "مفتاح \u{200d}"),
        ] {
            assert_eq!(undirected(text), expected, "{text:?}");
        }
    }

    #[test]
    fn text_that_would_be_turned_is_shown_upright() {
        for (text, expected) in [
            ("CI", "CI"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("\u{202d}a\u{202c}\u{2066}b\u{2069}\u{2067}c\u{2068}", "abc"),
            ("\u{200f}שלום\u{200e} (1)", "\u{200f}שלום\u{200e} (1)"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
        ] {
            assert_eq!(upright(text), expected, "{text:?}");
        }
    }
}
