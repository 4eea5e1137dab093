//! An event of one client switches a lamp that another client plays, whatever makes they are.

use serde_json::json;

use crate::harness::{Client, Dispatcher, House, Kind};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

/// One make plays the piano, every make in turn plays the lamp.
fn switches_the_lamps_of_every_make(kind: Kind) {
    if !kind.is_installed() {
        return;
    }
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(kind, "piano", &[]);
    for other in Kind::installed() {
        let lamp = dispatcher.device_client(other, "hall", &[TARGET]);
        assert_eq!(lamp.grants(), [1], "{other:?}");
        plays(&dispatcher, &mut piano, lamp);
    }
    piano.leave();
}

fn plays(dispatcher: &Dispatcher<'_>, piano: &mut Client, mut lamp: Client) {
    for (key, on) in [(60, true), (61, false)] {
        let mark = lamp.mark();
        let press = json!({ "event": "press", "key": key, "velocity": 80 });
        assert_eq!(piano.publish(KEYS, &press.to_string()), 0);
        lamp.field(mark, TARGET, "on", on);
        let state = json!({ "on": on, "brightness": 100 }).to_string();
        assert_eq!(lamp.publish_retained("iot/hall/lamp/state", &state), 0);
        dispatcher.device_is("hall", "reports what it was told", |hall| {
            hall["channels"]["lamp"]["reported"]["on"] == on
        });
    }
    let mark = lamp.mark();
    piano.send(KEYS, br#"{"event":"press","key":72,"velocity":64}"#, 0);
    lamp.field(mark, TARGET, "brightness", 50);
    lamp.leave();
}

#[test]
fn an_event_of_mosquitto_switches_the_lamps_of_every_make() {
    switches_the_lamps_of_every_make(Kind::Mosquitto);
}

#[test]
fn an_event_of_paho_switches_the_lamps_of_every_make() {
    switches_the_lamps_of_every_make(Kind::Paho);
}

#[test]
fn an_event_of_mqtt_js_switches_the_lamps_of_every_make() {
    switches_the_lamps_of_every_make(Kind::MqttJs);
}

#[test]
fn an_event_of_rumqttc_at_mqtt_3_switches_the_lamps_of_every_make() {
    switches_the_lamps_of_every_make(Kind::RumqttcV4);
}

#[test]
fn an_event_of_rumqttc_at_mqtt_5_switches_the_lamps_of_every_make() {
    switches_the_lamps_of_every_make(Kind::RumqttcV5);
}
