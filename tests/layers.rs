//! Layers point down, effects stay at the edge, and the path an auditor reads stays short: held against the sources.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

/// Every module, by layer from the bottom up. A module uses modules of lower layers alone.
const LAYERS: [&[&str]; 9] = [
    &["alphabet", "digest", "entropy", "json", "scope", "text", "time", "timer"],
    &["annotation", "backoff", "denial", "expiry", "idempotency", "restriction", "server_key", "subject", "tally"],
    &["token"],
    &["record"],
    &["caller", "check", "circumstances", "grant", "seal"],
    &["import", "mint", "possession", "store", "verify"],
    &["change", "event", "policy", "rotate", "uses"],
    &["maintain", "memory"],
    &["registry"],
];

/// What may be named only here: text in the code → the modules that may hold it.
const EFFECTS: [(&str, &[&str]); 12] = [
    ("SystemTime::now", &["time"]),
    ("Instant::now", &[]),
    ("SysRng", &["entropy"]),
    ("getrandom", &[]),
    ("hmac::", &["digest"]),
    ("sha2::", &["digest"]),
    ("subtle::", &["digest"]),
    ("argon2::{Algorithm", &["digest"]),
    ("async ", &["maintain", "memory", "policy", "registry", "store"]),
    ("Future", &["digest", "policy", "registry", "store", "timer"]),
    ("tracing::", &["event"]),
    ("thread::", &["digest", "event"]),
];

/// The files an auditor reads, in order.
const READING_PATH: [&str; 6] = ["verify.rs", "check.rs", "digest/keyed.rs", "token/parse.rs", "record.rs", "mint.rs"];

#[test]
fn every_use_points_to_a_lower_layer() {
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut wrong = Vec::new();
    for (module, code) in sources() {
        let Some(layer) = layer_of(&module) else {
            wrong.push(format!("{module} stands in no layer"));
            continue;
        };
        for used in used_modules(&code) {
            match layer_of(&used) {
                _ if used == module => {}
                Some(lower) if lower < layer => {}
                Some(_) => wrong.push(format!("{module} uses {used}, which is not below it")),
                None => wrong.push(format!("{module} uses {used}, which stands in no layer")),
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_effect_stays_in_its_module() {
    let mut wrong = Vec::new();
    for (module, code) in sources() {
        for (effect, allowed) in EFFECTS {
            if code.contains(effect) && !allowed.contains(&module.as_str()) {
                wrong.push(format!("{module} holds `{effect}`"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_proof_is_built_in_one_place() {
    let built: usize = sources().values().map(|code| code.matches("Ok(Verified {").count()).sum();
    let named: usize = sources().values().map(|code| code.matches("Verified {").count()).sum();
    // Once where it is built; else in the type, its two impls, and signatures.
    assert_eq!((built, named), (1, 4));
}

#[test]
fn the_reading_path_is_short() {
    let lines = |file: &str| fs::read_to_string(source_dir().join(file)).unwrap().lines().count();
    assert!(lines("verify.rs") < 150, "verify.rs has {} lines", lines("verify.rs"));
    let path: usize = READING_PATH.iter().map(|file| lines(file)).sum();
    assert!(path <= 1000, "the reading path has {path} lines");
}

#[test]
fn no_file_holds_more_than_one_idea() {
    let mut files = Vec::new();
    collect(&source_dir(), &mut files);
    for file in files {
        let lines = code_of(&fs::read_to_string(&file).unwrap()).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 260, "{} has {lines} lines of code", file.display());
    }
}

#[test]
fn the_guide_draws_these_layers_and_effects() {
    let guide = fs::read_to_string(source_dir().join("guide.rs")).unwrap();
    let mut drawn = LAYERS.map(|_| Vec::<&str>::new());
    let mut layer: Option<usize> = None;
    for line in guide.lines().skip_while(|line| *line != "//! # Layers").take_while(|line| *line != "//! ```") {
        let mut words = line.trim_start_matches("//!").split(':').next().unwrap().split_whitespace().peekable();
        layer = words.next_if(|word| word.parse::<usize>().is_ok()).map(|word| word.parse().unwrap()).or(layer);
        if let Some(layer) = layer {
            drawn[layer].extend(words.filter(|word| !["words", "decisions", "plumbing"].contains(word)));
        }
    }
    drawn.iter_mut().for_each(|layer| layer.sort_unstable());
    assert_eq!(drawn, LAYERS);

    for (row, effect) in [
        ("the system clock is read", "SystemTime::now"),
        ("the system's randomness is drawn", "SysRng"),
        ("something is hashed", "sha2::"),
        ("secret bytes are compared", "subtle::"),
        ("a thread is started", "thread::"),
        ("a function is async", "async "),
        ("a future is named", "Future"),
        ("something is logged", "tracing::"),
    ] {
        let line = guide.lines().find(|line| line.contains(row)).expect(row);
        let in_backquotes = line.split('`').skip(1).step_by(2);
        let mut told: Vec<_> = in_backquotes.filter(|word| LAYERS.iter().any(|layer| layer.contains(word))).collect();
        told.sort_unstable();
        let allowed = EFFECTS.iter().find(|(text, _)| *text == effect).expect(effect).1;
        assert_eq!(told, allowed, "{row}");
    }
}

#[test]
fn the_scanner_of_this_test_sees_what_it_looks_for() {
    let code =
        code_of("use crate::{\n    a::{B, c},\n    d,\n};\nuse crate::e::F;\nlet x = crate::g::h(); // crate::i\n");
    assert_eq!(used_modules(&code), ["a", "d", "e", "g"]);
}

/// The code of each module, comments and tests left out; files in a folder belong to the module of its name.
fn sources() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    collect(&source_dir(), &mut files);
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(source_dir()).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module != "lib" && module != "guide" {
            modules.entry(module).or_default().push_str(&code_of(&fs::read_to_string(&file).unwrap()));
        }
    }
    modules
}

fn code_of(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]").next().unwrap();
    shipped.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The modules named behind `crate::`, alone or in braces.
fn used_modules(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let ident = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = rest.strip_prefix('{') else {
            used.push(ident(rest));
            continue;
        };
        let mut depth = 0;
        let mut at_head = true;
        for (at, character) in group.char_indices() {
            match character {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => at_head = true,
                c if depth == 0 && at_head && c.is_alphabetic() => {
                    used.push(ident(&group[at..]));
                    at_head = false;
                }
                _ => {}
            }
        }
    }
    used
}

fn source_dir() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn collect(dir: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
    files.sort();
}
