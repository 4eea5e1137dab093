//! Makes of devices whose topics and payloads are known.

mod esphome;
mod homie;
mod shelly;

use dispatcher::{Config, Effects, Publisher, access};
use types::Value;

use crate::house::{Rig, orders, program, seconds};

const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[device.ceiling]
id = 1
mqtt = { preset = "zigbee2mqtt", name = "living room/ceiling" }
io.lamp = { kind = "light" }

[device.desk]
id = 2
mqtt = { preset = "zigbee2mqtt" }
io.lamp = { kind = "dimmer" }

[device.plug]
id = 3
mqtt = { preset = "zigbee2mqtt" }
io.plug  = { kind = "switch" }
io.meter = { kind = "meter" }

[kind.meter]
state.power = { kind = "number", min = 0, max = 4000 }

[device.door]
id = 4
mqtt = { preset = "zigbee2mqtt" }
io.door   = { kind = "contact" }
io.motion = { kind = "motion" }
io.temp   = { kind = "temperature" }
io.damp   = { kind = "humidity" }
io.lux    = { kind = "lux" }

[device.remote]
id = 5
mqtt = { preset = "zigbee2mqtt" }
io.button = { kind = "button" }

[device.socket]
id = 6
mqtt = { preset = "tasmota", name = "tasmota_1A2B" }
io.plug   = { kind = "switch" }
io.second = { kind = "switch", from = "POWER2" }
io.temp   = { kind = "temperature" }
io.power  = { kind = "analog", from = "/ENERGY/Power", min = 0, max = 4000 }
io.button = { kind = "button" }

[device.strip]
id = 7
mqtt = { preset = "tasmota" }
io.lamp = { kind = "dimmer" }

[device.blind]
id = 8
mqtt = { preset = "zigbee2mqtt", name = "bath blind" }
io.blind = { kind = "cover" }

[rule.click]
when = "remote.button.click"
do   = { set = "desk.lamp", brightness = 50 }

[rule.hold]
when = "remote.button.long"
do   = "plug.plug.off"

[rule.single]
when = "socket.button.double"
do   = "socket.second.on"

[rule.door]
when = "door.door.open"
do   = "plug.plug.on"
"#;

fn rig() -> Rig {
    Rig::of(program(HOUSE), Config::default())
}

fn tool() -> Publisher {
    Publisher::Tool("z2m".into())
}

/// What a bridge publishes.
fn bridge(rig: &mut Rig, topic: &str, payload: &str) -> Effects {
    rig.publish(&tool(), topic, payload)
}

/// Somebody asks for something of a channel, and this is what the device is told.
fn check_told(rig: &mut Rig, cases: &[(&str, &str, &[&str])]) {
    for (channel, wish, expected) in cases {
        let told = orders_and_more(&rig.asks(&format!("iot/{channel}/set"), wish));
        assert_eq!(told, *expected, "{channel} {wish}");
    }
}

/// A device says something, and a field of a channel has this value then.
fn check_read(rig: &mut Rig, cases: &[(&str, &str, &str, &str, Value)]) {
    for (topic, payload, channel, field, expected) in cases {
        bridge(rig, topic, payload);
        let read = rig.reported(channel, field);
        assert_eq!(read.as_ref(), Some(expected), "{topic} {payload}");
    }
}

/// What devices were told: also what comes before the message whose acknowledgement counts.
fn orders_and_more(effects: &Effects) -> Vec<String> {
    let told = crate::house::sent(effects).into_iter();
    told.filter(|line| !line.starts_with("iot/")).collect()
}

fn number(value: f64) -> Option<Value> {
    Some(Value::Number(value))
}

#[test]
fn zigbee2mqtt_lamps_are_told_and_report_in_their_words_and_measures() {
    let mut rig = rig();
    bridge(
        &mut rig,
        "zigbee2mqtt/desk/availability",
        r#"{"state":"online"}"#,
    );
    let set = |rig: &mut Rig, wish: &str| orders(&rig.asks("iot/desk/lamp/set", wish));
    assert_eq!(
        set(&mut rig, r#"{"brightness":50}"#),
        [r#"zigbee2mqtt/desk/set {"brightness":127,"state":"ON"}"#]
    );
    let report = r#"{"state":"ON","brightness":127,"linkquality":90,"update":null}"#;
    let effects = bridge(&mut rig, "zigbee2mqtt/desk", report);
    assert_eq!(
        orders(&effects),
        Vec::<String>::new(),
        "it is as it should be"
    );
    assert_eq!(rig.reported("desk.lamp", "brightness"), number(50.0));
    // Off is off, whatever the brightness would be.
    assert_eq!(
        set(&mut rig, "off"),
        [r#"zigbee2mqtt/desk/set {"state":"OFF"}"#]
    );
    bridge(
        &mut rig,
        "zigbee2mqtt/desk",
        r#"{"state":"OFF","brightness":254}"#,
    );
    assert_eq!(rig.reported("desk.lamp", "on"), Some(false.into()));
    assert_eq!(rig.reported("desk.lamp", "brightness"), number(100.0));
}

#[test]
fn zigbee2mqtt_covers_go_to_a_position_open_close_and_stop() {
    let mut rig = rig();
    bridge(
        &mut rig,
        "zigbee2mqtt/bath blind/availability",
        r#"{"state":"online"}"#,
    );
    for (wish, sent) in [
        (r#"{"position":50}"#, r#"{"position":50}"#),
        (r#"{"command":"open"}"#, r#"{"state":"OPEN"}"#),
        (r#"{"command":"stop"}"#, r#"{"state":"STOP"}"#),
        (r#"{"position":0}"#, r#"{"state":"CLOSE"}"#),
    ] {
        let orders = orders(&rig.asks("iot/blind/blind/set", wish));
        assert_eq!(orders, [format!("zigbee2mqtt/bath blind/set {sent}")]);
    }
    for (report, position, moving) in [
        (
            r#"{"state":"OPEN","position":70,"moving":"DOWN","linkquality":90}"#,
            70.0,
            "closing",
        ),
        (
            r#"{"state":"CLOSE","position":0,"moving":"STOP"}"#,
            0.0,
            "stopped",
        ),
        // A cover that knows its ends only.
        (r#"{"state":"OPEN"}"#, 100.0, "stopped"),
        (r#"{"position":null,"state":"CLOSE"}"#, 0.0, "stopped"),
        (r#"{"state":"STOP","battery":80}"#, 0.0, "stopped"),
    ] {
        bridge(&mut rig, "zigbee2mqtt/bath blind", report);
        assert_eq!(
            rig.reported("blind.blind", "position"),
            number(position),
            "{report}"
        );
        let moves = rig.reported("blind.blind", "moving");
        assert_eq!(moves, Some(Value::Text(moving.into())), "{report}");
    }
}

#[test]
fn a_colour_temperature_that_comes_back_rounded_is_no_other_one() {
    let mut rig = rig();
    let there = "zigbee2mqtt/living room/ceiling/availability";
    bridge(&mut rig, there, r#"{"state":"online"}"#);
    let wish = r#"{"on":true,"brightness":100,"kelvin":2750}"#;
    let effects = rig.asks("iot/ceiling/lamp/set", wish);
    assert_eq!(
        orders(&effects),
        [r#"zigbee2mqtt/living room/ceiling/set {"brightness":254,"color_temp":364,"state":"ON"}"#]
    );
    let report =
        r#"{"state":"ON","brightness":254,"color_temp":364,"color":{"hue":30,"saturation":60}}"#;
    let effects = bridge(&mut rig, "zigbee2mqtt/living room/ceiling", report);
    assert_eq!(orders(&effects), Vec::<String>::new());
    assert_eq!(rig.target("ceiling.lamp", "kelvin"), number(2750.0));
    let effects = rig.asks("iot/ceiling/lamp/set", r#"{"hue":120,"saturation":80}"#);
    assert!(
        orders(&effects)[0].contains(r#""color":{"hue":120,"saturation":80}"#),
        "{:?}",
        orders(&effects)
    );
}

#[test]
fn zigbee2mqtt_sensors_and_buttons_read_without_a_word_in_the_mapping() {
    let mut rig = rig();
    let report = r#"{"contact":true,"occupancy":false,"temperature":21.5,"humidity":40,"illuminance":12,"battery":90}"#;
    bridge(&mut rig, "zigbee2mqtt/door", report);
    let open = |rig: &Rig| rig.reported("door.door", "contact");
    assert_eq!(open(&rig), Some(Value::Text("closed".into())));
    assert_eq!(rig.reported("door.motion", "active"), Some(false.into()));
    assert_eq!(rig.reported("door.temp", "temperature"), number(21.5));
    assert_eq!(rig.reported("door.damp", "humidity"), number(40.0));
    assert_eq!(rig.reported("door.lux", "lux"), number(12.0));
    let effects = bridge(&mut rig, "zigbee2mqtt/door", r#"{"contact":false}"#);
    assert_eq!(open(&rig), Some(Value::Text("open".into())));
    assert_eq!(
        orders(&effects),
        [r#"zigbee2mqtt/plug/set {"state":"ON"}"#],
        "a door that opens is an event"
    );
    let effects = bridge(
        &mut rig,
        "zigbee2mqtt/remote",
        r#"{"action":"single","battery":90}"#,
    );
    assert_eq!(
        orders(&effects),
        [r#"zigbee2mqtt/desk/set {"brightness":127,"state":"ON"}"#]
    );
    let effects = bridge(&mut rig, "zigbee2mqtt/remote", r#"{"action":"hold"}"#);
    assert_eq!(
        orders(&effects),
        [r#"zigbee2mqtt/plug/set {"state":"OFF"}"#]
    );
    // An own kind reads its fields by their names.
    bridge(
        &mut rig,
        "zigbee2mqtt/plug",
        r#"{"state":"OFF","power":12.5}"#,
    );
    assert_eq!(rig.reported("plug.meter", "power"), number(12.5));
    assert_eq!(rig.reported("plug.plug", "on"), Some(false.into()));
}

#[test]
fn tasmota_has_a_topic_for_each_command_and_several_for_what_it_reports() {
    let mut rig = rig();
    let ask = |rig: &mut Rig, channel: &str, wish: &str| {
        orders(&rig.asks(&format!("iot/{channel}/set"), wish))
    };
    assert_eq!(
        ask(&mut rig, "socket/plug", "on"),
        ["cmnd/tasmota_1A2B/POWER ON"]
    );
    assert_eq!(
        ask(&mut rig, "socket/second", "on"),
        ["cmnd/tasmota_1A2B/POWER2 ON"]
    );
    assert_eq!(
        ask(&mut rig, "strip/lamp", r#"{"brightness":40}"#),
        ["cmnd/strip/Backlog POWER ON;Dimmer 40"]
    );
    assert_eq!(
        ask(&mut rig, "strip/lamp", "off"),
        ["cmnd/strip/Backlog POWER OFF"]
    );

    let says =
        |rig: &mut Rig, topic: &str, payload: &str| orders(&rig.says("socket", topic, payload));
    says(&mut rig, "stat/tasmota_1A2B/RESULT", r#"{"POWER":"ON"}"#);
    says(
        &mut rig,
        "tele/tasmota_1A2B/STATE",
        r#"{"POWER":"ON","POWER2":"OFF","Wifi":{"RSSI":90}}"#,
    );
    says(
        &mut rig,
        "tele/tasmota_1A2B/SENSOR",
        r#"{"Time":"2026-01-01T00:00:00","AM2301":{"Temperature":19.5},"ENERGY":{"Power":1200}}"#,
    );
    assert_eq!(rig.reported("socket.plug", "on"), Some(true.into()));
    assert_eq!(rig.reported("socket.temp", "temperature"), number(19.5));
    assert_eq!(rig.reported("socket.power", "value"), number(1200.0));
    let counters = rig.dispatcher.counters();
    assert_eq!(
        counters.total("nothing-there"),
        0,
        "a make says more than is read"
    );
    let pressed = says(
        &mut rig,
        "stat/tasmota_1A2B/RESULT",
        r#"{"Button1":{"Action":"DOUBLE"}}"#,
    );
    assert_eq!(pressed, ["cmnd/tasmota_1A2B/POWER2 ON"]);
}

#[test]
fn a_preset_says_what_a_device_may_do_and_a_bridge_stays_below_its_filter() {
    let rig = rig();
    let of = |name: &str| access::of_device(&rig.program, rig.device(name));
    assert_eq!(
        of("plug").publish,
        ["zigbee2mqtt/plug", "zigbee2mqtt/plug/availability"]
    );
    assert_eq!(of("plug").subscribe, ["zigbee2mqtt/plug/set"]);
    assert_eq!(of("socket").subscribe, ["cmnd/tasmota_1A2B/#"]);
    let bridge = access::of_bridge(&["zigbee2mqtt/#".to_owned()]);
    assert_eq!(bridge.publish, ["zigbee2mqtt/#"]);
    assert_eq!(bridge.subscribe, ["zigbee2mqtt/#"]);
}

#[test]
fn a_message_that_holds_nothing_where_from_reads_is_counted_and_passed_on() {
    let text = r#"
format = 1
allow = ["device-unused"]
[device.meter]
id = 1
mqtt = { state = "tele/meter/SENSOR" }
io.power = { kind = "analog", from = "/ENERGY/Pover", min = 0, max = 4000 }
"#;
    let mut rig = Rig::of(program(text), Config::default());
    let from = Publisher::Device(rig.device("meter"));
    let topic = "tele/meter/SENSOR";
    let admitted = rig.admit(&from, topic, r#"{"ENERGY":{"Power":7}}"#);
    let admitted = admitted.unwrap();
    assert!(admitted.route && admitted.input.is_none());
    let said: Vec<String> = admitted.noted.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "tele/meter/SENSOR from meter: nothing stands at `/ENERGY/Pover`, where the mapping's `from` reads"
        ]
    );
    assert_eq!(rig.dispatcher.counters().total("nothing-there"), 1);
    // A value that does not fit is refused as before.
    let refusal = rig.admit(&from, topic, r#"{"ENERGY":{"Pover":"much"}}"#);
    assert_eq!(refusal.unwrap_err().reason.code(), "value");
}
