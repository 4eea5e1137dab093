//! What waits outlives kill -9 and edits: timers, runs that wait, conditions that must hold for a while.

use std::time::{Duration, Instant};

use crate::harness::{Dispatcher, House, Kind};

const KEYS: &str = "iot/piano/keys/event";
const LAMP: &str = "iot/hall/lamp/target";
const DESK: &str = "iot/desk/lamp/target";

/// All of it lasts so long.
const SPAN: Duration = Duration::from_secs(4);

/// A loaded machine may be so late.
const LATE_MAX: Duration = Duration::from_secs(5);

/// One key begins a timer, a wait and a condition, each of which ends with a message of its own.
const WAITING: &str = r#"
[device.phones]
virtual = true
io.timed = { kind = "switch" }
io.waited = { kind = "switch" }
io.held = { kind = "switch" }

[rule.begin]
when = "piano.keys.press"
if = "event.key == 50"
do = ["desk.lamp.on", { start = "later", for = "4s" }]

[rule.timed]
when = { timer = "later" }
do = "phones.timed.on"

[rule.waited]
when = "piano.keys.press"
if = "event.key == 50"
do = [{ wait = "4s" }, "phones.waited.on"]

[rule.held]
when = { holds = "target.desk.lamp", for = "4s" }
do = "phones.held.on"

[rule.edited]
when = "piano.keys.press"
if = "event.key == 51"
do = "hall.lamp.on"
"#;

/// Begins everything; gives when.
fn begin(dispatcher: &Dispatcher<'_>) -> Instant {
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let start = Instant::now();
    let press = r#"{"event":"press","key":50,"velocity":80}"#;
    assert_eq!(piano.publish(KEYS, press), 0);
    watcher.field(0, DESK, "on", true);
    start
}

/// Each of the three ends on time, and once.
fn ends_on_time(dispatcher: &Dispatcher<'_>, start: Instant) {
    let watcher = dispatcher.watcher();
    for what in ["timed", "waited", "held"] {
        let topic = format!("iot/phones/{what}/target");
        let on = watcher.field(0, &topic, "on", true);
        let after = on.at - start;
        assert!(after >= SPAN, "{what} after {after:?} already");
        assert!(after < SPAN + LATE_MAX, "{what} only after {after:?}");
    }
}

#[test]
fn a_timer_a_wait_and_a_pending_for_end_on_time_after_kill_9() {
    let house = House::with_rules(WAITING);
    let dispatcher = house.start();
    let start = begin(&dispatcher);
    let dispatcher = dispatcher.kill_9_and_restart();
    ends_on_time(&dispatcher, start);
}

/// Edits a rule that nothing waits for, until that is in force.
fn edit(house: &House, dispatcher: &Dispatcher<'_>) {
    let said = dispatcher.mark();
    let edited = house
        .read("mapping.toml")
        .replace("event.key == 51", "event.key == 52");
    house.write("mapping.toml", &edited);
    dispatcher.says(said, "are in force");
}

#[test]
fn a_timer_a_wait_and_a_pending_for_end_on_time_after_an_edit() {
    let house = House::with_rules(WAITING);
    let dispatcher = house.start();
    let start = begin(&dispatcher);
    edit(&house, &dispatcher);
    ends_on_time(&dispatcher, start);
    // The edit is in force, and nothing ended with it.
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    piano.publish(KEYS, r#"{"event":"press","key":52,"velocity":80}"#);
    watcher.field(0, LAMP, "on", true);
}

#[test]
fn kill_9_right_after_an_edit_loses_nothing_that_waits() {
    let house = House::with_rules(WAITING);
    let dispatcher = house.start();
    let start = begin(&dispatcher);
    edit(&house, &dispatcher);
    let dispatcher = dispatcher.kill_9_and_restart();
    ends_on_time(&dispatcher, start);
}
