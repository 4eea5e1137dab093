//! What people ask about an engine: what runs, what waits, and how near a rule came.

use engine::{Outcome, Term};
use mapping::program::Days;
use types::Value;

use crate::{
    bench::{bench, wall},
    build::rule,
};

#[test]
fn a_watched_rule_says_why_the_index_ruled_it_out() {
    let mut b = bench(&[
        rule("low").on("piano.keys.press").notify("low"),
        rule("high")
            .on("piano.keys.press")
            .cond("event.key >= 72")
            .notify("high"),
    ]);
    let high = b.program().names.rules["high"];
    b.event("piano.keys.press", &[60.0, 1.0]);
    let looked = |b: &crate::bench::Bench| {
        let decision = &b.effects.decisions[0];
        let rules = decision.rules.iter();
        rules
            .map(|trace| (trace.rule, trace.outcome))
            .collect::<Vec<_>>()
    };
    assert!(!looked(&b).iter().any(|(rule, _)| *rule == high));
    b.engine.watch(Some(high));
    b.event("piano.keys.press", &[60.0, 1.0]);
    assert_eq!(looked(&b).last(), Some(&(high, Outcome::False)));
    let seen = &b.effects.decisions[0].seen;
    assert_eq!(seen[0].term, Term::EventField(0));
    assert_eq!(seen[0].value, Some(60.0.into()));
    b.event("piano.keys.press", &[80.0, 1.0]);
    let twice = looked(&b).iter().filter(|(rule, _)| *rule == high).count();
    assert_eq!(twice, 1, "it looks once where the index finds it too");
}

#[test]
fn a_running_timer_says_who_started_it_when_and_until_when() {
    let mut b = bench(&[rule("motion").on("hall.motion.start").start("t", 300)]);
    let timer = b.program().names.timers["t"];
    assert_eq!(b.engine.timer(timer), None);
    b.event("hall.motion.start", &[]);
    let running = b.engine.timer(timer).expect("it runs");
    assert_eq!(running.started, b.now.at);
    assert_eq!(running.due, b.now.after(running.span).at);
    assert_eq!((running.span.as_secs(), &*running.by), (300, "motion"));
}

#[test]
fn a_holds_says_since_when_it_waits() {
    let mut b = bench(&[rule("cold").holds("state.living.temp < 20", 60).notify("x")]);
    let cold = b.program().names.rules["cold"];
    let hold = b.engine.hold(cold, 0).expect("a holds");
    assert_eq!((hold.truth, hold.known, hold.waits), (None, None, None));
    b.report("living.temp", 18.0);
    let since = b.now.at;
    b.pass(10);
    let hold = b.engine.hold(cold, 0).expect("a holds");
    let due = b.now.after(std::time::Duration::from_secs(50)).at;
    assert_eq!(hold.truth, Some(true));
    assert_eq!(hold.waits, Some((since, Some(due))));
    b.pass(51);
    let hold = b.engine.hold(cold, 0).expect("a holds");
    assert_eq!((hold.known, hold.waits), (Some(true), None), "it fired");
}

#[test]
fn an_at_says_when_it_comes_next_and_a_limit_what_it_counted() {
    let mut b = bench(&[
        rule("noon").at(12, 30, Days::ALL).notify("noon"),
        rule("bell")
            .on("desk.button.press")
            .limit(2, 60)
            .notify("ring"),
    ]);
    let noon = b.program().names.rules["noon"];
    assert_eq!(
        b.engine.next_time_of_day(noon, 0),
        Some(wall("2026-01-05T11:30:00Z"))
    );
    let bell = b.program().names.rules["bell"];
    b.event("desk.button.press", &[]);
    b.pass(59);
    assert_eq!(b.engine.counted_firings(bell, b.now).len(), 1);
    b.pass(2);
    assert_eq!(b.engine.counted_firings(bell, b.now), []);
}

#[test]
fn an_expression_is_evaluated_as_of_a_moment() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .cond("age(state.hall.lux) > 45")
        .notify("x")]);
    b.report("hall.lux", 12.0);
    let program = b.program();
    let condition = program.rules[0].condition.as_ref().expect("a condition");
    let mut seen = Vec::new();
    let now = b.engine.evaluate(b.now, &condition.expr, &mut seen);
    assert_eq!(now, Some(Value::Bool(false)));
    let later = b.now.after(std::time::Duration::from_secs(46));
    let then = b.engine.evaluate(later, &condition.expr, &mut seen);
    assert_eq!(then, Some(Value::Bool(true)));
    assert_eq!(seen[1].value, Some(46.0.into()));
}

#[test]
fn a_sequence_says_how_many_of_its_steps_came() {
    let mut b = bench(&[rule("tune")
        .melody(&[60.0, 64.0, 67.0], 2_000)
        .notify("tune")]);
    let tune = b.program().names.rules["tune"];
    let mut came = Vec::new();
    for key in [64.0, 60.0, 64.0, 60.0, 64.0, 67.0] {
        b.event("piano.keys.press", &[key, 80.0]);
        came.push(b.engine.sequence(tune, 0));
    }
    assert_eq!(came, [0, 1, 2, 1, 2, 0]);
    assert_eq!(b.engine.sequence(tune, 1), 0, "there is no such trigger");
}
