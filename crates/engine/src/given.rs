//! For house tests: makes a house that lives already, of which a test says how long what has been so.
//!
//! Called by the rehearsal before the first step, and by nobody else. Nothing here is an input, so nothing fires by it.

use std::time::Duration;

use mapping::program::{ChannelIx, RuleIx, SlotIx, TimerIx};
use types::{Instant, Now, Value};

use crate::{
    Engine,
    agenda::Due,
    bounds::Bound,
    cascade::Core,
    holds::Pending,
    house::Origin,
    input::Who,
    plan::{HoldIx, Place, stale_after},
};

impl Engine {
    /// Whether no rule fires, whatever the inputs say: while it is told what was long before.
    pub fn stand_still(&mut self, is_still: bool) {
        self.core_mut().is_still = is_still;
    }

    /// What becomes of this `holds` is no edge until [`Self::begin_hold`].
    pub fn rest_hold(&mut self, rule: RuleIx, trigger: u32) {
        if let Some(ix) = self.hold_at(rule, trigger) {
            self.core_mut().resting.insert(ix);
        }
    }

    /// This `holds` has been true since then, and its rule has fired where its time is over; `None`: it has in any case. Tells
    /// what it is at `now`; `Some(false)`: it can't have been, and is taken as what it is.
    pub fn begin_hold(
        &mut self,
        now: Now,
        (rule, trigger): (RuleIx, u32),
        since: Option<Instant>,
    ) -> Option<bool> {
        let ix = self.hold_at(rule, trigger)?;
        let (ctx, core) = self.parts();
        core.resting.remove(&ix);
        let plan = &ctx.plan.holds[ix.0 as usize];
        let truth = core.truth_of(ctx, now, plan, &mut Vec::new());
        let due = since.map(|since| (since, since.after(plan.span)));
        let pending = due
            .filter(|(_, due)| *due > now.at && truth != Some(false))
            .map(|(since, _)| core.wait(plan, ix, since));
        let hold = &mut core.holds[ix.0 as usize];
        if let Some(Pending { key: Some(key), .. }) = hold.pending {
            core.agenda.cancel(key);
        }
        (hold.truth, hold.known, hold.pending) = (truth, Some(truth != Some(false)), pending);
        core.plan_looks(ctx, now, ix);
        truth
    }

    /// What was reported last of `slot` was reported then; what hangs on its age is looked at with the next input.
    pub fn reported_before(&mut self, slot: SlotIx, at: Instant) {
        let (ctx, core) = self.parts();
        let state = &mut core.house.slots[slot.index()];
        state.reported_at = at;
        state.stale_at = stale_after(ctx.program, slot).map(|span| at.after(span));
        let now = core.last;
        let dependents = &ctx.plan.slots[slot.index()];
        for ix in dependents.state.iter().chain(&dependents.age) {
            core.look_soon(ctx, *ix, now);
        }
    }

    /// `rule` fired then as well, which counts against its limit. Moments come in their order.
    pub fn fired_before(&mut self, rule: RuleIx, at: Instant) {
        let core: &mut Core = self.core_mut();
        core.rates.count(rule, at);
    }

    /// This timer runs, and has so long to go. `by` stands where the rule does that started a timer: a reload alone looks at it.
    pub fn run_timer(&mut self, now: Now, timer: TimerIx, left: Duration, by: &str) {
        self.core_mut().start_timer(now, timer, left, by.into());
    }

    /// `channel` is on for a time, which ends then, and `who` did that. Nothing where it is not on.
    pub fn bound_until(&mut self, channel: ChannelIx, until: Instant, who: Who) {
        let (ctx, core) = self.parts();
        let on = ctx.program.on(channel);
        let target = on.and_then(|on| core.house.target(on));
        if target != Some(&Value::Bool(true)) {
            return;
        }
        let origin = Origin::Other(who);
        if let Some(old) = core.bounds.remove(&channel) {
            core.agenda.cancel(old.key);
        }
        let key = core.agenda.create(until, Due::Bound(channel));
        core.bounds.insert(channel, Bound { key, origin });
    }

    /// Rules must not write `channel` until then.
    pub fn keep_until(&mut self, channel: ChannelIx, until: Instant) {
        self.core_mut().kept.insert(channel, until);
    }

    fn hold_at(&self, rule: RuleIx, trigger: u32) -> Option<HoldIx> {
        let wanted = Place { rule, trigger };
        // They stand in the order of the rules.
        let holds = &self.look().0.plan.holds;
        let ix = holds
            .binary_search_by_key(&wanted, |hold| hold.place)
            .ok()?;
        Some(HoldIx(ix as u32))
    }
}
