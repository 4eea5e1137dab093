//! The JSON form: what goes out comes in again and means the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use edit::{ImportError, export, import};
use mapping::{Analysis, analyze, load};
use proptest::prelude::*;

use crate::houses::{choices, house, meaning, meaning_of_tests};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

fn json(house: &Analysis) -> String {
    export(house).to_string()
}

fn check_round_trip(house: &Analysis) {
    let json = json(house);
    let back = match import(&json) {
        Ok(back) => back,
        Err(problems) => panic!("{json}\n{problems:#?}"),
    };
    for (name, text) in back.files() {
        let read = text.parse::<toml_1_0::Table>();
        assert!(read.is_ok(), "{name}: {read:?}\n{text}");
    }
    assert_eq!(meaning(&back.analysis().draft), meaning(&house.draft));
    assert_eq!(
        meaning_of_tests(&back.analysis().loaded.tests),
        meaning_of_tests(&house.loaded.tests)
    );
    assert_eq!(export(back.analysis()).to_string(), json);
}

#[test]
fn the_example_house_comes_back_as_it_was() {
    for name in [
        "examples/piano-house",
        "crates/mapping/tests/fixtures/house",
    ] {
        check_round_trip(&analyze(Some(&example(name)), &BTreeMap::new()));
    }
}

#[test]
fn what_can_be_said_in_several_ways_comes_back_with_one_meaning() {
    let text = "format = 1\n[device.a]\nid = 0x10\nio.l.kind = 'dimmer'\n[device.a.io.\"b\"]\nkind = \"\"\"button\"\"\"\n\
        [[rule.x.do]]\nset = \"a.l\"\nbrightness = 5e1\n[[rule.x.do]]\nset = \"a.l\"\non = true\n[rule.x]\nwhen = \"a.b.press\"\n";
    let texts = BTreeMap::from([("mapping.toml".to_owned(), text.to_owned())]);
    check_round_trip(&analyze(None, &texts));
}

#[test]
fn what_a_file_silences_stays_silenced() {
    let house = "allow = ['device-unused']\nformat = 1\ninclude = ['rules.toml']\n[device.a]\nid = 1\nio.l = { kind = 'switch' }\n\
        io.b = { kind = 'button' }\n[device.b]\nid = 2\nio.b = { kind = 'button' }\n";
    let rules = "allow = ['timer-unused', 'device-unused']\n[rule.x]\nwhen = 'a.b.press'\ndo = ['a.l.on', { start = 't', for = '1m' }]\n";
    let texts = BTreeMap::from([
        ("mapping.toml".to_owned(), house.to_owned()),
        ("rules.toml".to_owned(), rules.to_owned()),
    ]);
    let read = analyze(None, &texts);
    assert_eq!(read.loaded.diagnostics, []);
    let exported = json(&read);
    let silenced =
        &serde_json::from_str::<serde_json::Value>(&exported).expect("it is JSON")["allow"];
    assert_eq!(
        *silenced,
        serde_json::json!(["device-unused", "timer-unused"])
    );
    let back = import(&exported).expect("it checks");
    assert_eq!(back.warnings(), []);
    check_round_trip(&read);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_house_comes_back_as_it_was(choices in choices()) {
        check_round_trip(&analyze(None, &house(&choices, None).files));
    }
}

#[test]
fn mistakes_are_told_at_their_place_in_the_json() {
    let house = r#"{ "device": { "hall": { "id": 1, "io": { "lamp": { "kind": "dimmer" }, "b": { "kind": "button" } } } }, "#;
    for (rest, at, code) in [
        (
            r#""rule": { "x": { "when": "hall.b.prses", "do": "hall.lamp.on" } } }"#,
            "/rule/x/when",
            "unknown-event",
        ),
        (
            r#""rule": { "x": { "when": "hall.b.press" } } }"#,
            "/rule/x",
            "missing-key",
        ),
        (
            r#""rule": { "x": { "when": "hall.b.press", "do": ["hall.lamp.on", { "set": "hall.lamp", "brightness": 500 }] } } }"#,
            "/rule/x/do/1/brightness",
            "out-of-range",
        ),
        (
            r#""rule": { "x": { "when": "hall.b.press", "do": "hall.lamp.on", "if": "state.hall.lamp.no" } } }"#,
            "/rule/x/if",
            "unknown-field",
        ),
        (
            r#""rule": { "X y": { "when": "hall.b.press", "do": "hall.lamp.on" } } }"#,
            "/rule/X y",
            "bad-name",
        ),
        (r#""rule": 3 }"#, "/rule", "wrong-type"),
        (r#""rule": { "x": [] } }"#, "/rule/x", "wrong-type"),
        (r#""rulez": {} }"#, "/rulez", "unknown-key"),
        (
            r#""include": ["/etc/passwd"] }"#,
            "/include/0",
            "outside-folder",
        ),
        (r#""format": 2 }"#, "/format", "unknown-format"),
        (
            r#""test": { "t": { "steps": [{ "event": "hall.b.press" }, { "at": "x" }] } } }"#,
            "/test/t/steps/1/at",
            "bad-duration",
        ),
        (
            r#""group": { "g": ["hall.lamp", "hall.no"] } }"#,
            "/group/g/1",
            "unknown-channel",
        ),
        (
            r#""scene": { "s": { "hall": { "lamp": { "onn": true } } } } }"#,
            "/scene/s/hall/lamp/onn",
            "unknown-field",
        ),
    ] {
        let problems = import(&format!("{house}{rest}")).expect_err(rest);
        let found = problems.iter().any(|problem| {
            problem.is_error && problem.code == code && problem.at.to_string() == at
        });
        assert!(found, "{rest}: {problems:#?}");
    }
}

#[test]
fn nothing_is_overwritten_without_being_asked() {
    let imported = import(&json(&analyze(
        Some(&example("examples/piano-house")),
        &BTreeMap::new(),
    )));
    let imported = imported.expect("the example checks");
    let folder = tempfile::tempdir().expect("a folder");
    let house = folder.path().join("new/house");
    imported.write(&house, false).expect("nothing is there");
    assert!(!load(&house).has_errors());
    let original = load(&example("examples/piano-house"));
    assert_eq!(load(&house).tests.len(), original.tests.len());

    let rules = std::fs::read_to_string(house.join("rules.toml")).expect("it was written");
    std::fs::write(house.join("rules.toml"), format!("{rules}# mine\n")).expect("it is there");
    let refused = imported.write(&house, false);
    assert!(
        matches!(&refused, Err(ImportError::Exists(files)) if files.len() == 4),
        "{refused:?}"
    );
    let kept = std::fs::read_to_string(house.join("rules.toml")).expect("it is there");
    assert!(kept.ends_with("# mine\n"));
    imported.write(&house, true).expect("it may");
    assert_eq!(
        std::fs::read_to_string(house.join("rules.toml")).expect("it is there"),
        rules
    );

    let stranger = "[test.x]\nsteps = [{ event = \"gone.b.press\" }]\n";
    std::fs::write(house.join("tests/old.test.toml"), stranger).expect("it is there");
    let refused = imported.write(&house, true);
    assert!(
        matches!(&refused, Err(ImportError::DoesNotFit(why)) if why.contains("gone")),
        "{refused:?}"
    );
}

#[test]
fn old_names_come_back_with_those_of_today() {
    let text = "format = 1\nallow = ['device-unused', 'var-unused', 'var-unwritten']\n[device.a]\nid = 1\nio.l = { kind = 'switch' }\n\
        [var]\nx = { kind = 'bool' }\n[renamed]\n'a.m' = 'a.l'\n'var.y' = 'var.z'\n'var.z' = 'var.x'\n";
    let texts = BTreeMap::from([("mapping.toml".to_owned(), text.to_owned())]);
    let read = analyze(None, &texts);
    assert_eq!(read.loaded.diagnostics, []);
    check_round_trip(&read);
    let back = import(&json(&read)).expect("it checks");
    assert_eq!(back.analysis().draft.renamed, read.draft.renamed);
    assert_eq!(read.draft.renamed.len(), 3);
}
