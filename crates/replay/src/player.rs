//! One record after the other through the dispatcher. A restart and every look into the past run this.

use std::sync::Arc;

use dispatcher::{Dispatcher, Effects, Input, Mark, Observed};
use mapping::Program;
use store::{Class, MappingHash, Record};
use types::Now;

use crate::comparison::{Comparison, Differing};

/// A house that lives through its journal again.
#[derive(Debug)]
pub struct Player {
    dispatcher: Dispatcher,
    /// The dispatcher was started again then, and has not announced itself yet.
    started: Option<Now>,
    /// The rule that always looks, by name.
    watched: Option<Arc<str>>,
    comparison: Comparison,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fed {
    /// This input was applied.
    Applied,
    /// Another mapping is in force.
    Reloaded,
    /// This was seen there; it changes nothing.
    Observed(Observed),
    /// It was taken under another mapping or binary and can't be read: why.
    Unreadable(dispatcher::DecodeError),
    /// Nothing of the house.
    Passed,
}

impl Player {
    /// Goes on from a house as it was.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self {
            dispatcher,
            started: None,
            watched: None,
            comparison: Comparison::default(),
        }
    }

    /// The house as it is after the last record.
    #[must_use]
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Goes on with this house instead.
    pub fn go_on_with(&mut self, dispatcher: Dispatcher) {
        self.dispatcher = dispatcher;
        self.started = None;
        self.comparison.go_on();
        self.watch_again();
    }

    /// Ends the replay.
    #[must_use]
    pub fn into_dispatcher(self) -> Dispatcher {
        self.dispatcher
    }

    /// Where the replay came to something else than what was done then.
    #[must_use]
    pub fn differing(&self) -> Option<&Differing> {
        self.comparison.differing()
    }

    /// Inputs are missing before the next record: what follows can't be compared.
    pub fn miss(&mut self) {
        self.comparison.give_up();
    }

    /// From now on this rule always looks, across reloads; see [`Dispatcher::watch`].
    pub fn watch(&mut self, rule: Option<Arc<str>>) {
        self.watched = rule;
        self.watch_again();
    }

    /// Applies one record, at its own time and under the mapping in force then. `program_of` finds the
    /// mapping of a reload. Adds to `effects`, which nobody carries out: they are what was done then.
    pub fn feed(
        &mut self,
        record: &Record,
        program_of: impl FnOnce(MappingHash, &Arc<Program>) -> Arc<Program>,
        effects: &mut Effects,
    ) -> Fed {
        match record.class {
            Class::Input => self.input(record, program_of, effects),
            Class::Observed => self.observed(record, effects),
            // The broker's, not the house's.
            Class::Facts => Fed::Passed,
            Class::OutputsHash => {
                self.comparison.compare(record);
                Fed::Passed
            }
        }
    }

    fn input(
        &mut self,
        record: &Record,
        program_of: impl FnOnce(MappingHash, &Arc<Program>) -> Arc<Program>,
        effects: &mut Effects,
    ) -> Fed {
        let input = match Input::decode(self.dispatcher.program(), &record.body) {
            Ok(input) => input,
            Err(why) => return Fed::Unreadable(why),
        };
        if !is_of_a_start(&input) {
            self.announce();
        }
        if input == Input::Resumed {
            self.comparison.start_again();
        }
        let before = Mark::of(effects);
        match input {
            Input::Reload { hash } => {
                let program = program_of(MappingHash(hash), self.dispatcher.program());
                self.dispatcher.replace(record.now, program, effects);
                self.comparison.take(record.no, effects, before);
                self.watch_again();
                Fed::Reloaded
            }
            input => {
                if matches!(input, Input::Began | Input::Resumed) {
                    self.started = Some(record.now);
                }
                self.dispatcher.apply(record.now, input, effects);
                self.comparison.take(record.no, effects, before);
                Fed::Applied
            }
        }
    }

    fn observed(&mut self, record: &Record, effects: &mut Effects) -> Fed {
        match Observed::decode(self.dispatcher.program(), &record.body) {
            Ok(observed) => {
                self.announce();
                self.dispatcher.observe(record.now, &observed, effects);
                Fed::Observed(observed)
            }
            Err(why) => Fed::Unreadable(why),
        }
    }

    /// After a start and before anything else came, the dispatcher told everybody their targets.
    fn announce(&mut self) {
        if let Some(started) = self.started.take() {
            self.dispatcher.announce(started, &mut Effects::default());
        }
    }

    fn watch_again(&mut self) {
        let program = Arc::clone(self.dispatcher.program());
        let rule = self.watched.as_ref();
        let rule = rule.and_then(|name| program.names.rules.get(name).copied());
        self.dispatcher.watch(rule);
    }
}

/// What is applied between a start and its announcement: the settings, the mapping and the blocks of today.
fn is_of_a_start(input: &Input) -> bool {
    matches!(
        input,
        Input::Began
            | Input::Resumed
            | Input::Config(_)
            | Input::Reload { .. }
            | Input::Block(_)
            | Input::Unblock(_)
    )
}
