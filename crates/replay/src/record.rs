//! A stretch of history as a house test: how the house was, what happened, and which commands that led to.
//!
//! Called by `iot-control test --record`, which runs what comes out before it writes it. A test begins with a house in
//! which nothing waits and knows no restarts, edits or blocks: where history has one, it is refused with its time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dispatcher::{
    Dispatcher, Effects, Input, Note,
    explain::{self, Explainer, Filter},
};
use engine::{Cause, Decision, Who};
use mapping::{
    Program,
    program::{Carrier, ChannelIx, DeviceIx, EventIx, SlotIx, VarIx},
};
use types::{InputNo, Now, UnixTime};

use crate::{
    history::{History, Until},
    lineage::Lineage,
    player::Fed,
    target::Target,
    trouble::HistoryError,
    words::{second_of, short_clock},
};

mod beginning;
mod names;
mod scope;
mod sent;
mod steady;
mod toml;
mod unrecordable;

use beginning::{aging, quiet_before, second, waiting};
use names::Names;
use scope::{Scope, Share};
use sent::{Sent, expected, target_told};
use steady::{Lived, Steady};
use toml::{Line, Test};
pub use unrecordable::Unrecordable;

/// A clock that differs by more from the time that passed was set.
const SET_MIN: Duration = Duration::from_secs(1);

/// What fell due is looked at up to so much later: the clock on the wall is corrected all the time.
const DUE_US: i64 = 10_000;

/// Most steps of one test; more is nothing that anybody reads.
pub const STEPS_MAX: usize = 2_000;

/// What is wanted of history.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of the test.
    pub name: String,
    /// Where it begins.
    pub since: UnixTime,
    /// Where it ends.
    pub until: Until,
    /// Only what is about one of these; all where there are none.
    pub only: Vec<Filter>,
}

impl Wanted {
    /// The same in the names that `program` has, in force after input `no`.
    fn in_words_of(&self, history: &History, no: InputNo, program: &Arc<Program>) -> Self {
        let named = |filter: &Filter| {
            let today = Target::find(history.program(), filter.path())?;
            let then = Lineage::of_today(history, today).then(no, program)?;
            Some(Filter::new(&then.words(program)))
        };
        let only = self.only.iter();
        Self {
            only: only
                .map(|filter| named(filter).unwrap_or_else(|| filter.clone()))
                .collect(),
            name: self.name.clone(),
            ..*self
        }
    }
}

/// A test, as it stands in a file.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file.
    pub text: String,
    /// What happens in it.
    pub steps: usize,
    /// Commands and texts that it expects.
    pub commands: usize,
}

/// Writes a stretch of history as a test.
///
/// # Errors
/// It can't be read, or is nothing that a test can say.
pub fn record(history: &History, wanted: &Wanted) -> Result<Recording, Unrecordable> {
    let travel = history.from_or_oldest(wanted.since, wanted.until)?;
    let program = Arc::clone(travel.house().program());
    let names = Names::of(history, travel.last(), &program);
    let wanted = &wanted.in_words_of(history, travel.last(), &program);
    let mut travel = Steady::new(travel);
    let begin = travel.now();
    let start = second(UnixTime(wanted.since.0.max(begin.wall.0)));
    let scope = scope(history, wanted, start)?;
    if let Some(what) = waiting(travel.house(), begin, scope.as_ref()) {
        let mut part = scope.as_ref();
        let quiet = loop {
            let Some(step) = travel.next()? else {
                break None;
            };
            if step.fed == Fed::Reloaded {
                // The part is told by its places in the mapping before: behind an edit all of the house has to be quiet.
                part = None;
            }
            let now = step.record.now;
            if waiting(travel.house(), now, part).is_none() && step.fed == Fed::Applied {
                // What came within that second is part of what is given.
                let next = UnixTime(second(now.wall).0 + 1_000_000);
                break Some(second_of(history.zone(), next));
            }
        };
        let earlier = match quiet {
            Some(_) => None,
            None => quiet_before(history, start, scope.as_ref())?,
        };
        return Err(Unrecordable::Waits {
            what,
            quiet,
            earlier: earlier.map(|at| second_of(history.zone(), at)),
            is_part: scope.is_some(),
        });
    }
    let mut aging = aging(travel.house(), begin);
    aging.retain(|(_, channel, _)| scope.as_ref().is_none_or(|it| it.has_channel(*channel)));
    let oldest = aging.iter().map(|(at, _, _)| at.wall).min();
    let first = second(UnixTime(oldest.map_or(start.0, |at| at.0.min(start.0))));
    let mut recorder = Recorder {
        history,
        wanted,
        names,
        start: first,
        test: Test::new(&wanted.name, &second_of(history.zone(), first)),
        last_us: 0,
        before: begin,
        scope,
        online: BTreeSet::new(),
    };
    recorder.give(travel.house());
    for (at, channel, field) in &aging {
        let (words, field) = ((&*program, &recorder.names), std::slice::from_ref(field));
        let line = Line::report(words, *channel, field);
        let line = line.at(recorder.at(*at, 0));
        recorder.test.push(line);
    }
    if !aging.is_empty() {
        // What time alone did meanwhile is not looked at.
        recorder.last_us = recorder.last_us.max(start.0 - first.0);
        let at = recorder.at(begin, 0);
        recorder.test.push(Line::default().at(at));
    }
    let prelude = recorder.test.counts().0;
    while let Some(mut step) = travel.next()? {
        recorder.take(&mut step, travel.house())?;
    }
    let (steps, commands) = recorder.test.counts();
    if steps == prelude {
        return Err(Unrecordable::Nothing);
    }
    Ok(Recording {
        text: recorder.test.text(),
        steps,
        commands,
    })
}

/// Whether a decision is about something that is asked for, or a rule that is looked at it.
fn is_about(program: &Program, decision: &Decision, only: &[Filter]) -> bool {
    let explainer = Explainer::new(program);
    only.iter().any(|filter| {
        let mut looked = decision.rules.iter();
        explainer.is_about(decision, filter)
            || looked.any(|trace| filter.is_rule(&program[trace.rule].name))
    })
}

/// The output that insists on its target, and that somebody's hand changed: it was told again at once.
fn undone(program: &Program, step: &Lived, input: &Input) -> Option<ChannelIx> {
    let Input::Report { channel, .. } = input else {
        return None;
    };
    let mut notes = step.effects.notes.iter();
    let told = |note: &Note| matches!(note, Note::Resent { channel: told, .. } if told == channel);
    (program[*channel].enforce && notes.any(told)).then_some(*channel)
}

/// Whether a decision is about a device that came.
fn is_coming(decision: &Decision) -> bool {
    let first = decision.steps.first();
    first.is_some_and(|step| matches!(step.cause, Cause::Online(_)))
}

/// What of the house is needed; `None`: all of it.
fn scope(
    history: &History,
    wanted: &Wanted,
    start: UnixTime,
) -> Result<Option<Scope>, HistoryError> {
    if wanted.only.is_empty() {
        return Ok(None);
    }
    let mut shares = BTreeSet::new();
    let mut travel = Steady::new(history.from_or_oldest(start, wanted.until)?);
    // Another mapping is refused where it comes: until then it is this one.
    let program = Arc::clone(travel.house().program());
    while let Some(step) = travel.next()? {
        if step.fed == Fed::Reloaded {
            break;
        }
        for decision in &step.effects.engine.decisions {
            let is_asked_for = is_about(&program, decision, &wanted.only);
            shares.insert(Share::of(&program, decision, is_asked_for));
        }
    }
    Ok(Some(Scope::new(&program, shares)))
}

struct Recorder<'a> {
    history: &'a History,
    wanted: &'a Wanted,
    names: Names,
    start: UnixTime,
    test: Test,
    /// When the last step is, since the start.
    last_us: i64,
    /// The record before.
    before: Now,
    /// Devices that were there after it.
    online: BTreeSet<DeviceIx>,
    /// What of the house is needed; `None`: all of it.
    scope: Option<Scope>,
}

impl Recorder<'_> {
    /// How the house was.
    fn give(&mut self, house: &Dispatcher) {
        let (program, engine) = (house.program(), house.engine());
        let is_needed = |of: &dyn Fn(&Scope) -> bool| self.scope.as_ref().is_none_or(of);
        for channel in ChannelIx::all(program.channels.len()) {
            if !is_needed(&|scope| scope.has_channel(channel)) {
                continue;
            }
            // The devices of a test do what they were told.
            let known = |slot: &SlotIx| {
                let settable = program[*slot].settable;
                let target = engine.target(*slot).filter(|_| settable);
                let value = target.or_else(|| engine.reported(*slot))?;
                Some((*slot, value.clone()))
            };
            let fields: Vec<_> = program[channel].slots.iter().filter_map(known).collect();
            let words = (&**program, &self.names);
            self.test.give_state(words, channel, &fields);
        }
        let vars = (0..program.vars.len() as u32).map(VarIx);
        for var in vars.filter(|var| is_needed(&|scope| scope.has_var(*var))) {
            self.test.give_var(&self.names.var(var), engine.var(var));
        }
        let (mut offline, mut blocked) = (Vec::new(), Vec::new());
        for device in DeviceIx::all(program.devices.len()) {
            let row = &program[device];
            // A device that never says whether it is there is believed to be, until it was missed.
            let is_known = match &row.carrier {
                Carrier::Own => true,
                Carrier::Foreign(_) => house.last_heard(device).is_some(),
                Carrier::Virtual => false,
            };
            let is_needed = is_needed(&|scope| scope.has_device(program, device));
            if house.online(device) {
                self.online.insert(device);
            } else if is_known && is_needed {
                offline.push(self.names.device(device));
            }
            if house.blocked(device) == dispatcher::Sides::BOTH && is_needed {
                blocked.push(self.names.device(device));
            }
        }
        self.test.give_devices("offline", &offline);
        self.test.give_devices("blocked", &blocked);
    }

    fn take(&mut self, step: &mut Lived, house: &Dispatcher) -> Result<(), Unrecordable> {
        let now = step.record.now;
        if !step.is_certain {
            return Err(Unrecordable::Gap);
        }
        match &step.fed {
            Fed::Applied => {}
            Fed::Reloaded => return Err(self.unsaid(now, "another mapping came into force")),
            Fed::Unreadable(_) => return Err(self.unsaid(now, "something came that can't be read")),
            Fed::Observed(_) | Fed::Passed => return Ok(()),
        }
        let Some(input) = step.input.clone() else {
            return Ok(());
        };
        let passed = now.at.since(self.before.at);
        let shown = Duration::from_micros(
            u64::try_from(now.wall.0 - self.before.wall.0).unwrap_or_default(),
        );
        if passed.abs_diff(shown) > SET_MIN && input != Input::Resumed {
            return Err(self.unsaid(now, "the clock was set"));
        }
        self.before = now;
        let program = Arc::clone(house.program());
        explain::fill_texts(&program, &mut step.effects);
        self.take_due(&program, now, &step.effects)?;
        let back = self.back(house, &input);
        let of_input = |decision: &Decision| decision.now.at >= now.at;
        let of_coming = |decision: &Decision| of_input(decision) && is_coming(decision);
        let mut sent = expected((&program, &self.names), &step.effects, |decision| {
            of_input(decision) && (back.is_none() || !is_coming(decision))
        });
        let inputs = match input {
            Input::Several(inputs) => inputs,
            input => vec![input],
        };
        let undone = inputs
            .iter()
            .filter_map(|input| undone(&program, step, input));
        let undone: Vec<ChannelIx> = undone.collect();
        let again = undone
            .iter()
            .map(|channel| Sent::again((&program, &self.names), house, *channel));
        sent.extend(again);
        let is_asked_for = self.scope.as_ref().is_none_or(|scope| {
            let mut undone = undone.iter();
            undone.any(|channel| scope.has_channel(*channel))
                || inputs.iter().any(|input| scope.hears(&program, input))
        });
        if !is_asked_for && !self.is_wanted(&program, &step.effects, of_input) {
            // What it said is left out; that it is there again is not.
            let has_device = |device: &DeviceIx| {
                let scope = self.scope.as_ref();
                scope.is_none_or(|scope| scope.has_device(&program, *device))
            };
            if let Some(device) = back.filter(has_device) {
                let came = expected((&program, &self.names), &step.effects, of_coming);
                self.come_back(now, program[device].online, came)?;
            }
            // What is left out is not expected either.
            if !sent.is_empty() {
                self.look(now, None)?;
            }
            return Ok(());
        }
        let mut lines = Vec::new();
        for input in &inputs {
            lines.extend(self.line((&program, house), step, now, input)?);
        }
        let is_tick = matches!(inputs.as_slice(), [Input::Tick]);
        if lines.is_empty() && !is_tick {
            // A consumer that says that it did what it was told: in the test it did so at once.
            if !sent.is_empty() {
                self.test.expect_more(sent);
            }
            return Ok(());
        }
        if lines.is_empty() {
            return if sent.is_empty() {
                Ok(())
            } else {
                self.look(now, Some(sent))
            };
        }
        if let Some(device) = back {
            let came = expected((&program, &self.names), &step.effects, of_coming);
            self.come_back(now, program[device].online, came)?;
        }
        let last = lines.len() - 1;
        let mut sent = Some(sent);
        for (place, line) in lines.into_iter().enumerate() {
            let at = self.at(now, 0);
            let expect = if place == last { sent.take() } else { None };
            self.push(now, line.at(at).expecting(expect))?;
        }
        Ok(())
    }

    /// A device is there again; `online` says so.
    fn come_back(
        &mut self,
        now: Now,
        online: EventIx,
        came: Vec<Sent>,
    ) -> Result<(), Unrecordable> {
        let at = self.at(now, 0);
        let line = Line::event(&self.names.event(online), std::iter::empty());
        self.push(now, line.at(at).expecting(Some(came)))
    }

    /// A step in which nothing comes but time.
    fn look(&mut self, now: Now, sent: Option<Vec<Sent>>) -> Result<(), Unrecordable> {
        let at = self.at(now, DUE_US);
        self.push(now, Line::default().at(at).expecting(sent))
    }

    fn push(&mut self, now: Now, line: Line) -> Result<(), Unrecordable> {
        if self.test.counts().0 == STEPS_MAX {
            let at = second_of(self.history.zone(), now.wall);
            return Err(Unrecordable::TooMuch { at });
        }
        self.test.push(line);
        Ok(())
    }

    /// The time since the start in whole milliseconds, or rounded up to a grid; never before the step above.
    fn at(&mut self, now: Now, grid_us: i64) -> Duration {
        let us = now.wall.0 - self.start.0;
        let us = match grid_us {
            0 => us - us.rem_euclid(1_000),
            grid => us + (-us).rem_euclid(grid),
        };
        self.last_us = self.last_us.max(us);
        Duration::from_micros(u64::try_from(self.last_us).unwrap_or_default())
    }

    /// The device that came back by saying something else than that it is there. In a test it says so first: then it
    /// finds its targets.
    fn back(&mut self, house: &Dispatcher, input: &Input) -> Option<DeviceIx> {
        let online = |device: &DeviceIx| house.online(*device);
        let online = DeviceIx::all(house.program().devices.len()).filter(online);
        let before = std::mem::replace(&mut self.online, online.collect());
        if matches!(input, Input::Online(_)) {
            return None;
        }
        self.online.difference(&before).next().copied()
    }

    /// What fell due before an input came.
    fn take_due(
        &mut self,
        program: &Program,
        now: Now,
        effects: &Effects,
    ) -> Result<(), Unrecordable> {
        let decisions = effects.engine.decisions.iter();
        let due: Vec<Now> = decisions
            .map(|decision| decision.now)
            .filter(|due| due.at < now.at)
            .collect();
        let mut before = None;
        for due in due {
            if before.replace(due.at) == Some(due.at) {
                continue;
            }
            let then = |decision: &Decision| decision.now.at == due.at;
            let sent = expected((program, &self.names), effects, then);
            if !sent.is_empty() {
                let wanted = self.is_wanted(program, effects, then);
                self.look(due, wanted.then_some(sent))?;
            }
        }
        Ok(())
    }

    fn is_wanted(
        &self,
        program: &Program,
        effects: &Effects,
        of: impl Fn(&Decision) -> bool,
    ) -> bool {
        let mut decisions = effects.engine.decisions.iter();
        let Some(scope) = &self.scope else {
            return true;
        };
        decisions.any(|decision| {
            let is_asked_for = is_about(program, decision, &self.wanted.only);
            of(decision) && scope.has(program, &Share::of(program, decision, is_asked_for))
        })
    }

    fn unsaid(&self, now: Now, what: impl Into<String>) -> Unrecordable {
        Unrecordable::Unsaid {
            at: second_of(self.history.zone(), now.wall),
            what: what.into(),
        }
    }

    /// An input as a step; `None`: it is none of its own.
    fn line(
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
                let is_momentary =
                    matches!(command.effect, mapping::program::CommandEffect::Momentary);
                if is_momentary || target.is_empty() {
                    let who = match who {
                        Who::Person(name) => &**name,
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
