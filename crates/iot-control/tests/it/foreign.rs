//! Devices that keep their own topics and words take part in rules like our own.

use crate::harness::{House, Kind};

const FOREIGN: &str = r#"
[device.old_lamp]
id = 32
mqtt = { state = "home/oldlamp/state", target = "home/oldlamp/set", availability = "home/oldlamp/lwt" }
io.lamp = { kind = "switch", on = "ON", off = "OFF" }

[device.old_piano]
id = 33
mqtt = { event = "piano/events" }
io.keys = { kind = "keyboard", event_from = "action", events = { pressed = "press", released = "release" } }

[rule.old-on]
when = "old_piano.keys.press"
if = "event.key == 60"
do = "old_lamp.lamp.on"

[rule.old-off]
when = "old_piano.keys.press"
if = "event.key == 61"
do = "old_lamp.lamp.off"

[rule.follow]
when = { holds = "state.old_lamp.lamp" }
do = "desk.lamp.on"

[rule.unfollow]
when = { holds = "!state.old_lamp.lamp" }
do = "desk.lamp.off"
"#;

const SET: &str = "home/oldlamp/set";
const STATE: &str = "home/oldlamp/state";
const EVENTS: &str = "piano/events";
const DESK: &str = "iot/desk/lamp/target";

#[test]
fn foreign_devices_speak_and_hear_their_own_words_whatever_make_they_are() {
    for kind in Kind::installed() {
        let house = House::with_rules(FOREIGN);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let mut lamp = dispatcher.device_client(kind, "old_lamp", &[SET]);
        let mut piano = dispatcher.device_client(kind, "old_piano", &[]);
        for (key, word, on) in [(60, "ON", true), (61, "OFF", false)] {
            let (mark, seen) = (lamp.mark(), watcher.mark());
            let press = format!(r#"{{"action":"pressed","key":{key},"velocity":3}}"#);
            assert_eq!(piano.publish(EVENTS, &press), 0, "{kind:?}");
            lamp.text(mark, SET, word);
            lamp.publish_retained(STATE, word);
            watcher.field(seen, DESK, "on", on);
            let shown = dispatcher.device("old_lamp");
            assert_eq!(shown["channels"]["lamp"]["reported"]["on"], on, "{shown:#}");
        }
    }
}

#[test]
fn a_foreign_lamp_that_comes_back_as_something_else_gets_its_target() {
    let house = House::with_rules(FOREIGN);
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "old_piano", &[]);
    piano.publish(EVENTS, r#"{"action":"pressed","key":60,"velocity":3}"#);
    for _ in 0..2 {
        let mut lamp = dispatcher.device_client(Kind::RumqttcV4, "old_lamp", &[SET]);
        lamp.publish_retained("home/oldlamp/lwt", "online");
        lamp.publish_retained(STATE, "OFF");
        lamp.text(0, SET, "ON");
        lamp.vanish();
        dispatcher.device_is("old_lamp", "is offline", |lamp| lamp["online"] == false);
    }
}

#[test]
fn foreign_devices_are_kept_to_their_own_topics() {
    let house = House::with_rules(FOREIGN);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let filters = [SET, STATE, "#", "home/#", DESK];
    let mut lamp = dispatcher.device_client(Kind::RumqttcV5, "old_lamp", &filters);
    assert_eq!(lamp.grants()[0], 1);
    assert_eq!(lamp.grants()[4], 0x87);
    for topic in [
        EVENTS,
        "iot/desk/lamp/state",
        "iot/old_lamp/lamp/state",
        SET,
    ] {
        assert_eq!(lamp.publish(topic, "ON"), 0x87, "{topic}");
    }
    lamp.publish(STATE, "ON");
    watcher.field(0, DESK, "on", true);
    let topics = lamp.messages(0).into_iter().map(|message| message.topic);
    assert!(topics.into_iter().all(|topic| topic == SET));
}

#[test]
fn rubbish_of_foreign_devices_is_counted_and_what_is_not_ours_is_left_alone() {
    let house = House::with_rules(FOREIGN);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "old_piano", &[]);
    let mut lamp = dispatcher.device_client(Kind::RumqttcV5, "old_lamp", &[SET]);
    assert_eq!(
        piano.publish(EVENTS, r#"{"action":"exploded","key":60}"#),
        0x99
    );
    assert_eq!(piano.publish(EVENTS, r#"{"action":"pressed","key":"#), 0x99);
    assert_eq!(lamp.publish(STATE, "MAYBE"), 0x99);
    assert_eq!(
        dispatcher.device("old_piano")["counters"]["unknown-event"],
        1
    );
    assert_eq!(dispatcher.device("old_piano")["counters"]["not-json"], 1);
    assert_eq!(dispatcher.device("old_lamp")["counters"]["value"], 1);
    // More than we know is no mistake of a device that is not ours.
    let press =
        r#"{"action":"pressed","key":60,"velocity":3,"battery":97,"linkquality":{"lqi":4}}"#;
    assert_eq!(piano.publish(EVENTS, press), 0);
    lamp.text(0, SET, "ON");
    lamp.publish(STATE, "ON");
    watcher.field(0, DESK, "on", true);
}
