//! How long an event takes from its payload to the consumer's: `admit`, the journal's record, `apply`, and the
//! hash of what was put out, which is measured by leaving it out.
//!
//!     cargo run --release -p dispatcher --example throughput

#![allow(clippy::print_stdout, clippy::expect_used, clippy::disallowed_methods)] // a tool that prints

use std::{fmt::Write as _, time::Instant};

use dispatcher::{
    Blocklist, Conduct, Config, Dispatcher, Effects, Mark, Message, Outputs, Publisher,
};
use types::{Now, UnixTime};

#[allow(dead_code)]
/// x
const EVENTS: u64 = 200_000;

#[allow(dead_code)]
/// Laps with the hash and without it, in turn; the fastest of each counts.
const LAPS: u64 = 8;

/// As many as a MIDI keyboard can name.
const KEYS: u64 = 128;

fn main() {
    println!(
        "{:>8} {:>14} {:>14} {:>12} {:>12}",
        "rules", "ns an event", "commands", "record", "of it hash"
    );
    for rules in [10, 1_000, 10_000] {
        measure(rules);
    }
}

/// Every event fires one rule, which flips a lamp: each is a command that must leave.
fn measure(rules: u64) {
    let mut text = String::from("format = 1\n[device.piano]\nid = 1\n");
    for manual in 0..rules.div_ceil(KEYS) {
        let _ = writeln!(text, "io.keys{manual} = {{ kind = \"keyboard\" }}");
    }
    text.push_str("[device.hall]\nid = 2\n");
    for lamp in 0..16 {
        let _ = writeln!(text, "io.lamp{lamp} = {{ kind = \"switch\" }}");
    }
    for rule in 0..rules {
        let (manual, key, lamp) = (rule / KEYS, rule % KEYS, rule % 16);
        let _ = writeln!(
            text,
            "[rule.r{rule}]\nwhen = \"piano.keys{manual}.press\"\nif = \"event.key == {key}\"\ndo = \"hall.lamp{lamp}.toggle\""
        );
    }
    let loaded = mapping::load_texts([("mapping.toml", text)]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    let program = loaded.program.expect(&complaints);
    let config = Config {
        conduct: Conduct {
            firings_per_s_max: u32::MAX,
            ..Conduct::default()
        },
        ..Config::default()
    };
    let now = |event: u64| {
        Now {
            at: types::Instant(0),
            wall: UnixTime(1_772_449_200_000_000),
            synced: true,
        }
        .after(std::time::Duration::from_micros(event * 10))
    };
    let mut dispatcher = Dispatcher::new(program, config, Blocklist::default(), now(0));
    let mut effects = Effects::default();
    for name in ["piano", "hall"] {
        let device = dispatcher.program().device(name).expect(name);
        if let Some(input) = dispatcher.connected(now(0), device, &mut effects) {
            dispatcher.apply(now(0), input, &mut effects);
        }
    }
    let piano = Publisher::Device(dispatcher.program().device("piano").expect("piano"));
    let messages: Vec<(String, String)> = (0..rules.min(1_024))
        .map(|n| {
            let rule = n * 7_919 % rules;
            let (manual, key) = (rule / KEYS, rule % KEYS);
            let event = format!(
                r#"{{"event":"press","key":{key},"velocity":87,"boot":4711,"t_ms":123456}}"#
            );
            (format!("iot/piano/keys{manual}/event"), event)
        })
        .collect();
    let mut record = Vec::new();
    let mut outputs = Outputs::default();
    for (what, pause) in [("warm", 0_u64), ("cold", 200)] {
        let mut t: [Vec<f64>; 5] = Default::default();
        for event in 0..4000_u64 {
            if pause > 0 {
                std::thread::sleep(std::time::Duration::from_micros(pause));
            }
            let (topic, payload) = &messages[event as usize % messages.len()];
            let message = Message {
                topic,
                payload: payload.as_bytes(),
                retain: false,
                will: None,
            };
            let now = now(event + if pause > 0 { 10000 } else { 0 });
            let t0 = Instant::now();
            let admitted = dispatcher.admit(now, &piano, &message).expect("an event");
            let t1 = Instant::now();
            let input = admitted.input.expect("an input");
            record.clear();
            input.encode(dispatcher.program(), &mut record);
            let t2 = Instant::now();
            effects.clear();
            let t3 = Instant::now();
            dispatcher.apply(now, input, &mut effects);
            let t4 = Instant::now();
            outputs.take(&effects, Mark::default());
            let t5 = Instant::now();
            for (v, (a, b)) in t
                .iter_mut()
                .zip([(t0, t1), (t1, t2), (t2, t3), (t3, t4), (t4, t5)])
            {
                v.push((b - a).as_nanos() as f64);
            }
        }
        let p: Vec<f64> = t
            .iter_mut()
            .map(|v| {
                v.sort_by(f64::total_cmp);
                v[v.len() / 2]
            })
            .collect();
        println!(
            "{rules} {what}: admit {} encode {} clear {} apply {} hash {} = {}",
            p[0],
            p[1],
            p[2],
            p[3],
            p[4],
            p.iter().sum::<f64>()
        );
    }
}
