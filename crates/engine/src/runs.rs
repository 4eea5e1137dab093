//! Rules that wait: `{ wait = ".." }` splits a rule's actions, and what comes behind it runs later, in a house as
//! it is then, with the event of its own beginning.
//!
//! Called by the cascade. `mode` says what a second firing does meanwhile; at most ten runs of one rule wait. Must
//! not know what actions do.

use mapping::program::{Action, Mode, RuleIx};
use types::{Now, Value};

use crate::{
    agenda::{Due, Key},
    cascade::{Core, Ctx, What},
    decision::{Deed, Did, Outcome},
    firing::compute,
    house::Look,
};

/// Runs of one rule that wait at a time, its queue included.
const RUNS_MAX: usize = 10;

/// Where event fields stand that were picked by the rule's own list already.
const IDENTITY: [u8; 256] = {
    let mut places = [0; 256];
    let mut at = 0;
    while at < places.len() {
        places[at] = at as u8;
        at += 1;
    }
    places
};

/// A run of a rule that is not over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    /// The place of its next action.
    pub(crate) next: usize,
    /// The fields of its event that the rule reads, in the rule's order.
    pub(crate) fields: Box<[Value]>,
    /// Its place in the agenda; `None`: it has not begun and waits for its turn.
    pub(crate) key: Option<Key>,
}

impl Core {
    /// Whether `rule` may fire: its mode, its limit, the fuse. Counts it where it may.
    pub(crate) fn admit(&mut self, ctx: Ctx<'_>, now: Now, rule: RuleIx) -> Outcome {
        let row = &ctx.program[rule];
        if !ctx.plan.waits[rule.index()] {
            return self.rates.admit(rule, row.limit.as_deref(), now.at);
        }
        let begins = self.work.firing.iter().filter(|firing| firing.rule == rule);
        let runs = self.runs.get(&rule).map_or(0, Vec::len) + begins.count();
        let runs_max = match row.mode {
            Mode::Restart => usize::MAX,
            Mode::Single => 1,
            Mode::Queue | Mode::Parallel => RUNS_MAX,
        };
        if runs >= runs_max {
            return Outcome::Busy;
        }
        match self.rates.admit(rule, row.limit.as_deref(), now.at) {
            Outcome::Fired if row.mode == Mode::Queue && runs > 0 => Outcome::Queued,
            outcome => outcome,
        }
    }

    /// The new firing runs when those before it are over.
    pub(crate) fn queue(&mut self, rule: RuleIx, fields: Box<[Value]>) {
        self.runs.entry(rule).or_default().push(Run {
            next: 0,
            fields,
            key: None,
        });
    }

    /// Runs the actions of `rule` from the one at `from`, until a wait or the end.
    pub(crate) fn perform(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        rule: RuleIx,
        (from, fields): (usize, Box<[Value]>),
    ) {
        let actions = ctx.program[rule].actions.iter().enumerate();
        for (place, action) in actions.skip(from) {
            if let Action::Wait(span) = action {
                let key = self.agenda.create(now.at.after(*span), Due::Run(rule));
                self.runs.entry(rule).or_default().push(Run {
                    next: place + 1,
                    fields,
                    key: Some(key),
                });
                self.deed(Some(rule), Did::Waits(*span));
                return;
            }
            self.action(ctx, now, depth, rule, action);
        }
        self.next_turn(rule, depth);
    }

    /// A rule that was over begins again: with `mode = "restart"` what waited is given up.
    pub(crate) fn begin(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        rule: RuleIx,
        fields: Box<[Value]>,
    ) {
        if ctx.program[rule].mode == Mode::Restart {
            for run in self.runs.remove(&rule).unwrap_or_default() {
                if let Some(key) = run.key {
                    self.agenda.cancel(key);
                }
                self.deed(Some(rule), Did::GaveUp);
            }
        }
        self.perform(ctx, now, depth, rule, (0, fields));
    }

    /// The wait of a run is over.
    pub(crate) fn run_is_due(&mut self, rule: RuleIx) -> Option<Run> {
        let runs = self.runs.get(&rule)?.iter().enumerate();
        let due = runs.filter_map(|(place, run)| Some((run.key?, place)));
        let (_, place) = due.min()?;
        Some(self.take_run(rule, place))
    }

    /// Goes on with `run`; `how`: whether it begins only now.
    pub(crate) fn go_on(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        rule: RuleIx,
        (run, how): (Run, Outcome),
    ) {
        let view = Look {
            house: &self.house,
            clock: &self.clock,
            now,
            fields: &run.fields,
            map: IDENTITY.get(..run.fields.len()).unwrap_or(&IDENTITY),
        };
        let work = &mut self.work;
        let start = work.decision.seen.len() as u32;
        for action in until_wait(&ctx.program[rule].actions, run.next) {
            compute(action, &view, &mut work.decision.seen, &mut |value| {
                work.operands.push_back(value);
            });
        }
        let end = work.decision.seen.len() as u32;
        self.trace(rule, None, how, (start, end));
        self.perform(ctx, now, depth, rule, (run.next, run.fields));
        self.work.operands.clear();
        self.look(ctx, now, depth);
    }

    /// It is a queued run's turn: the one before it is over.
    pub(crate) fn turn_comes(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, rule: RuleIx) {
        let runs = self.runs.get(&rule);
        let place = runs.and_then(|runs| runs.iter().position(|run| run.key.is_none()));
        if let Some(place) = place {
            let run = self.take_run(rule, place);
            self.go_on(ctx, now, depth, rule, (run, Outcome::Fired));
        }
    }

    fn next_turn(&mut self, rule: RuleIx, depth: u8) {
        let Some(runs) = self.runs.get(&rule) else {
            return;
        };
        let all_wait_for_it = runs.iter().all(|run| run.key.is_none());
        if all_wait_for_it && !self.derive(What::Turn(rule), depth) {
            // Nothing would ever wake them.
            self.runs.remove(&rule);
            self.cut(rule, None, Outcome::Depth, (0, 0));
        }
    }

    fn take_run(&mut self, rule: RuleIx, place: usize) -> Run {
        let runs = self.runs.entry(rule).or_default();
        let run = runs.remove(place);
        if runs.is_empty() {
            self.runs.remove(&rule);
        }
        run
    }

    /// Writes down something that a rule or a person did and for which nothing is sent.
    pub(crate) fn deed(&mut self, rule: Option<RuleIx>, what: Did) {
        let decision = &mut self.work.decision;
        decision.deeds.push(Deed {
            rule,
            step: u16::try_from(decision.steps.len()).unwrap_or(u16::MAX),
            what,
        });
    }
}

/// The actions from `from` on that run before the next wait.
pub(crate) fn until_wait(actions: &[Action], from: usize) -> impl Iterator<Item = &Action> {
    let rest = actions.iter().skip(from);
    rest.take_while(|action| !matches!(action, Action::Wait(_)))
}

/// Whether a run may go on with the action at `next`: it begins, or a wait lies right before it.
pub(crate) fn is_behind_a_wait(actions: &[Action], next: usize) -> bool {
    let before = next.checked_sub(1).map(|before| actions.get(before));
    before.is_none_or(|before| matches!(before, Some(Action::Wait(_))))
}
