//! The guide names files and tests: each must be there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

#[test]
fn every_file_and_test_that_a_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_backquotes =
        Regex::new(r"`((?:\.ci|benches|crates|examples|src|tests)/[\w./-]*\w)(?:: (\w+))?`").expect("a pattern");
    let mut pages = vec![root.join("README.md"), root.join("src/guide.rs")];
    pages.extend(fs::read_dir(root.join("src/guide")).unwrap().map(|entry| entry.unwrap().path()));
    let (mut wrong, mut tests) = (Vec::new(), 0);
    for page in pages {
        for named in in_backquotes.captures_iter(&fs::read_to_string(&page).unwrap()) {
            let file = root.join(&named[1]);
            let holds = |function: &str| {
                let text = fs::read_to_string(&file).unwrap_or_default();
                Regex::new(&format!(r"\bfn {function}\b")).expect("a name").is_match(&text)
            };
            let is_there = named.get(2).map_or(file.exists(), |function| holds(function.as_str()));
            tests += usize::from(named.get(2).is_some());
            if !is_there {
                wrong.push(format!("{}: {}", page.display(), &named[0]));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(tests > 40, "found {tests}: the pattern sees too little");
}

#[test]
fn readme_and_front_page_link_the_same_guide_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = |file: &str, pattern: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(root.join(file)).unwrap();
        Regex::new(pattern).expect("a pattern").captures_iter(&text).map(|link| link[1].to_owned()).collect()
    };
    let in_readme = pages("README.md", r"(?m)^\[\w+\]: src/(guide(?:/\w+)?)\.rs$");
    let in_front = pages("src/lib.rs", r"(?m)^//! - \[[^\]]+\]\((guide(?:::\w+)?)\)$");
    assert_eq!(in_front, in_readme.iter().map(|page| page.replace('/', "::")).collect());
    assert!(in_readme.len() > 1);
}
