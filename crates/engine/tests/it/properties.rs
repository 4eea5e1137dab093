//! Random houses and histories: the same inputs give the same bytes, and a restart between any two of them
//! makes no difference.

use std::{sync::Arc, time::Duration};

use engine::{Effects, Engine, Input, Note, Outcome, Resume, State, Who};
use mapping::program::{
    AfterDowntime, Carrier, Days, Device, DeviceIx, Former, GestureKind, Mode, Program, RuleIx,
    Succession, SunEvent, Timer, TimerIx, Trigger, Var, VarIx,
};
use proptest::prelude::*;
use types::{Instant, Now, Value};

use crate::{
    bench::{MONDAY_NOON, wall},
    build::{R, event, house, rule, slot},
};

const CONDITIONS: [&str; 8] = [
    "var.night",
    "!var.night && state.hall.lux < 50",
    "state.living.temp < 20",
    "!has(state.living.temp)",
    "age(state.hall.lux) > 45",
    "target.hall.fan || living.online",
    "now.minute % 2 == 0",
    "sun.is_down && var.level >= 3",
];

/// Conditions of which the index of rules knows something.
const PRESSED: [&str; 4] = [
    "event.key == 1",
    "event.key in [0, 2] && event.velocity > 3",
    "event.velocity <= 9 && !var.night",
    "event.key > 1 || state.hall.lux < 50",
];

fn trigger(rule: R, which: u8) -> R {
    let condition = CONDITIONS[usize::from(which / 10) % CONDITIONS.len()];
    match which % 17 {
        0 => rule.on("desk.button.press"),
        1 => rule.on("hall.motion.start").on("hall.lux.changed"),
        2 => rule.timer("t"),
        3 => rule.timer("u").on("living.offline"),
        4 => rule.holds(condition, 0),
        5 => rule.holds(condition, u64::from(which)),
        6 => rule.gesture(GestureKind::Click, 500, 300),
        7 => rule
            .gesture(GestureKind::Double, 500, 300)
            .gesture(GestureKind::Long, 500, 300),
        8 => rule.chord(&[1.0, 2.0], 500),
        9 => rule.on("mode.evening.press").on("mode.keys.press"),
        10 => rule.holds("state.mode.away == 'open'", u64::from(which % 3)),
        11 => rule.at(12, u32::from(which) % 30, Days::ALL),
        12 => rule.cron(["*/2 12 * * *", "20 */3 * * * *", "0 13 * * mon"][usize::from(which) % 3]),
        // Today's sunset is at 16:08; some of these come while the history lasts.
        13 => rule.sun(SunEvent::Sunset, i64::from(which) * 20 - 4 * 3_600),
        14 => rule.sequence(
            &[("desk.button.press", ""), ("hall.motion.start", condition)],
            30_000,
        ),
        15 => rule.melody(&[1.0, 2.0, 1.0], 60_000),
        _ => rule.on("piano.keys.press"),
    }
}

fn action(rule: R, which: u8) -> R {
    match which % 19 {
        0 => rule.cmd("hall.lamp.toggle"),
        1 => rule.set("hall.lamp", &[("brightness", "${state.hall.lux}")]),
        2 => rule.start("t", u64::from(which)),
        3 => rule.start("u", 5).stop("t"),
        4 => rule.var("night", "${!var.night}"),
        5 => rule.var("level", "${var.level + 1}"),
        6 => rule.cmd("hall.fan.toggle").cmd("living.blind.stop"),
        7 => rule.set("living.strip", &[("kelvin", "2700")]),
        8 => rule.set("living.strip", &[("hue", "${var.level * 9}")]),
        9 => rule.emit("mode.evening.press", &[]),
        10 => rule.emit("mode.keys.press", &["${var.level + 1}", "9"]),
        11 => rule.emit("mode.away.open", &[]),
        12 | 13 => rule.wait(u64::from(which % 5) + 1),
        14 => rule.wait(40).cmd("desk.lamp.toggle"),
        15 | 16 => rule.on_for("hall.fan", u64::from(which)),
        17 => rule.hold("hall.fan", u64::from(which % 40)),
        _ => rule.notify("${state.living.temp} at ${now.hour}:${now.minute}"),
    }
}

fn rules() -> impl Strategy<Value = Vec<R>> {
    let one = (
        any::<u8>(),
        any::<u8>(),
        proptest::collection::vec(any::<u8>(), 1..4),
        any::<u8>(),
    );
    proptest::collection::vec(one, 1..12).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(ix, (when, condition, acts, extra))| {
                let mut row = trigger(rule(&format!("r{ix}")), when);
                if when % 17 == 16 {
                    row = row.cond(PRESSED[usize::from(extra) % 4]);
                    row = row
                        .wait(u64::from(when % 7) + 1)
                        .notify("${event.key} ${event.velocity}");
                }
                if condition % 3 == 0 && row.cond.is_none() {
                    row = row.cond(CONDITIONS[usize::from(condition / 3) % CONDITIONS.len()]);
                }
                row = acts.into_iter().fold(row, action);
                let modes = [Mode::Restart, Mode::Single, Mode::Queue, Mode::Parallel];
                row = row.mode(modes[usize::from(extra / 4) % 4]);
                match extra % 4 {
                    0 => row.limit(2, 30),
                    1 => row.after(AfterDowntime::Drop),
                    _ => row,
                }
            })
            .collect()
    })
}

fn input(program: &Program, kind: u8, value: u8) -> Input {
    let number = f64::from(value % 60);
    let of_event = |path: &str, fields: Vec<Value>| Input::Event {
        event: event(program, path),
        fields,
        produced_ms: None,
    };
    let report = |path: &str, value: Value, live: bool| {
        let slot = slot(program, path);
        Input::Report {
            channel: program[slot].channel,
            fields: vec![(slot, value)],
            live,
        }
    };
    let living = program.device("living").expect("living");
    match kind % 12 {
        0 => of_event("desk.button.press", vec![]),
        1 => of_event("desk.button.release", vec![]),
        2 => of_event("hall.motion.start", vec![]),
        3 => of_event(
            "piano.keys.press",
            vec![f64::from(value % 3).into(), f64::from(value % 12).into()],
        ),
        4 => report("hall.lux", number.into(), true),
        5 => report("living.temp", number.into(), value.is_multiple_of(2)),
        6 => Input::Online {
            device: living,
            last_seen: None,
        },
        7 => Input::Offline {
            device: living,
            last_seen: None,
        },
        8 => Input::Var {
            var: program.names.vars["night"],
            to: value.is_multiple_of(2).into(),
        },
        9 => Input::Set {
            channel: program.channel_by_path("hall.fan").expect("the fan"),
            fields: vec![(slot(program, "hall.fan"), value.is_multiple_of(2).into())],
            who: if value.is_multiple_of(3) {
                Who::Local
            } else {
                Who::Person("anna".into())
            },
            hold: (value % 5 == 1).then(|| Duration::from_secs(20)),
            bound: (value % 7 == 1).then(|| Duration::from_secs(30)),
        },
        10 => Input::Command {
            channel: program.channel_by_path("hall.lamp").expect("the lamp"),
            command: 3,
            args: vec![10.0.into()],
            who: Who::Person("anna".into()),
        },
        _ => Input::Tick,
    }
}

/// Lets time pass, and sometimes turns the clock on the wall: by some minutes, or whether it is synced.
fn later(now: Now, (pause, kind, value): &(u32, u8, u8)) -> Now {
    let mut now = now.after(Duration::from_millis(u64::from(*pause)));
    match kind {
        240..=247 => now.wall.0 += (i64::from(*value) - 128) * 60_000_000,
        248..=251 => now.synced = value.is_multiple_of(2),
        _ => {}
    }
    now
}

/// Milliseconds before an input, its kind and a value for it.
type History = Vec<(u32, u8, u8)>;

fn history() -> impl Strategy<Value = History> {
    let pause = prop_oneof![Just(0_u32), 1_u32..400, 400_u32..90_000];
    proptest::collection::vec((pause, any::<u8>(), any::<u8>()), 1..60)
}

fn begin() -> Now {
    Now {
        at: Instant(5_000_000),
        wall: wall(MONDAY_NOON),
        synced: true,
    }
}

/// Runs a history; before the inputs in `cuts` the engine is replaced by one made from its bytes. Gives
/// what came out and the state at the end.
fn run(
    program: &Arc<Program>,
    history: &History,
    (cuts, how): (&[usize], Resume),
) -> (Vec<Effects>, Vec<u8>) {
    let mut now = begin();
    let mut engine = Engine::new(Arc::clone(program), now);
    let mut all = Vec::new();
    for (ix, (pause, kind, value)) in history.iter().enumerate() {
        if cuts.contains(&ix) {
            let bytes = engine.state().encode();
            let state = State::decode(&bytes).expect("own bytes");
            assert_eq!(state.encode(), bytes);
            let (again, notes) = Engine::restore(Arc::clone(program), &state, now, how);
            assert_eq!(notes, []);
            assert_eq!(
                again.state().encode(),
                bytes,
                "a restored engine is the same"
            );
            if how == Resume::Replay {
                assert_eq!(again.next_deadline(now), engine.next_deadline(now));
            }
            engine = again;
        }
        now = later(now, &(*pause, *kind, *value));
        let mut effects = Effects::default();
        engine.handle(now, input(program, *kind, *value), &mut effects);
        all.push(effects);
    }
    (all, engine.state().encode())
}

/// What has other names in a house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Rules,
    /// Rules, among each other.
    RulesExchanged,
    /// Variables, timers and virtual devices.
    Things,
    /// The same, and there is one more of each.
    ThingsBesideNew,
    /// Variables and timers, among each other.
    ThingsExchanged,
}

fn others() -> impl Strategy<Value = Others> {
    prop_oneof![
        Just(Others::Rules),
        Just(Others::RulesExchanged),
        Just(Others::Things),
        Just(Others::ThingsBesideNew),
        Just(Others::ThingsExchanged),
    ]
}

/// The rules that such names can be told by, where the house does not say it: those that exchange theirs differ, and what is new beside others that have no
/// rule is none of these; of things that exchange theirs, each has a rule.
fn told_by(rules: Vec<R>, others: Others) -> Vec<R> {
    match others {
        Others::Rules | Others::Things => rules,
        Others::RulesExchanged => (0..)
            .zip(rules)
            .map(|(ix, rule)| rule.notify(&format!("rule {ix}")))
            .collect(),
        Others::ThingsBesideNew | Others::ThingsExchanged => {
            let speaks = rule("speaks").timer("t").timer("u").timer("v");
            let condition =
                "var.night && var.level > 98 && var.mood == 'glad' && state.mode.away == 'open'";
            let speaks = speaks.cond(condition).notify("never");
            rules.into_iter().chain([speaks]).collect()
        }
    }
}

/// The same house, its conditions with another space, and under other names.
fn with_other_names(program: &Program, others: Others) -> Arc<Program> {
    let mut program = program.clone();
    let other = |name: &mut Arc<str>| *name = format!("{name}_other").into();
    match others {
        Others::Rules => {
            let rules = program.rules.iter_mut();
            rules.for_each(|rule| other(&mut rule.name));
        }
        Others::RulesExchanged => {
            let mut names: Vec<_> = program.rules.iter().map(|rule| rule.name.clone()).collect();
            names.rotate_left(1);
            let rules = program.rules.iter_mut();
            rules.zip(names).for_each(|(rule, name)| rule.name = name);
        }
        Others::ThingsExchanged => {}
        Others::Things | Others::ThingsBesideNew => {
            program.vars.iter_mut().for_each(|var| other(&mut var.name));
            let timers = program.timers.iter_mut();
            timers.for_each(|timer| other(&mut timer.name));
            let devices = program.devices.iter_mut();
            let is_virtual = |device: &&mut Device| device.carrier == Carrier::Virtual;
            devices
                .filter(is_virtual)
                .for_each(|device| other(&mut device.name));
        }
    }
    if others == Others::ThingsExchanged {
        exchange_names(&mut program);
    }
    if others == Others::ThingsBesideNew {
        add_one_of_each(&mut program);
    }
    for trigger in program
        .rules
        .iter_mut()
        .flat_map(|rule| rule.triggers.iter_mut())
    {
        match trigger {
            Trigger::Holds { condition, .. } => {
                condition.text = format!(" {}", condition.text).into();
            }
            Trigger::Sequence { steps, .. } => {
                for condition in steps.iter_mut().filter_map(|step| step.condition.as_mut()) {
                    condition.text = format!(" {}", condition.text).into();
                }
            }
            _ => {}
        }
    }
    let names = &mut program.names;
    names.rules = (0..)
        .zip(&program.rules)
        .map(|(ix, rule)| (rule.name.clone(), RuleIx(ix)))
        .collect();
    names.vars = (0..)
        .zip(&program.vars)
        .map(|(ix, var)| (var.name.clone(), VarIx(ix)))
        .collect();
    names.timers = (0..)
        .zip(&program.timers)
        .map(|(ix, row)| (row.name.clone(), TimerIx(ix)))
        .collect();
    names.devices = (0..)
        .zip(&program.devices)
        .map(|(ix, row)| (row.name.clone(), DeviceIx(ix)))
        .collect();
    Arc::new(program)
}

/// The same house, which says what `other` calls its variables and virtual devices: they may have no rule.
fn stated(program: &Program, other: &Program) -> Arc<Program> {
    let vars = (0..).zip(&other.vars);
    let vars = vars.map(|(ix, var)| Former::Var(var.name.clone(), VarIx(ix)));
    let devices = (0..).zip(&other.devices);
    let devices = devices.filter(|(_, row)| row.carrier == Carrier::Virtual);
    let devices = devices.map(|(ix, row)| Former::Device(row.name.clone(), DeviceIx(ix)));
    let mut program = program.clone();
    program.renamed = vars.chain(devices).collect();
    Arc::new(program)
}

/// Each variable and timer has the name of the next one, also in the rules.
fn exchange_names(program: &mut Program) {
    let mut names: Vec<_> = program.vars.iter().map(|var| var.name.clone()).collect();
    names.rotate_left(1);
    let vars = program.vars.iter_mut();
    vars.zip(names).for_each(|(var, name)| var.name = name);
    let mut names: Vec<_> = program.timers.iter().map(|row| row.name.clone()).collect();
    names.rotate_left(1);
    let timers = program.timers.iter_mut();
    timers.zip(names).for_each(|(row, name)| row.name = name);
    for rule in &mut program.rules {
        rule.fingerprint = rule.fingerprint.wrapping_add(1);
    }
}

/// A variable, a timer and a virtual device, each like one that is there.
fn add_one_of_each(program: &mut Program) {
    let var = program.vars[0].clone();
    program.vars.push(Var {
        name: "new".into(),
        ..var
    });
    program.timers.push(Timer { name: "new".into() });
    let mode = program.devices.last().expect("it is virtual").clone();
    program.devices.push(Device {
        name: "new".into(),
        channels: Vec::new(),
        ..mode
    });
}

/// What rules did, in order: without those that only looked.
fn did(effects: &Effects) -> Vec<(RuleIx, Outcome)> {
    let traces = effects.decisions.iter().flat_map(|d| &d.rules);
    let idle = |outcome| matches!(outcome, Outcome::False | Outcome::Unknown);
    traces
        .map(|trace| (trace.rule, trace.outcome))
        .filter(|(_, outcome)| !idle(*outcome))
        .collect()
}

/// Nothing in between.
const STRAIGHT: (&[usize], Resume) = (&[], Resume::Replay);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_same_inputs_give_the_same_bytes(rules in rules(), history in history()) {
        let program = house(&rules);
        let once = || run(&program, &history, STRAIGHT);
        prop_assert_eq!(once(), once());
    }

    #[test]
    fn a_restart_between_any_two_inputs_makes_no_difference(
        rules in rules(),
        history in history(),
        cut in 0..60_usize,
    ) {
        let program = house(&rules);
        let straight = run(&program, &history, STRAIGHT);
        let once = [cut % history.len()];
        prop_assert_eq!(&run(&program, &history, (&once, Resume::Replay)), &straight);
        let all: Vec<usize> = (0..history.len()).collect();
        prop_assert_eq!(&run(&program, &history, (&all, Resume::Replay)), &straight);
    }

    #[test]
    fn a_reload_to_the_same_mapping_makes_no_difference(rules in rules(), history in history()) {
        let program = house(&rules);
        let straight = run(&program, &history, STRAIGHT);
        let all: Vec<usize> = (0..history.len()).collect();
        prop_assert_eq!(&run(&program, &history, (&all, Resume::Reload)), &straight);
    }

    #[test]
    fn new_names_between_any_two_inputs_make_no_difference(
        rules in rules(),
        history in history(),
        others in others(),
    ) {
        let rules = told_by(rules, others);
        let mut named = [house(&rules), with_other_names(&house(&rules), others)];
        if others == Others::Things {
            named = [stated(&named[0], &named[1]), stated(&named[1], &named[0])];
        }
        let (straight, state) = run(&named[0], &history, STRAIGHT);
        let mut now = begin();
        let mut engine = Engine::new(Arc::clone(&named[0]), now);
        for (ix, (pause, kind, value)) in history.iter().enumerate() {
            let (old, new) = (&named[ix % 2], &named[(ix + 1) % 2]);
            let mut notes = engine.replace(Arc::clone(new), &Succession::new(old, new), now);
            // The one that is new every other time is gone in between.
            notes.retain(|note| !matches!(note, Note::VarDropped { var, .. } if **var == *"new"));
            prop_assert_eq!(notes, []);
            now = later(now, &(*pause, *kind, *value));
            let mut effects = Effects::default();
            engine.handle(now, input(&named[0], *kind, *value), &mut effects);
            prop_assert_eq!(&effects.outputs, &straight[ix].outputs);
            prop_assert_eq!(did(&effects), did(&straight[ix]));
        }
        let last = &named[history.len() % 2];
        let _ = engine.replace(Arc::clone(&named[0]), &Succession::new(last, &named[0]), now);
        prop_assert_eq!(engine.state().encode(), state);
    }

    #[test]
    fn matching_by_index_fires_what_a_scan_fires(rules in rules(), history in history()) {
        let program = house(&rules);
        let mut now = begin();
        let mut indexed = Engine::new(Arc::clone(&program), now);
        // A watched rule is looked at wherever one of its events comes, as a scan looks at all.
        let watching = |ix| {
            let mut engine = Engine::new(Arc::clone(&program), now);
            engine.watch(Some(RuleIx(ix as u32)));
            engine
        };
        let mut scans: Vec<Engine> = (0..rules.len()).map(watching).collect();
        for (pause, kind, value) in &history {
            now = later(now, &(*pause, *kind, *value));
            let mut expected = Effects::default();
            indexed.handle(now, input(&program, *kind, *value), &mut expected);
            for scan in &mut scans {
                let mut came = Effects::default();
                scan.handle(now, input(&program, *kind, *value), &mut came);
                prop_assert_eq!(&came.outputs, &expected.outputs);
                prop_assert_eq!(did(&came), did(&expected));
            }
        }
        for scan in &scans {
            prop_assert_eq!(scan.state().encode(), indexed.state().encode());
        }
    }

    #[test]
    fn waking_at_each_deadline_makes_no_difference(rules in rules(), history in history()) {
        let program = house(&rules);
        let mut now = begin();
        let mut woken = Engine::new(Arc::clone(&program), now);
        let mut late = Engine::new(Arc::clone(&program), now);
        for (pause, kind, value) in history {
            let end = now.after(Duration::from_millis(u64::from(pause)));
            let mut in_time = Effects::default();
            while let Some(due) = woken.next_deadline(now).filter(|due| *due <= end.at) {
                now = now.after(due.since(now.at));
                woken.handle(now, Input::Tick, &mut in_time);
            }
            now = end;
            let mut at_once = Effects::default();
            woken.handle(now, input(&program, kind, value), &mut in_time);
            late.handle(now, input(&program, kind, value), &mut at_once);
            let strip = |effects: &Effects| -> Vec<_> {
                let decisions = effects.decisions.iter();
                decisions.filter(|d| !d.rules.is_empty()).cloned().collect()
            };
            prop_assert_eq!(strip(&in_time), strip(&at_once));
        }
        prop_assert_eq!(woken.state().encode(), late.state().encode());
    }

    #[test]
    fn every_replaced_program_is_taken_over(old in rules(), new in rules(), history in history()) {
        let program = house(&old);
        let mut now = begin();
        let mut engine = Engine::new(Arc::clone(&program), now);
        let mut effects = Effects::default();
        for (pause, kind, value) in &history {
            now = later(now, &(*pause, *kind, *value));
            engine.handle(now, input(&program, *kind, *value), &mut effects);
        }
        let next = house(&new);
        let _ = engine.replace(Arc::clone(&next), &Succession::new(&program, &next), now);
        for (pause, kind, value) in &history {
            now = now.after(Duration::from_millis(u64::from(*pause)));
            engine.handle(now, input(&next, *kind, *value), &mut effects);
            prop_assert!(engine.next_deadline(now).is_none_or(|due| due >= now.at));
        }
    }

    #[test]
    fn damaged_states_are_refused_and_never_panic(
        rules in rules(),
        history in history(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let program = house(&rules);
        let (_, mut bytes) = run(&program, &history, STRAIGHT);
        let ix = at.index(bytes.len());
        bytes[ix] = byte;
        if let Ok(state) = State::decode(&bytes) {
            for how in [Resume::Replay, Resume::Restart, Resume::Reload] {
                let (mut engine, _) = Engine::restore(Arc::clone(&program), &state, begin(), how);
                let mut effects = Effects::default();
                for kind in 0..12 {
                    engine.handle(begin(), input(&program, kind, byte), &mut effects);
                }
            }
        }
    }
}
