//! Which sessions want a topic. Filters without wildcards are looked up by hash, the others in a
//! tree of their levels; what came of it is remembered for the topics in use. Called by the core for
//! every message.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use slab::Slab;

use crate::{Filter, application::ClientKey, codec::Qos};

/// Topics whose subscribers are remembered, some 100 bytes each. Where there are more, those that came first
/// stay for as many look-ups, then remembering begins anew: making room for each would cost more than it saves.
const KNOWN_MAX: usize = 32_768;

/// Longer topics are looked up each time.
const KNOWN_BYTES_MAX: usize = 128;

/// Topics with more subscribers are looked up each time: sending costs far more there.
const KNOWN_SUBSCRIBERS_MAX: usize = 16;

/// A session's wish on one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) session: ClientKey,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    /// The session's rights cover all the filter can match: deliveries need no check.
    pub(crate) covered: bool,
    /// Subscription identifier; 0 is none.
    pub(crate) id: u32,
    /// The group that shares the subscription. Given by the router.
    pub(crate) group: Option<GroupKey>,
}

/// A group of sessions that share one filter, while it has members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey(u32);

#[derive(Debug)]
struct Group {
    /// `$share/GROUP/FILTER`
    text: Arc<str>,
    members: usize,
    /// Messages that it was asked to take: whose turn is next.
    turns: usize,
}

/// A subscription in the list of its filter: a session's own, or its share in a group.
type Who = (ClientKey, Option<GroupKey>);

/// All subscriptions. Maps are looked up, never iterated: what comes out has the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Router {
    exact: HashMap<Arc<str>, Vec<Subscriber>, RandomState>,
    wild: Node,
    len: usize,
    groups: Slab<Group>,
    group_keys: HashMap<Arc<str>, GroupKey, RandomState>,
    /// What [`Router::matching`] came to, until a subscription changes: a house has few topics and many
    /// messages on each.
    known: HashMap<Box<str>, Box<[Subscriber]>, RandomState>,
    /// Look-ups that found no room in `known`.
    unremembered: usize,
}

#[derive(Debug, Default)]
struct Node {
    levels: HashMap<Box<str>, Node, RandomState>,
    /// What follows a `+`.
    any: Option<Box<Node>>,
    /// Filters that end here.
    here: Vec<Subscriber>,
    /// Filters that end with `#` after this level.
    below: Vec<Subscriber>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.levels.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.below.is_empty()
    }
}

impl Router {
    /// Subscriptions of all sessions.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a subscription or replaces the session's earlier one on this filter.
    pub(crate) fn subscribe(&mut self, filter: &Filter, mut subscriber: Subscriber) {
        self.known.clear();
        subscriber.group = filter.is_shared().then(|| self.group_for(filter));
        let (group, inner) = (subscriber.group, filter.inner());
        let filter = &inner;
        let list = if filter.is_wild() {
            self.wild.list(filter.as_str())
        } else {
            self.exact.entry(Arc::clone(filter.text())).or_default()
        };
        let same = |s: &&mut Subscriber| s.session == subscriber.session && s.group == group;
        match list.iter_mut().find(same) {
            Some(earlier) => *earlier = subscriber,
            None => {
                list.push(subscriber);
                self.len += 1;
                if let Some(group) = group.and_then(|key| self.groups.get_mut(key.0 as usize)) {
                    group.members += 1;
                }
            }
        }
    }

    /// The group of a shared filter, made where there is none.
    fn group_for(&mut self, filter: &Filter) -> GroupKey {
        if let Some(key) = self.group_keys.get(filter.as_str()) {
            return *key;
        }
        let text = Arc::clone(filter.text());
        let ix = self.groups.insert(Group {
            text: Arc::clone(&text),
            members: 0,
            turns: 0,
        });
        // Subscriptions are bounded, and with them the groups.
        let key = GroupKey(u32::try_from(ix).unwrap_or(u32::MAX));
        self.group_keys.insert(text, key);
        key
    }

    /// Whether any subscription is shared.
    pub(crate) fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The group of this filter, while it has members.
    pub(crate) fn group(&self, text: &str) -> Option<GroupKey> {
        self.group_keys.get(text).copied()
    }

    /// The whole filter of a group.
    pub(crate) fn group_text(&self, key: GroupKey) -> Option<&Arc<str>> {
        self.groups.get(key.0 as usize).map(|group| &group.text)
    }

    /// Whose turn it is in a group, as a number that grows by one with each call.
    pub(crate) fn turn(&mut self, key: GroupKey) -> usize {
        let Some(group) = self.groups.get_mut(key.0 as usize) else {
            return 0;
        };
        group.turns = group.turns.wrapping_add(1);
        group.turns
    }

    /// One member less; the group ends with its last.
    fn leave_group(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(key.0 as usize) else {
            return;
        };
        group.members -= 1;
        if group.members == 0 {
            self.group_keys.remove(&group.text);
            self.groups.remove(key.0 as usize);
        }
    }

    /// Removes a subscription; false where there is none.
    pub(crate) fn unsubscribe(&mut self, filter: &Filter, session: ClientKey) -> bool {
        self.known.clear();
        let group = self.group(filter.as_str());
        if filter.is_shared() && group.is_none() {
            return false;
        }
        let (inner, who) = (filter.inner(), (session, group));
        let filter = &inner;
        let removed = if filter.is_wild() {
            self.wild.remove(filter.as_str().split('/'), who)
        } else if let Some(list) = self.exact.get_mut(filter.as_str()) {
            let removed = remove_from(list, who);
            if list.is_empty() {
                self.exact.remove(filter.as_str());
            }
            removed
        } else {
            false
        };
        self.len -= usize::from(removed);
        if let Some(group) = group.filter(|_| removed) {
            self.leave_group(group);
        }
        removed
    }

    /// Appends who wants `topic`. A session with several fitting filters comes several times, but
    /// always in a row.
    pub(crate) fn matching(&mut self, topic: &str, hits: &mut Vec<Subscriber>) {
        if let Some(known) = self.known.get(topic) {
            return hits.extend_from_slice(known);
        }
        self.look_up(topic, hits);
        if topic.len() <= KNOWN_BYTES_MAX && hits.len() <= KNOWN_SUBSCRIBERS_MAX {
            self.remember(topic, hits);
        }
    }

    fn remember(&mut self, topic: &str, hits: &[Subscriber]) {
        if self.known.len() >= KNOWN_MAX {
            self.unremembered += 1;
            if self.unremembered <= KNOWN_MAX {
                return;
            }
            self.unremembered = 0;
            self.known.clear();
        }
        self.known.insert(topic.into(), hits.into());
    }

    fn look_up(&self, topic: &str, hits: &mut Vec<Subscriber>) {
        if let Some(list) = self.exact.get(topic) {
            hits.extend_from_slice(list);
        }
        if !self.wild.is_empty() {
            let mut names = topic.split('/');
            let first = names.next().unwrap_or_default();
            // Wildcards at the start don't mean the broker's own topics (section 4.7.2).
            self.wild
                .collect(first, &names, first.starts_with('$'), hits);
        }
        if hits.len() > 1 {
            hits.sort_by_key(|hit| hit.session);
        }
    }
}

impl Node {
    /// The list where a filter ends.
    fn list(&mut self, filter: &str) -> &mut Vec<Subscriber> {
        let mut node = self;
        for level in filter.split('/') {
            match level {
                "#" => return &mut node.below,
                "+" => node = node.any.get_or_insert_default(),
                name => node = node.levels.entry(name.into()).or_default(),
            }
        }
        &mut node.here
    }

    fn remove(&mut self, mut levels: std::str::Split<'_, char>, who: Who) -> bool {
        match levels.next() {
            None => remove_from(&mut self.here, who),
            Some("#") => remove_from(&mut self.below, who),
            Some("+") => {
                let Some(next) = &mut self.any else {
                    return false;
                };
                let removed = next.remove(levels, who);
                if next.is_empty() {
                    self.any = None;
                }
                removed
            }
            Some(name) => {
                let Some(next) = self.levels.get_mut(name) else {
                    return false;
                };
                let removed = next.remove(levels, who);
                if next.is_empty() {
                    self.levels.remove(name);
                }
                removed
            }
        }
    }

    /// `name` is the level to match now, `rest` those after it. The depth is bounded by the limit
    /// on topic levels.
    fn collect(
        &self,
        name: &str,
        rest: &std::str::Split<'_, char>,
        own: bool,
        hits: &mut Vec<Subscriber>,
    ) {
        if !own {
            hits.extend_from_slice(&self.below);
        }
        let mut nodes = [self.levels.get(name), self.any.as_deref().filter(|_| !own)]
            .into_iter()
            .flatten()
            .peekable();
        if nodes.peek().is_none() {
            return;
        }
        for node in nodes {
            let mut rest = rest.clone();
            match rest.next() {
                Some(next) => node.collect(next, &rest, false, hits),
                None => {
                    hits.extend_from_slice(&node.here);
                    hits.extend_from_slice(&node.below);
                }
            }
        }
    }
}

fn remove_from(list: &mut Vec<Subscriber>, who: Who) -> bool {
    match list.iter().position(|s| (s.session, s.group) == who) {
        Some(ix) => {
            list.remove(ix);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subscriber(session: u32) -> Subscriber {
        Subscriber {
            session: ClientKey(session),
            qos: Qos::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            covered: false,
            id: 0,
            group: None,
        }
    }

    fn filters() -> impl Strategy<Value = Vec<String>> {
        let level = prop_oneof![Just("a"), Just("b"), Just("+"), Just(""), Just("$x")];
        let filter = (proptest::collection::vec(level, 1..4), any::<bool>())
            .prop_map(|(levels, hash)| levels.join("/") + if hash { "/#" } else { "" })
            .prop_filter("not empty", |text| !text.is_empty());
        proptest::collection::vec(prop_oneof![9 => filter, 1 => Just("#".to_owned())], 1..20)
    }

    proptest! {
        #[test]
        fn the_tree_agrees_with_matching_each_filter(
            filters in filters(),
            removed in any::<u32>(),
            topic in "(a|b|\\$x|)(/(a|b|)){0,3}".prop_filter("a name", |t| !t.is_empty()),
        ) {
            let mut router = Router::default();
            let filters: Vec<Filter> = filters.iter().map(|f| Filter::new(f).unwrap()).collect();
            for (ix, filter) in filters.iter().enumerate() {
                router.subscribe(filter, subscriber(ix as u32));
            }
            for (ix, filter) in filters.iter().enumerate() {
                if removed >> ix & 1 == 1 {
                    prop_assert!(router.unsubscribe(filter, ClientKey(ix as u32)));
                }
            }
            let mut hits = Vec::new();
            router.matching(&topic, &mut hits);
            let mut again = Vec::new();
            router.matching(&topic, &mut again);
            prop_assert_eq!(&again, &hits, "what is remembered");
            let hits: Vec<u32> = hits.iter().map(|hit| hit.session.0).collect();
            let expected: Vec<u32> = (0..filters.len())
                .filter(|ix| removed >> ix & 1 == 0 && filters[*ix].matches(&topic))
                .map(|ix| ix as u32)
                .collect();
            prop_assert_eq!(hits, expected);
            for (ix, filter) in filters.iter().enumerate() {
                router.unsubscribe(filter, ClientKey(ix as u32));
            }
            again.clear();
            router.matching(&topic, &mut again);
            prop_assert!(again.is_empty(), "nothing is remembered of who went");
            prop_assert!(router.wild.is_empty() && router.exact.is_empty());
            prop_assert_eq!(router.len(), 0);
        }
    }
    #[test]
    fn what_is_remembered_is_bounded() {
        let mut router = Router::default();
        let filter = Filter::new("#").unwrap();
        router.subscribe(&filter, subscriber(1));
        for topic in 0..3 * KNOWN_MAX {
            let mut hits = Vec::new();
            router.matching(&topic.to_string(), &mut hits);
            assert_eq!(hits.len(), 1);
        }
        assert!(!router.known.contains_key("0"), "what came first has gone");
        let mut hits = Vec::new();
        router.matching(&"x".repeat(KNOWN_BYTES_MAX + 1), &mut hits);
        assert_eq!(hits.len(), 1);
        assert!(router.known.len() <= KNOWN_MAX);
        assert!(
            router
                .known
                .keys()
                .all(|topic| topic.len() <= KNOWN_BYTES_MAX)
        );
    }
}
