//! `holds`: the edge from false to true of an expression, and how long it stayed true.
//!
//! Called by the cascade whenever something that an expression reads may have changed, and when time alone
//! can change it. *Unknown* keeps the last known truth: true, unknown, true is no edge; a `for` runs on
//! through unknown, but a rule does not fire while its expression is unknown.

use types::{Instant, Now, UnixTime};

use crate::{
    agenda::{Due, Key, Looks},
    cascade::{Core, Ctx, What},
    clock::Clock,
    decision::{Outcome, Seen},
    eval::truth,
    house::Look,
    plan::{HoldIx, HoldPlan, Place, holds_condition},
    state::State,
};

/// What is not compared with a constant is looked at so often: the resolution of `now.*`, which is what
/// people can tell a house. More often would only fill the journal with ticks.
const LOOK_EVERY_US: u64 = 60_000_000;

/// One `holds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HoldState {
    /// The last known truth; `None`: never known.
    pub(crate) known: Option<bool>,
    /// What the last look said.
    pub(crate) truth: Option<bool>,
    /// It is true and waits for its time.
    pub(crate) pending: Option<Pending>,
    pub(crate) looks: Looks,
}

/// A `for` that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// When it became true.
    pub(crate) since: Instant,
    /// Where it stands in the agenda; `None`: its time is over, but the expression is unknown.
    pub(crate) key: Option<Key>,
}

impl Core {
    /// Looks at every `holds` that may have changed, in the order of the rules; edges queue.
    pub(crate) fn look(&mut self, ctx: Ctx<'_>, now: Now, depth: u8) {
        if self.work.dirty.is_empty() {
            return;
        }
        let mut dirty = std::mem::take(&mut self.work.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for hold in dirty.drain(..) {
            self.look_at(ctx, now, depth, hold);
        }
        self.work.dirty = dirty;
    }

    fn look_at(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, ix: HoldIx) {
        let plan = &ctx.plan.holds[ix.0 as usize];
        let start = self.work.decision.seen.len();
        let mut seen = std::mem::take(&mut self.work.decision.seen);
        let truth = self.truth_of(ctx, now, plan, &mut seen);
        let outcome = match self.resting.contains(&ix) {
            true => None,
            false => self.turn(plan, ix, now, depth, truth),
        };
        if let Some(outcome) = outcome {
            let range = (start as u32, seen.len() as u32);
            self.work.decision.seen = seen;
            let Place { rule, trigger } = plan.place;
            match outcome {
                Outcome::Depth => self.cut(rule, Some(trigger), outcome, range),
                _ => self.trace(rule, Some(trigger), outcome, range),
            }
        } else {
            seen.truncate(start);
            self.work.decision.seen = seen;
        }
        self.plan_looks(ctx, now, ix);
    }

    /// Takes a new truth; tells what is worth writing down.
    fn turn(
        &mut self,
        plan: &HoldPlan,
        ix: HoldIx,
        now: Now,
        depth: u8,
        truth: Option<bool>,
    ) -> Option<Outcome> {
        let mut hold = self.holds[ix.0 as usize];
        let before = std::mem::replace(&mut hold.truth, truth);
        let mut outcome = None;
        match truth {
            None => outcome = before.map(|_| Outcome::Unknown),
            Some(true) => {
                let edge = hold.known != Some(true);
                hold.known = Some(true);
                let overdue = hold.pending.is_some_and(|pending| pending.key.is_none());
                if overdue {
                    self.overdue.remove(&ix);
                }
                if overdue || (edge && plan.span.is_zero()) {
                    hold.pending = None;
                    if !self.derive(What::Hold(ix), depth) {
                        outcome = Some(Outcome::Depth);
                    }
                } else if edge {
                    hold.pending = Some(self.wait(plan, ix, now.at));
                    outcome = Some(Outcome::Waiting);
                }
            }
            Some(false) => {
                hold.known = Some(false);
                if let Some(pending) = hold.pending.take() {
                    if let Some(key) = pending.key {
                        self.agenda.cancel(key);
                    }
                    self.overdue.remove(&ix);
                    outcome = Some(Outcome::Waiting);
                } else if before != Some(false) {
                    outcome = Some(Outcome::False);
                }
            }
        }
        self.holds[ix.0 as usize] = hold;
        outcome
    }

    pub(crate) fn wait(&mut self, plan: &HoldPlan, ix: HoldIx, since: Instant) -> Pending {
        let key = self.agenda.create(since.after(plan.span), Due::Hold(ix));
        Pending {
            since,
            key: Some(key),
        }
    }

    /// The time of a `for` is over: true where the rule may fire now. What turns stale at this very moment is
    /// unknown already, though nobody has looked since.
    pub(crate) fn hold_is_due(&mut self, ctx: Ctx<'_>, now: Now, ix: HoldIx) -> bool {
        let plan = &ctx.plan.holds[ix.0 as usize];
        let truth = self.truth_of(ctx, now, plan, &mut Vec::new());
        let hold = &mut self.holds[ix.0 as usize];
        if truth == Some(true) {
            hold.pending = None;
            return true;
        }
        if let Some(pending) = &mut hold.pending {
            pending.key = None;
            self.overdue.insert(ix);
        }
        false
    }

    /// Those whose time is over, and of which nobody knows whether they are true.
    pub(crate) fn overdue(&self) -> impl Iterator<Item = HoldIx> {
        let pending = |ix: &HoldIx| self.holds[ix.0 as usize].pending;
        let is_over = move |ix: &HoldIx| pending(ix).is_some_and(|pending| pending.key.is_none());
        self.overdue.iter().copied().filter(is_over)
    }

    /// A `holds` of a house that starts for the first time: a first known true is an edge, due at `now`.
    pub(crate) fn first_look(&mut self, ctx: Ctx<'_>, now: Now, ix: HoldIx) {
        let plan = &ctx.plan.holds[ix.0 as usize];
        let truth = self.truth_of(ctx, now, plan, &mut Vec::new());
        let pending = (truth == Some(true)).then(|| self.wait(plan, ix, now.at));
        let hold = &mut self.holds[ix.0 as usize];
        hold.truth = truth;
        hold.known = truth;
        hold.pending = pending;
        self.plan_looks(ctx, now, ix);
    }

    /// A `holds` under a program that has just taken over: what is true by that alone is no edge, so that nothing
    /// fires because of an edit. A `for` begins then: what it waits for is still to come. What was true before, and
    /// a `for` that runs, go on.
    pub(crate) fn meet(&mut self, ctx: Ctx<'_>, now: Now, ix: HoldIx) {
        let plan = &ctx.plan.holds[ix.0 as usize];
        let truth = self.truth_of(ctx, now, plan, &mut Vec::new());
        let known = self.holds[ix.0 as usize].known;
        let turns_true = truth == Some(true) && known == Some(false);
        if known.is_none() || turns_true {
            let begins = truth == Some(true) && !plan.span.is_zero();
            let pending = begins.then(|| self.wait(plan, ix, now.at));
            let hold = &mut self.holds[ix.0 as usize];
            (hold.truth, hold.known, hold.pending) = (truth, truth, pending);
        }
        self.look_soon(ctx, ix, now);
    }

    /// Notes in `state`, which is this engine's, what has turned by `now` and nobody has looked at since: whatever
    /// program takes over, that is the house's doing.
    pub(crate) fn note_turned(&self, ctx: Ctx<'_>, now: Now, state: &mut State) {
        let holds = ctx.plan.holds.iter().zip(&self.holds);
        for ((plan, hold), saved) in holds.zip(&mut state.holds) {
            let truth = self.truth_of(ctx, now, plan, &mut Vec::new());
            if truth != hold.truth {
                saved.overdue = Some(now.at);
            }
        }
    }

    /// Takes what is true now as what was true before: no edge, nothing waits.
    pub(crate) fn settle(&mut self, ctx: Ctx<'_>, now: Now) {
        for (ix, plan) in (0..).map(HoldIx).zip(&ctx.plan.holds) {
            let truth = self.truth_of(ctx, now, plan, &mut Vec::new());
            let hold = &mut self.holds[ix.0 as usize];
            hold.truth = truth;
            hold.known = truth.or(hold.known);
            if let Some(Pending { key: Some(key), .. }) = hold.pending.take() {
                self.agenda.cancel(key);
            }
            self.plan_looks(ctx, now, ix);
        }
    }

    pub(crate) fn truth_of(
        &self,
        ctx: Ctx<'_>,
        now: Now,
        plan: &HoldPlan,
        seen: &mut Vec<Seen>,
    ) -> Option<bool> {
        let view = Look {
            house: &self.house,
            clock: &self.clock,
            now,
            fields: &[],
            map: &[],
        };
        truth(&holds_condition(ctx.program, plan.place)?.expr, &view, seen)
    }

    /// Schedules the next moments at which time alone can change the truth.
    pub(crate) fn plan_looks(&mut self, ctx: Ctx<'_>, now: Now, ix: HoldIx) {
        let plan = &ctx.plan.holds[ix.0 as usize];
        if !plan.timed {
            return;
        }
        let looks = Looks {
            at: self.next_age_change(plan, now.at),
            wall: self.next_wall_change(plan, now),
        };
        self.set_looks(ix, looks);
    }

    /// Looks at all that reads the wall clock as soon as possible: it was set, or its sync was won or lost.
    pub(crate) fn look_at_wall_readers(&mut self, ctx: Ctx<'_>, now: Now) {
        for (ix, plan) in (0..).map(HoldIx).zip(&ctx.plan.holds) {
            if plan.reads.now || plan.reads.sun {
                self.look_soon(ctx, ix, now);
            }
        }
    }

    /// Looks at `ix` with the next input, whatever it is, where its truth is another one now. Where it is not, a look
    /// would only be a decision that nothing was decided; and a snapshot would not know of it.
    pub(crate) fn look_soon(&mut self, ctx: Ctx<'_>, ix: HoldIx, now: Now) {
        let plan = &ctx.plan.holds[ix.0 as usize];
        if self.truth_of(ctx, now, plan, &mut Vec::new()) == self.holds[ix.0 as usize].truth {
            self.set_looks(ix, Looks::default());
            self.plan_looks(ctx, now, ix);
            return;
        }
        let looks = Looks {
            at: Some(now.at),
            wall: None,
        };
        self.set_looks(ix, looks);
    }

    /// `ix` should have been looked at before: it is with the next input.
    pub(crate) fn look_overdue(&mut self, ix: HoldIx, at: Option<Instant>) {
        let looks = self.holds[ix.0 as usize].looks;
        self.set_looks(
            ix,
            Looks {
                at: at.or(looks.at),
                ..looks
            },
        );
    }

    /// When a look that would turn the truth was due, where no input came since.
    pub(crate) fn overdue_look(
        &self,
        ctx: Ctx<'_>,
        plan: &HoldPlan,
        hold: &HoldState,
    ) -> Option<Instant> {
        let at = hold.looks.at.filter(|at| *at <= self.last.at)?;
        let truth = self.truth_of(ctx, self.last, plan, &mut Vec::new());
        (truth != hold.truth).then_some(at)
    }

    /// The moment to look at `ix` came.
    pub(crate) fn looked(&mut self, ix: HoldIx) {
        self.set_looks(ix, Looks::default());
    }

    fn set_looks(&mut self, ix: HoldIx, looks: Looks) {
        let old = std::mem::replace(&mut self.holds[ix.0 as usize].looks, looks);
        self.agenda.look(ix, old, looks);
    }

    fn next_age_change(&self, plan: &HoldPlan, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut consider = |at: Instant| {
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        for slot in &plan.reads.states {
            let state = &self.house.slots[slot.index()];
            state.stale_at.into_iter().for_each(&mut consider);
        }
        for age in &plan.reads.ages {
            let state = &self.house.slots[age.slot.index()];
            if state.reported.is_none() {
                continue;
            }
            let from = state.reported_at.0;
            for seconds in age.thresholds_s.iter().filter(|seconds| **seconds >= 0.0) {
                // Its comparisons can change at the threshold and right behind it.
                let at = from.saturating_add((seconds * 1e6).ceil() as u64);
                consider(Instant(at));
                consider(Instant(at.saturating_add(1)));
            }
            if age.any_moment {
                let whole = now.0.saturating_sub(from) / LOOK_EVERY_US + 1;
                consider(Instant(
                    from.saturating_add(whole.saturating_mul(LOOK_EVERY_US)),
                ));
            }
        }
        next
    }

    fn next_wall_change(&self, plan: &HoldPlan, now: Now) -> Option<UnixTime> {
        if !now.synced || !(plan.reads.now || plan.reads.sun) {
            return None;
        }
        let minute = Clock::next_minute(now.wall);
        if plan.reads.now || plan.elevation {
            let change = self.clock.next_sun_change(now.wall);
            let change = change.filter(|_| plan.reads.sun);
            return Some(change.map_or(minute, |change| change.min(minute)));
        }
        self.clock.next_sun_change(now.wall)
    }
}
