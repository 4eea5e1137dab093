//! What devices say that are blocked as producers. It changes nothing, however much of it comes, so it takes
//! no room either: the first of each event, and of a channel's reports, in each second becomes an input, which is
//! journalled and tells explanations that it came and was not heard. The rest is counted.

use std::{collections::BTreeMap, time::Duration};

use mapping::program::{ChannelIx, EventIx};
use types::{Instant, Now};

use super::Dispatcher;
use crate::input::Input;

/// One input of a kind in this time.
const INPUT_EVERY: Duration = Duration::from_secs(1);

/// What explanations tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Event(EventIx),
    Report(ChannelIx),
}

/// When each of them became an input last. It decides what becomes one, so a replay needs nothing of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Unheard(BTreeMap<Said, Instant>);

impl Unheard {
    /// Places in tables, or blocks, are others from now on.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    fn lets_through(&mut self, now: Now, said: Said) -> bool {
        let newest = self.0.get(&said);
        if newest.is_some_and(|newest| now.at.since(*newest) < INPUT_EVERY) {
            return false;
        }
        self.0.insert(said, now.at);
        true
    }
}

impl Dispatcher {
    /// The input without what blocked devices said just now.
    pub(super) fn without_blocked(&mut self, now: Now, input: Input) -> Option<Input> {
        let (device, said) = match input {
            Input::Event { event, .. } => (self.program[event].device, Said::Event(event)),
            Input::Report { channel, .. } => (self.program[channel].device, Said::Report(channel)),
            Input::Several(inputs) => return self.several_without_blocked(now, inputs),
            _ => return Some(input),
        };
        if !self.blocked(device).producer || self.unheard.lets_through(now, said) {
            return Some(input);
        }
        self.counters.count(Some(device), "blocked-in");
        None
    }

    fn several_without_blocked(&mut self, now: Now, inputs: Vec<Input>) -> Option<Input> {
        let inputs = inputs.into_iter();
        let mut heard: Vec<Input> = inputs
            .filter_map(|input| self.without_blocked(now, input))
            .collect();
        match heard.len() {
            0 | 1 => heard.pop(),
            _ => Some(Input::Several(heard)),
        }
    }
}
