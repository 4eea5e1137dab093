//! What of the settings changes what becomes of a house is part of its past.

use std::{collections::BTreeMap, sync::Arc};

use dispatcher::{Conduct, Config, Dispatcher, Effects, Input};
use types::Value;

use crate::house::{Rig, going_by, program, seconds};

const COUNTS: &str = r#"
[device.desk]
id = 1
io.button = { kind = "button" }

[var.n]
kind = "number"

[rule.count]
when = "desk.button.press"
do = { var = "n", to = "${var.n + 1}" }
"#;

fn press(rig: &mut Rig, times: u32) {
    for _ in 0..times {
        rig.says("desk", "iot/desk/button/event", r#"{"event":"press"}"#);
    }
}

fn n(dispatcher: &Dispatcher) -> &Value {
    let var = dispatcher.program().names.vars["n"];
    dispatcher.engine().var(var)
}

fn fuse(firings_per_s_max: u32) -> Conduct {
    Conduct {
        firings_per_s_max,
        ..Conduct::default()
    }
}

/// The house after a restart under settings that say nothing, and the tail of its journal.
fn replayed(rig: &Rig, snapshot: &[u8], tail: usize) -> Dispatcher {
    let program = Arc::clone(&rig.program);
    let restored = Dispatcher::restore(program, Config::default(), snapshot, rig.now);
    let (mut dispatcher, _) = restored.expect("it is a snapshot");
    for (now, record) in &rig.journal[tail..] {
        let input = Input::decode(&rig.program, record).expect("it is an input");
        dispatcher.apply(*now, input, &mut Effects::default());
    }
    dispatcher
}

#[test]
fn a_replay_goes_by_the_fuse_that_was_in_force_in_the_snapshot() {
    let mut rig = Rig::of(program(COUNTS), going_by(fuse(1_000)));
    press(&mut rig, 300);
    let (snapshot, tail) = (rig.dispatcher.state(), rig.journal.len());
    press(&mut rig, 200);
    assert_eq!(n(&rig.dispatcher), &Value::Number(500.0));
    let again = replayed(&rig, &snapshot, tail);
    assert_eq!(n(&again), &Value::Number(500.0));
    assert!(again.state() == rig.dispatcher.state());
}

#[test]
fn a_replay_goes_by_the_fuse_that_came_into_force_on_the_way() {
    let mut rig = Rig::of(program(COUNTS), Config::default());
    let snapshot = rig.dispatcher.state();
    press(&mut rig, 300);
    assert_eq!(n(&rig.dispatcher), &Value::Number(100.0));
    rig.take(Input::Config(fuse(250)), &mut Effects::default());
    press(&mut rig, 300);
    assert_eq!(n(&rig.dispatcher), &Value::Number(250.0));
    let again = replayed(&rig, &snapshot, 0);
    assert_eq!(n(&again), &Value::Number(250.0));
    assert!(again.state() == rig.dispatcher.state());
}

#[test]
fn another_limit_of_silence_holds_from_its_input_on_and_through_a_restart() {
    let mut rig = Rig::of(program(COUNTS), Config::default());
    rig.connect("desk");
    press(&mut rig, 1);
    rig.pass(seconds(3_600));
    assert!(rig.dispatcher.online(rig.device("desk")));
    let silence = BTreeMap::from([("desk".into(), seconds(7_200))]);
    let conduct = Conduct {
        silence,
        ..Conduct::default()
    };
    rig.take(Input::Config(conduct.clone()), &mut Effects::default());
    assert_eq!(rig.dispatcher.conduct(), &conduct);
    rig.dispatcher = replayed(&rig, &rig.dispatcher.state(), rig.journal.len());
    rig.pass(seconds(3_599));
    assert!(rig.dispatcher.online(rig.device("desk")));
    rig.pass(seconds(1));
    assert!(!rig.dispatcher.online(rig.device("desk")));
}

/// Made by the last version that wrote format 1: the desk is there and pressed once.
const FORMAT_1: &[u8] = include_bytes!("conduct/format-1.snapshot");

#[test]
fn a_snapshot_that_says_nothing_of_it_is_read_and_goes_by_the_defaults() {
    let mut rig = Rig::of(program(COUNTS), going_by(fuse(1_000)));
    let restored = Dispatcher::restore(program(COUNTS), going_by(fuse(7)), FORMAT_1, rig.now);
    let (dispatcher, notes) = restored.expect("it is still read");
    assert_eq!(notes, []);
    rig.dispatcher = dispatcher;
    assert_eq!(rig.dispatcher.conduct(), &Conduct::default());
    assert_eq!(n(&rig.dispatcher), &Value::Number(1.0));
    let copy = r#"{"event":"press","boot":1,"seq":1}"#;
    rig.says("desk", "iot/desk/button/event", copy);
    assert_eq!(
        n(&rig.dispatcher),
        &Value::Number(1.0),
        "its copies are known"
    );
    press(&mut rig, 1);
    assert_eq!(n(&rig.dispatcher), &Value::Number(2.0));
}
