//! What a consumer should be: kept for it, sent again where it reports something else, asked for by
//! people.

use serde_json::json;

use crate::harness::{House, Kind};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";
const STATE: &str = "iot/hall/lamp/state";

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

#[test]
fn a_target_is_there_after_the_lamp_reboots() {
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let dispatcher = house.start();
        let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
        let lamp = dispatcher.device_client(kind, "hall", &[TARGET]);
        piano.publish(KEYS, &press(60));
        let live = lamp.field(0, TARGET, "on", true);
        assert!(!live.retain, "{kind:?}: it is no old message for it");
        assert_eq!(live.qos, 1, "{kind:?}");
        lamp.vanish();

        let lamp = dispatcher.device_client(kind, "hall", &[TARGET]);
        let kept = lamp.field(0, TARGET, "on", true);
        assert!(kept.retain, "{kind:?}: it was kept");
    }
}

#[test]
fn what_happened_while_a_lamp_was_away_is_its_target_when_it_is_back() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    piano.publish(KEYS, &press(60));
    lamp.field(0, TARGET, "on", true);
    lamp.vanish();
    dispatcher.device_is("hall", "is offline", |hall| hall["online"] == false);
    piano.publish(KEYS, &press(61));

    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    lamp.field(0, TARGET, "on", false);
    let on = |on: bool| move |of: &crate::harness::Message| of.json()["on"] == on;
    assert!(
        !lamp.messages(0).iter().any(on(true)),
        "only the newest target waits"
    );
}

#[test]
fn a_lamp_that_reports_something_else_after_its_reboot_gets_its_target_again() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    piano.publish(KEYS, &press(60));

    let mut lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    lamp.field(0, TARGET, "on", true);
    let mark = lamp.mark();
    lamp.publish_retained(STATE, r#"{"on":false,"brightness":100}"#);
    let again = lamp.field(mark, TARGET, "on", true);
    assert!(!again.retain);
    let hall = dispatcher.device("hall");
    assert_eq!(hall["counters"]["resent"], 1, "{hall:#}");
    assert_eq!(hall["channels"]["lamp"]["reported"]["on"], false);
    assert_eq!(hall["channels"]["lamp"]["target"]["on"], true);
}

#[test]
fn the_role_of_a_module_is_served_at_its_start() {
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let dispatcher = house.start();
        let hall = dispatcher.device_client(kind, "hall", &["iot/hall/role"]);
        let role = hall.find(0, "the role", |message| message.topic == "iot/hall/role");
        assert!(role.retain, "{kind:?}");
        let role = role.json();
        assert!(role["rev"].is_u64(), "{role}");
        assert_eq!(role["io"]["lamp"]["kind"], "dimmer", "{role}");
        assert_eq!(role["io"]["lamp"]["pin"], 4, "{role}");
        assert!(role["io"].get("keys").is_none(), "only its own: {role}");
        assert!(!role.to_string().contains("press"), "no rules: {role}");
    }
}

#[test]
fn a_program_asks_for_a_target_and_everybody_sees_it() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut program = dispatcher.watcher();
    let mut lamp = dispatcher.device_client(Kind::RumqttcV4, "hall", &[TARGET]);
    for (asked, field, value) in [
        (r#"{"brightness":40}"#, "brightness", json!(40)),
        ("OFF", "on", json!(false)),
        (r#"{"command":"toggle"}"#, "on", json!(true)),
    ] {
        let marks = (lamp.mark(), program.mark());
        assert_eq!(program.publish("iot/hall/lamp/set", asked), 0, "{asked}");
        lamp.field(marks.0, TARGET, field, value.clone());
        program.field(marks.1, TARGET, field, value);
    }
    let mark = program.mark();
    lamp.publish_retained(STATE, r#"{"on":true,"brightness":40}"#);
    program.field(mark, STATE, "brightness", 40);
}

#[test]
fn wishes_and_events_are_never_kept() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut program = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    program.publish_retained("iot/hall/lamp/set", "ON");
    piano.publish_retained(KEYS, &press(60));
    // What a newcomer gets first is what was kept; the target is the last of it here.
    let newcomer = dispatcher.watcher();
    newcomer.field(0, TARGET, "on", true);
    let mark = newcomer.mark();
    piano.publish(KEYS, &press(61));
    newcomer.field(mark, TARGET, "on", false);
    let kept: Vec<_> = newcomer
        .messages(0)
        .into_iter()
        .filter(|of| of.retain)
        .collect();
    assert!(!kept.is_empty());
    for message in kept {
        let last = message.topic.rsplit('/').next().unwrap();
        assert!(last != "set" && last != "event", "{message:?}");
    }
}
