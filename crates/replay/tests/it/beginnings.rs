//! What rules do at the very first start of a house.

use std::time::Duration;

use replay::{
    Paint, Until,
    events::Teller,
    record::{Wanted, record},
    trial::Trial,
    why::why,
};
use types::UnixTime;

use crate::{
    home::{Files, Home, load},
    records::passes,
};

const HOUSE: &str = r#"
format = 1

[device.hall]
id = 1
io.lamp = { kind = "switch" }
io.fan  = { kind = "switch" }
io.key  = { kind = "button" }

[device.mode]
virtual = true
io.party = { kind = "switch" }

[var]
night = { kind = "bool", start = false }

[rule.hello]
when = "mode.online"
do   = ["hall.lamp.on", "mode.party.on"]

[rule.by-day]
when = { holds = "!var.night" }
do   = "hall.fan.on"

[rule.key]
when = "hall.key.press"
do   = "hall.lamp.off"
"#;

fn files(edits: &[(&str, &str)]) -> Files {
    let text = edits.iter().fold(HOUSE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    [("mapping.toml".to_owned(), text)].into()
}

/// Commands that differ where `files` are tried, and how many are the same.
fn tried(home: &mut Home, files: &Files) -> (Vec<String>, u64) {
    let past = home.history();
    let mut trial = Trial::new(&past, load(files), UnixTime(0), Until::End).expect("it is read");
    let mut lines = Vec::new();
    while let Some(difference) = trial.next().expect("it is read") {
        let all = |sign: &str, all: &[replay::trial::Line]| -> Vec<String> {
            all.iter()
                .map(|line| format!("{sign} {}", line.text))
                .collect()
        };
        lines.extend(all("-", &difference.gone));
        lines.extend(all("+", &difference.new));
    }
    (lines, trial.summary().same)
}

#[test]
fn what_rules_did_as_the_house_began_is_told() {
    let mut home = Home::beginning(&files(&[]));
    let now = home.now.wall;
    let past = home.history();
    for (target, rule) in [
        ("hall.lamp", "rule hello"),
        ("mode.party", "rule hello"),
        ("hall.fan", "rule by-day"),
    ] {
        let answer = why(&past, target, None).expect("it is read");
        let text = answer
            .expect("it changed")
            .text(past.zone(), now, Paint::None);
        assert!(text.contains(rule), "{target}: {text}");
    }
    let mut travel = past.all(Until::End).expect("it is read");
    let mut teller = Teller::new(&past, &travel, Vec::new(), false);
    let mut lines = Vec::new();
    while let Some(mut step) = travel.next().expect("it is read") {
        teller.tell(&mut step, |line| lines.push(line));
    }
    let all = lines.join("\n");
    for line in [
        "the dispatcher started for the first time",
        "rule hello",
        "rule by-day",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    assert_eq!(past.troubles(), []);
}

#[test]
fn a_house_that_began_is_the_same_after_a_restart() {
    let mut home = Home::beginning(&files(&[]));
    // It compares what was with what comes of the journal.
    home.restart(Duration::from_secs(60));
    home.snapshot();
    home.restart(Duration::from_secs(60));
}

#[test]
fn a_mapping_is_tried_on_the_beginning_of_the_house_too() {
    let mut home = Home::beginning(&files(&[]));
    let nothing = Vec::<String>::new();
    let same = tried(&mut home, &files(&[]));
    assert_eq!(same, (nothing.clone(), 3));
    // Another mapping that does the same, and one that does something else.
    let renamed = files(&[("rule.hello", "rule.welcome")]);
    assert_eq!(tried(&mut home, &renamed), (nothing, 3));
    let other = files(&[("do   = \"hall.fan.on\"", "do   = \"hall.fan.off\"")]);
    let (lines, same) = tried(&mut home, &other);
    assert_eq!(
        (&*lines.join(", "), same),
        ("- hall.fan on=true, + hall.fan on=false", 2)
    );
}

#[test]
fn a_test_is_recorded_from_the_beginning_of_a_house_on() {
    let files = files(&[]);
    let mut home = Home::beginning(&files);
    home.says("hall", "key/event", r#"{"event":"press"}"#);
    home.pass(5);
    let wanted = Wanted {
        name: "recorded".to_owned(),
        since: UnixTime(0),
        until: Until::End,
        only: Vec::new(),
    };
    let recording = record(&home.history(), &wanted).unwrap_or_else(|error| panic!("{error}"));
    passes(&files, &recording);
}
