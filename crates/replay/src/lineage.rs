//! What things were called before, and are called after, another mapping came into force.
//!
//! Asks [`Succession`] who is who, so that an answer about the past goes on across a rename. Must not replay.

use std::sync::Arc;

use mapping::{
    Program,
    program::{EventIx, RuleIx, SlotIx, Succession},
};

use crate::target::Target;

/// What the thing is called in the program that takes over that the old one called `path`; `None`: it is gone.
pub(crate) fn path_after(succession: &Succession<'_>, path: &str) -> Option<String> {
    let (old, new) = succession.programs();
    let target = after(succession, &Target::find(old, path)?)?;
    Some(target.path(new))
}

/// As [`path_after`], of a timer by its bare name.
pub(crate) fn timer_after(succession: &Succession<'_>, name: &str) -> Option<String> {
    let (old, new) = succession.programs();
    let timer = succession.timer(*old.names.timers.get(name)?)?;
    Some(new[timer].name.to_string())
}

/// The name that the rule `name` of the newest of `programs` had in the oldest one that had it. `programs` came
/// into force one after the other, oldest first.
pub(crate) fn oldest_rule_name(programs: &[Arc<Program>], name: &str) -> String {
    let mut name = name.to_owned();
    for pair in programs.windows(2).rev() {
        let (old, new) = (&pair[0], &pair[1]);
        let Some(rule) = new.names.rules.get(name.as_str()) else {
            continue;
        };
        let succession = Succession::new(old, new);
        let mut rules = RuleIx::all(old.rules.len());
        match rules.find(|before| succession.rule(*before) == Some(*rule)) {
            Some(before) => name = old[before].name.to_string(),
            // It was new then; what had its name before was another rule.
            None => break,
        }
    }
    name
}

/// What `target` of the old program is in the new one.
fn after(succession: &Succession<'_>, target: &Target) -> Option<Target> {
    match target {
        Target::Device(device) => succession.device(*device).map(Target::Device),
        Target::Channel(channel) => succession.channel(*channel).map(Target::Channel),
        Target::Slot(slot) => slot_after(succession, *slot).map(Target::Slot),
        Target::Event(event) => event_after(succession, *event).map(Target::Event),
        Target::Rule(rule) => succession.rule(*rule).map(Target::Rule),
        Target::Var(var) => succession.var(*var).map(Target::Var),
        Target::Timer(timer) => succession.timer(*timer).map(Target::Timer),
        Target::Notify(_) | Target::Group(_) => Some(target.clone()),
    }
}

fn slot_after(succession: &Succession<'_>, slot: SlotIx) -> Option<SlotIx> {
    let (old, new) = succession.programs();
    let channel = succession.channel(old[slot].channel)?;
    new.slot(channel, &old[slot].name)
}

fn event_after(succession: &Succession<'_>, event: EventIx) -> Option<EventIx> {
    let (old, new) = succession.programs();
    let row = &old[event];
    if let Some(channel) = row.channel {
        return new.event(succession.channel(channel)?, &row.name);
    }
    let device = &new[succession.device(row.device)?];
    let is_online = old[row.device].online == event;
    Some(if is_online {
        device.online
    } else {
        device.offline
    })
}
