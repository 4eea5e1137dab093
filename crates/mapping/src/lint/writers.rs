//! Rules that write the same outputs on the same event: they fight, or one of them never shows.
//!
//! Called by [`super::all`]. Two conditions are compared part by part, as they are written: what is only
//! equal by calculation is not found. In doubt nothing is said.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use types::Value;

use crate::{
    diagnostic::Diagnostic,
    program::{
        Action, ChannelIx, CommandEffect, EventIx, Expr, FieldMap, GestureKind, Program, Rule,
        RuleIx, SlotIx, SunEvent, TimerIx, Trigger,
    },
    rules::{Meta, actions},
    source::Span,
};

/// Rules that are tried as the one that hides another; more of the same would only take time.
const CANDIDATES_MAX: usize = 4;

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

/// The conjuncts of a rule's condition in one form for all rules: event fields by their place in the event, not in
/// the rule's own list.
fn parts(rule: &Rule, trigger: &Trigger) -> BTreeSet<String> {
    let no_fields = FieldMap::default();
    let map = match trigger {
        Trigger::Event { fields, .. } => fields,
        _ => &no_fields,
    };
    let form = |part: &Expr| {
        let mut form = String::new();
        // Writing to a string can't fail.
        let _ = write!(form, "{part:?}");
        part.walk(&mut |part| {
            if let Expr::EventField(field) = part {
                let _ = write!(form, " {:?}", map.get(usize::from(*field)));
            }
        });
        // The rule's own numbers go.
        let mut plain = String::with_capacity(form.len());
        let mut rest = form.as_str();
        while let Some((before, after)) = rest.split_once("EventField(") {
            plain.push_str(before);
            plain.push_str("EventField(");
            rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
        }
        plain.push_str(rest);
        plain
    };
    match rule.condition.as_ref().map(|condition| &condition.expr) {
        None => BTreeSet::new(),
        Some(Expr::And(parts)) => parts.iter().map(form).collect(),
        Some(other) => BTreeSet::from([form(other)]),
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

/// Two rules that fire together and write different values to one field: the first one never shows.
pub(super) fn two_writers(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    type Writer<'a> = (RuleIx, Option<&'a Value>, &'a Span);
    type Place = (Cause, BTreeSet<String>, SlotIx);
    let mut first: BTreeMap<Place, Writer<'_>> = BTreeMap::new();
    let rules = program.rules.iter().zip(metas).enumerate();
    for (at, (rule, meta)) in rules.filter(|(_, (rule, _))| rule.enabled) {
        let ix = RuleIx(at as u32);
        let mut told = meta.allow.contains(&"two-writers");
        for trigger in &rule.triggers {
            let Some(cause) = cause(trigger) else {
                continue;
            };
            let parts = parts(rule, trigger);
            // What comes behind a wait happens later.
            let at_once = rule.actions.iter().zip(&meta.actions);
            let at_once = at_once.take_while(|(action, _)| !matches!(action, Action::Wait(_)));
            for (action, span) in at_once {
                for (slot, value) in writes(program, action) {
                    let place = (cause, parts.clone(), slot);
                    let (other, before, place) = *first.entry(place).or_insert((ix, value, span));
                    let same = value.is_some() && before == value;
                    if other == ix || same || told {
                        continue;
                    }
                    told = true;
                    let field = program.slot_path(slot);
                    let message = format!("two rules write `{field}` on the same event");
                    let earlier = &program[other].name;
                    found.push(
                        Diagnostic::warning("two-writers", span.clone(), message)
                            .label("this one, the later one, wins")
                            .also(place.clone(), format!("rule `{earlier}` writes it too"))
                            .help("give one of them a condition, or say allow = [\"two-writers\"]"),
                    );
                }
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
    let mut by_place: BTreeMap<(Cause, BTreeSet<String>), Vec<RuleIx>> = BTreeMap::new();
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
        for trigger in &rule.triggers {
            if let Some(cause) = cause(trigger) {
                let place = (cause, parts(rule, trigger));
                by_place.entry(place).or_default().push(ix);
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
        let mine = parts(rule, first);
        // Weaker conditions: none, one of its own parts. The same one: only where it is the later of two.
        let weaker = std::iter::once(BTreeSet::new())
            .chain(mine.iter().map(|part| BTreeSet::from([part.clone()])))
            .filter(|parts| *parts != mine);
        let mut candidates: Vec<(RuleIx, bool)> = Vec::new();
        for parts in weaker {
            let rules = by_place.get(&(cause, parts)).into_iter().flatten();
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
