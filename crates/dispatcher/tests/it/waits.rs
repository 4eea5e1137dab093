//! Rules that wait, seen from outside: what leaves later, what the stream says.

use std::time::Duration;

use dispatcher::{
    Block, Config, Effects, Input, Sides, Subject,
    explain::{self, Detail, Explainer},
};
use engine::Disposition;

use crate::house::{Rig, program, sent};

const HOUSE: &str = r#"
format = 1

[home]
timezone = "Europe/Berlin"

[device.desk]
id = 1
io.button = { kind = "button" }
io.keys   = { kind = "keyboard" }

[device.hall]
id = 2
io.lamp  = { kind = "dimmer" }
io.bell  = { kind = "buzzer" }

[rule.stairs]
when = "desk.button.press"
do   = ["hall.lamp.on", { wait = "2m" }, { set = "hall.lamp", brightness = 30 }, { wait = "30s" }, "hall.lamp.off"]

[rule.ring]
when = "desk.keys.press"
do   = ["hall.bell.beep", { wait = "1s" }, "hall.bell.beep"]
mode = "single"
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    rig.connect("desk");
    rig.connect("hall");
    rig.pass(Duration::from_secs(10));
    rig
}

fn stream(rig: &Rig, effects: &Effects) -> Vec<String> {
    let mut effects = effects.clone();
    explain::fill_texts(&rig.program, &mut effects);
    let explainer = Explainer::new(&rig.program);
    let decisions = effects.engine.decisions.iter();
    let lines = decisions.flat_map(|decision| explainer.lines(decision, Detail::Fired));
    lines.map(|line| line.trim_start().to_owned()).collect()
}

#[test]
fn each_part_of_a_rule_leaves_in_its_time() {
    let mut rig = rig();
    let effects = rig.says("desk", "iot/desk/button/event", "press");
    assert_eq!(sent(&effects), [r#"iot/hall/lamp/target {"on":true}"#]);
    let effects = rig.pass(Duration::from_secs(120));
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":true,"brightness":30}"#]
    );
    let effects = rig.pass(Duration::from_secs(30));
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":false,"brightness":30}"#]
    );
}

#[test]
fn the_stream_tells_of_waits_of_what_goes_on_and_of_what_was_given_up() {
    let mut rig = rig();
    let first = rig.says("desk", "iot/desk/button/event", "press");
    assert_eq!(
        stream(&rig, &first)[1..],
        [
            "rule stairs mapping.toml:17 -> hall.lamp on=true (sent)",
            "rule stairs mapping.toml:17 waits 2m"
        ]
    );
    let again = rig.says("desk", "iot/desk/button/event", "press");
    let lines = stream(&rig, &again);
    let gave_up = "rule stairs mapping.toml:17 gave up a run that waited: it fired again";
    assert!(lines.iter().any(|line| line == gave_up), "{lines:#?}");
    let later = rig.pass(Duration::from_secs(120));
    let lines = stream(&rig, &later);
    assert!(
        lines[0].ends_with("the wait of stairs is over"),
        "{lines:#?}"
    );
    assert_eq!(lines[2], "rule stairs mapping.toml:17 waits 30s");
    rig.says(
        "desk",
        "iot/desk/keys/event",
        r#"{"event":"press","key":1}"#,
    );
    let busy = rig.says(
        "desk",
        "iot/desk/keys/event",
        r#"{"event":"press","key":2}"#,
    );
    let dropped = "rule ring mapping.toml:21: dropped: a run of it waits still";
    assert_eq!(stream(&rig, &busy)[1], dropped);
    let json = Explainer::new(&rig.program).json(&first.engine.decisions[0]);
    assert!(
        json.contains(r#""deeds":[{"rule":"stairs","step":0,"did":"waits 2m"}]"#),
        "{json}"
    );
}

#[test]
fn a_block_that_comes_while_a_rule_waits_holds() {
    let mut rig = rig();
    rig.says("desk", "iot/desk/button/event", "press");
    let subject = Subject::Name("hall".to_owned());
    let sides = Sides::CONSUMER;
    rig.take(
        Input::Block(Block { subject, sides }),
        &mut Effects::default(),
    );
    let effects = rig.pass(Duration::from_secs(120));
    assert!(effects.sends.is_empty());
    let line = effects
        .engine
        .decisions
        .iter()
        .flat_map(|d| &d.sent)
        .next()
        .unwrap();
    assert_eq!(line.disposition, Disposition::Blocked);
}

#[test]
fn a_momentary_command_behind_a_wait_is_not_made_up_for() {
    let mut rig = rig();
    rig.says(
        "desk",
        "iot/desk/keys/event",
        r#"{"event":"press","key":1}"#,
    );
    rig.disconnect("hall");
    let effects = rig.pass(Duration::from_secs(1));
    assert!(sent(&effects).is_empty());
    rig.connect("hall");
    let effects = rig.pass(Duration::from_secs(60));
    assert!(sent(&effects).is_empty());
}

#[test]
fn a_time_that_the_clock_is_set_over_is_noted_with_its_rule() {
    let text =
        format!("{HOUSE}\n[rule.lunch]\nwhen = {{ at = \"13:00\" }}\ndo = \"hall.bell.beep\"\n");
    let mut rig = Rig::of(program(&text), Config::default());
    rig.pass(Duration::from_secs(10));
    // A day on: 13:00 is behind the house, wherever in the day it began.
    rig.now.wall.0 += 24 * 3_600 * 1_000_000;
    let mut effects = Effects::default();
    rig.take(dispatcher::Input::Tick, &mut effects);
    let notes = effects.notes.iter();
    let paths: Vec<_> = notes.filter_map(|note| note.path(&rig.program)).collect();
    assert_eq!(paths, ["rule.lunch"]);
}
