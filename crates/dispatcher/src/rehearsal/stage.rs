//! The house of one test: a dispatcher, virtual time, and devices that report their target at once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use engine::{Cause, Decision, Disposition, Outcome, Output, Who};
use jiff::civil::DateTime;
use mapping::{
    Program,
    house_test::{HouseTest, TestInput},
    program::{ChannelIx, Condition, DeviceIx, EventIx, Expr, Rule, RuleIx, SlotIx, Trigger},
};
use types::{Instant, Now, UnixTime, Value};

use super::{
    missed::{self, Missed},
    verdict::Trace,
};
use crate::{
    Blocklist, Config, Dispatcher, Effects, Input, Note,
    explain::{self, Detail, Explainer},
};

/// A Monday noon in winter: nothing special about it.
const START_DEFAULT: &str = "2026-01-05 12:00";

/// When a test starts on the elapsed line: a house may have lived for ten years by then, the longest of all durations.
const START: Instant = Instant(11 * 366 * 86_400 * 1_000_000);

/// Why a rule that the test is not about did not fire.
pub(super) const RESTS: &str = "it rests: the test is `only` about others";

/// Rules and channels that are set up in the time of one step of work.
const RULES_SET_UP: u64 = 10;

/// A restart takes as long as so many steps of work, and so many for each rule and channel: 0.4 ms, and 6 us each, where
/// a step takes 2 us.
const RESTART_STEPS: u64 = 200;
const RESTART_STEPS_OF_EACH: u64 = 3;

/// Pieces of records that are kept for a trace; who lets a month pass has more, and reads the last ones.
const PIECES_MAX: usize = 20_000;

/// Commands since the last step that are kept for comparison: a few for each lamp of a large house.
const CAME_MAX: usize = 20_000;

/// Lines of a trace that are shown.
const TRACE_LINES_MAX: usize = 40;

/// The test did more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

/// A command or notification that left.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) what: What,
    pub(super) by: Option<RuleIx>,
    pub(super) text: String,
    /// When, since the start.
    pub(super) at: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Target(ChannelIx, Vec<(SlotIx, Value)>, Option<Duration>),
    Momentary(ChannelIx, u8, Vec<Value>),
    Notify(Arc<str>, String),
}

/// A house on a stage.
pub(super) struct Stage {
    pub(super) program: Arc<Program>,
    /// Rules that the test is not about: they are disabled in it.
    pub(super) resting: BTreeSet<RuleIx>,
    pub(super) dispatcher: Dispatcher,
    start: Now,
    now: Now,
    /// Time that the dispatcher was off without knowing how long.
    lost: Duration,
    /// What the clock on the wall shows more than it should, in microseconds.
    wrong_us: i64,
    sun_up: Option<bool>,
    /// Since the last step:
    pub(super) came: Vec<Came>,
    /// Commands that came besides: more than anybody expects.
    pub(super) came_more: usize,
    /// Events that rules emitted.
    pub(super) emitted: Vec<(EventIx, Vec<Value>)>,
    pub(super) emitted_more: usize,
    pub(super) fired: BTreeMap<RuleIx, u32>,
    pub(super) looked: BTreeSet<RuleIx>,
    /// Events that came, with the fields of the last one.
    events: BTreeMap<EventIx, Vec<Value>>,
    records: VecDeque<Record>,
    pieces: usize,
    /// Records that were dropped.
    dropped: usize,
    /// What the test may do still.
    left: u64,
}

/// What the trace is made of; put into words only for a step that fails.
enum Record {
    Decision(Decision),
    Note(String),
}

impl Record {
    fn pieces(&self) -> usize {
        match self {
            Self::Decision(decision) => work(decision) + decision.seen.len(),
            Self::Note(_) => 1,
        }
    }
}

/// What a decision took.
fn work(decision: &Decision) -> usize {
    decision.steps.len() + decision.rules.len() + decision.sent.len()
}

impl Stage {
    /// The house before the test, of which nothing is known; what is done from now on takes from `may`. An error
    /// says what is wrong with `start`.
    pub(super) fn set(program: &Arc<Program>, test: &HouseTest, may: u64) -> Result<Self, String> {
        let start = Now {
            at: START,
            wall: start_of(program, test)?,
            synced: !test.given.unsynced,
        };
        let blocklist = Blocklist::default();
        let resting = resting(program, test);
        let program = &with_resting(program, &resting);
        let mut dispatcher =
            Dispatcher::standing_still(Arc::clone(program), Config::default(), blocklist, start);
        dispatcher.pin_sun(test.given.sun_up);
        let set_up = program.rules.len() + program.channels.len();
        Ok(Self {
            program: Arc::clone(program),
            resting,
            dispatcher,
            start,
            now: start,
            lost: Duration::ZERO,
            wrong_us: 0,
            sun_up: test.given.sun_up,
            came: Vec::new(),
            came_more: 0,
            emitted: Vec::new(),
            emitted_more: 0,
            fired: BTreeMap::new(),
            looked: BTreeSet::new(),
            events: BTreeMap::new(),
            records: VecDeque::new(),
            pieces: 0,
            dropped: 0,
            left: may.saturating_sub(set_up as u64 / RULES_SET_UP),
        })
    }

    /// What the test may do still.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// When it is.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// The time since the start, as steps count it.
    fn elapsed(&self) -> Duration {
        self.now.at.since(self.start.at).saturating_add(self.lost)
    }

    /// Lets time pass until `at` after the start.
    pub(super) fn advance(&mut self, at: Duration) -> Result<(), Exhausted> {
        let until = self.moment(at);
        loop {
            let deadline = self.dispatcher.next_deadline(self.now);
            let Some(deadline) = deadline.filter(|deadline| *deadline <= until.at) else {
                if until.at > self.now.at {
                    self.now = until;
                }
                return Ok(());
            };
            let elapsed = deadline.max(self.now.at).since(self.start.at);
            self.now = self.moment(elapsed.saturating_add(self.lost));
            while let Some(input) = self.dispatcher.due(self.now) {
                self.apply(input)?;
            }
            let mut effects = Effects::default();
            self.dispatcher.tick(self.now, &mut effects);
            self.take(effects, &mut VecDeque::new())?;
        }
    }

    /// Does what a step says.
    pub(super) fn act(&mut self, input: &TestInput) -> Result<(), Exhausted> {
        let input = match input {
            TestInput::Event(event, fields) => Input::Event {
                event: *event,
                fields: fields.clone(),
                produced_ms: None,
                stamp: None,
            },
            TestInput::Report(channel, fields) => {
                self.dispatcher
                    .report_input(self.now, *channel, fields.clone())
            }
            TestInput::Offline(device) => Input::Offline(*device),
            TestInput::Online(device) => return self.come_back(*device),
            TestInput::Restart { down, unsynced } => return self.restart(*down, *unsynced),
            TestInput::Synced => {
                self.now = self.shown(true, 0);
                Input::ClockSynced
            }
            TestInput::Clock(text) => {
                let Ok(wall) = moment_of(&self.program, text) else {
                    // It was read as a moment, and the zone is the one of the start.
                    return Ok(());
                };
                let right = self.now.wall.0.saturating_sub(self.wrong_us);
                self.now = self.shown(true, wall.0.saturating_sub(right));
                Input::ClockSynced
            }
            TestInput::Sun(up) => {
                self.sun_up = *up;
                self.dispatcher.pin_sun(*up);
                Input::Tick
            }
            TestInput::Set {
                channel,
                fields,
                hold,
                bound,
            } => Input::Set {
                channel: *channel,
                fields: fields.clone(),
                who: Who::Person(Arc::from("test")),
                hold: *hold,
                bound: *bound,
            },
        };
        self.apply(input)
    }

    /// Forgets what happened since the last step.
    pub(super) fn forget(&mut self) {
        self.came.clear();
        self.came_more = 0;
        self.emitted.clear();
        self.emitted_more = 0;
        self.fired.clear();
        self.looked.clear();
        self.events.clear();
        self.records.clear();
        (self.pieces, self.dropped) = (0, 0);
    }

    /// What explains that something was `missed`.
    pub(super) fn trace(&self, missed: &[Missed]) -> Trace {
        let mut happened = self.lines();
        let left_out = happened.len().saturating_sub(TRACE_LINES_MAX);
        happened.drain(..left_out);
        if happened.is_empty() {
            happened.push("nothing".to_owned());
        }
        Trace {
            happened,
            left_out: left_out + self.dropped,
            missed: missed::rules(self, missed),
            waits: missed::waits(self),
        }
    }

    /// Whether a word stands in what happened since the last step.
    pub(super) fn says(&self, word: &str) -> bool {
        self.lines().iter().any(|line| line.contains(word))
    }

    fn lines(&self) -> Vec<String> {
        let explainer = Explainer::new(&self.program);
        let mut lines = Vec::new();
        for record in &self.records {
            match record {
                Record::Decision(decision) => {
                    lines.extend(explainer.lines(decision, Detail::All));
                }
                Record::Note(note) => lines.push(note.clone()),
            }
        }
        lines
    }

    /// The event that `rule` waits for and that came since the last step, with its fields.
    pub(super) fn pulled(&self, rule: &Rule) -> Option<(EventIx, &[Value])> {
        rule.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Event { event, .. } => {
                let values = self.events.get(event)?;
                Some((*event, values.as_slice()))
            }
            _ => None,
        })
    }

    /// What the two time lines show `at` after the start.
    fn moment(&self, at: Duration) -> Now {
        let mut now = self.start.after(at.saturating_sub(self.lost));
        now.wall = self.start.wall.after(at);
        now.wall.0 = now.wall.0.saturating_add(self.wrong_us);
        Now {
            synced: self.now.synced,
            ..now
        }
    }

    /// This moment with another clock on the wall.
    fn shown(&mut self, synced: bool, wrong_us: i64) -> Now {
        let right = self.now.wall.0.saturating_sub(self.wrong_us);
        self.wrong_us = wrong_us;
        Now {
            wall: UnixTime(right.saturating_add(wrong_us)),
            synced,
            ..self.now
        }
    }

    /// Killed, and back after `down` from what the journal knows. Devices find their targets as they left them.
    fn restart(&mut self, down: Duration, unsynced: bool) -> Result<(), Exhausted> {
        let rows = self.program.rules.len() + self.program.channels.len();
        self.spend(RESTART_STEPS + rows as u64 * RESTART_STEPS_OF_EACH)?;
        let bytes = self.dispatcher.state();
        let last = self.dispatcher.engine().now();
        let program = Arc::clone(&self.program);
        let restored = Dispatcher::restore(program, Config::default(), &bytes, last);
        let (dispatcher, notes) = match restored {
            Ok(restored) => restored,
            Err(error) => {
                self.record(Record::Note(error.to_string()));
                return Ok(());
            }
        };
        self.dispatcher = dispatcher;
        self.dispatcher.pin_sun(self.sun_up);
        for note in notes {
            self.record(Record::Note(note.render(&self.program)));
        }
        let at = self.elapsed();
        if unsynced {
            self.lost = self.lost.saturating_add(down);
            self.now.synced = false;
        }
        self.now = self.moment(at.saturating_add(down));
        self.apply(Input::Resumed)?;
        for device in DeviceIx::all(self.program.devices.len()) {
            if self.dispatcher.online(device) {
                let mut effects = Effects::default();
                self.dispatcher.tell(self.now, device, &mut effects);
                self.take(effects, &mut VecDeque::new())?;
            }
        }
        self.advance(at.saturating_add(down))
    }

    /// A device that comes back finds its targets and does what they say; what was dropped it never hears of, and
    /// reports what it did all the time.
    fn come_back(&mut self, device: DeviceIx) -> Result<(), Exhausted> {
        self.apply(Input::Online(device))?;
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let fields = match self.dispatcher.is_dropped(*channel) {
                true => self.dispatcher.reported_of(*channel),
                false => self.dispatcher.target_of(*channel),
            };
            if program[*channel].consumer && !fields.is_empty() {
                self.apply(report(*channel, fields))?;
            }
        }
        Ok(())
    }

    /// Applies an input and the reports that it leads to.
    pub(super) fn apply(&mut self, input: Input) -> Result<(), Exhausted> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Effects::default();
            self.dispatcher.apply(self.now, input, &mut effects);
            self.take(effects, &mut inputs)?;
        }
        Ok(())
    }

    /// Writes down what came, and lets the consumers acknowledge and report.
    fn take(
        &mut self,
        mut effects: Effects,
        inputs: &mut VecDeque<Input>,
    ) -> Result<(), Exhausted> {
        explain::fill_texts(&self.program, &mut effects);
        for send in &effects.sends {
            if let Some(token) = send.token {
                let device = self.program[token.channel()].device;
                // Nobody explains a rehearsal's acknowledgements.
                let _ = self.dispatcher.delivered(device, token);
            }
        }
        for output in mem::take(&mut effects.engine.outputs) {
            let (what, decision, line) = match output {
                Output::Target {
                    channel,
                    target,
                    bound,
                    decision,
                    line,
                    ..
                } => (What::Target(channel, target, bound), decision, line),
                Output::Momentary {
                    channel,
                    command,
                    args,
                    decision,
                    line,
                } => (What::Momentary(channel, command, args), decision, line),
                Output::Event { event, fields, .. } => {
                    self.emit(event, fields);
                    continue;
                }
                Output::Notify {
                    to,
                    text,
                    decision,
                    line,
                } => (What::Notify(to, text), decision, line),
            };
            let decision = effects.engine.decisions.get(decision);
            let Some(sent) = decision.and_then(|decision| decision.sent.get(line)) else {
                continue;
            };
            if let (What::Target(channel, fields, _), Disposition::Sent) = (&what, sent.disposition)
            {
                inputs.push_back(report(*channel, fields.clone()));
            }
            if !matches!(sent.disposition, Disposition::Sent | Disposition::Waiting) {
                continue;
            }
            let (by, text) = (sent.by, sent.text.clone());
            let at = self.elapsed();
            self.commanded(Came { what, by, text, at });
        }
        for note in &effects.notes {
            if let Note::Resent { channel, .. } = note {
                self.resent(*channel, inputs);
            }
        }
        let notes = effects.notes.iter().map(|note| note.render(&self.program));
        let notes: Vec<Record> = notes.map(Record::Note).collect();
        notes.into_iter().for_each(|note| self.record(note));
        // An input that nobody looks at is work as well.
        let mut spent = 1;
        for decision in mem::take(&mut effects.engine.decisions) {
            spent += work(&decision);
            for step in &decision.steps {
                if let Cause::Event(event, values) = &step.cause {
                    self.events.insert(*event, values.clone());
                }
            }
            for trace in &decision.rules {
                self.looked.insert(trace.rule);
                if trace.outcome == Outcome::Fired {
                    *self.fired.entry(trace.rule).or_default() += 1;
                }
            }
            // Devices report after every command; unless a rule looks at it, that is noise in a trace.
            if !decision.rules.is_empty() || !decision.sent.is_empty() || !is_report(&decision) {
                self.record(Record::Decision(decision));
            }
        }
        self.spend(spent as u64)
    }

    fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or_default();
        left.map(|_| ()).ok_or(Exhausted)
    }

    /// A target that was sent again is a command as well, and the consumer does what it says.
    fn resent(&mut self, channel: ChannelIx, inputs: &mut VecDeque<Input>) {
        let target = self.dispatcher.target_of(channel);
        let path = self.program.channel_path(channel);
        let fields = explain::fields_text(&self.program, &target);
        self.commanded(Came {
            what: What::Target(channel, target.clone(), None),
            by: None,
            text: format!("{path}{fields}, sent again"),
            at: self.elapsed(),
        });
        inputs.push_back(report(channel, target));
    }

    fn commanded(&mut self, came: Came) {
        if self.came.len() == CAME_MAX {
            self.came_more += 1;
        } else {
            self.came.push(came);
        }
    }

    fn emit(&mut self, event: EventIx, fields: Vec<Value>) {
        if self.emitted.len() == CAME_MAX {
            self.emitted_more += 1;
        } else {
            self.emitted.push((event, fields));
        }
    }

    /// Keeps a record for the trace, and drops the oldest ones where there are too many.
    fn record(&mut self, record: Record) {
        self.pieces += record.pieces();
        self.records.push_back(record);
        while self.pieces > PIECES_MAX && self.records.len() > 1 {
            if let Some(oldest) = self.records.pop_front() {
                self.pieces -= oldest.pieces();
                self.dropped += 1;
            }
        }
    }
}

/// The rules that run in the house and that the test is not about.
fn resting(program: &Program, test: &HouseTest) -> BTreeSet<RuleIx> {
    let Some(only) = &test.only else {
        return BTreeSet::new();
    };
    let others = RuleIx::all(program.rules.len());
    let others = others.filter(|rule| program[*rule].enabled && !only.contains(rule));
    others.collect()
}

/// The program in which these rules never fire. Their gestures stay: what is a click hangs on whether somebody waits for a
/// double.
fn with_resting(program: &Arc<Program>, resting: &BTreeSet<RuleIx>) -> Arc<Program> {
    if resting.is_empty() {
        return Arc::clone(program);
    }
    let mut program = Program::clone(program);
    for rule in resting {
        let rule = &mut program.rules[rule.index()];
        let gestures = rule
            .triggers
            .iter()
            .filter(|trigger| matches!(trigger, Trigger::Gesture { .. }));
        rule.triggers = gestures.cloned().collect();
        rule.enabled = !rule.triggers.is_empty();
        rule.condition = Some(Condition {
            expr: Expr::Const(Value::Bool(false)),
            text: RESTS.into(),
        });
    }
    Arc::new(program)
}

fn is_report(decision: &Decision) -> bool {
    let quiet =
        |cause: &engine::Cause| matches!(cause, engine::Cause::Report(..) | engine::Cause::Tick);
    decision.steps.iter().all(|step| quiet(&step.cause))
}

fn report(channel: ChannelIx, fields: Vec<(SlotIx, Value)>) -> Input {
    Input::Report {
        channel,
        fields,
        live: true,
        adopt: false,
    }
}

fn start_of(program: &Program, test: &HouseTest) -> Result<UnixTime, String> {
    moment_of(program, test.start.as_deref().unwrap_or(START_DEFAULT))
}

/// A local date and time at home.
fn moment_of(program: &Program, text: &str) -> Result<UnixTime, String> {
    let bad = |why: &dyn std::fmt::Display| {
        format!("a start such as \"{START_DEFAULT}\", not \"{text}\": {why}")
    };
    let local: DateTime = text
        .trim()
        .parse()
        .map_err(|error: jiff::Error| bad(&error))?;
    let start = local
        .to_zoned(program.home.zone())
        .map_err(|error| bad(&error))?;
    Ok(UnixTime(start.timestamp().as_microsecond()))
}
