//! Groups, scenes and own kinds that have another name now. Nothing runs on under these names, so that nothing hangs on who is
//! who: it is for people alone, who ask about a group by the name that it has.

use std::{collections::BTreeMap, sync::Arc};

use types::Value;

use super::{Kin, Renamed, Succession};
use crate::program::{ChannelIx, SlotIx};

/// The group of the other program that is `name` of this one: what is called so there, else what is called so only there, and
/// holds the same channels.
pub(super) fn group(kin: &(impl Kin + ?Sized), name: &str) -> Option<Arc<str>> {
    let (of, there) = kin.sides();
    if let Some((same, _)) = there.names.groups.get_key_value(name) {
        return Some(Arc::clone(same));
    }
    let member = |was: &ChannelIx| kin.channel(*was);
    let groups = pairs(&of.names.groups, &there.names.groups, member);
    let (_, is) = groups.into_iter().find(|(was, _)| *was == name)?;
    Some(is.into())
}

impl Succession<'_> {
    /// Groups, scenes and own kinds that have another name now: those that are gone where one that is new holds the same, and
    /// no other one does.
    #[must_use]
    pub fn renamed_sets(&self) -> Vec<Renamed> {
        let (old, new) = self.programs();
        let member = |was: &ChannelIx| self.channel(*was);
        let groups = pairs(&old.names.groups, &new.names.groups, member);
        let set = |(slot, value): &(SlotIx, Value)| Some((self.slot(*slot)?, value.clone()));
        let scenes = pairs(&old.names.scenes, &new.names.scenes, set);
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        for was in ChannelIx::all(old.channels.len()) {
            if let Some(is) = self.channel(was)
                && old[was].kind != new[is].kind
                && self.is_same_kind(was, is)
            {
                kinds.insert(&old[was].kind, &new[is].kind);
            }
        }
        let named = |word: &'static str, pairs: Vec<(&str, &str)>| {
            let pairs = pairs.into_iter().map(move |(was, is)| Renamed {
                was: format!("{word}.{was}"),
                is: format!("{word}.{is}"),
            });
            pairs.collect::<Vec<_>>()
        };
        let kinds = kinds.into_iter().collect();
        [
            named("group", groups),
            named("scene", scenes),
            named("kind", kinds),
        ]
        .concat()
    }
}

/// Names of `old` that are gone, each with the one of `new` that is new and holds the same.
fn pairs<'p, T: PartialEq>(
    old: &'p BTreeMap<Arc<str>, Vec<T>>,
    new: &'p BTreeMap<Arc<str>, Vec<T>>,
    is: impl Fn(&T) -> Option<T>,
) -> Vec<(&'p str, &'p str)> {
    let follow = |all: &[T]| all.iter().map(&is).collect::<Option<Vec<T>>>();
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    let gone: Vec<_> = gone
        .filter_map(|(name, all)| Some((name, follow(all)?)))
        .collect();
    let came = new.iter().filter(|(name, _)| !old.contains_key(*name));
    let pair = |(is, holds): (&'p Arc<str>, &Vec<T>)| {
        let mut alike = gone.iter().filter(|(_, all)| all == holds);
        let (was, _) = alike.next()?;
        alike.next().is_none().then_some((&***was, &**is))
    };
    let pairs: Vec<(&str, &str)> = came.filter_map(pair).collect();
    let is_alone = |was: &str| pairs.iter().filter(|pair| pair.0 == was).count() == 1;
    let alone = pairs.iter().filter(|(was, _)| is_alone(was));
    alone.copied().collect()
}
