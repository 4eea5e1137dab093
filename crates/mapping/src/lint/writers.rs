//! Rules that write the same outputs on the same event: they fight, or one of them never shows.
//!
//! Called by [`super::all`]. Two conditions are compared part by part, as they are written. In doubt nothing is said.

use std::collections::{BTreeMap, BTreeSet};

use types::Value;

use super::conditions::{Conditions, SetIx};
use crate::{
    diagnostic::Diagnostic,
    program::{
        Action, ChannelIx, CommandEffect, EventIx, GestureKind, Program, Rule, RuleIx, SlotIx,
        SunEvent, TimerIx, Trigger,
        form::{Form, Indices},
    },
    rules::{Meta, actions},
    source::Span,
};

/// Rules that are tried as the one that hides another; more of the same would only take time.
const CANDIDATES_MAX: usize = 4;

/// Pairs of an event and a field that are looked at. A house has as many as its rules have actions; only one whose
/// groups overlap in thousands of ways has more, and of its last rules nothing is said.
const PAIRS_MAX: usize = 1_000_000;

/// What makes a rule fire without looking at anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Event(EventIx),
    Gesture(GestureKind, ChannelIx),
    Timer(TimerIx),
    At(u32, u8),
    Sun(SunEvent, i64),
}

fn cause(trigger: &Trigger) -> Option<Cause> {
    match trigger {
        Trigger::Event { event, .. } => Some(Cause::Event(*event)),
        Trigger::Gesture { kind, channel, .. } => Some(Cause::Gesture(*kind, *channel)),
        Trigger::Timer(timer) => Some(Cause::Timer(*timer)),
        Trigger::At { second, days } => Some(Cause::At(*second, days.0)),
        Trigger::Sun { event, offset_us } => Some(Cause::Sun(*event, *offset_us)),
        Trigger::Chord { .. }
        | Trigger::Sequence { .. }
        | Trigger::Holds { .. }
        | Trigger::Cron(_) => None,
    }
}

/// The fields that an action writes, with the value where it is a constant.
fn writes<'a>(program: &'a Program, action: &'a Action) -> Vec<(SlotIx, Option<&'a Value>)> {
    let Action::Command {
        channel, command, ..
    } = action
    else {
        return actions::constants(action);
    };
    let commands = &program[*channel].commands;
    match commands
        .get(usize::from(*command))
        .map(|command| &command.effect)
    {
        Some(CommandEffect::Set(fields)) => fields
            .iter()
            .map(|(slot, value)| (*slot, Some(value)))
            .collect(),
        // Toggles and steps build on what was written before them: nothing is lost.
        Some(CommandEffect::Toggle(_) | CommandEffect::Step { .. } | CommandEffect::Momentary) => {
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// One field that a rule writes at once, whenever it fires.
struct Write<'a> {
    slot: SlotIx,
    value: Option<&'a Value>,
    span: &'a Span,
}

/// The fields that a rule writes as soon as it fires: what comes behind a wait happens later.
fn writes_at_once<'a>(program: &'a Program, rule: &'a Rule, meta: &'a Meta) -> Vec<Write<'a>> {
    let actions = rule.actions.iter().zip(&meta.actions);
    let at_once = actions.take_while(|(action, _)| !matches!(action, Action::Wait(_)));
    let all = at_once.flat_map(|(action, span)| {
        let written = writes(program, action).into_iter();
        written.map(move |(slot, value)| Write { slot, value, span })
    });
    all.collect()
}

/// The same number for all that have the same history.
fn classes<K: Ord, V: Ord>(members: BTreeMap<K, Vec<V>>) -> BTreeMap<K, u32> {
    let mut numbers: BTreeMap<Vec<V>, u32> = BTreeMap::new();
    let mut number = |history: Vec<V>| {
        let next = numbers.len() as u32;
        *numbers.entry(history).or_insert(next)
    };
    members
        .into_iter()
        .map(|(member, history)| (member, number(history)))
        .collect()
}

/// That a rule writes a field: the number of the value where that is a constant, file and place of the action.
type Writing = (RuleIx, Option<u32>, u32, usize);

/// What of a house is alike for this lint: the events that set off the same rules under the same conditions, and the
/// fields that the same actions write alike. A rule about a group of a thousand lamps has a thousand triggers and
/// writes a thousand fields; but all of them are alike, and one pair of them tells all.
struct Alike {
    places: BTreeMap<(Cause, SetIx), u32>,
    slots: BTreeMap<SlotIx, u32>,
    /// For each rule, the conditions under which each trigger fires it.
    conditions: Vec<Vec<SetIx>>,
}

impl Alike {
    fn of(program: &Program, metas: &[Meta]) -> Self {
        let mut conditions = Conditions::default();
        let mut values: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        let mut places: BTreeMap<_, Vec<RuleIx>> = BTreeMap::new();
        let mut slots: BTreeMap<_, Vec<Writing>> = BTreeMap::new();
        let sets: Vec<Vec<SetIx>> = program
            .rules
            .iter()
            .map(|rule| conditions.of_all(rule))
            .collect();
        for ix in RuleIx::all(program.rules.len()).filter(|ix| program[*ix].enabled) {
            let rule = &program[ix];
            for (trigger, set) in rule.triggers.iter().zip(&sets[ix.index()]) {
                if let Some(cause) = cause(trigger) {
                    let rules = places.entry((cause, *set)).or_default();
                    if rules.last() != Some(&ix) {
                        rules.push(ix);
                    }
                }
            }
            for Write { slot, value, span } in writes_at_once(program, rule, &metas[ix.index()]) {
                let value = value.map(|value| {
                    let mut form = Form::new(&Indices);
                    form.value(value);
                    let next = values.len() as u32;
                    *values.entry(form.finish()).or_insert(next)
                });
                let write = (ix, value, span.file.0, span.bytes.start);
                slots.entry(slot).or_default().push(write);
            }
        }
        Self {
            places: classes(places),
            slots: classes(slots),
            conditions: sets,
        }
    }

    /// One of each kind of place that fires `rule`, in its order.
    fn places(&self, rule: &Rule, ix: RuleIx) -> Vec<u32> {
        let triggers = rule.triggers.iter().zip(&self.conditions[ix.index()]);
        let places = triggers.filter_map(|(trigger, set)| {
            let place = (cause(trigger)?, *set);
            self.places.get(&place).copied()
        });
        let mut seen = BTreeSet::new();
        places.filter(|place| seen.insert(*place)).collect()
    }

    /// One of each kind of write, in its order, with the kind of its field.
    fn writes<'a>(&self, writes: Vec<Write<'a>>) -> Vec<(u32, Write<'a>)> {
        let mut seen = BTreeSet::new();
        let writes = writes.into_iter().filter_map(|write| {
            let alike = *self.slots.get(&write.slot)?;
            // One action writes each field once, so that the place stands for the value.
            let is_new = seen.insert((alike, write.span.file, write.span.bytes.start));
            is_new.then_some((alike, write))
        });
        writes.collect()
    }
}

/// Two rules that fire together and write different values to one field: the first one never shows.
pub(super) fn two_writers(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    type Writer<'a> = (RuleIx, Option<&'a Value>, &'a Span);
    let alike = Alike::of(program, metas);
    let mut first: BTreeMap<(u32, u32), Writer<'_>> = BTreeMap::new();
    let mut pairs = 0;
    for ix in RuleIx::all(program.rules.len()).filter(|ix| program[*ix].enabled) {
        let (rule, meta) = (&program[ix], &metas[ix.index()]);
        let mut told = meta.allow.contains(&"two-writers");
        let places = alike.places(rule, ix);
        let writes = alike.writes(writes_at_once(program, rule, meta));
        pairs += places.len() * writes.len();
        if pairs > PAIRS_MAX {
            return;
        }
        for place in places {
            for (kind, Write { slot, value, span }) in &writes {
                let (other, before, place) =
                    *first.entry((place, *kind)).or_insert((ix, *value, *span));
                let same = value.is_some() && before == *value;
                if other == ix || same || told {
                    continue;
                }
                told = true;
                let field = program.slot_path(*slot);
                let message = format!("two rules write `{field}` on the same event");
                let earlier = &program[other].name;
                found.push(
                    Diagnostic::warning("two-writers", (*span).clone(), message)
                        .label("this one, the later one, wins")
                        .also(place.clone(), format!("rule `{earlier}` writes it too"))
                        .help("give one of them a condition, or say allow = [\"two-writers\"]"),
                );
            }
        }
    }
}

/// All that a rule does, where that is writing constants at once and nothing else.
fn only_writes<'a>(program: &'a Program, rule: &'a Rule) -> Option<BTreeMap<SlotIx, &'a Value>> {
    let mut all = BTreeMap::new();
    for action in &rule.actions {
        let plain = match action {
            Action::Set { fade, bound, .. } => fade.is_none() && bound.is_none(),
            Action::Command { .. } => true,
            _ => false,
        };
        let written = writes(program, action);
        if !plain || written.is_empty() {
            return None;
        }
        for (slot, value) in written {
            all.insert(slot, value?);
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Rules that another one makes needless: it fires whenever they do, and writes all that they write, later or the
/// same.
pub(super) fn shadowed(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    // By cause and condition: the rules that write constants and fire as often as they can.
    let mut by_place: BTreeMap<(Cause, SetIx), Vec<RuleIx>> = BTreeMap::new();
    let mut conditions = Conditions::default();
    let none = conditions.none();
    let effects: Vec<_> = program
        .rules
        .iter()
        .map(|rule| only_writes(program, rule).filter(|_| rule.enabled))
        .collect();
    for ix in RuleIx::all(program.rules.len()) {
        let rule = &program[ix];
        if effects[ix.index()].is_none() || rule.limit.is_some() {
            continue;
        }
        let sets = conditions.of_all(rule);
        for (trigger, set) in rule.triggers.iter().zip(sets) {
            if let Some(cause) = cause(trigger) {
                by_place.entry((cause, set)).or_default().push(ix);
            }
        }
    }
    for ix in RuleIx::all(program.rules.len()) {
        let (rule, meta) = (&program[ix], &metas[ix.index()]);
        let Some(effect) = &effects[ix.index()] else {
            continue;
        };
        let Some((first, cause)) = rule
            .triggers
            .first()
            .and_then(|first| Some((first, cause(first)?)))
        else {
            continue;
        };
        if meta.allow.contains(&"shadowed") {
            continue;
        }
        let mine = conditions.of(rule, first);
        // Weaker conditions: none, one of its own parts. The same one: only where it is the later of two.
        let weaker = std::iter::once(none)
            .chain(conditions.single_parts(mine))
            .filter(|set| *set != mine);
        let mut candidates: Vec<(RuleIx, bool)> = Vec::new();
        for set in weaker {
            let rules = by_place.get(&(cause, set)).into_iter().flatten();
            candidates.extend(rules.rev().take(CANDIDATES_MAX).map(|ix| (*ix, false)));
        }
        let same = by_place.get(&(cause, mine)).into_iter().flatten();
        candidates.extend(same.take(CANDIDATES_MAX).map(|ix| (*ix, true)));
        let hides = |other: RuleIx, same_condition: bool| {
            let theirs = effects[other.index()].as_ref().filter(|_| other != ix)?;
            let covers = effect.keys().all(|slot| theirs.contains_key(slot));
            let equal = covers && effect.iter().all(|(slot, value)| theirs[slot] == *value);
            let order = match (equal, same_condition) {
                (true, true) => other < ix,
                (true, false) => true,
                // With the same condition they fight, which is another complaint.
                (false, true) => false,
                (false, false) => other > ix,
            };
            (covers && order && fires_for_all(rule, &program[other])).then_some(equal)
        };
        let hidden = candidates
            .into_iter()
            .find_map(|(other, same)| Some((other, hides(other, same)?)));
        if let Some((other, equal)) = hidden {
            let name = &program[other].name;
            let (message, label) = if equal {
                (
                    "this rule does nothing that another one does not do",
                    "fires whenever it does, and writes the same",
                )
            } else {
                (
                    "this rule never shows",
                    "fires whenever it does, and writes the same fields later",
                )
            };
            found.push(
                Diagnostic::warning("shadowed", meta.name.clone(), message)
                    .also(metas[other.index()].name.clone(), format!("rule `{name}` {label}"))
                    .help("give the other one a condition, put this one behind it, or say allow = [\"shadowed\"]"),
            );
        }
    }
}

/// Whether `other` is triggered by everything that triggers `rule`.
fn fires_for_all(rule: &Rule, other: &Rule) -> bool {
    let theirs: BTreeSet<Cause> = other.triggers.iter().filter_map(cause).collect();
    let mut mine = rule.triggers.iter().map(cause);
    mine.all(|cause| cause.is_some_and(|cause| theirs.contains(&cause)))
}
