//! `include`: which files make a house, and in which order their rules stand.

use mapping::{Loaded, load_texts};

fn house<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Loaded {
    load_texts(files)
}

/// Names of the rules in the order in which they fire.
fn rules(loaded: &Loaded) -> Vec<String> {
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let program = loaded.program.as_ref().expect("a house");
    let rules = program.rules.iter();
    rules.map(|rule| rule.name.to_string()).collect()
}

const DEVICE: &str =
    "[device.desk]\nid = 1\nio.button = { kind = \"button\" }\nio.lamp = { kind = \"switch\" }\n";

fn rule(name: &str) -> String {
    format!(
        "[rule.{name}]\nwhen = \"desk.button.press\"\ndo = \"desk.lamp.toggle\"\nallow = [\"two-writers\"]\n"
    )
}

#[test]
fn a_star_takes_files_in_the_order_of_their_names_and_each_once() {
    let (a, b, c) = (rule("a"), rule("b"), rule("c"));
    let loaded = house([
        (
            "mapping.toml",
            "include = [\"devices.toml\", \"rules/20-b.toml\", \"rules/*.toml\"]",
        ),
        ("devices.toml", DEVICE),
        ("rules/10-a.toml", &a),
        ("rules/20-b.toml", &b),
        ("rules/30-c.toml", &c),
    ]);
    assert_eq!(rules(&loaded), ["b", "a", "c"]);
}

#[test]
fn paths_are_relative_to_the_file_that_includes() {
    let (a, b) = (rule("a"), rule("b"));
    let hall = format!("include = [\"rules/*.toml\"]\n{a}");
    let loaded = house([
        (
            "mapping.toml",
            "include = [\"devices.toml\", \"*/hall.toml\"]",
        ),
        ("devices.toml", DEVICE),
        ("hall/hall.toml", &hall),
        ("hall/rules/b.toml", &b),
    ]);
    assert_eq!(rules(&loaded), ["a", "b"]);
}

#[test]
fn a_star_stands_for_no_blocklist_no_settings_and_not_for_the_file_itself() {
    let a = rule("a");
    let loaded = house([
        ("mapping.toml", "include = [\"*.toml\"]"),
        ("devices.toml", DEVICE),
        ("rules.toml", &a),
        ("blocklist.toml", "[[block]]\ndevice = \"desk\"\n"),
        ("settings.toml", "[mqtt]\nlisten = \"127.0.0.1:1883\"\n"),
    ]);
    assert_eq!(rules(&loaded), ["a"]);
}

#[test]
fn tests_are_found_beside_the_mapping_and_below_tests_without_being_named() {
    let a = rule("a");
    let test = "[test.x]\nsteps = [{ event = \"desk.button.press\" }]\n";
    let other = test.replace("test.x", "test.y");
    let loaded = house([
        ("mapping.toml", "include = [\"*.toml\"]"),
        ("house.toml", DEVICE),
        ("rules.toml", &a),
        ("house.test.toml", test),
        ("tests/more.test.toml", &other),
    ]);
    assert_eq!(rules(&loaded), ["a"]);
    assert_eq!(loaded.tests.len(), 2);
}
