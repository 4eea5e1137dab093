//! Devices that keep their own topics and words take part in rules like our own.

use crate::harness::{Client, House, Kind};

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

const BRIDGED: &str = r#"
[device.tree]
id = 40
mqtt = { preset = "zigbee2mqtt", name = "tree lamp" }
io.lamp = { kind = "dimmer" }

[device.door]
id = 41
mqtt = { preset = "zigbee2mqtt" }
io.door = { kind = "contact" }

[rule.door]
when = "door.door.open"
do = { set = "tree.lamp", brightness = 50 }
"#;

#[test]
fn one_login_carries_all_devices_of_a_bridge_and_nothing_of_the_house() {
    for kind in Kind::installed() {
        let house = House::with_rules(BRIDGED);
        let dispatcher = house.start();
        let login = house.bridge_login("z2m", "zigbee2mqtt/#");
        let filters = ["zigbee2mqtt/+/set", "iot/#", "#"];
        let connect = dispatcher.connect(Some(login), &filters);
        let mut bridge = Client::connect(kind, &connect).expect("it is let in");
        let mark = bridge.mark();
        bridge.publish("zigbee2mqtt/door", r#"{"contact":true}"#);
        bridge.publish("zigbee2mqtt/door", r#"{"contact":false,"battery":80}"#);
        bridge.text(
            mark,
            "zigbee2mqtt/tree lamp/set",
            r#"{"brightness":127,"state":"ON"}"#,
        );
        bridge.publish_retained(
            "zigbee2mqtt/tree lamp/availability",
            r#"{"state":"online"}"#,
        );
        bridge.publish(
            "zigbee2mqtt/tree lamp",
            r#"{"state":"ON","brightness":127}"#,
        );
        let shown = dispatcher.device_is("tree", "reports what it was told", |tree| {
            tree["channels"]["lamp"]["reported"]["brightness"] == 50
        });
        assert_eq!(shown["online"], true, "{kind:?}: {shown:#}");
        // What it may not say changes nothing, and it hears nothing else.
        bridge.publish("iot/desk/lamp/set", "on");
        bridge.publish("zigbee2mqtt/door", r#"{"contact":"ajar"}"#);
        let shown = dispatcher.device_is("door", "shows why", |door| {
            door["last_refusal"]
                .as_str()
                .is_some_and(|text| text.contains("zigbee2mqtt/door from z2m"))
        });
        assert_eq!(shown["counters"]["value"], 1, "{kind:?}: {shown:#}");
        let desk = dispatcher.device("desk");
        assert!(
            desk["channels"]["lamp"]["target"]
                .as_object()
                .unwrap()
                .is_empty()
        );
        let heard = bridge.messages(0).into_iter();
        let heard: Vec<String> = heard.map(|message| message.topic).collect();
        assert!(
            heard.iter().all(|topic| topic.starts_with("zigbee2mqtt/")),
            "{kind:?}: {heard:?}"
        );
    }
}

#[test]
fn a_bridge_is_listed_with_its_filters_and_gets_none_of_the_houses_topics() {
    let house = House::with_rules(BRIDGED);
    let dispatcher = house.start();
    house.bridge_login("z2m", "zigbee2mqtt/#");
    let list = dispatcher.ask(&["user", "list"]).ok().stdout;
    let row = list.lines().find(|row| row.contains("z2m"));
    assert!(
        row.is_some_and(|row| row.starts_with("bridge") && row.ends_with("zigbee2mqtt/#")),
        "{list}"
    );
    for filter in ["iot/#", "#", "+/desk"] {
        let refused = dispatcher.ask(&["user", "add", "x", "--bridge", filter]);
        assert_eq!(refused.code, Some(1), "{filter}: {refused:?}");
    }
    let again = dispatcher.ask(&["user", "add", "z2m", "--bridge", "zigbee2mqtt/#"]);
    assert!(
        again.stderr.contains("the old one no longer works"),
        "{again:?}"
    );
}

const MAKES: &str = r#"
[device.ceiling]
id = 50
mqtt = { preset = "homie" }
io.lamp = { kind = "dimmer" }

[device.kitchen]
id = 51
mqtt = { preset = "esphome", name = "home/kitchen" }
io.lamp   = { kind = "dimmer" }
io.button = { kind = "button" }

[device.plug]
id = 52
mqtt = { preset = "shelly", name = "shellyplus1pm-4417939341dc" }
io.plug = { kind = "switch" }
io.key  = { kind = "button" }

[rule.kitchen]
when = "kitchen.button.press"
do = [{ set = "ceiling.lamp", brightness = 40 }, { set = "kitchen.lamp", brightness = 100 }]

[rule.key]
when = "plug.key.click"
do = "plug.plug.on"
"#;

#[test]
fn devices_of_each_make_are_told_and_report_in_their_own_words() {
    for kind in Kind::installed() {
        let house = House::with_rules(MAKES);
        let dispatcher = house.start();
        let mut ceiling = dispatcher.device_client(kind, "ceiling", &["homie/5/ceiling/+/+/set"]);
        let mut kitchen = dispatcher.device_client(kind, "kitchen", &["home/kitchen/+/+/command"]);
        let shelly = "shellyplus1pm-4417939341dc";
        let mut plug = dispatcher.device_client(kind, "plug", &[&format!("{shelly}/command/#")]);
        ceiling.publish_retained("homie/5/ceiling/$state", "ready");
        kitchen.publish_retained("home/kitchen/status", "online");
        plug.publish_retained(&format!("{shelly}/online"), "true");

        kitchen.publish("home/kitchen/binary_sensor/button/state", "ON");
        ceiling.text(0, "homie/5/ceiling/switch/state/set", "true");
        ceiling.text(0, "homie/5/ceiling/dimmer/brightness/set", "40");
        kitchen.text(
            0,
            "home/kitchen/light/lamp/command",
            r#"{"state":"ON","brightness":255}"#,
        );
        ceiling.publish_retained("homie/5/ceiling/switch/state", "true");
        ceiling.publish_retained("homie/5/ceiling/dimmer/brightness", "40");
        kitchen.publish_retained(
            "home/kitchen/light/lamp/state",
            r#"{"state":"ON","brightness":255}"#,
        );
        for (device, brightness) in [("ceiling", 40), ("kitchen", 100)] {
            dispatcher.device_is(device, "reports what it was told", |device| {
                device["channels"]["lamp"]["reported"]["brightness"] == brightness
                    && device["online"] == true
            });
        }

        let pressed = r#"{"src":"x","dst":"y","method":"NotifyEvent","params":{"ts":1.5,"events":[{"component":"input:0","id":0,"event":"single_push","ts":1.5}]}}"#;
        plug.publish(&format!("{shelly}/events/rpc"), pressed);
        plug.text(0, &format!("{shelly}/command/switch:0"), "on");
        plug.publish(
            &format!("{shelly}/status/switch:0"),
            r#"{"id":0,"source":"MQTT","output":true,"apower":0.0}"#,
        );
        dispatcher.device_is("plug", "is on", |plug| {
            plug["channels"]["plug"]["reported"]["on"] == true
        });

        // Each is kept to what is its own.
        let watcher = dispatcher.watcher();
        for (client, foreign) in [
            (&mut ceiling, "homie/5/other/switch/state"),
            (&mut kitchen, "home/bath/light/lamp/state"),
            (&mut plug, "shellyplus1pm-000000000000/online"),
        ] {
            client.publish(foreign, "true");
            client.publish("iot/desk/lamp/set", "on");
        }
        let desk = dispatcher.device("desk");
        assert!(
            desk["channels"]["lamp"]["target"]
                .as_object()
                .unwrap()
                .is_empty(),
            "{kind:?}"
        );
        assert!(
            watcher
                .messages(0)
                .iter()
                .all(|message| message.topic.starts_with("iot/"))
        );
    }
}
