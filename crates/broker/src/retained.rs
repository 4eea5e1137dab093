//! Retained messages: the last one of each topic that asked to be kept, and what each user has of them.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use foldhash::fast::RandomState;
use types::Instant;

use crate::{Filter, Limits, message::Stored};

/// The retained messages. Lookups go through the map, everything ordered through the set.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: HashMap<Arc<str>, Entry, RandomState>,
    topics: BTreeSet<Arc<str>>,
    bytes: usize,
    /// What of it users sent, by their names.
    shares: HashMap<Arc<str>, Share, RandomState>,
}

/// What one user has retained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    topics: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Stored>,
    /// It is to survive the end of the process.
    survives: bool,
}

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a client's message of so many bytes may be kept: there is room for it, and in its user's share too.
    pub(crate) fn has_room(
        &self,
        topic: &str,
        bytes: usize,
        owner: Option<&str>,
        limits: &Limits,
    ) -> bool {
        let before = self.messages.get(topic).map(|entry| &entry.message);
        let mut all = Share {
            topics: self.messages.len(),
            bytes: self.bytes,
        };
        all.replace(before, bytes);
        let mut of_user = owner
            .and_then(|owner| self.shares.get(owner).copied())
            .unwrap_or_default();
        let own = before.filter(|before| before.owner.as_deref() == owner);
        of_user.replace(own, bytes);
        // What takes the place of another needs no more room, but for its bytes.
        (before.is_some() || all.topics <= limits.retained_max)
            && all.bytes <= limits.retained_bytes_max
            && (own.is_some() || of_user.topics <= limits.retained_per_user_max)
            && of_user.bytes <= limits.retained_bytes_per_user_max
    }

    /// Forgets all that this user retained. Gives the topics of what was to survive.
    pub(crate) fn clear_of(&mut self, owner: &str) -> Vec<Arc<str>> {
        if !self.shares.contains_key(owner) {
            return Vec::new();
        }
        let is_owned = |entry: &Entry| entry.message.owner.as_deref() == Some(owner);
        let owned = |topic: &&Arc<str>| self.messages.get(&***topic).is_some_and(is_owned);
        let mut topics: Vec<_> = self.topics.iter().filter(owned).cloned().collect();
        topics.retain(|topic| self.clear(topic));
        topics
    }

    /// What is kept on this topic.
    pub(crate) fn payload(&self, topic: &str) -> Option<&[u8]> {
        self.messages
            .get(topic)
            .map(|entry| &*entry.message.payload)
    }

    /// The messages that are to survive the end of the process, in no order.
    pub(crate) fn surviving(&self) -> impl Iterator<Item = &Arc<Stored>> {
        let all = self.messages.values().filter(|entry| entry.survives);
        all.map(|entry| &entry.message)
    }

    /// Whether this very message is kept, and is to survive the end of the process.
    pub(crate) fn survives(&self, message: &Arc<Stored>) -> bool {
        let entry = self.messages.get(&message.topic);
        entry.is_some_and(|entry| entry.survives && Arc::ptr_eq(&entry.message, message))
    }

    /// Keeps a message. True where it replaces one that was to survive, and is not to survive itself.
    pub(crate) fn set(&mut self, message: Arc<Stored>, survives: bool) -> bool {
        self.count(&message);
        let topic = Arc::clone(&message.topic);
        let entry = Entry { message, survives };
        if let Some(slot) = self.messages.get_mut(&*topic) {
            let before = std::mem::replace(slot, entry);
            self.uncount(&before.message);
            before.survives && !survives
        } else {
            self.topics.insert(Arc::clone(&topic));
            self.messages.insert(topic, entry);
            false
        }
    }

    /// Forgets the message of this topic. True where it was to survive.
    pub(crate) fn clear(&mut self, topic: &str) -> bool {
        let Some(entry) = self.messages.remove(topic) else {
            return false;
        };
        self.uncount(&entry.message);
        self.topics.remove(topic);
        entry.survives
    }

    fn count(&mut self, message: &Stored) {
        self.bytes += message.bytes();
        if let Some(owner) = &message.owner {
            let share = self.shares.entry(Arc::clone(owner)).or_default();
            share.topics += 1;
            share.bytes += message.bytes();
        }
    }

    fn uncount(&mut self, message: &Stored) {
        self.bytes -= message.bytes();
        if let Some(owner) = &message.owner
            && let Some(share) = self.shares.get_mut(owner)
        {
            share.topics -= 1;
            share.bytes -= message.bytes();
            if share.topics == 0 {
                self.shares.remove(owner);
            }
        }
    }

    /// The topics whose messages have expired, and whether others will later.
    pub(crate) fn expired(&self, now: Instant) -> (Vec<Arc<str>>, bool) {
        let (mut expired, mut others) = (Vec::new(), false);
        for topic in &self.topics {
            match self.messages.get(topic) {
                Some(entry) if entry.message.is_expired(now) => expired.push(Arc::clone(topic)),
                Some(entry) => others |= entry.message.expires.is_some(),
                None => {}
            }
        }
        (expired, others)
    }

    /// The messages that a filter matches, in the order of their topics, and how many topics were
    /// looked at for them.
    pub(crate) fn matching(&self, filter: &Filter, now: Instant) -> (Vec<Arc<Stored>>, usize) {
        let text = filter.as_str();
        if !filter.is_wild() {
            let message = self.messages.get(text).map(|entry| &entry.message);
            let message = message.filter(|message| !message.is_expired(now));
            return (message.cloned().into_iter().collect(), 1);
        }
        let mut looked_at = 0;
        // Every match starts with what stands before the first wildcard ("a/#" also means "a").
        let literal = text.find(['+', '#']).map_or("", |at| &text[..at]);
        let prefix = literal.strip_suffix('/').unwrap_or(literal);
        let messages = self
            .topics
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|topic| topic.starts_with(prefix))
            .inspect(|_| looked_at += 1)
            .filter(|topic| filter.matches(topic))
            .filter_map(|topic| self.messages.get(topic))
            .map(|entry| &entry.message)
            .filter(|message| !message.is_expired(now))
            .cloned()
            .collect();
        (messages, looked_at)
    }
}

impl Share {
    /// As it would be with another message of so many bytes, in the place of the one before.
    fn replace(&mut self, before: Option<&Arc<Stored>>, bytes: usize) {
        self.topics += usize::from(before.is_none());
        self.bytes = self.bytes + bytes - before.map_or(0, |before| before.bytes());
    }
}
