//! An input as a test says it.

use dispatcher::{Dispatcher, Input, explain};
use engine::Who;
use mapping::{Program, program::CommandEffect};
use types::Now;

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
        let names = &self.names;
        let said = match input {
            Input::Event { event, fields, .. } => {
                let fields_of = program[*event].fields.iter().map(|field| &*field.name);
                Line::event(&names.event(*event), fields_of.zip(fields))
            }
            Input::Report {
                channel,
                fields,
                adopt,
                ..
            } => {
                let row = &program[*channel];
                // What a consumer confirms is done in a test already; what it can't be told is news, and so is a hand.
                let by_hand = *adopt || undone(program, step, input).is_some();
                let news: Vec<_> = fields
                    .iter()
                    .filter(|(slot, _)| !row.consumer || by_hand || !program[*slot].settable)
                    .cloned()
                    .collect();
                if news.is_empty() {
                    return Ok(None);
                }
                Line::report((program, names), *channel, &news)
            }
            Input::Online(device) => {
                Line::event(&names.event(program[*device].online), std::iter::empty())
            }
            Input::Offline(device) => {
                Line::event(&names.event(program[*device].offline), std::iter::empty())
            }
            Input::Set {
                channel,
                fields,
                hold,
                bound,
                ..
            } => Line::set((program, names), *channel, fields, *hold, *bound),
            Input::Command {
                channel,
                command,
                who,
                ..
            } => {
                let target = house.target_of(*channel);
                let command = &program[*channel].commands[usize::from(*command)];
                let is_momentary = matches!(command.effect, CommandEffect::Momentary);
                if is_momentary || target.is_empty() {
                    let who = match who {
                        Who::Person(name) => explain::asker(name),
                        _ => "somebody",
                    };
                    let path = program.channel_path(*channel);
                    return Err(
                        self.unsaid(now, format!("{who} asked for {path}.{}", command.name))
                    );
                }
                // What it came to; a relative one is none of a test's words.
                Line::set(
                    (program, names),
                    *channel,
                    &target_told(program, &target),
                    None,
                    None,
                )
            }
            Input::Var { var, .. } => {
                let what = format!("somebody set the variable {}", program[*var].name);
                return Err(self.unsaid(now, what));
            }
            Input::Block(_) | Input::Unblock(_) => {
                return Err(self.unsaid(now, "a block was set or lifted"));
            }
            Input::Began => return Err(self.unsaid(now, "the house began")),
            Input::Resumed => return Err(self.unsaid(now, "the dispatcher was restarted")),
            Input::ClockSynced if !self.before.synced => {
                return Err(self.unsaid(now, "the clock was synchronised"));
            }
            // A test goes by the settings of tests; other ones come with a restart, or before anything happened.
            Input::ClockSynced
            | Input::Tick
            | Input::Config(_)
            | Input::Reload { .. }
            | Input::Several(_) => return Ok(None),
        };
        let clock = short_clock(self.history.zone(), now.wall);
        Ok(Some(said.remarked(clock)))
    }
}
