//! Devices without hardware: rules report for them, and what they are told is what they do.

use std::sync::Arc;

use dispatcher::{Block, Blocklist, Config, Dispatcher, Effects, Input, Note, Sides, Subject};
use engine::Disposition;

use crate::house::{Rig, program, sent, start};

#[test]
fn a_house_that_begins_tells_what_comes_of_its_virtual_devices() {
    let text = r#"
        format = 1
        [device.mode]
        virtual = true
        io.evening = { kind = "button" }
        [rule.hello]
        when = "mode.online"
        do   = { notify = "all", text = "the house is there" }
    "#;
    let (config, blocks) = (Config::default(), Blocklist::default());
    let mut house = Dispatcher::unbegun(program(text), config, blocks, start());
    assert!(!house.has_begun());
    let mut effects = Effects::default();
    house.apply(start(), Input::Began, &mut effects);
    assert!(house.has_begun());
    let told: Vec<&str> = effects
        .notifications
        .iter()
        .map(|told| &*told.text)
        .collect();
    assert_eq!(told, ["the house is there"]);
}

#[test]
fn a_snapshot_tells_whether_the_house_began_also_where_it_has_no_virtual_devices() {
    let text = "format = 1\nallow = [\"device-unused\"]\n[device.desk]\nid = 1\nio.button = { kind = \"button\" }\n";
    let (config, blocks) = (Config::default(), Blocklist::default());
    let mut house = Dispatcher::unbegun(program(text), config.clone(), blocks, start());
    let again = |house: &Dispatcher| {
        let restored = Dispatcher::restore(program(text), config.clone(), &house.state(), start());
        restored.expect("a snapshot").0
    };
    assert!(!again(&house).has_begun());
    house.apply(start(), Input::Began, &mut Effects::default());
    assert!(again(&house).has_begun());
}

const HOUSE: &str = r#"
format = 1

[device.desk]
id = 1
io.button = { kind = "button" }
io.keys   = { kind = "keyboard" }

[device.mode]
virtual = true
io.evening  = { kind = "button" }
io.keys     = { kind = "keyboard" }
io.anna     = { kind = "presence" }
io.vacation = { kind = "switch" }

[rule.evening]
when = "desk.button.press"
do   = [{ emit = "mode.evening.press" }, { emit = "mode.anna.leave" }]

[rule.transposed]
when = "desk.keys.press"
do   = { emit = "mode.keys.press", key = "${event.key + 12}" }

[rule.everybody-left]
when = { holds = "state.mode.anna == 'away'" }
do   = { notify = "all", text = "nobody is there" }

[rule.on-vacation]
when = { holds = "state.mode.vacation" }
do   = { notify = "all", text = "have a nice time" }

[rule.again]
when = { holds = "target.mode.vacation" }
do   = { notify = "all", text = "vacation" }
"#;

fn rig(text: &str) -> Rig {
    let mut rig = Rig::of(program(text), Config::default());
    rig.connect("desk");
    rig
}

#[test]
fn an_emitted_event_stands_on_its_topic_with_the_state_that_it_carries() {
    let mut rig = rig(HOUSE);
    let effects = rig.says("desk", "iot/desk/button/event", "press");
    assert_eq!(
        sent(&effects),
        [
            r#"iot/mode/evening/event {"event":"press"}"#,
            r#"iot/mode/anna/event {"event":"leave"}"#,
            r#"iot/mode/anna/state {"presence":"away"}"#,
        ]
    );
    let retained: Vec<bool> = effects.sends.iter().map(|send| send.retain).collect();
    assert_eq!(retained, [false, false, true]);
    assert_eq!(effects.notifications[0].text, "nobody is there");
    let effects = rig.says(
        "desk",
        "iot/desk/keys/event",
        r#"{"event":"press","key":60}"#,
    );
    assert_eq!(
        sent(&effects),
        [r#"iot/mode/keys/event {"event":"press","key":72,"velocity":64}"#]
    );
}

#[test]
fn a_virtual_consumer_does_what_it_is_told() {
    let mut rig = rig(HOUSE);
    let effects = rig.asks("iot/mode/vacation/set", "on");
    assert_eq!(rig.reported("mode.vacation", "on"), Some(true.into()));
    let told: Vec<&str> = effects.notifications.iter().map(|n| &*n.text).collect();
    assert_eq!(told, ["vacation", "have a nice time"]);
    assert!(sent(&effects).contains(&r#"iot/mode/vacation/state {"on":true}"#.to_owned()));
}

#[test]
fn a_blocked_virtual_device_reports_nothing_whatever_rules_emit() {
    let mut rig = rig(HOUSE);
    let subject = Subject::Name("mode".to_owned());
    let sides = Sides::PRODUCER;
    let block = Input::Block(Block { subject, sides });
    rig.take(block, &mut Effects::default());
    let effects = rig.says("desk", "iot/desk/button/event", "press");
    assert!(effects.sends.is_empty() && effects.notifications.is_empty());
    let dispositions = effects.engine.decisions[0]
        .sent
        .iter()
        .map(|s| s.disposition);
    assert_eq!(
        dispositions.collect::<Vec<_>>(),
        [Disposition::Blocked, Disposition::Blocked]
    );
    let mut effects = Effects::default();
    rig.dispatcher
        .replace(rig.now, Arc::clone(&rig.program), &mut effects);
    let effects = rig.says("desk", "iot/desk/button/event", "press");
    assert!(effects.notifications.is_empty(), "nor after a reload");
}

#[test]
fn people_hear_of_rules_that_set_each_other_off_but_not_all_the_time() {
    let text = format!(
        r#"{HOUSE}
[rule.up]
when  = {{ holds = "target.mode.vacation && !target.desk.lamp" }}
do    = "mode.vacation.off"
allow = ["cycle"]
[rule.down]
when  = {{ holds = "!target.mode.vacation" }}
do    = "mode.vacation.on"
"#
    )
    .replace(
        "io.keys   = {",
        "io.lamp = { kind = \"switch\" }\nio.keys   = {",
    );
    let mut rig = rig(&text);
    rig.asks("iot/desk/lamp/set", "off");
    let effects = rig.asks("iot/mode/vacation/set", "on");
    let told = |effects: &Effects| {
        let told = effects.notifications.iter();
        told.filter(|n| n.text.contains("was cut")).count()
    };
    assert_eq!(told(&effects), 1, "{:?}", effects.notifications);
    assert!(
        effects
            .notes
            .iter()
            .any(|note| matches!(note, Note::RuleCut(_)))
    );
    let effects = rig.asks("iot/mode/vacation/set", "off");
    let again = told(&effects);
    rig.pass(std::time::Duration::from_secs(601));
    let later = told(&rig.asks("iot/mode/vacation/set", "toggle"));
    assert_eq!((again, later), (0, 1));
}

#[test]
fn an_edit_brings_no_virtual_device_that_went_with_its_program() {
    let text = |more: &str| {
        format!(
            r#"
format = 1
[device.people]
virtual = true
io.anna = {{ kind = "presence" }}
[rule.watched]
when = "people.online"
do   = {{ notify = "all", text = "somebody looks who is there" }}
{more}"#
        )
    };
    let mut rig = Rig::of(program(&text("")), Config::default());
    let replace = |rig: &mut Rig, text: &str| {
        rig.program = program(text);
        let mut effects = Effects::default();
        let new = Arc::clone(&rig.program);
        rig.dispatcher.replace(rig.now, new, &mut effects);
        let told = effects.notifications.iter();
        told.map(|told| told.text.to_string()).collect::<Vec<_>>()
    };
    rig.connect("people");
    assert!(replace(&mut rig, &text("# it runs")).is_empty());
    assert!(rig.dispatcher.online(rig.device("people")));
    rig.disconnect("people");
    assert!(!rig.dispatcher.online(rig.device("people")));
    let guests = r#"
[device.guests]
virtual = true
io.bert = { kind = "presence" }
[rule.guests]
when = "guests.online"
do   = { notify = "all", text = "guests may come" }
"#;
    assert_eq!(replace(&mut rig, &text(guests)), ["guests may come"]);
    assert!(!rig.dispatcher.online(rig.device("people")));
    assert!(rig.dispatcher.online(rig.device("guests")));
    rig.connect("people");
    assert!(rig.dispatcher.online(rig.device("people")));
}
