//! Each message with its place; the wording people read is drawn in the crate's golden tests.

use types::Type;

use super::{
    super::{Scope, condition, template, value},
    here,
    house::{events, house},
};
use crate::diagnostic::Diagnostic;

/// Code, text at the primary place, message and first help of a complaint.
type Expected<'a> = (&'a str, &'a str, &'a str, &'a str);

fn check_with(waits_for: &[&str], text: &str, expected: &[Expected<'_>]) {
    let program = house();
    let events = events(&program, waits_for);
    let mut scope = Scope::new(&program, &events);
    let errors = condition(text, &here, &mut scope).expect_err(text);
    compare(text, &errors, expected);
}

fn check(text: &str, expected: &[Expected<'_>]) {
    check_with(&["piano.keys.press"], text, expected);
}

fn compare(text: &str, found: &[Diagnostic], expected: &[Expected<'_>]) {
    let found: Vec<Expected<'_>> = found
        .iter()
        .map(|error| {
            let at = &text[error.labels[0].span.bytes.clone()];
            let help = error.help.first().map_or("", |help| &**help);
            (error.code, at, &*error.message, help)
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn unknown_names_come_with_the_nearest_one() {
    check(
        "event.key >= 72 && event.velocty > 20",
        &[(
            "unknown-field",
            "velocty",
            "piano.keys.press has no field `velocty`",
            "did you mean `velocity`?",
        )],
    );
    check(
        "state.hal.lux < 5 || state.hall.lxu < 5 || var.nigth",
        &[
            (
                "unknown-name",
                "hal",
                "no device is called `hal`",
                "did you mean `hall`?",
            ),
            (
                "unknown-channel",
                "lxu",
                "`hall` has no channel `lxu`",
                "did you mean `lux`?",
            ),
            (
                "unknown-name",
                "nigth",
                "no variable is called `nigth`",
                "did you mean `night`?",
            ),
        ],
    );
    check(
        "stat.hall.lux < 5 && sun.isdown && now.houre == 3",
        &[
            (
                "unknown-name",
                "stat",
                "nothing is called `stat`",
                "did you mean `state`?",
            ),
            (
                "unknown-field",
                "isdown",
                "the sun has no `isdown`",
                "did you mean `is_down`?",
            ),
            (
                "unknown-field",
                "houre",
                "`now` has no `houre`",
                "did you mean `hour`?",
            ),
        ],
    );
    check(
        "state.hall.lamp.bright > 3",
        &[(
            "unknown-field",
            "bright",
            "hall.lamp has no field `bright`",
            "did you mean `brightness`?",
        )],
    );
    check(
        "night && key == 60 && lights",
        &[
            (
                "unknown-name",
                "night",
                "nothing is called `night`",
                "write `var.night`",
            ),
            (
                "unknown-name",
                "key",
                "nothing is called `key`",
                "write `event.key`",
            ),
            (
                "unknown-name",
                "lights",
                "nothing is called `lights`",
                "`lights` is a group: write lights.all(x, ..), lights.exists(x, ..) or lights.count(x, ..)",
            ),
        ],
    );
    check(
        "state.door.contact == open",
        &[(
            "unknown-name",
            "open",
            "nothing is called `open`",
            "texts stand in quotes: 'open'",
        )],
    );
    check(
        "hall.onlin",
        &[(
            "unknown-channel",
            "onlin",
            "`hall` has no `onlin`",
            "did you mean `online`?",
        )],
    );
    for written in [
        "hall.lamp.online",
        "state.hall.lamp.online",
        "target.hall.online",
    ] {
        check(
            written,
            &[(
                "incomplete-name",
                written,
                &format!("`{written}` names no value"),
                "devices are online, not channels: write `hall.online`",
            )],
        );
    }
    check(
        "hall.offline",
        &[(
            "incomplete-name",
            "hall.offline",
            "`hall.offline` names no value",
            "write `!hall.online`",
        )],
    );
    check(
        "haz(state.hall.lux)",
        &[(
            "unknown-function",
            "haz",
            "no function is called `haz`",
            "did you mean `has`?",
        )],
    );
}

#[test]
fn names_that_stop_too_early_say_how_they_go_on() {
    check(
        "state.hall.lamp",
        &[(
            "incomplete-name",
            "state.hall.lamp",
            "hall.lamp has several fields",
            "write `state.hall.lamp.on` or `state.hall.lamp.brightness`",
        )],
    );
    check(
        "state.hall",
        &[(
            "incomplete-name",
            "state.hall",
            "`state.hall` names no value",
            "`hall` is a device; it has: state.hall.lamp, state.hall.lux",
        )],
    );
    check(
        "hall.lux < 50",
        &[(
            "incomplete-name",
            "hall.lux",
            "`hall.lux` names no value",
            "write `state.hall.lux` for what it reported, `target.hall.lux` for what it should be",
        )],
    );
    check(
        "state.desk.button",
        &[(
            "no-state",
            "state.desk.button",
            "desk.button reports no state, only events",
            "a rule waits for its events: when = \"desk.button.EVENT\"; a variable can keep what they said",
        )],
    );
    check(
        "target.hall.lux > 3",
        &[(
            "no-target",
            "target.hall.lux",
            "hall.lux has no target, it only reports",
            "write `state.hall.lux`",
        )],
    );
}

#[test]
fn values_of_different_types_are_never_compared() {
    check(
        "sun.is_down && state.hall.lux < '50'",
        &[(
            "type-mismatch",
            "'50'",
            "`state.hall.lux` is a number, '50' is a text",
            "write 50",
        )],
    );
    check(
        "state.stairs.lamp == 1 || state.stairs.lamp == 'on'",
        &[
            (
                "type-mismatch",
                "1",
                "`state.stairs.lamp` is a bool, `1` is a number",
                "write true",
            ),
            (
                "type-mismatch",
                "'on'",
                "`state.stairs.lamp` is a bool, 'on' is a text",
                "write true",
            ),
        ],
    );
    check(
        "age(state.hall.lux) > '5m'",
        &[(
            "type-mismatch",
            "'5m'",
            "`age(state.hall.lux)` is a number, '5m' is a text",
            "times are in seconds here: write 300",
        )],
    );
    check(
        "state.door.contact == 'opne'",
        &[(
            "unknown-enum-name",
            "'opne'",
            "'opne' is none of open, closed",
            "did you mean 'open'?",
        )],
    );
    check(
        "state.door.contact == var.guest",
        &[(
            "type-mismatch",
            "var.guest",
            "`state.door.contact` is an enum (open, closed), `var.guest` is a text",
            "an enum can only be compared with its own names, or with the same enum",
        )],
    );
    check(
        "event.key in [60, '64', true]",
        &[
            (
                "type-mismatch",
                "'64'",
                "`event.key` is a number, '64' is a text",
                "write 64",
            ),
            (
                "type-mismatch",
                "true",
                "`event.key` is a number, `true` is a bool",
                "values of different types are never equal here",
            ),
        ],
    );
}

#[test]
fn operators_take_their_own_types() {
    check(
        "event.key && !state.door.contact",
        &[
            (
                "type-mismatch",
                "event.key",
                "`event.key` is a number, `&&` takes true or false",
                "compare it: `event.key > 0`",
            ),
            (
                "type-mismatch",
                "state.door.contact",
                "`state.door.contact` is an enum (open, closed), `!` takes true or false",
                "compare it: `state.door.contact == 'open'`",
            ),
        ],
    );
    check(
        "event.key + 1",
        &[(
            "type-mismatch",
            "event.key + 1",
            "`event.key + 1` is a number, a condition takes true or false",
            "compare it: `event.key + 1 > 0`",
        )],
    );
    check(
        "'a' + event.key == 'a1'",
        &[(
            "type-mismatch",
            "event.key",
            "`event.key` is a number, `+` joins only texts",
            "put it into the text: \"..${event.key}..\"",
        )],
    );
    check(
        "(var.night ? 1 : 'x') == 1",
        &[(
            "type-mismatch",
            "'x'",
            "`1` is a number, `'x'` is a text",
            "both sides of `:` must have the same type",
        )],
    );
    check(
        "var.guest < 'b'",
        &[(
            "type-mismatch",
            "var.guest",
            "`var.guest` is a text, `<` takes numbers",
            "",
        )],
    );
    check(
        "event.key in 60",
        &[(
            "type-mismatch",
            "60",
            "`in` takes a list",
            "write `event.key in [a, b]`; for a part of a text: contains(text, part)",
        )],
    );
    check(
        "event.key / 0 > 1",
        &[(
            "always-unknown",
            "event.key / 0",
            "`event.key / 0` is always unknown",
            "",
        )],
    );
    check(
        "has(var.night)",
        &[(
            "type-mismatch",
            "var.night",
            "has() takes reported state, `var.night` is none",
            "write `has(state.DEVICE.CHANNEL)`",
        )],
    );
    check(
        "between(event.key, 3)",
        &[(
            "wrong-argument-count",
            "between(event.key, 3)",
            "between() takes 3 arguments, 2 stand here",
            "write `between(x, low, high)`",
        )],
    );
}

#[test]
fn slips_of_syntax_are_named_and_what_follows_is_still_checked() {
    check(
        "10 < event.key < 20",
        &[(
            "chained-comparison",
            "10 < event.key < 20",
            "comparisons can't be chained",
            "write `10 < event.key && event.key < 20`",
        )],
    );
    check(
        "event.key = 60 and var.nigth",
        &[
            ("syntax", "=", "`=` is no operator", "write `==`"),
            ("syntax", "and", "`and` is no operator", "write `&&`"),
            (
                "unknown-name",
                "nigth",
                "no variable is called `nigth`",
                "did you mean `night`?",
            ),
        ],
    );
    check(
        "not var.night",
        &[(
            "syntax",
            "not",
            "`not` stands where a value should follow",
            "write `!` for not",
        )],
    );
    check(
        "event.key == ",
        &[(
            "syntax",
            "",
            "the expression ends where a value should follow",
            "",
        )],
    );
    check(
        "(event.key == 60",
        &[(
            "syntax",
            "",
            "the expression ends where `)` should follow",
            "",
        )],
    );
    check(
        "event.key == 'x",
        &[("syntax", "'x", "this text has no end", "close it with '")],
    );
    check(
        "age(state.hall.lux) > 5m",
        &[(
            "syntax",
            "5m",
            "`5m` is neither a number nor a name",
            "times are in seconds here: write 300",
        )],
    );
    check("", &[("syntax", "", "an expression is missing here", "")]);
    check(
        "event.key == 60 event",
        &[(
            "syntax",
            "event",
            "`event` stands where an operator or the end should follow",
            "",
        )],
    );
}

#[test]
fn event_fields_must_exist_in_every_triggering_event() {
    check_with(
        &["piano.keys.press", "piano.keys.release"],
        "event.velocity > 20",
        &[(
            "unknown-field",
            "velocity",
            "`velocity` is a field of piano.keys.press, but not of piano.keys.release",
            "a rule can only read fields that all its events have; make one rule for each event",
        )],
    );
    check_with(
        &["piano.keys.press", "piano.keys.odd"],
        "event.key == 60",
        &[(
            "type-mismatch",
            "event.key",
            "`event.key` is a number in piano.keys.press, but a text in piano.keys.odd",
            "make one rule for each event",
        )],
    );
    check_with(
        &[],
        "event.key == 60",
        &[(
            "no-event",
            "event.key",
            "no event is at hand for `event.key`",
            "only a rule whose `when` is an event can read `event.*`",
        )],
    );
    check_with(
        &["hall.online"],
        "event.key == 60",
        &[("unknown-field", "key", "hall.online has no fields", "")],
    );
}

#[test]
fn what_is_wrong_in_a_group_is_said_once() {
    check(
        "lights.all(l, l.brightness > 5)",
        &[(
            "unknown-field",
            "brightness",
            "group `lights` holds stairs.lamp, which has no field `brightness`",
            "there are: on",
        )],
    );
    check(
        "people.all(p, p == 'awya')",
        &[(
            "unknown-enum-name",
            "'awya'",
            "'awya' is none of home, away",
            "did you mean 'away'?",
        )],
    );
    check(
        "people.all(p, p == 'not_home')",
        &[(
            "unknown-enum-name",
            "'not_home'",
            "'not_home' is none of home, away",
            "it can be: home, away; that it is not 'home' is written != 'home'",
        )],
    );
    check(
        "poeple.all(p, p == 'away')",
        &[(
            "unknown-name",
            "poeple",
            "no group is called `poeple`",
            "did you mean `people`?",
        )],
    );
    check(
        "people.some(p, p == 'away')",
        &[(
            "unknown-function",
            "some",
            "a group can't be asked `some`",
            "there are: all, exists, count",
        )],
    );
    check(
        "people.all(hall, hall == 'away')",
        &[(
            "bad-member-name",
            "hall",
            "`hall` can't stand for the member: a device is called so",
            "choose a short name of its own, e.g. `x`",
        )],
    );
    check(
        "people.all(p == 'away')",
        &[(
            "wrong-argument-count",
            "all(p == 'away'",
            "all() takes a name for the member and a condition",
            "write `people.all(x, x == ..)`",
        )],
    );
}

#[test]
fn a_value_that_does_not_fit_its_place_is_refused() {
    let program = house();
    let mut scope = Scope::new(&program, &[]);
    let percent = Type::Int {
        min: 1.0,
        max: 100.0,
    };
    for (text, expected, complaint) in [
        (
            "300",
            &percent,
            (
                "out-of-range",
                "300",
                "`300` is 300, which is not a whole number in 1..100",
                "",
            ),
        ),
        (
            "var.night",
            &percent,
            (
                "type-mismatch",
                "var.night",
                "`var.night` is a bool, a number is taken here",
                "choose a number: `var.night ? 1 : 0`",
            ),
        ),
        (
            "var.comfort",
            &Type::Bool,
            (
                "type-mismatch",
                "var.comfort",
                "`var.comfort` is a number, a bool is taken here",
                "compare it: `var.comfort > 0`",
            ),
        ),
    ] {
        let errors = value(text, &here, &mut scope, Some(expected)).unwrap_err();
        compare(text, &errors, &[complaint]);
    }
}

#[test]
fn every_hole_of_a_text_is_checked_at_its_own_place() {
    let program = house();
    let mut scope = Scope::new(&program, &[]);
    let text = "a ${var.x} b ${hall.onlin}";
    let errors = template(text, &here, &mut scope).unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|error| error.labels[0].span.bytes.clone())
        .collect();
    assert_eq!(places, [8..9, 20..25]);
    let errors = template("a ${var.night", &here, &mut scope).unwrap_err();
    assert_eq!(errors[0].labels[0].span.bytes, 2..13);
}

#[test]
fn conditions_that_are_decided_before_they_run_are_lints() {
    let program = house();
    let events = events(&program, &["piano.keys.press"]);
    for (text, code, at) in [
        ("event.velocity > 127", "never-true", "event.velocity > 127"),
        (
            "0 <= event.key && var.night",
            "always-true",
            "0 <= event.key",
        ),
        (
            "var.night || event.key == 200",
            "never-true",
            "event.key == 200",
        ),
        ("var.night && false", "never-true", "var.night && false"),
        (
            "event.key < 9 && var.night && 9 <= event.key",
            "never-true",
            "event.key < 9 && var.night && 9 <= event.key",
        ),
        (
            "var.night || state.door.contact == 'open' && state.door.contact == 'closed'",
            "never-true",
            "state.door.contact == 'open' && state.door.contact == 'closed'",
        ),
        (
            "event.key == 60 && event.key != 60",
            "never-true",
            "event.key == 60 && event.key != 60",
        ),
        ("1 == 1", "always-true", "1 == 1"),
        (
            "people.count(p, p == 'away') > 2",
            "never-true",
            "people.count(p, p == 'away') > 2",
        ),
    ] {
        let mut scope = Scope::new(&program, &events);
        condition(text, &here, &mut scope).unwrap();
        let found: Vec<_> = scope
            .warnings
            .iter()
            .map(|warning| (warning.code, &text[warning.labels[0].span.bytes.clone()]))
            .collect();
        assert_eq!(found, [(code, at)], "{text}");
    }
    for text in [
        "event.key >= 60 && event.key <= 60 && event.key == 60",
        "event.key > 9 && event.velocity < 9",
        "state.phones.anna == 'home' && state.phones.ben == 'away'",
    ] {
        let mut scope = Scope::new(&program, &events);
        condition(text, &here, &mut scope).unwrap();
        assert_eq!(scope.warnings, [], "{text}");
    }
}
