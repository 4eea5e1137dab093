//! What consumers of the other house report: those that were told something else than the real ones do it at once.

use std::{collections::BTreeMap, sync::Arc};

use dispatcher::{Dispatcher, Input};
use mapping::{
    Program,
    program::{ChannelIx, Kin, SlotIx},
};
use types::{Now, Value};

use super::{Trial, commands::Command};

/// Reports that one input may set off in the other house, besides one of each consumer, before it counts as restless.
const ECHOES_MAX: usize = 64;

impl Trial<'_> {
    /// A report of a consumer that was told something else: what it reported of that is not so in the other house.
    pub(super) fn without_echoes(&self, input: Input) -> Input {
        let Input::Report {
            channel,
            fields,
            live,
            adopt: false,
        } = input
        else {
            return input;
        };
        let other = self.other.program();
        let there = self.heirs.channel_before(channel);
        if !other[channel].consumer
            || there.is_none_or(|there| self.is_told_the_same(there, channel))
        {
            return Input::Report {
                channel,
                fields,
                live,
                adopt: false,
            };
        }
        let fields = fields
            .into_iter()
            .filter(|(slot, _)| !other[*slot].settable);
        Input::Report {
            channel,
            fields: fields.collect(),
            live,
            adopt: false,
        }
    }

    /// Whether both houses want the same of a channel.
    fn is_told_the_same(&self, here: ChannelIx, there: ChannelIx) -> bool {
        let wanted = |house: &Dispatcher, channel: ChannelIx| -> BTreeMap<Arc<str>, Value> {
            let program = house.program();
            let target = house.engine().absolute_target(channel).into_iter();
            target
                .map(|(slot, value)| (Arc::clone(&program[slot].name), value))
                .collect()
        };
        wanted(self.travel.house(), here) == wanted(&self.other, there)
    }

    /// In the other house consumers that were told something else do it, and say so.
    pub(super) fn echo(&mut self, now: Now, would: &mut Vec<Command>) {
        let program = Arc::clone(self.other.program());
        for _ in 0..ECHOES_MAX + program.channels.len() {
            let Some((channel, fields)) = self.next_unreported(&program) else {
                return;
            };
            let report = Input::Report {
                channel,
                fields,
                live: true,
                adopt: false,
            };
            self.apply(now, report, would);
        }
    }

    /// The first channel that has something to report; those before it have nothing, until something is about them again.
    fn next_unreported(&mut self, program: &Program) -> Option<(ChannelIx, Vec<(SlotIx, Value)>)> {
        while let Some(channel) = self.doubtful.first().copied() {
            self.looks += 1;
            if let Some(fields) = self.unreported(program, channel) {
                return Some((channel, fields));
            }
            self.doubtful.remove(&channel);
        }
        let mut all = ChannelIx::all(program.channels.len());
        debug_assert!(
            all.all(|channel| self.unreported(program, channel).is_none()),
            "a channel is otherwise and nothing was about it"
        );
        None
    }

    /// What a consumer should report by now, where it was told something else than the real one.
    fn unreported(&self, program: &Program, channel: ChannelIx) -> Option<Vec<(SlotIx, Value)>> {
        let row = &program[channel];
        let engine = self.other.engine();
        if !row.consumer
            || !self.other.online(row.device)
            || self.other.blocked(row.device).consumer
        {
            return None;
        }
        let wanted = engine.absolute_target(channel);
        let differs = |(slot, value): &(SlotIx, Value)| engine.reported(*slot) != Some(value);
        if !wanted.iter().any(differs) {
            return None;
        }
        let here = self.heirs.channel_before(channel);
        let same = here.is_some_and(|here| self.is_told_the_same(here, channel));
        (!same).then_some(wanted)
    }

    /// Channels of which an input may have changed anything in the house that was: their consumers have to be looked at in the
    /// other one. `None`: any.
    pub(super) fn doubt(&mut self, touched: Option<Vec<ChannelIx>>) {
        match touched {
            None => {
                let channels = self.other.program().channels.len();
                self.doubtful.extend(ChannelIx::all(channels));
            }
            Some(there) => {
                let here = there.into_iter().filter_map(|it| self.heirs.channel(it));
                self.doubtful.extend(here);
            }
        }
    }
}
