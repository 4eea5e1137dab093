//! The book of one measurement: which events went out, what came for each. Called by the generator.

use super::route::{Route, value};

/// Number of the first event of a measurement; leaves no doubt between values and other small numbers.
const FIRST: u64 = 1_000_000;

/// What did not come as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Events without a command.
    pub(crate) lost: u64,
    /// Commands that no event asked for, or that came to the wrong place.
    pub(crate) wrong: u64,
    /// Commands that came again.
    pub(crate) duplicates: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.duplicates += other.duplicates;
    }

    pub(crate) fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// Events and their commands.
pub(crate) struct Ledger<'a> {
    route: &'a Route,
    /// The rule of each event; its value is its place plus [`FIRST`] plus `base`.
    sent: Vec<u32>,
    arrived: Vec<bool>,
    base: u64,
    received: u64,
    faults: Faults,
}

impl<'a> Ledger<'a> {
    /// `base` sets the values of this measurement apart from those before it.
    pub(crate) fn new(route: &'a Route, base: u64) -> Self {
        Self {
            route,
            sent: Vec::new(),
            arrived: Vec::new(),
            base: FIRST + base,
            received: 0,
            faults: Faults::default(),
        }
    }

    /// Notes an event for this rule; gives the value it carries.
    pub(crate) fn send(&mut self, rule: usize) -> u64 {
        self.sent.push(rule as u32);
        self.arrived.push(false);
        self.base + self.sent.len() as u64 - 1
    }

    /// Notes a command; gives the rule of its event where it is the one we wait for.
    pub(crate) fn arrive(
        &mut self,
        consumer: usize,
        topic: &[u8],
        payload: &[u8],
    ) -> Option<usize> {
        let event =
            value(payload).and_then(|value| usize::try_from(value.checked_sub(self.base)?).ok());
        let rule = event
            .and_then(|event| self.sent.get(event))
            .map(|rule| *rule as usize);
        let right = rule.filter(|rule| {
            let rule = &self.route.rules[*rule];
            rule.consumer == consumer && rule.topic == topic
        });
        let (Some(event), Some(rule)) = (event, right) else {
            self.faults.wrong += 1;
            return None;
        };
        if std::mem::replace(&mut self.arrived[event], true) {
            self.faults.duplicates += 1;
            return None;
        }
        self.received += 1;
        Some(rule)
    }

    /// Commands that came, each once.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Events on their way.
    pub(crate) fn open(&self) -> u64 {
        self.sent.len() as u64 - self.received
    }

    /// Closes the book: what is open is lost.
    pub(crate) fn close(self) -> Faults {
        Faults {
            lost: self.open(),
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_held_against_its_event() {
        let route = Route::dispatch(10);
        let mut ledger = Ledger::new(&route, 0);
        let values: Vec<String> = (0..3).map(|rule| ledger.send(rule).to_string()).collect();
        let topic = |rule: usize| route.rules[rule].topic.as_slice();
        assert_eq!(ledger.arrive(1, topic(1), values[1].as_bytes()), Some(1));
        assert_eq!(
            ledger.arrive(1, topic(1), values[1].as_bytes()),
            None,
            "again"
        );
        assert_eq!(
            ledger.arrive(0, topic(0), values[2].as_bytes()),
            None,
            "another's value"
        );
        assert_eq!(
            ledger.arrive(0, topic(0), b"{\"angle\":7}"),
            None,
            "nobody's value"
        );
        assert_eq!(ledger.received(), 1);
        let faults = ledger.close();
        assert_eq!(
            faults,
            Faults {
                lost: 2,
                wrong: 2,
                duplicates: 1
            }
        );
    }
}
