//! What an event costs: until it is known which rules fire, by the index and by the scan that is its oracle in the
//! engine's own tests; and all the way through the engine, with outputs and its decision record.

use std::{hint::black_box, sync::Arc};

use engine::{
    Effects, Engine, Input,
    eval::{View, truth},
    index::{Index, naive},
};
use mapping::{
    Program,
    program::{self, ChannelIx, DeviceIx, EventIx, RuleIx, SlotIx, Sun, Trigger, VarIx},
};
use types::{Instant, Now, Type, UnixTime, Value};

use crate::report::{Spread, ns_each};

/// Monday, 5 January 2026, 18:00 in Berlin: the sun is down.
const EVENING: UnixTime = UnixTime(1_767_632_400_000_000);

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, in which index and scan take turns.
    pub rounds: usize,
    /// Events of a round by the index, and through the engine.
    pub events: usize,
    /// Events of a round by the scan, which is slow.
    pub scanned: usize,
}

/// What was measured with one house.
#[derive(Clone, Debug)]
pub struct Matching {
    /// How many rules the house has.
    pub rules: usize,
    /// Rules that the index lets through, each event.
    pub candidates: f64,
    /// Rules that fire, each event.
    pub firing: f64,
    /// Index and conditions, ns an event.
    pub index_ns: Spread,
    /// Scan and conditions, ns an event.
    pub scan_ns: Spread,
    /// Scan in times of the index, within a round.
    pub ratio: Spread,
    /// From input to outputs, ns an event.
    pub engine_ns: Spread,
}

/// Measures the house `program`.
///
/// # Panics
/// Index and scan let other rules fire.
#[must_use]
pub fn measure(program: &Arc<Program>, effort: Effort) -> Matching {
    let mut house = House::new(program);
    let index = Index::new(program);
    let events = events(program);
    let (mut candidates, mut firing) = (0, 0);
    let (mut found, mut scanned) = (Vec::new(), Vec::new());
    // The scan is slow: some events stand for all.
    for (event, fields) in events.iter().take(COMPARED) {
        found.clear();
        scanned.clear();
        index.candidates(*event, fields, &mut found);
        naive::candidates(program, *event, &mut scanned);
        candidates += found.len();
        let of = |hits: &[(RuleIx, u32)]| house.firing(program, hits, fields).collect::<Vec<_>>();
        let fires = of(&found);
        firing += fires.len();
        assert_eq!(fires, of(&scanned), "{}", program.event_path(*event));
    }
    let mut rounds: [Vec<f64>; 4] = Default::default();
    for _ in 0..effort.rounds {
        let by_index = ns_each(effort.events, |n| {
            let (event, fields) = &events[n % events.len()];
            found.clear();
            index.candidates(*event, fields, &mut found);
            black_box(house.firing(program, &found, fields).count());
        });
        let by_scan = ns_each(effort.scanned, |n| {
            let (event, fields) = &events[n % events.len()];
            scanned.clear();
            naive::candidates(program, *event, &mut scanned);
            black_box(house.firing(program, &scanned, fields).count());
        });
        let through = house.run(&events, effort.events);
        for (round, ns) in rounds
            .iter_mut()
            .zip([by_index, by_scan, by_scan / by_index, through])
        {
            round.push(ns);
        }
    }
    let [index_ns, scan_ns, ratio, engine_ns] = rounds.map(Spread::of);
    let each = |count: usize| count as f64 / events.len().min(COMPARED) as f64;
    Matching {
        rules: program.rules.len(),
        candidates: each(candidates),
        firing: each(firing),
        index_ns,
        scan_ns,
        ratio,
        engine_ns,
    }
}

/// Different events, in the order of a shuffled house: what comes next is not in the cache.
const EVENTS: usize = 8_192;

/// Of these so many are compared rule by rule before the clock runs.
const COMPARED: usize = 1_000;

/// Presses, turned knobs, motions, doors, buttons, all over the house; of ten one is the organ's.
fn events(program: &Program) -> Vec<(EventIx, Vec<Value>)> {
    let rooms = program.devices.len() - 1;
    let event = |device: usize, channel: &str, name: &str| {
        let channel = program.channel(DeviceIx(device as u32), channel);
        channel.and_then(|channel| program.event(channel, name))
    };
    let all = (0..EVENTS).filter_map(|n| {
        // Primes, so that all rooms, keys and velocities meet.
        let room = 1 + n * 7_919 % rooms.max(1);
        let number = |n: usize| Value::Number((n % 128) as f64);
        Some(match n % 10 {
            0 => (
                event(0, "keys", "press")?,
                vec![number(n * 31), number(n * 17)],
            ),
            1..=3 => (
                event(room, "keys", "press")?,
                vec![number(36 + n * 13 % 61), number(n * 17)],
            ),
            4 => (
                event(room, "keys", "control")?,
                vec![number(n % 13), number(n * 17)],
            ),
            5 => (event(room, "motion", "start")?, Vec::new()),
            6 => (event(room, "motion", "stop")?, Vec::new()),
            7 => (event(room, "contact", "open")?, Vec::new()),
            8 => (event(room, "button", "press")?, Vec::new()),
            _ => (event(room, "button", "release")?, Vec::new()),
        })
    });
    all.collect()
}

/// A house that lives: everything was reported, and time passes.
struct House {
    engine: Engine,
    now: Now,
}

impl House {
    fn new(program: &Arc<Program>) -> Self {
        let now = Now {
            at: Instant(1_000_000),
            wall: EVENING,
            synced: true,
        };
        let mut engine = Engine::new(Arc::clone(program), now);
        // A burst, not a house: the fuse would cut it.
        engine.set_fuse(u32::MAX);
        let mut house = Self { engine, now };
        let mut effects = Effects::default();
        for channel in ChannelIx::all(program.channels.len()) {
            let slots = program[channel].slots.iter();
            let fields: Vec<_> = slots
                .map(|slot| (*slot, reported(program, *slot)))
                .collect();
            if !fields.is_empty() {
                let live = true;
                house.engine.handle(
                    now,
                    Input::Report {
                        channel,
                        fields,
                        live,
                    },
                    &mut effects,
                );
                effects.clear();
            }
        }
        house
    }

    /// ns an event through the engine.
    fn run(&mut self, events: &[(EventIx, Vec<Value>)], times: usize) -> f64 {
        let mut effects = Effects::default();
        ns_each(times, |n| {
            let (event, fields) = &events[n % events.len()];
            self.now.at.0 += 1_000;
            self.now.wall.0 += 1_000;
            let input = Input::Event {
                event: *event,
                fields: fields.clone(),
                produced_ms: None,
            };
            effects.clear();
            self.engine.handle(self.now, input, &mut effects);
            black_box(&effects);
        })
    }

    /// Of `hits` those whose condition is true.
    fn firing<'a>(
        &'a self,
        program: &'a Program,
        hits: &'a [(RuleIx, u32)],
        values: &'a [Value],
    ) -> impl Iterator<Item = (RuleIx, u32)> + 'a {
        let mut seen = Vec::with_capacity(16);
        let engine = &self.engine;
        hits.iter().copied().filter(move |(rule, place)| {
            let rule = &program[*rule];
            let Trigger::Event { fields: map, .. } = &rule.triggers[*place as usize] else {
                return false;
            };
            seen.clear();
            let look = Look {
                engine,
                values,
                map,
            };
            let condition = rule.condition.as_ref();
            condition.is_none_or(|c| truth(&c.expr, &look, &mut seen) == Some(true))
        })
    }
}

/// What a sensor says in the evening: it is dark, neither warm nor cold, and all is closed.
fn reported(program: &Program, slot: SlotIx) -> Value {
    match &program[slot].ty {
        Type::Bool => Value::Bool(slot.0.is_multiple_of(2)),
        Type::Enum(names) => Value::Text(Arc::clone(&names[names.len() - 1])),
        Type::Text => Value::from("calm"),
        Type::Int { max, .. } => Value::Number(max.min(40.0)),
        Type::Number { .. } => Value::Number(21.0),
    }
}

/// What conditions read, as the engine gives it.
struct Look<'a> {
    engine: &'a Engine,
    values: &'a [Value],
    map: &'a [u8],
}

impl View for Look<'_> {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        self.engine.reported(slot)
    }
    fn age(&self, _: SlotIx) -> Option<f64> {
        None
    }
    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.engine.target(slot)
    }
    fn var(&self, var: VarIx) -> &Value {
        self.engine.var(var)
    }
    fn online(&self, device: DeviceIx) -> bool {
        self.engine.online(device)
    }
    fn event(&self, field: u8) -> Option<&Value> {
        self.values
            .get(usize::from(*self.map.get(usize::from(field))?))
    }
    fn sun(&self, sun: Sun) -> Option<Value> {
        Some(match sun {
            Sun::IsUp => Value::Bool(false),
            Sun::IsDown => Value::Bool(true),
            Sun::Elevation => Value::Number(-20.0),
        })
    }
    fn now(&self, _: program::Now) -> Option<Value> {
        None
    }
}
