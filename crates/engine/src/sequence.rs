//! Sequences: events one after the other.
//!
//! Called by the cascade with each event that a sequence names. Of these the last ones must be the listed ones in
//! their order: another one in between breaks what had begun, and may itself begin it anew. Within one device
//! the producer's clock tells the time from the first to the last, across devices the arrival.

use std::time::Duration;

use mapping::program::{EventIx, Program, SequenceStep, Trigger};
use types::{Instant, Now, Value};

use crate::{
    cascade::{Core, Ctx},
    decision::{Outcome, Seen},
    eval::truth,
    gesture::{ARRIVAL_SPREAD_MAX, Moment},
    house::Look,
    plan::{Place, trigger},
};

/// A sequence trigger of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SequenceIx(pub(crate) u32);

/// One sequence.
#[derive(Debug)]
pub(crate) struct SequencePlan {
    pub(crate) place: Place,
    pub(crate) within: Duration,
    /// Steps after the first.
    pub(crate) more: usize,
    /// Whether all its events come from one device, whose clock then counts.
    one_device: bool,
}

/// A sequence in flight: by how many steps have come, less one, when the first of them did. Each event that the
/// sequence names moves all of them on, or ends them.
pub(crate) type Sequence = Vec<Option<Moment>>;

impl SequencePlan {
    pub(crate) fn new(
        program: &Program,
        place: Place,
        steps: &[SequenceStep],
        within: Duration,
    ) -> Self {
        let mut devices = named(steps).map(|event| program[event].device);
        let first = devices.next();
        Self {
            place,
            within,
            more: steps.len().saturating_sub(1),
            one_device: devices.all(|device| Some(device) == first),
        }
    }

    fn in_time(&self, first: Moment, now: Moment) -> bool {
        now.since(first) <= self.within && self.may_end(first, now.at)
    }

    /// Whether a sequence that began with `first` may still be completed at `at`: producers drop what is too old.
    pub(crate) fn may_end(&self, first: Moment, at: Instant) -> bool {
        at.since(first.at) <= self.within + ARRIVAL_SPREAD_MAX
    }
}

/// All events that the steps name, also twice.
pub(crate) fn named(steps: &[SequenceStep]) -> impl Iterator<Item = EventIx> {
    let events = steps.iter().flat_map(|step| &step.events);
    events.map(|event| event.event)
}

/// The steps of the sequence at `place`.
pub(crate) fn steps_at(program: &Program, place: Place) -> &[SequenceStep] {
    match trigger(&program[place.rule], place.trigger) {
        Some(Trigger::Sequence { steps, .. }) => steps,
        _ => &[],
    }
}

/// What a snapshot knows a sequence by: another one must not go on where this one was. `None`: it is no sequence.
pub(crate) fn key(program: &Program, trigger: &Trigger) -> Option<String> {
    let Trigger::Sequence { steps, .. } = trigger else {
        return None;
    };
    let mut key = String::new();
    for step in steps {
        key.push('>');
        for event in &step.events {
            key.push(' ');
            key += &program.event_path(event.event);
            for (field, value) in &event.wanted {
                let name = program[event.event].fields.get(usize::from(*field));
                let name = name.map_or("", |field| &field.name);
                key += &format!(" {name}=");
                value.append_to(&mut key);
            }
        }
        if let Some(condition) = &step.condition {
            key += &format!(" if {}", condition.text);
        }
    }
    Some(key)
}

impl Core {
    /// Takes an event that sequence `ix` names; true: it is complete, and starts again from nothing.
    pub(crate) fn advance(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        ix: SequenceIx,
        event: EventIx,
        fields: &[Value],
        moment: Moment,
    ) -> bool {
        let plan = &ctx.plan.sequences[ix.0 as usize];
        let steps = steps_at(ctx.program, plan.place);
        let moment = Moment {
            produced_ms: moment.produced_ms.filter(|_| plan.one_device),
            ..moment
        };
        let mut begun = std::mem::take(&mut self.sequences[ix.0 as usize]);
        let mut complete = false;
        // From the end, so that each place is read before it is written.
        for done in (0..begun.len()).rev() {
            let first = begun[done].take();
            let Some(first) = first.filter(|first| plan.in_time(*first, moment)) else {
                continue;
            };
            if self.fits(now, plan.place, steps.get(done + 1), event, fields) {
                match begun.get_mut(done + 1) {
                    Some(next) => *next = Some(first),
                    None => complete = true,
                }
            }
        }
        if complete {
            begun.fill(None);
        } else if self.fits(now, plan.place, steps.first(), event, fields)
            && let Some(first) = begun.first_mut()
        {
            *first = Some(moment);
        }
        self.sequences[ix.0 as usize] = begun;
        complete
    }

    /// Whether the event is one of a step's. A condition that is unknown is written down, and does not fit.
    fn fits(
        &mut self,
        now: Now,
        place: Place,
        step: Option<&SequenceStep>,
        event: EventIx,
        fields: &[Value],
    ) -> bool {
        let Some(step) = step else {
            return false;
        };
        let mut named = step.events.iter().filter(|named| named.event == event);
        let wants = |(field, value): &(u8, Value)| fields.get(usize::from(*field)) == Some(value);
        let Some(named) = named.find(|named| named.wanted.iter().all(wants)) else {
            return false;
        };
        let Some(condition) = &step.condition else {
            return true;
        };
        let mut seen: Vec<Seen> = Vec::new();
        let view = Look {
            house: &self.house,
            clock: &self.clock,
            now,
            fields,
            map: &named.fields,
        };
        let truth = truth(&condition.expr, &view, &mut seen);
        if truth.is_none() {
            let all = &mut self.work.decision.seen;
            let start = all.len() as u32;
            all.append(&mut seen);
            let end = all.len() as u32;
            self.trace(place.rule, None, Outcome::Unknown, (start, end));
        }
        truth == Some(true)
    }
}
