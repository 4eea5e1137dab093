//! What bringing an edited house into force costs the thread that serves everybody, beside reading it, which another
//! thread does: everything runs and waits meanwhile, and goes on.

use std::{sync::Arc, time};

use engine::{Effects, Engine, Input};
use mapping::{
    Program,
    program::{ChannelIx, Succession, TimerIx},
};
use types::{Instant, Now, UnixTime, Value};

use crate::{house, report::Spread};

/// The times of one house, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Reloading {
    /// Rules of the house.
    pub rules: usize,
    /// Timers that run.
    pub timers: usize,
    /// Parse, compile and check, on a thread of its own.
    pub read_s: Spread,
    /// One rule says something else.
    pub edited_s: Spread,
    /// All rules have another name.
    pub renamed_s: Spread,
}

/// Brings edited houses of `rules` rules into force.
///
/// # Panics
/// The house doesn't check, or what runs does not go on: the generator is wrong.
#[must_use]
pub fn measure(rules: usize, rounds: usize) -> Reloading {
    let files = house::files(rules);
    let edit = |edits: &[(&str, &str)]| {
        let mut files = files.clone();
        for (_, text) in &mut files {
            for (from, to) in edits {
                *text = text.replace(from, to);
            }
        }
        house::program(files).expect("the bench's house checks")
    };
    let edited = edit(&[("event.key == 0 ", "event.key == 1 ")]);
    let renamed = edit(&[("[rule.", "[rule.my-")]);
    let (mut read, mut times) = (Vec::new(), [const { Vec::new() }; 2]);
    let mut timers = 0;
    for _ in 0..rounds {
        let start = time::Instant::now();
        let old = house::program(files.clone()).expect("the bench's house checks");
        read.push(start.elapsed().as_secs_f64());
        for (new, times) in [&edited, &renamed].into_iter().zip(&mut times) {
            let (mut engine, now) = busy(&old);
            timers = running(&engine);
            let start = time::Instant::now();
            let succession = Succession::new(&old, new);
            let notes = engine.replace(Arc::clone(new), &succession, now);
            times.push(start.elapsed().as_secs_f64());
            assert_eq!(notes, [], "everything goes on");
            assert_eq!(running(&engine), timers, "everything goes on");
        }
    }
    let [edited_s, renamed_s] = times.map(Spread::of);
    Reloading {
        rules,
        timers,
        read_s: Spread::of(read),
        edited_s,
        renamed_s,
    }
}

/// A winter's night in which somebody walked through all rooms and left the windows open: timers and `for`s run.
fn busy(program: &Arc<Program>) -> (Engine, Now) {
    let now = Now {
        at: Instant(1_000_000_000),
        // 2026-01-05, 22:00 UTC.
        wall: UnixTime(1_767_650_400_000_000),
        synced: true,
    };
    let (mut engine, mut effects) = (Engine::new(Arc::clone(program), now), Effects::default());
    for channel in ChannelIx::all(program.channels.len()) {
        let report = |value: Value| Input::Report {
            channel,
            fields: program[channel]
                .slots
                .iter()
                .map(|slot| (*slot, value.clone()))
                .collect(),
            live: true,
        };
        let input = match &*program[channel].kind {
            "lux" => report(7.0.into()),
            "contact" => report("open".into()),
            _ => continue,
        };
        engine.handle(now, input, &mut effects);
    }
    for channel in ChannelIx::all(program.channels.len()) {
        if let Some(event) = program.event(channel, "start") {
            let input = Input::Event {
                event,
                fields: Vec::new(),
                produced_ms: None,
            };
            engine.handle(now, input, &mut effects);
        }
    }
    (engine, now)
}

fn running(engine: &Engine) -> usize {
    let timers = TimerIx::all(engine.program().timers.len());
    timers
        .filter(|timer| engine.timer(*timer).is_some())
        .count()
}
