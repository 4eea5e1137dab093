//! The book of what went out and what came for it. Called by the generator.
//!
//! Events of one rule carry 0, 1, .. 127, 0, .. and their commands come in that order, so that each command tells
//! its event as long as fewer than 128 of one rule are on their way.

use super::route::{MIDI, Route};

/// What did not come as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Events without a command.
    pub(crate) lost: u64,
    /// Commands that no event asked for, or that came to the wrong place.
    pub(crate) wrong: u64,
    /// Commands that came again.
    pub(crate) duplicates: u64,
    /// Commands that came after later ones of their rule.
    pub(crate) misordered: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.duplicates += other.duplicates;
        self.misordered += other.misordered;
    }

    pub(crate) fn none(&self) -> bool {
        self.sum() == 0
    }

    pub(crate) fn sum(&self) -> u64 {
        self.lost + self.wrong + self.duplicates + self.misordered
    }
}

/// Events of one rule so far.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    sent: u64,
    /// Events whose command came or is lost.
    done: u64,
    /// One bit for each value whose command later ones have passed.
    passed: u128,
}

impl Account {
    /// Whether the command with this value was passed by later ones and comes now.
    fn is_late(&mut self, value: u8) -> bool {
        let bit = 1 << value;
        let was_passed = self.passed & bit != 0;
        self.passed &= !bit;
        was_passed
    }

    /// The next command is the one behind `ahead` others, which it passes.
    fn advance(&mut self, ahead: u64) {
        for nth in self.done..self.done + ahead {
            self.passed |= 1 << value(nth);
        }
        self.done += ahead + 1;
        self.passed &= !(1 << value(self.done - 1));
    }
}

/// A command that came as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) rule: usize,
    /// Events that are done with it: itself and those before it that are lost.
    pub(crate) done: u64,
}

/// Events and their commands since a broker started.
pub(crate) struct Ledger<'a> {
    route: &'a Route,
    accounts: Vec<Account>,
    received: u64,
    open: u64,
    faults: Faults,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(route: &'a Route) -> Self {
        Self {
            route,
            accounts: vec![Account::default(); route.rules.len()],
            received: 0,
            open: 0,
            faults: Faults::default(),
        }
    }

    pub(crate) fn route(&self) -> &'a Route {
        self.route
    }

    /// Notes an event for this rule; gives the value it carries.
    pub(crate) fn send(&mut self, rule: usize) -> u8 {
        let account = &mut self.accounts[rule];
        let value = value(account.sent);
        account.sent += 1;
        self.open += 1;
        value
    }

    /// Events of this rule on their way.
    pub(crate) fn open_of(&self, rule: usize) -> u64 {
        let account = self.accounts[rule];
        account.sent - account.done
    }

    /// Notes a message; tells what it brought where an event waits for it.
    pub(crate) fn arrive(
        &mut self,
        consumer: usize,
        topic: &[u8],
        payload: &[u8],
    ) -> Option<Arrival> {
        let Some((rule, came)) = self.route.identify(consumer, topic, payload) else {
            self.faults.wrong += 1;
            return None;
        };
        let account = &mut self.accounts[rule];
        let ahead = u64::from(came.wrapping_sub(value(account.done))) % MIDI as u64;
        if ahead >= account.sent - account.done {
            if account.is_late(came) {
                self.faults.lost -= 1;
                self.faults.misordered += 1;
            } else {
                self.faults.duplicates += 1;
            }
            return None;
        }
        account.advance(ahead);
        let done = ahead + 1;
        self.open -= done;
        self.faults.lost += ahead;
        self.received += 1;
        Some(Arrival { rule, done })
    }

    /// Commands that came as they should.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Events on their way.
    pub(crate) fn open(&self) -> u64 {
        self.open
    }

    /// Takes the faults of a measurement: what is still open is lost.
    pub(crate) fn close(&mut self) -> Faults {
        let mut faults = std::mem::take(&mut self.faults);
        faults.lost += std::mem::take(&mut self.open);
        for account in &mut self.accounts {
            account.done = account.sent;
            account.passed = 0;
        }
        faults
    }
}

/// The value of a rule's nth event.
fn value(nth: u64) -> u8 {
    // Below 128 by the remainder.
    (nth % MIDI as u64) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command of rule 5, whose consumer is 1, with this value.
    fn arrive(ledger: &mut Ledger<'_>, value: u8) -> Option<u64> {
        let payload = format!("{{\"angle\":{}}}", 5 * MIDI + usize::from(value));
        let arrival = ledger.arrive(1, b"iot/stage1/servo1/target", payload.as_bytes())?;
        assert_eq!(arrival.rule, 5);
        Some(arrival.done)
    }

    #[test]
    fn commands_in_order_are_faultless_round_after_round() {
        let route = Route::rules(10);
        let mut ledger = Ledger::new(&route);
        for _ in 0..300 {
            let value = ledger.send(5);
            assert_eq!(ledger.open_of(5), 1);
            assert_eq!(arrive(&mut ledger, value), Some(1));
        }
        assert_eq!((ledger.received(), ledger.open()), (300, 0));
        assert!(ledger.close().none());
    }

    #[test]
    fn a_gap_is_lost_and_what_comes_again_is_a_duplicate() {
        let route = Route::rules(10);
        let mut ledger = Ledger::new(&route);
        let values: Vec<u8> = (0..5).map(|_| ledger.send(5)).collect();
        assert_eq!(arrive(&mut ledger, values[0]), Some(1));
        assert_eq!(arrive(&mut ledger, values[0]), None, "again");
        assert_eq!(arrive(&mut ledger, values[3]), Some(3), "two are missing");
        let faults = ledger.close();
        assert_eq!(
            (faults.lost, faults.wrong, faults.duplicates),
            (3, 0, 1),
            "the last one is lost too"
        );
        assert!(ledger.close().none(), "faults are told once");
    }

    #[test]
    fn what_later_ones_passed_is_out_of_order_and_not_lost() {
        let route = Route::rules(10);
        let mut ledger = Ledger::new(&route);
        let values: Vec<u8> = (0..4).map(|_| ledger.send(5)).collect();
        assert_eq!(arrive(&mut ledger, values[2]), Some(3));
        assert_eq!(arrive(&mut ledger, values[0]), None, "too late");
        assert_eq!(arrive(&mut ledger, values[0]), None, "and again");
        assert_eq!(arrive(&mut ledger, values[3]), Some(1));
        let expected = Faults {
            lost: 1,
            wrong: 0,
            duplicates: 1,
            misordered: 1,
        };
        assert_eq!(ledger.close(), expected, "the second never came");
    }

    #[test]
    fn a_value_that_was_passed_a_round_ago_is_a_duplicate_now() {
        let route = Route::rules(10);
        let mut ledger = Ledger::new(&route);
        for nth in 0..MIDI as u64 + 10 {
            let value = ledger.send(5);
            if nth != 3 {
                arrive(&mut ledger, value);
            }
        }
        assert_eq!(arrive(&mut ledger, 3), None);
        let faults = ledger.close();
        assert_eq!(
            (faults.lost, faults.duplicates, faults.misordered),
            (1, 1, 0)
        );
    }

    #[test]
    fn what_nobody_asked_for_is_wrong() {
        let route = Route::rules(10);
        let mut ledger = Ledger::new(&route);
        ledger.send(5);
        assert_eq!(
            ledger.arrive(1, b"iot/stage1/servo1/target", b"{\"angle\":99999}"),
            None
        );
        assert_eq!(
            ledger.arrive(2, b"iot/stage1/servo1/target", b"{\"angle\":640}"),
            None,
            "to another"
        );
        assert_eq!(ledger.close().wrong, 2);
    }
}
