//! Unknown as a third truth value, in conditions, actions and texts.

use engine::{Disposition, Outcome, Seen, Term};

use crate::{
    bench::bench,
    build::{rule, slot},
};

#[test]
fn an_unknown_condition_does_not_fire_and_names_the_input() {
    let mut b = bench(&[rule("r")
        .on("hall.motion.start")
        .cond("state.hall.lux < 50")
        .cmd("hall.lamp.on")]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.out(), [""; 0]);
    let decision = &b.effects.decisions[0];
    assert_eq!(decision.rules[0].outcome, Outcome::Unknown);
    let (start, end) = decision.rules[0].seen;
    let lux = slot(&b.program(), "hall.lux");
    assert_eq!(
        decision.seen[start as usize..end as usize],
        [Seen {
            term: Term::State(lux),
            value: None
        }]
    );
}

#[test]
fn false_and_unknown_is_false_and_true_or_unknown_is_true() {
    let mut b = bench(&[
        rule("and")
            .on("desk.button.press")
            .cond("var.night && state.hall.lux < 50")
            .notify("and"),
        rule("or")
            .on("desk.button.press")
            .cond("!var.night || state.hall.lux < 50")
            .notify("or"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.outcomes(),
        [
            ("and".to_owned(), Outcome::False),
            ("or".to_owned(), Outcome::Fired)
        ]
    );
}

#[test]
fn an_action_with_an_unknown_value_is_skipped_and_noted_and_the_others_run() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "${state.hall.lux}")])
        .var("level", "${state.hall.lux}")
        .cmd("hall.fan.on")]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.fan on=true"]);
    let sent = &b.effects.decisions[0].sent;
    let lines: Vec<_> = sent
        .iter()
        .map(|line| (line.text.as_str(), line.disposition))
        .collect();
    assert_eq!(
        lines,
        [
            ("hall.lamp brightness=unknown", Disposition::Unknown),
            ("var level=unknown", Disposition::Unknown),
            ("", Disposition::Pending)
        ]
    );
}

#[test]
fn a_notification_prints_unknown() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .notify("it is ${state.living.temp} degrees at ${var.level}")]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["notify all: it is unknown degrees at 0"]);
}

#[test]
fn division_by_zero_is_unknown() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "${100 / var.level}")])]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), [""; 0]);
}

#[test]
fn being_offline_alone_makes_no_state_unknown() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .cond("state.hall.lux < 50")
        .notify("dark")]);
    b.online("hall");
    b.report("hall.lux", 5.0);
    b.offline("hall", None);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["notify all: dark"]);
}
