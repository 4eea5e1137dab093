//! kill -9 at any time: timers go on, what was acknowledged is there.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::json;
use store::{Batch, Class, Durability, Options, Past, Store};
use types::InputNo;

use crate::harness::{Dispatcher, House, Kind, run};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

/// The light goes off so long after motion.
const TIMER: Duration = Duration::from_secs(3);

const TIMED_LIGHT: &str = r#"
[rule.motion]
when = "hall.motion.start"
do = ["hall.lamp.on", { start = "hall-off", for = "3s" }]

[rule.motion-off]
when = { timer = "hall-off" }
do = "hall.lamp.off"
"#;

/// A loaded machine may be so late; what comes this late is still on time for a light.
const LATE_MAX: Duration = Duration::from_secs(5);

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

#[test]
fn the_light_goes_off_on_time_after_kill_9_mid_timer() {
    for kind in Kind::installed() {
        let house = House::with_rules(TIMED_LIGHT);
        let dispatcher = house.start();
        let mut hall = dispatcher.device_client(kind, "hall", &[TARGET]);
        let start = Instant::now();
        hall.publish("iot/hall/motion/event", r#"{"event":"start"}"#);
        hall.field(0, TARGET, "on", true);
        let dispatcher = dispatcher.kill_9_and_restart();

        let hall = dispatcher.device_client(kind, "hall", &[TARGET]);
        let on = hall.find(0, "its target", |message| message.topic == TARGET);
        assert_eq!(on.json()["on"], true, "{kind:?}: not before it is due");
        let off = hall.field(0, TARGET, "on", false);
        let after = off.at - start;
        assert!(after >= TIMER, "{kind:?}: after {after:?} already");
        assert!(after < TIMER + LATE_MAX, "{kind:?}: only after {after:?}");
    }
}

#[test]
fn a_timer_that_was_started_again_before_kill_9_runs_from_its_second_start() {
    let house = House::with_rules(TIMED_LIGHT);
    let mut dispatcher = house.start();
    let mut start = Instant::now();
    for _ in 0..3 {
        let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
        start = Instant::now();
        hall.publish("iot/hall/motion/event", r#"{"event":"start"}"#);
        hall.field(0, TARGET, "on", true);
        dispatcher = dispatcher.kill_9_and_restart();
    }
    let watcher = dispatcher.watcher();
    let off = watcher.field(0, TARGET, "on", false);
    assert!(off.at - start >= TIMER, "{:?}", off.at - start);
}

/// A house of which key 50 was pressed, killed and started again, and when it was pressed.
fn pressed_and_killed(house: &House) -> (Dispatcher<'_>, Instant) {
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let start = Instant::now();
    assert_eq!(piano.publish(KEYS, &press(50)), 0);
    (dispatcher.kill_9_and_restart(), start)
}

#[test]
fn a_rule_that_waited_at_kill_9_goes_on_with_its_event_on_time() {
    let house = House::with_rules(
        r#"
        [rule.blink]
        when = "piano.keys.press"
        if = "event.key == 50"
        do = ["hall.lamp.on", { wait = "3s" }, { set = "hall.lamp", brightness = "${event.velocity}" }]
        "#,
    );
    let (dispatcher, start) = pressed_and_killed(&house);
    let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let dimmed = hall.field(0, TARGET, "brightness", 80);
    let after = dimmed.at - start;
    assert!(after >= TIMER, "after {after:?} already");
    assert!(after < TIMER + LATE_MAX, "only after {after:?}");
}

#[test]
fn two_kills_around_ready_leave_the_light_on_time() {
    let house = House::with_rules(TIMED_LIGHT);
    let dispatcher = house.start();
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let start = Instant::now();
    hall.publish("iot/hall/motion/event", r#"{"event":"start"}"#);
    hall.field(0, TARGET, "on", true);
    dispatcher.kill_9();

    // As soon as the journal has what a start writes first: its downtime.
    let newest = || Past::open(&house.state()).unwrap().last();
    let before = newest();
    house.start_and_kill_when("the downtime in the journal", || newest() > before);
    // Right after `ready`.
    house.start().kill_9();

    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let on = watcher.find(0, "its target", |message| message.topic == TARGET);
    if start.elapsed() < TIMER {
        assert_eq!(on.json()["on"], true, "not before it is due");
    }
    let off = watcher.field(0, TARGET, "on", false);
    let after = off.at - start;
    assert!(after >= TIMER, "after {after:?} already");
    assert!(after < TIMER + LATE_MAX, "only after {after:?}");
}

#[test]
fn what_was_on_for_a_time_at_kill_9_goes_off_on_time_and_says_what_is_left() {
    let house = House::with_rules(
        r#"
        [rule.pump]
        when = "piano.keys.press"
        if = "event.key == 50"
        do = [{ on = "hall.lamp", for = "4s" }, { hold = "hall.lamp", for = "1h" }]
        "#,
    );
    let (dispatcher, start) = pressed_and_killed(&house);
    let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let on = hall.find(0, "its target", |message| message.topic == TARGET);
    let left_ms = on.json()["for_ms"].as_u64().expect("what is left");
    assert!((1..4_000).contains(&left_ms), "{left_ms}");
    let held = &dispatcher.device("hall")["channels"]["lamp"]["held_s"];
    assert!(
        held.as_f64().is_some_and(|seconds| seconds > 3_500.0),
        "{held}"
    );
    let off = hall.field(0, TARGET, "on", false);
    let after = off.at - start;
    assert!(after >= Duration::from_secs(4), "after {after:?} already");
    assert!(
        after < Duration::from_secs(4) + LATE_MAX,
        "only after {after:?}"
    );
}

#[test]
fn an_event_that_was_acknowledged_has_its_effect_after_kill_9() {
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let mut dispatcher = house.start();
        // Without anybody who shows the effect: the acknowledgement alone must do.
        for round in 1..=4 {
            let mut piano = dispatcher.device_client(kind, "piano", &[]);
            assert_eq!(piano.publish(KEYS, &press(62)), 0);
            dispatcher = dispatcher.kill_9_and_restart();
            let on = round % 2 == 1;
            let hall = dispatcher.device("hall");
            let target = &hall["channels"]["lamp"]["target"]["on"];
            assert_eq!(*target, on, "{kind:?} {round}: each toggle counts once");
            let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
            let kept = lamp.find(0, "its target", |message| message.topic == TARGET);
            assert_eq!(kept.json()["on"], on, "{kind:?} {round}");
        }
    }
}

#[test]
fn a_crowd_of_acknowledged_events_is_there_after_kill_9() {
    // Fewer than the firings a second that a rule may have.
    const PRESSES: u32 = 90;
    let house = House::with_rules(
        r#"
        [var]
        presses = { kind = "number", start = 0, keep = true }

        [rule.count]
        when = "desk.button.press"
        do = { var = "presses", to = "${var.presses + 1}" }

        [rule.show]
        when = "piano.keys.press"
        if = "event.key == 40"
        do = { notify = "all", text = "${var.presses} presses." }
        "#,
    );
    let dispatcher = house.start();
    let mut desk = dispatcher.device_client(Kind::RumqttcV4, "desk", &[]);
    for _ in 0..PRESSES {
        desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
    }
    let dispatcher = dispatcher.kill_9_and_restart();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    piano.publish(KEYS, &press(40));
    dispatcher.says(0, &format!("{PRESSES} presses."));
}

#[test]
fn what_a_fuse_let_through_is_there_after_kill_9_whatever_the_settings_say_then() {
    const PRESSES: u32 = 200;
    let pressed = f64::from(PRESSES);
    let house = House::with_rules(
        r#"
        [var]
        n = { kind = "number", start = 0, keep = true }

        [rule.count]
        when = "desk.button.press"
        do = { var = "n", to = "${var.n + 1}" }
        "#,
    );
    let state = house.state();
    let n = || {
        let words = [
            "state",
            "var.n",
            "--json",
            "--state",
            state.to_str().unwrap(),
        ];
        let count = run(words, "").ok().json()["vars"]["n"].as_f64();
        count.expect("a number")
    };
    let press = |dispatcher: &Dispatcher<'_>| {
        let mut desk = dispatcher.device_client(Kind::RumqttcV5, "desk", &[]);
        for _ in 0..PRESSES {
            desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
        }
    };
    let with_fuse = |fuse| Dispatcher::start_with(&house, &[], &[("ENGINE__FUSE", fuse)]);
    let dispatcher = with_fuse("1");
    press(&dispatcher);
    let few = n();
    assert!(few >= 1.0 && few < pressed, "told while it runs: {few}");
    dispatcher.kill_9();
    let dispatcher = with_fuse("100000");
    assert!(
        !dispatcher.said(0).contains(DIFFERS),
        "{}",
        dispatcher.said(0)
    );
    assert_eq!(n(), few, "the same presses, as they were taken");
    press(&dispatcher);
    assert_eq!(n(), few + pressed, "told while it runs");
    dispatcher.kill_9();
    let dispatcher = with_fuse("1");
    assert!(
        !dispatcher.said(0).contains(DIFFERS),
        "{}",
        dispatcher.said(0)
    );
    assert_eq!(n(), few + pressed, "what was acknowledged is there");
    let events = run(
        [
            "events",
            "--since",
            "yesterday",
            "--state",
            state.to_str().unwrap(),
        ],
        "",
    );
    let events = events.ok().stdout;
    assert!(
        events.contains("other settings are in force: engine.fuse = 100000"),
        "{events}"
    );
}

#[test]
fn a_wish_of_a_program_survives_kill_9() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut program = dispatcher.watcher();
    assert_eq!(
        program.publish("iot/hall/lamp/set", r#"{"brightness":7}"#),
        0
    );
    let dispatcher = dispatcher.kill_9_and_restart();
    let lamp = dispatcher.device_client(Kind::RumqttcV4, "hall", &[TARGET]);
    lamp.field(0, TARGET, "brightness", 7);
}

#[test]
fn an_orderly_end_keeps_the_state_as_well() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    piano.publish(KEYS, &press(60));
    assert_eq!(dispatcher.interrupt(), Some(0));
    piano.lost();
    drop(dispatcher);
    let dispatcher = house.start();
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    lamp.field(0, TARGET, "on", true);
}

/// What replays say where they come to something else.
const DIFFERS: &str = "lead to something else";

#[test]
fn each_batch_ends_with_the_hash_of_what_it_put_out_and_a_replay_comes_to_the_same() {
    let house = House::with_rules(TIMED_LIGHT);
    let mut dispatcher = house.start();
    for round in 0..4 {
        let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
        let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
        let watcher = dispatcher.watcher();
        for key in [60, 61, 62, 80] {
            piano.publish(KEYS, &press(key));
        }
        hall.publish("iot/hall/motion/event", r#"{"event":"start"}"#);
        hall.publish("iot/hall/lamp/state", r#"{"on":true,"brightness":3}"#);
        watcher.field(0, TARGET, "on", true);
        if round == 1 {
            // Another mapping comes into force in between.
            let text = house
                .read("mapping.toml")
                .replace("event.key == 61", "event.key == 59");
            house.write("mapping.toml", &text);
            dispatcher.says(0, "the edited files are in force");
        }
        if round == 2 {
            dispatcher.ask(&["device", "block", "desk"]).ok();
        }
        dispatcher = dispatcher.kill_9_and_restart();
        let said = dispatcher.said(0);
        assert!(!said.contains(DIFFERS), "round {round}: {said}");
    }
    drop(dispatcher);
    let past = Past::open(&house.state()).unwrap();
    let records = past.reader(InputNo(1)).map(Result::unwrap);
    let records: Vec<_> = records.map(|record| (record.no, record.class)).collect();
    let hashes = records
        .iter()
        .filter(|(_, class)| *class == Class::OutputsHash);
    assert!(hashes.count() > 10, "{records:?}");
    let last = records.iter().rfind(|(_, class)| *class != Class::Observed);
    assert_eq!(last.unwrap().1, Class::OutputsHash, "{records:?}");
}

#[test]
fn a_replay_that_comes_to_something_else_names_the_inputs_and_the_program_that_took_them() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    piano.publish(KEYS, &press(60));
    dispatcher.kill_9();

    // As another program may have left it: the same event, and what it did is not what we do.
    let (store, found) = Store::open(&house.state(), Options::default()).unwrap();
    let event = store.reader(InputNo(1)).map(Result::unwrap);
    let event = event
        .filter(|record| record.class == Class::Input)
        .last()
        .unwrap();
    let (first, last) = (found.last.next(), found.last.next().next());
    let mut batch = Batch::new(Durability::Now);
    for no in [first, last] {
        batch
            .push(no, event.now, Class::Input, &event.body)
            .unwrap();
    }
    let hash = [b"8 bytes.".as_slice(), b"0.0.9"].concat();
    batch
        .push(last, event.now, Class::OutputsHash, &hash)
        .unwrap();
    let (report, written) = mpsc::sync_channel(1);
    let handle = store.start(move |no| report.try_send(no).unwrap()).unwrap();
    handle.submit(batch).unwrap();
    assert_eq!(written.recv(), Ok(last));
    drop(handle);
    // The folder is free when the store has ended.
    assert!(written.recv().is_err());

    let mut dispatcher = house.start();
    let said = dispatcher.said(0);
    let expected = format!("inputs {first} to {last} {DIFFERS}");
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("iot-control 0.0.9 took them"), "{said}");
    assert!(said.contains("old inputs ran through new code"), "{said}");
    assert_eq!(dispatcher.interrupt(), Some(0));
    let dispatcher = house.start();
    assert!(!dispatcher.said(0).contains(DIFFERS), "it is told once");
}
