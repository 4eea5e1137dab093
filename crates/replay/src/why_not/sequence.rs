//! How far a rule's sequence got.

use std::{collections::VecDeque, fmt::Write as _};

use dispatcher::Dispatcher;
use engine::{Cause, Decision};
use mapping::{
    Program,
    program::{EventIx, RuleIx, SequenceStep, Trigger},
};
use types::{Now, Value};

/// A sequence on its way through history.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// The place of its trigger.
    pub(super) trigger: u32,
    steps: usize,
    /// The newest events that it names, as many as it has steps.
    newest: VecDeque<Step>,
    /// How many of its steps had come behind the last of them.
    come: usize,
    /// The furthest that it got since it was complete, or the newest of those that got so far.
    pub(super) furthest: Option<Reached>,
}

/// An event that the sequence names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// Its path.
    path: String,
    /// What the sequence asks of it: ` key=60`.
    asked: String,
    pub(super) now: Now,
}

/// Steps that came one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reached {
    /// At least one.
    pub(super) steps: Vec<Step>,
    /// The event that ended it; `None`: none of those that it names came since.
    pub(super) ended_by: Option<Step>,
}

/// The sequences of a rule. What is known already of as many with as many steps stays.
pub(super) fn of(program: &Program, rule: RuleIx, known: Vec<Progress>) -> Vec<Progress> {
    let triggers = (0..).zip(&program[rule].triggers);
    let sequences = triggers.filter_map(|(place, trigger)| match trigger {
        Trigger::Sequence { steps, .. } => Some((place, steps.len())),
        _ => None,
    });
    let places: Vec<(u32, usize)> = sequences.collect();
    let before = known.iter().map(|known| (known.trigger, known.steps));
    if before.eq(places.iter().copied()) {
        return known;
    }
    let progress = |(trigger, steps)| Progress {
        trigger,
        steps,
        newest: VecDeque::new(),
        come: 0,
        furthest: None,
    };
    places.into_iter().map(progress).collect()
}

impl Progress {
    /// Takes a decision, and how the house is after it.
    pub(super) fn take(&mut self, house: &Dispatcher, rule: RuleIx, decision: &Decision) {
        let program = house.program();
        let causes = || decision.steps.iter().map(|step| &step.cause);
        for cause in causes() {
            if let Cause::Event(event, values) = cause
                && let Some(asked) = asked(self.steps_in(program, rule), program, *event, values)
            {
                self.came(
                    house,
                    rule,
                    Step {
                        path: program.event_path(*event),
                        asked,
                        now: decision.now,
                    },
                );
            }
        }
        if causes().any(|cause| *cause == Cause::Sequence(rule)) {
            *self = Self {
                newest: VecDeque::new(),
                come: 0,
                furthest: None,
                ..*self
            };
        }
    }

    fn came(&mut self, house: &Dispatcher, rule: RuleIx, step: Step) {
        let come = house.engine().sequence(rule, self.trigger);
        let before = std::mem::replace(&mut self.come, come);
        if come <= before
            && let Some(furthest) = &mut self.furthest
            && furthest.steps.len() == before
        {
            furthest.ended_by.get_or_insert(step.clone());
        }
        if self.newest.len() == self.steps {
            self.newest.pop_front();
        }
        self.newest.push_back(step);
        let reached = self.furthest.as_ref().map_or(0, |it| it.steps.len());
        if come > 0 && come >= reached {
            // Another event in between would have ended it: they are the newest.
            let newest = self.newest.iter().rev().take(come).rev();
            self.furthest = Some(Reached {
                steps: newest.cloned().collect(),
                ended_by: None,
            });
        }
    }

    fn steps_in<'p>(&self, program: &'p Program, rule: RuleIx) -> &'p [SequenceStep] {
        match program[rule].triggers.get(self.trigger as usize) {
            Some(Trigger::Sequence { steps, .. }) => steps,
            _ => &[],
        }
    }
}

/// What the steps ask of an event, with the values that it had; `None`: none of them names it.
fn asked(
    steps: &[SequenceStep],
    program: &Program,
    event: EventIx,
    values: &[Value],
) -> Option<String> {
    let named = steps.iter().flat_map(|step| &step.events);
    let mut named = named.filter(|named| named.event == event).peekable();
    named.peek()?;
    let mut fields: Vec<u8> = named
        .flat_map(|named| named.wanted.iter().map(|(field, _)| *field))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    let mut text = String::new();
    for field in fields.into_iter().map(usize::from) {
        if let (Some(row), Some(value)) = (program[event].fields.get(field), values.get(field)) {
            // Writing to a string can't fail.
            let _ = write!(text, " {}={value}", row.name);
        }
    }
    Some(text)
}

/// `piano.keys.press key=60 at 20:00:10.000, key=62 at 20:00:10.400`.
pub(super) fn listed(steps: &[Step], clock: impl Fn(Now) -> String) -> String {
    let mut before = "";
    let mut all = Vec::new();
    for step in steps {
        let name = match step.asked.trim_start() {
            asked if !asked.is_empty() && step.path == before => asked.to_owned(),
            _ => step.name(),
        };
        all.push(format!("{name} at {}", clock(step.now)));
        before = &step.path;
    }
    all.join(", ")
}

impl Step {
    /// `piano.keys.press key=60`.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.path, self.asked)
    }
}
