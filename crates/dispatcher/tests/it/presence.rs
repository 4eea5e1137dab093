//! Who is there: sessions, wills, silence.

use std::{collections::BTreeMap, time::Duration};

use dispatcher::{Config, Input, Message, Publisher};

use crate::house::{Rig, sent, usual};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_session_makes_a_device_online_and_its_end_offline_and_the_topic_says_so() {
    let mut rig = Rig::new();
    let hall = rig.device("hall");
    assert_eq!(sent(&rig.connect("hall")), ["iot/hall/availability online"]);
    assert!(rig.dispatcher.online(hall));
    assert!(
        sent(&rig.connect("hall")).is_empty(),
        "a second session changes nothing"
    );
    assert!(sent(&rig.disconnect("hall")).is_empty(), "one lives on");
    let effects = rig.disconnect("hall");
    assert_eq!(sent(&effects), ["iot/hall/availability offline"]);
    assert!(effects.sends[0].retain);
    assert!(!rig.dispatcher.online(hall));
}

#[test]
fn a_will_is_a_reason_to_fall_back_and_counts_once() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    let will = Message {
        topic: "iot/living/availability",
        payload: b"offline",
        retain: true,
        will: true,
    };
    let from = Publisher::Device(living);
    let admitted = rig.dispatcher.admit(rig.now, &from, &will).unwrap();
    assert_eq!(admitted.input, Some(Input::Offline(living)));
    assert!(!admitted.route, "the dispatcher says it itself");
    let mut effects = dispatcher::Effects::default();
    rig.take(Input::Offline(living), &mut effects);
    assert_eq!(effects.notifications.len(), 1);
    assert_eq!(rig.dispatcher.disconnected(living, true), None);
}

#[test]
fn the_will_of_a_session_that_was_taken_over_says_nothing() {
    let mut rig = Rig::awake();
    rig.connect("living");
    let will = Message {
        topic: "iot/living/availability",
        payload: b"offline",
        retain: true,
        will: true,
    };
    let from = Publisher::Device(rig.device("living"));
    let admitted = rig.dispatcher.admit(rig.now, &from, &will).unwrap();
    assert_eq!(admitted.input, None);
}

#[test]
fn silence_takes_a_sleeping_device_away_and_a_word_brings_it_back() {
    let config = Config {
        silence: BTreeMap::from([("hall".into(), seconds(60))]),
        ..Config::default()
    };
    let mut rig = Rig::of(usual(), config);
    let hall = rig.device("hall");
    rig.connect("hall");
    rig.says("hall", "iot/hall/lux/state", "7");
    assert!(sent(&rig.disconnect("hall")).is_empty(), "it sleeps");
    rig.pass(seconds(59));
    assert!(rig.dispatcher.online(hall));
    let effects = rig.pass(seconds(2));
    assert_eq!(effects.notifications[0].text, "hall went offline.");
    assert!(!rig.dispatcher.online(hall));
    let effects = rig.says("hall", "iot/hall/lux/state", "8");
    assert_eq!(sent(&effects), ["iot/hall/availability online"]);
    assert!(rig.dispatcher.online(hall));
}

#[test]
fn a_producer_that_leaves_out_its_promised_reports_is_silent() {
    let config = Config {
        reports_missed_max: Some(3),
        ..Config::default()
    };
    let mut rig = Rig::of(usual(), config);
    rig.connect("hall");
    rig.connect("piano");
    rig.pass(seconds(29));
    assert!(rig.dispatcher.online(rig.device("hall")));
    rig.pass(seconds(2));
    assert!(
        !rig.dispatcher.online(rig.device("hall")),
        "three times 10 s"
    );
    assert!(
        rig.dispatcher.online(rig.device("piano")),
        "it promised nothing"
    );
}

#[test]
fn a_virtual_device_is_always_there() {
    let rig = Rig::new();
    assert!(rig.dispatcher.online(rig.device("phones")));
}

#[test]
fn a_foreign_device_behind_a_bridge_is_there_when_it_speaks() {
    let mut rig = Rig::new();
    let bridge = Publisher::Tool("bridge".into());
    rig.publish(&bridge, "z2m/sensor", r#"{"occupancy":false}"#);
    assert!(rig.dispatcher.online(rig.device("sensor")));
    rig.publish(&bridge, "z2m/sensor/availability", r#"{"state":"offline"}"#);
    assert!(!rig.dispatcher.online(rig.device("sensor")));
}
