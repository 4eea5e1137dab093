//! **Unknown** as a third truth value: in conditions, over groups, in actions and texts; `has`, `age`, `stale_after`.

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

/// Rules with these conditions, in their order, pressed once: what came of each.
fn judged(b: &mut crate::bench::Bench) -> Vec<Outcome> {
    b.event("desk.button.press", &[]);
    b.outcomes()
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect()
}

fn asked(conditions: &[&str]) -> crate::bench::Bench {
    let rules: Vec<crate::build::R> = conditions
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let name = format!("r{at}");
            rule(&name).on("desk.button.press").cond(text).notify("x")
        })
        .collect();
    bench(&rules)
}

#[test]
fn groups_follow_kleene() {
    use Outcome::{False, Fired, Unknown};
    // `lamps` are desk.lamp and hall.lamp.
    let mut b = asked(&[
        "lamps.all(x, x.on)",
        "lamps.exists(x, x.on)",
        "lamps.count(x, x.on) >= 1",
        "lamps.count(x, x.on) == 0",
        "!lamps.exists(x, x.on)",
    ]);
    assert_eq!(judged(&mut b), [Unknown; 5]);
    b.report("desk.lamp.on", true);
    assert_eq!(judged(&mut b), [Unknown, Fired, Unknown, Unknown, False]);
    b.report("desk.lamp.on", false);
    assert_eq!(judged(&mut b), [False, Unknown, Unknown, Unknown, Unknown]);
    b.report("hall.lamp.on", false);
    assert_eq!(judged(&mut b), [False, False, False, Fired, Fired]);
    b.report("hall.lamp.on", true);
    b.report("desk.lamp.on", true);
    assert_eq!(judged(&mut b), [Fired, Fired, Fired, False, False]);
}

#[test]
fn has_and_age_ask_what_is_known() {
    use Outcome::{False, Fired, Unknown};
    let mut b = asked(&[
        "has(state.living.temp)",
        "!has(state.living.temp)",
        "age(state.living.temp) < 60",
        "age(state.living.temp) > 600",
        "state.living.temp > 0",
    ]);
    assert_eq!(judged(&mut b), [False, Fired, Unknown, Unknown, Unknown]);
    b.report("living.temp", 20.0);
    assert_eq!(judged(&mut b), [Fired, False, Fired, False, Fired]);
    // stale_after is five minutes; the age of what is stale is known all the same.
    b.pass(299);
    assert_eq!(judged(&mut b), [Fired, False, False, False, Fired]);
    b.pass(1);
    assert_eq!(judged(&mut b), [False, Fired, False, False, Unknown]);
    b.pass(301);
    assert_eq!(judged(&mut b), [False, Fired, False, Fired, Unknown]);
    b.report("living.temp", 20.0);
    assert_eq!(judged(&mut b), [Fired, False, Fired, False, Fired]);
}

#[test]
fn what_has_no_stale_after_is_never_stale() {
    let mut b = asked(&["state.hall.lux < 50"]);
    b.report("hall.lux", 5.0);
    b.pass(30 * 24 * 3_600);
    assert_eq!(judged(&mut b), [Outcome::Fired]);
}

#[test]
fn a_sun_and_a_clock_that_nobody_knows_are_unknown() {
    let mut b = asked(&["sun.is_down || now.hour < 24"]);
    b.now.synced = false;
    assert_eq!(judged(&mut b), [Outcome::Unknown]);
    b.now.synced = true;
    assert_eq!(judged(&mut b), [Outcome::Fired]);
}
