//! One record of history: which of it a test tells, and what that led to.

use std::time::Duration;

use dispatcher::{Dispatcher, Effects, Input, Note, explain};
use engine::{Cause, Decision};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx},
};
use types::Now;

use super::{
    Unrecordable, is_about,
    moments::NEAR_US,
    recorder::Recorder,
    scope::Share,
    sent::{By, Sent, expected},
    steady::Lived,
    toml::Line,
};
use crate::{player::Fed, words::second_of};

/// A clock that differs by more from the time that passed was set.
const SET_MIN: Duration = Duration::from_secs(1);

/// An input that was taken, and what it led to; what fell due before it is told already.
struct Taken {
    now: Now,
    inputs: Vec<Input>,
    /// The device that came back by it, without a word that it is there.
    back: Option<DeviceIx>,
    /// Outputs that somebody's hand changed and that were told again.
    undone: Vec<ChannelIx>,
    /// What left because of it, but for what the device that came back found waiting.
    sent: Vec<Sent>,
}

impl Recorder<'_> {
    /// What a record says, and what came of it.
    ///
    /// # Errors
    /// No test can say it, or it is too much for one.
    pub(super) fn take(
        &mut self,
        step: &mut Lived,
        house: &Dispatcher,
    ) -> Result<(), Unrecordable> {
        let Some(input) = self.input(step)? else {
            return Ok(());
        };
        let now = step.record.now;
        self.spend(now, &step.effects)?;
        self.note_missed(now);
        self.before = now;
        self.awaited = house.engine().next_deadline(now);
        let program = house.program();
        explain::fill_texts(program, &mut step.effects);
        self.take_due(program, now, &step.effects)?;
        let taken = self.taken(house, step, input);
        match self.is_part(program, &step.effects, &taken) {
            true => self.tell(house, step, taken),
            false => self.leave_out(program, step, taken),
        }
    }

    /// The input of a record; `None`: it has none.
    ///
    /// # Errors
    /// Something happened that no test can say.
    fn input(&self, step: &Lived) -> Result<Option<Input>, Unrecordable> {
        let now = step.record.now;
        if !step.is_certain {
            return Err(Unrecordable::Gap);
        }
        match &step.fed {
            Fed::Applied => {}
            Fed::Reloaded => return Err(self.unsaid(now, "another mapping came into force")),
            Fed::Unreadable(_) => return Err(self.unsaid(now, "something came that can't be read")),
            Fed::Observed(_) | Fed::Passed => return Ok(None),
        }
        let passed = now.at.since(self.before.at);
        let shown = now.wall.0 - self.before.wall.0;
        let shown = Duration::from_micros(u64::try_from(shown).unwrap_or_default());
        let is_set = passed.abs_diff(shown) > SET_MIN;
        match &step.input {
            Some(input) if is_set && *input != Input::Resumed => {
                Err(self.unsaid(now, "the clock was set"))
            }
            input => Ok(input.clone()),
        }
    }

    /// Counts what an input comes to in the test, where it comes to about the same.
    fn spend(&mut self, now: Now, effects: &Effects) -> Result<(), Unrecordable> {
        let decisions = effects.engine.decisions.iter();
        let work = decisions
            .map(|decision| decision.steps.len() + decision.rules.len() + decision.sent.len());
        let spent = 1 + work.sum::<usize>() as u64;
        let left = self.work_left.checked_sub(spent);
        self.work_left = left.ok_or_else(|| Unrecordable::TooMuchWork {
            at: second_of(self.history.zone(), now.wall),
        })?;
        Ok(())
    }

    /// What came of an input.
    fn taken(&mut self, house: &Dispatcher, step: &Lived, input: Input) -> Taken {
        let (now, program) = (step.record.now, house.program());
        let back = back(&step.effects, now, &input);
        let mut sent = self.expected(program, &step.effects, |decision| {
            is_of(decision, now) && (back.is_none() || !is_coming(decision))
        });
        let inputs = match input {
            Input::Several(inputs) => inputs,
            input => vec![input],
        };
        let undone = inputs
            .iter()
            .filter_map(|input| undone(program, step, input));
        let undone: Vec<ChannelIx> = undone.collect();
        let again = undone
            .iter()
            .map(|channel| Sent::again((program, &self.names), house, *channel));
        sent.extend(again);
        let taken = Taken {
            now,
            inputs,
            back,
            undone,
            sent,
        };
        let mut decisions = step.effects.engine.decisions.iter();
        if taken.is_tick() && decisions.any(|decision| is_of(decision, now)) {
            self.test.fell_due(self.us(now));
        }
        taken
    }

    /// Whether it is about what the test is of.
    fn is_part(&self, program: &Program, effects: &Effects, taken: &Taken) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        let mut undone = taken.undone.iter();
        let mut inputs = taken.inputs.iter();
        undone.any(|channel| scope.has_channel(*channel))
            || inputs.any(|input| scope.hears(program, input))
            || self.is_wanted(program, effects, |decision| is_of(decision, taken.now))
    }

    /// Tells of an input: each of what it says is a step, and the last one expects what it led to.
    fn tell(&mut self, house: &Dispatcher, step: &Lived, taken: Taken) -> Result<(), Unrecordable> {
        let (now, program, is_tick) = (taken.now, house.program(), taken.is_tick());
        let sent = taken.sent;
        let mut lines = Vec::new();
        for input in &taken.inputs {
            lines.extend(self.line((program, house), step, now, input)?);
        }
        if let Some(device) = taken.back {
            self.come_back(now, program, &step.effects, device)?;
        }
        let Some(last) = lines.pop() else {
            return match (sent.is_empty(), is_tick) {
                (true, _) => Ok(()),
                (false, true) => self.look(now, Some(sent)),
                // A consumer that says that it did what it was told: in the test it did so at once.
                (false, false) => {
                    self.test.expect_more(sent);
                    Ok(())
                }
            };
        };
        for line in lines {
            self.push(now, line.at(self.came(now)))?;
        }
        self.push(now, last.at(self.came(now)).expecting(Some(sent)))
    }

    /// Leaves out an input that is about other things; what it did to the part besides stays.
    fn leave_out(
        &mut self,
        program: &Program,
        step: &Lived,
        taken: Taken,
    ) -> Result<(), Unrecordable> {
        // What it said is left out; that it is there again is not.
        let has_device = |device: &DeviceIx| {
            let scope = self.scope.as_ref();
            scope.is_none_or(|scope| scope.has_device(program, *device))
        };
        if let Some(device) = taken.back.filter(has_device) {
            self.come_back(taken.now, program, &step.effects, device)?;
        }
        // What time alone does to its rules it does in the test as well; what came of anything else does not happen.
        if taken.sent.is_empty() {
            return Ok(());
        }
        match taken.inputs.as_slice() {
            [Input::Tick] => self.look(taken.now, Some(taken.sent)),
            // A device may be missed there at another time.
            [Input::Offline(_)] => self.look(taken.now, None),
            _ => Ok(()),
        }
    }

    /// What was about to fall due when something came: it may have kept it from doing so, and does in the test only where that
    /// keeps the two apart as well.
    fn note_missed(&mut self, now: Now) {
        let awaited = self.awaited.filter(|awaited| *awaited > now.at);
        let ahead = awaited.map(|awaited| awaited.since(now.at).as_micros());
        let ahead = ahead.and_then(|ahead| i64::try_from(ahead).ok());
        if let Some(ahead) = ahead.filter(|ahead| *ahead < NEAR_US) {
            self.test.fell_due(self.us(now) + ahead);
        }
    }

    /// A device is there again, and says so.
    fn come_back(
        &mut self,
        now: Now,
        program: &Program,
        effects: &Effects,
        device: DeviceIx,
    ) -> Result<(), Unrecordable> {
        let of_coming = |decision: &Decision| is_of(decision, now) && is_coming(decision);
        let came = self.expected(program, effects, of_coming);
        let online: EventIx = program[device].online;
        let line = Line::event(&self.names.event(online), std::iter::empty());
        self.push(now, line.at(self.came(now)).expecting(Some(came)))
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
            self.test.fell_due(self.us(due));
            let then = |decision: &Decision| decision.now.at == due.at;
            let sent = self.expected(program, effects, then);
            if !sent.is_empty() {
                self.look(due, Some(sent))?;
            }
        }
        Ok(())
    }

    /// What left because of some decisions; only what is of the part, for all other rules rest in the test.
    fn expected(
        &self,
        program: &Program,
        effects: &Effects,
        of: impl Fn(&Decision) -> bool,
    ) -> Vec<Sent> {
        let scope = self.scope.as_ref();
        let by = |decision: &Decision, sent: &engine::Sent| {
            if self.ends_given(decision, sent) {
                return Some(By(None));
            }
            let is_part = scope.is_none_or(|scope| scope.has_sent(sent));
            is_part.then_some(By(sent.by))
        };
        expected((program, &self.names), effects, of, by)
    }

    /// Whether this is the end of what was on for a time as the test began.
    fn ends_given(&self, decision: &Decision, sent: &engine::Sent) -> bool {
        let ends = |channel| {
            let cause = decision.steps.first().map(|step| &step.cause);
            let until = self.bounded.get(&channel);
            cause == Some(&Cause::Bound(channel)) && until == Some(&decision.now.at)
        };
        sent.channel.is_some_and(ends)
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
}

impl Taken {
    /// Only time passed.
    fn is_tick(&self) -> bool {
        matches!(self.inputs.as_slice(), [Input::Tick])
    }
}

/// The output that insists on its target, and that somebody's hand changed: it was told again at once.
pub(super) fn undone(program: &Program, step: &Lived, input: &Input) -> Option<ChannelIx> {
    let Input::Report { channel, .. } = input else {
        return None;
    };
    let mut notes = step.effects.notes.iter();
    let told = |note: &Note| matches!(note, Note::Resent { channel: told, .. } if told == channel);
    (program[*channel].enforce && notes.any(told)).then_some(*channel)
}

/// Whether a decision was taken with the input that came at `now`, and for nothing that fell due before it.
fn is_of(decision: &Decision, now: Now) -> bool {
    decision.now.at >= now.at
}

/// The device that came back by saying something else than that it is there. In a test it says so first: then it finds its
/// targets.
fn back(effects: &Effects, now: Now, input: &Input) -> Option<DeviceIx> {
    if matches!(input, Input::Online(_)) {
        return None;
    }
    let mut decisions = effects.engine.decisions.iter();
    decisions.find_map(|decision| came(decision).filter(|_| is_of(decision, now)))
}

/// The device that came, which a decision is about.
fn came(decision: &Decision) -> Option<DeviceIx> {
    match decision.steps.first()?.cause {
        Cause::Online(device) => Some(device),
        _ => None,
    }
}

/// Whether a decision is about a device that came.
fn is_coming(decision: &Decision) -> bool {
    came(decision).is_some()
}
