//! `why`: the last change of something, and what led to it: event, rule, conditions, command, acknowledgement.
//!
//! Found by searching backwards, stretch by stretch between snapshots; the one input that did it is then
//! replayed again, with the house as it was right before.

use std::{sync::Arc, time::Duration};

use dispatcher::{
    Dispatcher, Effects, Input,
    explain::{self, Part},
};
use engine::{Disposition, Outcome, Output};
use mapping::{Program, program::RuleIx};
use types::{InputNo, Now, Shown, Value};

use crate::{
    history::{History, Until},
    lineage::Lineage,
    player::Fed,
    target::Target,
    travel::Step,
    trouble::HistoryError,
    waits::{self, Dropped, Wait},
    when::When,
};

mod after;
mod chain;
mod down;
mod earlier;
mod json;
mod moved;
mod pick;
mod teller;
mod text;
mod unanswered;

pub(crate) use json::{hops as json_hops, of as json_value, parts as json_parts};
pub(crate) use text::{hops as table_of, table as parts_of};
pub use unanswered::unanswered;

/// The last change of something.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// What was asked about, by its full name.
    pub target: String,
    /// What it was called when it changed, where that is another name.
    pub then: Option<String>,
    /// What it is since then.
    pub is: String,
    /// What it was before; empty where that says nothing.
    pub was: String,
    /// The input that changed it.
    pub no: InputNo,
    /// When.
    pub now: Now,
    /// What led to it and what came of it, in the order of time.
    pub hops: Vec<Hop>,
    /// What else is worth knowing.
    pub remarks: Vec<String>,
}

/// One step of the way from an event to a lamp that is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// When it was.
    pub now: Now,
    /// What it was.
    pub what: What,
}

/// What a hop is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Something happened.
    Cause(String),
    /// A rule fired.
    Rule {
        /// Its name.
        name: String,
        /// The file in which it stands.
        file: String,
        /// Its line.
        line: u32,
        /// Its condition, part by part.
        parts: Vec<Part>,
        /// What it did, where nothing was sent for that: `started the timer hall-off`.
        did: Vec<String>,
    },
    /// Something was sent, or should have been.
    Sent {
        /// What.
        text: String,
        /// What became of it.
        disposition: Disposition,
    },
    /// The consumer is no longer blocked, and is told.
    Unblocked(String),
    /// The consumer acknowledged it.
    Acknowledged(String),
    /// The consumer reported.
    Reported {
        /// What.
        text: String,
        /// Whether that is what it was told.
        as_told: bool,
    },
    /// The dispatcher started again, and was off for so long before, at the most.
    Down(Duration),
    /// Something that should have followed did not.
    Missing(String),
}

/// Where and when something changed last.
struct Found {
    /// What, by its full name as it was asked about.
    name: String,
    /// What it is in the mapping in force then; `None`: it is gone.
    target: Option<Target>,
    no: InputNo,
    now: Now,
    was: String,
    is: String,
    /// Of a rule: what it waited for when it was dropped, and its place in the mapping before.
    dropped: Option<Dropped>,
    rule_before: Option<RuleIx>,
    /// What else was wished since and changed nothing.
    idle: u64,
    newest_idle: Option<(Now, String)>,
}

/// Answers `why TARGET --at when`; `None`: nothing that is kept changed it.
///
/// # Errors
/// There is no such thing, or the past can't be read.
pub fn why(history: &History, text: &str, when: Option<When>) -> Result<Option<Why>, HistoryError> {
    let until = when.map_or(Until::End, |when| Until::Wall(when.until));
    // Names are those of today; what is gone since may have been there.
    let asked = Lineage::find(history, text, || {
        let then = history.travel_to(until)?;
        Ok((then.last(), Arc::clone(then.house().program())))
    })?;
    let until = asked.until(until);
    let mut parts = asked.parts();
    if parts.is_empty() {
        parts.push(asked);
    }
    let Some(found) = last_change(history, &mut parts, until)? else {
        return Ok(None);
    };
    let mut why = chain::of(history, &found)?;
    down::tell(history, &mut why, until)?;
    if found.idle > 0
        && let Some((now, what)) = &found.newest_idle
    {
        let times = match found.idle {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        why.remarks.push(format!(
            "since then wished {times} without a change, last at {}: {what}",
            history.clock(now.wall)
        ));
    }
    Ok(Some(why))
}

fn last_change(
    history: &History,
    asked: &mut [Lineage<'_>],
    until: Until,
) -> Result<Option<Found>, HistoryError> {
    for window in history.windows(until, None)? {
        let mut travel = history.window(window)?;
        let begin = (travel.last(), travel.house());
        let mut trackers: Vec<Tracker<'_, '_>> = asked
            .iter_mut()
            .map(|asked| Tracker::new(asked, begin))
            .collect();
        while let Some(step) = travel.next()? {
            for tracker in &mut trackers {
                tracker.look(&step);
            }
        }
        // Of several at once the first one that was asked about.
        let found = trackers
            .into_iter()
            .rev()
            .filter_map(|tracker| tracker.found);
        if let Some(newest) = found.max_by_key(|found| found.no) {
            return Ok(Some(newest));
        }
    }
    Ok(None)
}

/// Notes the last change on the way.
struct Tracker<'t, 'h> {
    asked: &'t mut Lineage<'h>,
    target: Option<Target>,
    values: Vec<Option<Value>>,
    was: String,
    /// Of a rule: what it waits for, and where it stands.
    waits: (Vec<Wait>, String),
    found: Option<Found>,
}

impl<'t, 'h> Tracker<'t, 'h> {
    fn new(asked: &'t mut Lineage<'h>, (no, house): (InputNo, &Dispatcher)) -> Self {
        let mut tracker = Self {
            asked,
            target: None,
            values: Vec::new(),
            was: String::new(),
            waits: Default::default(),
            found: None,
        };
        tracker.meet(no, house);
        tracker
    }

    /// Looks for it in the mapping in force after input `no`.
    fn meet(&mut self, no: InputNo, house: &Dispatcher) {
        self.target = self.asked.then(no, house.program());
        self.values = match &self.target {
            Some(target) => target.values(house),
            None => Vec::new(),
        };
        self.was = self.is(house);
        self.wait(house);
    }

    fn wait(&mut self, house: &Dispatcher) {
        self.waits = match self.rule() {
            Some(rule) => {
                let file = house.program()[rule].origin.file.to_string();
                (waits::of(house, rule), file)
            }
            None => Default::default(),
        };
    }

    fn rule(&self) -> Option<RuleIx> {
        match self.target {
            Some(Target::Rule(rule)) => Some(rule),
            _ => None,
        }
    }

    /// Notes what the rule waited for when another mapping came into force, where it waits no more.
    fn drop(
        &mut self,
        step: &Step<'_>,
        rule_before: Option<RuleIx>,
        (before, file): (Vec<Wait>, String),
    ) {
        let here = (step.house, self.rule());
        let decisions = &step.effects.engine.decisions;
        let dropped = waits::dropped((before, &file), here, decisions, step.record.now);
        if let Some(dropped) = dropped.into_iter().next_back() {
            self.note(step, String::new(), "dropped while it waited".to_owned());
            self.found = self.found.take().map(|found| Found {
                dropped: Some(dropped),
                rule_before,
                ..found
            });
        }
    }

    fn is(&self, house: &Dispatcher) -> String {
        self.target.as_ref().map_or_else(
            || "not in the mapping".to_owned(),
            |target| target.text(house),
        )
    }

    fn look(&mut self, step: &Step<'_>) {
        if step.fed == Fed::Reloaded {
            let (values, was) = (std::mem::take(&mut self.values), self.was.clone());
            let (rule, waits) = (self.rule(), std::mem::take(&mut self.waits));
            self.meet(step.record.no, step.house);
            let is = self.was.clone();
            if is != was || (values.len() == self.values.len() && values != self.values) {
                self.note(step, was, is);
            }
            self.drop(step, rule, waits);
        } else if step.fed != Fed::Applied {
            return;
        }
        let Some(target) = self.target.clone() else {
            return;
        };
        if let Some(is) = happened(&target, step.program(), step.effects) {
            self.note(step, String::new(), is);
        }
        if step.fed == Fed::Reloaded {
            return;
        }
        self.wait(step.house);
        let values = target.values(step.house);
        if values != self.values {
            let was = std::mem::replace(&mut self.was, target.text(step.house));
            self.values = values;
            let is = self.was.clone();
            self.note(step, was, is);
        } else {
            self.idle(step, &target);
        }
    }

    fn note(&mut self, step: &Step<'_>, was: String, is: String) {
        self.found = Some(Found {
            name: self.asked.name.clone(),
            target: self.target.clone(),
            no: step.record.no,
            now: step.record.now,
            was,
            is,
            dropped: None,
            rule_before: None,
            idle: 0,
            newest_idle: None,
        });
    }

    /// Wishes that changed nothing.
    fn idle(&mut self, step: &Step<'_>, target: &Target) {
        let Some(found) = self
            .found
            .as_mut()
            .filter(|found| found.no != step.record.no)
        else {
            return;
        };
        let program = step.program();
        for decision in &step.effects.engine.decisions {
            for sent in &decision.sent {
                let mine = |channel| target.is_told_through(program, channel);
                if sent.channel.is_some_and(mine) {
                    found.idle += 1;
                    let by = sent.by.map(|rule| program[rule].name.to_string());
                    let by = by.map_or_else(String::new, |name| format!(" by {name}"));
                    let what = explain::disposition(sent.disposition);
                    found.newest_idle = Some((decision.now, format!("{what}{by}")));
                }
            }
        }
    }
}

/// Whether something happened to `target` that no value shows: an event, a firing, a momentary command, a
/// notification. Says what.
fn happened(target: &Target, program: &Program, effects: &Effects) -> Option<String> {
    match target {
        Target::Event(_) | Target::Gesture(..) | Target::Channel(_) | Target::Device(_) => {
            let outputs = effects.engine.outputs.iter();
            let momentary = outputs.filter_map(|output| match output {
                Output::Momentary {
                    channel, command, ..
                } if target.is_told_through(program, *channel) => {
                    let row = program[*channel].commands.get(usize::from(*command));
                    row.map(|command| command.name.to_string())
                }
                _ => None,
            });
            let steps = effects.engine.decisions.iter().flat_map(|d| &d.steps);
            let explainer = explain::Explainer::new(program);
            let events = steps
                .filter(|step| target.is_caused(program, &step.cause))
                .map(|step| explainer.cause(&step.cause));
            momentary.chain(events).last()
        }
        Target::Rule(rule) => {
            let mut traces = effects.engine.decisions.iter().flat_map(|d| &d.rules);
            let ran = traces.rfind(|trace| trace.rule == *rule && explain::ran(trace))?;
            Some(match ran.outcome {
                Outcome::Resumed => "went on after its wait".to_owned(),
                _ => "fired".to_owned(),
            })
        }
        Target::Notify(wanted) => {
            let outputs = effects.engine.outputs.iter().rev();
            outputs
                .filter_map(|output| match output {
                    Output::Notify { to, text, .. } => Some((to, text)),
                    _ => None,
                })
                .find(|(to, _)| wanted.as_ref().is_none_or(|wanted| wanted == *to))
                .map(|(_, text)| format!("\"{}\"", Shown(text)))
        }
        Target::Slot(_) | Target::Var(_) | Target::Timer(_) | Target::Group(_) => None,
    }
}

/// One input, a program and the effects under it.
struct Scene {
    program: Arc<Program>,
    /// `None`: it can't be read.
    input: Option<Input>,
    effects: Effects,
    /// Outputs that rules must not write, and until when.
    kept: Vec<(String, Now)>,
}

/// Replays input `no` again.
fn scene(history: &History, no: InputNo) -> Result<Scene, HistoryError> {
    let mut travel = history.from_input(no, Until::End)?;
    let Some(step) = travel.next()?.filter(|step| step.record.no == no) else {
        return Err(HistoryError::NoInput(no));
    };
    let program = Arc::clone(step.program());
    let input = Input::decode(&program, &step.record.body).ok();
    let now = step.record.now;
    let channels = mapping::program::ChannelIx::all(program.channels.len());
    let kept = channels.filter_map(|channel| {
        let until = step.house.engine().kept_until(channel)?;
        let until = now.after(until.since(now.at));
        Some((program.channel_path(channel), until))
    });
    let kept = kept.collect();
    let mut effects = std::mem::take(step.effects);
    explain::fill_texts(&program, &mut effects);
    Ok(Scene {
        program,
        input,
        effects,
        kept,
    })
}
