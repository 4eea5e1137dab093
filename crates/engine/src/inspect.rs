//! What people ask about an engine and rules can't: what runs, what waits, and how near a rule came.
//!
//! Called by whoever explains. Changes nothing that a rule could see.

use std::{sync::Arc, time::Duration};

use mapping::program::{ChannelIx, Expr, RuleIx, SlotIx, TimerIx, Trigger};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    Engine,
    agenda::Due,
    cascade::{Core, Ctx},
    decision::Seen,
    eval,
    gesture::is_young,
    house::Look,
    plan::Place,
};

/// A timer that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTimer {
    /// When it was started last.
    pub started: Instant,
    /// For how long.
    pub span: Duration,
    /// When it runs out.
    pub due: Instant,
    /// The rule that started it.
    pub by: Arc<str>,
}

/// A rule's `holds` trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// What its expression was when it was looked at last; `None`: unknown.
    pub truth: Option<bool>,
    /// Its last known truth: `Some(true)` and no edge comes until it was false.
    pub known: Option<bool>,
    /// It is true and waits for its `for`: since when, and until when; no end: its time is over, but the
    /// expression is unknown.
    pub waits: Option<(Instant, Option<Instant>)>,
}

/// A run of a rule that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunView {
    /// The place of its next action in [`mapping::program::Rule::actions`].
    pub next: usize,
    /// When it goes on; `None`: it begins when the runs before it are over.
    pub until: Option<Instant>,
}

/// A button that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ButtonView {
    /// It was not let go since.
    pub is_down: bool,
    /// Time alone decides something still: whether it is a double, or a long press.
    pub waits: bool,
}

impl Engine {
    /// The runs of `rule` that wait, in the order in which they fired.
    pub fn runs(&self, rule: RuleIx) -> impl Iterator<Item = RunView> {
        let runs = self.core().runs.get(&rule).into_iter().flatten();
        runs.map(|run| RunView {
            next: run.next,
            until: run.key.map(|key| key.at),
        })
    }

    /// From now on `rule` looks whenever one of its events comes, also where the index rules it out: its record
    /// then says why it did not fire. It fires no more and no less than before. Not part of the state.
    pub fn watch(&mut self, rule: Option<RuleIx>) {
        self.core_mut().watched = rule;
    }

    /// What was reported last of `slot`, stale or not.
    #[must_use]
    pub fn reported_last(&self, slot: SlotIx) -> Option<&Value> {
        self.core().house.slots[slot.index()].reported.as_ref()
    }

    /// The timer, where it runs.
    #[must_use]
    pub fn timer(&self, timer: TimerIx) -> Option<RunningTimer> {
        let running = self.core().timers[timer.index()].as_ref()?;
        Some(RunningTimer {
            started: running.started,
            span: running.span,
            due: running.key.at,
            by: Arc::clone(&running.by),
        })
    }

    /// The timers that run, in the order in which they run out, and when.
    pub fn timers(&self) -> impl Iterator<Item = (TimerIx, Instant)> {
        let coming = self.core().agenda.coming();
        coming.filter_map(|(at, due)| match due {
            Due::Timer(timer) => Some((timer, at)),
            _ => None,
        })
    }

    /// The `holds` of `rule` with this place in [`mapping::program::Rule::triggers`]; `None`: it is none, or the
    /// rule is disabled.
    #[must_use]
    pub fn hold(&self, rule: RuleIx, trigger: u32) -> Option<HoldView> {
        let (ctx, core) = self.look();
        let wanted = Place { rule, trigger };
        // They stand in the order of the rules.
        let holds = &ctx.plan.holds;
        let ix = holds
            .binary_search_by_key(&wanted, |hold| hold.place)
            .ok()?;
        let hold = core.holds[ix];
        Some(HoldView {
            truth: hold.truth,
            known: hold.known,
            waits: hold
                .pending
                .map(|pending| (pending.since, pending.key.map(|key| key.at))),
        })
    }

    /// How many steps have come of the `sequence` of `rule` with this place in its triggers, the most of all that began and
    /// was not broken since; whether they came too long ago shows with the next event. 0 where it is none.
    #[must_use]
    pub fn sequence(&self, rule: RuleIx, trigger: u32) -> usize {
        let (ctx, core) = self.look();
        let wanted = Place { rule, trigger };
        let mut plans = ctx.plan.sequences.iter();
        let Some(ix) = plans.position(|plan| plan.place == wanted) else {
            return 0;
        };
        let mut begun = core.sequences[ix].iter();
        begun.rposition(Option::is_some).map_or(0, |done| done + 1)
    }

    /// Whether a chord or a `sequence` with this place in the triggers of `rule` has begun and may be completed still.
    #[must_use]
    pub fn has_begun(&self, rule: RuleIx, trigger: u32, now: Instant) -> bool {
        let (ctx, core) = self.look();
        let place = Place { rule, trigger };
        let mut chords = ctx.plan.chords.iter().zip(&core.chords);
        let mut sequences = ctx.plan.sequences.iter().zip(&core.sequences);
        chords.any(|(plan, struck)| plan.place == place && is_young(struck, plan.within, now))
            || sequences
                .any(|(plan, begun)| plan.place == place && is_young(begun, plan.within, now))
    }

    /// How a button on which rules have gestures is; `None`: nothing of a gesture has begun.
    #[must_use]
    pub fn button(&self, channel: ChannelIx) -> Option<ButtonView> {
        let button = self.core().buttons.get(&channel)?;
        Some(ButtonView {
            is_down: button.down,
            waits: button.wait.is_some(),
        })
    }

    /// When the `at`, `cron` or `sun` of `rule` with this place in its triggers comes next; `None`: it is none, the rule is
    /// disabled, or the clock is not synced.
    #[must_use]
    pub fn next_time_of_day(&self, rule: RuleIx, trigger: u32) -> Option<UnixTime> {
        let (ctx, core) = self.look();
        let wanted = Place { rule, trigger };
        let ix = ctx
            .plan
            .ats
            .binary_search_by_key(&wanted, |at| at.place)
            .ok()?;
        core.ats[ix].next.filter(|_| core.last.synced)
    }

    /// The firings of `rule` that still count against its limit at `now`.
    #[must_use]
    pub fn counted_firings(&self, rule: RuleIx, now: Now) -> Vec<Instant> {
        let limit = self.program()[rule].limit.as_deref().copied();
        limit.map_or_else(Vec::new, |limit| {
            self.core().rates.window(rule, limit, now.at)
        })
    }

    /// The value of `expr` as the house is at `now`, outside of any event; `None`: unknown. Appends what was
    /// read to `seen`.
    #[must_use]
    pub fn evaluate(&self, now: Now, expr: &Expr, seen: &mut Vec<Seen>) -> Option<Value> {
        let core = self.core();
        let view = Look {
            house: &core.house,
            clock: &core.clock,
            now,
            fields: &[],
            map: &[],
        };
        eval::eval(expr, &view, seen)
    }
}

impl Core {
    /// The watched rule, where `event` is one of its events and `candidates` lacks it: goes to its place.
    pub(crate) fn add_watched(
        &self,
        ctx: Ctx<'_>,
        event: mapping::program::EventIx,
        candidates: &mut Vec<(RuleIx, u32)>,
    ) {
        let Some(watched) = self.watched.filter(|rule| ctx.program[*rule].enabled) else {
            return;
        };
        let triggers = (0..).zip(&ctx.program[watched].triggers);
        let mut mine = triggers.filter(
            |(_, trigger)| matches!(trigger, Trigger::Event { event: e, .. } if *e == event),
        );
        let place = candidates.partition_point(|(rule, _)| *rule < watched);
        let there = candidates
            .get(place)
            .is_some_and(|(rule, _)| *rule == watched);
        if let (false, Some((trigger, _))) = (there, mine.next()) {
            candidates.insert(place, (watched, trigger));
        }
    }
}
