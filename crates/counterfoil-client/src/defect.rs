//! Why a text is no token, in words for whoever typed or pasted it.

use counterfoil::{
    Family, TokenFormat,
    token::{Malformed, ParseError},
};

/// What is wrong with a text that was given as a token. Found without a server, and nothing of the text is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// There is no text.
    #[error("this is empty")]
    Empty,
    /// A blank or a line break within the text or around it.
    #[error("this holds a blank or a line break, which no token does")]
    Blank,
    /// It begins as no token of this program does: it belongs to another product, or is something else altogether.
    #[error("this does not begin with `{expected}`, as every token of this program does")]
    Prefix {
        /// How tokens begin.
        expected: String,
    },
    /// It begins as a token does, and then names no environment that there is.
    #[error("this names no known environment: expected a token that begins with {expected}")]
    Environment {
        /// How tokens begin, in backticks, with commas.
        expected: String,
    },
    /// A part is missing.
    #[error("this is {} short", characters(*by))]
    Short {
        /// So many characters.
        by: usize,
    },
    /// There is too much of it.
    #[error("this is {} too long", characters(*by))]
    Long {
        /// So many characters.
        by: usize,
    },
    /// A character that no token has.
    #[error("this holds a character that no token has")]
    Character,
    /// Its checksum is another one.
    #[error("the checksum does not fit: a character was mistyped or lost")]
    Checksum,
    /// The right length, and not the right shape.
    #[error("this is not of a token's shape")]
    Shape,
}

/// The part of a token that may be shown, or what is wrong with the text.
pub(crate) fn examine<'t>(format: &TokenFormat, text: &'t str) -> Result<&'t str, Defect> {
    let error = match format.parse(text) {
        Ok(presented) => return Ok(presented.public()),
        Err(error) => error,
    };
    if text.is_empty() {
        return Err(Defect::Empty);
    }
    if text.contains(char::is_whitespace) {
        return Err(Defect::Blank);
    }
    let ParseError::Malformed(reason) = error else {
        return Err(Defect::Prefix { expected: format!("{}_", format.prefix()) });
    };
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Defect::Character);
    }
    let heads = format.heads();
    let Some(head) = heads.iter().find(|head| text.starts_with(&head.text)) else {
        let heads: Vec<_> = heads.iter().map(|head| format!("`{}`", head.text)).collect();
        return Err(Defect::Environment { expected: heads.join(", ") });
    };
    // The length comes first: where a character is lost, every other reason is a consequence of it.
    if text.len() < head.shortest {
        return Err(Defect::Short { by: head.shortest - text.len() });
    }
    if text.len() > head.longest {
        return Err(Defect::Long { by: text.len() - head.longest });
    }
    Err(match reason {
        Malformed::Character => Defect::Character,
        Malformed::Checksum => Defect::Checksum,
        _ => Defect::Shape,
    })
}

fn characters(count: usize) -> String {
    if count == 1 { "1 character".into() } else { format!("{count} characters") }
}

#[cfg(test)]
mod tests {
    use counterfoil::Alphabet;

    use super::*;

    /// A token of this format with a fitting checksum; none is written here as a literal.
    fn token(format: &TokenFormat) -> String {
        let public = if format.prefix() == "ak" { "ak_live_00000000" } else { "arka_" };
        format.complete(public).expect("the format can be completed")
    }

    #[test]
    fn a_defect_is_told_in_words() {
        let arka = TokenFormat::builder("arka").without_selector().secret(Alphabet::Base62, 31).build().unwrap();
        let good = token(&arka);
        assert_eq!(examine(&arka, &good), Ok("arka_"));

        let cut = |by: usize| good[..good.len() - by].to_owned();
        let swapped = format!("{}1{}", &good[..20], &good[21..]);
        let table: [(String, &str); 13] = [
            (String::new(), "this is empty"),
            (format!(" {good}"), "this holds a blank or a line break, which no token does"),
            (format!("{good}\n"), "this holds a blank or a line break, which no token does"),
            (good.replace("arka_", "ghp_"), "this does not begin with `arka_`, as every token of this program does"),
            ("arka".into(), "this does not begin with `arka_`, as every token of this program does"),
            (good.to_uppercase(), "this does not begin with `arka_`, as every token of this program does"),
            ("arka_".into(), "this is 37 characters short"),
            (cut(12), "this is 12 characters short"),
            (cut(1), "this is 1 character short"),
            (format!("{good}00"), "this is 2 characters too long"),
            (format!("{}-{}", &good[..20], &good[21..]), "this holds a character that no token has"),
            (format!("{}é{}", &good[..20], &good[21..]), "this holds a character that no token has"),
            (swapped, "the checksum does not fit: a character was mistyped or lost"),
        ];
        for (text, expected) in table {
            assert_eq!(examine(&arka, &text).unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_environment_is_told_apart_from_another_product() {
        let format = TokenFormat::builder("ak").environments(["live", "test"]).selector(Alphabet::Base62, 8);
        let format = format.build().unwrap();
        let good = token(&format);
        assert_eq!(examine(&format, &good), Ok("ak_live_00000000"));
        let expected = Defect::Environment { expected: "`ak_live_`, `ak_test_`".into() };
        assert_eq!(examine(&format, &good.replace("live", "prod")), Err(expected));
        let expected = Defect::Shape;
        assert_eq!(examine(&format, &good.replacen("00000000_", "000000000", 1)), Err(expected));
    }

    proptest::proptest! {
        #[test]
        fn no_part_of_a_text_is_in_what_is_said_of_it(secret in "[0-9A-Za-z]{12,60}") {
            let format = TokenFormat::builder("arka").without_selector().build().unwrap();
            for text in [format!("arka_{secret}"), secret.clone(), format!("arka_{secret}\u{0}")] {
                if let Err(defect) = examine(&format, &text) {
                    let said = format!("{defect} {defect:?}");
                    proptest::prop_assert!(!said.contains(&secret));
                }
            }
        }
    }
}
