//! **Hot reload**: another program takes over while the house runs.

use engine::{Note, Resume};
use mapping::program::VarIx;

use crate::{
    bench::{Bench, bench},
    build::{R, house, rule, slot},
};

fn reload(b: &mut Bench, rules: &[R]) -> Vec<Note> {
    b.swap(&house(rules), Resume::Reload)
}

fn motion(seconds: u64) -> [R; 2] {
    [
        rule("on").on("hall.motion.start").start("t", seconds),
        rule("off").timer("t").cmd("hall.lamp.off"),
    ]
}

#[test]
fn an_unchanged_timer_keeps_its_deadline() {
    let mut b = bench(&motion(300));
    b.event("hall.motion.start", &[]);
    b.pass(200);
    let mut rules = vec![rule("new").on("desk.button.press").cmd("hall.fan.on")];
    rules.extend(motion(300));
    assert_eq!(reload(&mut b, &rules), []);
    b.pass(99);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
}

#[test]
fn a_changed_duration_counts_from_the_start() {
    let mut b = bench(&motion(300));
    b.event("hall.motion.start", &[]);
    b.pass(200);
    let notes = reload(&mut b, &motion(600));
    assert_eq!(notes, [Note::TimerMoved { timer: "t".into() }]);
    b.pass(399);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
}

#[test]
fn what_an_edit_makes_shorter_than_what_has_passed_fires_with_the_edit() {
    let open = |seconds| {
        rule("open")
            .holds("state.door.contact == 'open'", seconds)
            .notify("open")
    };
    let rules =
        |seconds| -> Vec<R> { motion(seconds).into_iter().chain([open(seconds)]).collect() };
    for is_restored in [false, true] {
        let mut b = bench(&rules(60));
        b.report("door.contact", "open");
        b.event("hall.motion.start", &[]);
        b.fired();
        // No input comes before the edit.
        b.now = b.now.after(std::time::Duration::from_secs(6));
        reload(&mut b, &rules(2));
        if is_restored {
            // The moment of a snapshot between the edit and the next input.
            let program = b.program();
            b.swap(&program, Resume::Replay);
        }
        let due = b.engine.next_deadline(b.now);
        b.pass(0);
        assert_eq!(b.fired(), ["open", "off"]);
        assert_eq!(due, Some(b.now.at));
        assert_eq!(b.engine.next_deadline(b.now), None);
    }
}

#[test]
fn of_times_that_are_over_while_the_sensor_is_silent_each_goes_on_with_a_longer_one() {
    let rules = |seconds| {
        let over = |name: &str, text: &str| rule(name).holds(text, seconds).notify(name);
        [
            over("a", "state.living.temp > 30"),
            over("b", "state.living.temp > 30 && var.night"),
        ]
    };
    for is_cancelled in [false, true] {
        let mut b = bench(&rules(600));
        b.var("night", true);
        b.report("living.temp", 31.0);
        // It is stale after five minutes; the time of both is over after ten.
        b.pass(660);
        assert_eq!(b.fired(), [""; 0]);
        reload(&mut b, &rules(1_800));
        b.pass(540);
        b.report("living.temp", 31.0);
        b.pass(299);
        b.report("living.temp", 31.0);
        if is_cancelled {
            b.var("night", false);
        }
        b.pass(300);
        b.report("living.temp", 31.0);
        assert_eq!(b.fired(), [""; 0]);
        b.pass(1);
        let left: &[&str] = if is_cancelled { &["a"] } else { &["a", "b"] };
        assert_eq!(b.fired(), left);
        assert_eq!(
            b.engine.next_deadline(b.now).map(|at| at > b.now.at),
            Some(true)
        );
    }
}

#[test]
fn a_timer_that_its_rule_starts_in_two_ways_keeps_the_way_it_was_started() {
    let twice = [
        rule("on")
            .on("hall.motion.start")
            .start("t", 10)
            .start("t", 60),
        rule("off").timer("t").cmd("hall.lamp.off"),
    ];
    let mut b = bench(&twice);
    b.event("hall.motion.start", &[]);
    assert_eq!(reload(&mut b, &twice), []);
    b.pass(59);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
}

#[test]
fn a_removed_timer_is_cancelled_and_said_so() {
    let mut b = bench(&motion(300));
    b.event("hall.motion.start", &[]);
    let mut program = (*house(&[])).clone();
    program.timers.clear();
    program.names.timers.clear();
    let notes = b.swap(&std::sync::Arc::new(program), Resume::Reload);
    assert_eq!(
        notes,
        [Note::TimerCancelled {
            timer: "t".into(),
            is: None
        }]
    );
}

#[test]
fn values_and_variables_survive_by_name() {
    let mut b = bench(&[]);
    b.var("level", 40.0);
    b.person("hall.lamp.brightness", 30.0, Some(3_600));
    b.report("hall.lux", 7.0);
    b.online("hall");
    assert_eq!(reload(&mut b, &motion(5)), []);
    let program = b.program();
    let level = program.names.vars["level"];
    assert_eq!(b.engine.var(level), &40.0.into());
    let brightness = slot(&program, "hall.lamp.brightness");
    assert_eq!(b.engine.target(brightness), Some(&30.0.into()));
    assert_eq!(
        b.engine.reported(slot(&program, "hall.lux")),
        Some(&7.0.into())
    );
    assert!(b.engine.online(program.device("hall").expect("hall")));
    assert!(b.engine.kept_until(b.channel("hall.lamp")).is_some());
}

#[test]
fn what_is_gone_or_of_another_type_is_dropped_and_said_so() {
    let mut b = bench(&[]);
    b.var("level", 40.0);
    b.report("hall.lux", 7.0);
    let mut program = (*house(&[])).clone();
    let level = program.names.vars["level"];
    program.vars[level.index()].ty = types::Type::Bool;
    program.vars[level.index()].start = false.into();
    let lux = slot(&program, "hall.lux");
    program.slots[lux.index()].ty = types::Type::Text;
    let notes = b.swap(&std::sync::Arc::new(program), Resume::Reload);
    assert_eq!(
        notes,
        [
            Note::ValueDropped {
                path: "hall.lux".into()
            },
            Note::VarDropped {
                var: "level".into(),
                is: None
            }
        ]
    );
    assert_eq!(b.engine.var(level), &false.into());
    assert_eq!(b.engine.reported(lux), None);
}

#[test]
fn a_variable_whose_range_became_smaller_keeps_the_nearest_value() {
    let mut b = bench(&[]);
    b.var("level", 90.0);
    let mut program = (*house(&[])).clone();
    let level = program.names.vars["level"];
    program.vars[level.index()].ty = types::Type::Number {
        min: 0.0,
        max: 80.0,
    };
    let notes = b.swap(&std::sync::Arc::new(program), Resume::Reload);
    let fitted = Note::VarFitted {
        var: "level".into(),
        value: 80.0.into(),
    };
    assert_eq!(notes, [fitted]);
    assert_eq!(b.engine.var(level), &80.0.into());
}

/// A house in which it is dark, and what `new` does in it from the reload on.
fn dark_before(new: R) -> Bench {
    let mut b = bench(&[]);
    b.report("hall.lux", 5.0);
    assert_eq!(reload(&mut b, &[new]), []);
    b
}

#[test]
fn holds_keep_their_truth_and_what_is_true_already_is_known_at_a_reload() {
    let dark = |text: &str| [rule("dark").holds(text, 0).notify("dark")];
    let mut b = bench(&dark("state.hall.lux < 20"));
    b.report("hall.lux", 5.0);
    assert_eq!(b.fired(), ["dark"]);
    for text in ["state.hall.lux < 20", "state.hall.lux < 30"] {
        reload(&mut b, &dark(text));
        b.pass(1);
        assert_eq!(b.fired(), [""; 0], "{text}");
    }
    b.report("hall.lux", 40.0);
    b.report("hall.lux", 25.0);
    assert_eq!(b.fired(), ["dark"]);
}

#[test]
fn a_new_rule_whose_condition_is_true_already_waits_for_it_to_become_true() {
    let mut b = dark_before(rule("dark").holds("state.hall.lux < 20", 0).notify("dark"));
    b.pass(60);
    assert_eq!(b.fired(), [""; 0]);
    b.report("hall.lux", 90.0);
    b.report("hall.lux", 4.0);
    assert_eq!(b.fired(), ["dark"]);
}

#[test]
fn a_new_rule_fires_once_what_was_unknown_at_the_reload_is_true() {
    let mut b = dark_before(rule("cold").holds("state.living.temp < 20", 0).notify("x"));
    b.pass(60);
    assert_eq!(b.fired(), [""; 0]);
    b.report("living.temp", 18.0);
    assert_eq!(b.fired(), ["cold"]);
}

#[test]
fn a_rule_that_is_enabled_again_while_its_condition_is_true_fires_nothing() {
    let dark = rule("dark").holds("state.hall.lux < 20", 0).notify("dark");
    let is_enabled = |enabled| {
        let mut program = (*house(std::slice::from_ref(&dark))).clone();
        program.rules[0].enabled = enabled;
        std::sync::Arc::new(program)
    };
    let mut b = bench(std::slice::from_ref(&dark));
    b.report("hall.lux", 90.0);
    b.swap(&is_enabled(false), Resume::Reload);
    b.report("hall.lux", 5.0);
    b.swap(&is_enabled(true), Resume::Reload);
    b.pass(60);
    assert_eq!(b.fired(), [""; 0]);
    b.report("hall.lux", 90.0);
    b.report("hall.lux", 5.0);
    assert_eq!(b.fired(), ["dark"]);
}

#[test]
fn a_for_of_a_new_rule_begins_at_the_reload() {
    let dark = rule("dark").holds("state.hall.lux < 20", 600);
    let mut b = dark_before(dark.notify("dark"));
    b.pass(599);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["dark"]);
    b.pass(6_000);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_for_that_is_over_does_not_begin_again_with_another_time() {
    let open = |seconds| {
        [rule("open")
            .holds("state.door.contact == 'open'", seconds)
            .notify("open")]
    };
    let mut b = bench(&open(60));
    b.report("door.contact", "open");
    b.pass(60);
    assert_eq!(b.fired(), ["open"]);
    reload(&mut b, &open(90));
    b.pass(600);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_condition_that_is_true_because_an_edit_changed_what_it_reads_fires_nothing() {
    let soft = |seconds| rule("soft").holds("var.level < 85", seconds).notify("soft");
    for (seconds, fired) in [(0, &[""; 0][..]), (60, &["soft"])] {
        let mut b = bench(&[soft(seconds)]);
        b.var("level", 90.0);
        b.fired();
        let mut program = (*b.program()).clone();
        let level = program.names.vars["level"];
        program.vars[level.index()].ty = types::Type::Number {
            min: 0.0,
            max: 80.0,
        };
        b.swap(&std::sync::Arc::new(program), Resume::Reload);
        b.pass(59);
        assert_eq!(b.fired(), [""; 0]);
        b.pass(1);
        assert_eq!(b.fired(), fired, "{seconds}");
    }
}

#[test]
fn what_time_made_true_before_a_reload_fires_though_nobody_had_looked() {
    let old = || {
        [rule("old")
            .holds("age(state.hall.lux) > 90", 0)
            .notify("old")]
    };
    let mut b = bench(&old());
    b.report("hall.lux", 1.0);
    b.now = b.now.after(std::time::Duration::from_secs(100));
    reload(&mut b, &old());
    b.pass(0);
    assert_eq!(b.fired(), ["old"]);
}

#[test]
fn what_turned_true_while_the_dispatcher_was_off_fires_though_the_house_was_edited_meanwhile() {
    let lost = rule("lost")
        .holds("!has(state.living.temp)", 0)
        .notify("lost");
    let other = rule("other").on("desk.button.press").notify("other");
    let mut b = bench(std::slice::from_ref(&lost));
    b.report("living.temp", 21.0);
    b.fired();
    b.now = b.now.after(std::time::Duration::from_secs(3_600));
    let program = b.program();
    b.swap(&program, Resume::Restart);
    reload(&mut b, &[lost, other]);
    b.pass(0);
    assert_eq!(b.fired(), ["lost"]);
}

#[test]
fn a_for_runs_on_with_the_same_text_and_is_dropped_with_another() {
    let open = |text: &str, seconds| [rule("open").holds(text, seconds).notify("open")];
    let text = "state.door.contact == 'open'";
    let mut b = bench(&open(text, 600));
    b.report("door.contact", "open");
    b.pass(300);
    assert_eq!(reload(&mut b, &open(text, 400)), []);
    b.pass(99);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["open"]);

    let mut b = bench(&open(text, 600));
    b.report("door.contact", "open");
    let notes = reload(&mut b, &open("state.door.contact != 'closed'", 600));
    assert_eq!(
        notes,
        [Note::HoldDropped {
            rule: "open".into()
        }]
    );
    b.pass(600);
    assert_eq!(b.fired(), ["open"]);
}

#[test]
fn a_for_runs_on_where_its_rule_has_another_name_and_its_condition_another_space() {
    let open = |name: &str, text: &str| [rule(name).holds(text, 600).notify(name)];
    let mut b = bench(&open("open", "state.door.contact == 'open'"));
    b.report("door.contact", "open");
    b.pass(300);
    let notes = reload(&mut b, &open("door-open", "state.door.contact  ==  'open'"));
    // What it says is another text: that is more than a name.
    assert_eq!(
        notes,
        [Note::HoldDropped {
            rule: "open".into()
        }]
    );
    let said = |name: &str, text: &str| [rule(name).holds(text, 600).notify("open")];
    let mut b = bench(&said("open", "state.door.contact == 'open'"));
    b.report("door.contact", "open");
    b.pass(300);
    let new = said("door-open", "state.door.contact  ==  'open'");
    assert_eq!(reload(&mut b, &new), []);
    b.pass(299);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["door-open"]);
    assert_eq!(
        reload(&mut b, &said("open", "state.door.contact == 'open'")),
        []
    );
    b.pass(600);
    assert_eq!(b.fired(), [""; 0], "it is true already");
}

#[test]
fn two_fors_of_one_condition_each_run_on() {
    let text = "state.door.contact == 'open'";
    let twice = [rule("open")
        .holds(text, 100)
        .holds(text, 200)
        .notify("open")];
    for how in [Resume::Replay, Resume::Restart, Resume::Reload] {
        let mut b = bench(&twice);
        b.report("door.contact", "open");
        b.pass(50);
        assert_eq!(b.swap(&house(&twice), how), []);
        b.pass(49);
        assert_eq!(b.fired(), [""; 0]);
        b.pass(1);
        assert_eq!(b.fired(), ["open"]);
        b.pass(99);
        assert_eq!(b.fired(), [""; 0]);
        b.pass(1);
        assert_eq!(b.fired(), ["open"]);
    }
}

#[test]
fn a_run_that_waits_goes_on_under_the_new_name_of_its_rule() {
    let slow = |name: &str| {
        [rule(name)
            .on("desk.button.press")
            .wait(60)
            .cmd("hall.fan.on")]
    };
    let mut b = bench(&slow("slow"));
    b.event("desk.button.press", &[]);
    b.pass(30);
    assert_eq!(reload(&mut b, &slow("late")), []);
    b.pass(30);
    assert_eq!(b.out(), ["hall.fan on=true"]);
}

#[test]
fn what_runs_goes_on_where_rules_exchange_their_names() {
    let rules = |slow: &str, open: &str, tune: &str| {
        [
            rule(slow)
                .on("desk.button.press")
                .wait(60)
                .cmd("hall.fan.on"),
            rule(open)
                .holds("state.door.contact == 'open'", 60)
                .notify("open"),
            rule(tune).melody(&[1.0, 2.0], 120_000).notify("tune"),
        ]
    };
    let mut b = bench(&rules("a", "b", "c"));
    b.event("desk.button.press", &[]);
    b.report("door.contact", "open");
    b.event("piano.keys.press", &[1.0, 9.0]);
    assert_eq!(b.fired(), ["a"]);
    b.pass(30);
    assert_eq!(reload(&mut b, &rules("c", "a", "b")), []);
    b.event("piano.keys.press", &[2.0, 9.0]);
    assert_eq!(b.fired(), ["b"]);
    b.pass(29);
    b.out();
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["a"]);
    let out = b.out();
    assert!(out.contains(&"hall.fan on=true".to_owned()), "{out:?}");
}

#[test]
fn what_a_rule_had_begun_goes_with_it_where_another_one_takes_its_name() {
    let text = "state.door.contact == 'open'";
    let slow = rule("a").on("desk.button.press").wait(60).notify("slow");
    let mut b = bench(&[
        slow.holds(text, 50).limit(1, 1_000),
        rule("b").holds(text, 100).notify("open"),
    ]);
    b.event("desk.button.press", &[]);
    b.report("door.contact", "open");
    b.pass(30);
    let notes = reload(&mut b, &[rule("a").holds(text, 100).notify("open")]);
    let (run, hold) = (
        Note::RunCancelled { rule: "a".into() },
        Note::HoldDropped { rule: "a".into() },
    );
    assert_eq!(notes, [run, hold]);
    b.pass(69);
    assert_eq!(b.fired(), ["a"], "before the edit");
    b.pass(1);
    assert_eq!(b.fired(), ["a"]);
}

#[test]
fn a_variable_goes_on_under_its_new_name_beside_one_that_is_new() {
    let mut b = bench(&[rule("loud")
        .on("desk.button.press")
        .cond("var.level > 30")
        .notify("loud")]);
    b.var("level", 40.0);
    let mut program = (*b.program()).clone();
    let level = program.names.vars.remove("level").expect("it is there");
    program.vars[level.index()].name = "volume".into();
    let mut new = program.vars[level.index()].clone();
    new.name = "balance".into();
    program.vars.push(new);
    let balance = VarIx(program.vars.len() as u32 - 1);
    program
        .names
        .vars
        .extend([("volume".into(), level), ("balance".into(), balance)]);
    assert_eq!(b.swap(&std::sync::Arc::new(program), Resume::Reload), []);
    assert_eq!(b.engine.var(level), &40.0.into());
    assert_eq!(b.engine.var(balance), &0.0.into());
}

#[test]
fn a_chord_in_flight_goes_on_and_one_that_changed_is_said_to_be_dropped() {
    let chord = |keys: &[f64]| [rule("chord").chord(keys, 2_000).notify("chord")];
    let mut b = bench(&chord(&[60.0, 64.0]));
    b.event("piano.keys.press", &[60.0, 80.0]);
    assert_eq!(reload(&mut b, &chord(&[60.0, 64.0])), []);
    b.pass(1);
    b.event("piano.keys.press", &[64.0, 80.0]);
    assert_eq!(b.fired(), ["chord"]);
    b.event("piano.keys.press", &[60.0, 80.0]);
    let dropped = Note::ChordDropped {
        rule: "chord".into(),
    };
    assert_eq!(reload(&mut b, &chord(&[60.0, 67.0])), [dropped]);
    b.event("piano.keys.press", &[67.0, 80.0]);
    // What is too old for any chord is nothing to drop.
    b.pass(60);
    assert_eq!(reload(&mut b, &chord(&[67.0, 71.0])), []);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_gesture_in_flight_goes_on() {
    use mapping::program::GestureKind::Double;
    let double = [rule("double").gesture(Double, 0, 400).notify("double")];
    let mut b = bench(&double);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    reload(&mut b, &double);
    b.pass_ms(100);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    assert_eq!(b.fired(), ["double"]);
}

#[test]
fn a_button_that_is_held_while_its_long_is_removed_is_let_go() {
    use mapping::program::GestureKind::{Click, Long};
    let click = rule("click").gesture(Click, 0, 400).notify("click");
    let long = rule("long").gesture(Long, 800, 400).notify("long");
    let mut b = bench(&[click.clone(), long]);
    b.event("desk.button.press", &[]);
    b.pass(1);
    assert_eq!(b.fired(), ["long"]);
    reload(&mut b, &[click]);
    b.event("desk.button.release", &[]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    assert_eq!(b.fired(), ["click"]);
}

#[test]
fn the_next_engine_can_be_made_on_another_thread() {
    let mut b = bench(&motion(300));
    b.event("hall.motion.start", &[]);
    let (state, now) = (b.engine.state(), b.now);
    let made = std::thread::spawn(move || {
        engine::Engine::restore(house(&motion(300)), &state, now, Resume::Reload)
    });
    let (engine, notes) = made.join().expect("an engine");
    assert_eq!(notes, []);
    assert_eq!(engine.next_deadline(now), b.engine.next_deadline(now));
}

#[test]
fn limits_go_on() {
    let ring = [rule("ring")
        .on("desk.button.press")
        .limit(1, 30)
        .notify("ring")];
    let mut b = bench(&ring);
    b.event("desk.button.press", &[]);
    reload(&mut b, &ring);
    b.event("desk.button.press", &[]);
    assert_eq!(b.fired(), ["ring"]);
}

#[test]
fn a_time_that_came_does_not_come_again_and_one_ahead_still_does() {
    use mapping::program::Days;
    let times = || {
        [
            rule("at").at(12, 30, Days::ALL).notify("at"),
            rule("cron").cron("45 12 * * *").notify("cron"),
        ]
    };
    let mut b = bench(&times());
    b.pass(31 * 60);
    assert_eq!(b.fired(), ["at"]);
    // The same times on other days, and a rule before them.
    let mut edited = vec![rule("new").on("desk.button.press").notify("new")];
    edited.extend(times());
    assert_eq!(reload(&mut b, &edited), []);
    b.pass(3_600);
    assert_eq!(b.fired(), ["cron"]);
}

#[test]
fn a_chord_in_flight_goes_on_and_another_one_begins_anew() {
    let chord = |keys: &[f64]| rule("chord").chord(keys, 2_000).notify("chord");
    let mut b = bench(&[chord(&[60.0, 64.0])]);
    b.event("piano.keys.press", &[60.0, 9.0]);
    // Another trigger stands before it now.
    let with_more = rule("chord")
        .on("desk.button.press")
        .chord(&[60.0, 64.0], 2_000)
        .notify("chord");
    reload(&mut b, &[with_more]);
    b.event("piano.keys.press", &[64.0, 9.0]);
    assert_eq!(b.fired(), ["chord"]);

    b.event("piano.keys.press", &[60.0, 9.0]);
    reload(&mut b, &[chord(&[60.0, 67.0])]);
    b.event("piano.keys.press", &[67.0, 9.0]);
    assert_eq!(b.fired(), [""; 0]);
    b.event("piano.keys.press", &[60.0, 9.0]);
    assert_eq!(b.fired(), ["chord"]);
}

#[test]
fn an_unchanged_for_keeps_its_deadline() {
    let open = || {
        rule("open")
            .holds("state.door.contact == 'open'", 600)
            .notify("open")
    };
    let mut b = bench(&[open()]);
    b.report("door.contact", "open");
    b.pass(300);
    assert_eq!(
        reload(&mut b, &[rule("new").timer("t").notify("t"), open()]),
        []
    );
    b.pass(299);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["open"]);
}

#[test]
fn a_long_press_that_is_held_goes_on() {
    use mapping::program::GestureKind::Long;
    let long = |ms| [rule("long").gesture(Long, ms, 400).notify("long")];
    let mut b = bench(&long(5_000));
    b.event("desk.button.press", &[]);
    b.pass(1);
    reload(&mut b, &long(5_000));
    b.pass_ms(3_999);
    assert_eq!(b.fired(), [""; 0]);
    b.pass_ms(1);
    assert_eq!(b.fired(), ["long"]);
}

#[test]
fn what_waits_for_a_device_does_not_go_on_with_the_one_that_takes_its_number() {
    let steps = [("desk.button.press", ""), ("hall.motion.start", "")];
    let rules = [
        rule("lit")
            .holds("state.hall.lamp.on", 60)
            .notify("it is lit"),
        rule("slow")
            .on("piano.keys.press")
            .wait(60)
            .cmd("hall.lamp.off"),
        rule("way").sequence(&steps, 120_000).notify("the way"),
        rule("elsewhere")
            .on("piano.keys.press")
            .wait(60)
            .cmd("living.heater.on"),
    ];
    let mut b = bench(&rules);
    b.report("hall.lamp.on", true);
    b.event("piano.keys.press", &[1.0, 9.0]);
    b.event("desk.button.press", &[]);
    b.pass(30);
    b.fired();
    let mut program = (*b.program()).clone();
    let (desk, hall) = (program.devices[0].id, program.devices[1].id);
    program.devices[0].id = hall;
    program.devices[1].id = desk;
    let notes = b.swap(&std::sync::Arc::new(program), Resume::Reload);
    for note in [
        Note::HoldDropped { rule: "lit".into() },
        Note::RunCancelled {
            rule: "slow".into(),
        },
        Note::SequenceDropped { rule: "way".into() },
    ] {
        assert!(notes.contains(&note), "{notes:?}");
    }
    let others = Note::RunCancelled {
        rule: "elsewhere".into(),
    };
    assert!(!notes.contains(&others), "{notes:?}");
    b.event("hall.motion.start", &[]);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(60);
    let out = b.out();
    assert!(out.contains(&"living.heater on=true".to_owned()), "{out:?}");
    assert!(!out.contains(&"hall.lamp on=false".to_owned()), "{out:?}");
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn what_a_rule_did_that_is_gone_was_not_done_by_the_one_that_has_its_name() {
    let mut b = bench(&[
        rule("a")
            .on("desk.button.press")
            .start("t", 60)
            .cmd("hall.fan.on"),
        rule("b").timer("t").notify("over"),
    ]);
    b.event("desk.button.press", &[]);
    reload(
        &mut b,
        &[
            rule("a").timer("t").notify("over"),
            rule("c").on("hall.motion.start").start("t", 60),
        ],
    );
    let state = format!("{:?}", b.engine.state());
    assert!(state.contains("Rule(\"a (gone)\")"), "{state}");
    assert!(state.contains("by: \"a (gone)\""), "{state}");
}
