//! What is most likely not meant, though it can be run: warnings over all rules together.
//!
//! Called once the rules are compiled. A rule's `allow` silences a lint by name.

use std::collections::BTreeMap;

use types::Value;

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{
        Action, Binary, Carrier, ChannelIx, CommandEffect, EventIx, Expr, GestureKind, Program,
        Rule, RuleIx, SlotIx, SunEvent, TimerIx, Trigger, VarIx,
    },
    rules::{Meta, Uses, actions},
    source::Span,
};

/// All lints that `allow` takes.
pub(crate) const NAMES: &[&str] = &[
    "always-true",
    "bound-not-carried",
    "chord-repeats-press",
    crate::cycles::LINT,
    "mode-unused",
    "never-true",
    "sun-stays",
    "timer-unused",
    "two-writers",
];

/// Looks at the whole house.
pub(crate) fn all(house: &mut House<'_>, metas: &[Meta], uses: &Uses) {
    let mut found = Vec::new();
    // An unknown name may be a misspelt use.
    if !house.report.has("unknown-name") {
        unused(house, uses, &mut found);
    }
    two_writers(&house.program, metas, &mut found);
    chords(&house.program, metas, &mut found);
    bounds(&house.program, metas, &mut found);
    sun_stays(&house.program, metas, &mut found);
    house.report.extend(found);
}

/// Scenes that no rule sets, variables that no rule reads.
fn unused(house: &House<'_>, uses: &Uses, found: &mut Vec<Diagnostic>) {
    for (name, span) in &house.scene_places {
        if !uses.scenes.contains(&**name) {
            let message = format!("no rule sets the scene `{name}`");
            found.push(
                Diagnostic::warning("scene-unused", span.clone(), message)
                    .help(format!("set it in a rule: do = {{ scene = \"{name}\" }}")),
            );
        }
    }
    for (ix, var) in house.program.vars.iter().enumerate() {
        let span = house.var_places.get(&var.name);
        if let (false, Some(span)) = (uses.reads_var(VarIx(ix as u32)), span) {
            let message = format!("no rule reads the variable `{}`", var.name);
            found.push(
                Diagnostic::warning("var-unused", span.clone(), message)
                    .help(format!("read it in a condition: var.{}", var.name)),
            );
        }
    }
}

/// What makes a rule fire without looking at anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Event(EventIx),
    Gesture(GestureKind, ChannelIx),
    Timer(TimerIx),
}

fn cause(trigger: &Trigger) -> Option<Cause> {
    match trigger {
        Trigger::Event { event, .. } => Some(Cause::Event(*event)),
        Trigger::Gesture { kind, channel, .. } => Some(Cause::Gesture(*kind, *channel)),
        Trigger::Timer(timer) => Some(Cause::Timer(*timer)),
        Trigger::Chord { .. }
        | Trigger::Sequence { .. }
        | Trigger::Holds { .. }
        | Trigger::At { .. }
        | Trigger::Cron(_)
        | Trigger::Sun { .. } => None,
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

/// Two rules without a condition that write different values to one field on the same event: the first
/// one never shows.
fn two_writers(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    type Writer<'a> = (RuleIx, Option<&'a Value>, &'a Span);
    let mut first: BTreeMap<(Cause, SlotIx), Writer<'_>> = BTreeMap::new();
    let rules = program.rules.iter().zip(metas).enumerate();
    for (at, (rule, meta)) in
        rules.filter(|(_, (rule, _))| rule.enabled && rule.condition.is_none())
    {
        let ix = RuleIx(at as u32);
        let mut told = false;
        for trigger in &rule.triggers {
            let Some(cause) = cause(trigger) else {
                continue;
            };
            // What comes behind a wait happens later.
            let at_once = rule.actions.iter().zip(&meta.actions);
            let at_once = at_once.take_while(|(action, _)| !matches!(action, Action::Wait(_)));
            for (action, span) in at_once {
                for (slot, value) in writes(program, action) {
                    let (other, before, place) =
                        *first.entry((cause, slot)).or_insert((ix, value, span));
                    let same = value.is_some() && before == value;
                    if other == ix || same || told || meta.allow.contains(&"two-writers") {
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

/// How far the sun gets from the equator, in degrees.
const TROPIC: f64 = 23.44;

/// Rules that wait for the sun where it stays up or down for days.
fn sun_stays(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let Some(latitude) = program.home.latitude else {
        return;
    };
    for (rule, meta) in program.rules.iter().zip(metas) {
        if !rule.enabled || meta.allow.contains(&"sun-stays") {
            continue;
        }
        for (trigger, span) in rule.triggers.iter().zip(&meta.triggers) {
            let Trigger::Sun { event, .. } = trigger else {
                continue;
            };
            let height = match event {
                SunEvent::Sunrise | SunEvent::Sunset => 0.833,
                SunEvent::Dawn | SunEvent::Dusk => 6.0,
            };
            if latitude.abs() <= 90.0 - TROPIC - height {
                continue;
            }
            let message = format!(
                "at latitude {latitude} not every day has a {}",
                event.word()
            );
            found.push(
                Diagnostic::warning("sun-stays", span.clone(), message)
                    .label("the rule does not fire on the other days")
                    .help("add a time for them, or say allow = [\"sun-stays\"]"),
            );
        }
    }
}

/// A foreign device that is on for a time: its payload can't say so, only the dispatcher ends it.
fn bounds(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    for (rule, meta) in program.rules.iter().zip(metas) {
        if meta.allow.contains(&"bound-not-carried") {
            continue;
        }
        for (action, span) in rule.actions.iter().zip(&meta.actions) {
            let Action::Set {
                channel,
                bound: Some(_),
                ..
            } = action
            else {
                continue;
            };
            if !matches!(
                program[program[*channel].device].carrier,
                Carrier::Foreign(_)
            ) {
                continue;
            }
            let path = program.channel_path(*channel);
            let message = format!("`{path}` can't end this by itself");
            found.push(
                Diagnostic::warning("bound-not-carried", span.clone(), message)
                    .label("only the dispatcher switches it off")
                    .help("while the dispatcher is down it stays on; if that is fine, say allow = [\"bound-not-carried\"]"),
            );
        }
    }
}

/// A chord whose keys also fire rules of their own, at once.
fn chords(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let mut by_event: BTreeMap<EventIx, Vec<RuleIx>> = BTreeMap::new();
    let mut chords = Vec::new();
    for (at, rule) in program
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.enabled)
    {
        for (place, trigger) in rule.triggers.iter().enumerate() {
            match trigger {
                Trigger::Chord {
                    event,
                    field,
                    values,
                    ..
                } => chords.push((at, place, *event, *field, values)),
                Trigger::Event { event, .. } => {
                    by_event.entry(*event).or_default().push(RuleIx(at as u32));
                }
                _ => {}
            }
        }
    }
    for (at, place, event, field, values) in chords {
        let meta = &metas[at];
        if meta.allow.contains(&"chord-repeats-press") {
            continue;
        }
        let repeated = by_event.get(&event).and_then(|rules| {
            let mut rules = rules.iter();
            rules.find(|ix| {
                let mut values = values.iter();
                values.any(|value| may_fire(&program[**ix], event, field, value))
            })
        });
        if let Some(rule) = repeated {
            let span = meta.triggers[place].clone();
            let name = &program[*rule].name;
            let message = format!("the keys of this chord also fire the rule `{name}`");
            found.push(
                Diagnostic::warning("chord-repeats-press", span, message)
                    .label("each key fires its own rules at once")
                    .also(metas[rule.index()].name.clone(), "this rule")
                    .help("if that is meant, say allow = [\"chord-repeats-press\"]"),
            );
        }
    }
}

/// Whether a rule on `event` may fire where the event's `field` is `value`; in doubt it may.
fn may_fire(rule: &Rule, event: EventIx, field: u8, value: &Value) -> bool {
    let Some(condition) = &rule.condition else {
        return true;
    };
    let fields = rule.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Event {
            event: other,
            fields,
        } if *other == event => Some(fields),
        _ => None,
    });
    let read = fields.and_then(|fields| fields.iter().position(|at| *at == field));
    let Some(read) = read else {
        return true;
    };
    let parts = match &condition.expr {
        Expr::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    parts.iter().all(|part| allows(part, read as u8, value))
}

/// Whether a conjunct lets `value` of the event field `read` pass; in doubt it does.
fn allows(part: &Expr, read: u8, value: &Value) -> bool {
    match part {
        Expr::In(inner, values) if **inner == Expr::EventField(read) => values.contains(value),
        Expr::Binary(operator, sides) => {
            let constant = match (&sides.0, &sides.1) {
                (Expr::EventField(field), Expr::Const(constant)) if *field == read => constant,
                _ => return true,
            };
            match (operator, value.as_number(), constant.as_number()) {
                (Binary::Eq, ..) => value == constant,
                (Binary::Ne, ..) => value != constant,
                (Binary::Lt, Some(value), Some(bound)) => value < bound,
                (Binary::Le, Some(value), Some(bound)) => value <= bound,
                (Binary::Gt, Some(value), Some(bound)) => value > bound,
                (Binary::Ge, Some(value), Some(bound)) => value >= bound,
                _ => true,
            }
        }
        _ => true,
    }
}
