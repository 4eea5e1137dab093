//! Commands that read and change a house's files, without a dispatcher.

use std::path::{Path, PathBuf};

use crate::harness::{House, run};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mapping/tests/fixtures/house")
}

fn folder_of(house: &House) -> String {
    house.folder().display().to_string()
}

#[test]
fn a_schema_holds_the_house_s_names() {
    let house = House::copy(&fixture());
    let printed = run(["schema", &folder_of(&house)], "").ok();
    let schema = printed.json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    for name in [
        "\"piano.keys.press\"",
        "\"hall.lamp.toggle\"",
        "\"movie\"",
        "\"hall-off\"",
    ] {
        assert!(printed.stdout.contains(name), "{name}");
    }
    let written = run(["schema", &folder_of(&house), "--write"], "").ok();
    assert!(
        written.stdout.trim_end().ends_with("mapping.schema.json"),
        "{written:?}"
    );
    assert_eq!(house.read("mapping.schema.json"), printed.stdout);
    // What lies beside the mapping is no part of it.
    run(["check", &folder_of(&house)], "").ok();
}

#[test]
fn a_house_with_mistakes_has_a_schema_and_no_house_has_none() {
    let house = House::copy(&fixture());
    house.write("rules.toml", &house.read("bad.toml"));
    let printed = run(["schema", &folder_of(&house)], "").ok();
    assert!(printed.stderr.contains("does not check"), "{printed:?}");
    assert!(printed.stdout.contains("\"hall.motion.start\""));
    let none = run(["schema", "/nowhere"], "");
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("no house is here"), "{none:?}");
}
