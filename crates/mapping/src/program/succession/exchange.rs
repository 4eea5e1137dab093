//! Names that were exchanged: what bears its name still, and is another thing by every rule that speaks of it.
//!
//! Rules alone don't show it: whoever makes two rules use each other's variable edits them just so. It is shown where the
//! declarations changed places as well. Timers have none: there every rule that spoke of one must say so, and then nobody can
//! tell the two readings apart but by what runs.

use std::{cell::RefCell, collections::BTreeSet};

use types::DeviceId;

use super::{
    Pairs, Place, Succession, Thing, before,
    rename::one_to_one,
    symbols::{Numbers, Shapes, Successors},
};
use crate::program::{
    ChannelIx, Program, Rule,
    form::{Form, Indices, Symbols},
};

/// How often what does not close to an exchange is taken out, before all is left as it is named.
const ROUNDS_MAX: usize = 16;

/// What rules that keep their names say of what they speak of.
#[derive(Default)]
struct Evidence {
    /// What stood in a place, and what stands there now.
    pairs: BTreeSet<(Thing, Thing)>,
    /// What such a rule spoke of, or speaks of, that says something else now.
    doubtful_before: BTreeSet<Thing>,
    doubtful_after: BTreeSet<Thing>,
    /// What a rule spoke of that does not keep its name.
    unsaid: BTreeSet<Thing>,
}

impl Succession<'_> {
    /// Gives what exchanged names its new ones; out come these exchanges, each for itself.
    pub(super) fn pair_exchanged(&mut self) -> Vec<Pairs> {
        let mut exchanges = Vec::new();
        if !self.is_a_name_contradicted() {
            return exchanges;
        }
        let mut shown = self.evidence().clear();
        let stated: BTreeSet<Thing> = self.stated.values().copied().collect();
        shown.retain(|was, is| !self.stated.contains_key(was) && !stated.contains(is));
        // Devices stand first: channels ask for theirs.
        for is_channel in [false, true] {
            let of_sort = shown
                .iter()
                .filter(|(was, _)| matches!(was, Thing::Channel(_)) == is_channel);
            let of_sort = of_sort.map(|(was, is)| (*was, *is)).collect();
            for exchange in self.closed(of_sort) {
                if self.is_exchange(&exchange) {
                    self.exchange(&exchange);
                    exchanges.push(exchange);
                }
            }
        }
        exchanges
    }

    /// Gives each thing of `exchange` the name that another one had.
    pub(super) fn exchange(&mut self, exchange: &Pairs) {
        for (was, is) in exchange {
            self.pair(*was, *is);
        }
        let old = self.old;
        let devices = exchange.keys().filter_map(|was| match was {
            Thing::Device(device) => Some(&old[*device]),
            _ => None,
        });
        let channels: Vec<ChannelIx> = devices.flat_map(|row| row.channels.clone()).collect();
        for channel in &channels {
            self.channels[channel.index()] = None;
        }
        if !channels.is_empty() {
            self.pair_channels_by_name();
        }
    }

    /// Whether a rule that was edited names another thing now, where it could name the same.
    fn is_a_name_contradicted(&self) -> bool {
        let mut evidence = Evidence::default();
        let numbers = RefCell::default();
        for (was, is) in self.namesakes() {
            if is.is_some_and(|is| is.fingerprint != was.fingerprint) {
                self.hear((was, is), &numbers, &mut evidence);
            }
        }
        let mut pairs = evidence.pairs.iter();
        pairs.any(|(was, is)| self.successor(*was).is_some_and(|named| named != *is))
    }

    fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::default();
        let numbers = RefCell::default();
        for (was, is) in self.namesakes() {
            self.hear((was, is), &numbers, &mut evidence);
        }
        evidence
    }

    /// The rules of the old program, each with the one that has its name.
    pub(super) fn namesakes(&self) -> impl Iterator<Item = (&Rule, Option<&Rule>)> {
        let rules = self.old.rules.iter().zip(&self.kept);
        rules.map(|(was, is)| (was, is.map(|is| &self.new[is])))
    }

    /// Adds what a rule says, and what the one says that has its name.
    fn hear(
        &self,
        (was, is): (&Rule, Option<&Rule>),
        numbers: &RefCell<Numbers>,
        evidence: &mut Evidence,
    ) {
        let of = Successors {
            succession: self,
            seen: None,
        };
        let (before, stood_there) = shape(self.old, was, of, numbers);
        let Some(is) = is else {
            evidence.unsaid.extend(stood_there);
            return;
        };
        let (after, stands_there) = shape(self.new, is, Indices, numbers);
        if before == after {
            let pairs = stood_there.into_iter().zip(stands_there);
            evidence.pairs.extend(pairs);
        } else {
            evidence.doubtful_before.extend(stood_there);
            evidence.doubtful_after.extend(stands_there);
        }
    }

    /// What of `moved` hands on names in rings, or in rows that begin with a name that is gone and end with one that is new:
    /// each ring and row. What is left out goes on under its name.
    fn closed(&self, mut moved: Pairs) -> Vec<Pairs> {
        let holders = self.holders();
        for _ in 0..ROUNDS_MAX {
            let taken: BTreeSet<Thing> = moved.values().copied().collect();
            let closes = |was: &Thing, is: &Thing| {
                let is_left = holders
                    .get(is)
                    .is_none_or(|holder| moved.contains_key(holder));
                // Where nobody takes the name that it had, it may well be that still.
                let leaves = self
                    .successor(*was)
                    .is_none_or(|name| taken.contains(&name));
                is_left && leaves
            };
            let (open, kept): (Pairs, Pairs) = moved.iter().partition(|(was, is)| !closes(was, is));
            if open.is_empty() {
                return chains(kept, &holders, |was| self.successor(was).is_none());
            }
            moved = kept;
        }
        Vec::new()
    }

    /// By what bears the name now: what bore it.
    fn holders(&self) -> Pairs {
        let new = self.new;
        let devices = holders(&self.devices, new.devices.len(), Thing::Device);
        let channels = holders(&self.channels, new.channels.len(), Thing::Channel);
        let vars = holders(&self.vars, new.vars.len(), Thing::Var);
        let timers = holders(&self.timers, new.timers.len(), Thing::Timer);
        devices.chain(channels).chain(vars).chain(timers).collect()
    }

    /// Whether the declarations of these changed their names, too: each is declared as what stands in its places now, and either
    /// none as what has its name, or the names changed while the order stayed.
    fn is_exchange(&self, moved: &Pairs) -> bool {
        let is_alike = moved
            .iter()
            .all(|(was, is)| self.is_declared_alike(*was, *is));
        let is_named_otherwise = || {
            let mut named = moved
                .keys()
                .filter_map(|was| Some((*was, self.successor(*was)?)));
            named.all(|(was, is)| !self.is_declared_alike(was, is))
        };
        let keeps_its_order = || {
            let is_timer = |was: &Thing| matches!(was, Thing::Timer(_));
            moved.keys().all(is_timer) || moved.values().is_sorted()
        };
        is_alike && (is_named_otherwise() || keeps_its_order())
    }

    /// Whether two things are declared alike, with all that tells them from others of their kind.
    fn is_declared_alike(&self, was: Thing, is: Thing) -> bool {
        let (old, new) = (self.old, self.new);
        match (was, is) {
            (Thing::Device(was), Thing::Device(is)) => {
                let (was, is) = (&old[was], &new[is]);
                was.id == DeviceId(0) && is.id == DeviceId(0) && {
                    (&was.carrier, &was.role) == (&is.carrier, &is.role)
                }
            }
            (Thing::Channel(was), Thing::Channel(is)) => {
                self.device(old[was].device) == Some(new[is].device)
                    && self.is_same_kind(was, is)
                    && declared(old, was) == declared(new, is)
            }
            _ => self.is_alike(was, is, &Pairs::new()),
        }
    }
}

impl Evidence {
    /// What stands for one thing in every place, and that one for nothing else.
    fn clear(self) -> Pairs {
        let is_clear = |(was, is): &(Thing, Thing)| {
            let is_unsaid = matches!(was, Thing::Timer(_)) && self.unsaid.contains(was);
            let is_doubtful =
                self.doubtful_before.contains(was) || self.doubtful_after.contains(is);
            !is_doubtful && !is_unsaid
        };
        one_to_one(&self.pairs).filter(is_clear).collect()
    }
}

/// The rings and rows of `moved`; not what is gone and goes on under a name that is new: that is no exchange.
fn chains(mut moved: Pairs, holders: &Pairs, is_nameless: impl Fn(Thing) -> bool) -> Vec<Pairs> {
    let (first, others): (Vec<Thing>, Vec<Thing>) =
        moved.keys().copied().partition(|was| is_nameless(*was));
    let mut chains = Vec::new();
    for start in first.into_iter().chain(others) {
        let (mut chain, mut next) = (Pairs::new(), Some(start));
        while let Some((was, is)) = next.and_then(|was| moved.remove_entry(&was)) {
            chain.insert(was, is);
            next = holders.get(&is).copied();
        }
        if chain.len() > 1 {
            chains.push(chain);
        }
    }
    chains
}

fn holders<Ix: Place>(
    successors: &[Option<Ix>],
    new: usize,
    thing: impl Fn(Ix) -> Thing,
) -> impl Iterator<Item = (Thing, Thing)> {
    let before = (0..).zip(before(successors, new));
    before.filter_map(move |(is, was)| Some((thing(Ix::at(is)), thing(was?))))
}

/// All that a channel is declared with but its name and its kind: its part of the role, where pins stand, and what only we know.
fn declared(program: &Program, channel: ChannelIx) -> impl PartialEq + use<> {
    let row = &program[channel];
    let role: serde_json::Value =
        serde_json::from_str(&program[row.device].role).unwrap_or_default();
    let mut wiring = role["io"][&*row.name].clone();
    if let Some(wiring) = wiring.as_object_mut() {
        wiring.remove("kind");
    }
    let treated = (row.stale_after, row.deliver, row.enforce);
    (wiring, treated, row.codec.clone())
}

/// The form of a rule whatever its things are called, and these, in its order.
fn shape(
    program: &Program,
    rule: &Rule,
    of: impl Symbols,
    numbers: &RefCell<Numbers>,
) -> (Vec<u64>, Vec<Thing>) {
    let symbols = Shapes {
        program,
        of,
        numbers,
        seen: RefCell::default(),
    };
    let mut form = Form::new(&symbols);
    form.rule(rule);
    let form = form.finish();
    (form, symbols.seen.into_inner())
}
