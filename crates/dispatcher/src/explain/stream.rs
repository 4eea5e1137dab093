//! What people see of the house as it happens, and of its history as it happened: the same lines.

use engine::{Cause, Decision, Did, Sent};
use mapping::program::{ChannelIx, DeviceIx, RuleIx};
use types::{InputNo, Now};

use super::{Detail, Explainer, LOCAL, gesture, json};
use crate::effects::{Effects, Note};

/// One entry of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Told<'e> {
    /// A decision that says something.
    Decision(&'e Decision),
    /// Something that no decision says.
    Note(Now, &'e Note),
}

/// What of the stream only tells how the house is, where nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A device is there.
    Device(DeviceIx),
    /// How a channel is.
    Report(ChannelIx),
}

/// What of the stream is wanted: everything about a device, a channel, a rule, a variable or a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    path: String,
}

impl Filter {
    /// `hall`, `hall.lamp`, `hall.motion.start`; `rule.night`, `var.night`, `timer.hall-off`, `notify.phone`; a rule's bare
    /// name.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            path: path.trim().to_owned(),
        }
    }

    /// As it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    fn covers(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether it names this rule.
    #[must_use]
    pub fn is_rule(&self, name: &str) -> bool {
        self.path.strip_prefix("rule.").unwrap_or(&self.path) == name
    }
}

/// What is worth telling of `effects`, in order; [`super::fill_texts`] comes first. Time that passed without
/// consequence is not.
pub fn told(effects: &Effects, now: Now) -> impl Iterator<Item = Told<'_>> {
    let decisions = effects.engine.decisions.iter().filter(|decision| {
        let only_time = matches!(decision.steps.as_slice(), [step] if step.cause == Cause::Tick);
        !only_time || !decision.rules.is_empty() || !decision.sent.is_empty()
    });
    let notes = effects.notes.iter().map(move |note| Told::Note(now, note));
    decisions.map(Told::Decision).chain(notes)
}

/// Whether a decision only takes over what a device reported: [`Note::Adopted`] and [`Note::FirstReport`] tell that.
fn is_adoption_alone(decision: &Decision) -> bool {
    let is_adoption = matches!(decision.steps.as_slice(), [step]
        if matches!(&step.cause, Cause::Set(_, who) if &**who == LOCAL));
    is_adoption && is_quiet(decision)
}

/// Whether no rule did anything, and nobody is told anything.
fn is_quiet(decision: &Decision) -> bool {
    let mut shown = decision.rules.iter().map(|trace| trace.outcome);
    !shown.any(super::is_shown) && decision.sent.is_empty() && decision.deeds.is_empty()
}

impl Told<'_> {
    /// When it was.
    #[must_use]
    pub fn now(&self) -> Now {
        match self {
            Self::Decision(decision) => decision.now,
            Self::Note(now, _) => *now,
        }
    }

    /// What arrived, where it is no more than that: a device came or reports how it is, and no rule minds.
    #[must_use]
    pub fn arrival(&self) -> Option<Arrival> {
        match self {
            Self::Decision(decision) if is_quiet(decision) => {
                match &decision.steps.first()?.cause {
                    Cause::Online(device) => Some(Arrival::Device(*device)),
                    Cause::Report(channel, _) => Some(Arrival::Report(*channel)),
                    Cause::Set(channel, who) if &**who == LOCAL => Some(Arrival::Report(*channel)),
                    _ => None,
                }
            }
            Self::Note(_, Note::FirstReport(channel)) => Some(Arrival::Report(*channel)),
            _ => None,
        }
    }

    /// Channels that something is wished of.
    pub fn wished(&self) -> impl Iterator<Item = ChannelIx> {
        let sent = match self {
            Self::Decision(decision) => decision.sent.as_slice(),
            Self::Note(..) => &[],
        };
        sent.iter().filter_map(|sent| sent.channel)
    }
}

impl Explainer<'_> {
    /// For people; a decision takes a line for each step and each rule that did something. Empty where another entry
    /// tells the same, and where a report changes nothing: a sensor that says every ten seconds how it is would hide all else.
    #[must_use]
    pub fn told(&self, told: &Told<'_>) -> String {
        match told {
            // The note that comes with it says it better, and its report with what.
            Told::Decision(decision) if is_adoption_alone(decision) => String::new(),
            Told::Decision(decision) if decision.repeats && is_quiet(decision) => String::new(),
            Told::Decision(decision) => self.lines(decision, Detail::Fired).join("\n"),
            Told::Note(now, note) => {
                format!("{} {}", self.time(now.wall), note.render(self.program))
            }
        }
    }

    /// For machines: one JSON object, on one line, with the number of the input it came with.
    #[must_use]
    pub fn told_json(&self, no: InputNo, told: &Told<'_>) -> String {
        match told {
            Told::Decision(decision) => json::decision(self, Some(no), decision),
            Told::Note(now, note) => json::note(self, no, *now, note),
        }
    }

    /// Whether one of `filters` wants it; all do where there are none.
    #[must_use]
    pub fn is_wanted(&self, told: &Told<'_>, filters: &[Filter]) -> bool {
        filters.is_empty()
            || filters.iter().any(|filter| match told {
                Told::Decision(decision) => self.is_about(decision, filter),
                Told::Note(_, note) => {
                    let path = note.path(self.program);
                    path.is_some_and(|path| filter.covers(&path))
                }
            })
    }

    /// Whether `decision` is about what `filter` names: in its causes, its rules that did something, or what it
    /// wished.
    #[must_use]
    pub fn is_about(&self, decision: &Decision, filter: &Filter) -> bool {
        let causes = decision
            .steps
            .iter()
            .map(|step| self.cause_path(&step.cause));
        let told = decision.sent.iter().filter_map(|sent| self.sent_path(sent));
        let done = decision.deeds.iter().filter_map(|deed| match deed.what {
            Did::Keeps(channel, _) => Some(self.program.channel_path(channel)),
            Did::Starts(timer, _) | Did::Stops(timer) => {
                Some(format!("timer.{}", self.program[timer].name))
            }
            Did::Waits(_) | Did::GaveUp | Did::Clamped { .. } => None,
        });
        let told = told.chain(done);
        let rules = decision
            .rules
            .iter()
            .filter(|trace| super::is_shown(trace.outcome));
        causes.chain(told).any(|path| filter.covers(&path))
            || rules
                .map(|trace| &self.program[trace.rule].name)
                .any(|name| filter.is_rule(name))
    }

    /// What was told, as a path: a channel, or `notify.phone`; `None`: an event, which is told by itself.
    fn sent_path(&self, sent: &Sent) -> Option<String> {
        let people = || {
            let mut words = sent.text.split(' ');
            let to = (words.next() == Some("notify")).then(|| words.next())??;
            Some(format!("notify.{to}"))
        };
        let channel = sent.channel;
        channel.map_or_else(people, |channel| Some(self.program.channel_path(channel)))
    }

    /// What a cause is about, as a path.
    fn cause_path(&self, cause: &Cause) -> String {
        let program = self.program;
        let rule = |rule: RuleIx| format!("rule.{}", program[rule].name);
        match cause {
            Cause::Event(event, _) | Cause::Chord(event) => program.event_path(*event),
            Cause::Report(channel, _) | Cause::Set(channel, _) | Cause::Bound(channel) => {
                program.channel_path(*channel)
            }
            Cause::Online(device) => format!("{}.online", program[*device].name),
            Cause::Offline(device) => format!("{}.offline", program[*device].name),
            Cause::Var(var, _) => format!("var.{}", program[*var].name),
            Cause::Gesture(kind, channel) => {
                format!("{}.{}", program.channel_path(*channel), gesture(*kind))
            }
            Cause::Timer(timer) => format!("timer.{}", program[*timer].name),
            Cause::Holds(ix, _)
            | Cause::At(ix)
            | Cause::Sequence(ix)
            | Cause::Waited(ix)
            | Cause::Turn(ix) => rule(*ix),
            Cause::Tick => String::new(),
        }
    }
}
