//! The houses in examples/: each one checks without a word and passes its tests, each rule of it is one that its
//! tests would miss, and examples/README.md tells all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use dispatcher::rehearsal;
use mapping::{Loaded, Program, house_test::HouseTest, program::RuleIx};

/// Fewer than these were lost by accident.
const HOUSES_MIN: usize = 5;
const AUTOMATIONS_MIN: usize = 46;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Each house by its name.
fn houses() -> BTreeMap<String, Loaded> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let houses: BTreeMap<String, Loaded> = paths
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, mapping::load(&path))
        })
        .collect();
    assert!(houses.len() >= HOUSES_MIN, "{:?}", houses.keys());
    houses
}

/// A row of the table in examples/README.md.
struct Automation {
    name: String,
    house: String,
    rules: Vec<String>,
}

fn automations() -> Vec<Automation> {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let automations: Vec<Automation> = rows
        .filter_map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [name, house, rules] = cells[..] else {
                panic!("a row has an automation, its house and its rules: {row}");
            };
            let rules: Vec<String> = rules
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            (!rules.is_empty()).then(|| Automation {
                name: name.to_owned(),
                house: house.to_owned(),
                rules,
            })
        })
        .collect();
    assert!(
        automations.len() >= AUTOMATIONS_MIN,
        "{}",
        automations.len()
    );
    automations
}

/// The tests that fail.
fn failures(program: &Arc<Program>, tests: &[HouseTest]) -> Vec<String> {
    let verdicts = tests.iter().map(|test| rehearsal::run(program, test));
    let failed = verdicts.filter(|verdict| !verdict.passed());
    failed.map(|verdict| verdict.to_string()).collect()
}

#[test]
fn every_example_checks_without_a_word_and_passes_its_tests() {
    for (name, loaded) in houses() {
        let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        assert!(said.is_empty(), "{name}: {said}");
        assert!(!loaded.tests.is_empty(), "{name} has no tests");
        let program = loaded.program.unwrap();
        let failed = failures(&program, &loaded.tests);
        assert!(failed.is_empty(), "{name}: {}", failed.concat());
    }
}

#[test]
fn examples_are_toml_1_0() {
    for (name, loaded) in houses() {
        for (_, file) in loaded.sources.iter() {
            let read = file.text.parse::<toml_1_0::Table>();
            assert!(read.is_ok(), "{name}/{}: {}", file.name, read.unwrap_err());
        }
    }
}

#[test]
fn without_any_one_of_its_rules_an_example_fails_its_tests() {
    let mut unmissed = Vec::new();
    for (name, loaded) in houses() {
        let program = loaded.program.unwrap();
        for rule in RuleIx::all(program.rules.len()) {
            let mut without = Program::clone(&program);
            without.rules[rule.index()].enabled = false;
            let without = Arc::new(without);
            let mut tests = loaded.tests.iter();
            if tests.all(|test| rehearsal::run(&without, test).passed()) {
                unmissed.push(format!("{name}: {}", program[rule].name));
            }
        }
    }
    assert!(
        unmissed.is_empty(),
        "no test misses these:\n{}",
        unmissed.join("\n")
    );
}

#[test]
fn the_list_of_examples_tells_every_rule_of_every_house() {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let houses = houses();
    for Automation { name, house, rules } in automations() {
        let loaded = houses.get(&house);
        let loaded = loaded.unwrap_or_else(|| panic!("{name}: there is no example {house}"));
        let program = loaded.program.as_ref().unwrap();
        for rule in rules {
            let known = program.names.rules.contains_key(&*rule);
            assert!(known, "{name}: {house} has no rule {rule}");
            told.entry(house.clone()).or_default().insert(rule);
        }
    }
    for (house, loaded) in houses {
        let rules = loaded.program.unwrap();
        let rules: BTreeSet<String> = rules
            .rules
            .iter()
            .map(|rule| rule.name.to_string())
            .collect();
        assert_eq!(told.remove(&house).unwrap_or_default(), rules, "{house}");
    }
}
