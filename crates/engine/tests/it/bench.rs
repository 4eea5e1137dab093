//! A test bench: an engine, a clock that is turned by hand, and what came out in words.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use engine::{Effects, Engine, Input, Outcome, Output, Resume, State, Who};
use mapping::program::{ChannelIx, Program, Succession};
use types::{Instant, Now, UnixTime, Value};

use crate::build::{R, event, house, slot};

/// Monday, 2026-01-05, 12:00 in Berlin.
pub(crate) const MONDAY_NOON: &str = "2026-01-05T11:00:00Z";

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) effects: Effects,
    /// What came out since [`Bench::out`] was last asked.
    said: Vec<String>,
    /// Names of the rules that fired since [`Bench::fired`] was last asked.
    fired: Vec<String>,
}

pub(crate) fn wall(text: &str) -> UnixTime {
    let timestamp: jiff::Timestamp = text.parse().expect("a time in UTC");
    UnixTime(timestamp.as_microsecond())
}

pub(crate) fn bench(rules: &[R]) -> Bench {
    bench_at(rules, MONDAY_NOON)
}

pub(crate) fn bench_at(rules: &[R], start: &str) -> Bench {
    let now = Now {
        at: Instant(1_000_000_000),
        wall: wall(start),
        synced: true,
    };
    Bench::new(Engine::new(house(rules), now), now)
}

impl Bench {
    pub(crate) fn new(engine: Engine, now: Now) -> Self {
        Self {
            engine,
            now,
            effects: Effects::default(),
            said: Vec::new(),
            fired: Vec::new(),
        }
    }

    pub(crate) fn program(&self) -> Arc<Program> {
        Arc::clone(self.engine.program())
    }

    /// Hands an input over.
    pub(crate) fn handle(&mut self, input: Input) {
        self.effects.clear();
        self.engine.handle(self.now, input, &mut self.effects);
        self.note();
    }

    fn note(&mut self) {
        let program = self.program();
        for output in &self.effects.outputs {
            self.said.push(words(&program, output));
        }
        for decision in &self.effects.decisions {
            for trace in &decision.rules {
                if trace.outcome == Outcome::Fired {
                    self.fired.push(program[trace.rule].name.to_string());
                }
            }
        }
    }

    /// Lets `ms` pass, waking the engine at each deadline.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        while let Some(due) = self
            .engine
            .next_deadline(self.now)
            .filter(|due| *due <= end.at)
        {
            let span = due.since(self.now.at);
            self.now = self.now.after(span);
            self.handle(Input::Tick);
        }
        self.now = end;
        self.handle(Input::Tick);
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1_000);
    }

    pub(crate) fn event(&mut self, path: &str, fields: &[f64]) {
        self.event_at(path, fields, None);
    }

    pub(crate) fn event_at(&mut self, path: &str, fields: &[f64], produced_ms: Option<u64>) {
        let event = event(&self.program(), path);
        let fields = fields.iter().map(|f| Value::Number(*f)).collect();
        self.handle(Input::Event {
            event,
            fields,
            produced_ms,
        });
    }

    pub(crate) fn report(&mut self, path: &str, value: impl Into<Value>) {
        self.report_as(path, value, true);
    }

    pub(crate) fn report_as(&mut self, path: &str, value: impl Into<Value>, live: bool) {
        let program = self.program();
        let slot = slot(&program, path);
        self.handle(Input::Report {
            channel: program[slot].channel,
            fields: vec![(slot, value.into())],
            live,
        });
    }

    pub(crate) fn var(&mut self, name: &str, to: impl Into<Value>) {
        let var = self.program().names.vars[name];
        self.handle(Input::Var { var, to: to.into() });
    }

    pub(crate) fn online(&mut self, device: &str) {
        let device = self.program().device(device).expect("a device");
        self.handle(Input::Online {
            device,
            last_seen: None,
        });
    }

    pub(crate) fn offline(&mut self, device: &str, last_seen: Option<UnixTime>) {
        let device = self.program().device(device).expect("a device");
        self.handle(Input::Offline { device, last_seen });
    }

    pub(crate) fn person(&mut self, path: &str, value: impl Into<Value>, hold_s: Option<u64>) {
        let program = self.program();
        let slot = slot(&program, path);
        self.handle(Input::Set {
            channel: program[slot].channel,
            fields: vec![(slot, value.into())],
            who: Who::Person("anna".into()),
            hold: hold_s.map(Duration::from_secs),
            bound: None,
        });
    }

    pub(crate) fn command(&mut self, path: &str) {
        let program = self.program();
        let (channel, name) = path.rsplit_once('.').expect("D.CH.command");
        let channel = program.channel_by_path(channel).expect("a channel");
        let commands = &program[channel].commands;
        let command = commands.iter().position(|c| &*c.name == name);
        let command = command.expect("a command");
        let args = commands[command].args.iter();
        let args = args
            .map(|arg| arg.default.clone().expect("a default"))
            .collect();
        self.handle(Input::Command {
            channel,
            command: command as u8,
            args,
            who: Who::Person("anna".into()),
        });
    }

    pub(crate) fn channel(&self, path: &str) -> ChannelIx {
        self.engine
            .program()
            .channel_by_path(path)
            .expect("a channel")
    }

    /// What came out since the last time, in words.
    pub(crate) fn out(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Names of the rules that fired since the last time.
    pub(crate) fn fired(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fired)
    }

    /// Goes on with an engine made from this one's bytes; at a reload with this one and another program.
    pub(crate) fn swap(&mut self, program: &Arc<Program>, how: Resume) -> Vec<engine::Note> {
        if how == Resume::Reload {
            let old = self.program();
            let succession = Succession::new(&old, program);
            return self
                .engine
                .replace(Arc::clone(program), &succession, self.now);
        }
        let bytes = self.engine.state().encode();
        let state = State::decode(&bytes).expect("own bytes");
        let (engine, notes) = Engine::restore(Arc::clone(program), &state, self.now, how);
        self.engine = engine;
        notes
    }

    pub(crate) fn outcomes(&self) -> Vec<(String, Outcome)> {
        let program = self.program();
        let decisions = self.effects.decisions.iter();
        decisions
            .flat_map(|decision| &decision.rules)
            .map(|trace| (program[trace.rule].name.to_string(), trace.outcome))
            .collect()
    }
}

/// `hall.lamp on=true brightness=40`; a target that was so already has an `=` in front.
pub(crate) fn words(program: &Program, output: &Output) -> String {
    let mut text = String::new();
    match output {
        Output::Target {
            channel,
            target,
            changed,
            bound,
            ..
        } => {
            text += if *changed { "" } else { "= " };
            text += &program.channel_path(*channel);
            for (slot, value) in target {
                let _ = write!(text, " {}={value}", program[*slot].name);
            }
            if let Some(bound) = bound {
                let _ = write!(text, " for {bound:?}");
            }
        }
        Output::Momentary {
            channel, command, ..
        } => {
            let name = &program[*channel].commands[usize::from(*command)].name;
            let _ = write!(text, "{}.{name}", program.channel_path(*channel));
        }
        Output::Event { event, fields, .. } => {
            let _ = write!(text, "emit {}", program.event_path(*event));
            for (field, value) in program[*event].fields.iter().zip(fields) {
                let _ = write!(text, " {}={value}", field.name);
            }
        }
        Output::Notify { to, text: said, .. } => {
            let _ = write!(text, "notify {to}: {said}");
        }
    }
    text
}
