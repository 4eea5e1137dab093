//! What the program holds: everything expanded and resolved.

use std::{sync::Arc, time::Duration};

use mapping::{
    Program, load_texts,
    program::{
        Action, AfterDowntime, Carrier, Days, Deliver, EventIx, Expr, GestureKind, Operand, Rule,
        SunEvent, Trigger,
    },
    render,
};
use types::Value;

const HOUSE: &str = r#"
[home]
timezone = "Europe/Berlin"

[device.hall]
id = 21
board = "esp32-c3"
i2c = { sda = 6, scl = 7 }
io.lamp   = { kind = "dimmer", pin = 4, at_boot = "restore", deliver = "now", enforce = true }
io.motion = { kind = "motion", pin = 5 }
io.lux    = { kind = "lux", i2c = 0x23, report_every = "10s", stale_after = "5m" }

[device.desk]
id = 25
io.button = { kind = "button" }
io.lamp   = { kind = "switch" }

[device.piano]
id = 17
io.keys = { kind = "midi" }

[device.remote]
id = 33
mqtt = { event = "zigbee/remote", availability = "zigbee/remote/lwt" }
io.button = { kind = "button", event_from = "action", events = { single = "click", hold = "long" } }

[device.old_lamp]
id = 32
mqtt = { state = "home/lamp", target = "home/lamp/set" }
io.lamp = { kind = "switch", on = "ON", off = "OFF", from = "/POWER" }

[device.sensor]
id = 34
mqtt = { state = "home/sensor" }
io.motion = { kind = "motion", from = "occupancy" }

[group]
lamps  = ["hall.lamp", "desk.lamp"]
all    = ["lamps", "old_lamp", "hall.lamp"]
"#;

fn compiled(rules: &str) -> Arc<Program> {
    let loaded = load_texts([
        ("mapping.toml", "include = [\"house.toml\", \"rules.toml\"]"),
        ("house.toml", HOUSE),
        ("rules.toml", rules),
    ]);
    let said = render(&loaded.sources, &loaded.diagnostics, false);
    loaded.program.unwrap_or_else(|| panic!("{said}"))
}

fn only_rule(program: &Program) -> &Rule {
    assert_eq!(program.rules.len(), 1);
    &program.rules[0]
}

fn event(program: &Program, channel: &str, name: &str) -> EventIx {
    let channel = program.channel_by_path(channel).expect("a channel");
    program.event(channel, name).expect("an event")
}

#[test]
fn a_write_that_leaves_a_condition_as_true_as_it_was_is_no_circle() {
    const HOUSE: &str = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\n";
    let codes = |rules: &str| {
        let loaded = load_texts([("mapping.toml", format!("{HOUSE}{rules}"))]);
        let codes = loaded.diagnostics.iter().map(|found| found.code);
        codes.collect::<Vec<_>>()
    };
    let rule = |does: &str| {
        format!("[rule.a]\nwhen = {{ holds = \"state.hall.lamp.on\" }}\ndo = {does}\n")
    };
    assert!(codes(&rule("\"hall.lamp.off\"")).is_empty());
    assert!(codes(&rule("{ set = \"hall.lamp\", brightness = 40 }")).is_empty());
    let blinks = rule("[\"hall.lamp.off\", { wait = \"1s\" }, \"hall.lamp.on\"]");
    assert_eq!(codes(&blinks), ["cycle"]);
    // While it waits once more, `single` drops what would fire it.
    let more = |last: &str| {
        let actions = format!("[\"hall.lamp.off\", {{ wait = \"1s\" }}, \"hall.lamp.on\"{last}]");
        rule(&actions) + "mode = \"single\"\n"
    };
    assert!(codes(&more(", { wait = \"20s\" }, \"hall.lamp.off\"")).is_empty());
    assert_eq!(codes(&more("")), ["cycle"]);
}

#[test]
fn a_wildcard_stands_for_every_device() {
    let program = compiled(
        "[rule.a]\nwhen = \"*.offline\"\ndo = { notify = \"all\", text = \"${event.device}\" }",
    );
    let rule = only_rule(&program);
    assert_eq!(rule.triggers.len(), program.devices.len());
    for (trigger, device) in rule.triggers.iter().zip(&program.devices) {
        let Trigger::Event { event, fields } = trigger else {
            panic!("{trigger:?}");
        };
        assert_eq!((*event, &**fields), (device.offline, &[0][..]));
    }
}

#[test]
fn wildcards_are_over_devices_and_groups() {
    let events = |when: &str| -> Vec<String> {
        let program = compiled(&format!(
            "[rule.a]\nwhen = \"{when}\"\ndo = \"desk.lamp.on\""
        ));
        let triggers = only_rule(&program).triggers.iter();
        triggers
            .map(|trigger| match trigger {
                Trigger::Event { event, .. } => program.event_path(*event),
                Trigger::Gesture { channel, .. } => program.channel_path(*channel),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    // `all` holds hall.lamp, desk.lamp and old_lamp.lamp, each once; so are their devices.
    assert_eq!(
        events("all.offline"),
        ["hall.offline", "desk.offline", "old_lamp.offline"]
    );
    assert_eq!(
        events("*.motion.start"),
        ["hall.motion.start", "sensor.motion.start"]
    );
    assert_eq!(
        events("*.button.click"),
        ["desk.button", "remote.button.click"]
    );
    assert_eq!(events("*.online").len(), 6);
}

#[test]
fn groups_nest_and_hold_each_channel_once() {
    let program = compiled("[rule.a]\nwhen = \"hall.motion.start\"\ndo = \"all.off\"");
    let paths: Vec<String> = program.names.groups["all"]
        .iter()
        .map(|channel| program.channel_path(*channel))
        .collect();
    assert_eq!(paths, ["hall.lamp", "desk.lamp", "old_lamp.lamp"]);
    assert_eq!(only_rule(&program).actions.len(), 3);
}

#[test]
fn event_fields_are_found_in_each_event_by_name() {
    let program = compiled(
        "[rule.a]\nwhen = [\"piano.keys.press\", \"piano.keys.release\"]\nif = \"event.key == 60\"\ndo = \"desk.lamp.on\"\n\
         [rule.b]\nwhen = \"piano.keys.press\"\nif = \"event.velocity > 20 && event.key == 60\"\ndo = \"desk.lamp.off\"",
    );
    let maps = |rule: usize| -> Vec<Vec<u8>> {
        let triggers = program.rules[rule].triggers.iter();
        triggers
            .map(|trigger| match trigger {
                Trigger::Event { fields, .. } => fields.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(maps(0), [[0], [0]]);
    assert_eq!(maps(1), [[1, 0]]);
}

#[test]
fn click_is_a_gesture_of_our_button_and_an_event_of_a_remote_that_declares_it() {
    let program = compiled(
        "[rule.a]\nwhen = [\"desk.button.click\", \"remote.button.click\"]\ndo = \"desk.lamp.toggle\"",
    );
    let [ours, theirs] = &only_rule(&program).triggers[..] else {
        panic!();
    };
    let button = program.channel_by_path("desk.button").unwrap();
    assert!(
        matches!(ours, Trigger::Gesture { kind: GestureKind::Click, channel, .. } if *channel == button)
    );
    let click = event(&program, "remote.button", "click");
    assert!(matches!(theirs, Trigger::Event { event, .. } if *event == click));
    let remote = program.channel_by_path("remote.button").unwrap();
    assert_eq!(program[remote].events.len(), 2);
    let codec = program[remote].codec.as_ref().unwrap();
    assert_eq!(codec.events["click"], "single".into());
    assert_eq!(codec.event_from.as_deref(), Some("action"));
}

#[test]
fn foreign_devices_keep_their_topics_and_words() {
    let program = compiled("");
    let lamp = program.channel_by_path("old_lamp.lamp").unwrap();
    let Carrier::Foreign(topics) = &program[program[lamp].device].carrier else {
        panic!();
    };
    assert_eq!(topics.target.as_deref(), Some("home/lamp/set"));
    let codec = program[lamp].codec.as_ref().unwrap();
    assert_eq!(codec.from.as_deref(), Some("/POWER"));
    assert_eq!(codec.on.as_deref(), Some("ON"));
}

#[test]
fn a_change_of_state_is_an_event_of_sensors_and_of_devices_that_report_state_only() {
    let program = compiled("");
    let derives = |path: &str| program[program.channel_by_path(path).unwrap()].derives_events;
    assert!(derives("hall.lux"));
    assert!(derives("sensor.motion"));
    assert!(!derives("hall.motion"));
    assert!(!derives("hall.lamp"));
}

#[test]
fn the_role_holds_what_the_device_needs_and_nothing_else() {
    let program = compiled("");
    let role = |device: &str| program[program.device(device).unwrap()].role.clone();
    assert_eq!(
        &*role("hall"),
        r#"{"i2c":{"scl":7,"sda":6},"io":{"lamp":{"at_boot":"restore","kind":"dimmer","pin":4},"lux":{"i2c":35,"kind":"lux","report_every_ms":10000},"motion":{"kind":"motion","pin":5}}}"#
    );
    let lamp = program.channel_by_path("hall.lamp").unwrap();
    assert_eq!(program[lamp].deliver, Deliver::Now);
    assert!(program[lamp].enforce);
    let lux = program.channel_by_path("hall.lux").unwrap();
    assert_eq!(program[lux].stale_after, Some(Duration::from_secs(300)));
}

#[test]
fn a_missed_time_of_day_stays_missed_and_anything_else_happens_late() {
    let program = compiled(
        "[rule.a]\nwhen = { at = \"07:00\", days = \"mon-fri\" }\ndo = \"desk.lamp.on\"\n\
         [rule.b]\nwhen = { at = \"07:00\" }\ndo = \"desk.lamp.on\"\nafter_downtime = { run_late = \"10m\" }\n\
         [rule.c]\nwhen = { holds = \"state.hall.lux < 5\", for = \"1m\" }\ndo = \"desk.lamp.on\"\nlimit = \"1 per 30s\"",
    );
    let late = |rule: usize| {
        let rule = &program.rules[rule];
        (rule.after_downtime(), rule.missed_times())
    };
    let ten_minutes = AfterDowntime::RunLate(Duration::from_secs(600));
    assert_eq!(late(0), (AfterDowntime::Resume, AfterDowntime::Drop));
    assert_eq!(late(1), (ten_minutes, ten_minutes));
    assert_eq!(late(2), (AfterDowntime::Resume, AfterDowntime::Drop));
    assert!(matches!(
        program.rules[0].triggers[..],
        [Trigger::At {
            second: 25_200,
            days: Days(0b001_1111)
        }]
    ));
    let Trigger::Holds { condition, hold } = &program.rules[2].triggers[0] else {
        panic!();
    };
    assert_eq!(*hold, Duration::from_secs(60));
    assert!(matches!(condition.expr, Expr::Binary(..)));
    let limit = program.rules[2].limit.as_deref().unwrap();
    assert_eq!((limit.count, limit.per), (1, Duration::from_secs(30)));
}

#[test]
fn a_scene_is_one_write_for_each_channel_and_a_command_has_its_defaults() {
    let program = compiled(
        "[scene.dark]\nhall.lamp = { on = true, brightness = 0 }\ndesk.lamp = false\n\
         [rule.a]\nwhen = \"hall.motion.start\"\ndo = [{ scene = \"dark\", fade = \"2s\" }, \"hall.lamp.brighter\"]",
    );
    let [first, second, third] = &only_rule(&program).actions[..] else {
        panic!();
    };
    let Action::Set { fields, fade, .. } = first else {
        panic!();
    };
    assert_eq!((fields.len(), *fade), (2, Some(Duration::from_secs(2))));
    let Action::Set { fields, .. } = second else {
        panic!();
    };
    assert_eq!(fields[0].1, Operand::Const(Value::Bool(false)));
    let Action::Command { args, .. } = third else {
        panic!();
    };
    assert_eq!(args[..], [Operand::Const(Value::Number(10.0))]);
}

#[test]
fn the_hash_follows_every_byte_of_the_mapping() {
    let hash = |rules| compiled(rules).hash;
    assert_eq!(hash("# a"), hash("# a"));
    assert_ne!(hash("# a"), hash("# b"));
}

#[test]
fn deep_and_wide_files_end() {
    let deep_list = format!("a = {}", "[".repeat(100_000));
    let deep_key = format!("{} = 1", vec!["a"; 100_000].join("."));
    let deep_table = format!("[{}]", vec!["a"; 50_000].join("."));
    let deep_inline = format!("a = {}", "{ a = ".repeat(50_000));
    let groups: String = (0..200)
        .map(|at| {
            format!(
                "g{at} = [\"g{}\", \"g{}\", \"g{}\"]\n",
                at + 1,
                at + 2,
                at + 3
            )
        })
        .collect();
    for text in [
        deep_list,
        deep_key,
        deep_table,
        deep_inline,
        format!("[group]\n{groups}"),
    ] {
        let loaded = load_texts([("mapping.toml", text)]);
        assert!(loaded.program.is_none());
    }
}

#[test]
fn waits_go_on_late_also_where_the_times_of_a_rule_that_were_missed_stay_missed() {
    let program = compiled(
        "[rule.a]\nwhen = { at = \"07:00\" }\ndo = [\"hall.lamp.on\", { wait = \"2s\" }, \"hall.lamp.off\"]",
    );
    let rule = only_rule(&program);
    assert!(matches!(rule.actions[1], Action::Wait(span) if span == Duration::from_secs(2)));
    assert_eq!(rule.missed_times(), AfterDowntime::Drop);
    assert_eq!(rule.after_downtime(), AfterDowntime::Resume);
}

#[test]
fn a_fingerprint_follows_what_a_rule_does_and_nothing_else() {
    let of = |rules: &str| compiled(rules).rules.last().expect("a rule").fingerprint;
    let rule = "[rule.a]\nwhen = \"desk.button.press\"\ndo = [\"lamps.on\", { wait = \"2s\" }, \"lamps.off\"]\n";
    let first = of(rule);
    for same in [
        format!(
            "# a comment\n\n[rule.z]\nwhen = \"hall.motion.start\"\ndo = \"hall.lamp.on\"\n{rule}"
        ),
        format!("{rule}note = \"for people\"\n"),
        rule.replace("[\"lamps.on\", ", "[\n  \"lamps.on\",  # on\n  "),
    ] {
        assert_eq!(of(&same), first, "{same}");
    }
    for other in [
        rule.replace("2s", "3s"),
        rule.replace("lamps.off", "all.off"),
        format!("{rule}if = \"state.hall.lux < 5\"\n"),
        format!("{rule}mode = \"single\"\n"),
    ] {
        assert_ne!(of(&other), first, "{other}");
    }
    let house = HOUSE.replace("[\"hall.lamp\", \"desk.lamp\"]", "[\"hall.lamp\"]");
    let loaded = load_texts([("mapping.toml".to_owned(), format!("{house}{rule}"))]);
    let program = loaded.program.expect("the house is sound");
    assert_ne!(
        program.rules[0].fingerprint, first,
        "a group has other members"
    );
}

#[test]
fn a_sequence_is_a_list_of_steps_or_the_values_of_one_field() {
    let program = compiled(
        "[rule.a]\nwhen = { sequence = \"piano.keys.press\", key = [60, 64, 60] }\ndo = \"desk.lamp.on\"\n\
         [rule.b]\nwhen = { sequence = [\"hall.motion.start\", { event = \"piano.keys.press\", velocity = 90, if = \"event.velocity > 1 && event.key < 3\" }, \"*.offline\"], within = \"2s\" }\ndo = \"desk.lamp.on\"",
    );
    let steps = |rule: usize| match &program.rules[rule].triggers[..] {
        [Trigger::Sequence { steps, within }] => (steps, *within),
        other => panic!("{other:?}"),
    };
    let press = event(&program, "piano.keys", "press");
    let (tune, within) = steps(0);
    assert_eq!(within, Duration::from_secs(5));
    let keys: Vec<_> = tune
        .iter()
        .map(|step| match &*step.events {
            [only] if only.event == press => &*only.wanted,
            other => panic!("{other:?}"),
        })
        .collect();
    let key = |key: f64| [(0, Value::Number(key))];
    assert_eq!(keys, [&key(60.0)[..], &key(64.0)[..], &key(60.0)[..]]);
    let (list, within) = steps(1);
    assert_eq!(within, Duration::from_secs(2));
    assert_eq!(&*list[1].events[0].wanted, [(1, Value::Number(90.0))]);
    assert_eq!(&*list[1].events[0].fields, [1, 0]);
    assert!(list[1].condition.is_some() && list[0].condition.is_none());
    assert_eq!(list[2].events.len(), program.devices.len());
}

#[test]
fn times_are_compiled() {
    let home = "[device.d]\nid = 1\nio.c = { kind = \"switch\" }\n[home]\ntimezone = \"Europe/Berlin\"\nlatitude = 52.5\nlongitude = 13.4\n";
    let rule = "[rule.a]\nwhen = [{ sun = \"dusk\", offset = \"-1h30m\" }, { sun = \"sunrise\", offset = \"+90s\" }, { cron = \"@hourly\" }]\ndo = \"d.c.on\"";
    let loaded = load_texts([("mapping.toml", format!("{home}{rule}"))]);
    let program = loaded.program.expect("a house");
    let [dusk, sunrise, cron] = &only_rule(&program).triggers[..] else {
        panic!();
    };
    let sun = |trigger: &Trigger| match trigger {
        Trigger::Sun { event, offset_us } => (*event, *offset_us),
        other => panic!("{other:?}"),
    };
    assert_eq!(sun(dusk), (SunEvent::Dusk, -5_400_000_000));
    assert_eq!(sun(sunrise), (SunEvent::Sunrise, 90_000_000));
    assert!(matches!(cron, Trigger::Cron(cron) if cron.text() == "@hourly"));
}

/// A house whose own kinds call their fields and arguments as others call conditions, with one action.
fn codes_of_action(action: &str) -> Vec<&'static str> {
    let house = r#"
format = 1
[kind.weather]
target.condition = ["sunny", "rainy"]
events.turned    = { when = "int" }
commands.show    = { args = { unless = { kind = "int", min = 0, max = 9, default = 1 } } }
[device.sky]
virtual = true
io.weather = { kind = "weather" }
io.button  = { kind = "button" }
"#;
    let text = format!("{house}[rule.a]\nwhen = \"sky.button.press\"\ndo = {action}\n");
    let loaded = load_texts([("mapping.toml", text)]);
    loaded.diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn fields_may_be_called_as_conditions_are_elsewhere() {
    for action in [
        r#"{ set = "sky.weather", condition = "sunny" }"#,
        r#"{ emit = "sky.weather.turned", when = 3 }"#,
        r#"{ command = "sky.weather.show", unless = 3 }"#,
    ] {
        assert_eq!(codes_of_action(action), [""; 0], "{action}");
    }
    for action in [
        r#"{ set = "sky.weather", condition = "sunny", if = "true" }"#,
        r#"{ emit = "sky.weather.turned", when = 3, condition = "true" }"#,
        r#"{ command = "sky.weather.show", when = "true" }"#,
        r#"{ wait = "3s", condition = "true" }"#,
    ] {
        assert_eq!(codes_of_action(action), ["unknown-key"], "{action}");
    }
    // What is not there may have had it.
    let action = r#"{ set = "sky.wether", condition = "sunny" }"#;
    assert_eq!(codes_of_action(action), ["unknown-channel"]);
}

#[test]
fn a_field_may_be_called_as_another_kind_of_action() {
    let loaded = load_texts([
        (
            "mapping.toml",
            "format = 1\n[kind.robot]\ntarget.scene = [\"go\", \"stay\"]\n\
             [device.arm]\nid = 1\nio.arm = { kind = \"robot\" }\nio.button = { kind = \"button\" }\n\
             [rule.go]\nwhen = \"arm.button.press\"\ndo = { set = \"arm.arm\", scene = \"go\" }\n"
                .to_owned(),
        ),
        (
            "tests/go.test.toml",
            "[test.go]\nsteps = [{ event = \"arm.button.press\", expect = [{ set = \"arm.arm\", scene = \"go\" }] }]\n"
                .to_owned(),
        ),
    ]);
    assert_eq!(loaded.diagnostics, []);
    let program = loaded.program.expect("it checks");
    let [
        Action::Set {
            channel, fields, ..
        },
    ] = &*only_rule(&program).actions
    else {
        panic!("{:?}", only_rule(&program).actions);
    };
    assert_eq!(program.channel_path(*channel), "arm.arm");
    assert_eq!(&*program[fields[0].0].name, "scene");
    let expected = loaded.tests[0].steps[0].expect.as_ref();
    assert_eq!(expected.map(Vec::len), Some(1));
}
