//! One record after the other through the dispatcher. A restart and every look into the past run this.

use std::sync::Arc;

use dispatcher::{Dispatcher, Effects, Input};
use mapping::Program;
use store::{Class, MappingHash, Record};

/// A house that lives through its journal again.
#[derive(Debug)]
pub struct Player {
    dispatcher: Dispatcher,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fed {
    /// This input was applied.
    Applied,
    /// Another mapping is in force.
    Reloaded,
    /// It was taken under another mapping or binary and can't be read: why.
    Unreadable(dispatcher::DecodeError),
    /// It changes nothing in the house.
    Passed,
}

impl Player {
    /// Goes on from a house as it was.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher }
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

    /// Applies one record, at its own time and under the mapping in force then. `program_of` finds the
    /// mapping of a reload. Adds to `effects`, which nobody carries out: they are what was done then.
    pub fn feed(
        &mut self,
        record: &Record,
        program_of: impl FnOnce(MappingHash, &Arc<Program>) -> Arc<Program>,
        effects: &mut Effects,
    ) -> Fed {
        if record.class != Class::Input {
            return Fed::Passed;
        }
        match Input::decode(self.dispatcher.program(), &record.body) {
            Ok(Input::Reload { hash }) => {
                let program = program_of(MappingHash(hash), self.dispatcher.program());
                self.dispatcher.replace(record.now, program, effects);
                Fed::Reloaded
            }
            Ok(input) => {
                self.dispatcher.apply(record.now, input, effects);
                Fed::Applied
            }
            Err(why) => Fed::Unreadable(why),
        }
    }
}
