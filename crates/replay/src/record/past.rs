//! What a house did before a test begins and that counts in it still: how old reports are, which conditions are true and since
//! when, which rules used up some of their limits, and what ends by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dispatcher::Dispatcher;
use engine::{
    HoldView,
    depend::Dependencies,
    eval::{View, truth},
};
use mapping::{
    Program,
    program::{self, ChannelIx, DeviceIx, Expr, RuleIx, SlotIx, Sun, TimerIx, Trigger, VarIx},
};
use types::{Instant, Now, Value};

use super::scope::{Scope, expressions};

/// Fields whose age counts, by their channels: those that turn stale, and those of which a rule asks how old they are.
pub(super) fn aging(program: &Program) -> BTreeSet<SlotIx> {
    let channels = ChannelIx::all(program.channels.len());
    let stale = channels.filter(|channel| program[*channel].stale_after.is_some());
    let mut slots: BTreeSet<SlotIx> = stale
        .flat_map(|channel| program[channel].slots.iter().copied())
        .collect();
    for rule in RuleIx::all(program.rules.len()) {
        for expr in expressions(program, rule) {
            let ages = Dependencies::of(expr).ages;
            slots.extend(ages.iter().map(|age| age.slot));
        }
    }
    slots
}

/// A condition of a rule that was true.
pub(super) struct Held {
    pub(super) rule: RuleIx,
    /// Which of its conditions, from 1, where it waits for several.
    pub(super) number: Option<usize>,
    /// For how long, where the rule did not fire yet.
    pub(super) so_long: Option<Duration>,
}

/// The conditions that are true where the test begins.
pub(super) fn held(house: &Dispatcher, scope: Option<&Scope>, start: Now) -> Vec<Held> {
    let rules = RuleIx::all(house.program().rules.len());
    let mut all = Vec::new();
    for rule in rules.filter(|rule| scope.is_none_or(|scope| scope.has_rule(*rule))) {
        let looked = looked(house, rule, start);
        let is_one = looked.len() == 1;
        for (number, hold) in (1..).zip(looked) {
            let is_true = match hold.is_given {
                Some(is_given) => is_given,
                None => hold.was == Some(true),
            };
            if is_true || hold.began.is_some() {
                all.push(Held {
                    rule,
                    number: (!is_one).then_some(number),
                    so_long: hold.began.map(|began| start.at.since(began)),
                });
            }
        }
    }
    all
}

/// Whether a condition of a rule waits in a way that no test can say: its time is over but nobody knows whether it is true, it
/// began within the second in which the test does, or is false where all devices have done what they were told.
pub(super) fn waits_unsayably(house: &Dispatcher, rule: RuleIx, start: Now) -> bool {
    let mut looked = looked(house, rule, start).into_iter();
    looked.any(|hold| {
        let is_late = hold.began.is_some_and(|began| began > start.at);
        hold.is_over || is_late || (hold.began.is_some() && hold.is_given == Some(false))
    })
}

/// A condition of a rule, as it was and as it is in the test.
struct Looked {
    /// What it was when it was known last.
    was: Option<bool>,
    /// Since when it waits for its time.
    began: Option<Instant>,
    /// That time is over, and it is unknown.
    is_over: bool,
    /// What it is in the test.
    is_given: Option<bool>,
}

/// The conditions of a rule, in the order of its triggers.
fn looked(house: &Dispatcher, rule: RuleIx, start: Now) -> Vec<Looked> {
    let triggers = (0..).zip(&house.program()[rule].triggers);
    let looked = triggers.filter_map(|(place, trigger)| {
        let Trigger::Holds {
            condition,
            hold: span,
        } = trigger
        else {
            return None;
        };
        let hold = house.engine().hold(rule, place)?;
        let given = Given { house, start };
        Some(Looked {
            was: hold.known,
            began: began(&hold, *span),
            is_over: matches!(hold.waits, Some((_, None))),
            is_given: truth(&condition.expr, &given, &mut Vec::new()),
        })
    });
    looked.collect()
}

/// The house as the test gives it: devices have done what they were told.
struct Given<'h> {
    house: &'h Dispatcher,
    start: Now,
}

impl Given<'_> {
    fn computed(&self, expr: &Expr) -> Option<Value> {
        let engine = self.house.engine();
        engine.evaluate(self.start, expr, &mut Vec::new())
    }
}

impl View for Given<'_> {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        let engine = self.house.engine();
        let target = engine.target(slot);
        let target = target.filter(|_| self.house.program()[slot].settable);
        target.or_else(|| engine.reported_by(slot, self.start.at))
    }

    fn age(&self, slot: SlotIx) -> Option<f64> {
        let at = self.house.engine().reported_at(slot)?;
        Some(self.start.at.since(at).as_secs_f64())
    }

    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.house.engine().target(slot)
    }

    fn var(&self, var: VarIx) -> &Value {
        self.house.engine().var(var)
    }

    fn online(&self, device: DeviceIx) -> bool {
        self.house.online(device)
    }

    fn event(&self, _: u8) -> Option<&Value> {
        None
    }

    fn sun(&self, sun: Sun) -> Option<Value> {
        self.computed(&Expr::Sun(sun))
    }

    fn now(&self, now: program::Now) -> Option<Value> {
        self.computed(&Expr::Now(now))
    }
}

/// When the `for` of a condition that waits began. An edit may have given it another end than it had.
fn began(hold: &HoldView, span: Duration) -> Option<Instant> {
    let (since, until) = hold.waits?;
    let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Some(until.map_or(since, |until| Instant(until.0.saturating_sub(span_us))))
}

/// How long before `start` rules fired, so far as that counts against their limits then.
pub(super) fn fired(
    house: &Dispatcher,
    scope: Option<&Scope>,
    start: Now,
) -> Vec<(RuleIx, Vec<Duration>)> {
    let rules = RuleIx::all(house.program().rules.len());
    let rules = rules.filter(|rule| scope.is_none_or(|scope| scope.has_rule(*rule)));
    let counted = rules.map(|rule| {
        let firings = house.engine().counted_firings(rule, start).into_iter();
        (rule, firings.map(|at| start.at.since(at)).collect())
    });
    counted
        .filter(|(_, ago): &(_, Vec<_>)| !ago.is_empty())
        .collect()
}

/// The timers that run, in the order in which they run out, and how long they have to go.
pub(super) fn running(
    house: &Dispatcher,
    scope: Option<&Scope>,
    start: Now,
) -> Vec<(TimerIx, Duration)> {
    let timers = house.engine().timers();
    let timers = timers.filter(|(timer, _)| scope.is_none_or(|scope| scope.has_timer(*timer)));
    timers
        .map(|(timer, due)| (timer, due.since(start.at)))
        .collect()
}

/// Outputs that are on for a time, and when that ends.
pub(super) fn bounded(house: &Dispatcher, scope: Option<&Scope>) -> BTreeMap<ChannelIx, Instant> {
    let until = |channel| house.engine().bounded_until(channel);
    outputs(house, scope, until).collect()
}

/// Outputs that are kept from rules, and for how long still.
pub(super) fn kept(
    house: &Dispatcher,
    scope: Option<&Scope>,
    start: Now,
) -> Vec<(ChannelIx, Duration)> {
    let until = |channel| house.engine().kept_until(channel);
    outputs(house, scope, until)
        .filter(|(_, until)| start.at < *until)
        .map(|(channel, until)| (channel, until.since(start.at)))
        .collect()
}

fn outputs(
    house: &Dispatcher,
    scope: Option<&Scope>,
    until: impl Fn(ChannelIx) -> Option<Instant>,
) -> impl Iterator<Item = (ChannelIx, Instant)> {
    let channels = ChannelIx::all(house.program().channels.len());
    channels
        .filter(move |channel| scope.is_none_or(|scope| scope.has_channel(*channel)))
        .filter_map(move |channel| Some((channel, until(channel)?)))
}
