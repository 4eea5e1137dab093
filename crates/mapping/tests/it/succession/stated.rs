//! What `[renamed]` says of names goes on under the new ones, whatever the rules show.

use super::{HOUSE, others, program};

/// The house with these edits and lines below `[renamed]`.
fn house(edits: &[(&str, &str)], lines: &[&str]) -> String {
    let mut text = HOUSE.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    format!("{text}\n[renamed]\n{}\n", lines.join("\n"))
}

#[track_caller]
fn check(edits: &[(&str, &str)], lines: &[&str], expected: &[&str]) {
    let new = program(&house(edits, lines));
    assert_eq!(others(&program(HOUSE), &new), expected);
    // It may stay there for ever.
    assert_eq!(others(&new, &new), [""; 0]);
}

/// Nothing in the rules shows it: they have other names, and say something else.
const REWRITTEN: [(&str, &str); 3] = [("lamp-o", "light-o"), ("if = ", "#if"), ("5m", "6m")];

fn rewritten<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&REWRITTEN[..], more].concat()
}

#[test]
fn what_the_mapping_says_is_so_where_no_rule_shows_it() {
    let gone = ["rule lamp-off", "rule lamp-on"];
    let with = |first: &'static str| [&[first], &gone[..]].concat();
    check(
        &rewritten(&[("late", "later")]),
        &["\"var.late\" = \"var.later\""],
        &with("var late>later"),
    );
    check(&rewritten(&[("late", "later")]), &[], &with("var late"));
    check(
        &rewritten(&[("\"dark\"", "\"shade\"")]),
        &["\"timer.dark\" = \"timer.shade\""],
        &with("timer dark>shade"),
    );
    check(
        &rewritten(&[("io.lamp ", "io.light "), ("hall.lamp", "hall.light")]),
        &["\"hall.lamp\" = \"hall.light\""],
        &with("channel lamp>light"),
    );
    check(
        &rewritten(&[("device.mode]", "device.modes]"), ("mode.e", "modes.e")]),
        &["\"mode\" = \"modes\""],
        &with("device mode>modes"),
    );
    check(
        &rewritten(&[]),
        &[
            "\"rule.lamp-on\" = \"rule.light-on\"",
            "\"rule.lamp-off\" = \"rule.light-off\"",
        ],
        &["rule lamp-off>light-off", "rule lamp-on>light-on"],
    );
}

#[test]
fn a_line_about_a_channel_says_how_its_device_is_called_too() {
    check(
        &rewritten(&[
            ("device.mode]", "device.modes]"),
            ("io.evening", "io.dusk"),
            ("mode.evening", "modes.dusk"),
        ]),
        &["\"mode.evening\" = \"modes.dusk\""],
        &[
            "device mode>modes",
            "channel evening>dusk",
            "rule lamp-off",
            "rule lamp-on",
        ],
    );
    // Of a device with a number the channel is found by that, whichever of its names was written down.
    for device in ["hall", "corridor", "between"] {
        check(
            &[
                ("device.hall]", "device.corridor]"),
                ("hall.", "corridor."),
                ("io.lamp ", "io.light "),
                ("corridor.lamp", "corridor.light"),
                ("5m", "6m"),
                ("if = \"state", "#"),
            ],
            &[&format!("\"{device}.lamp\" = \"corridor.light\"")],
            &["device hall>corridor", "channel lamp>light"],
        );
    }
}

#[test]
fn names_may_lead_from_one_to_the_next() {
    let lines = [
        "\"var.late\" = \"var.later\"",
        "\"var.later\" = \"var.latest\"",
    ];
    let edits = rewritten(&[("late", "latest")]);
    let new = program(&house(&edits, &lines));
    for (name, told) in [("late", "late>latest"), ("later", "later>latest")] {
        let old = program(&HOUSE.replace("late", name));
        assert_eq!(others(&old, &new)[0], format!("var {told}"));
    }
    let named = program(&HOUSE.replace("late", "latest"));
    assert_eq!(others(&named, &new), ["rule lamp-off", "rule lamp-on"]);
    // Who had both held two things; the newer name is the one.
    let both = HOUSE.replace(
        "late = {",
        "later = { kind = \"bool\", start = false }\nlate = {",
    );
    let told = others(&program(&both), &new);
    assert_eq!(told[..2], ["var late", "var later>latest"]);
}

#[test]
fn a_line_counts_for_nobody_who_has_the_new_name_or_still_has_the_old_one() {
    // The house had both: the one is gone.
    let both = HOUSE.replace(
        "late = {",
        "later = { kind = \"bool\", start = false }\nlate = {",
    );
    let lines = ["\"var.late\" = \"var.later\""];
    let new = program(&house(&rewritten(&[("late", "later")]), &lines));
    assert_eq!(others(&program(&both), &new)[0], "var late");
    // The mapping has both: the other one is new.
    let new = program(&format!("{both}\n[renamed]\n{}\n", lines[0]));
    assert_eq!(others(&program(HOUSE), &new), [""; 0]);
}

#[test]
fn what_is_declared_as_something_else_does_not_go_on() {
    check(
        &rewritten(&[
            (
                "late = { kind = \"bool\", start = false }",
                "later = { kind = \"number\" }",
            ),
            (", { var = \"late\", to = true }", ""),
        ]),
        &["\"var.late\" = \"var.later\""],
        &["var late", "rule lamp-off", "rule lamp-on"],
    );
    check(
        &rewritten(&[
            (
                "io.lamp   = { kind = \"dimmer\" }",
                "io.light = { kind = \"switch\" }",
            ),
            ("hall.lamp", "hall.light"),
        ]),
        &["\"hall.lamp\" = \"hall.light\""],
        &["channel lamp", "rule lamp-off", "rule lamp-on"],
    );
}

#[test]
fn a_line_comes_before_what_the_rules_show() {
    // The rules show that `late` stands where `night` stood, and the other way round.
    let lines = ["\"var.night\" = \"var.one\"", "\"var.late\" = \"var.two\""];
    let swapped = [
        ("night = {", "one = {"),
        ("late = {", "two = {"),
        ("!var.night", "!var.two"),
        ("var = \"late\"", "var = \"one\""),
        ("&& var.late", "&& var.one"),
    ];
    check(&swapped, &lines, &["var late>two", "var night>one"]);
    // A rule that has another name by a line shows what else has, as one that keeps its name does.
    check(
        &[("rule.lamp-on]", "rule.come]"), ("night", "tonight")],
        &["\"rule.lamp-on\" = \"rule.come\""],
        &["var night>tonight", "rule lamp-on>come"],
    );
    check(
        &[("rule.lamp-on]", "rule.come]"), ("night", "tonight")],
        &[],
        &["var night", "rule lamp-on"],
    );
}

#[test]
fn a_number_says_more_than_a_line() {
    let two = |names: [&str; 2], lines: &str| {
        let device =
            |name, id| format!("[device.{name}]\nid = {id}\nio.x = {{ kind = \"switch\" }}\n");
        program(&format!(
            "{}{}[renamed]\n{lines}\n",
            device(names[0], 1),
            device(names[1], 2)
        ))
    };
    let (old, new) = (two(["a", "b"], ""), two(["c", "d"], "a = \"d\"\nb = \"c\""));
    assert_eq!(others(&old, &new), ["device a>c", "device b>d"]);
}

#[test]
fn what_no_rule_speaks_of_is_gone_and_new() {
    let with = |vars: &str, devices: &str| {
        let device = |name: &str| {
            format!("[device.{name}]\nvirtual = true\nio.on = {{ kind = \"switch\" }}\n")
        };
        let vars = vars
            .split(' ')
            .map(|var| format!("[var.{var}]\nkind = \"bool\"\nkeep = true\n"));
        format!(
            "{HOUSE}\n{}{}",
            vars.collect::<String>(),
            devices.split(' ').map(device).collect::<String>()
        )
    };
    let old = program(&with("holiday", "panel"));
    let text = with("armed", "siren");
    assert_eq!(
        others(&old, &program(&text)),
        ["device panel", "channel on", "var holiday"]
    );
    let lines = "[renamed]\n\"var.holiday\" = \"var.armed\"\npanel = \"siren\"\n";
    assert_eq!(
        others(&old, &program(&format!("{text}{lines}"))),
        ["device panel>siren", "var holiday>armed"]
    );
}
