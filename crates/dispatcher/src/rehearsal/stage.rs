//! The house of one test: a dispatcher, virtual time, and devices that report their target at once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use engine::{Cause, Decision, Disposition, Outcome, Output, Who};
use jiff::{civil::DateTime, tz::TimeZone};
use mapping::{
    Program,
    house_test::{HouseTest, TestInput},
    program::{ChannelIx, DeviceIx, EventIx, Rule, RuleIx, SlotIx, Trigger},
};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    Block, Blocklist, Config, Dispatcher, Effects, Input, Sides, Subject,
    explain::{self, Detail, Explainer},
};

/// A Monday noon in winter: nothing special about it.
const START_DEFAULT: &str = "2026-01-05 12:00";

/// Reports that one input may set off before the house counts as restless.
const REPORTS_MAX: usize = 1_000;

/// Deadlines between two steps: a year in minutes, and some.
const DEADLINES_MAX: usize = 1_000_000;

/// A command or notification that left.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) what: What,
    pub(super) by: Option<RuleIx>,
    pub(super) text: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Target(ChannelIx, Vec<(SlotIx, Value)>),
    Momentary(ChannelIx, u8),
    Notify(Arc<str>, String),
}

/// A house on a stage.
pub(super) struct Stage {
    pub(super) program: Arc<Program>,
    pub(super) dispatcher: Dispatcher,
    start: Now,
    now: Now,
    /// Since the last step:
    pub(super) came: Vec<Came>,
    pub(super) fired: BTreeMap<RuleIx, u32>,
    pub(super) looked: BTreeSet<RuleIx>,
    records: Vec<Record>,
}

/// What the trace is made of; put into words only for a step that fails.
enum Record {
    Decision(Decision),
    Note(String),
}

impl Stage {
    /// The house before the first step. An error says what is wrong with `start`.
    pub(super) fn set(program: &Arc<Program>, test: &HouseTest) -> Result<Self, String> {
        let start = Now {
            at: Instant(0),
            wall: start_of(program, test)?,
            synced: true,
        };
        let blocklist = Blocklist::default();
        let mut dispatcher =
            Dispatcher::new(Arc::clone(program), Config::default(), blocklist, start);
        dispatcher.pin_sun(test.given.sun_up);
        let mut stage = Self {
            program: Arc::clone(program),
            dispatcher,
            start,
            now: start,
            came: Vec::new(),
            fired: BTreeMap::new(),
            looked: BTreeSet::new(),
            records: Vec::new(),
        };
        stage.give(test);
        stage.forget();
        Ok(stage)
    }

    fn give(&mut self, test: &HouseTest) {
        let given = &test.given;
        for device in DeviceIx::all(self.program.devices.len()) {
            self.apply(Input::Online(device));
        }
        self.dispatcher.settle(self.now);
        for (var, to) in &given.vars {
            self.apply(Input::Var {
                var: *var,
                to: to.clone(),
            });
        }
        let mut reports: BTreeMap<ChannelIx, Vec<(SlotIx, Value)>> = BTreeMap::new();
        for (slot, value) in &given.state {
            let fields = reports.entry(self.program[*slot].channel).or_default();
            fields.push((*slot, value.clone()));
        }
        for (channel, fields) in reports {
            let adopt = self.program[channel].consumer;
            self.apply(Input::Report {
                channel,
                fields,
                live: false,
                adopt,
            });
        }
        for device in &given.offline {
            self.apply(Input::Offline(*device));
        }
        for device in &given.blocked {
            self.apply(Input::Block(Block {
                subject: Subject::Name(self.program[*device].name.to_string()),
                sides: Sides::BOTH,
            }));
        }
    }

    /// Lets time pass until `at` after the start. False: the house does not come to rest.
    pub(super) fn advance(&mut self, at: Duration) -> bool {
        let until = self.start.after(at);
        for _ in 0..DEADLINES_MAX {
            let deadline = self.dispatcher.next_deadline(self.now);
            let Some(deadline) = deadline.filter(|deadline| *deadline <= until.at) else {
                if until.at > self.now.at {
                    self.now = until;
                }
                return true;
            };
            self.now = self
                .start
                .after(deadline.max(self.now.at).since(self.start.at));
            while let Some(input) = self.dispatcher.due(self.now) {
                if !self.apply(input) {
                    return false;
                }
            }
            let mut effects = Effects::default();
            self.dispatcher.tick(self.now, &mut effects);
            self.take(effects, &mut VecDeque::new());
        }
        false
    }

    /// Does what a step says. False: the house does not come to rest.
    pub(super) fn act(&mut self, input: &TestInput) -> bool {
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
            TestInput::Set(channel, fields) => Input::Set {
                channel: *channel,
                fields: fields.clone(),
                who: Who::Person(Arc::from("test")),
                hold: None,
                bound: None,
            },
        };
        self.apply(input)
    }

    /// Forgets what happened since the last step.
    pub(super) fn forget(&mut self) {
        self.came.clear();
        self.fired.clear();
        self.looked.clear();
        self.records.clear();
    }

    /// What happened since the last step, in words.
    pub(super) fn trace(&self) -> Vec<String> {
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

    /// Whether an event that `rule` waits for happened since the last step. The index of rules then ruled it
    /// out by its condition, and no decision mentions it.
    pub(super) fn pulled(&self, rule: &Rule) -> bool {
        let happened = |event: EventIx| {
            self.records.iter().any(|record| match record {
                Record::Decision(decision) => decision
                    .steps
                    .iter()
                    .any(|step| matches!(&step.cause, Cause::Event(came, _) if *came == event)),
                Record::Note(_) => false,
            })
        };
        rule.triggers
            .iter()
            .any(|trigger| matches!(trigger, Trigger::Event { event, .. } if happened(*event)))
    }

    /// A device that comes back finds its targets and does what they say.
    fn come_back(&mut self, device: DeviceIx) -> bool {
        let mut calm = self.apply(Input::Online(device));
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let fields = self.dispatcher.target_of(*channel);
            if program[*channel].consumer && !fields.is_empty() {
                calm &= self.apply(report(*channel, fields));
            }
        }
        calm
    }

    /// Applies an input and the reports that it leads to.
    fn apply(&mut self, input: Input) -> bool {
        let mut inputs = VecDeque::from([input]);
        for _ in 0..REPORTS_MAX {
            let Some(input) = inputs.pop_front() else {
                return true;
            };
            let mut effects = Effects::default();
            self.dispatcher.apply(self.now, input, &mut effects);
            self.take(effects, &mut inputs);
        }
        false
    }

    /// Writes down what came, and lets the consumers acknowledge and report.
    fn take(&mut self, mut effects: Effects, inputs: &mut VecDeque<Input>) {
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
                    decision,
                    line,
                    ..
                } => (What::Target(channel, target), decision, line),
                Output::Momentary {
                    channel,
                    command,
                    decision,
                    line,
                    ..
                } => (What::Momentary(channel, command), decision, line),
                Output::Event { .. } => continue,
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
            if let (What::Target(channel, fields), Disposition::Sent) = (&what, sent.disposition) {
                inputs.push_back(report(*channel, fields.clone()));
            }
            if matches!(sent.disposition, Disposition::Sent | Disposition::Waiting) {
                self.came.push(Came {
                    what,
                    by: sent.by,
                    text: sent.text.clone(),
                });
            }
        }
        let notes = effects.notes.iter().map(|note| note.render(&self.program));
        self.records.extend(notes.map(Record::Note));
        for decision in mem::take(&mut effects.engine.decisions) {
            for trace in &decision.rules {
                self.looked.insert(trace.rule);
                if trace.outcome == Outcome::Fired {
                    *self.fired.entry(trace.rule).or_default() += 1;
                }
            }
            // Devices report after every command; unless a rule looks at it, that is noise in a trace.
            if !decision.rules.is_empty() || !decision.sent.is_empty() || !is_report(&decision) {
                self.records.push(Record::Decision(decision));
            }
        }
    }
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
    let text = test.start.as_deref().unwrap_or(START_DEFAULT);
    let bad = |why: &dyn std::fmt::Display| {
        format!("a start such as \"{START_DEFAULT}\", not \"{text}\": {why}")
    };
    let zone = match program.home.timezone.as_deref() {
        Some(name) => TimeZone::get(name).map_err(|error| bad(&error))?,
        None => TimeZone::UTC,
    };
    let local: DateTime = text
        .trim()
        .parse()
        .map_err(|error: jiff::Error| bad(&error))?;
    let start = local.to_zoned(zone).map_err(|error| bad(&error))?;
    Ok(UnixTime(start.timestamp().as_microsecond()))
}
