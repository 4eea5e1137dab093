//! Timers and variables that have another name while their rules were edited in the same save.

use mapping::program::Succession;

use super::{HOUSE, check, others, program};

const SHADE: (&str, &str) = ("\"dark\"", "\"shade\"");

/// A house with these variables of the same kind, and rules.
fn house(vars: &[&str], rules: &[(&str, &str)]) -> String {
    let vars = vars
        .iter()
        .map(|var| format!("{var} = {{ kind = \"number\", start = 0, keep = true }}\n"));
    let rules = rules
        .iter()
        .map(|(name, says)| format!("[rule.{name}]\n{says}\n"));
    let device = "[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\nio.button = { kind = \"button\" }\n[var]\n";
    device.to_owned() + &vars.collect::<String>() + &rules.collect::<String>()
}

#[track_caller]
fn told(before: &str, after: &str, expected: &[&str]) {
    assert_eq!(others(&program(before), &program(after)), expected);
}

#[test]
fn a_timer_goes_on_under_another_name_where_its_rules_are_edited_too() {
    check(&[SHADE, ("5m", "6m")], &["timer dark>shade"]);
    check(&[SHADE, ("\"hall.lamp.on\", ", "")], &["timer dark>shade"]);
    check(
        &[
            SHADE,
            ("do = \"hall.lamp.off\"", "do = \"hall.lamp.toggle\""),
        ],
        &["timer dark>shade"],
    );
    check(
        &[SHADE, ("5m", "6m"), ("hall.lamp.off", "hall.lamp.toggle")],
        &["timer dark>shade"],
    );
}

#[test]
fn a_variable_goes_on_under_another_name_where_its_rules_are_edited_too() {
    let counts = |var: &str, by: u32| {
        let says = format!(
            "when = \"hall.button.press\"\ndo = {{ var = \"{var}\", to = \"${{var.{var} + {by}}}\" }}"
        );
        house(&[var], &[("count", &says)])
    };
    told(&counts("a", 5), &counts("bb", 6), &["var a>bb"]);
    check(
        &[("night", "tonight"), ("late", "later"), ("5m", "6m")],
        &["var late>later", "var night>tonight"],
    );
}

#[test]
fn a_timer_and_a_variable_may_have_other_names_beside_what_is_new_altogether() {
    let another = "[rule.bell]\nwhen = { timer = \"alarm\" }\ndo = { start = \"alarm\", for = \"9m\" }\n\n[rule.lamp-off]";
    check(
        &[
            SHADE,
            ("5m", "6m"),
            (
                "night = {",
                "silent = { kind = \"bool\", start = false }\ntonight = {",
            ),
            ("!var.night", "!var.tonight"),
            ("[rule.lamp-off]", another),
        ],
        &["var night>tonight", "timer dark>shade"],
    );
}

#[test]
fn where_two_fit_neither_is_it() {
    let start = |timers: &[&str], minutes: u32| {
        let starts = timers
            .iter()
            .map(|timer| format!("{{ start = \"{timer}\", for = \"{minutes}m\" }}, "));
        let ends = timers
            .iter()
            .map(|timer| format!("{{ timer = \"{timer}\" }}, "));
        let go = format!(
            "when = \"hall.button.press\"\ndo = [{}]",
            starts.collect::<String>()
        );
        let out = format!(
            "when = [{}]\ndo = \"hall.lamp.off\"",
            ends.collect::<String>()
        );
        house(&[], &[("go", &go), ("out", &out)])
    };
    told(
        &start(&["one", "two"], 5),
        &start(&["three", "four"], 6),
        &["timer one", "timer two"],
    );
    // Neither way round: one that is gone, or one that is new, fits to two.
    told(
        &start(&["one"], 5),
        &start(&["three", "four"], 6),
        &["timer one"],
    );
    told(
        &start(&["one", "two"], 5),
        &start(&["three"], 6),
        &["timer one", "timer two"],
    );
    // Where the places show it, two may have other names.
    told(
        &start(&["one", "two"], 5),
        &start(&["three", "four"], 5),
        &["timer one>three", "timer two>four"],
    );
}

#[test]
fn what_other_rules_use_or_use_otherwise_is_another_thing() {
    let off = ("hall.lamp.off", "hall.lamp.toggle");
    check(
        &[
            ("night = {", "silent = {"),
            ("!var.night", "5 > 4"),
            ("&& var.late", "&& var.silent"),
        ],
        &["var night"],
    );
    // What was read is written now.
    check(
        &[
            ("night = {", "silent = {"),
            ("!var.night", "!var.late"),
            ("var = \"late\"", "var = \"silent\""),
        ],
        &["var night"],
    );
    // What one rule spoke of another one speaks of now, as well or alone.
    let more = "[rule.more]\nwhen = \"hall.button.release\"\nif = \"!var.night\"\ndo = \"hall.lamp.off\"\n\n[rule.lamp-on]";
    let old = HOUSE.replace("[rule.lamp-on]", more);
    let new = old.replace("night", "tonight");
    told(
        &old,
        &new.replacen("!var.tonight", "!var.late", 1),
        &["var night"],
    );
    check(
        &[
            (
                "night = { kind = \"bool\", start = false }",
                "tonight = { kind = \"bool\", start = true }",
            ),
            ("!var.night", "!var.tonight"),
            off,
        ],
        &["var night"],
    );
}

#[test]
fn rules_that_do_not_keep_their_names_and_are_edited_show_nothing() {
    check(
        &[
            SHADE,
            ("5m", "6m"),
            ("rule.lamp-on]", "rule.come]"),
            ("rule.lamp-off]", "rule.go]"),
        ],
        &["timer dark", "rule lamp-off", "rule lamp-on"],
    );
}

#[test]
fn names_that_move_on_from_one_to_the_next_are_not_taken_for_one_rename() {
    let reads = |vars: [&str; 2], above: u32| {
        let [a, b] = vars;
        let says = format!(
            "when = \"hall.button.press\"\nif = \"var.{a} > {above} && var.{b} < {above}\"\ndo = \"hall.lamp.on\""
        );
        house(&vars, &[("go", &says)])
    };
    // `a` may be what `b` is now, and `b` what `c` is.
    told(&reads(["a", "b"], 1), &reads(["b", "c"], 2), &["var a"]);
    told(&reads(["a", "b"], 1), &reads(["c", "b"], 2), &["var a>c"]);
}

#[test]
fn exchanged_names_stay_with_what_holds_them_where_rules_are_edited_too() {
    let one = |timer: &str, minutes: u32| {
        format!(
            "when = \"hall.button.press\"\ndo = {{ start = \"{timer}\", for = \"{minutes}m\" }}"
        )
    };
    let out = |timer: &str, to: &str| {
        format!("when = {{ timer = \"{timer}\" }}\ndo = \"hall.lamp.{to}\"")
    };
    let both = |timers: [&str; 2], minutes: u32| {
        let [a, b] = timers;
        house(
            &[],
            &[
                ("go-a", &one(a, 5)),
                ("out-a", &out(a, "off")),
                ("go-b", &one(b, minutes)),
                ("out-b", &out(b, "toggle")),
            ],
        )
    };
    let (before, after) = (both(["a", "b"], 8), both(["b", "a"], 8));
    told(&before, &after, &["timer a>b", "timer b>a"]);
    told(&before, &both(["b", "a"], 9), &[]);
    // Of three the one that is gone is not the one that is new.
    told(&before, &both(["b", "c"], 9), &["timer a"]);
}

#[test]
fn what_the_mapping_states_comes_before_what_edited_rules_show() {
    let another = "[rule.bell]\nwhen = { timer = \"alarm\" }\ndo = { start = \"alarm\", for = \"9m\" }\n\n[rule.lamp-off]";
    let new = HOUSE
        .replace("\"dark\"", "\"shade\"")
        .replace("5m", "6m")
        .replace("[rule.lamp-off]", another);
    told(HOUSE, &new, &["timer dark>shade"]);
    let stated = format!("[renamed]\n\"timer.dark\" = \"timer.alarm\"\n\n{new}");
    told(HOUSE, &stated, &["timer dark>alarm"]);
}

#[test]
fn many_rules_are_looked_through_in_time_that_grows_with_their_number() {
    const RULES: usize = 3_000;
    let many = |timer: &str, minutes: u32| {
        let rules = (0..RULES).map(|rule| {
            format!(
                "[rule.go-{rule}]\nwhen = \"hall.button.press\"\ndo = {{ start = \"{timer}{rule}\", for = \"{minutes}m\" }}\n\
                 [rule.out-{rule}]\nwhen = {{ timer = \"{timer}{rule}\" }}\ndo = \"hall.lamp.off\"\n"
            )
        });
        program(&(house(&[], &[]) + &rules.collect::<String>()))
    };
    let (old, new) = (many("t", 5), many("u", 6));
    let succession = Succession::new(&old, &new);
    let timers = old.names.timers.values();
    let found = timers.filter(|timer| succession.timer(**timer).is_some());
    assert_eq!(found.count(), RULES);
}
