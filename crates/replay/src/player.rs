//! One record after the other through the dispatcher. A restart and every look into the past run this.

use std::sync::Arc;

use dispatcher::{Dispatcher, Effects, Input, Note, Observed};
use mapping::Program;
use store::{Class, MappingHash, Record};
use types::Now;

/// A house that lives through its journal again.
#[derive(Debug)]
pub struct Player {
    dispatcher: Dispatcher,
    /// The dispatcher was started again then, and has not announced itself yet.
    started: Option<Now>,
    /// The rule that always looks, by name.
    watched: Option<Arc<str>>,
    /// What was said between the last two records, and when.
    between: Vec<(Now, Note)>,
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
            between: Vec::new(),
        }
    }

    /// The house as it is after the last record.
    #[must_use]
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Ends the replay.
    #[must_use]
    pub fn into_dispatcher(self) -> Dispatcher {
        self.dispatcher
    }

    /// What the dispatcher said without an input, between the last record and the one before, and when.
    #[must_use]
    pub fn between(&self) -> &[(Now, Note)] {
        &self.between
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
            Class::Observed => self.observed(record),
            Class::BrokerFact | Class::OutputsHash => Fed::Passed,
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
        self.pass_time(record.now, is_of_a_start(&input));
        match input {
            Input::Reload { hash } => {
                let program = program_of(MappingHash(hash), self.dispatcher.program());
                self.dispatcher.replace(record.now, program, effects);
                self.watch_again();
                Fed::Reloaded
            }
            input => {
                if input == Input::Resumed {
                    self.started = Some(record.now);
                }
                self.dispatcher.apply(record.now, input, effects);
                Fed::Applied
            }
        }
    }

    fn observed(&mut self, record: &Record) -> Fed {
        match Observed::decode(self.dispatcher.program(), &record.body) {
            Ok(observed) => {
                self.pass_time(record.now, false);
                self.dispatcher.observe(&observed);
                Fed::Observed(observed)
            }
            Err(why) => Fed::Unreadable(why),
        }
    }

    /// What the dispatcher did between two records without an input: it announced itself after a start, and
    /// sent again what was not taken.
    fn pass_time(&mut self, now: Now, still_starting: bool) {
        self.between.clear();
        if !still_starting && let Some(started) = self.started.take() {
            self.dispatcher.announce(started, &mut Effects::default());
        }
        let between = &mut self.between;
        self.dispatcher.catch_up(now, |then, did| {
            between.extend(did.notes.into_iter().map(|note| (then, note)));
        });
    }

    fn watch_again(&mut self) {
        let program = Arc::clone(self.dispatcher.program());
        let rule = self.watched.as_ref();
        let rule = rule.and_then(|name| program.names.rules.get(name).copied());
        self.dispatcher.watch(rule);
    }
}

/// What is applied between a start and its announcement: the mapping and the blocks of today.
fn is_of_a_start(input: &Input) -> bool {
    matches!(
        input,
        Input::Resumed | Input::Reload { .. } | Input::Block(_) | Input::Unblock(_)
    )
}
