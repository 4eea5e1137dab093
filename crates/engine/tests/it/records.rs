//! Decision records: what an input touched and what came of it.

use engine::{Cause, Outcome, Seen, Term};

use crate::{
    bench::bench,
    build::{event, rule},
};

#[test]
fn every_input_yields_a_record() {
    let mut b = bench(&[]);
    b.event("piano.keys.press", &[60.0, 1.0]);
    let decision = &b.effects.decisions[0];
    let press = event(&b.program(), "piano.keys.press");
    assert_eq!(decision.now, b.now);
    assert_eq!(
        decision.steps[0].cause,
        Cause::Event(press, vec![60.0.into(), 1.0.into()])
    );
    b.person("hall.fan", true, None);
    let channel = b.channel("hall.fan");
    assert_eq!(
        b.effects.decisions[0].steps[0].cause,
        Cause::Set(channel, "anna".into())
    );
}

#[test]
fn a_rule_shows_the_values_that_it_saw_and_its_step() {
    let mut b = bench(&[rule("high")
        .on("piano.keys.press")
        .cond("event.key >= 72 && event.velocity > 20")
        .notify("high")]);
    b.event("piano.keys.press", &[80.0, 10.0]);
    let decision = &b.effects.decisions[0];
    assert_eq!(decision.rules[0].outcome, Outcome::False);
    assert_eq!(decision.rules[0].step, 0);
    let seen = |field, value: f64| Seen {
        term: Term::EventField(field),
        value: Some(value.into()),
    };
    assert_eq!(decision.seen, [seen(0, 80.0), seen(1, 10.0)]);
}

#[test]
fn a_holds_rule_shows_what_made_it_true() {
    let mut b = bench(&[rule("cold").holds("state.living.temp < 20", 60).notify("x")]);
    b.report("living.temp", 18.0);
    b.pass(59);
    b.report("living.temp", 17.0);
    // The firing is the first decision of this call, the tick the second.
    b.now = b.now.after(std::time::Duration::from_secs(1));
    b.handle(engine::Input::Tick);
    let decision = &b.effects.decisions[0];
    let rule = b.program().names.rules["cold"];
    assert_eq!(decision.steps[0].cause, Cause::Holds(rule, 0));
    assert_eq!(decision.seen[0].value, Some(17.0.into()));
}

#[test]
fn of_two_holds_of_a_rule_the_one_that_turned_and_fired_is_named() {
    let mut b = bench(&[rule("cold")
        .holds("state.living.temp < 10", 60)
        .holds("state.living.temp < 20", 30)
        .notify("x")]);
    let rule = b.program().names.rules["cold"];
    b.report("living.temp", 18.0);
    let looks = |b: &crate::bench::Bench| -> Vec<(Option<u32>, Outcome)> {
        let traces = b.effects.decisions.iter().flat_map(|d| &d.rules);
        traces.map(|trace| (trace.holds, trace.outcome)).collect()
    };
    assert!(
        looks(&b).contains(&(Some(1), Outcome::Waiting)),
        "{:?}",
        looks(&b)
    );
    b.now = b.now.after(std::time::Duration::from_secs(30));
    b.handle(engine::Input::Tick);
    let decision = &b.effects.decisions[0];
    assert_eq!(decision.steps[0].cause, Cause::Holds(rule, 1));
    assert_eq!(looks(&b)[0], (Some(1), Outcome::Fired));
}

#[test]
fn lines_and_outputs_point_at_each_other() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .notify("hello")
        .cmd("hall.fan.on")
        .cmd("living.blind.stop")]);
    b.event("desk.button.press", &[]);
    let texts: Vec<&str> = b.effects.decisions[0]
        .sent
        .iter()
        .map(|line| line.text.as_str())
        .collect();
    assert_eq!(texts, ["notify all \"hello\"", "", "living.blind stop"]);
    for (place, output) in b.effects.outputs.iter().enumerate() {
        let (engine::Output::Target { decision, line, .. }
        | engine::Output::Momentary { decision, line, .. }
        | engine::Output::Event { decision, line, .. }
        | engine::Output::Notify { decision, line, .. }) = output;
        assert_eq!((*decision, *line), (0, place));
    }
}

#[test]
fn a_disabled_rule_never_looks() {
    let mut off = rule("off")
        .on("desk.button.press")
        .timer("t")
        .holds("var.night", 0)
        .notify("x");
    off.enabled = false;
    let mut b = bench(&[off, rule("t").on("desk.button.press").start("t", 1)]);
    b.event("desk.button.press", &[]);
    b.pass(2);
    b.var("night", true);
    assert_eq!(b.out(), [""; 0]);
    assert_eq!(b.fired(), ["t"]);
}

#[test]
fn kept_memory_does_not_leak_into_the_next_record() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .cond("!var.night")
        .cmd("hall.fan.on")]);
    b.event("desk.button.press", &[]);
    let first = b.effects.clone();
    b.event("desk.button.release", &[]);
    let decision = &b.effects.decisions[0];
    assert!(decision.rules.is_empty() && decision.seen.is_empty() && decision.sent.is_empty());
    assert_eq!(first.decisions[0].rules.len(), 1);
}
