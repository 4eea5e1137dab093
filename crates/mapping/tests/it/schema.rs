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

const OWN_KINDS: &str = r#"
format = 1

[home]
timezone = "Europe/Berlin"
latitude = 52.52
longitude = 13.40

[kind.siren]
note = "makes noise"
target.on = "bool"
target.volume = { kind = "int", min = 0, max = 10 }
state.mood = ["calm", "wild"]
events.tampered = { by = ["hand", "wind"], force = { kind = "number", min = 0, max = 9, default = 1 } }
carries.tampered = { mood = "wild" }
commands.alarm = { set = { on = true, volume = 10 } }
commands.louder = { step = "volume", by = 2 }
commands.chirp = { args = { ms = { kind = "int", min = 10, max = 900, default = 50 } } }

[device.roof]
id = 40
io.siren = { kind = "siren", stale_after = "1h" }

[device.desk]
id = 41
io.button = { kind = "button" }

[rule.a]
when = { sequence = ["desk.button.press", { event = "roof.siren.tampered", by = "hand", if = "event.force > 2" }, "*.offline"], within = "2s" }
do = ["roof.siren.alarm", { set = "roof.siren", volume = 3 }, { command = "roof.siren.chirp", ms = "${state.roof.siren.volume * 9 + 50}" }]

[rule.b]
when = [{ sequence = "roof.siren.tampered", by = ["hand", "wind", "hand"] }, { cron = "@daily" }, { sun = "dusk", offset = "-1h" }]
do = ["roof.siren.chirp", { command = "roof.siren.louder", step = -3 }, { command = "roof.siren.alarm" }]
after_downtime = { run_late = "10m" }
"#;

const OWN_KINDS_TEST: &str = r#"
[test.it-comes-back]
given = { clock = "unsynced", state = { roof.siren = { volume = 3 } } }
steps = [
  { at = "1m", clock = "synced" },
  { event = "roof.siren.tampered", with = { by = "hand" } },
  { sun = "real" },
  { restart = { down = "2h", clock = "unsynced" } },
  { at = "3h", clock = "2026-03-28 21:00", expect = [{ command = "roof.siren.chirp", ms = 50 }] },
]
"#;

fn house(mapping: &str, test: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mapping.toml"), mapping).expect("it can be written");
    std::fs::write(folder.path().join("a.test.toml"), test).expect("it can be written");
    folder
}

#[test]
fn own_kinds_sequences_and_restarts_are_known() {
    let sound = house(OWN_KINDS, OWN_KINDS_TEST);
    let loaded = load(sound.path());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let validator = validator(sound.path());
    for (name, document) in files(sound.path()) {
        let found = complaints(&validator, &document);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
    for (good, bad) in [
        ("by = \"hand\", if", "by = \"cat\", if"),
        ("by = [\"hand\", \"wind\", \"hand\"]", "by = [\"hand\"]"),
        ("step = \"volume\"", "stepp = \"volume\""),
        ("sun = \"dusk\"", "sun = \"dask\""),
        ("volume = 3 },", "volume = 30 },"),
        ("\"*.offline\"]", "\"*.ofline\"]"),
        ("target.on = \"bool\"", "target.on = \"boole\""),
        ("step = -3", "step = -11"),
        ("step = -3", "ms = 50"),
        (
            "{ command = \"roof.siren.alarm\" }",
            "{ command = \"roof.siren.alram\" }",
        ),
        ("siren.chirp\", ms", "siren.chirp\", msec"),
    ] {
        let text = OWN_KINDS.replace(good, bad);
        assert_ne!(text, OWN_KINDS, "{good}");
        let document = as_json(&text).expect("it is TOML");
        assert!(!validator.is_valid(&document), "{bad}");
    }
    let document = as_json(&OWN_KINDS_TEST.replace("down", "donw")).expect("it is TOML");
    assert!(!validator.is_valid(&document));
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
    "no-off",
    "not-settable",
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
