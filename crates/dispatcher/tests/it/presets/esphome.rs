//! ESPHome. Payloads as its firmware writes them: `components/mqtt` and `components/light/light_json_schema.cpp` of
//! <https://github.com/esphome/esphome>.

use super::*;

const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[device.livingroom]
id = 1
mqtt = { preset = "esphome" }
io.relay  = { kind = "switch" }
io.fan    = { kind = "switch", from = "/fan/ceiling_fan" }
io.spot   = { kind = "switch", from = "/light/spot" }
io.strip  = { kind = "dimmer", from = "led_strip" }
io.lamp   = { kind = "light" }
io.blind  = { kind = "cover" }
io.valve  = { kind = "servo", min = 0, max = 100 }
io.horn   = { kind = "buzzer" }

[device.sensors]
id = 2
mqtt = { preset = "esphome", name = "home/sensors" }
io.pir     = { kind = "motion" }
io.window  = { kind = "contact" }
io.anna    = { kind = "presence" }
io.temp    = { kind = "temperature", from = "bme280_temperature" }
io.damp    = { kind = "humidity" }
io.air     = { kind = "pressure" }
io.light   = { kind = "lux" }
io.volts   = { kind = "analog", unit = "V", min = 0, max = 5 }
io.meter   = { kind = "counter", fields = { count = "/sensor/meter_total", rate = "/sensor/meter" } }
io.key     = { kind = "button" }
io.remote  = { kind = "button", from = "/event/remote", events = { single_click = "click", hold = "long" } }
io.boiler  = { kind = "boiler", fields = { setpoint = "/number/setpoint" } }

[kind.boiler]
target.setpoint  = { kind = "number", min = 5, max = 30 }
commands.restart = {}

[rule.press]
when = "sensors.key.press"
do   = "livingroom.relay.on"

[rule.click]
when = "sensors.remote.click"
do   = "livingroom.relay.off"
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    bridge(&mut rig, "livingroom/status", "online");
    bridge(&mut rig, "home/sensors/status", "online");
    rig
}

#[test]
fn each_component_is_told_on_its_command_topic_in_its_words() {
    let strip = "livingroom/light/led_strip/command";
    let lamp = "livingroom/light/lamp/command";
    check_told(
        &mut rig(),
        &[
            (
                "livingroom/relay",
                "on",
                &["livingroom/switch/relay/command ON"],
            ),
            (
                "livingroom/fan",
                "on",
                &["livingroom/fan/ceiling_fan/command ON"],
            ),
            (
                "livingroom/horn",
                "off",
                &["livingroom/switch/horn/command OFF"],
            ),
            (
                "livingroom/spot",
                "on",
                &[r#"livingroom/light/spot/command {"state":"ON"}"#],
            ),
            (
                "livingroom/strip",
                r#"{"brightness":50}"#,
                &[&format!(r#"{strip} {{"state":"ON","brightness":128}}"#)],
            ),
            (
                "livingroom/strip",
                "off",
                &[&format!(r#"{strip} {{"state":"OFF"}}"#)],
            ),
            (
                "livingroom/lamp",
                r#"{"brightness":100,"hue":120,"saturation":100}"#,
                &[&format!(
                    r#"{lamp} {{"state":"ON","brightness":255,"color":{{"r":0,"g":255,"b":0}}}}"#
                )],
            ),
            (
                "livingroom/lamp",
                r#"{"kelvin":2700}"#,
                &[&format!(
                    r#"{lamp} {{"state":"ON","brightness":255,"color_temp":370}}"#
                )],
            ),
            (
                "livingroom/blind",
                r#"{"position":40}"#,
                &["livingroom/cover/blind/position/command 40"],
            ),
            (
                "livingroom/blind",
                r#"{"command":"open"}"#,
                &["livingroom/cover/blind/command OPEN"],
            ),
            (
                "livingroom/blind",
                r#"{"command":"close"}"#,
                &["livingroom/cover/blind/command CLOSE"],
            ),
            (
                "livingroom/blind",
                r#"{"command":"stop"}"#,
                &["livingroom/cover/blind/command STOP"],
            ),
            (
                "livingroom/valve",
                "33",
                &["livingroom/number/valve/command 33"],
            ),
            (
                "sensors/boiler",
                "21.5",
                &["home/sensors/number/setpoint/command 21.5"],
            ),
            (
                "sensors/boiler",
                r#"{"command":"restart"}"#,
                &["home/sensors/button/restart/command PRESS"],
            ),
        ],
    );
}

#[test]
fn what_components_report_is_read() {
    let colour =
        r#"{"color_mode":"rgb","state":"ON","brightness":128,"color":{"r":255,"g":0,"b":0}}"#;
    let white = r#"{"effect":"None","color_mode":"color_temp","state":"ON","brightness":255,"color":{},"color_temp":370}"#;
    check_read(
        &mut rig(),
        &[
            (
                "livingroom/switch/relay/state",
                "ON",
                "livingroom.relay",
                "on",
                true.into(),
            ),
            (
                "livingroom/light/spot/state",
                r#"{"color_mode":"onoff","state":"ON","color":{}}"#,
                "livingroom.spot",
                "on",
                true.into(),
            ),
            (
                "livingroom/light/lamp/state",
                colour,
                "livingroom.lamp",
                "hue",
                0.0.into(),
            ),
            (
                "livingroom/light/lamp/state",
                colour,
                "livingroom.lamp",
                "saturation",
                100.0.into(),
            ),
            (
                "livingroom/light/lamp/state",
                colour,
                "livingroom.lamp",
                "brightness",
                50.0.into(),
            ),
            (
                "livingroom/light/lamp/state",
                white,
                "livingroom.lamp",
                "kelvin",
                2703.0.into(),
            ),
            (
                "livingroom/light/led_strip/state",
                r#"{"state":"OFF","brightness":255}"#,
                "livingroom.strip",
                "on",
                false.into(),
            ),
            (
                "livingroom/cover/blind/position/state",
                "70",
                "livingroom.blind",
                "position",
                70.0.into(),
            ),
            // A cover without positions.
            (
                "livingroom/cover/blind/state",
                "closed",
                "livingroom.blind",
                "position",
                0.0.into(),
            ),
            (
                "livingroom/cover/blind/state",
                "open",
                "livingroom.blind",
                "position",
                100.0.into(),
            ),
            (
                "livingroom/number/valve/state",
                "33",
                "livingroom.valve",
                "angle",
                33.0.into(),
            ),
            (
                "home/sensors/binary_sensor/pir/state",
                "ON",
                "sensors.pir",
                "active",
                true.into(),
            ),
            (
                "home/sensors/binary_sensor/window/state",
                "OFF",
                "sensors.window",
                "contact",
                "closed".into(),
            ),
            (
                "home/sensors/binary_sensor/anna/state",
                "ON",
                "sensors.anna",
                "presence",
                "home".into(),
            ),
            (
                "home/sensors/sensor/bme280_temperature/state",
                "21.5",
                "sensors.temp",
                "temperature",
                21.5.into(),
            ),
            (
                "home/sensors/sensor/damp/state",
                "45.3",
                "sensors.damp",
                "humidity",
                45.3.into(),
            ),
            (
                "home/sensors/sensor/air/state",
                "1013.3",
                "sensors.air",
                "pressure",
                1013.3.into(),
            ),
            (
                "home/sensors/sensor/light/state",
                "80",
                "sensors.light",
                "lux",
                80.0.into(),
            ),
            (
                "home/sensors/sensor/volts/state",
                "3.31",
                "sensors.volts",
                "value",
                3.31.into(),
            ),
            (
                "home/sensors/sensor/meter_total/state",
                "18",
                "sensors.meter",
                "count",
                18.0.into(),
            ),
            (
                "home/sensors/sensor/meter/state",
                "2.5",
                "sensors.meter",
                "rate",
                2.5.into(),
            ),
            (
                "home/sensors/number/setpoint/state",
                "19",
                "sensors.boiler",
                "setpoint",
                19.0.into(),
            ),
        ],
    );
}

#[test]
fn a_binary_sensor_is_a_button_and_an_event_has_words() {
    let mut rig = rig();
    let pressed = bridge(&mut rig, "home/sensors/binary_sensor/key/state", "ON");
    assert_eq!(orders(&pressed), ["livingroom/switch/relay/command ON"]);
    let let_go = bridge(&mut rig, "home/sensors/binary_sensor/key/state", "OFF");
    assert_eq!(orders(&let_go), Vec::<String>::new());
    let clicked = bridge(
        &mut rig,
        "home/sensors/event/remote/state",
        r#"{"event_type":"single_click"}"#,
    );
    assert_eq!(orders(&clicked), ["livingroom/switch/relay/command OFF"]);
}

#[test]
fn an_esphome_device_is_kept_to_its_own_topics() {
    let mut rig = rig();
    let of = access::of_device(&rig.program, rig.device("sensors"));
    assert_eq!(of.publish, ["home/sensors/#"]);
    assert_eq!(
        of.subscribe,
        ["home/sensors/+/+/command", "home/sensors/+/+/+/command"]
    );
    bridge(&mut rig, "livingroom/status", "offline");
    assert!(!rig.dispatcher.engine().online(rig.device("livingroom")));
}
