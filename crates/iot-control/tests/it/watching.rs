//! Whoever watches what happens, stops reading or goes away: the house does not care.

use std::io::pipe;

use serde_json::json;

use crate::harness::{Dispatcher, House, Kind};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

#[test]
fn a_house_whose_stdout_nobody_reads_any_more_goes_on_and_says_so() {
    let house = House::with_rules("");
    let (reader, writer) = pipe().unwrap();
    let mut dispatcher = Dispatcher::start_printing_to(&house, &["--json"], writer);
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let told = dispatcher.mark();
    drop(reader);
    for key in [60, 61, 60] {
        let mark = lamp.mark();
        assert_eq!(piano.publish(KEYS, &press(key)), 0);
        lamp.field(mark, TARGET, "on", key == 60);
    }
    dispatcher.says(told, "nobody reads stdout any more");
    assert_eq!(dispatcher.interrupt(), Some(0));
    dispatcher.says(told, "drained, state kept; bye");
}

#[test]
fn a_house_ends_though_its_stdout_is_full_and_nobody_reads_it() {
    /// What a pipe holds, unless somebody made it larger.
    const PIPE_BYTES: usize = 64 * 1024;
    let house = House::with_rules("");
    let (_reader, writer) = pipe().unwrap();
    let mut dispatcher = Dispatcher::start_printing_to(&house, &["--json"], writer);
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let line = press(60);
    for _ in 0..PIPE_BYTES / line.len() {
        assert_eq!(piano.publish(KEYS, &line), 0);
    }
    let told = dispatcher.mark();
    assert_eq!(dispatcher.interrupt(), Some(0));
    dispatcher.says(told, "nobody reads stdout: its last lines are lost");
}
