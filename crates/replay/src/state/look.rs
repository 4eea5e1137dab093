//! What the answer about a moment holds of each thing, read from the house that stood then.

use dispatcher::Dispatcher;
use engine::Who;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, RuleIx, SlotIx, TimerIx, Trigger},
};
use types::{Instant, Now, UnixTime};

use super::{ChannelState, DeviceState, FieldState, TimerState, WaitState};
use crate::{target::Target, words};

/// Looks at a house of one moment.
pub(super) struct Looker<'h> {
    pub(super) house: &'h Dispatcher,
    pub(super) program: &'h Program,
    pub(super) now: Now,
}

impl Looker<'_> {
    pub(super) fn wall(&self, at: Instant) -> UnixTime {
        let (now, wall) = (self.now.at.0, self.now.wall.0);
        let past = i64::try_from(now.saturating_sub(at.0)).unwrap_or(i64::MAX);
        let ahead = i64::try_from(at.0.saturating_sub(now)).unwrap_or(i64::MAX);
        UnixTime(wall.saturating_sub(past).saturating_add(ahead))
    }

    pub(super) fn device(&self, ix: DeviceIx, target: Option<&Target>) -> DeviceState {
        let row = &self.program[ix];
        let channels = row.channels.iter().filter(|channel| match target {
            Some(Target::Channel(own) | Target::Gesture(own, _)) => *channel == own,
            Some(group @ Target::Group(_)) => group.members(self.program).contains(channel),
            Some(Target::Slot(slot)) => **channel == self.program[*slot].channel,
            _ => true,
        });
        DeviceState {
            name: row.name.to_string(),
            online: self.house.online(ix),
            blocked: self.house.blocked(ix),
            heard: self.house.last_heard(ix),
            channels: channels.map(|channel| self.channel(*channel)).collect(),
        }
    }

    pub(super) fn channel(&self, ix: ChannelIx) -> ChannelState {
        let row = &self.program[ix];
        let engine = self.house.engine();
        let fields = row.slots.iter().map(|slot| self.field(*slot));
        let ahead = |at: &Instant| *at > self.now.at;
        let held = engine.kept_until(ix).filter(ahead);
        let bounded = engine.bounded_until(ix).filter(ahead);
        ChannelState {
            name: row.name.to_string(),
            kind: row.kind.to_string(),
            fields: fields
                .filter(|field| field.reported.is_some() || field.wanted.is_some())
                .collect(),
            held_until: held.map(|at| self.wall(at)),
            bounded_until: bounded.map(|at| self.wall(at)),
        }
    }

    pub(super) fn field(&self, slot: SlotIx) -> FieldState {
        let row = &self.program[slot];
        let engine = self.house.engine();
        let at = engine.reported_at(slot);
        let value = engine.reported(slot).cloned();
        let stale_after = self.program[row.channel].stale_after;
        let is_stale = at.is_some()
            && (value.is_none()
                || stale_after
                    .is_some_and(|span| at.is_some_and(|at| at.after(span) <= self.now.at)));
        let reported = value.or_else(|| engine.reported_last(slot).cloned());
        FieldState {
            name: row.name.to_string(),
            reported: reported.zip(at).map(|(value, at)| (value, self.wall(at))),
            is_stale,
            wanted: engine.target(slot).cloned().map(|value| {
                let who = engine
                    .desired_origin(slot)
                    .map_or_else(String::new, |who| origin(&who));
                (value, who)
            }),
        }
    }

    pub(super) fn timer(&self, ix: TimerIx) -> Option<TimerState> {
        let running = self.house.engine().timer(ix)?;
        Some(TimerState {
            name: self.program[ix].name.to_string(),
            started: self.wall(running.started),
            due: self.wall(running.due),
            by: running.by.to_string(),
        })
    }

    pub(super) fn waits(&self, ix: RuleIx) -> Vec<WaitState> {
        let row = &self.program[ix];
        let engine = self.house.engine();
        let triggers = (0..).zip(&row.triggers);
        let holds = triggers.filter_map(|(place, trigger)| {
            let Trigger::Holds { .. } = trigger else {
                return None;
            };
            let (_, due) = engine.hold(ix, place)?.waits?;
            Some((words::trigger(self.program, trigger), due))
        });
        let runs = engine
            .runs(ix)
            .map(|run| ("its next action".to_owned(), run.until));
        let all = holds.chain(runs);
        all.map(|(what, due)| WaitState {
            rule: row.name.to_string(),
            what,
            due: due.map(|at| self.wall(at)),
        })
        .collect()
    }
}

/// Whose wish it is where nobody asked for it: what the device reports, by itself or because of a hand on its switch.
pub(super) const AT_THE_DEVICE: &str = "at the device";

/// Who wished something, in a word or two.
pub(crate) fn origin(who: &Who) -> String {
    match who {
        Who::Rule(name) => format!("rule {name}"),
        Who::Person(name) => dispatcher::explain::asker(name).to_owned(),
        Who::Local => AT_THE_DEVICE.to_owned(),
    }
}
