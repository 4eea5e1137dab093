//! What is on for a time: the bound travels with the target, and both ends know when it is over.

use std::time::Duration;

use dispatcher::{
    Config, Dispatcher, Effects, Input, Note,
    explain::{self, Detail, Explainer},
};
use engine::Who;

use crate::house::{Rig, program, sent};

const HOUSE: &str = r#"
format = 1

[device.desk]
id = 1
io.button = { kind = "button" }

[device.garden]
id = 2
io.pump   = { kind = "switch" }
io.valve  = { kind = "switch", enforce = true }
io.light  = { kind = "dimmer" }
io.blind  = { kind = "cover" }

[device.old]
id = 3
mqtt = { state = "old/state", target = "old/set" }
io.fan = { kind = "switch", on = "ON", off = "OFF" }

[rule.water]
when  = "desk.button.press"
do    = [
  { on = "garden.pump", for = "10m" },
  { on = "garden.valve", for = "10m" },
  { on = "old.fan", for = "10m" },
  { set = "garden.light", brightness = 40, fade = "2s", for = "500ms" },
]
allow = ["bound-not-carried"]
"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A rig whose modules report what they are told, and the effects of the press.
fn watered() -> (Rig, Effects) {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    for device in ["desk", "garden", "old"] {
        rig.connect(device);
    }
    rig.pass(seconds(10));
    let effects = rig.says("desk", "iot/desk/button/event", "press");
    for channel in ["pump", "valve"] {
        rig.says("garden", &format!("iot/garden/{channel}/state"), "true");
    }
    (rig, effects)
}

#[test]
fn the_bound_travels_with_the_target_to_modules_of_ours() {
    let (_, effects) = watered();
    assert_eq!(
        sent(&effects),
        [
            r#"iot/garden/pump/target {"on":true,"for_ms":600000}"#,
            r#"iot/garden/valve/target {"on":true,"for_ms":600000}"#,
            "old/set ON",
            r#"iot/garden/light/target {"on":true,"brightness":40,"fade_ms":2000,"for_ms":500}"#,
        ]
    );
}

#[test]
fn when_it_is_over_the_target_says_off() {
    let (mut rig, _) = watered();
    let effects = rig.pass(seconds(1));
    assert!(
        sent(&effects)
            .contains(&r#"iot/garden/light/target {"on":false,"brightness":40}"#.to_owned())
    );
    rig.pass(seconds(598));
    let effects = rig.pass(seconds(1));
    assert_eq!(
        sent(&effects),
        [
            r#"iot/garden/pump/target {"on":false}"#,
            r#"iot/garden/valve/target {"on":false}"#,
            "old/set OFF",
        ]
    );
}

#[test]
fn the_switch_off_stands_in_the_stream_with_the_rule_that_asked_for_it() {
    // Neither the foreign fan nor the light ever reports anything.
    let (mut rig, _) = watered();
    let mut effects = rig.pass(seconds(600));
    explain::fill_texts(&rig.program, &mut effects);
    let explainer = Explainer::new(&rig.program);
    let decisions = effects.engine.decisions.iter();
    let lines: Vec<String> = decisions
        .flat_map(|decision| explainer.lines(decision, Detail::Fired))
        .collect();
    let over = lines
        .iter()
        .position(|line| line.ends_with("the time of old.fan is over"));
    let over = over.unwrap_or_else(|| panic!("{lines:#?}"));
    let place = explainer.rule_place(rig.program.names.rules["water"]);
    assert_eq!(
        lines.get(over + 1),
        Some(&format!("  rule {place} -> old.fan on=false (sent)")),
        "{lines:#?}"
    );
}

#[test]
fn a_module_that_comes_back_hears_what_is_left() {
    let (mut rig, _) = watered();
    rig.disconnect("garden");
    rig.pass(seconds(400));
    let effects = rig.connect("garden");
    let retained: Vec<String> = sent(&effects);
    assert!(
        retained.contains(&r#"iot/garden/pump/target {"on":true,"for_ms":200000}"#.to_owned()),
        "{retained:#?}"
    );
    assert!(
        effects
            .sends
            .iter()
            .filter(|send| send.topic.ends_with("target"))
            .all(|send| send.retain)
    );
}

#[test]
fn a_target_that_is_sent_again_says_what_is_left() {
    let (mut rig, _) = watered();
    rig.says("garden", "iot/garden/pump/state", "false");
    let effects = rig.pass(seconds(2));
    let again = r#"iot/garden/pump/target {"on":true,"for_ms":599000}"#.to_owned();
    assert!(sent(&effects).contains(&again), "{:#?}", sent(&effects));
}

#[test]
fn a_module_whose_clock_is_faster_ends_it_and_is_neither_a_hand_nor_wrong() {
    let (mut rig, _) = watered();
    rig.pass(seconds(598));
    for channel in ["pump", "valve"] {
        let topic = format!("iot/garden/{channel}/state");
        let effects = rig.says("garden", &topic, "false");
        assert!(effects.sends.is_empty(), "{:?}", sent(&effects));
        assert!(
            !effects
                .notes
                .iter()
                .any(|note| matches!(note, Note::Adopted(_)))
        );
    }
    let effects = rig.pass(seconds(2));
    assert_eq!(rig.target("garden.pump", "on"), Some(false.into()));
    let slot = rig.slot("garden.pump", "on");
    let origin = rig.dispatcher.engine().desired_origin(slot);
    assert_eq!(origin, Some(Who::Rule("water".into())));
    assert!(effects.notifications.is_empty());
    assert!(
        rig.pass(seconds(60)).sends.is_empty(),
        "it is off, as it should be"
    );
}

#[test]
fn a_hand_that_switches_off_in_the_middle_ends_it() {
    let (mut rig, _) = watered();
    rig.pass(seconds(300));
    rig.says("garden", "iot/garden/pump/state", "false");
    assert_eq!(rig.target("garden.pump", "on"), Some(false.into()));
    let channel = rig.channel("garden.pump");
    assert_eq!(rig.dispatcher.engine().bounded_until(channel), None);
}

#[test]
fn it_survives_a_restart_and_ends_on_time() {
    let (mut rig, _) = watered();
    let bytes = rig.dispatcher.state();
    let (dispatcher, notes) =
        Dispatcher::restore(program(HOUSE), Config::default(), &bytes, rig.now).unwrap();
    assert!(notes.is_empty());
    rig.dispatcher = dispatcher;
    rig.now = rig.now.after(seconds(200));
    rig.take(Input::Resumed, &mut Effects::default());
    let mut effects = Effects::default();
    rig.dispatcher.announce(rig.now, &mut effects);
    assert!(
        sent(&effects)
            .contains(&r#"iot/garden/pump/target {"on":true,"for_ms":400000}"#.to_owned())
    );
    rig.connect("garden");
    rig.pass(seconds(399));
    assert_eq!(rig.target("garden.pump", "on"), Some(true.into()));
    rig.pass(seconds(1));
    assert_eq!(rig.target("garden.pump", "on"), Some(false.into()));
}

#[test]
fn people_can_ask_for_it_too() {
    let (mut rig, _) = watered();
    let effects = rig.asks("iot/garden/pump/set", r#"{"on":true,"for":"1h30m"}"#);
    assert_eq!(
        sent(&effects),
        [r#"iot/garden/pump/target {"on":true,"for_ms":5400000}"#]
    );
    let effects = rig.asks("iot/garden/pump/set", r#"{"on":true,"for":30}"#);
    assert_eq!(
        sent(&effects),
        [r#"iot/garden/pump/target {"on":true,"for_ms":30000}"#]
    );
    let from = dispatcher::Publisher::Person("anna".into());
    let refused = rig.admit(
        &from,
        "iot/garden/blind/set",
        r#"{"position":3,"for":"1m"}"#,
    );
    assert!(refused.unwrap_err().to_string().contains("for"));
}

#[test]
fn a_module_may_report_just_what_it_was_told() {
    let (mut rig, _) = watered();
    let told = r#"{"on":true,"brightness":40,"fade_ms":2000,"for_ms":500}"#;
    rig.says("garden", "iot/garden/light/state", told);
    assert_eq!(
        rig.reported("garden.light", "brightness"),
        Some(40.0.into())
    );
}
