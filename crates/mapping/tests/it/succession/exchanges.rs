//! Names that were exchanged in one edit, and edits that only look so.

use super::{others, program};

/// Each pair here is declared alike, and every rule tells its one from the other.
const TWINS: &str = r#"
[device.hall]
id = 21
board = "esp32-c3"
io.lamp  = { kind = "switch", pin = 4 }
io.siren = { kind = "switch", pin = 5 }
io.button = { kind = "button", pin = 6 }

[device.attic]
id = 22
io.fan  = { kind = "switch" }
io.heat = { kind = "switch" }

[device.guests]
virtual = true
io.here = { kind = "contact" }

[device.party]
virtual = true
io.here = { kind = "contact" }

[var]
night = { kind = "bool", start = false }
late  = { kind = "bool", start = false }

[rule.light]
when = "hall.button.press"
if   = "!var.night && state.guests.here == 'open'"
do   = ["hall.lamp.on", { start = "short", for = "5m" }, "attic.fan.on"]

[rule.dark]
when = { timer = "short" }
do   = "hall.lamp.off"

[rule.alarm]
when = "hall.button.release"
if   = "var.late && state.party.here == 'open'"
do   = ["hall.siren.on", { start = "long", for = "9m" }, "attic.heat.on"]

[rule.quiet]
when = { timer = "long" }
do   = "hall.siren.off"
"#;

/// `text` with `one` for `other` and the reverse, as whole words.
fn exchanged(text: &str, one: &str, other: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut words = text.split_inclusive(|c| !is_word(c)).map(|piece| {
        let word = piece.trim_end_matches(|c| !is_word(c));
        let rest = &piece[word.len()..];
        let word = match word {
            word if word == one => other,
            word if word == other => one,
            word => word,
        };
        format!("{word}{rest}")
    });
    words.by_ref().collect()
}

/// `text` with `from` replaced, which it must hold.
#[track_caller]
fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (old, new) = (program(TWINS), program(text));
    assert_eq!(others(&old, &new), expected);
    // And back; an exchange is its own way back.
    let back = others(&new, &old);
    let missing = expected
        .iter()
        .filter(|line| !back.contains(&(**line).to_owned()));
    assert_eq!(missing.count(), 0, "{back:?}");
}

#[test]
fn variables_may_exchange_their_names() {
    let both = ["var late>night", "var night>late"];
    check(&exchanged(TWINS, "night", "late"), &both);
    // What tells them apart is enough, wherever they stand.
    let counted = edited(
        TWINS,
        "late  = { kind = \"bool\"",
        "late  = { keep = true, kind = \"bool\"",
    );
    let sorted = exchanged(&counted, "night", "late");
    let lines = (
        "late = { kind = \"bool\", start = false }\n",
        "night  = { keep = true, kind = \"bool\", start = false }\n",
    );
    let sorted = edited(
        &sorted,
        &format!("{}{}", lines.0, lines.1),
        &format!("{}{}", lines.1, lines.0),
    );
    assert_eq!(others(&program(&counted), &program(&sorted)), both);
}

#[test]
fn timers_may_exchange_their_names() {
    check(
        &exchanged(TWINS, "short", "long"),
        &["timer long>short", "timer short>long"],
    );
}

#[test]
fn channels_may_exchange_their_names() {
    let both = ["channel lamp>siren", "channel siren>lamp"];
    check(&exchanged(TWINS, "lamp", "siren"), &both);
    check(
        &exchanged(TWINS, "fan", "heat"),
        &["channel fan>heat", "channel heat>fan"],
    );
    // The pins went with the names, though nothing stands where it stood.
    let (lamp, siren) = (
        "io.lamp  = { kind = \"switch\", pin = 4 }\n",
        "io.siren = { kind = \"switch\", pin = 5 }\n",
    );
    let sorted = edited(TWINS, &format!("{lamp}{siren}"), &format!("{siren}{lamp}"));
    check(&exchanged(&sorted, "lamp", "siren"), &both);
}

#[test]
fn virtual_devices_may_exchange_their_names() {
    check(
        &exchanged(TWINS, "guests", "party"),
        &["device guests>party", "device party>guests"],
    );
}

#[test]
fn everything_may_exchange_its_name_at_once() {
    let pairs = [
        ("guests", "party"),
        ("lamp", "siren"),
        ("fan", "heat"),
        ("night", "late"),
        ("short", "long"),
    ];
    let text = pairs.iter().fold(TWINS.to_owned(), |text, (one, other)| {
        exchanged(&text, one, other)
    });
    let expected = [
        "channel fan>heat",
        "channel heat>fan",
        "device guests>party",
        "channel lamp>siren",
        "channel siren>lamp",
        "device party>guests",
        "var late>night",
        "var night>late",
        "timer long>short",
        "timer short>long",
    ];
    check(&text, &expected);
}

#[test]
fn three_names_may_go_round_and_a_name_may_be_handed_on() {
    let third =
        "[rule.more]\nwhen = \"hall.button.press\"\nif = \"var.third\"\ndo = \"hall.lamp.off\"\n";
    let three = edited(
        TWINS,
        "late  =",
        "third = { kind = \"bool\", start = false }\nlate  =",
    ) + third;
    let round = exchanged(&exchanged(&three, "night", "late"), "late", "third");
    assert_eq!(
        others(&program(&three), &program(&round)),
        ["var late>night", "var night>third", "var third>late"]
    );
    // One takes a name that is given up in the same edit, for one that is new.
    let handed_on = exchanged(&TWINS.replace("night", "dusk"), "late", "night");
    assert_eq!(
        others(&program(TWINS), &program(&handed_on)),
        ["var late>night", "var night>dusk"]
    );
}

#[test]
fn names_are_exchanged_beside_new_names_and_other_edits() {
    let text = exchanged(TWINS, "night", "late").replace("party", "feast");
    assert_eq!(
        others(&program(TWINS), &program(&text)),
        ["device party>feast", "var late>night", "var night>late"]
    );
    let more =
        "[rule.more]\nwhen = \"hall.button.press\"\nif = \"var.late\"\ndo = \"attic.fan.off\"\n";
    let text = exchanged(TWINS, "short", "long") + more;
    assert_eq!(
        others(&program(TWINS), &program(&text)),
        ["timer long>short", "timer short>long"]
    );
}

#[test]
fn rules_that_are_made_to_use_each_others_things_exchange_no_names() {
    // The declarations stand as they stood: whoever wrote this meant the other variable, channel or device.
    for (one, other) in [
        ("night", "late"),
        ("lamp", "siren"),
        ("fan", "heat"),
        ("guests", "party"),
    ] {
        let (declared, rules) = TWINS.split_once("[rule.light]").expect("it has rules");
        let edited = format!("{declared}[rule.light]{}", exchanged(rules, one, other));
        assert_ne!(edited, exchanged(TWINS, one, other));
        assert_eq!(others(&program(TWINS), &program(&edited)), [""; 0], "{one}");
    }
}

#[test]
fn one_rule_that_speaks_as_before_keeps_the_names() {
    // Another timer is started, and each is waited for as before.
    let started = edited(TWINS, "start = \"short\"", "start = \"x\"");
    let started = edited(&started, "start = \"long\"", "start = \"short\"");
    check(&edited(&started, "start = \"x\"", "start = \"long\""), &[]);
    // Or one rule only uses the other one's.
    check(&edited(TWINS, "!var.night", "!var.late"), &[]);
    // A rule that is written anew says nothing of who is who, nor does one that is gone.
    let slower = exchanged(TWINS, "short", "long").replace("9m", "8m");
    assert_eq!(others(&program(TWINS), &program(&slower)), [""; 0]);
    let renamed = exchanged(TWINS, "short", "long").replace("rule.quiet", "rule.silent");
    let found = others(&program(TWINS), &program(&renamed));
    assert!(
        found.iter().all(|line| !line.starts_with("timer")),
        "{found:?}"
    );
}

#[test]
fn pins_that_are_exchanged_under_the_same_names_are_another_wiring() {
    let rewired = exchanged(TWINS, "4", "5");
    let (lamp, siren) = (
        "lamp  = { kind = \"switch\", pin = 5",
        "siren = { kind = \"switch\", pin = 4",
    );
    assert!(
        rewired.contains(lamp) && rewired.contains(siren),
        "{rewired}"
    );
    check(&rewired, &[]);
}

const COUNT: &str = "count = { kind = \"number\", start = 0 }\n";

/// A rule like no other one: what it is counted by tells it from all that do the same.
fn pressed(name: &str, condition: &str, count: usize) -> String {
    format!(
        "[rule.{name}]\nwhen = \"hall.button.press\"\nif = \"{condition} && var.count > {count}\"\ndo = \"attic.fan.off\"\n"
    )
}

/// What is found of so many pairs of variables that exchange their names, each bound to the next one by two rules and the first
/// one to variables that keep theirs; beside an exchange that nothing is bound to.
fn bound_pairs(pairs: usize) -> Vec<String> {
    let mut declared = COUNT.to_owned();
    let mut rules = String::new();
    for var in ["x", "y"] {
        declared += &format!("{var} = {{ kind = \"bool\", start = false }}\n");
        rules += &pressed(&format!("{var}-stays"), &format!("var.{var}"), 0);
    }
    for at in 0..pairs {
        for side in ["a", "b"] {
            declared += &format!("{side}{at} = {{ kind = \"bool\", start = false }}\n");
            let next = (at + 1) % pairs;
            if next > 0 {
                let both = format!("var.{side}{at} && var.{side}{next}");
                rules += &pressed(&format!("{side}{at}-bound"), &both, declared.len());
            }
        }
    }
    let text = TWINS.replace("[var]\n", &format!("[var]\n{declared}")) + &rules;
    let mut edited = exchanged(&text, "night", "late");
    for at in 0..pairs {
        let (one, other) = (format!("a{at}"), format!("b{at}"));
        edited = exchanged(&edited, &one, &other);
    }
    let old = program(&(text + &pressed("first", "var.a0 && var.x", 1)));
    let new = program(&(edited + &pressed("first", "var.b0 && var.y", 1)));
    others(&old, &new)
}

#[test]
fn exchanges_that_contradict_each_other_one_after_the_other_are_given_up_at_last() {
    // What nothing is bound to is found beside those that are taken back, one at each look.
    assert_eq!(bound_pairs(5), ["var late>night", "var night>late"]);
    // Each look reads all rules, on the thread that serves everybody: where there are too many, all is what it is called.
    assert_eq!(bound_pairs(40), [""; 0]);
}

/// Rules that speak of the next of so many variables each, but for the last one's; beside an exchange.
fn handed_on_without_end(vars: usize) -> Vec<String> {
    let declared: String = (0..vars)
        .map(|at| format!("v{at} = {{ kind = \"bool\", start = false }}\n"))
        .collect();
    let text = TWINS.replace("[var]\n", &format!("[var]\n{COUNT}{declared}"));
    let rules = |step: usize| -> String {
        let rule = |at: usize| {
            let var = (at + step).min(vars - 1);
            pressed(&format!("v{at}-rule"), &format!("var.v{var}"), at)
        };
        (0..vars).map(rule).collect()
    };
    let old = program(&(text.clone() + &rules(0)));
    let new = program(&(exchanged(&text, "night", "late") + &rules(1)));
    others(&old, &new)
}

#[test]
fn names_that_are_handed_on_and_never_given_up_are_looked_at_so_often_and_then_all_kept() {
    assert_eq!(
        handed_on_without_end(10),
        ["var late>night", "var night>late"]
    );
    assert_eq!(handed_on_without_end(60), [""; 0]);
}
