//! Whole houses: a real one, and the same with mistakes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use mapping::{Loaded, Severity, findings, load, load_texts, render};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/house")
}

fn texts_with_rules(rules: &str) -> BTreeMap<String, String> {
    let read =
        |name: &str| std::fs::read_to_string(fixture().join(name)).expect("the fixture is there");
    BTreeMap::from([
        ("mapping.toml".to_owned(), read("mapping.toml")),
        ("house.toml".to_owned(), read("house.toml")),
        ("rules.toml".to_owned(), read(rules)),
    ])
}

fn found(loaded: &Loaded) -> BTreeSet<(String, u32, &'static str)> {
    findings(&loaded.sources, &loaded.diagnostics)
        .into_iter()
        .map(|found| (found.file, found.line, found.code))
        .collect()
}

#[test]
fn the_house_loads_without_a_word() {
    let loaded = load(&fixture());
    let said = render(&loaded.sources, &loaded.diagnostics, false);
    assert_eq!(said, "");
    let program = loaded.program.expect("the fixture is there");
    assert_eq!(program.rules.len(), 24);
    assert_eq!(loaded.tests.len(), 8);
}

#[test]
fn every_mistake_of_the_bad_house_is_found_in_one_run() {
    let loaded = load_texts(texts_with_rules("bad.toml"));
    let said = render(&loaded.sources, &loaded.diagnostics, false);
    println!("{said}");
    for (line, code, help) in [
        (14, "unknown-field", "`velocity`"),
        (18, "unknown-event", "`start`"),
        (19, "type-mismatch", "50"),
        (20, "unknown-channel", "`lamp`"),
        (23, "timer-never-started", "`hall-off`"),
        (63, "unknown-event", "`start`"),
        (69, "unknown-command", "`off`"),
        (72, "unknown-key", "`when`"),
    ] {
        let at = findings(&loaded.sources, &loaded.diagnostics)
            .into_iter()
            .find(|found| found.line == line && found.code == code);
        let at = at.unwrap_or_else(|| panic!("{line} {code}"));
        assert!(at.help.iter().any(|text| text.contains(help)), "{at:?}");
    }
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error);
    assert_eq!(errors.count(), 8);
    assert!(loaded.program.is_none());
}

#[test]
fn two_syntax_errors_do_not_hide_a_wrong_command_elsewhere() {
    let loaded = load_texts(texts_with_rules("bad-syntax.toml"));
    println!("{}", render(&loaded.sources, &loaded.diagnostics, false));
    let in_rules: Vec<_> = found(&loaded)
        .into_iter()
        .filter(|(file, ..)| file == "rules.toml")
        .map(|(_, line, code)| (line, code))
        .collect();
    assert_eq!(
        in_rules,
        [(4, "unknown-command"), (6, "syntax"), (8, "syntax")]
    );
}

#[test]
fn the_example_loads_without_a_word() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/piano-house");
    let loaded = load(&example);
    assert_eq!(render(&loaded.sources, &loaded.diagnostics, false), "");
    assert!(
        loaded
            .program
            .is_some_and(|program| program.rules.len() >= 16)
    );
    assert!(!loaded.tests.is_empty());
}
