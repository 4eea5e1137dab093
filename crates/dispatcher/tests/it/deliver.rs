//! `deliver`: the newest target waits for a consumer that is away (`latest`), or is dropped and recorded (`now`).

use std::time::Duration;

use dispatcher::{Config, Dispatcher, Effects, Input};
use engine::Disposition;

use crate::house::{HOUSE, RULES, Rig, dispositions, orders, program, sent};

const ON: &str = r#"iot/hall/lamp/target {"on":true}"#;

#[test]
fn an_absent_consumers_newest_target_waits_retained() {
    let mut rig = Rig::awake();
    rig.disconnect("hall");
    let effects = rig.press(60);
    assert_eq!(sent(&effects), [ON]);
    assert!(effects.sends[0].retain);
    assert_eq!(dispositions(&effects), [Disposition::Waiting]);
    assert!(rig.press(60).sends.is_empty(), "it lies there already");
}

#[test]
fn deliver_now_drops_what_an_absent_consumer_misses() {
    let mut rig = Rig::awake();
    let there = rig.press(62);
    assert_eq!(sent(&there), [r#"iot/living/radio/target {"on":true}"#]);
    assert!(!there.sends[0].retain);
    rig.asks("iot/living/radio/set", "off");
    rig.says("living", "iot/living/radio/state", "off");
    rig.disconnect("living");
    let away = rig.press(62);
    assert!(away.sends.is_empty());
    assert_eq!(dispositions(&away), [Disposition::Dropped]);
    rig.connect("living");
    let effects = rig.says("living", "iot/living/radio/state", "off");
    assert!(effects.sends.is_empty(), "nor is it made up for");
    assert_eq!(rig.target("living.radio", "on"), Some(false.into()));
}

#[test]
fn a_foreign_consumer_gets_its_target_again_when_it_comes() {
    let mut rig = Rig::awake();
    rig.asks("iot/old_lamp/lamp/set", "on");
    rig.says("old_lamp", "old/lamp/lwt", "Offline");
    let waiting = rig.asks("iot/old_lamp/lamp/set", "off");
    assert_eq!(dispositions(&waiting), [Disposition::Waiting]);
    let effects = rig.says("old_lamp", "old/lamp/lwt", "Online");
    assert_eq!(orders(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn notifications_leave_with_their_text() {
    let mut rig = Rig::awake();
    let effects = rig.disconnect("piano");
    assert_eq!(effects.notifications[0].text, "piano went offline.");
}

#[test]
fn only_the_newest_target_waits() {
    let mut rig = Rig::awake();
    rig.asks("iot/old_lamp/lamp/set", "on");
    rig.says("old_lamp", "old/lamp/lwt", "Offline");
    for wish in ["off", "on", "off"] {
        rig.asks("iot/old_lamp/lamp/set", wish);
    }
    let effects = rig.says("old_lamp", "old/lamp/lwt", "Online");
    assert_eq!(orders(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn what_was_dropped_is_not_made_up_for_and_counts_as_no_target() {
    let mut rig = Rig::awake();
    rig.disconnect("living");
    assert_eq!(dispositions(&rig.press(62)), [Disposition::Dropped]);
    let effects = rig.connect("living");
    let told = |line: &String| line.contains("radio/target");
    assert!(!sent(&effects).iter().any(told));
    let effects = rig.press(62);
    assert_eq!(sent(&effects), [r#"iot/living/radio/target {"on":true}"#]);
}

/// Gates that must not move hours later, of our own and of another make.
const GATES: &str = r#"
[device.drive]
id = 50
io.gate = { kind = "cover", deliver = "now" }

[device.yard]
id = 51
mqtt = { state = "yard/state", target = "yard/set", availability = "yard/lwt" }
io.gate = { kind = "switch", on = "ON", off = "OFF", deliver = "now" }
"#;

fn gates() -> Rig {
    let mut rig = Rig::of(
        program(&format!("{HOUSE}{RULES}{GATES}")),
        Config::default(),
    );
    rig.connect("drive");
    rig.says("yard", "yard/lwt", "Online");
    rig
}

#[test]
fn a_relay_that_comes_back_is_not_switched_by_a_target_that_is_told_now_or_never() {
    let mut rig = gates();
    let told = rig.asks("iot/yard/gate/set", "on");
    assert_eq!(orders(&told), ["yard/set ON"]);
    rig.says("yard", "yard/lwt", "Offline");
    rig.pass(Duration::from_secs(3_600));
    let back = rig.says("yard", "yard/lwt", "Online");
    assert_eq!(orders(&back), [""; 0]);
    let reported = rig.says("yard", "yard/state", "OFF");
    assert_eq!(orders(&reported), [""; 0], "somebody's hand");
    assert_eq!(rig.target("yard.gate", "on"), Some(false.into()));
}

#[test]
fn a_gate_closed_by_hand_while_its_module_was_off_stays_closed() {
    let mut rig = gates();
    rig.asks("iot/drive/gate/set", "open");
    rig.says("drive", "iot/drive/gate/state", r#"{"position":100}"#);
    rig.disconnect("drive");
    rig.pass(Duration::from_secs(3_600));
    rig.connect("drive");
    let reported = rig.says("drive", "iot/drive/gate/state", r#"{"position":0}"#);
    assert_eq!(orders(&reported), [""; 0]);
    assert_eq!(rig.target("drive.gate", "position"), Some(0.0.into()));
}

#[test]
fn what_was_dropped_stays_so_over_a_restart_and_under_a_new_name() {
    let mut rig = gates();
    rig.disconnect("drive");
    rig.says("yard", "yard/lwt", "Offline");
    for gate in ["iot/drive/gate/set", "iot/yard/gate/set"] {
        let away = rig.asks(gate, if gate.contains("yard") { "on" } else { "open" });
        assert_eq!(dispositions(&away), [Disposition::Dropped], "{gate}");
    }
    let bytes = rig.dispatcher.state();
    let (dispatcher, _) =
        Dispatcher::restore(rig.program.clone(), Config::default(), &bytes, rig.now)
            .expect("it was just written");
    rig.dispatcher = dispatcher;
    rig.take(Input::Resumed, &mut Effects::default());
    assert_eq!(rig.dispatcher.state(), bytes, "and over the next one");
    let renamed = format!("{HOUSE}{RULES}{GATES}").replace(".yard]", ".court]");
    rig.program = program(&renamed);
    let mut effects = Effects::default();
    rig.dispatcher
        .replace(rig.now, rig.program.clone(), &mut effects);
    rig.dispatcher.announce(rig.now, &mut effects);
    assert_eq!(orders(&effects), [""; 0], "an edit moves no gate");
    let again = rig.says("court", "yard/lwt", "Online");
    assert_eq!(orders(&again), [""; 0]);
    let wished = rig.asks("iot/court/gate/set", "on");
    assert_eq!(orders(&wished), ["yard/set ON"], "it was never told");
}

#[test]
fn a_wish_that_was_dropped_is_told_once_it_is_wished_again() {
    let mut rig = gates();
    let told = rig.asks("iot/yard/gate/set", "on");
    rig.acknowledge("yard", &told);
    rig.says("yard", "yard/lwt", "Offline");
    rig.asks("iot/yard/gate/set", "off");
    rig.says("yard", "yard/lwt", "Online");
    let wished = rig.asks("iot/yard/gate/set", "off");
    assert_eq!(orders(&wished), ["yard/set OFF"]);
}
