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
    messages: HashMap<Arc<str>, Arc<Stored>, RandomState>,
    topics: BTreeSet<Arc<str>>,
    bytes: usize,
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
        self.messages.get(topic).map(|message| message.bytes())
    }

    pub(crate) fn set(&mut self, message: Arc<Stored>) {
        self.bytes += message.bytes();
        if let Some(slot) = self.messages.get_mut(&*message.topic) {
            self.bytes -= slot.bytes();
            *slot = message;
        } else {
            self.topics.insert(Arc::clone(&message.topic));
            self.messages.insert(Arc::clone(&message.topic), message);
        }
    }

    pub(crate) fn clear(&mut self, topic: &str) {
        if let Some(message) = self.messages.remove(topic) {
            self.bytes -= message.bytes();
            self.topics.remove(topic);
        }
    }

    /// Forgets what has expired. True where something else will expire later.
    pub(crate) fn sweep(&mut self, now: Instant) -> bool {
        let expired: Vec<Arc<str>> = self
            .topics
            .iter()
            .filter(|topic| self.messages.get(*topic).is_some_and(|m| m.is_expired(now)))
            .cloned()
            .collect();
        for topic in expired {
            self.clear(&topic);
        }
        self.messages
            .values()
            .any(|message| message.expires.is_some())
    }

    /// The messages that a filter matches, in the order of their topics, and how many topics were
    /// looked at for them.
    pub(crate) fn matching(&self, filter: &Filter, now: Instant) -> (Vec<Arc<Stored>>, usize) {
        let text = filter.as_str();
        if !filter.is_wild() {
            let message = self.messages.get(text);
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
            .filter(|message| !message.is_expired(now))
            .cloned()
            .collect();
        (messages, looked_at)
    }
}
