//! The load: producers and consumers over raw sockets, the same for both brokers. Called by the bench.
//!
//! One thread, so that it takes no more than one core from the broker that it measures; events are written in
//! batches and sockets are polled together. It must never be what limits a measurement.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    ledger::{Faults, Ledger},
    packet::{self, Inbox, Login, Packet},
    route::{AFTER, CONSUMERS, PRODUCERS, Route, Rule},
};

/// Nothing takes longer than this in a broker that works.
const PATIENCE: Duration = Duration::from_secs(3);

/// Events of one producer on their way, at QoS 0 and 1. All of one consumer's stay below what either broker
/// queues before it drops, disconnects or lets newer targets replace older ones.
const WINDOW: [u64; 2] = [1024, 96];

/// A batch is written at the latest when it has so many bytes.
const BATCH_BYTES_MAX: usize = 32 * 1024;

/// One connection.
struct Client {
    stream: TcpStream,
    inbox: Inbox,
    out: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, id: &str, login: Option<&Login>) -> Result<Self> {
        let stream = TcpStream::connect(address).context("can't reach the broker")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream,
            inbox: Inbox::new(),
            out: packet::connect(id, login),
        };
        client.flush()?;
        match client.next()? {
            Packet::ConnAck { code: 0 } => Ok(client),
            answer => bail!("{id} is not let in: {answer:?}"),
        }
    }

    fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        self.out.extend(packet::subscribe(filter, qos));
        self.flush()?;
        loop {
            match self.next()? {
                Packet::SubAck { code } if code == qos => return Ok(()),
                Packet::SubAck { code } => bail!("{filter} is refused: {code:#x}"),
                // Retained messages may come before the answer.
                _ => {}
            }
        }
    }

    /// Waits for a packet.
    fn next(&mut self) -> Result<Packet<'_>> {
        while !self.inbox.holds_packet()? {
            self.inbox.fill(&mut self.stream)?;
        }
        let packet = self.inbox.take()?;
        packet.context("a packet that was there is gone")
    }

    /// Reads once where there is something to read.
    fn fill(&mut self) -> Result<()> {
        match self.inbox.fill(&mut self.stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..written);
        Ok(())
    }

    fn interest(&self) -> PollFd<'_> {
        let write = if self.out.is_empty() {
            PollFlags::empty()
        } else {
            PollFlags::OUT
        };
        PollFd::new(&self.stream, PollFlags::IN | write)
    }
}

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
    /// Appends the event of its next rule.
    fn play(&mut self, route: &Route, ledger: &mut Ledger<'_>, qos: u8) -> usize {
        let ix = self.rules[self.played % self.rules.len()];
        self.played += 1;
        let rule: &Rule = &route.rules[ix];
        let mut digits = [0; 20];
        let value = decimal(ledger.send(ix), &mut digits);
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let topic = route.events[rule.producer].as_bytes();
        packet::publish(
            &mut self.client.out,
            topic,
            &[&rule.before, value, AFTER],
            qos,
            self.packet_id,
        );
        self.open += 1;
        self.unacknowledged += u64::from(qos);
        ix
    }

    fn take_acks(&mut self) -> Result<()> {
        while let Some(packet) = self.client.inbox.take()? {
            self.unacknowledged -= u64::from(packet == Packet::PubAck);
        }
        Ok(())
    }
}

/// All clients of one measurement.
pub(crate) struct Load<'a> {
    route: &'a Route,
    qos: u8,
    producers: Vec<Producer>,
    consumers: Vec<Client>,
    /// Events sent so far; keeps the values of measurements apart.
    sent: u64,
}

/// What a saturated run saw.
pub(crate) struct Saturated {
    /// Commands a second, once the pipe is full.
    pub(crate) commands_per_s: f64,
    pub(crate) commands: u64,
    pub(crate) faults: Faults,
}

impl<'a> Load<'a> {
    /// Connects everybody; consumers subscribe at this QoS.
    ///
    /// # Errors
    /// The broker lets somebody not in.
    pub(crate) fn connect(address: SocketAddr, route: &'a Route, qos: u8) -> Result<Self> {
        let mut consumers = Vec::new();
        for ix in 0..CONSUMERS {
            let mut client = Client::connect(
                address,
                &format!("consumer-{ix}"),
                route.consumer_logins.get(ix),
            )?;
            for filter in &route.filters[ix] {
                client.subscribe(filter, qos)?;
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
            route,
            qos,
            producers,
            consumers,
            sent: 0,
        })
    }

    /// One event at a time, from the write of the event to the command at its consumer, in microseconds.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn closed_loop(&mut self, round_trips: usize) -> Result<(Vec<f64>, Faults)> {
        self.set_nonblocking(false)?;
        let mut ledger = Ledger::new(self.route, self.sent);
        self.sent += round_trips as u64;
        let mut latencies_us = Vec::with_capacity(round_trips);
        for round in 0..round_trips {
            let producer = &mut self.producers[round % PRODUCERS];
            let rule = producer.play(self.route, &mut ledger, self.qos);
            let consumer = self.route.rules[rule].consumer;
            let start = Instant::now();
            producer.client.flush()?;
            if await_command(&mut self.consumers[consumer], consumer, &mut ledger)? {
                latencies_us.push(start.elapsed().as_secs_f64() * 1e6);
            }
            // Acks are no part of the way of an event, and must not meet the next one.
            self.consumers[consumer].flush()?;
            while self.qos == 1 && producer.unacknowledged > 0 {
                let ack = producer.client.next()? == Packet::PubAck;
                producer.unacknowledged -= u64::from(ack);
            }
            producer.open = 0;
        }
        Ok((latencies_us, ledger.close()))
    }

    /// All producers at once, each with a window of events on their way, for `duration` after a warm-up.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn saturated(&mut self, duration: Duration) -> Result<Saturated> {
        self.set_nonblocking(true)?;
        let mut ledger = Ledger::new(self.route, self.sent);
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
                (before, since) = (ledger.received(), Some(now));
            }
            for producer in &mut self.producers {
                top_up(producer, self.route, &mut ledger, self.qos)?;
            }
            if self.turn(&mut ledger)? {
                last_arrival = now;
            }
        }
        let elapsed = since.unwrap_or(start).elapsed();
        let commands = ledger.received();
        self.drain(&mut ledger)?;
        self.sent += commands + ledger.open();
        Ok(Saturated {
            commands_per_s: (commands - before) as f64 / elapsed.as_secs_f64(),
            commands: ledger.received(),
            faults: ledger.close(),
        })
    }

    /// Waits for what is on its way; gives up where nothing comes.
    fn drain(&mut self, ledger: &mut Ledger<'_>) -> Result<()> {
        let mut last_arrival = Instant::now();
        let unacknowledged = |load: &Self| load.producers.iter().any(|p| p.unacknowledged > 0);
        while (ledger.open() > 0 || unacknowledged(self)) && last_arrival.elapsed() < PATIENCE {
            if self.turn(ledger)? {
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
    fn turn(&mut self, ledger: &mut Ledger<'_>) -> Result<bool> {
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

        let before = ledger.received();
        for (ix, _) in consumers
            .iter()
            .enumerate()
            .filter(|(_, flags)| readable(flags))
        {
            let client = &mut self.consumers[ix];
            client.fill()?;
            while let Some(packet) = client.inbox.take()? {
                if let Some(rule) = command(packet, ix, ledger, &mut client.out) {
                    self.producers[self.route.rules[rule].producer].open -= 1;
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
        Ok(ledger.received() > before)
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
fn top_up(producer: &mut Producer, route: &Route, ledger: &mut Ledger<'_>, qos: u8) -> Result<()> {
    let window = WINDOW[usize::from(qos)];
    if !producer.client.out.is_empty() {
        return Ok(());
    }
    while producer.open.max(producer.unacknowledged) < window
        && producer.client.out.len() < BATCH_BYTES_MAX
    {
        producer.play(route, ledger, qos);
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

/// Acknowledges and books a command; gives the rule of its event. What was retained is from before.
fn command(
    packet: Packet<'_>,
    consumer: usize,
    ledger: &mut Ledger<'_>,
    out: &mut Vec<u8>,
) -> Option<usize> {
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
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::mosquitto, shell};

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 1_234_567, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
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
        for qos in [0, 1] {
            let mut load = Load::connect(server.address, &route, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(50).expect("it relays");
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
