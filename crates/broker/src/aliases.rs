//! Topic aliases that we give to one client: numbers that stand for topics it was told before (MQTT 5 section
//! 3.3.2.3.4). Kept for a connection; called by the core for each message to a client that takes aliases.
//!
//! The first topics keep their aliases as long as the connection lasts. Were they given to others again and again, each
//! would be told with its topic again and again.

use std::{collections::HashMap, sync::Arc};

/// What stands for a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// From 1 on.
    pub(crate) number: u16,
    /// The client was not told yet what it stands for: the topic goes with it.
    pub(crate) is_new: bool,
}

/// The aliases that one client knows.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    /// As many as may be given.
    max: u16,
    /// Looked up, never iterated.
    known: HashMap<Arc<str>, u16>,
}

impl Aliases {
    /// For a client that takes so many.
    pub(crate) fn up_to(max: u16) -> Self {
        Self {
            max,
            known: HashMap::new(),
        }
    }

    /// What may stand for a topic in the next message.
    pub(crate) fn find(&self, topic: &str) -> Option<Alias> {
        if self.max == 0 {
            return None;
        }
        if let Some(number) = self.known.get(topic) {
            return Some(Alias {
                number: *number,
                is_new: false,
            });
        }
        let given = u16::try_from(self.known.len()).unwrap_or(u16::MAX);
        (given < self.max).then(|| Alias {
            number: given + 1,
            is_new: true,
        })
    }

    /// The client is told what the alias that [`find`](Self::find) gave stands for.
    pub(crate) fn tell(&mut self, topic: &str, alias: Alias) {
        if alias.is_new {
            self.known.insert(topic.into(), alias.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_alias_and_others_get_none_beyond_the_maximum() {
        let mut aliases = Aliases::up_to(2);
        let new = |number| {
            Some(Alias {
                number,
                is_new: true,
            })
        };
        assert_eq!(aliases.find("a"), new(1));
        assert_eq!(aliases.find("a"), new(1), "it was not told");
        for (topic, number) in [("a", 1), ("b", 2)] {
            let alias = aliases.find(topic).unwrap();
            assert_eq!(Some(alias), new(number));
            aliases.tell(topic, alias);
        }
        assert_eq!(aliases.find("c"), None);
        let known = Alias {
            number: 1,
            is_new: false,
        };
        assert_eq!(aliases.find("a"), Some(known));
        assert_eq!(Aliases::default().find("a"), None);
    }
}
