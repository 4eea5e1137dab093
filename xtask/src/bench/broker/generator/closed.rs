//! One event at a time: how long a command takes where nothing else is on its way.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    super::{
        client::{Client, PATIENCE},
        ledger::{Faults, Ledger},
        route::PRODUCERS,
    },
    Load, Producer, command,
};

/// Events of one producer without an acknowledgement where they go one at a time. A broker that keeps them may
/// acknowledge several together, some later than their commands; waiting for each would measure a processor that
/// has gone to sleep meanwhile.
const UNACKNOWLEDGED_MAX: u64 = 16;

/// A slow system gets through fewer events than asked for: it has only so long.
const TIME_MAX: Duration = Duration::from_millis(250);

/// More lost events than this, one at a time, and there is nothing to measure.
const LOST_MAX: usize = 5;

impl Load<'_, '_> {
    /// One event at a time, `pause` after the command for the one before it: from the write of the event to the
    /// command at its consumer, in microseconds. So many at most, and as many as there is time for.
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
        let end = Instant::now() + TIME_MAX;
        for round in 0..round_trips {
            if round >= PRODUCERS && Instant::now() > end {
                break;
            }
            let producer = &mut self.producers[round % PRODUCERS];
            let rule = producer.play(self.ledger, self.qos);
            let consumer_ix = self.ledger.route().rules[rule].consumer;
            let consumer = &mut self.consumers[consumer_ix];
            let start = Instant::now();
            producer.client.flush()?;
            // At QoS 2 a broker may wait for the producer's PUBREL.
            let handshake = (self.qos == 2).then_some(&mut *producer);
            if await_command(consumer, consumer_ix, handshake, self.ledger)? {
                latencies_us.push(start.elapsed().as_secs_f64() * 1e6);
            } else if round - latencies_us.len() >= LOST_MAX {
                bail!("no command comes for most events");
            }
            // Acks are no part of the way of an event: they are read before the producer's next one.
            consumer.flush()?;
            producer.await_acks(UNACKNOWLEDGED_MAX)?;
            thread::sleep(pause);
            producer.open = 0;
        }
        for producer in &mut self.producers {
            producer.await_acks(0)?;
        }
        Ok((latencies_us, self.ledger.close()))
    }
}

/// Reads until the one command that is open has come; false where it doesn't. A producer is answered meanwhile.
fn await_command(
    client: &mut Client,
    consumer: usize,
    mut producer: Option<&mut Producer>,
    ledger: &mut Ledger<'_>,
) -> Result<bool> {
    let is_late = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
    };
    loop {
        while let Some(packet) = client.inbox.take()? {
            if command(packet, consumer, ledger, &mut client.out).is_some() {
                return Ok(true);
            }
        }
        client.flush()?;
        if let Some(producer) = producer.as_deref_mut()
            && !answer_until(client, producer)?
        {
            return Ok(false);
        }
        match client.read_once() {
            Err(error) if is_late(&error) => return Ok(false),
            other => other?,
        }
    }
}

/// Answers a producer until its consumer has something to read; false where nothing comes.
fn answer_until(consumer: &Client, producer: &mut Producer) -> Result<bool> {
    let at_most = Timespec {
        tv_sec: PATIENCE.as_secs() as _,
        tv_nsec: 0,
    };
    loop {
        let mut ready = [
            PollFd::from_borrowed_fd(consumer.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(producer.client.fd(), PollFlags::IN),
        ];
        if poll(&mut ready, Some(&at_most))? == 0 {
            return Ok(false);
        }
        let [command, answer] = ready.map(|ready| !ready.revents().is_empty());
        if answer {
            producer.client.read_once()?;
            producer.take_acks()?;
            producer.client.flush()?;
        }
        if command {
            return Ok(true);
        }
    }
}
