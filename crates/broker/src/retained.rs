//! Retained messages: the last one of each topic that asked to be kept.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use foldhash::fast::RandomState;
use types::Instant;

use crate::{Filter, message::Stored};

/// The retained messages. Lookups go through the map, everything ordered through the set.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: HashMap<Arc<str>, Entry, RandomState>,
    topics: BTreeSet<Arc<str>>,
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

    /// The bytes that the message of this topic holds; `None` where there is none.
    pub(crate) fn held(&self, topic: &str) -> Option<usize> {
        self.messages.get(topic).map(|entry| entry.message.bytes())
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

    /// Keeps a message. True where it replaces one that was to survive, and is not to survive itself.
    pub(crate) fn set(&mut self, message: Arc<Stored>, survives: bool) -> bool {
        self.bytes += message.bytes();
        let topic = Arc::clone(&message.topic);
        let entry = Entry { message, survives };
        if let Some(slot) = self.messages.get_mut(&*topic) {
            self.bytes -= slot.message.bytes();
            let before = std::mem::replace(slot, entry);
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
        self.bytes -= entry.message.bytes();
        self.topics.remove(topic);
        entry.survives
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
