//! Shelly. Payloads after <https://shelly-api-docs.shelly.cloud/gen2/> (status of the components, notifications) and
//! <https://shelly-api-docs.shelly.cloud/gen1/>; the status of the plug as a Plus 1PM with firmware 0.11 sent it.

use super::*;

const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[device.plug]
id = 1
mqtt = { preset = "shelly", name = "shellyplus1pm-4417939341dc" }
io.plug  = { kind = "switch" }
io.power = { kind = "analog", from = "/switch:0/apower", unit = "W", min = 0, max = 3680 }
io.heat  = { kind = "temperature", from = "/switch:0/temperature/tC" }
io.meter = { kind = "meter", from = "/switch:0" }

[kind.meter]
state.voltage = { kind = "number", min = 0, max = 400 }
state.apower  = { kind = "number", min = 0, max = 4000 }

[device.box]
id = 2
mqtt = { preset = "shelly", name = "shelly/box" }
io.second = { kind = "switch", from = "switch:1" }
io.dimmer = { kind = "dimmer" }
io.strip  = { kind = "light" }
io.white  = { kind = "light", from = "cct:1" }
io.blind  = { kind = "cover" }
io.left   = { kind = "button" }
io.right  = { kind = "button", from = "input:1" }
io.window = { kind = "contact", from = "input:2" }
io.pir    = { kind = "motion", from = "input:3" }
io.temp   = { kind = "temperature" }
io.damp   = { kind = "humidity" }
io.lux    = { kind = "lux" }
io.gas    = { kind = "counter", from = "input:4" }

[device.old]
id = 3
mqtt = { preset = "shelly-gen1", name = "shelly1-B929CC" }
io.relay  = { kind = "switch" }
io.second = { kind = "switch", from = "/relay/1" }
io.dimmer = { kind = "dimmer" }
io.roller = { kind = "cover" }
io.button = { kind = "button" }
io.door   = { kind = "contact" }
io.pir    = { kind = "motion" }
io.anna   = { kind = "presence", from = "/input/1" }
io.temp   = { kind = "temperature" }
io.damp   = { kind = "humidity" }
io.lux    = { kind = "lux" }
io.power  = { kind = "analog", from = "/relay/0/power", min = 0, max = 4000 }
io.energy = { kind = "counter", from = "/relay/0/energy" }

[rule.left]
when = "box.left.click"
do   = "plug.plug.on"

[rule.right]
when = "box.right.press"
do   = "plug.plug.off"

[rule.long]
when = "old.button.long"
do   = "old.relay.on"
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    for name in [
        "shellyplus1pm-4417939341dc",
        "shelly/box",
        "shellies/shelly1-B929CC",
    ] {
        bridge(&mut rig, &format!("{name}/online"), "true");
    }
    rig
}

fn call(method: &str, params: &str) -> String {
    format!(
        r#"shelly/box/rpc {{"id":1,"src":"shelly/box/told","method":"{method}","params":{{{params}}}}}"#
    )
}

#[test]
fn shelly_is_told_by_commands_and_lamps_by_calls() {
    check_told(
        &mut rig(),
        &[
            (
                "plug/plug",
                "on",
                &["shellyplus1pm-4417939341dc/command/switch:0 on"],
            ),
            ("box/second", "off", &["shelly/box/command/switch:1 off"]),
            (
                "box/dimmer",
                r#"{"brightness":40}"#,
                &[&call("Light.Set", r#""id":0,"on":true,"brightness":40"#)],
            ),
            (
                "box/dimmer",
                "off",
                &[&call("Light.Set", r#""id":0,"on":false"#)],
            ),
            (
                "box/strip",
                r#"{"brightness":80,"hue":0,"saturation":100}"#,
                &[&call(
                    "RGB.Set",
                    r#""id":0,"on":true,"brightness":80,"rgb":[255,0,0]"#,
                )],
            ),
            (
                "box/white",
                r#"{"brightness":80,"kelvin":3000}"#,
                &[&call(
                    "CCT.Set",
                    r#""id":1,"on":true,"brightness":80,"ct":3000"#,
                )],
            ),
            (
                "box/blind",
                r#"{"position":40}"#,
                &["shelly/box/command/cover:0 pos,40"],
            ),
            (
                "box/blind",
                r#"{"command":"open"}"#,
                &["shelly/box/command/cover:0 open"],
            ),
            (
                "box/blind",
                r#"{"command":"close"}"#,
                &["shelly/box/command/cover:0 close"],
            ),
            (
                "box/blind",
                r#"{"command":"stop"}"#,
                &["shelly/box/command/cover:0 stop"],
            ),
            (
                "box/gas",
                r#"{"command":"reset"}"#,
                &[&call("Input.ResetCounters", r#""id":4"#)],
            ),
        ],
    );
}

#[test]
fn the_first_generation_has_topics_of_its_own() {
    let old = "shellies/shelly1-B929CC";
    check_told(
        &mut rig(),
        &[
            ("old/relay", "on", &[&format!("{old}/relay/0/command on")]),
            (
                "old/second",
                "off",
                &[&format!("{old}/relay/1/command off")],
            ),
            (
                "old/dimmer",
                r#"{"brightness":40}"#,
                &[&format!(
                    r#"{old}/light/0/set {{"turn":"on","brightness":40}}"#
                )],
            ),
            (
                "old/dimmer",
                "off",
                &[&format!(r#"{old}/light/0/set {{"turn":"off"}}"#)],
            ),
            (
                "old/roller",
                r#"{"position":40}"#,
                &[&format!("{old}/roller/0/command/pos 40")],
            ),
            (
                "old/roller",
                r#"{"command":"close"}"#,
                &[&format!("{old}/roller/0/command close")],
            ),
            (
                "old/roller",
                r#"{"command":"stop"}"#,
                &[&format!("{old}/roller/0/command stop")],
            ),
        ],
    );
    let topic = |leaf: &str| format!("{old}/{leaf}");
    check_read(
        &mut rig(),
        &[
            (&topic("relay/0"), "on", "old.relay", "on", true.into()),
            (
                &topic("relay/0/power"),
                "12.50",
                "old.power",
                "value",
                12.5.into(),
            ),
            (
                &topic("relay/0/energy"),
                "1834",
                "old.energy",
                "count",
                1834.0.into(),
            ),
            (
                &topic("light/0/status"),
                r#"{"ison":true,"source":"mqtt","has_timer":false,"mode":"white","brightness":49,"transition":0}"#,
                "old.dimmer",
                "brightness",
                49.0.into(),
            ),
            (
                &topic("roller/0"),
                "open",
                "old.roller",
                "moving",
                "opening".into(),
            ),
            (
                &topic("roller/0/pos"),
                "55",
                "old.roller",
                "position",
                55.0.into(),
            ),
            (
                &topic("roller/0"),
                "stop",
                "old.roller",
                "moving",
                "stopped".into(),
            ),
            (
                &topic("sensor/state"),
                "open",
                "old.door",
                "contact",
                "open".into(),
            ),
            (
                &topic("status"),
                r#"{"motion":true,"timestamp":1620000000,"active":true,"vibration":false,"lux":21,"bat":100}"#,
                "old.pir",
                "active",
                true.into(),
            ),
            (
                &topic("input/1"),
                "1",
                "old.anna",
                "presence",
                "home".into(),
            ),
            (
                &topic("sensor/temperature"),
                "21.38",
                "old.temp",
                "temperature",
                21.38.into(),
            ),
            (
                &topic("sensor/humidity"),
                "45.0",
                "old.damp",
                "humidity",
                45.0.into(),
            ),
            (&topic("sensor/lux"), "120", "old.lux", "lux", 120.0.into()),
        ],
    );
    let mut rig = rig();
    let held = bridge(
        &mut rig,
        &topic("input_event/0"),
        r#"{"event":"L","event_cnt":7}"#,
    );
    assert_eq!(orders(&held), [format!("{old}/relay/0/command on")]);
}

#[test]
fn the_status_of_each_component_is_read() {
    let plug = r#"{"id":0, "source":"init", "output":false, "apower":12.5, "voltage":232.7, "current":0.000, "aenergy":{"total":0.000,"by_minute":[0.000,0.000,0.000],"minute_ts":1661517385},"temperature":{"tC":39.2, "tF":102.5}}"#;
    let status = "shellyplus1pm-4417939341dc/status/switch:0";
    let blind = |state: &str, position: &str| {
        format!(
            r#"{{"id":0,"source":"limit_switch","state":"{state}","apower":0.0,"pos_control":true,"last_direction":"open","current_pos":{position}}}"#
        )
    };
    check_read(
        &mut rig(),
        &[
            (status, plug, "plug.plug", "on", false.into()),
            (status, plug, "plug.power", "value", 12.5.into()),
            (status, plug, "plug.heat", "temperature", 39.2.into()),
            (status, plug, "plug.meter", "voltage", 232.7.into()),
            (
                "shelly/box/status/light:0",
                r#"{"id":0,"source":"http","output":true,"brightness":49}"#,
                "box.dimmer",
                "brightness",
                49.0.into(),
            ),
            (
                "shelly/box/status/rgb:0",
                r#"{"id":0,"source":"HTTP_in","output":true,"rgb":[0,0,255],"brightness":30}"#,
                "box.strip",
                "hue",
                240.0.into(),
            ),
            (
                "shelly/box/status/cct:1",
                r#"{"id":1,"source":"mqtt","output":true,"brightness":50,"ct":3000}"#,
                "box.white",
                "kelvin",
                3000.0.into(),
            ),
            (
                "shelly/box/status/cover:0",
                &blind("opening", "40"),
                "box.blind",
                "moving",
                "opening".into(),
            ),
            (
                "shelly/box/status/cover:0",
                &blind("stopped", "50"),
                "box.blind",
                "position",
                50.0.into(),
            ),
            // A cover that was never calibrated.
            (
                "shelly/box/status/cover:0",
                &blind("closed", "null"),
                "box.blind",
                "position",
                0.0.into(),
            ),
            (
                "shelly/box/status/cover:0",
                &blind("open", "null"),
                "box.blind",
                "moving",
                "stopped".into(),
            ),
            (
                "shelly/box/status/input:2",
                r#"{"id":2,"state":true}"#,
                "box.window",
                "contact",
                "open".into(),
            ),
            (
                "shelly/box/status/input:3",
                r#"{"id":3,"state":true}"#,
                "box.pir",
                "active",
                true.into(),
            ),
            (
                "shelly/box/status/temperature:0",
                r#"{"id":0,"tC":22.4,"tF":72.3}"#,
                "box.temp",
                "temperature",
                22.4.into(),
            ),
            (
                "shelly/box/status/humidity:0",
                r#"{"id":0,"rh":48.1}"#,
                "box.damp",
                "humidity",
                48.1.into(),
            ),
            (
                "shelly/box/status/illuminance:0",
                r#"{"id":0,"lux":300,"illumination":"bright"}"#,
                "box.lux",
                "lux",
                300.0.into(),
            ),
            (
                "shelly/box/status/input:4",
                r#"{"id":4,"counts":{"total":18,"by_minute":[0,0,0],"minute_ts":1700000000},"freq":0}"#,
                "box.gas",
                "count",
                18.0.into(),
            ),
        ],
    );
}

fn notification(events: &str) -> String {
    format!(
        r#"{{"src":"shellyplusi4-a8032ab12345","dst":"shelly/box/events","method":"NotifyEvent","params":{{"ts":1631266595.44,"events":[{events}]}}}}"#
    )
}

#[test]
fn the_inputs_of_a_shelly_are_told_apart_in_one_notification() {
    let mut rig = rig();
    let event = |component: &str, event: &str| {
        format!(r#"{{"component":"{component}","id":0,"event":"{event}","ts":1631266595.43}}"#)
    };
    let check = |rig: &mut Rig, events: &[String], expected: &[&str]| {
        let effects = bridge(
            rig,
            "shelly/box/events/rpc",
            &notification(&events.join(",")),
        );
        assert_eq!(orders(&effects), expected, "{events:?}");
    };
    let plug = "shellyplus1pm-4417939341dc/command/switch:0";
    check(&mut rig, &[event("input:0", "btn_down")], &[]);
    check(
        &mut rig,
        &[event("input:0", "single_push")],
        &[&format!("{plug} on")],
    );
    check(&mut rig, &[event("input:1", "single_push")], &[]);
    check(
        &mut rig,
        &[event("input:1", "btn_down")],
        &[&format!("{plug} off")],
    );
    // Both at once, and what is about other things.
    let both = [
        event("sys", "config_changed"),
        event("input:0", "single_push"),
        event("input:1", "btn_down"),
    ];
    check(
        &mut rig,
        &both,
        &[&format!("{plug} on"), &format!("{plug} off")],
    );
    check(&mut rig, &[event("input:0", "config_changed")], &[]);
    let status = r#"{"src":"x","dst":"y","method":"NotifyStatus","params":{"ts":1.61,"mqtt":{"connected":true}}}"#;
    bridge(&mut rig, "shelly/box/events/rpc", status);
    assert_eq!(rig.dispatcher.counters().total("unknown-event"), 0);
}

#[test]
fn a_shelly_is_kept_to_its_own_topics() {
    let mut rig = rig();
    let of = |name: &str| access::of_device(&rig.program, rig.device(name));
    assert_eq!(of("box").publish, ["shelly/box/#"]);
    assert_eq!(
        of("box").subscribe,
        [
            "shelly/box/command",
            "shelly/box/command/#",
            "shelly/box/rpc"
        ]
    );
    assert_eq!(of("old").publish, ["shellies/shelly1-B929CC/#"]);
    bridge(&mut rig, "shelly/box/online", "false");
    assert!(!rig.dispatcher.engine().online(rig.device("box")));
}
