//! What the things of one program are in the program that takes over.

mod edited;
mod exchanges;
mod stated;

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
fn a_new_name_is_found_beside_what_is_new_altogether() {
    let another = "[rule.bell]\nwhen = { timer = \"alarm\" }\ndo = { start = \"alarm\", for = \"9m\" }\n\n[rule.lamp-off]";
    check(
        &[
            (
                "night = {",
                "silent = { kind = \"bool\", start = false }\ntonight = {",
            ),
            ("!var.night", "!var.tonight"),
        ],
        &["var night>tonight"],
    );
    check(
        &[("\"dark\"", "\"shade\""), ("[rule.lamp-off]", another)],
        &["timer dark>shade"],
    );
    check(
        &[
            (
                "io.lamp   =",
                "io.siren = { kind = \"dimmer\" }\nio.light =",
            ),
            ("hall.lamp", "hall.light"),
        ],
        &["channel lamp>light"],
    );
    check(
        &[
            (
                "[device.mode]",
                "[device.moods]\nvirtual = true\nio.evening = { kind = \"contact\" }\n\n[device.modes]",
            ),
            ("mode.evening", "modes.evening"),
        ],
        &["device mode>modes"],
    );
}

#[test]
fn a_virtual_device_and_its_channel_may_have_other_names_at_once() {
    let renamed = [
        ("device.mode]", "device.modes]"),
        ("io.evening", "io.dusk"),
        ("mode.evening", "modes.dusk"),
        ("late", "later"),
    ];
    let expected = [
        "device mode>modes",
        "channel evening>dusk",
        "var late>later",
    ];
    check(&renamed, &expected);
    let and_another = (
        "[device.modes]",
        "[device.moods]\nvirtual = true\nio.dusk = { kind = \"contact\" }\n\n[device.modes]",
    );
    check(&[&renamed[..], &[and_another]].concat(), &expected);
}

#[test]
fn rules_may_exchange_their_names() {
    let exchanged = [
        ("rule.lamp-on]", "rule.x]"),
        ("rule.lamp-off]", "rule.lamp-on]"),
        ("rule.x]", "rule.lamp-off]"),
    ];
    let both = ["rule lamp-off>lamp-on", "rule lamp-on>lamp-off"];
    check(&exchanged, &both);
    check(
        &exchanged[..2],
        &["rule lamp-off>lamp-on", "rule lamp-on>x"],
    );
    // They show nothing of what else has another name, and keep no other rule from showing it.
    let more = "[rule.more]\nwhen = \"hall.button.release\"\nif = \"var.night\"\ndo = \"hall.lamp.off\"\n\n[rule.lamp-on]";
    let old = program(&HOUSE.replace("[rule.lamp-on]", more));
    let text = exchanged
        .iter()
        .fold(HOUSE.to_owned(), |text, (from, to)| text.replace(from, to));
    let new = text.replace("[rule.lamp-off]", &more.replace("lamp-on", "lamp-off"));
    let new = program(&new.replace("night", "tonight"));
    assert_eq!(
        others(&old, &new),
        [&["var night>tonight"], &both[..]].concat()
    );
    let alone = program(&text.replace("night", "tonight"));
    assert_eq!(others(&program(HOUSE), &alone)[0], "var night");
}

#[test]
fn a_rule_that_only_says_what_another_one_says_is_not_that_one() {
    let house = |rules: &[(&str, &str)]| {
        let rules = rules.iter().map(|(name, to)| {
            format!("[rule.{name}]\nwhen = \"hall.online\"\ndo = \"hall.lamp.{to}\"\n")
        });
        let device = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";
        program(&(device.to_owned() + &rules.collect::<String>()))
    };
    let before = house(&[("a", "on"), ("b", "off")]);
    // A copy, also over another one: what it was copied from is there still.
    let copied = house(&[("c", "off"), ("a", "on"), ("b", "off")]);
    assert_eq!(others(&before, &copied), [""; 0]);
    let copied = house(&[("a", "off"), ("b", "off")]);
    assert_eq!(others(&before, &copied), [""; 0]);
    // One of two that are gone: nothing tells which.
    let before = house(&[("a", "on"), ("b", "off"), ("c", "off")]);
    assert_eq!(
        others(&before, &house(&[("a", "off")])),
        ["rule b", "rule c"]
    );
    // The only one: then the rule whose name it has is gone.
    let before = house(&[("a", "on"), ("b", "off")]);
    assert_eq!(
        others(&before, &house(&[("a", "off")])),
        ["rule a", "rule b>a"]
    );
}

#[test]
fn what_stands_in_the_place_of_two_things_is_neither() {
    let more = |var: &str| {
        let rule = format!(
            "[rule.more]\nwhen = \"hall.button.release\"\nif = \"var.{var}\"\ndo = \"hall.lamp.off\"\n"
        );
        format!("{HOUSE}\n{rule}")
    };
    let old = program(&more("late"));
    let one = more("both")
        .replace("late = { kind = \"bool\", start = false }\n", "")
        .replace("night = {", "both = {")
        .replace("!var.night", "!var.both")
        .replace("var = \"late\"", "var = \"both\"")
        .replace("&& var.late", "&& var.both");
    assert_eq!(others(&old, &program(&one)), ["var late", "var night"]);
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
    // A timer that another rule waits for.
    check(
        &[
            ("\"dark\", for", "\"shade\", for"),
            (
                "when = { timer = \"dark\" }",
                "when = \"hall.button.release\"",
            ),
            (
                "[rule.lamp-off]",
                "[rule.more]\nwhen = { timer = \"shade\" }\ndo = \"hall.lamp.on\"\n\n[rule.lamp-off]",
            ),
        ],
        &["timer dark"],
    );
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

/// A house with a variable of each number up to `links`, which begin with `letter`, and a rule for each two neighbours. Its
/// timer, and a variable that another rule asks for, are called `timer`; the first rule does `first`. Beside each variable stands
/// one that is used alike.
fn chain(links: usize, letter: char, timer: &str, first: &str) -> Arc<Program> {
    let (head, _) = HOUSE.split_once("[var]").expect("the house has variables");
    let rules = (0..links).map(|link| {
        let (next, action) = (link + 1, if link == 0 { first } else { "hall.lamp.on" });
        format!(
            r#"
[rule.link-{link}]
when = "hall.button.press"
if = "var.{letter}{link} && var.{letter}{next} && var.{letter}{link}_b && var.{letter}{next}_b"
do = "{action}"
"#
        )
    });
    let var = |name: String| format!("[var.{name}]\nkind = \"bool\"\nstart = false\n");
    let vars = (0..=links).map(|link| format!("{letter}{link}"));
    let vars = vars.chain([timer.to_owned()]);
    let vars = vars.map(|name| var(format!("{name}_b")) + &var(name));
    let timed = format!(
        r#"
[rule.timed]
when = "hall.button.press"
if = "!var.{timer} && !var.{timer}_b"
do = {{ start = "{timer}", for = "5m" }}

[rule.dark]
when = {{ timer = "{timer}" }}
do = "hall.lamp.off"
"#
    );
    let text: String = rules.chain(vars).collect();
    program(&format!("{head}{timed}{text}"))
}

#[test]
fn an_edit_against_pair_after_pair_is_followed_for_a_while_and_then_all_are_given_up() {
    let renamed = |links: usize| {
        let before = chain(links, 'v', "dark", "hall.lamp.on");
        others(&before, &chain(links, 'w', "dusk", "hall.lamp.off"))
    };
    let gone = |links: usize| (0..=links).map(|link| format!("var v{link}"));
    let short = renamed(5);
    assert!(gone(5).all(|gone| short.contains(&gone)), "{short:?}");
    assert!(short.contains(&"var dark>dusk".to_owned()), "{short:?}");
    let long = renamed(60);
    assert!(gone(60).all(|gone| long.contains(&gone)), "{long:?}");
    assert!(long.contains(&"var dark".to_owned()), "{long:?}");
}

#[test]
fn a_timer_goes_on_where_all_its_rules_have_other_names_too() {
    check(
        &[
            ("\"dark\"", "\"shade\""),
            ("rule.lamp-on]", "rule.come]"),
            ("rule.lamp-off]", "rule.go]"),
        ],
        &["timer dark>shade", "rule lamp-off>go", "rule lamp-on>come"],
    );
    // Two timers, and rules that differ in nothing but them: nobody can tell which was which.
    let house = |rules: &[&str], timers: &[&str]| {
        let rules = rules.iter().zip(timers).map(|(rule, timer)| {
            let start = format!("{{ start = \"{timer}\", for = \"5m\" }}");
            let on = format!("[rule.{rule}-on]\nwhen = \"hall.online\"\ndo = {start}\n");
            let off = format!("[rule.{rule}-off]\nwhen = {{ timer = \"{timer}\" }}\n");
            on + &off + "do = \"hall.lamp.off\"\n"
        });
        let device = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";
        program(&(device.to_owned() + &rules.collect::<String>()))
    };
    let both = house(&["a", "b"], &["one", "two"]);
    let others_now = house(&["c", "d"], &["three", "four"]);
    let gone = others(&both, &others_now);
    assert!(gone.contains(&"timer one".to_owned()), "{gone:?}");
    assert!(gone.contains(&"timer two".to_owned()), "{gone:?}");
    // Where one of them kept its names the other one can be told.
    let one_now = house(&["a", "d"], &["one", "four"]);
    let found = others(&both, &one_now);
    assert!(found.contains(&"timer two>four".to_owned()), "{found:?}");
}

#[test]
fn a_timer_that_a_new_rule_uses_as_well_is_another_one() {
    let more = "[rule.more]\nwhen = { timer = \"shade\" }\ndo = \"hall.lamp.on\"\n\n[rule.go]";
    check(
        &[
            ("\"dark\"", "\"shade\""),
            ("rule.lamp-on]", "rule.come]"),
            ("[rule.lamp-off]", more),
        ],
        &["timer dark", "rule lamp-off", "rule lamp-on"],
    );
}

#[test]
fn a_kind_and_a_channel_of_it_may_have_other_names_at_once() {
    let house = |kind: &str, says: &str, channel: &str| {
        program(&format!(
            "[kind.{kind}]\ntarget.{says} = [\"low\", \"high\"]\n\n[device.door]\nvirtual = true\n\
             io.{channel} = {{ kind = \"{kind}\" }}\n\n[device.hall]\nid = 1\nio.button = {{ kind = \"button\" }}\n\n\
             [rule.loud]\nwhen = \"hall.button.press\"\ndo = {{ set = \"door.{channel}\", {says} = \"high\" }}\n"
        ))
    };
    let before = house("siren", "tone", "siren");
    assert_eq!(
        others(&before, &house("horn", "tone", "brass")),
        ["channel siren>brass"]
    );
    // One that holds something else is another kind.
    let gone = others(&before, &house("horn", "sound", "brass"));
    assert_eq!(gone, ["channel siren"]);
}
