//! Events at a rate, whether commands come or not. An event's latency counts from the moment at which it was due,
//! not from the one at which it could be sent: a system that stops for a while pays for all that waited
//! (no coordinated omission).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    super::{
        ledger::{Arrival, Faults},
        route::PRODUCERS,
    },
    Load,
};

/// What events at a rate saw.
pub(crate) struct Open {
    /// From the moment an event was due to its command, in microseconds.
    pub(crate) latencies_us: Vec<f64>,
    /// How much later than due each event was written where no window held it back: the load's own doing.
    pub(crate) late_us: Vec<f64>,
    pub(crate) faults: Faults,
}

/// When the events on their way were due.
struct Due {
    by_rule: Vec<VecDeque<Instant>>,
    latencies_us: Vec<f64>,
}

impl Due {
    /// Takes the times of all events that this command is the end of: those before the last are lost.
    fn arrive(&mut self, arrival: Arrival, now: Instant) {
        let due = self.by_rule[arrival.rule]
            .drain(..arrival.done as usize)
            .next_back();
        let latency = due.map(|due| (now - due).as_secs_f64() * 1e6);
        self.latencies_us.extend(latency);
    }
}

impl Load<'_, '_> {
    /// `rate` events a second for `duration`, the producers by turns. The load never sleeps in it, so that no waking
    /// up of its own is in a latency.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn open_loop(&mut self, rate: f64, duration: Duration) -> Result<Open> {
        self.set_nonblocking(true)?;
        let mut due = Due {
            by_rule: vec![VecDeque::new(); self.ledger.route().rules.len()],
            latencies_us: Vec::new(),
        };
        let interval = Duration::from_secs_f64(1.0 / rate);
        let events = (rate * duration.as_secs_f64()).round() as u32;
        let mut late_us = Vec::new();
        let start = Instant::now();
        let (mut sent, mut was_held) = (0, false);
        while sent < events {
            loop {
                let (now, at) = (Instant::now(), start + interval * sent);
                if at > now || sent == events {
                    was_held = false;
                    break;
                }
                let Some(rule) = self.play_due(sent as usize % PRODUCERS)? else {
                    was_held = true;
                    break;
                };
                due.by_rule[rule].push_back(at);
                late_us.extend((!was_held).then(|| (now - at).as_secs_f64() * 1e6));
                sent += 1;
            }
            self.turn(Duration::ZERO, |arrival, now| due.arrive(arrival, now))?;
        }
        self.drain(|arrival, now| due.arrive(arrival, now))?;
        Ok(Open {
            latencies_us: due.latencies_us,
            late_us,
            faults: self.ledger.close(),
        })
    }

    /// Writes the producer's next event; gives its rule, nothing where a window is full: then it waits, and its latency
    /// counts on.
    fn play_due(&mut self, producer: usize) -> Result<Option<usize>> {
        let producer = &mut self.producers[producer];
        if !producer.has_room(self.ledger, self.qos) || !producer.client.is_flushed() {
            return Ok(None);
        }
        let rule = producer.play(self.ledger, self.qos);
        producer.client.flush()?;
        Ok(Some(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_waited_is_late_by_all_that_it_waited() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut due = Due {
            by_rule: vec![VecDeque::from([at(0), at(10), at(20), at(30)])],
            latencies_us: Vec::new(),
        };
        // The system stopped for 50 ms; what it did with the first two is not known.
        due.arrive(Arrival { rule: 0, done: 3 }, at(50));
        due.arrive(Arrival { rule: 0, done: 1 }, at(51));
        assert_eq!(due.latencies_us, [30_000.0, 21_000.0]);
        assert!(due.by_rule[0].is_empty());
    }
}
