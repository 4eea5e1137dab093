//! Reported and desired: one desired value for each field, the last input wins, whoever wrote it, and its origin is known.

use dispatcher::Note;
use engine::{Disposition, Who};

use crate::house::{Rig, dispositions, orders, seconds, sent};

#[test]
fn the_first_report_of_a_consumer_is_nobodys_hand() {
    let mut rig = Rig::awake();
    let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    let lamp = rig.channel("hall.lamp");
    assert_eq!(effects.notes, [Note::FirstReport(lamp)]);
    assert_eq!(
        effects.notes[0].render(&rig.program),
        "hall.lamp: reports for the first time; nobody wished anything of it yet, so it stays as it is"
    );
    let again = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(again.notes, []);
}

#[test]
fn what_a_consumer_reports_before_anybody_wished_anything_is_where_toggles_start() {
    let mut rig = Rig::awake();
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":30}"#,
    );
    let effects = rig.asks("iot/hall/lamp/set", "toggle");
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":false,"brightness":30}"#]
    );
}

#[test]
fn the_state_of_a_consumer_that_never_reports_is_assumed() {
    let mut rig = Rig::awake();
    let effects = rig.asks("iot/deaf_lamp/lamp/set", "on");
    assert_eq!(orders(&effects), [r#"deaf/lamp/set {"power":"ON"}"#]);
    assert_eq!(rig.reported("deaf_lamp.lamp", "on"), Some(true.into()));
    assert_eq!(effects.notifications[0].text, "the deaf lamp is on");
}

#[test]
fn the_last_input_wins_whoever_it_is_and_is_remembered() {
    let mut rig = Rig::awake();
    let on = rig.slot("hall.lamp", "on");
    let origin = |rig: &Rig| rig.dispatcher.engine().desired_origin(on);
    rig.press(60);
    assert_eq!(origin(&rig), Some(Who::Rule("middle-c".into())));
    rig.asks("iot/hall/lamp/set", "off");
    assert_eq!(origin(&rig), Some(Who::Person("anna".into())));
    let program = dispatcher::Publisher::Tool("node-red".into());
    rig.publish(&program, "iot/hall/lamp/set", "on");
    assert_eq!(origin(&rig), Some(Who::Person("node-red".into())));
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
    rig.pass(seconds(60));
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(origin(&rig), Some(Who::Local));
    assert_eq!(rig.target("hall.lamp", "on"), Some(false.into()));
}

#[test]
fn what_is_desired_is_not_what_is_reported() {
    let mut rig = Rig::awake();
    rig.press(60);
    assert_eq!(rig.target("hall.lamp", "on"), Some(true.into()));
    assert_eq!(rig.reported("hall.lamp", "on"), None);
}

#[test]
fn a_person_keeps_rules_from_an_output_and_lets_them_again() {
    let mut rig = Rig::awake();
    rig.asks("iot/hall/lamp/set", r#"{"on":false,"hold":"1h30m"}"#);
    let held = rig.press(60);
    assert!(held.sends.is_empty());
    assert_eq!(dispositions(&held), [Disposition::Held]);
    let effects = rig.asks("iot/hall/lamp/set", "on");
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":true}"#],
        "people write all the time"
    );
    rig.pass(seconds(5_399));
    assert_eq!(dispositions(&rig.press(30)), [Disposition::Held]);
    rig.pass(seconds(1));
    assert_eq!(dispositions(&rig.press(30)), [Disposition::Sent]);
    rig.asks("iot/hall/lamp/set", r#"{"on":true,"hold":"1h"}"#);
    let effects = rig.asks("iot/hall/lamp/set", r#"{"hold":0}"#);
    assert!(effects.sends.is_empty(), "it asks for nothing else");
    assert_eq!(dispositions(&rig.press(30)), [Disposition::Sent]);
}
