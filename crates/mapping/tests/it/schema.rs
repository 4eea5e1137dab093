//! The schema of a house takes what the loader takes, and refuses what people mistype.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use mapping::{analyze, load, schema};
use serde_json::{Value as Json, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The files of a house by name; those that are no TOML are left out.
fn files(house: &Path) -> BTreeMap<String, Json> {
    let sources = load(house).sources;
    let files = sources.iter();
    files
        .filter_map(|(_, file)| Some((file.name.to_string(), as_json(&file.text)?)))
        .collect()
}

fn as_json(text: &str) -> Option<Json> {
    let table: toml::Table = text.parse().ok()?;
    Some(plain(&toml::Value::Table(table)))
}

/// As editors hand a document to a schema: dates are texts.
fn plain(value: &toml::Value) -> Json {
    match value {
        toml::Value::Datetime(date) => json!(date.to_string()),
        toml::Value::Array(list) => list.iter().map(plain).collect(),
        toml::Value::Table(table) => {
            let entries = table.iter();
            entries
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect()
        }
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(truth) => json!(truth),
    }
}

fn validator(house: &Path) -> Validator {
    let analysis = analyze(Some(house), &BTreeMap::new());
    jsonschema::draft7::new(&schema(&analysis.draft)).expect("the schema is one")
}

fn complaints(validator: &Validator, document: &Json) -> Vec<String> {
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn what_is_sound_is_accepted() {
    let houses = ["tests/fixtures/house", "../../examples/piano-house"];
    for house in houses.map(|house| root().join(house)) {
        let validator = validator(&house);
        let files = files(&house);
        assert!(files.len() >= 4);
        for (name, document) in files {
            let found = complaints(&validator, &document);
            assert!(found.is_empty(), "{name}: {found:#?}");
        }
    }
}

#[test]
fn the_schema_itself_follows_its_own() {
    let house = root().join("tests/fixtures/house");
    let schema = schema(&analyze(Some(&house), &BTreeMap::new()).draft);
    assert!(jsonschema::meta::is_valid(&schema));
}

/// Mistakes of which at least one case stands in one place, and is seen without other tables.
const IN_ONE_PLACE: &[&str] = &[
    "bad-chord",
    "bad-days",
    "bad-duration",
    "bad-limit",
    "bad-name",
    "bad-path",
    "bad-time",
    "bad-topic",
    "empty-scene",
    "missing-key",
    "misplaced",
    "no-gesture",
    "not-settable",
    "not-yet",
    "out-of-range",
    "reserved-name",
    "type-mismatch",
    "unknown-action",
    "unknown-channel",
    "unknown-command",
    "unknown-event",
    "unknown-field",
    "unknown-format",
    "unknown-key",
    "unknown-kind",
    "unknown-lint",
    "unknown-name",
    "unknown-option",
    "unknown-trigger",
    "unknown-word",
    "wrong-type",
];

#[test]
fn mistakes_are_refused_and_warnings_are_not() {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let cases = std::fs::read_dir(root().join("tests/golden")).expect("the fixture is there");
    for case in cases {
        let case = case.expect("the fixture is there").path();
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        let loaded = load(&case);
        let validator = validator(&case);
        let files = files(&case);
        let found: Vec<String> = files
            .values()
            .flat_map(|document| complaints(&validator, document))
            .collect();
        if !loaded.has_errors() {
            assert!(found.is_empty(), "{name}: {found:#?}");
        } else if !found.is_empty() {
            let code = name.split("--").next().unwrap_or_default();
            *refused.entry(code.to_owned()).or_default() += 1;
        }
    }
    let missed: Vec<&&str> = IN_ONE_PLACE
        .iter()
        .filter(|code| !refused.contains_key(**code))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(refused.values().sum::<usize>() >= 60, "{refused:?}");
}

#[test]
fn what_people_mistype_in_a_rule_is_refused() {
    let house = root().join("tests/fixtures/house");
    let validator = validator(&house);
    let rule = |rule: &str| as_json(&format!("[rule.x]\n{rule}")).expect("it is TOML");
    let good = rule("when = \"desk.button.click\"\ndo = \"lights.off\"");
    assert_eq!(complaints(&validator, &good), [""; 0]);
    for wrong in [
        "wehn = \"desk.button.click\"\ndo = \"lights.off\"",
        "when = \"desk.button.clik\"\ndo = \"lights.off\"",
        "when = \"hall.lamp.on\"\ndo = \"lights.off\"",
        "when = \"desk.button.click\"\ndo = \"lights.of\"",
        "when = \"desk.button.click\"\ndo = { scene = \"moive\" }",
        "when = \"desk.button.click\"\ndo = { set = \"hall.lamp\", brightnes = 5 }",
        "when = \"desk.button.click\"\ndo = { set = \"hall.lamp\", brightness = 500 }",
        "when = \"desk.button.click\"\ndo = { set = \"hall.lux\", lux = 5 }",
        "when = \"desk.button.click\"\ndo = { set = \"stairs.lamp\", brightness = 5 }",
        "when = \"desk.button.click\"\ndo = { var = \"night\", to = 3 }",
        "when = \"desk.button.click\"\ndo = { start = \"x\", for = \"5 min\" }",
        "when = { timer = \"hal-off\" }\ndo = \"lights.off\"",
        "when = { at = \"7:00\" }\ndo = \"lights.off\"",
        "when = { at = \"07:00\", days = \"mon-fry\" }\ndo = \"lights.off\"",
        "when = { gesture = \"duoble\", on = \"desk.button\" }\ndo = \"lights.off\"",
        "when = { gesture = \"double\", on = \"hall.lamp\" }\ndo = \"lights.off\"",
        "when = { chord = \"piano.keys.press\", kye = [60, 64] }\ndo = \"lights.off\"",
        "when = \"desk.button.click\"\ndo = \"lights.off\"\nlimit = \"once per 30s\"",
        "when = \"desk.button.click\"\ndo = \"lights.off\"\nallow = [\"two-writer\"]",
        "when = \"desk.button.click\"",
    ] {
        assert!(!validator.is_valid(&rule(wrong)), "{wrong}");
    }
}
