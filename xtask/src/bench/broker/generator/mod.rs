//! The load: producers and consumers over raw sockets, the same for every system. Called by the bench.
//!
//! One thread, so that it takes no more than one core from the broker that it measures; events are written in
//! batches and sockets are polled together. It must never be what limits a measurement. How events are timed
//! stands beside it: one at a time in `closed`, at a rate in `open`, as many as go in `saturated`.

mod closed;
mod open;
mod saturated;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    client::{Client, PATIENCE},
    ledger::{Arrival, Ledger},
    packet::{self, Answer, Packet},
    route::{CONSUMERS, EVENT_END, PRODUCERS},
    server::Door,
};

/// Events of one producer on their way, by QoS, where more than one is. All of one consumer's stay below what any system
/// queues before it drops, disconnects or lets newer targets replace older ones. The least is the dispatcher's: 256
/// messages at QoS 1 without an ack. Of a consumer's two producers a whole window may come before the acks of the one
/// before it are read.
const WINDOW: [u64; 3] = [1024, 60, 60];

/// Events of one rule on their way: fewer than the ledger can tell apart.
const RULE_WINDOW: u64 = 96;

/// A producer and where it stands.
struct Producer {
    client: Client,
    /// Its rules, in the order in which it plays them.
    rules: Vec<usize>,
    played: usize,
    /// Events whose command has not come.
    open: u64,
    /// Events at QoS 1 and 2 whose last acknowledgement has not come.
    unacknowledged: u64,
    packet_id: u16,
}

impl Producer {
    /// The rule it plays next.
    fn next_rule(&self) -> usize {
        self.rules[self.played % self.rules.len()]
    }

    /// Whether its next event may leave.
    fn has_room(&self, ledger: &Ledger<'_>, qos: u8) -> bool {
        self.open.max(self.unacknowledged) < WINDOW[usize::from(qos)]
            && ledger.open_of(self.next_rule()) < RULE_WINDOW
    }

    /// Appends the event of its next rule.
    fn play(&mut self, ledger: &mut Ledger<'_>, qos: u8) -> usize {
        let ix = self.next_rule();
        self.played += 1;
        let rule = &ledger.route().rules[ix];
        let mut digits = [0; 3];
        let value = decimal(ledger.send(ix), &mut digits);
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let payload = [&rule.event_start, value, EVENT_END];
        packet::publish(
            &mut self.client.out,
            &rule.event_topic,
            &payload,
            qos,
            self.packet_id,
        );
        self.open += 1;
        self.unacknowledged += u64::from(qos > 0);
        ix
    }

    /// Reads until so many events at most are unacknowledged.
    fn await_acks(&mut self, unacknowledged_max: u64) -> Result<()> {
        loop {
            self.take_acks()?;
            self.client.flush()?;
            if self.unacknowledged <= unacknowledged_max {
                return Ok(());
            }
            self.client.wait()?;
        }
    }

    /// Takes what has been read; what the next step of QoS 2 needs is appended.
    fn take_acks(&mut self) -> Result<()> {
        while let Some(packet) = self.client.inbox.take()? {
            match packet {
                Packet::PubAck | Packet::PubComp => self.unacknowledged -= 1,
                Packet::PubRec { packet_id } => {
                    packet::answer(&mut self.client.out, Answer::Released, packet_id);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// All clients of one measurement.
pub(crate) struct Load<'l, 'r> {
    ledger: &'l mut Ledger<'r>,
    qos: u8,
    producers: Vec<Producer>,
    consumers: Vec<Client>,
}

impl<'l, 'r> Load<'l, 'r> {
    /// Connects everybody; consumers subscribe at this QoS.
    ///
    /// # Errors
    /// The broker lets somebody not in.
    pub(crate) fn connect(door: &Door, ledger: &'l mut Ledger<'r>, qos: u8) -> Result<Self> {
        let route = ledger.route();
        let mut consumers = Vec::new();
        for ix in 0..CONSUMERS {
            let login = route.consumer_logins.get(ix);
            let mut client = Client::connect(door, &format!("consumer-{ix}"), login)?;
            for filter in route.filters(ix) {
                client.subscribe(&filter, qos)?;
            }
            consumers.push(client);
        }
        let mut producers = Vec::new();
        for ix in 0..PRODUCERS {
            let login = route.producer_logins.get(ix);
            producers.push(Producer {
                client: Client::connect(door, &format!("producer-{ix}"), login)?,
                rules: shuffled((ix..route.rules.len()).step_by(PRODUCERS).collect()),
                played: 0,
                open: 0,
                unacknowledged: 0,
                packet_id: 0,
            });
        }
        Ok(Self {
            ledger,
            qos,
            producers,
            consumers,
        })
    }

    /// Waits for what is on its way; gives up where nothing comes.
    fn drain(&mut self, mut arrived: impl FnMut(Arrival, Instant)) -> Result<()> {
        let mut last_arrival = Instant::now();
        let unacknowledged = |load: &Self| load.producers.iter().any(|p| p.unacknowledged > 0);
        while (self.ledger.open() > 0 || unacknowledged(self)) && last_arrival.elapsed() < PATIENCE
        {
            if self.turn(POLL_MAX, &mut arrived)? {
                last_arrival = Instant::now();
            }
        }
        if unacknowledged(self) {
            bail!("the broker left events without an acknowledgement");
        }
        for producer in &mut self.producers {
            producer.open = 0;
        }
        Ok(())
    }

    /// Waits for sockets, at most so long; reads and writes those that are ready, and tells each command and when it
    /// was read. True where one came.
    fn turn(
        &mut self,
        at_most: Duration,
        mut arrived: impl FnMut(Arrival, Instant),
    ) -> Result<bool> {
        let producers = self
            .producers
            .iter()
            .map(|producer| producer.client.interest());
        let consumers = self.consumers.iter().map(Client::interest);
        let mut ready: Vec<PollFd<'_>> = producers.chain(consumers).collect();
        let at_most = Timespec {
            tv_sec: 0,
            tv_nsec: at_most.subsec_nanos().into(),
        };
        poll(&mut ready, Some(&at_most))?;
        let ready: Vec<PollFlags> = ready.iter().map(PollFd::revents).collect();
        let (producers, consumers) = ready.split_at(PRODUCERS);
        let readable =
            |flags: &PollFlags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);

        let before = self.ledger.received();
        for (ix, flags) in consumers.iter().enumerate() {
            let client = &mut self.consumers[ix];
            if readable(flags) {
                client.fill()?;
                let now = Instant::now();
                while let Some(packet) = client.inbox.take()? {
                    if let Some(arrival) = command(packet, ix, self.ledger, &mut client.out) {
                        let rule = &self.ledger.route().rules[arrival.rule];
                        self.producers[rule.producer].open -= arrival.done;
                        arrived(arrival, now);
                    }
                }
            }
            client.flush()?;
        }
        for (producer, flags) in self.producers.iter_mut().zip(producers) {
            if readable(flags) {
                producer.client.fill()?;
                producer.take_acks()?;
            }
            producer.client.flush()?;
        }
        Ok(self.ledger.received() > before)
    }

    fn set_nonblocking(&self, on: bool) -> Result<()> {
        let producers = self.producers.iter().map(|producer| &producer.client);
        for client in producers.chain(&self.consumers) {
            client.set_nonblocking(on)?;
        }
        Ok(())
    }
}

/// How long [`Load::turn`] waits where there is nothing else to do.
const POLL_MAX: Duration = Duration::from_millis(50);

/// Acknowledges and books a command. What was retained is from before.
fn command(
    packet: Packet<'_>,
    consumer: usize,
    ledger: &mut Ledger<'_>,
    out: &mut Vec<u8>,
) -> Option<Arrival> {
    let (retained, qos, packet_id, topic, payload) = match packet {
        Packet::Publish {
            retained,
            qos,
            packet_id,
            topic,
            payload,
        } => (retained, qos, packet_id, topic, payload),
        Packet::PubRel { packet_id } => {
            packet::answer(out, Answer::Completed, packet_id);
            return None;
        }
        _ => return None,
    };
    match qos {
        0 => {}
        1 => packet::answer(out, Answer::Acknowledged, packet_id),
        _ => packet::answer(out, Answer::Received, packet_id),
    }
    if retained {
        return None;
    }
    ledger.arrive(consumer, topic, payload)
}

/// A fixed order without pattern, so that neighbours in the files are no neighbours in time.
fn shuffled(mut rules: Vec<usize>) -> Vec<usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for ix in (1..rules.len()).rev() {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rules.swap(ix, (state % (ix as u64 + 1)) as usize);
    }
    rules
}

/// Digits of a number; `format!` would cost more than the rest of an event.
fn decimal(mut number: u8, digits: &mut [u8; 3]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + number % 10;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::broker::{mosquitto, route::Route},
        shell,
    };

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 127, 255] {
            assert_eq!(decimal(number, &mut [0; 3]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn an_order_without_pattern_holds_every_rule_once() {
        let mut rules = shuffled((0..1_000).collect());
        assert_ne!(rules[..3], [0, 1, 2]);
        rules.sort_unstable();
        assert!(rules.into_iter().eq(0..1_000));
    }

    #[test]
    fn mosquitto_relays_every_event_once_at_each_qos() {
        if shell::installed("mosquitto").is_none() {
            println!("skipped: not installed (mosquitto)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let server = mosquitto::start(folder.path(), None).expect("mosquitto starts");
        let route = Route::relay(10);
        let mut ledger = Ledger::new(&route);
        for qos in [0, 1, 2] {
            let mut load = Load::connect(&server.door, &mut ledger, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(50, Duration::ZERO).expect("it relays");
            assert_eq!(latencies_us.len(), 50);
            assert!(faults.none(), "{faults:?}");
            let run = load
                .saturated(Duration::from_millis(100))
                .expect("it relays");
            assert!(run.commands > 0 && run.commands_per_s > 0.0);
            assert!(run.faults.none(), "{:?}", run.faults);
            let open = load
                .open_loop(1_000.0, Duration::from_millis(100))
                .expect("it relays");
            assert_eq!(open.latencies_us.len(), 100);
            assert!(open.faults.none(), "{:?}", open.faults);
        }
    }
}
