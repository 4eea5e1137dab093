//! A day of a house of 200 devices on virtual time, with what happens to houses: modules that lose their network or start
//! anew, events that come twice, lines that are slow, a dispatcher that is killed, clocks that are set, blocks, edits.
//!
//! First safety, after each step: a lamp is wished on exactly as long as its timer says, is told nothing while it is blocked,
//! and whoever is killed comes back to the same bytes. Then liveness: once all is well again, each lamp is as it is wished.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dispatcher::{Block, Config, Dispatcher, Effects, Input, Mark, Outputs, Sides, Subject};
use mapping::Program;
use mapping::program::SlotIx;
use types::{Instant, Now, UnixTime, Value};

use crate::house::{Rig, program, seconds, start};

/// Each has a motion sensor, a lamp and three sensors of its climate.
const ROOMS: usize = 40;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long a lamp stays on behind the last motion.
const STAYS_ON: Duration = Duration::from_secs(5 * 60);

/// A lamp that is there, and is not wished otherwise, is as it is wished after so long.
const SETTLES: Duration = Duration::from_secs(30);

/// On average, between two motions in a room, two reports of a sensor, two things that go wrong in the house.
const MOTION_EVERY_S: u64 = 6 * 60;
const CLIMATE_EVERY_S: u64 = 5 * 60;
const TROUBLE_EVERY_S: u64 = 3 * 60;

/// Days that the test lives; more on demand.
fn cases() -> u64 {
    let asked = std::env::var_os("IOT_CONTROL_CASES");
    let asked = asked.and_then(|number| number.to_str()?.parse().ok());
    asked.unwrap_or(1)
}

#[test]
fn whatever_happens_in_a_day_lamps_are_as_they_are_wished_and_a_seed_is_one_day() {
    for seed in 0..cases() {
        let day = |seed| std::panic::catch_unwind(|| Day::new(seed).live());
        let Ok(trace) = day(seed) else {
            panic!("seed {seed}");
        };
        // Whatever broke in one of many days has to come again.
        if seed == 0 {
            assert_eq!(day(seed).ok(), Some(trace), "the same day twice");
            assert_ne!(day(u64::MAX).ok(), Some(trace), "another day");
        }
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn room(&mut self) -> usize {
        self.below(ROOMS as u64) as usize
    }

    /// A span of `average` seconds on average.
    fn about(&mut self, average: u64) -> Duration {
        Duration::from_millis(1 + self.below(2 * average * 1_000))
    }
}

/// What comes next in the house.
enum Happens {
    Motion(usize),
    /// A module says something again that it does not know to have arrived.
    Again(usize, String),
    Climate(usize, char),
    /// A target comes to a lamp that was there when it was sent.
    Arrives(usize, u32, Vec<u8>, Option<dispatcher::Token>),
    LampBack(usize, u32),
    Unblock(String),
    Snapshot,
    Trouble,
}

struct Lamp {
    is_there: bool,
    /// Counts its connections: what was under way in one is lost with it.
    connection: u32,
    is_on: bool,
    is_blocked: bool,
    /// What the broker keeps for it.
    retained: Vec<u8>,
    /// Since when it is there.
    since: Instant,
    /// When the last thing that is under way arrives: a line keeps its order.
    last_arrival: Instant,
    target: SlotIx,
}

struct Day {
    rig: Rig,
    dice: Dice,
    programs: [Arc<Program>; 2],
    lamps: Vec<Lamp>,
    /// When each room was last moved in, as far as rules may know.
    moved: Vec<Option<Instant>>,
    is_motion_blocked: Vec<bool>,
    /// Events of each motion sensor.
    said: Vec<u64>,
    next: BTreeMap<(Instant, u64), Happens>,
    happened: u64,
    snapshot: (Now, Arc<Program>, Vec<u8>, usize),
    end: Instant,
    /// FNV-1a over all that was sent.
    trace: u64,
}

/// The house, and the same house edited: another rule of the climate.
fn house(edited: bool) -> Arc<Program> {
    let mut text =
        "format = 1\n\n[var]\ncold = { kind = \"number\", start = 0, keep = true }\n".to_owned();
    for room in 0..ROOMS {
        let id = room * 5 + 1;
        text += &format!(
            "\n[device.motion{room}]\nid = {id}\nio.motion = {{ kind = \"motion\" }}\n\n[device.lamp{room}]\nid = {}\nio.light = {{ kind = \"switch\" }}\n",
            id + 1
        );
        for (ix, which) in ['a', 'b', 'c'].into_iter().enumerate() {
            text += &format!(
                "\n[device.climate{room}{which}]\nid = {}\nio.temp = {{ kind = \"temperature\" }}\n",
                id + 2 + ix
            );
        }
        let degrees = if edited { 15 } else { 17 };
        text += &format!(
            "\n[rule.on{room}]\nwhen = \"motion{room}.motion.start\"\ndo = [\"lamp{room}.light.on\", {{ start = \"off{room}\", for = \"5m\" }}]\n\
             \n[rule.off{room}]\nwhen = {{ timer = \"off{room}\" }}\ndo = \"lamp{room}.light.off\"\n\
             \n[rule.cold{room}]\nwhen = {{ holds = \"state.climate{room}a.temp < {degrees}\", for = \"1m\" }}\n\
             do = {{ var = \"cold\", to = \"${{var.cold + 1}}\" }}\n"
        );
    }
    program(&text)
}

impl Day {
    fn new(seed: u64) -> Self {
        thread_local! {
            static PROGRAMS: [Arc<Program>; 2] = [house(false), house(true)];
        }
        let programs = PROGRAMS.with(Clone::clone);
        let rig = Rig::of(Arc::clone(&programs[0]), Config::default());
        let lamp = |room| Lamp {
            is_there: false,
            connection: 0,
            is_on: false,
            is_blocked: false,
            retained: Vec::new(),
            since: Instant::default(),
            last_arrival: Instant::default(),
            target: rig.slot(&format!("lamp{room}.light"), "on"),
        };
        Self {
            lamps: (0..ROOMS).map(lamp).collect(),
            snapshot: (rig.now, Arc::clone(&programs[0]), rig.dispatcher.state(), 0),
            dice: Dice(seed),
            programs,
            moved: vec![None; ROOMS],
            is_motion_blocked: vec![false; ROOMS],
            said: vec![0; ROOMS],
            next: BTreeMap::new(),
            happened: 0,
            end: start().after(DAY).at,
            trace: 0xcbf2_9ce4_8422_2325,
            rig,
        }
    }

    /// Lives the day, and an hour in which nothing goes wrong any more; gives the trace's hash.
    fn live(mut self) -> u64 {
        self.everybody_connects();
        for room in 0..ROOMS {
            let span = self.dice.about(MOTION_EVERY_S);
            self.plan(span, Happens::Motion(room));
            for which in ['a', 'b', 'c'] {
                let span = self.dice.about(CLIMATE_EVERY_S);
                self.plan(span, Happens::Climate(room, which));
            }
        }
        self.plan(seconds(1), Happens::Trouble);
        self.plan(seconds(3_600), Happens::Snapshot);
        while let Some(((at, _), happens)) = self.next.pop_first() {
            let span = at.since(self.rig.now.at);
            let effects = self.rig.pass(span);
            self.carry(&effects);
            self.happen(happens);
            self.is_safe();
        }
        // All timers are over, everybody is there again, and nobody is blocked.
        let effects = self.rig.pass(STAYS_ON + seconds(60));
        self.carry(&effects);
        while let Some(((at, _), happens)) = self.next.pop_first() {
            self.rig.pass(at.since(self.rig.now.at));
            self.happen(happens);
        }
        self.is_safe();
        for (room, lamp) in self.lamps.iter().enumerate() {
            let known = (lamp.is_there, lamp.is_blocked, lamp.is_on);
            assert_eq!(known, (true, false, false), "lamp {room} is there and off");
            assert!(self.moved[room].is_some(), "room {room} was used");
        }
        self.trace
    }

    /// Something happens after so long; by itself nothing begins behind the day's end.
    fn plan(&mut self, span: Duration, happens: Happens) {
        let at = self.rig.now.after(span).at;
        let goes_on = matches!(
            happens,
            Happens::Motion(_) | Happens::Climate(..) | Happens::Snapshot | Happens::Trouble
        );
        if goes_on && at > self.end {
            return;
        }
        self.happened += 1;
        self.next.insert((at, self.happened), happens);
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Motion(room) => self.motion(room),
            Happens::Again(room, payload) => {
                // It is known by its number, whenever it comes again.
                self.says(&format!("motion{room}"), "motion/event", &payload);
            }
            Happens::Climate(room, which) => {
                let degrees = 14 + self.dice.below(10);
                self.says(
                    &format!("climate{room}{which}"),
                    "temp/state",
                    &degrees.to_string(),
                );
                let span = self.dice.about(CLIMATE_EVERY_S);
                self.plan(span, Happens::Climate(room, which));
            }
            Happens::Arrives(room, connection, payload, token) => {
                self.arrives(room, connection, &payload, token);
            }
            Happens::LampBack(room, connection) if self.lamps[room].connection == connection => {
                self.lamp_back(room);
            }
            Happens::LampBack(..) => {}
            Happens::Unblock(name) => self.unblock(&name),
            Happens::Snapshot => {
                self.take_snapshot();
                self.plan(seconds(3_600), Happens::Snapshot);
            }
            Happens::Trouble => {
                self.trouble();
                let span = self.dice.about(TROUBLE_EVERY_S);
                self.plan(span, Happens::Trouble);
            }
        }
    }

    fn motion(&mut self, room: usize) {
        self.said[room] += 1;
        let payload = format!(
            "{{\"event\":\"start\",\"boot\":1,\"seq\":{}}}",
            self.said[room]
        );
        if !self.is_motion_blocked[room] {
            self.moved[room] = Some(self.rig.now.at);
        }
        self.says(&format!("motion{room}"), "motion/event", &payload);
        if self.dice.below(20) == 0 && !self.is_motion_blocked[room] {
            let span = self.dice.about(30);
            self.plan(span, Happens::Again(room, payload));
        }
        let span = self.dice.about(MOTION_EVERY_S);
        self.plan(span, Happens::Motion(room));
    }

    fn says(&mut self, device: &str, what: &str, payload: &str) {
        let effects = self
            .rig
            .says(device, &format!("iot/{device}/{what}"), payload);
        self.carry(&effects);
    }

    /// Carries what was sent to the broker, and on to the lamps that are there.
    fn carry(&mut self, effects: &Effects) {
        for send in &effects.sends {
            let bytes = send.topic.bytes().chain(send.payload.iter().copied());
            for byte in bytes.chain(self.rig.now.at.0.to_le_bytes()) {
                self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            let lamp = send.topic.strip_prefix("iot/lamp");
            let Some(room) = lamp.and_then(|rest| rest.strip_suffix("/light/target")) else {
                continue;
            };
            let room: usize = room.parse().unwrap();
            let lamp = &mut self.lamps[room];
            assert!(
                send.payload.is_empty() || !lamp.is_blocked,
                "a blocked lamp is told {}",
                String::from_utf8_lossy(&send.payload)
            );
            lamp.retained.clone_from(&send.payload);
            if lamp.is_there && !send.payload.is_empty() {
                let (payload, token) = (send.payload.clone(), send.token);
                self.under_way(room, payload, token);
            }
        }
    }

    fn under_way(&mut self, room: usize, payload: Vec<u8>, token: Option<dispatcher::Token>) {
        let slow = if self.dice.below(50) == 0 { 2_000 } else { 50 };
        let at = self
            .rig
            .now
            .after(Duration::from_millis(1 + self.dice.below(slow)))
            .at;
        let lamp = &mut self.lamps[room];
        lamp.last_arrival = lamp.last_arrival.max(at);
        let (span, connection) = (lamp.last_arrival.since(self.rig.now.at), lamp.connection);
        self.plan(span, Happens::Arrives(room, connection, payload, token));
    }

    fn arrives(
        &mut self,
        room: usize,
        connection: u32,
        payload: &[u8],
        token: Option<dispatcher::Token>,
    ) {
        if self.lamps[room].connection != connection {
            return;
        }
        self.lamps[room].is_on = payload == br#"{"on":true}"#;
        if let Some(token) = token {
            let device = self.rig.device(&format!("lamp{room}"));
            let _ = self.rig.dispatcher.delivered(device, token);
        }
        self.lamp_reports(room);
    }

    fn lamp_reports(&mut self, room: usize) {
        let payload = format!("{{\"on\":{}}}", self.lamps[room].is_on);
        self.says(&format!("lamp{room}"), "light/state", &payload);
    }

    fn lamp_gone(&mut self, room: usize) {
        let lamp = &mut self.lamps[room];
        lamp.is_there = false;
        lamp.connection += 1;
        lamp.last_arrival = Instant::default();
    }

    fn lamp_back(&mut self, room: usize) {
        self.lamps[room].is_there = true;
        self.lamps[room].since = self.rig.now.at;
        let effects = self.rig.connect(&format!("lamp{room}"));
        self.carry(&effects);
        self.lamp_reports(room);
        let kept = self.lamps[room].retained.clone();
        if !kept.is_empty() {
            self.under_way(room, kept, None);
        }
    }

    fn everybody_connects(&mut self) {
        for room in 0..ROOMS {
            let mut names = ["a", "b", "c"]
                .map(|which| format!("climate{room}{which}"))
                .to_vec();
            if !self.is_motion_blocked[room] {
                names.push(format!("motion{room}"));
            }
            for name in names {
                let effects = self.rig.connect(&name);
                self.carry(&effects);
            }
            if !self.lamps[room].is_blocked {
                self.lamp_back(room);
            }
        }
    }

    fn trouble(&mut self) {
        let room = self.dice.room();
        match self.dice.below(12) {
            // A lamp loses its network, or starts anew and has forgotten all.
            kind @ 0..=4 => {
                self.lamp_gone(room);
                let effects = self.rig.disconnect(&format!("lamp{room}"));
                self.carry(&effects);
                if kind < 2 {
                    self.lamps[room].is_on = false;
                }
                let connection = self.lamps[room].connection;
                let span = self.dice.about(60);
                self.plan(span, Happens::LampBack(room, connection));
            }
            5..=6 => self.is_killed(),
            7 => {
                let hour = 3_600_000_000;
                let shift = if self.dice.below(2) == 0 { hour } else { -hour };
                self.rig.now.wall = UnixTime(self.rig.now.wall.0 + shift);
                self.take(Input::ClockSynced);
            }
            8..=9 => {
                let name = if self.dice.below(2) == 0 {
                    "lamp"
                } else {
                    "motion"
                };
                let name = format!("{name}{room}");
                self.block(&name);
                let span = self.dice.about(120);
                self.plan(span, Happens::Unblock(name));
            }
            _ => self.is_edited(),
        }
    }

    fn block(&mut self, name: &str) {
        self.is_blocked(name, true);
        let sides = Sides {
            producer: true,
            consumer: true,
        };
        let subject = Subject::Name(name.to_owned());
        self.take(Input::Block(Block { subject, sides }));
    }

    fn unblock(&mut self, name: &str) {
        self.is_blocked(name, false);
        self.take(Input::Unblock(Subject::Name(name.to_owned())));
        // A block of both directions ends the connection; whoever is let in again connects.
        if let Some(room) = name.strip_prefix("lamp") {
            let room = room.parse().unwrap();
            self.lamp_gone(room);
            self.lamp_back(room);
        } else {
            let effects = self.rig.connect(name);
            self.carry(&effects);
        }
    }

    fn is_blocked(&mut self, name: &str, is: bool) {
        match name.strip_prefix("lamp") {
            Some(room) => {
                let room: usize = room.parse().unwrap();
                self.lamps[room].is_blocked = is;
                self.lamp_gone(room);
            }
            None => self.is_motion_blocked[name["motion".len()..].parse::<usize>().unwrap()] = is,
        }
    }

    fn take(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.rig.take(input, &mut effects);
        self.carry(&effects);
    }

    fn is_edited(&mut self) {
        let is_first = self.rig.program.hash == self.programs[0].hash;
        let next = Arc::clone(&self.programs[usize::from(is_first)]);
        let mut record = Vec::new();
        Input::Reload { hash: next.hash }.encode(&self.rig.program, &mut record);
        self.rig.journal.push((self.rig.now, record));
        let mut effects = Effects::default();
        self.rig.program = Arc::clone(&next);
        self.rig
            .dispatcher
            .replace(self.rig.now, next, &mut effects);
        self.rig.note_hash(&effects, Mark::default());
        self.carry(&effects);
    }

    fn take_snapshot(&mut self) {
        let now = self.rig.dispatcher.engine().now();
        let program = Arc::clone(&self.rig.program);
        let state = self.rig.dispatcher.state();
        self.snapshot = (now, program, state, self.rig.journal.len());
    }

    /// kill -9: snapshot and journal come to the same bytes and put out the same; then all comes back after a while.
    fn is_killed(&mut self) {
        let (now, program, state, from) = &self.snapshot;
        let restored = Dispatcher::restore(Arc::clone(program), Config::default(), state, *now);
        let (mut again, notes) = restored.unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        for ((now, record), hash) in self.rig.journal[*from..]
            .iter()
            .zip(&self.rig.hashes[*from..])
        {
            let mut effects = Effects::default();
            match Input::decode(again.program(), record).unwrap() {
                Input::Reload { hash } => {
                    let next = self.programs.iter().find(|program| program.hash == hash);
                    again.replace(*now, Arc::clone(next.unwrap()), &mut effects);
                }
                input => again.apply(*now, input, &mut effects),
            }
            let mut outputs = Outputs::default();
            outputs.take(&effects, Mark::default());
            assert_eq!(outputs.finish(), *hash, "a replay puts out the same");
        }
        assert!(
            again.state() == self.rig.dispatcher.state(),
            "a replay comes to the same"
        );
        self.rig.dispatcher = again;
        self.rig.tokens.clear();
        for room in 0..ROOMS {
            self.lamp_gone(room);
        }
        // What would have happened meanwhile happens when it is back: modules wait with what they have to say.
        let downtime = self.dice.about(30);
        self.rig.now = self.rig.now.after(downtime);
        let waiting = self.next.split_off(&(Instant::default(), 0));
        for ((at, number), happens) in waiting {
            self.next.insert((at.max(self.rig.now.at), number), happens);
        }
        self.take(Input::Resumed);
        let mut effects = Effects::default();
        self.rig.dispatcher.announce(self.rig.now, &mut effects);
        self.carry(&effects);
        let effects = self.rig.pass(Duration::ZERO);
        self.carry(&effects);
        self.everybody_connects();
    }

    /// Each lamp is wished on as long as its timer says, and not a step longer; and where nothing is under way, so it is.
    fn is_safe(&self) {
        let now = self.rig.now.at;
        for (room, lamp) in self.lamps.iter().enumerate() {
            // Before its first target a lamp may be as it likes.
            let still = self.moved[room].map(|moved| now.since(moved));
            let wished = still.is_some_and(|still| still < STAYS_ON);
            let target = self.rig.dispatcher.engine().target(lamp.target);
            let is_on = target == Some(&Value::Bool(true));
            assert_eq!(
                is_on, wished,
                "room {room} at {now:?}, moved {:?}",
                self.moved[room]
            );
            let changed = still.map(|still| still.checked_sub(STAYS_ON).unwrap_or(still));
            let is_quiet = lamp.is_there && !lamp.is_blocked && lamp.last_arrival < now;
            if is_quiet && now.since(lamp.since) > SETTLES && changed.is_some_and(|it| it > SETTLES)
            {
                assert_eq!(lamp.is_on, wished, "lamp {room} at {now:?}");
            }
        }
    }
}
