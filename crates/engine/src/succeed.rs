//! A state in the words of the program that takes over: what runs goes on where it is the same thing, also under
//! another name.
//!
//! Called by [`crate::Engine::replace`], before the state is loaded. What has no successor stays as it is, so that
//! loading tells what is dropped; unless another thing has its name now: then it is made to fit nothing.

use mapping::program::{Carrier, Program, Rule, RuleIx, Succession, Trigger};

use crate::{
    plan::chord_key,
    sequence,
    state::{ChannelSaved, OriginSaved, State},
};

/// No rule has so many actions.
const NO_ACTION: u64 = u64::MAX;

/// What stands behind the name of a rule that is gone, where another one has that name.
const GONE: &str = " (gone)";

impl State {
    /// Puts everything under the name that it has in the new program of `succession`, of whose old program this is
    /// the state.
    pub(crate) fn succeed(&mut self, succession: &Succession<'_>) {
        let (old, new) = succession.programs();
        let heir = Heir {
            succession,
            old,
            new,
        };
        self.channels.retain_mut(|saved| heir.channel(saved));
        self.online.retain_mut(|name| heir.device(name));
        self.vars.retain_mut(|saved| heir.var(&mut saved.name));
        self.timers.retain_mut(|saved| {
            heir.origin(&mut saved.by);
            heir.timer(&mut saved.name)
        });
        for saved in &mut self.holds {
            heir.trigger(&mut saved.rule, &mut saved.text, condition_text);
        }
        self.ats.retain_mut(|saved| heir.own_rule(&mut saved.rule));
        for saved in &mut self.chords {
            heir.trigger(&mut saved.rule, &mut saved.chord, chord_key);
        }
        for saved in &mut self.sequences {
            heir.trigger(&mut saved.rule, &mut saved.steps, sequence::key);
        }
        self.rates
            .retain_mut(|saved| heir.own_rule(&mut saved.rule));
        for saved in &mut self.runs {
            let Some((was, is)) = heir.rules(&saved.rule) else {
                if heir.is_anothers(&saved.rule) {
                    saved.next = NO_ACTION;
                }
                continue;
            };
            if saved.fingerprint == was.fingerprint && succession.is_same_rule(was, is) {
                saved.fingerprint = is.fingerprint;
            } else if succession.rule_names_others(was) {
                saved.next = NO_ACTION;
            }
            saved.rule = is.name.to_string();
        }
    }
}

/// Finds successors by old names.
struct Heir<'a> {
    succession: &'a Succession<'a>,
    old: &'a Program,
    new: &'a Program,
}

impl<'a> Heir<'a> {
    /// False: its name is another channel's now.
    fn channel(&self, saved: &mut ChannelSaved) -> bool {
        let was = self.old.channel_by_path(&saved.path);
        let is = was.and_then(|was| self.succession.channel(was));
        match is {
            Some(is) => saved.path = self.new.channel_path(is),
            None if self.new.channel_by_path(&saved.path).is_some() => return false,
            None => {}
        }
        let origins = saved.slots.iter_mut().map(|slot| slot.origin.as_mut());
        let bound = saved.bound.as_mut().map(|bound| &mut bound.who);
        for origin in origins.flatten().chain(bound) {
            if let OriginSaved::Rule(name) = origin {
                self.origin(name);
            }
        }
        true
    }

    /// False: it has another name now, under which it has yet to log in. A virtual one never does, and a foreign one speaks on
    /// topics of its own, where those stay.
    fn device(&self, name: &mut String) -> bool {
        let was = self.old.device(name);
        let heir = was.and_then(|was| Some((was, self.succession.device(was)?)));
        let Some((was, is)) = heir else {
            // Its name may be another device's now.
            return self.new.device(name).is_none();
        };
        let row = &self.new[is];
        let logs_in = row.carrier == Carrier::Own || row.carrier != self.old[was].carrier;
        let stays = *row.name == *name || !logs_in;
        *name = row.name.to_string();
        stays
    }

    /// False: its name is another variable's now.
    fn var(&self, name: &mut String) -> bool {
        let was = self.old.names.vars.get(name.as_str());
        let Some(is) = was.and_then(|was| self.succession.var(*was)) else {
            return !self.new.names.vars.contains_key(name.as_str());
        };
        *name = self.new[is].name.to_string();
        true
    }

    /// False: its name is another timer's now.
    fn timer(&self, name: &mut String) -> bool {
        let was = self.old.names.timers.get(name.as_str());
        let Some(is) = was.and_then(|was| self.succession.timer(*was)) else {
            return !self.new.names.timers.contains_key(name.as_str());
        };
        *name = self.new[is].name.to_string();
        true
    }

    fn rule(&self, name: &mut String) {
        if let Some((_, is)) = self.rules(name) {
            *name = is.name.to_string();
        }
    }

    /// Who did something: a rule that is gone is nobody else, also where another one has its name.
    fn origin(&self, name: &mut String) {
        if self.is_anothers(name) {
            *name = format!("{name}{GONE}");
        }
        self.rule(name);
    }

    /// False: its name is another rule's now.
    fn own_rule(&self, name: &mut String) -> bool {
        let is_own = !self.is_anothers(name);
        self.rule(name);
        is_own
    }

    /// Whether a rule is gone, and another one has its name.
    fn is_anothers(&self, name: &str) -> bool {
        self.rules(name).is_none() && self.new.names.rules.contains_key(name)
    }

    fn rules(&self, name: &str) -> Option<(&'a Rule, &'a Rule)> {
        let was = *self.old.names.rules.get(name)?;
        let is: RuleIx = self.succession.rule(was)?;
        Some((&self.old[was], &self.new[is]))
    }

    /// A trigger of a rule: `key` tells what a state knows it by. No trigger is known by nothing.
    fn trigger(
        &self,
        rule: &mut String,
        known_by: &mut String,
        key: impl Fn(&Program, &Trigger) -> Option<String>,
    ) {
        let Some((was, is)) = self.rules(rule) else {
            if self.is_anothers(rule) {
                known_by.clear();
            }
            return;
        };
        *rule = is.name.to_string();
        let mut triggers = was.triggers.iter();
        let known = |trigger: &&Trigger| key(self.old, trigger).as_ref() == Some(&*known_by);
        let Some(was) = triggers.find(known) else {
            return;
        };
        let mut triggers = is.triggers.iter();
        let successor = triggers.find(|is| match (was, is) {
            // Another `for` is the same condition still.
            (Trigger::Holds { condition: was, .. }, Trigger::Holds { condition: is, .. }) => {
                self.succession.is_same_condition(was, is)
            }
            _ => self.succession.is_same_trigger(was, is),
        });
        match successor.and_then(|is| key(self.new, is)) {
            Some(key) => *known_by = key,
            // What reads the same is about something else now.
            None if self.succession.trigger_names_others(was) => known_by.clear(),
            None => {}
        }
    }
}

fn condition_text(_: &Program, trigger: &Trigger) -> Option<String> {
    match trigger {
        Trigger::Holds { condition, .. } => Some(condition.text.to_string()),
        _ => None,
    }
}
