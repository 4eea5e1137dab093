//! Another mapping tried on the past: the same inputs, what would have been sent otherwise.
//!
//! Two houses live side by side from the same moment on: the one that was, under the mappings that were in force,
//! and the other, under the mapping that is tried. Both get every input. As long as a consumer was told the same
//! by both, its reports hold for both; once it was not, the other house's consumer does at once what it is told,
//! and what the real one reported says nothing about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dispatcher::{Blocklist, Dispatcher, Effects, Input};
use mapping::{Program, program::ChannelIx};
use types::{Now, UnixTime};

use crate::{
    heirs::Heirs,
    history::{History, Until},
    player::Fed,
    touched::{is_told, touched},
    travel::Travel,
    trouble::HistoryError,
};

mod beginning;
mod commands;
mod echoes;
mod json;
mod text;
mod tried;

use commands::Command;
use tried::Tried;

/// Runs through history, difference by difference; holds two houses and one record.
pub struct Trial<'h> {
    travel: Travel<'h>,
    other: Dispatcher,
    /// What the things of the mapping in force are in the tried one.
    heirs: Heirs,
    tried: Tried<'h>,
    now: Now,
    /// Differences that were found and not handed out yet, in the order of time.
    found: std::collections::VecDeque<Difference>,
    summary: Summary,
    /// Channels of the other house that may have something to report.
    doubtful: BTreeSet<ChannelIx>,
    /// How often one of them was looked at.
    looks: u64,
    /// Until when the house is known to have run on behind its newest input.
    runs_on: Option<UnixTime>,
}

/// Commands of one moment that differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// When.
    pub now: Now,
    /// What happened then.
    pub cause: String,
    /// What was sent and would not have been.
    pub gone: Vec<Line>,
    /// What was not sent and would have been.
    pub new: Vec<Line>,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// As people read it: `hall.lamp on=true`.
    pub text: String,
    /// The rule, with file and line; `None`: a person's wish.
    pub by: Option<String>,
}

/// What may fall due between two inputs: a house whose timers start each other at once does not get there.
const DUE_MAX: u32 = 100_000;

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// From when on inputs were tried.
    pub since: UnixTime,
    /// When the last one came.
    pub until: UnixTime,
    /// How many inputs.
    pub inputs: u64,
    /// Commands that were sent by both.
    pub same: u64,
    /// Commands that were sent and would not have been.
    pub gone: u64,
    /// Commands that were not sent and would have been.
    pub new: u64,
    /// Inputs that speak of what the tried mapping does not have: of what, and how many.
    pub untaken: BTreeMap<String, u64>,
    /// Times between two inputs in which more fell due in the tried mapping than can be told; the rest of it is left out.
    pub cut: u64,
}

impl Summary {
    /// Whether the tried mapping would have sent something else.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.gone + self.new > 0
    }
}

impl<'h> Trial<'h> {
    /// Tries `program` on the inputs from `since` on.
    ///
    /// # Errors
    /// The past can't be read.
    pub fn new(
        history: &'h History,
        program: Arc<Program>,
        since: UnixTime,
        until: Until,
    ) -> Result<Self, HistoryError> {
        let travel = history.from_or_oldest(since, until)?;
        let now = travel.now();
        let mut tried = Tried::new(history, Arc::clone(&program));
        let heirs = tried.heirs(travel.last(), travel.house().program());
        let other = beginning::other(history, &travel, program, &heirs);
        Ok(Self {
            summary: Summary {
                since: since.max(now.wall),
                until: now.wall,
                ..Summary::default()
            },
            doubtful: ChannelIx::all(other.program().channels.len()).collect(),
            looks: 0,
            runs_on: None,
            heirs,
            tried,
            other,
            travel,
            now,
            found: std::collections::VecDeque::new(),
        })
    }

    /// The house ran on until then, though no input came: what falls due in the other one meanwhile is tried as well.
    #[must_use]
    pub fn and_on_until(mut self, end: UnixTime) -> Self {
        self.runs_on = Some(end);
        self
    }

    /// The next difference; `None` at the end.
    ///
    /// # Errors
    /// The past can't be read on.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<Difference>, HistoryError> {
        loop {
            if let Some(difference) = self.found.pop_front() {
                return Ok(Some(difference));
            }
            if !self.step()? {
                return Ok(None);
            }
        }
    }

    /// What it came to, so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How often it was asked of a channel whether it has something to report: what a trial costs beside its inputs.
    #[doc(hidden)]
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// One record through both houses; false at the end.
    fn step(&mut self) -> Result<bool, HistoryError> {
        let Some(step) = self.travel.next()? else {
            return Ok(self.run_on());
        };
        let now = step.record.now;
        let input = step.input();
        let is_input = matches!(step.fed, Fed::Applied | Fed::Reloaded);
        let program = Arc::clone(step.program());
        // A block by name stands for whoever bears that: an edit may have given it to another one.
        let mut blocks = None;
        if step.fed == Fed::Reloaded {
            self.heirs = self.tried.heirs(step.record.no, &program);
            blocks = Some(self.heirs.blocks(step.house.blocklist()));
        }
        let mut was = match is_input {
            true => commands::of(&program, step.effects),
            false => Vec::new(),
        };
        let is_told = !is_input || input.as_ref().is_some_and(is_told);
        let touched = is_told.then(|| touched(&program, step.effects));
        step.effects.clear();
        self.doubt(touched);
        if is_input {
            let would = self.live(now, input, blocks);
            for command in &mut was {
                command.rename(&program, &self.heirs, self.other.program());
            }
            self.compare(was, would);
        }
        Ok(true)
    }

    /// What the other house sends where it gets an input, and the blocks as an edit left them, once time has passed until then.
    fn live(&mut self, now: Now, input: Option<Input>, blocks: Option<Blocklist>) -> Vec<Command> {
        self.summary.inputs += 1;
        self.summary.until = now.wall;
        let mut would = Vec::new();
        if !matches!(input, Some(Input::Began | Input::Resumed)) {
            self.pass_time(now, &mut would);
        }
        if let Some(input) = input {
            for input in self.translated(&input) {
                let input = self.without_echoes(input);
                self.apply(now, input, &mut would);
            }
        }
        if let Some(blocks) = blocks {
            for input in self.other.blocklist().changes_to(&blocks) {
                self.apply(now, input, &mut would);
            }
        }
        self.now = now;
        self.echo(now, &mut would);
        would
    }

    /// What falls due in the other house behind the newest input; of the one that was, the journal would tell. False: it
    /// ran on already, or there is no such time.
    fn run_on(&mut self) -> bool {
        let Some(end) = self.runs_on.take().filter(|end| *end > self.now.wall) else {
            return false;
        };
        let span = u64::try_from(end.0.saturating_sub(self.now.wall.0)).unwrap_or_default();
        let now = self.now.after(std::time::Duration::from_micros(span));
        let mut would = Vec::new();
        self.pass_time(now, &mut would);
        self.summary.until = end;
        self.compare(Vec::new(), would);
        true
    }

    /// What falls due in the other house before `now`, each at its time.
    fn pass_time(&mut self, now: Now, would: &mut Vec<Command>) {
        for _ in 0..DUE_MAX {
            let due = self.other.engine().next_deadline(self.now);
            // What is overdue after a start waits until time passes, as it did there.
            let passes = self.now.at < now.at;
            let Some(due) = due.filter(|due| passes && *due < now.at) else {
                return;
            };
            let then = self.now.after(due.since(self.now.at));
            self.apply(then, Input::Tick, would);
            self.now = then;
            self.echo(then, would);
        }
        self.summary.cut += 1;
    }

    fn apply(&mut self, now: Now, input: Input, would: &mut Vec<Command>) {
        let mut effects = Effects::default();
        self.other.apply(now, input, &mut effects);
        let program = Arc::clone(self.other.program());
        self.doubtful.extend(touched(&program, &effects));
        would.extend(commands::of(&program, &mut effects));
    }

    /// `input` as the other house takes it; what it can't take is counted.
    fn translated(&mut self, input: &Input) -> Vec<Input> {
        if let Input::Several(inputs) = input {
            let all = inputs.iter();
            return all.flat_map(|input| self.translated(input)).collect();
        }
        match self.heirs.input(input) {
            Ok(input) => vec![input],
            Err(why) => {
                let what = match why {
                    dispatcher::DecodeError::Unknown { what, name } => format!("{what} {name}"),
                    other => other.to_string(),
                };
                *self.summary.untaken.entry(what).or_default() += 1;
                Vec::new()
            }
        }
    }

    /// Keeps what only one of both houses sent.
    fn compare(&mut self, was: Vec<Command>, would: Vec<Command>) {
        // How many commands of the house that was have no twin yet: a scene may send thousands at one moment.
        let mut alone: BTreeMap<(types::Instant, String), usize> = BTreeMap::new();
        for command in &was {
            *alone.entry(command.moment()).or_default() += 1;
        }
        let mut is_new = |command: &Command| match alone.get_mut(&command.moment()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        let sent = would.len();
        let would: Vec<Command> = would.into_iter().filter(&mut is_new).collect();
        self.summary.same += (sent - would.len()) as u64;
        // The last ones of several that are the same have no twin.
        let mut gone: Vec<Command> = was
            .into_iter()
            .rev()
            .filter(|command| match alone.get_mut(&command.moment()) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            })
            .collect();
        gone.reverse();
        if gone.is_empty() && would.is_empty() {
            return;
        }
        self.summary.gone += gone.len() as u64;
        self.summary.new += would.len() as u64;
        let mut moments: BTreeMap<types::Instant, Difference> = BTreeMap::new();
        let sides = gone.into_iter().map(|command| (true, command));
        for (is_gone, command) in sides.chain(would.into_iter().map(|command| (false, command))) {
            let difference = moments.entry(command.now.at).or_insert_with(|| Difference {
                now: command.now,
                cause: command.cause.clone(),
                gone: Vec::new(),
                new: Vec::new(),
            });
            let line = Line {
                text: command.text,
                by: command.by,
            };
            if is_gone {
                difference.gone.push(line);
            } else {
                difference.new.push(line);
            }
        }
        self.found.extend(moments.into_values());
    }
}
