//! An input as a test says it.

use dispatcher::{Dispatcher, Input, explain};
use engine::Who;
use mapping::{
    Program,
    program::{ChannelIx, CommandEffect, EventIx, SlotIx},
};
use types::{Now, Value};

use super::{
    Unrecordable, recorder::Recorder, sent::target_told, steady::Lived, take::undone, toml::Line,
};
use crate::words::short_clock;

impl Recorder<'_> {
    /// An input as a step; `None`: it is none of its own.
    pub(super) fn line(
        &self,
        (program, house): (&Program, &Dispatcher),
        step: &Lived,
        now: Now,
        input: &Input,
    ) -> Result<Option<Line>, Unrecordable> {
        if let Some(what) = self.unsayable(program, input) {
            return Err(self.unsaid(now, what));
        }
        let said = match input {
            Input::Event { event, fields, .. } => Some(self.event(program, *event, fields)),
            Input::Report {
                channel,
                fields,
                adopt,
                ..
            } => {
                let by_hand = *adopt || undone(program, step, input).is_some();
                self.report(program, *channel, fields, by_hand)
            }
            Input::Online(device) => Some(self.event(program, program[*device].online, &[])),
            Input::Offline(device) => Some(self.event(program, program[*device].offline, &[])),
            Input::Set {
                channel,
                fields,
                hold,
                bound,
                ..
            } => Some(Line::set(
                (program, &self.names),
                *channel,
                fields,
                *hold,
                *bound,
            )),
            Input::Command {
                channel,
                command,
                who,
                ..
            } => Some(self.command((program, house), now, (*channel, *command), who)?),
            // Told to be unsayable, where they are.
            Input::Var { .. }
            | Input::Block(_)
            | Input::Unblock(_)
            | Input::Began
            | Input::Resumed
            | Input::ClockSynced => None,
            // A test goes by the settings of tests; other ones come with a restart, or before anything happened.
            Input::Tick | Input::Config(_) | Input::Reload { .. } | Input::Several(_) => None,
        };
        let clock = short_clock(self.history.zone(), now.wall);
        Ok(said.map(|said| said.remarked(clock)))
    }

    fn event(&self, program: &Program, event: EventIx, fields: &[Value]) -> Line {
        let names = program[event].fields.iter().map(|field| &*field.name);
        Line::event(&self.names.event(event), names.zip(fields))
    }

    /// A report, where it says something that is none of what a consumer was told: that is done in a test already. What it
    /// can't be told is news, and so is a hand.
    fn report(
        &self,
        program: &Program,
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
        by_hand: bool,
    ) -> Option<Line> {
        let is_news =
            |slot: SlotIx| !program[channel].consumer || by_hand || !program[slot].settable;
        let news = fields.iter().filter(|(slot, _)| is_news(*slot));
        let news: Vec<_> = news.cloned().collect();
        let words = (program, &self.names);
        (!news.is_empty()).then(|| Line::report(words, channel, &news))
    }

    /// What a command came to; a relative one is none of a test's words.
    fn command(
        &self,
        (program, house): (&Program, &Dispatcher),
        now: Now,
        (channel, command): (ChannelIx, u8),
        who: &Who,
    ) -> Result<Line, Unrecordable> {
        let target = house.target_of(channel);
        let command = &program[channel].commands[usize::from(command)];
        if matches!(command.effect, CommandEffect::Momentary) || target.is_empty() {
            let who = match who {
                Who::Person(name) => explain::asker(name),
                _ => "somebody",
            };
            let path = program.channel_path(channel);
            return Err(self.unsaid(now, format!("{who} asked for {path}.{}", command.name)));
        }
        let told = target_told(program, &target);
        Ok(Line::set(
            (program, &self.names),
            channel,
            &told,
            None,
            None,
        ))
    }

    /// What happened, where no test can say it.
    fn unsayable(&self, program: &Program, input: &Input) -> Option<String> {
        let what = match input {
            Input::Var { var, .. } => {
                return Some(format!("somebody set the variable {}", program[*var].name));
            }
            Input::Block(_) | Input::Unblock(_) => "a block was set or lifted",
            Input::Began => "the house began",
            Input::Resumed => "the dispatcher was restarted",
            Input::ClockSynced if !self.before.synced => "the clock was synchronised",
            _ => return None,
        };
        Some(what.to_owned())
    }
}
