//! A stretch of history under the mapping that it began with: where an edit only gave things other names, the house lives
//! on under their first ones.

use std::sync::Arc;

use dispatcher::{Config, Dispatcher, Effects, Input};
use mapping::{
    Program,
    program::{RuleIx, Succession},
};
use store::Record;
use types::Now;

use crate::{heirs::Heirs, player::Fed, travel::Travel, trouble::HistoryError};

/// Goes through a stretch.
pub(super) struct Steady<'h> {
    travel: Travel<'h>,
    /// Since things have other names: the house under the first ones, and what is what in it.
    apart: Option<(Dispatcher, Heirs)>,
}

/// One record, and what came of it.
pub(super) struct Lived {
    pub(super) record: Record,
    /// Where it is one that can be read.
    pub(super) input: Option<Input>,
    pub(super) fed: Fed,
    pub(super) effects: Effects,
    /// False: inputs before it are missing.
    pub(super) is_certain: bool,
}

impl<'h> Steady<'h> {
    pub(super) fn new(travel: Travel<'h>) -> Self {
        Self {
            travel,
            apart: None,
        }
    }

    /// The house as it is after the last step.
    pub(super) fn house(&self) -> &Dispatcher {
        match &self.apart {
            Some((house, _)) => house,
            None => self.travel.house(),
        }
    }

    pub(super) fn now(&self) -> Now {
        self.travel.now()
    }

    /// The next record and what comes of it; from [`Fed::Reloaded`] on it is the house under the mapping of then.
    ///
    /// # Errors
    /// The journal can't be read on.
    pub(super) fn next(&mut self) -> Result<Option<Lived>, HistoryError> {
        let first = Arc::clone(self.house().program());
        let Some(step) = self.travel.next()? else {
            return Ok(None);
        };
        let mut lived = Lived {
            record: step.record.clone(),
            input: step.input(),
            fed: step.fed.clone(),
            effects: std::mem::take(step.effects),
            is_certain: step.is_certain,
        };
        if lived.fed == Fed::Reloaded {
            let program = Arc::clone(step.program());
            if is_the_same(&first, &program) {
                self.stay_with(&first, &program, lived.record.now)?;
                lived.fed = Fed::Passed;
                lived.effects.clear();
            } else {
                // What comes from now on speaks of things that the house under the first names does not have.
                self.apart = None;
            }
        } else if let Some((house, heirs)) = &mut self.apart {
            lived.effects.clear();
            let input = lived.input.take().map(|input| heirs.input(&input));
            match input {
                Some(Ok(input)) => {
                    house.apply(lived.record.now, input.clone(), &mut lived.effects);
                    lived.input = Some(input);
                }
                Some(Err(why)) => lived.fed = Fed::Unreadable(why),
                None => {}
            }
        }
        Ok(Some(lived))
    }

    /// `program` came into force, and is `first` under other names.
    fn stay_with(
        &mut self,
        first: &Arc<Program>,
        program: &Arc<Program>,
        now: Now,
    ) -> Result<(), HistoryError> {
        let heirs = Heirs::new(program, first);
        let house = match self.apart.take() {
            Some((house, _)) => house,
            None => {
                let here = self.travel.house();
                let config = Config {
                    conduct: here.conduct().clone(),
                    ..Config::default()
                };
                let copy = Dispatcher::restore(Arc::clone(program), config, &here.state(), now);
                let (mut house, _) = copy.map_err(|why| HistoryError::Snapshot {
                    no: self.travel.last(),
                    binary: dispatcher::VERSION.to_owned(),
                    why,
                })?;
                house.replace(now, Arc::clone(first), &mut Effects::default());
                house
            }
        };
        self.apart = Some((house, heirs));
        Ok(())
    }
}

/// Whether `new` is `old` under other names. What else tells them apart shows where the recorded test is run.
fn is_the_same(old: &Arc<Program>, new: &Arc<Program>) -> bool {
    let succession = Succession::new(old, new);
    let same_rule = |ix: RuleIx| {
        succession.rule(ix) == Some(ix) && succession.is_only_renamed(&old[ix], &new[ix])
    };
    let counts = |program: &Program| {
        [
            program.devices.len(),
            program.channels.len(),
            program.rules.len(),
            program.vars.len(),
            program.timers.len(),
        ]
    };
    counts(old) == counts(new)
        && Heirs::new(old, new).is_complete()
        && RuleIx::all(old.rules.len()).all(same_rule)
}
