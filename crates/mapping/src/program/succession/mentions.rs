//! Timers and variables that have another name while rules that speak of them were edited in the same save.
//!
//! Asked last, of what no place in an unchanged rule tells: what is gone and what is new are one thing where the same rules speak
//! of both in the same ways, and of nothing else that is gone or new. Must not choose: where two fit, neither is it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use types::Type;

use super::{
    Pairs, Succession, Thing,
    rename::{came, gone},
};
use crate::program::{
    Action, ChannelIx, DeviceIx, EventIx, Program, Rule, RuleIx, SlotIx, TimerIx, VarIx,
    form::{Form, Indices, Symbols},
};

/// In which way a rule speaks of a timer or variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Trigger,
    Read,
    Written,
    Start,
    Stop,
}

/// Which rules, by their places in the old program, speak of something, and in which ways.
type Profile = BTreeSet<(RuleIx, Way)>;

/// What of the old program and of the new one has a profile.
type Candidates = BTreeMap<Profile, (Vec<Thing>, Vec<Thing>)>;

/// Where in a rule each thing stands first.
type Places = BTreeMap<Thing, usize>;

/// What all rules say that keep their names and speak of what is gone or new.
#[derive(Default)]
struct Mentions {
    before: BTreeMap<Thing, Profile>,
    after: BTreeMap<Thing, Profile>,
    /// By rule of the old program: what stood where, what of it goes on, and what stands where.
    places: BTreeMap<RuleIx, (Places, Places)>,
}

impl Succession<'_> {
    /// Pairs timers and variables that are gone with such as are new, where the same rules use both in the same ways.
    pub(super) fn pair_mentioned_alike(&mut self) {
        let (gone, came) = self.gone_and_came();
        if gone.is_empty() || came.is_empty() {
            return;
        }
        let mentions = self.mentions(&gone, &came);
        let mut found = Pairs::new();
        for (profile, (before, after)) in mentions.candidates() {
            for (was, is) in self.only_of_their_sort(&before, &after) {
                let is_alike = self.is_alike(was, is, &Pairs::new());
                if is_alike && !self.is_order_turned(&mentions, &profile, (was, is)) {
                    found.insert(was, is);
                }
            }
        }
        for (was, is) in found {
            self.pair(was, is);
        }
    }

    /// Timers and variables of the old program without a successor, and those of the new one that are nobody's.
    pub(super) fn gone_and_came(&self) -> (BTreeSet<Thing>, BTreeSet<Thing>) {
        let timers = gone(&self.timers).map(Thing::Timer);
        let before = timers.chain(gone(&self.vars).map(Thing::Var));
        let timers = came(&self.timers, self.new.timers.len()).map(Thing::Timer);
        let after = timers.chain(came(&self.vars, self.new.vars.len()).map(Thing::Var));
        (before.collect(), after.collect())
    }

    fn mentions(&self, gone: &BTreeSet<Thing>, came: &BTreeSet<Thing>) -> Mentions {
        let (old, new) = (self.old, self.new);
        let mut mentions = Mentions::default();
        let rules = RuleIx::all(old.rules.len()).zip(self.pair_rules());
        for ((was, is), kept) in rules.zip(&self.kept) {
            // One that goes on under another name says nothing of what else has another one.
            let Some(is) = is.filter(|is| *kept == Some(*is)) else {
                continue;
            };
            // As it was, it speaks of nothing that is gone or new.
            if old[was].fingerprint == new[is].fingerprint {
                continue;
            }
            let (before, after) = (spoken_of(&old[was]), spoken_of(&new[is]));
            let is_asked = note(was, &before, gone, &mut mentions.before)
                | note(was, &after, came, &mut mentions.after);
            if is_asked {
                let both = (places(&before), places(&after));
                mentions.places.insert(was, both);
            }
        }
        mentions
    }

    /// Pairs of which each is the only one of its sort: timers, or variables that hold the like.
    fn only_of_their_sort(&self, before: &[Thing], after: &[Thing]) -> Vec<(Thing, Thing)> {
        let before = only_ones(before, |thing| sort(self.old, *thing));
        let after = only_ones(after, |thing| sort(self.new, *thing));
        let pair = |(sort, was): (Sort, Thing)| Some((was, *after.get(&sort)?));
        before.into_iter().filter_map(pair).collect()
    }

    /// Whether `was` stood before something that stands before `is` now, or the other way round: then names moved on from place to
    /// place, or somebody thought of another thing.
    fn is_order_turned(
        &self,
        mentions: &Mentions,
        profile: &Profile,
        (was, is): (Thing, Thing),
    ) -> bool {
        let rules: BTreeSet<RuleIx> = profile.iter().map(|(rule, _)| *rule).collect();
        rules.iter().any(|rule| {
            let Some((before, after)) = mentions.places.get(rule) else {
                return false;
            };
            let (stood, stands) = (before[&was], after[&is]);
            let mut of_sort = before
                .iter()
                .filter(|(other, _)| sort(self.old, **other) == sort(self.old, was));
            of_sort.any(|(other, at)| {
                let now = self.successor(*other).and_then(|other| after.get(&other));
                now.is_some_and(|now| (stood < *at) != (stands < *now))
            })
        })
    }
}

impl Mentions {
    fn candidates(&self) -> Candidates {
        let mut candidates = Candidates::new();
        for (thing, profile) in &self.before {
            let (before, _) = candidates.entry(profile.clone()).or_default();
            before.push(*thing);
        }
        for (thing, profile) in &self.after {
            if let Some((_, after)) = candidates.get_mut(profile) {
                after.push(*thing);
            }
        }
        candidates
    }
}

/// What can be one thing under two names at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Timer,
    Bool,
    Int,
    Number,
    Text,
    Other,
}

/// The sort of a timer or variable of `program`.
pub(super) fn sort(program: &Program, thing: Thing) -> Sort {
    match thing {
        Thing::Timer(_) => Sort::Timer,
        Thing::Var(var) => match program[var].ty {
            Type::Bool => Sort::Bool,
            Type::Int { .. } => Sort::Int,
            Type::Number { .. } => Sort::Number,
            Type::Text | Type::Enum(_) => Sort::Text,
        },
        Thing::Device(_) | Thing::Channel(_) => Sort::Other,
    }
}

/// Of each sort the thing that is alone in it.
pub(super) fn only_ones<'t>(
    things: impl IntoIterator<Item = &'t Thing>,
    sort: impl Fn(&Thing) -> Sort,
) -> BTreeMap<Sort, Thing> {
    let mut of_sort: BTreeMap<Sort, Option<Thing>> = BTreeMap::new();
    for thing in things {
        let more = of_sort.get(&sort(thing)).map(|_| None);
        of_sort.insert(sort(thing), more.unwrap_or(Some(*thing)));
    }
    let alone = of_sort.into_iter();
    alone
        .filter_map(|(sort, thing)| Some((sort, thing?)))
        .collect()
}

/// Adds what a rule says of those that are asked about; whether it speaks of any.
fn note(
    rule: RuleIx,
    spoken_of: &[(Way, Thing)],
    asked: &BTreeSet<Thing>,
    profiles: &mut BTreeMap<Thing, Profile>,
) -> bool {
    let mut is_asked = false;
    for (way, thing) in spoken_of {
        if asked.contains(thing) {
            profiles.entry(*thing).or_default().insert((rule, *way));
            is_asked = true;
        }
    }
    is_asked
}

fn places(spoken_of: &[(Way, Thing)]) -> Places {
    let mut places = Places::new();
    for (place, (_, thing)) in spoken_of.iter().enumerate() {
        places.entry(*thing).or_insert(place);
    }
    places
}

/// The timers and variables of a rule in its order.
fn spoken_of(rule: &Rule) -> Vec<(Way, Thing)> {
    let listener = Listener::default();
    let mut form = Form::new(&listener);
    let mut all = Vec::new();
    let mut hear = |ways: &[Way]| {
        // The last way is that of all that follow.
        let ways = ways.iter().chain(ways.last().into_iter().cycle());
        all.extend(ways.copied().zip(listener.seen.take()));
    };
    for trigger in &rule.triggers {
        form.trigger(trigger);
        hear(&[Way::Trigger]);
    }
    if let Some(condition) = &rule.condition {
        form.condition(condition);
        hear(&[Way::Read]);
    }
    for action in &rule.actions {
        form.action(action);
        hear(match action {
            Action::Start { .. } => &[Way::Start],
            Action::Stop(_) => &[Way::Stop],
            // Its target stands before what it is set to.
            Action::Var { .. } => &[Way::Written, Way::Read],
            _ => &[Way::Read],
        });
    }
    all
}

/// Hears which timers and variables are spoken of.
#[derive(Default)]
struct Listener {
    seen: RefCell<Vec<Thing>>,
}

impl Symbols for Listener {
    fn device(&self, device: DeviceIx) -> u64 {
        Indices.device(device)
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        Indices.channel(channel)
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        Indices.slot(slot)
    }

    fn event(&self, event: EventIx) -> u64 {
        Indices.event(event)
    }

    fn var(&self, var: VarIx) -> u64 {
        self.seen.borrow_mut().push(Thing::Var(var));
        Indices.var(var)
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        self.seen.borrow_mut().push(Thing::Timer(timer));
        Indices.timer(timer)
    }

    fn field(&self, event: EventIx, place: u8) -> u64 {
        Indices.field(event, place)
    }

    fn command(&self, channel: ChannelIx, place: u8) -> u64 {
        Indices.command(channel, place)
    }
}
