//! What is under way is told by itself, and is what is found where everything is asked.

use std::collections::BTreeSet;

use engine::{Resume, UnderWay};
use mapping::program::{ChannelIx, RuleIx, TimerIx};

use crate::{
    bench::{Bench, bench},
    build::{R, rule},
};

/// Rules that never have anything to do.
const AT_REST: usize = 1_000;

fn rules() -> Vec<R> {
    let mut rules = vec![
        rule("timer").on("hall.motion.start").start("t", 300),
        rule("bound")
            .on("hall.motion.start")
            .on_for("hall.lamp", 60),
        rule("waits").on("hall.motion.start").wait(30).notify("x"),
        rule("cold")
            .holds("state.living.temp < 20", 600)
            .notify("x"),
        rule("chord").chord(&[60.0, 64.0], 500).notify("x"),
        rule("tune").melody(&[61.0, 65.0], 2_000).notify("x"),
        rule("double")
            .gesture(mapping::program::GestureKind::Double, 500, 400)
            .notify("x"),
        rule("click")
            .gesture(mapping::program::GestureKind::Click, 500, 400)
            .notify("x"),
    ];
    for number in 0..AT_REST {
        let name = format!("rest-{number}");
        let condition = format!("state.hall.lux > {}", 1_000 + number);
        rules.push(rule(&name).holds(&condition, 60).notify("x"));
    }
    rules
}

/// What is found by asking about each timer, output, button and rule.
fn asked(b: &Bench) -> BTreeSet<UnderWay> {
    let (program, engine, now) = (b.program(), &b.engine, b.now.at);
    let mut all = BTreeSet::new();
    for timer in TimerIx::all(program.timers.len()) {
        let due = engine.timer(timer).map(|running| running.due);
        all.extend(due.map(|due| UnderWay::Timer(timer, due)));
    }
    for channel in ChannelIx::all(program.channels.len()) {
        let until = engine.bounded_until(channel);
        all.extend(until.map(|until| UnderWay::Bound(channel, until)));
        let button = engine.button(channel).filter(|button| button.waits);
        all.extend(button.map(|_| UnderWay::Button(channel)));
    }
    for rule in RuleIx::all(program.rules.len()) {
        let run = engine.runs(rule).next();
        all.extend(run.map(|_| UnderWay::Run(rule)));
        for place in 0..program[rule].triggers.len() as u32 {
            let hold = engine.hold(rule, place).and_then(|hold| hold.waits);
            all.extend(hold.map(|_| UnderWay::Condition(rule)));
            let begun = engine.has_begun(rule, place, now);
            all.extend(begun.then_some(UnderWay::Begun(rule)));
        }
    }
    all
}

/// What the engine tells by itself.
fn told(b: &Bench) -> BTreeSet<UnderWay> {
    b.engine.under_way(b.now.at).collect()
}

#[test]
fn nothing_is_told_of_rules_at_rest() {
    let b = bench(&rules());
    assert_eq!(b.engine.under_way(b.now.at).count(), 0);
}

#[test]
fn all_that_is_found_where_everything_is_asked_is_told_and_nothing_else() {
    let mut b = bench(&rules());
    let mut most = 0;
    let mut check = |b: &Bench| {
        let told = told(b);
        assert_eq!(told, asked(b));
        most = most.max(told.len());
    };
    b.report("living.temp", 18.0);
    check(&b);
    b.event("piano.keys.press", &[60.0, 1.0]);
    b.event("piano.keys.press", &[61.0, 1.0]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    b.event("hall.motion.start", &[]);
    check(&b);
    for _ in 0..80 {
        b.pass(10);
        check(&b);
    }
    // The temperature is unknown since it turned stale, and its time is over.
    assert_eq!(told(&b).len(), 1, "{:?}", told(&b));
    let program = b.program();
    b.swap(&program, Resume::Restart);
    check(&b);
    b.report("living.temp", 30.0);
    check(&b);
    assert_eq!(told(&b), BTreeSet::new());
    assert_eq!(most, 7);
}
