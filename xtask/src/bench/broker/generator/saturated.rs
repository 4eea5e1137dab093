//! As many events as go, with a window of each producer's on their way.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

use super::{
    super::{
        client::PATIENCE,
        ledger::{Faults, Ledger},
        route::PRODUCERS,
    },
    Load, POLL_MAX, Producer, WINDOW,
};

/// A slow system has this long to bring the first windows' commands: what it does after that is counted anyhow.
const FILL_MAX: Duration = Duration::from_secs(4);

/// A batch is written at the latest when it has so many bytes.
const BATCH_BYTES_MAX: usize = 32 * 1024;

/// What a saturated run saw.
pub(crate) struct Saturated {
    /// Commands a second, once the pipe is full.
    pub(crate) commands_per_s: f64,
    pub(crate) commands: u64,
    /// Share of a processor that the load took itself.
    pub(crate) load_share: f64,
    pub(crate) faults: Faults,
}

impl Load<'_, '_> {
    /// All producers at once, each with a window of events on their way, for `duration` once the pipe is full.
    ///
    /// # Errors
    /// A socket fails.
    pub(crate) fn saturated(&mut self, duration: Duration) -> Result<Saturated> {
        self.set_nonblocking(true)?;
        let at_start = self.ledger.received();
        let (start, busy_s) = (Instant::now(), own_cpu_s());
        let pipe = PRODUCERS as u64 * WINDOW[usize::from(self.qos)];
        let (mut before, mut since) = (0, None);
        let mut last_arrival = start;
        loop {
            let now = Instant::now();
            let is_over = since.is_some_and(|since| now - since >= duration);
            if is_over || now - last_arrival > PATIENCE {
                break;
            }
            let (received, waited) = (self.ledger.received(), now - start);
            let is_full = waited >= duration / 5 && received - at_start >= pipe;
            if since.is_none() && (is_full || waited >= FILL_MAX) {
                (before, since) = (received, Some(now));
            }
            for producer in &mut self.producers {
                top_up(producer, self.ledger, self.qos)?;
            }
            if self.turn(POLL_MAX, |_, _| {})? {
                last_arrival = now;
            }
        }
        let elapsed = since.unwrap_or(start).elapsed();
        let commands = self.ledger.received();
        let load_share = (own_cpu_s() - busy_s) / start.elapsed().as_secs_f64();
        self.drain(|_, _| {})?;
        Ok(Saturated {
            commands_per_s: (commands - before) as f64 / elapsed.as_secs_f64(),
            commands: self.ledger.received() - at_start,
            load_share,
            faults: self.ledger.close(),
        })
    }
}

/// Fills a producer's window and writes, unless its last batch still waits for the socket.
fn top_up(producer: &mut Producer, ledger: &mut Ledger<'_>, qos: u8) -> Result<()> {
    if !producer.client.is_flushed() {
        return Ok(());
    }
    while producer.has_room(ledger, qos) && producer.client.out.len() < BATCH_BYTES_MAX {
        producer.play(ledger, qos);
    }
    producer.client.flush()
}

/// Processor time of this process, in seconds.
fn own_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
