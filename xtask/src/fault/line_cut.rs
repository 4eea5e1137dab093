//! Lines that break: between the modules and the dispatcher stands a relay that cuts each connection every few seconds, in the
//! middle of whatever is on its way. Nothing acknowledged is lost, and the stage is at its targets soon after the last cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Way,
    findings::Findings,
    rig::{Dice, House, SOURCES, Steady, Tally, mapping},
};

const PER_S: u32 = 400;

const SPAN: Duration = Duration::from_secs(10 * 60);

const QUICK_SPAN: Duration = Duration::from_secs(4);

/// After the last cut.
const CONVERGES_S_MAX: f64 = 2.0;

const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or lets somebody not in again.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let house = House::new(way, "line-cut", &mapping(""))?;
    let logins = Steady::logins(&house)?;
    let server = house.start(&logins[0])?;
    let relay = Relay::to(server.door.address)?;
    let mut dice = Dice::new(way.seed);
    let span = way
        .span
        .unwrap_or(if way.quick { QUICK_SPAN } else { SPAN });
    let end = Instant::now() + span;
    let (mut tally, mut cuts) = (Tally::default(), 0);
    let mut looks = Looks::default();
    while Instant::now() < end {
        let mut steady = Steady::join(relay.address, &logins, &tally, PER_S)?;
        // Now that others took over from them, nothing of the lines that were cut comes any more.
        looks.look(&counted(&house)?, &tally);
        let pause = if way.quick { 200..800 } else { 1_000..5_000 };
        let cut_at = Instant::now() + Duration::from_millis(dice.within(pause));
        let mut is_cut = false;
        // Until the cut shows.
        while steady.beat().is_ok() {
            if !is_cut && Instant::now() >= cut_at {
                is_cut = true;
                cuts += 1;
                relay.cut(&mut dice);
            }
        }
        tally = steady.last_words();
    }
    let last = Instant::now();
    let mut steady = Steady::join(relay.address, &logins, &tally, PER_S)?;
    looks.look(&counted(&house)?, &tally);
    steady.beat()?;
    steady.settle(PATIENCE)?;
    let converged = last.elapsed().as_secs_f64();
    let tally = steady.tally.clone();

    let mut findings = Findings::default();
    findings.note(format!(
        "{cuts} cuts in {:.0} s: {} reported, {} acknowledged",
        span.as_secs_f64(),
        tally.all_sent(),
        tally.all_acked()
    ));
    looks.look(&counted(&house)?, &tally);
    findings.none("acknowledged reports lost", looks.lost);
    findings.none("reports counted that nobody made", looks.doubled());
    findings.none("stale targets told", tally.stale);
    findings.none("panics", house.panics());
    findings.timed(
        way,
        "from the last cut to the newest targets",
        converged,
        CONVERGES_S_MAX,
        "s",
    );
    Ok(findings)
}

/// What the house counted of each source.
fn counted(house: &House) -> Result<[u64; SOURCES]> {
    let state = house.ask_json(&["state", "--json"])?;
    let mut counted = [0; SOURCES];
    for (ix, counted) in counted.iter_mut().enumerate() {
        *counted = house.number(&state, &format!("n{ix}"))?;
    }
    Ok(counted)
}

/// What was counted and acknowledged from one look to the next: over all of them, reports that were counted without an answer
/// would make up for those that are lost.
#[derive(Default)]
struct Looks {
    lost: u64,
    /// At the last look.
    counted: [u64; SOURCES],
    acked: [u64; SOURCES],
    sent: [u64; SOURCES],
}

impl Looks {
    fn look(&mut self, counted: &[u64; SOURCES], tally: &Tally) {
        let counted_before = counted.iter().zip(&self.counted);
        let acked_before = tally.acked.iter().zip(&self.acked);
        for ((counted, before), (acked, acked_before)) in counted_before.zip(acked_before) {
            let since = counted.saturating_sub(*before);
            self.lost += (acked - acked_before).saturating_sub(since);
        }
        (self.counted, self.acked, self.sent) = (*counted, tally.acked, tally.sent);
    }

    /// Over all of them.
    fn doubled(&self) -> u64 {
        let both = self.counted.iter().zip(&self.sent);
        both.map(|(counted, sent)| counted.saturating_sub(*sent))
            .sum()
    }
}

/// Passes bytes on, both ways, on a thread for each.
struct Relay {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl Relay {
    fn to(broker: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        let relay = Self {
            address: listener.local_addr()?,
            open: Arc::default(),
            is_over: Arc::default(),
        };
        let (open, is_over) = (Arc::clone(&relay.open), Arc::clone(&relay.is_over));
        thread::spawn(move || {
            for module in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(dispatcher) = TcpStream::connect(broker) else {
                    continue;
                };
                // Where a clone fails, that line is dead from the start.
                let ends = [&module, &dispatcher].map(TcpStream::try_clone);
                let [Ok(module_end), Ok(dispatcher_end)] = ends else {
                    continue;
                };
                let both = [&module_end, &dispatcher_end].map(TcpStream::try_clone);
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                open.extend(both.into_iter().flatten());
                thread::spawn(move || pass(module, dispatcher_end));
                thread::spawn(move || pass(dispatcher, module_end));
            }
        });
        Ok(relay)
    }

    /// Cuts all lines: each at once or one way first, so that what is on its way gets through by halves.
    fn cut(&self, dice: &mut Dice) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for line in open.drain(..) {
            let how = match dice.within(0..3) {
                0 => Shutdown::Read,
                1 => Shutdown::Write,
                _ => Shutdown::Both,
            };
            // It may have ended before.
            let _ = line.shutdown(how);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Its thread hears of it with the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// Passes on in pieces that end anywhere within a packet.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = [0; 37];
    while let Ok(bytes @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..bytes]).is_err() {
            break;
        }
    }
    // Half a line is none.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_counted_without_an_answer_makes_up_for_none_that_is_lost_at_another_cut() {
        let mut looks = Looks::default();
        let mut tally = Tally::default();
        (tally.sent[0], tally.acked[0]) = (12, 10);
        let mut counted = [0; SOURCES];
        counted[0] = 12;
        looks.look(&counted, &tally);
        assert_eq!((looks.lost, looks.doubled()), (0, 0));
        (tally.sent[0], tally.acked[0]) = (22, 20);
        counted[0] = 21;
        looks.look(&counted, &tally);
        assert_eq!((looks.lost, looks.doubled()), (1, 0));
        counted[0] = 23;
        looks.look(&counted, &tally);
        assert_eq!((looks.lost, looks.doubled()), (1, 1));
    }
}
