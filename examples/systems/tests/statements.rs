//! `STATEMENTS.md` and the tests name each other: no statement without a test that is there, no test without a statement.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const STATEMENTS: &str = include_str!("../STATEMENTS.md");

/// What each section's tests are: the directories and files under `tests`.
const SECTIONS: [(&str, &[&str]); 5] = [
    ("ARPIA", &["arpia"]),
    ("ARKA", &["arka", "arka_cli.rs"]),
    ("Arca", &["arca"]),
    ("ARCNM", &["arcnm"]),
    ("AuthPI", &["authpi"]),
];

/// The tests that each section names, the last column of its tables.
fn named() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut named = BTreeMap::<_, BTreeSet<_>>::new();
    let mut section = "";
    for line in STATEMENTS.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(cells) = line
            .strip_prefix("| ")
            .filter(|cells| !cells.starts_with("what the page"))
            .and_then(|line| line.strip_suffix(" |"))
        {
            let (_, tests) = cells.rsplit_once(" | ").unwrap();
            let tests = tests.split('`').skip(1).step_by(2);
            named.entry(section).or_default().extend(tests);
        }
    }
    named
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The tests that the files hold: the names of the functions behind a test's attribute.
fn found(places: &[&str]) -> BTreeSet<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = BTreeSet::new();
    for file in places.iter().flat_map(|place| files(&tests.join(place))) {
        let code = fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in code.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                found.insert(rest.split('(').next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    found
}

#[test]
fn every_statement_has_its_test_and_every_test_its_statement() {
    let named = named();
    assert_eq!(named.len(), SECTIONS.len(), "sections: {:?}", named.keys());
    for (section, places) in SECTIONS {
        let (named, found) = (&named[section], found(places));
        let missing: Vec<_> = named.iter().filter(|test| !found.contains(**test)).collect();
        let unsaid: Vec<_> = found.iter().filter(|test| !named.contains(test.as_str())).collect();
        assert!(missing.is_empty(), "{section}: named, and no test: {missing:?}");
        assert!(unsaid.is_empty(), "{section}: a test, and not named: {unsaid:?}");
    }
}
