//! A stretch of history as a house test: how the house was, what happened, and which commands that led to.
//!
//! Called by `iot-control test --record`, which runs what comes out before it writes it. A test begins with a house in
//! which nothing waits and knows no restarts, edits or blocks: where history has one, it is refused with its time.

use std::{collections::BTreeSet, sync::Arc};

use dispatcher::{
    explain::{Explainer, Filter},
    rehearsal::Limits,
};
use engine::Decision;
use mapping::Program;
use types::{InputNo, UnixTime};

use crate::{
    history::{History, Until},
    lineage::Lineage,
    player::Fed,
    target::Target,
    travel::Travel,
    trouble::HistoryError,
    words::second_of,
};

mod beginning;
mod moments;
mod names;
mod past;
mod recorder;
mod said;
mod scope;
mod sent;
mod steady;
mod take;
mod toml;
mod unrecordable;

use beginning::{quiet_after, quiet_before, start_of, waiting};
use names::Names;
use recorder::Recorder;
use scope::{Scope, Share};
use steady::Steady;
pub use unrecordable::Unrecordable;

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
    record_within(history, wanted, Limits::default().test)
}

/// As [`record`], where a test may do no more than so much work, as [`Limits`] counts it.
///
/// # Errors
/// As [`record`].
pub fn record_within(
    history: &History,
    wanted: &Wanted,
    work_max: u64,
) -> Result<Recording, Unrecordable> {
    let travel = travel(history, wanted)?;
    let program = Arc::clone(travel.house().program());
    let names = Names::of(history, travel.last(), &program);
    let wanted = &wanted.in_words_of(history, travel.last(), &program);
    let mut travel = Steady::new(travel);
    let begin = travel.now();
    let start = start_of(begin, wanted.since);
    let scope = scope(history, wanted)?;
    if let Some(what) = waiting(travel.house(), start, scope.as_ref()) {
        let quiet = quiet_after(&mut travel, scope.as_ref())?;
        let earlier = match quiet {
            Some(_) => None,
            None => quiet_before(history, start.wall, (&program, scope.as_ref()))?,
        };
        let words = |at| second_of(history.zone(), at);
        return Err(Unrecordable::Waits {
            what,
            quiet: quiet.map(words),
            earlier: earlier.map(words),
            is_part: scope.is_some(),
        });
    }
    let mut recorder = Recorder::begin(history, wanted, names, &travel, scope, start);
    recorder.work_left = work_max;
    while let Some(mut step) = travel.next()? {
        recorder.take(&mut step, travel.house())?;
    }
    recorder.end()
}

/// What is wanted, without the house's beginning: a test begins with a house that began.
fn travel<'h>(history: &'h History, wanted: &Wanted) -> Result<Travel<'h>, HistoryError> {
    let mut travel = history.from_or_oldest(wanted.since, wanted.until)?;
    if history.begins_after(travel.last()) {
        travel.next()?;
    }
    Ok(travel)
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

/// What of the house is needed; `None`: all of it.
///
/// # Errors
/// Nothing of what is asked for happened, or history can't be read.
fn scope(history: &History, wanted: &Wanted) -> Result<Option<Scope>, Unrecordable> {
    if wanted.only.is_empty() {
        return Ok(None);
    }
    let mut shares = BTreeSet::new();
    let mut is_anything = false;
    let mut travel = Steady::new(travel(history, wanted)?);
    // Another mapping is refused where it comes: until then it is this one.
    let program = Arc::clone(travel.house().program());
    while let Some(step) = travel.next()? {
        if step.fed == Fed::Reloaded {
            is_anything = true;
            break;
        }
        for decision in &step.effects.engine.decisions {
            let is_asked_for = is_about(&program, decision, &wanted.only);
            is_anything |= is_asked_for;
            shares.insert(Share::of(&program, decision, is_asked_for));
        }
    }
    if !is_anything {
        return Err(Unrecordable::NothingOfPart);
    }
    Ok(Some(Scope::new(&program, shares)))
}
