//! What is proposed at a place.

use serde_json::{Value as Json, json};

use crate::harness::{DEVICES, Editor, RULES};

/// Labels at the `|`, which stands in a file of its own beside the others.
fn labels(name: &str, marked: &str) -> Vec<String> {
    let mut editor = Editor::new();
    let answer = editor.ask_at("textDocument/completion", name, marked, &json!({}));
    let items = answer["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    items
        .iter()
        .map(|item| item["label"].as_str().expect("a label").to_owned())
        .collect()
}

fn check(name: &str, marked: &str, expected: &[&str], others: &[&str]) {
    let found = labels(name, marked);
    let marked = marked
        .lines()
        .find(|line| line.contains('|') && !line.contains("||"))
        .unwrap_or_default();
    for label in expected {
        assert!(
            found.iter().any(|found| found == label),
            "{marked}: {label} is not in {found:?}"
        );
    }
    for label in others {
        assert!(
            !found.iter().any(|found| found == label),
            "{marked}: {label} is in {found:?}"
        );
    }
}

fn in_rules(more: &str) -> String {
    format!("{RULES}\n{more}")
}

#[test]
fn keys_of_each_table_that_are_not_there_yet() {
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = \"a\"\n|"),
        &["do", "if", "limit"],
        &["when", "id"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nl|"),
        &["limit", "when"],
        &["id"],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[device.x]\n|"),
        &["id", "board", "io", "virtual"],
        &["when"],
    );
    check("devices.toml", "[home]\n|", &["timezone"], &["id"]);
    check(
        "devices.toml",
        &format!("{DEVICES}\n[|"),
        &["device", "rule", "var", "scene"],
        &["test", "format"],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\n|",
        &["steps", "given", "start"],
        &["when"],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\nsteps = [{ |",
        &["event", "expect", "at"],
        &["when"],
    );
    check(
        "blocklist.toml",
        "[[block]]\n|",
        &["device", "id", "why"],
        &["when"],
    );
}

#[test]
fn options_of_a_channel_s_kind() {
    let marked =
        |kind: &str| format!("{DEVICES}\n[device.x]\nid = 9\nio.l = {{ kind = \"{kind}\", | }}");
    check(
        "devices.toml",
        &marked("dimmer"),
        &["pwm_hz", "at_boot", "pin"],
        &["kind", "debounce_ms"],
    );
    check(
        "devices.toml",
        &marked("button"),
        &["debounce_ms", "pull"],
        &["pwm_hz"],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[device.x]\nio.l = {{ kind = \"|\" }}"),
        &["dimmer", "button", "lux"],
        &[],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[device.x]\nboard = \"|\""),
        &["esp32-c3"],
        &[],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[device.x]\nio.l = {{ kind = \"button\", pull = \"|\" }}"),
        &["up", "down", "none"],
        &[],
    );
}

#[test]
fn events_commands_scenes_and_timers_in_their_places() {
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = \"|\""),
        &[
            "hall.motion.start",
            "desk.button.double",
            "*.offline",
            "desk.keys.press",
        ],
        &["hall.lamp.on"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = \"hall.mo|"),
        &["hall.motion.start"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = |"),
        &["hall.motion.start", "{ timer = }"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { | }"),
        &["timer", "holds", "gesture", "at"],
        &["when"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { gesture = \"|\""),
        &["double", "long"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { gesture = \"long\", |"),
        &["on", "hold"],
        &["gesture", "timer"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { gesture = \"long\", on = \"|\""),
        &["desk.button"],
        &["hall.lamp"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { timer = \"|\" }"),
        &["hall-off"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = \"|\""),
        &["hall.lamp.on", "lights.off", "hall.lamp.toggle"],
        &["hall.motion.start"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = [\"hall.lamp.on\", { scene = \"|\" }]"),
        &["movie"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { command = \"|\" }"),
        &["hall.lamp.brighter", "hall.lamp.on"],
        &["hall.lamp", "hall.motion.start"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { command = \"hall.lamp.brighter\", | }"),
        &["step"],
        &["command", "brightness", "set"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { command = \"hall.lamp.brighter\", step = \"${var.|\" }"),
        &["night"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { set = \"|\" }"),
        &["hall.lamp", "lights"],
        &["hall.lux"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { set = \"hall.lamp\", | }"),
        &["on", "brightness", "fade"],
        &["set", "scene"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { set = \"desk.lamp\", | }"),
        &["on"],
        &["brightness"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { set = \"desk.lamp\", on = | }"),
        &["true", "false"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { var = \"mood\", to = \"|\" }"),
        &["calm", "loud"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nallow = [\"|\"]"),
        &["two-writers"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nmode = \"|\""),
        &["restart", "single"],
        &[],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[scene.x]\n|"),
        &["hall", "desk", "lights"],
        &[],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[scene.x]\nhall.|"),
        &["lamp"],
        &["motion"],
    );
    check(
        "devices.toml",
        &format!("{DEVICES}\n[scene.x]\nhall.lamp = {{ |"),
        &["on", "brightness"],
        &[],
    );
    check(
        "devices.toml",
        &DEVICES.replace("lights = [", "lights = [\"|\", "),
        &["hall", "desk.lamp"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\nsteps = [{ event = \"desk.keys.press\", with = { | } }]",
        &["key", "velocity"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\nsteps = [{ by = \"|\" }]",
        &["hall-motion"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { var = { | } }",
        &["night", "mood"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\nsteps = [{ fired = { | } }]",
        &["hall-motion", "key"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\nonly = [\"|\"]",
        &["hall-motion", "key"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { holds = { | } }",
        &["hall-motion", "key"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { holds = { key = \"|\" } }",
        &["fired"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { age = { | } }",
        &["hall", "desk"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { age.hall = { | } }",
        &["lamp"],
        &[],
    );
    check(
        "tests/house.test.toml",
        "[test.x]\ngiven = { timers = { | } }",
        &["hall-off"],
        &["hall-motion"],
    );
    for key in ["on_for", "kept"] {
        check(
            "tests/house.test.toml",
            &format!("[test.x]\ngiven = {{ {key}.hall = {{ | }} }}"),
            &["lamp"],
            &["lux", "motion"],
        );
    }
}

#[test]
fn names_fields_and_functions_in_expressions() {
    let rule = |condition: &str| {
        in_rules(&format!(
            "[rule.x]\nwhen = \"desk.keys.press\"\nif = \"{condition}"
        ))
    };
    check(
        "rules.toml",
        &rule("|\""),
        &["event", "state", "var", "sun", "between", "lights", "hall"],
        &["online"],
    );
    check("rules.toml", &rule("event.|\""), &["key", "velocity"], &[]);
    check("rules.toml", &rule("1 < state.|"), &["hall", "desk"], &[]);
    check(
        "rules.toml",
        &rule("state.hall.|\""),
        &["lamp", "lux", "motion"],
        &[],
    );
    check("rules.toml", &rule("target.hall.|\""), &["lamp"], &["lux"]);
    check(
        "rules.toml",
        &rule("state.hall.lamp.|\""),
        &["on", "brightness"],
        &[],
    );
    check("rules.toml", &rule("var.n|"), &["night", "mood"], &[]);
    check("rules.toml", &rule("sun.|"), &["is_down", "elevation"], &[]);
    check("rules.toml", &rule("now.|"), &["hour", "weekday"], &[]);
    check("rules.toml", &rule("!hall.|"), &["online"], &["lamp"]);
    check(
        "rules.toml",
        &rule("lights.|"),
        &["all", "exists", "count"],
        &[],
    );
    check(
        "rules.toml",
        &rule("var.mood == '|"),
        &[],
        &["event", "state"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { at = \"07:00\" }\nif = \"|\""),
        &["state"],
        &["event"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { holds = \"state.|\" }"),
        &["hall"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { notify = \"all\", text = \"it is ${state.|\" }"),
        &["hall"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { notify = \"all\", text = \"it is |\" }"),
        &[],
        &["state"],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\ndo = { set = \"hall.lamp\", brightness = \"${var.|\" }"),
        &["night"],
        &[],
    );
}

#[test]
fn a_step_of_a_sequence_has_its_own_event() {
    let step = |more: &str| {
        in_rules(&format!(
            "[rule.x]\nwhen = {{ sequence = [\"desk.button.press\", {{ {more}"
        ))
    };
    check(
        "rules.toml",
        &step("event = \"|\" }]"),
        &["desk.keys.press", "desk.button.press"],
        &["hall.lamp.on"],
    );
    check(
        "rules.toml",
        &step("event = \"desk.keys.press\", |"),
        &["if"],
        &["event"],
    );
    check(
        "rules.toml",
        &step("event = \"desk.keys.press\", if = \"event.|\" }]"),
        &["key", "velocity"],
        &[],
    );
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen = { holds = \"|\" }"),
        &["state"],
        &["event"],
    );
}

#[test]
fn kinds_of_the_house_s_own_are_completed() {
    let kind = "[kind.siren]\ntarget.on = \"bool\"\nevents.rang = { by = [\"hand\", \"wind\"] }\ncommands.mute = { toggle = \"on\" }\n";
    let house = |more: &str| {
        format!(
            "{DEVICES}\n{kind}\n[device.roof]\nid = 9\nio.siren = {{ kind = \"siren\" }}\n{more}"
        )
    };
    check(
        "devices.toml",
        &house("io.x = { kind = \"|\" }"),
        &["siren", "dimmer"],
        &[],
    );
    check(
        "devices.toml",
        &house("[rule.x]\nwhen = \"|\""),
        &["roof.siren.rang"],
        &[],
    );
    check(
        "devices.toml",
        &house("[rule.x]\ndo = \"|\""),
        &["roof.siren.mute"],
        &[],
    );
    check(
        "devices.toml",
        &house("[rule.x]\ndo = { set = \"roof.siren\", |"),
        &["on"],
        &["brightness"],
    );
    check(
        "devices.toml",
        &house("[kind.bell]\n|"),
        &["events", "target", "commands"],
        &["when"],
    );
}

#[test]
fn nothing_is_proposed_in_comments_or_behind_a_key() {
    check("rules.toml", &in_rules("[rule.x]\n# |"), &[], &["when"]);
    check(
        "rules.toml",
        &in_rules("[rule.x]\nwhen |"),
        &[],
        &["when", "do"],
    );
}

/// Applies a proposal as an editor does.
fn apply(marked: &str, label: &str) -> String {
    let mut editor = Editor::new();
    let marked = in_rules(marked);
    let answer = editor.ask_at("textDocument/completion", "rules.toml", &marked, &json!({}));
    let items = answer["items"].as_array().expect("a list");
    let item = items
        .iter()
        .find(|item| item["label"] == label)
        .expect(label);
    let text = marked.replacen('|', "", 1);
    let byte = |position: &Json| {
        let line = position["line"].as_u64().expect("a line") as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let units = position["character"].as_u64().expect("a column") as usize;
        let mut left = units;
        let mut at = start;
        for letter in text[start..].chars() {
            if left == 0 {
                break;
            }
            left -= letter.len_utf16();
            at += letter.len_utf8();
        }
        at
    };
    let edit = &item["textEdit"];
    let (start, end) = (byte(&edit["range"]["start"]), byte(&edit["range"]["end"]));
    let new = edit["newText"].as_str().expect("a text");
    let text = format!("{}{new}{}", &text[..start], &text[end..]);
    text.lines().last().expect("a line").to_owned()
}

#[test]
fn a_proposal_replaces_what_is_typed_and_nothing_else() {
    for (marked, label, expected) in [
        (
            "[rule.x]\nwhen = \"hall.m|\" # 𝄞",
            "hall.motion.start",
            "when = \"hall.motion.start\" # 𝄞",
        ),
        (
            "[rule.x]\nwhen = \"ha|ll.x\"",
            "hall.motion.start",
            "when = \"hall.motion.start\"",
        ),
        (
            "[rule.x]\nwhen = |",
            "hall.motion.start",
            "when = \"hall.motion.start\"",
        ),
        ("[rule.x]\nli|", "limit", "limit = "),
        (
            "[rule.x]\nif = \"'𝄞ä' == var.mo|\"",
            "mood",
            "if = \"'𝄞ä' == var.mood\"",
        ),
        (
            "[rule.x]\nif = \"sta| < 5\"",
            "state",
            "if = \"state. < 5\"",
        ),
        (
            "[rule.x]\ndo = { set = \"hall.lamp\", bri|",
            "brightness",
            "do = { set = \"hall.lamp\", brightness = ",
        ),
        ("[ru|", "rule", "[rule."),
    ] {
        assert_eq!(apply(marked, label), expected, "{marked}");
    }
}

#[test]
fn what_has_another_name_now_is_completed_by_the_one_of_today() {
    check(
        "rules.toml",
        &in_rules("[renamed]\n\"var.dark\" = \"|\"\n"),
        &["hall", "hall.lamp", "var.night"],
        &["night", "hall.lamp.on"],
    );
    check("rules.toml", &in_rules("[|"), &["renamed"], &[]);
}
