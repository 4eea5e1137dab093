//! `test --record` where something runs as the test begins that ends by itself.

use replay::record::Recording;

use crate::{
    home::{Files, Home, with_rules},
    records::{home, passes, recorded},
};

/// A pump that runs for a time, a lamp that rules leave alone, and timers.
const RUNS: &str = r#"
[device.garden]
id = 98
io.pump  = { kind = "switch" }
io.light = { kind = "switch" }
io.lever = { kind = "button" }

[rule.water]
when = "garden.lever.press"
do   = [{ on = "garden.pump", for = "10m" }, { hold = "garden.light", for = "20m" }, { start = "first", for = "15m" }, { start = "second", for = "15m" }]

[rule.first]
when = { timer = "first" }
do   = "garden.light.on"

[rule.second]
when = { timer = "second" }
do   = ["garden.light.toggle", "bath.fan.on"]

[rule.dark]
when = "garden.lever.release"
do   = "garden.light.on"
"#;

fn lever(home: &mut Home, event: &str) {
    home.says(
        "garden",
        "lever/event",
        &format!(r#"{{"event":"{event}"}}"#),
    );
}

/// A house in which the lever was pulled two minutes ago.
fn watering(files: &Files) -> Home {
    let mut home = home(files);
    home.pass(31);
    lever(&mut home, "press");
    home.pass(120);
    home
}

fn says(recording: &Recording, lines: &[&str]) {
    for line in lines {
        assert!(recording.text.contains(line), "{line}\n{}", recording.text);
    }
}

#[test]
fn what_runs_as_the_test_begins_goes_on_and_ends_in_it() {
    let files = with_rules(RUNS);
    let mut home = watering(&files);
    let since = home.now.wall;
    home.pass(60);
    lever(&mut home, "release");
    home.pass(1_140);
    lever(&mut home, "release");
    home.pass(60);
    for only in [&[][..], &["garden"], &["rule.dark", "garden.pump"]] {
        let recording = recorded(&mut home, since, only).unwrap();
        passes(&files, &recording);
        says(
            &recording,
            &[
                "given.on_for.garden.pump = \"8m\"\n",
                "given.kept.garden.light = \"18m\"\n",
                "{ at = \"8m\", expect = [\"garden.pump.off\"] },",
            ],
        );
    }
    let timers = ["given.timers.first = \"13m\"\ngiven.timers.second = \"13m\"\n"];
    says(&recorded(&mut home, since, &[]).unwrap(), &timers);
}

#[test]
fn what_is_on_for_a_time_is_stopped_or_lasts_longer_in_its_test() {
    let files = with_rules(RUNS);
    for until in ["false", "true"] {
        let mut home = watering(&files);
        let since = home.now.wall;
        home.pass(60);
        home.asks(
            "anna",
            "iot/garden/pump/set",
            &format!(r#"{{"on":{until}}}"#),
        );
        home.pass(120);
        lever(&mut home, "press");
        home.pass(1_800);
        let recording = recorded(&mut home, since, &[]).unwrap();
        passes(&files, &recording);
        // It is the rule that did it this time.
        says(
            &recording,
            &["expect = [\"garden.pump.off\"], by = \"water\" },"],
        );
    }
}

#[test]
fn a_part_is_given_what_ends_by_itself_in_it_and_nothing_else() {
    let files = with_rules(RUNS);
    let mut home = watering(&files);
    let since = home.now.wall;
    home.pass(10);
    home.press(36);
    home.pass(10);
    let recording = recorded(&mut home, since, &["desk.lamp"]).unwrap();
    passes(&files, &recording);
    for key in ["timers", "on_for", "kept"] {
        assert!(!recording.text.contains(key), "{}", recording.text);
    }
}
