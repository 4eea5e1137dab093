//! The load: producers and consumers over raw sockets, the same for both brokers. Called by the bench.
//!
//! One thread, so that it takes no more than one core from the broker that it measures; events are written in
//! batches and sockets are polled together. It must never be what limits a measurement.

use std::{
    io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    client::{Client, PATIENCE},
    ledger::{Arrival, Faults, Ledger},
    packet::{self, Packet},
    route::{CONSUMERS, EVENT_END, PRODUCERS},
};

/// Events of one producer on their way, at QoS 0 and 1. All of one consumer's stay below what either broker
/// queues before it drops, disconnects or lets newer targets replace older ones.
const WINDOW: [u64; 2] = [1024, 96];

/// Events of one rule on their way: fewer than the ledger can tell apart.
const RULE_WINDOW: u64 = 96;

/// Events of one producer without an acknowledgement where they go one at a time. A broker that keeps them may
/// acknowledge several together, some later than their commands; waiting for each would measure a processor that
/// has gone to sleep meanwhile.
const CLOSED_UNACKNOWLEDGED: u64 = 16;

/// More lost events than this, one at a time, and there is nothing to measure.
const LOST_MAX: usize = 5;

/// A batch is written at the latest when it has so many bytes.
const BATCH_BYTES_MAX: usize = 32 * 1024;

/// A producer and where it stands.
struct Producer {
    client: Client,
    /// Its rules, in the order in which it plays them.
    rules: Vec<usize>,
    played: usize,
    /// Events whose command has not come.
    open: u64,
    /// Events at QoS 1 whose acknowledgement has not come.
    unacknowledged: u64,
    packet_id: u16,
}

impl Producer {
    /// The rule it plays next.
    fn next_rule(&self) -> usize {
        self.rules[self.played % self.rules.len()]
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
        self.unacknowledged += u64::from(qos);
        ix
    }

    /// Reads until so many events at most are unacknowledged.
    fn await_acks(&mut self, unacknowledged_max: u64) -> Result<()> {
        while self.unacknowledged > unacknowledged_max {
            self.unacknowledged -= u64::from(self.client.next()? == Packet::PubAck);
        }
        Ok(())
    }

    fn take_acks(&mut self) -> Result<()> {
        while let Some(packet) = self.client.inbox.take()? {
            self.unacknowledged -= u64::from(packet == Packet::PubAck);
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

/// What a saturated run saw.
pub(crate) struct Saturated {
    /// Commands a second, once the pipe is full.
    pub(crate) commands_per_s: f64,
    pub(crate) commands: u64,
    pub(crate) faults: Faults,
}

impl<'l, 'r> Load<'l, 'r> {
    /// Connects everybody; consumers subscribe at this QoS.
    ///
    /// # Errors
    /// The broker lets somebody not in.
    pub(crate) fn connect(
        address: SocketAddr,
        ledger: &'l mut Ledger<'r>,
        qos: u8,
    ) -> Result<Self> {
        let route = ledger.route();
        let mut consumers = Vec::new();
        for ix in 0..CONSUMERS {
            let mut client = Client::connect(
                address,
                &format!("consumer-{ix}"),
                route.consumer_logins.get(ix),
            )?;
            for filter in route.filters(ix) {
                client.subscribe(&filter, qos)?;
            }
            consumers.push(client);
        }
        let mut producers = Vec::new();
        for ix in 0..PRODUCERS {
            let client = Client::connect(
                address,
                &format!("producer-{ix}"),
                route.producer_logins.get(ix),
            )?;
            producers.push(Producer {
                client,
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

    /// One event at a time, `pause` after the command for the one before it: from the write of the event to the
    /// command at its consumer, in microseconds.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn closed_loop(
        &mut self,
        round_trips: usize,
        pause: Duration,
    ) -> Result<(Vec<f64>, Faults)> {
        self.set_nonblocking(false)?;
        let mut latencies_us = Vec::with_capacity(round_trips);
        for round in 0..round_trips {
            let producer = &mut self.producers[round % PRODUCERS];
            let rule = producer.play(self.ledger, self.qos);
            let consumer = self.ledger.route().rules[rule].consumer;
            let start = Instant::now();
            producer.client.flush()?;
            if await_command(&mut self.consumers[consumer], consumer, self.ledger)? {
                latencies_us.push(start.elapsed().as_secs_f64() * 1e6);
            } else if round - latencies_us.len() >= LOST_MAX {
                bail!("no command comes for most events");
            }
            // Acks are no part of the way of an event: they are read before the producer's next one.
            self.consumers[consumer].flush()?;
            producer.await_acks(CLOSED_UNACKNOWLEDGED)?;
            thread::sleep(pause);
            producer.open = 0;
        }
        for producer in &mut self.producers {
            producer.await_acks(0)?;
        }
        Ok((latencies_us, self.ledger.close()))
    }

    /// All producers at once, each with a window of events on their way, for `duration` after a warm-up.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn saturated(&mut self, duration: Duration) -> Result<Saturated> {
        self.set_nonblocking(true)?;
        let at_start = self.ledger.received();
        let start = Instant::now();
        let warm = start + duration / 5;
        let end = warm + duration;
        let (mut before, mut since) = (0, None);
        let mut last_arrival = start;
        loop {
            let now = Instant::now();
            if now >= end || now - last_arrival > PATIENCE {
                break;
            }
            if now >= warm && since.is_none() {
                (before, since) = (self.ledger.received(), Some(now));
            }
            for producer in &mut self.producers {
                top_up(producer, self.ledger, self.qos)?;
            }
            if self.turn()? {
                last_arrival = now;
            }
        }
        let elapsed = since.unwrap_or(start).elapsed();
        let commands = self.ledger.received();
        self.drain()?;
        Ok(Saturated {
            commands_per_s: (commands - before) as f64 / elapsed.as_secs_f64(),
            commands: self.ledger.received() - at_start,
            faults: self.ledger.close(),
        })
    }

    /// Waits for what is on its way; gives up where nothing comes.
    fn drain(&mut self) -> Result<()> {
        let mut last_arrival = Instant::now();
        let unacknowledged = |load: &Self| load.producers.iter().any(|p| p.unacknowledged > 0);
        while (self.ledger.open() > 0 || unacknowledged(self)) && last_arrival.elapsed() < PATIENCE
        {
            if self.turn()? {
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

    /// Waits for sockets, reads and writes those that are ready. True where a command came.
    fn turn(&mut self) -> Result<bool> {
        let producers = self
            .producers
            .iter()
            .map(|producer| producer.client.interest());
        let consumers = self.consumers.iter().map(Client::interest);
        let mut ready: Vec<PollFd<'_>> = producers.chain(consumers).collect();
        let at_most = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        poll(&mut ready, Some(&at_most))?;
        let ready: Vec<PollFlags> = ready.iter().map(PollFd::revents).collect();
        let (producers, consumers) = ready.split_at(PRODUCERS);
        let readable =
            |flags: &PollFlags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);

        let before = self.ledger.received();
        for (ix, _) in consumers
            .iter()
            .enumerate()
            .filter(|(_, flags)| readable(flags))
        {
            let client = &mut self.consumers[ix];
            client.fill()?;
            while let Some(packet) = client.inbox.take()? {
                if let Some(arrival) = command(packet, ix, self.ledger, &mut client.out) {
                    let rule = &self.ledger.route().rules[arrival.rule];
                    self.producers[rule.producer].open -= arrival.done;
                }
            }
            client.flush()?;
        }
        for (producer, flags) in self.producers.iter_mut().zip(producers) {
            if readable(flags) {
                producer.client.fill()?;
                producer.take_acks()?;
            }
            if flags.contains(PollFlags::OUT) {
                producer.client.flush()?;
            }
        }
        Ok(self.ledger.received() > before)
    }

    fn set_nonblocking(&self, on: bool) -> Result<()> {
        for client in self
            .producers
            .iter()
            .map(|producer| &producer.client)
            .chain(&self.consumers)
        {
            client.stream.set_nonblocking(on)?;
        }
        Ok(())
    }
}

/// Fills a producer's window and writes, unless its last batch still waits for the socket.
fn top_up(producer: &mut Producer, ledger: &mut Ledger<'_>, qos: u8) -> Result<()> {
    let window = WINDOW[usize::from(qos)];
    if !producer.client.out.is_empty() {
        return Ok(());
    }
    while producer.open.max(producer.unacknowledged) < window
        && ledger.open_of(producer.next_rule()) < RULE_WINDOW
        && producer.client.out.len() < BATCH_BYTES_MAX
    {
        producer.play(ledger, qos);
    }
    producer.client.flush()
}

/// Reads until the one command that is open has come; false where it doesn't.
fn await_command(client: &mut Client, consumer: usize, ledger: &mut Ledger<'_>) -> Result<bool> {
    loop {
        while let Some(packet) = client.inbox.take()? {
            if command(packet, consumer, ledger, &mut client.out).is_some() {
                return Ok(true);
            }
        }
        match client.inbox.fill(&mut client.stream) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(false);
            }
            other => other?,
        }
    }
}

/// Acknowledges and books a command. What was retained is from before.
fn command(
    packet: Packet<'_>,
    consumer: usize,
    ledger: &mut Ledger<'_>,
    out: &mut Vec<u8>,
) -> Option<Arrival> {
    let Packet::Publish {
        retained,
        packet_id,
        topic,
        payload,
    } = packet
    else {
        return None;
    };
    if packet_id > 0 {
        packet::puback(out, packet_id);
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
    fn mosquitto_relays_every_event_once() {
        if shell::installed("mosquitto").is_none() {
            println!("skipped: not installed (mosquitto)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let server = mosquitto::start(folder.path()).expect("mosquitto starts");
        let route = Route::relay(10);
        let mut ledger = Ledger::new(&route);
        for qos in [0, 1] {
            let mut load = Load::connect(server.address, &mut ledger, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(50, Duration::ZERO).expect("it relays");
            assert_eq!(latencies_us.len(), 50);
            assert!(faults.none(), "{faults:?}");
            let run = load
                .saturated(Duration::from_millis(100))
                .expect("it relays");
            assert!(run.commands > 0 && run.commands_per_s > 0.0);
            assert!(run.faults.none(), "{:?}", run.faults);
        }
    }
}
