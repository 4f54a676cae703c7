//! Formats of tokens that other software made: what they read, and next to which formats they can stand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use counterfoil::{
    Alphabet, Argon2Bounds, Checksum, Families, Family, TokenFormat,
    digest::ImportedDigests,
    token::{CharacterSet, ImportedFormat, ImportedFormatBuilder, InvalidFormat, ParseError, Shape},
};

const SHA256: ImportedDigests = ImportedDigests { sha256: true, sha512: false, argon2id: None };

fn sanctum() -> ImportedFormatBuilder {
    let format = ImportedFormat::builder("").selector(CharacterSet::DIGITS, 1..=20, "|");
    format.secret(CharacterSet::BASE62, 40..=48).accepts_imported(SHA256)
}

fn knox() -> ImportedFormatBuilder {
    ImportedFormat::builder("").secret(CharacterSet::HEX, 64..=64).hint(15).accepts_imported(SHA256)
}

fn base58() -> ImportedFormatBuilder {
    let format = ImportedFormat::builder("mycompany_").selector(CharacterSet::BASE58, 8..=11, "_");
    format.secret(CharacterSet::BASE58, 24..=33).accepts_imported(SHA256)
}

/// A text → its public part and selector, or how it is refused.
#[test]
fn text_is_read_as_its_format_says() {
    let digits = "0123456789".repeat(7);
    let prefixed = sanctum().secret_prefix("acme_").build().unwrap();
    let hinted = ImportedFormat::builder("").secret_prefix("acme_").secret(CharacterSet::HEX, 40..=40).hint(2);
    let fixed = ImportedFormat::builder("k-").selector(CharacterSet::HEX, 8..=8, "").secret(CharacterSet::HEX, 32..=40);
    let (sanctum, knox, base58) = (sanctum().build().unwrap(), knox().build().unwrap(), base58().build().unwrap());
    let (hinted, fixed) = (hinted.build().unwrap(), fixed.build().unwrap());
    for (format, text, expected) in [
        (&sanctum, format!("17|{}", &digits[..40]), "17 17"),
        (&sanctum, format!("17|{}", &digits[..48]), "17 17"),
        (&sanctum, format!("18446744073709551615|{}", &digits[..40]), "18446744073709551615 18446744073709551615"),
        (&sanctum, format!("17|{}", &digits[..39]), "not ours"),
        (&sanctum, format!("17|{}", &digits[..49]), "not ours"),
        (&sanctum, format!("|{}", &digits[..40]), "not ours"),
        (&sanctum, format!("17||{}", &digits[..40]), "not ours"),
        (&sanctum, format!("17{}", &digits[..40]), "not ours"),
        (&sanctum, format!("1a|{}", &digits[..40]), "not ours"),
        (&sanctum, format!(" 17|{}", &digits[..40]), "not ours"),
        (&sanctum, format!("17|{}\n", &digits[..40]), "not ours"),
        (&sanctum, format!("17|{}é", &digits[..38]), "not ours"),
        (&sanctum, format!("184467440737095516150|{}", &digits[..40]), "not ours"),
        (&sanctum, "1".repeat(10_000), "not ours"),
        (&prefixed, format!("17|acme_{}", &digits[..40]), "17 17"),
        (&prefixed, format!("17|{}", &digits[..45]), "not ours"),
        (&knox, digits[..64].into(), "012345678901234 none"),
        (&knox, digits[..63].into(), "not ours"),
        (&knox, digits[..64].replace('9', "F"), "not ours"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(11), "2".repeat(33)), "mycompany_ZZZZZZZZZZZ ZZZZZZZZZZZ"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(8), "2".repeat(24)), "mycompany_ZZZZZZZZ ZZZZZZZZ"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(7), "2".repeat(33)), "shape"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(12), "2".repeat(33)), "shape"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(11), "2".repeat(34)), "shape"),
        (&base58, format!("mycompany_{}_{}", "Z".repeat(11), "0".repeat(33)), "character"),
        (&base58, format!("mycompany_{}_{}", "0".repeat(11), "2".repeat(33)), "shape"),
        (&base58, "mycompany_".into(), "shape"),
        (&base58, "mycompany".into(), "not ours"),
        (&base58, format!("mycompany_{}", "2".repeat(600)), "too long"),
        (&base58, "mycompany_é".into(), "character"),
        (&hinted, format!("acme_{}", &digits[..40]), "acme_01 none"),
        (&hinted, format!("acme_{}", &digits[..39]), "shape"),
        (&hinted, format!("acmf_{}", &digits[..40]), "not ours"),
        (&fixed, format!("k-{}", &digits[..40]), "k-01234567 01234567"),
        (&fixed, format!("k-{}", &digits[..48]), "k-01234567 01234567"),
        (&fixed, format!("k-{}", &digits[..39]), "shape"),
        (&fixed, format!("k-{}", &digits[..49]), "shape"),
    ] {
        let found = match format.parse(&text) {
            Ok(presented) => {
                let selector = presented.selector().map_or("none".into(), |selector| selector.to_string());
                format!("{} {selector}", presented.public())
            }
            Err(ParseError::NotOurs) => "not ours".into(),
            Err(ParseError::Malformed(reason)) => format!("{reason}"),
        };
        let of_reason = match expected {
            "shape" => "token is not of the format's shape",
            "character" => "token holds a character outside of its alphabet",
            "too long" => "token too long: found 610 bytes, expected at most 512",
            other => other,
        };
        assert_eq!(found, of_reason, "{text}");
    }
}

#[test]
fn format_that_reads_no_one_way_is_not_built() {
    let secret = |builder: ImportedFormatBuilder| builder.secret(CharacterSet::BASE62, 40..=40);
    let bare = || secret(ImportedFormat::builder(""));
    let argon2id = ImportedDigests { argon2id: Some(Argon2Bounds::default()), ..ImportedDigests::default() };
    for (builder, error) in [
        (bare(), None),
        (bare().selector(CharacterSet::DIGITS, 1..=20, "|"), None),
        (bare().selector(CharacterSet::DIGITS, 4..=4, ""), None),
        (bare().selector(CharacterSet::BASE64_URL, 4..=9, "."), None),
        (bare().selector(CharacterSet::DIGITS, 1..=20, "|").accepts_imported(argon2id), None),
        (bare().accepts_imported(argon2id), Some(InvalidFormat::ImportsNotFound)),
        (bare().selector(CharacterSet::DIGITS, 1..=20, ""), Some(InvalidFormat::Separator)),
        (bare().selector(CharacterSet::BASE64_URL, 1..=20, "_"), Some(InvalidFormat::Separator)),
        (bare().selector(CharacterSet::DIGITS, 1..=20, "0|"), Some(InvalidFormat::Separator)),
        (
            bare().selector(CharacterSet::DIGITS, 0..=20, "|"),
            Some(InvalidFormat::Widths { least: 0, most: 20, limit: 40 }),
        ),
        (
            bare().selector(CharacterSet::DIGITS, 1..=41, "|"),
            Some(InvalidFormat::Widths { least: 1, most: 41, limit: 40 }),
        ),
        (bare().selector(CharacterSet::BASE64, 4..=4, "|"), Some(InvalidFormat::Characters)),
        (bare().selector(CharacterSet::DIGITS, 1..=20, "|").hint(4), Some(InvalidFormat::Hint)),
        (bare().secret_prefix("a b"), Some(InvalidFormat::Literal)),
        (secret(ImportedFormat::builder("é")), Some(InvalidFormat::Literal)),
        (secret(ImportedFormat::builder(&"a".repeat(65))), Some(InvalidFormat::Literal)),
        (ImportedFormat::builder("acme_"), Some(InvalidFormat::WeakSecret { bits: 0 })),
        (
            ImportedFormat::builder("").secret(CharacterSet::BASE62, 21..=40),
            Some(InvalidFormat::WeakSecret { bits: 125 }),
        ),
        (bare().hint(19), Some(InvalidFormat::WeakSecret { bits: 125 })),
        (
            ImportedFormat::builder("").secret(CharacterSet::HEX, 64..=257),
            Some(InvalidFormat::Widths { least: 64, most: 257, limit: 256 }),
        ),
    ] {
        assert_eq!(builder.build().err(), error);
    }
    assert_eq!(CharacterSet::of(""), Err(InvalidFormat::Characters));
    assert_eq!(CharacterSet::of("a b"), Err(InvalidFormat::Characters));
}

/// Two formats → whether both can be accepted, in either order.
#[test]
fn formats_whose_texts_differ_stand_side_by_side() {
    let acme = |width| TokenFormat::builder("acme").secret(Alphabet::Base62, width).build().unwrap();
    let hex = |prefix: &str| ImportedFormat::builder(prefix).secret(CharacterSet::HEX, 51..=51).build().unwrap();
    let letters = || ImportedFormat::builder("").secret(CharacterSet::LETTERS, 64..=64).build().unwrap();
    let sanctum_prefixed = || sanctum().secret_prefix("acme_").build().unwrap();
    let sanctum = || sanctum().build().unwrap();
    let (knox, base58) = (|| knox().build().unwrap(), || base58().build().unwrap());
    let mycompany = |width| {
        let format = TokenFormat::builder("mycompany").selector(Alphabet::Base62, 12);
        format.secret(Alphabet::Base62, width).build().unwrap()
    };
    let fixed = TokenFormat::builder("mycompany").selector(Alphabet::Base62, 11).secret(Alphabet::Base62, 24);
    let fixed = fixed.checksum(Checksum::None).build().unwrap();
    fn beside(one: impl Family, other: impl Family) -> bool {
        Families::minting(one).accepting(other).is_ok()
    }
    for (case, found, expected) in [
        ("digits first, letters first", beside(acme(32), sanctum()), true),
        ("in the other order", beside(sanctum(), acme(32)), true),
        ("equal lengths, and `_` is not in hex", beside(acme(40), knox()), true),
        ("equal lengths, and `_` is not a letter", beside(acme(40), letters()), true),
        ("equal lengths, and `|` is not in hex", beside(sanctum(), knox()), true),
        ("a prefix of the secret, and none", beside(sanctum(), sanctum_prefixed()), true),
        ("one prefix, other lengths", beside(mycompany(32), base58()), true),
        ("one prefix and length, another place of `_`", beside(acme(32), hex("acme_")), true),
        ("64 letters of `a` to `f` are both", beside(knox(), letters()), false),
        ("the same twice", beside(sanctum(), sanctum()), false),
        ("one prefix, length and place of `_`", beside(fixed, base58()), false),
    ] {
        assert_eq!(found, expected, "{case}");
    }
    let error = Families::minting(sanctum()).accepting(sanctum()).unwrap_err();
    let shape = "[0-9]{1,20}|[0-9A-Za-z]{40,48}";
    assert_eq!(error.to_string(), format!("two token families could read the same text: `{shape}` and `{shape}`"));
}

/// Shapes are compared exactly: held against the texts of two small languages, one by one.
#[test]
fn shapes_overlap_where_a_text_is_of_both() {
    let ab = CharacterSet::of("ab").unwrap();
    let set = |text: &str| CharacterSet::of(text).unwrap();
    let shapes = [
        Shape::new(),
        Shape::new().literal("a"),
        Shape::new().literal("ab"),
        Shape::new().run(ab, 0..=2),
        Shape::new().run(ab, 2..=3).literal("b"),
        Shape::new().run(set("a"), 1..=3).run(set("b"), 0..=1),
        Shape::new().literal("b").run(set("a"), 0..=3),
        Shape::new().run(set("c"), 1..=1),
    ];
    let patterns: Vec<_> = shapes.iter().map(|shape| regex::Regex::new(&format!("^(?:{shape})$")).unwrap()).collect();
    let mut texts = vec![String::new()];
    for length in 0..4 {
        let longest: Vec<_> = texts.iter().filter(|text| text.len() == length).cloned().collect();
        texts.extend(longest.iter().flat_map(|text| ["a", "b", "c"].map(|next| format!("{text}{next}"))));
    }
    for (one, of_one) in shapes.iter().zip(&patterns) {
        for (other, of_other) in shapes.iter().zip(&patterns) {
            let shared = texts.iter().any(|text| of_one.is_match(text) && of_other.is_match(text));
            assert_eq!(one.overlaps(other), shared, "`{one}` and `{other}`");
        }
    }
}
