//! What the things of one program are in the program that takes over.

use std::sync::Arc;

use mapping::{
    Program, load_texts,
    program::{RuleIx, Succession},
    render,
};

const HOUSE: &str = r#"
[home]
timezone = "Europe/Berlin"

[device.hall]
id = 21
io.lamp   = { kind = "dimmer" }
io.button = { kind = "button" }

[device.mode]
virtual = true
io.evening = { kind = "contact" }

[var]
night = { kind = "bool", start = false }
late = { kind = "bool", start = false }

[rule.lamp-on]
when = "hall.button.press"
if = "!var.night"
do = ["hall.lamp.on", { start = "dark", for = "5m" }, { var = "late", to = true }]

[rule.lamp-off]
when = { timer = "dark" }
if = "state.mode.evening == 'open' && var.late"
do = "hall.lamp.off"
"#;

fn program(text: &str) -> Arc<Program> {
    let loaded = load_texts([("mapping.toml", text)]);
    let problems = render(&loaded.sources, &loaded.diagnostics, false);
    loaded.program.unwrap_or_else(|| panic!("{problems}"))
}

/// What each thing that has another name now is called: `kind old>new`, and what is gone: `kind old`.
fn others(old: &Program, new: &Program) -> Vec<String> {
    let succession = Succession::new(old, new);
    let mut others = Vec::new();
    let mut tell = |kind: &str, was: &str, is: Option<&Arc<str>>| match is {
        Some(is) if **is == *was => {}
        Some(is) => others.push(format!("{kind} {was}>{is}")),
        None => others.push(format!("{kind} {was}")),
    };
    for (name, ix) in &old.names.devices {
        tell(
            "device",
            name,
            succession.device(*ix).map(|is| &new[is].name),
        );
        for channel in &old[*ix].channels {
            let is = succession.channel(*channel).map(|is| &new[is].name);
            tell("channel", &old[*channel].name, is);
        }
    }
    for (name, ix) in &old.names.vars {
        tell("var", name, succession.var(*ix).map(|is| &new[is].name));
    }
    for (name, ix) in &old.names.timers {
        tell("timer", name, succession.timer(*ix).map(|is| &new[is].name));
    }
    for (name, ix) in &old.names.rules {
        tell("rule", name, succession.rule(*ix).map(|is| &new[is].name));
    }
    others
}

#[track_caller]
fn check(edits: &[(&str, &str)], expected: &[&str]) {
    let (old, mut text) = (program(HOUSE), HOUSE.to_owned());
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let new = program(&text);
    assert_eq!(others(&old, &new), expected);
    // And back.
    let back: Vec<String> = expected
        .iter()
        .filter_map(|line| {
            let (kind, names) = line.split_once(' ')?;
            let (was, is) = names.split_once('>')?;
            Some(format!("{kind} {is}>{was}"))
        })
        .collect();
    let found = others(&new, &old);
    assert!(back.iter().all(|line| found.contains(line)), "{found:?}");
}

#[test]
fn each_thing_may_have_another_name() {
    check(
        &[("device.hall]", "device.corridor]"), ("hall.", "corridor.")],
        &["device hall>corridor"],
    );
    check(
        &[("io.lamp", "io.light"), ("hall.lamp", "hall.light")],
        &["channel lamp>light"],
    );
    check(
        &[("device.mode]", "device.modes]"), ("mode.", "modes.")],
        &["device mode>modes"],
    );
    check(&[("night", "dark_outside")], &["var night>dark_outside"]);
    check(&[("\"dark\"", "\"shade\"")], &["timer dark>shade"]);
    check(&[("lamp-on", "light-on")], &["rule lamp-on>light-on"]);
}

#[test]
fn several_may_have_other_names_at_once() {
    check(
        &[
            ("night", "tonight"),
            ("late", "later"),
            ("hall.lamp", "hall.light"),
            ("io.lamp", "io.light"),
        ],
        &["channel lamp>light", "var late>later", "var night>tonight"],
    );
    check(
        &[("lamp-o", "light-o")],
        &["rule lamp-off>light-off", "rule lamp-on>light-on"],
    );
}

#[test]
fn nothing_goes_on_that_nobody_began() {
    // Another channel, another timer and other rules of the same shape: nothing tells that they are the old ones.
    check(
        &[
            ("io.lamp", "io.siren"),
            ("hall.lamp", "hall.siren"),
            ("\"dark\"", "\"loud\""),
            ("lamp-o", "siren-o"),
        ],
        &[
            "channel lamp",
            "timer dark",
            "rule lamp-off",
            "rule lamp-on",
        ],
    );
    check(
        &[("late", "gone"), ("lamp-o", "other-o")],
        &["var late", "rule lamp-off", "rule lamp-on"],
    );
}

#[test]
fn what_the_rules_use_otherwise_is_another_thing() {
    // Both are declared alike: but the one is read where the other was written.
    check(
        &[
            ("night = {", "silent = {"),
            ("!var.night", "!var.late"),
            ("&& var.late", "&& var.silent"),
        ],
        &["var night"],
    );
    check(
        &[
            (
                "night = { kind = \"bool\", start = false }",
                "dim = { kind = \"number\", start = 3, min = 0, max = 5 }",
            ),
            ("!var.night", "var.dim < 2"),
        ],
        &["var night"],
    );
    check(&[("\"dark\"", "\"shade\""), ("5m", "6m")], &["timer dark"]);
}

#[test]
fn another_number_is_another_device_and_another_rule_another_rule() {
    check(
        &[
            ("device.hall]", "device.attic]"),
            ("hall.", "attic."),
            ("id = 21", "id = 22"),
        ],
        // Its channels with it, and rules keep their names.
        &["device hall", "channel lamp", "channel button"],
    );
    check(
        &[
            ("[rule.lamp-on]", "[rule.lamp-bright]"),
            ("hall.lamp.on", "hall.lamp.toggle"),
        ],
        &["rule lamp-on"],
    );
}

#[test]
fn devices_that_change_numbers_change_places() {
    let two = |first: u32, second: u32| {
        program(&format!(
            "[device.a]\nid = {first}\nio.x = {{ kind = \"switch\" }}\n[device.b]\nid = {second}\nio.x = {{ kind = \"switch\" }}\n"
        ))
    };
    assert_eq!(others(&two(1, 2), &two(2, 1)), ["device a>b", "device b>a"]);
    // One keeps its number under the name of the other, whose number is new: they are not both the first.
    assert_eq!(
        others(&two(1, 2), &two(3, 1)),
        ["device a>b", "device b", "channel x"]
    );
}

#[test]
fn a_rule_is_the_same_however_it_is_written() {
    let (old, new) = (
        program(HOUSE),
        program(&HOUSE.replace("!var.night", " ! ( var.night ) ")),
    );
    let succession = Succession::new(&old, &new);
    assert_ne!(old[RuleIx(0)].fingerprint, new[RuleIx(0)].fingerprint);
    assert!(succession.is_same_rule(&old[RuleIx(0)], &new[RuleIx(0)]));
    assert!(!succession.is_same_rule(&old[RuleIx(0)], &new[RuleIx(1)]));
    let slower = program(&HOUSE.replace("5m", "6m"));
    let succession = Succession::new(&old, &slower);
    assert!(!succession.is_same_rule(&old[RuleIx(0)], &slower[RuleIx(0)]));
}
