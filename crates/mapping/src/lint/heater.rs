//! A thermometer that dies must not heat for ever.
//!
//! Called by [`super::all`].

use std::collections::BTreeMap;

use types::Value;

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{Action, ChannelIx, CommandEffect, Expr, Program, Rule, RuleIx, Trigger},
    rules::Meta,
};

/// Thermometers by which a rule switches something on, and whose last value holds for ever.
///
/// Few and certain cases rather than many: what switches on is a plain `switch` (a relay: heater, boiler, pump,
/// fan), the sensor a `temperature`. A dark hall that stays dark because its light sensor died is a nuisance; a heater
/// that stays on is a danger. Who bounds the heating by `{ on = .., for }` or asks for the sensor's `age()` has
/// thought of it.
pub(super) fn stale_after_missing(house: &House<'_>, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let program = &house.program;
    let mut watched: Vec<ChannelIx> = Vec::new();
    let mut drives: BTreeMap<ChannelIx, (RuleIx, ChannelIx)> = BTreeMap::new();
    let rules = program.rules.iter().zip(metas).enumerate();
    for (at, (rule, meta)) in rules.filter(|(_, (rule, _))| rule.enabled) {
        conditions(rule, &mut |part| match part {
            Expr::Age(slot) => watched.push(program[*slot].channel),
            Expr::State(slot) => {
                let channel = program[*slot].channel;
                let row = &program[channel];
                let endless = &*row.kind == "temperature" && row.stale_after.is_none();
                if let (true, false, Some(switched)) = (
                    endless,
                    meta.allow.contains(&"stale-after-missing"),
                    switches_on(program, rule),
                ) {
                    let ix = RuleIx(at as u32);
                    drives.entry(channel).or_insert((ix, switched));
                }
            }
            _ => {}
        });
    }
    for (sensor, (rule, switched)) in drives {
        let device = &program[program[sensor].device].name;
        let allowed = house.device_allows.get(device);
        let allowed = allowed.is_some_and(|allowed| allowed.contains(&"stale-after-missing"));
        let place = house.channel_places.get(&sensor);
        let (false, false, Some(place)) = (allowed, watched.contains(&sensor), place) else {
            continue;
        };
        let (path, switched) = (program.channel_path(sensor), program.channel_path(switched));
        let message =
            format!("`{path}` switches `{switched}` on, and its last value holds for ever");
        let name = &program[rule].name;
        found.push(
            Diagnostic::warning("stale-after-missing", place.clone(), message)
                .label("if it dies, nothing ends what it began")
                .also(metas[rule.index()].name.clone(), format!("rule `{name}` goes by it"))
                .help(format!(
                    "add stale_after = \"5m\" to it, and a rule when = {{ holds = \"!has(state.{path})\", for = \"1m\" }} that switches `{switched}` off"
                )),
        );
    }
}

/// Every part of the conditions of a rule.
fn conditions(rule: &Rule, visit: &mut impl FnMut(&Expr)) {
    for trigger in &rule.triggers {
        if let Trigger::Holds { condition, .. } = trigger {
            condition.expr.walk(visit);
        }
    }
    if let Some(condition) = &rule.condition {
        condition.expr.walk(visit);
    }
}

/// A plain switch that a rule switches on, without an end.
fn switches_on(program: &Program, rule: &Rule) -> Option<ChannelIx> {
    let on = Value::Bool(true);
    rule.actions.iter().find_map(|action| {
        let (channel, switches) = match action {
            Action::Set {
                channel,
                fields,
                bound: None,
                ..
            } => {
                let mut fields = fields.iter();
                let on = crate::program::Operand::Const(on.clone());
                (*channel, fields.any(|(_, operand)| *operand == on))
            }
            Action::Command {
                channel, command, ..
            } => {
                let row = program[*channel].commands.get(usize::from(*command))?;
                let switches = match &row.effect {
                    CommandEffect::Set(fields) => fields.iter().any(|(_, value)| *value == on),
                    CommandEffect::Toggle(_) => true,
                    _ => false,
                };
                (*channel, switches)
            }
            _ => return None,
        };
        (switches && &*program[channel].kind == "switch").then_some(channel)
    })
}
