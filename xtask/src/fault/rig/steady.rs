//! Sources that report at a steady pace and a stage that gets a target for each report: nothing acknowledged may be lost on
//! the way, and no target may be older than one that was told before.
//!
//! Each source numbers its reports from 1. A rule makes the number the angle of the source's servo, and counts the report in
//! a variable: the first tells whether a target is stale, the second whether a report was lost.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{House, Module, Told};
use crate::bench::broker::packet::Login;

/// Modules that report.
pub(crate) const SOURCES: usize = 8;

/// Numbers that a report can carry: a MIDI control's number and value, of 0..=127 each.
const NUMBERS: u64 = 128 * 128;

/// `mapping.toml` of such a house, with more devices and rules.
pub(crate) fn mapping(more: &str) -> String {
    let mut text = "format = 1\n\n[device.stage]\nid = 101\n".to_owned();
    // Writing to a string doesn't fail.
    for ix in 0..SOURCES {
        let max = NUMBERS - 1;
        let _ = writeln!(
            text,
            "io.servo{ix} = {{ kind = \"servo\", min = 0, max = {max} }}"
        );
    }
    text.push_str("\n[var]\n");
    for ix in 0..SOURCES {
        let _ = writeln!(
            text,
            "n{ix} = {{ kind = \"number\", start = 0, keep = true }}"
        );
    }
    for ix in 0..SOURCES {
        let _ = write!(
            text,
            "\n[device.source{ix}]\nid = {}\nio.keys = {{ kind = \"midi\" }}\n\n\
             [rule.turn{ix}]\nwhen = \"source{ix}.keys.control\"\n\
             do = [{{ var = \"n{ix}\", to = \"${{var.n{ix} + 1}}\" }}, \
             {{ set = \"stage.servo{ix}\", angle = \"${{event.number * 128 + event.value}}\" }}]\n",
            ix + 1
        );
    }
    text + more
}

/// What was reported and told, over all starts of the dispatcher.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Numbers that each source has given.
    pub(crate) sent: [u64; SOURCES],
    /// Reports of each that were acknowledged.
    pub(crate) acked: [u64; SOURCES],
    /// The newest number of each that was acknowledged.
    newest_acked: [u64; SOURCES],
    /// The same when the stage connected: what it is told is no older.
    floor: [u64; SOURCES],
    /// The newest number of each that came back as a target, since the stage connected.
    told: [Option<u64>; SOURCES],
    /// Targets that came.
    pub(crate) targets: u64,
    /// Targets that were older than what was acknowledged before the stage connected, or than one that it had.
    pub(crate) stale: u64,
}

impl Tally {
    /// Reports of all sources so far.
    pub(crate) fn all_sent(&self) -> u64 {
        self.sent.iter().sum()
    }

    /// Those that were acknowledged.
    pub(crate) fn all_acked(&self) -> u64 {
        self.acked.iter().sum()
    }

    /// Books a target.
    fn take(&mut self, told: &Told) {
        let source = told.topic.strip_prefix("iot/stage/servo");
        let source = source.and_then(|rest| rest.strip_suffix("/target")?.parse::<usize>().ok());
        let angle = told.payload["angle"].as_f64();
        let (Some(ix), Some(angle)) = (source.filter(|ix| *ix < SOURCES), angle) else {
            return;
        };
        self.targets += 1;
        let before = self.told[ix].unwrap_or(self.floor[ix]);
        // Numbers begin again after the last one; a step of more than half of them is one back.
        let ahead = (angle as u64 + NUMBERS - before % NUMBERS) % NUMBERS;
        if ahead >= NUMBERS / 2 || before + ahead > self.sent[ix] {
            self.stale += 1;
        } else {
            self.told[ix] = Some(before + ahead);
        }
    }
}

/// The connections of one start.
pub(crate) struct Steady {
    sources: Vec<Module>,
    stage: Module,
    pub(crate) tally: Tally,
    /// What was sent and acknowledged before they connected.
    base: Tally,
    pause: Duration,
    next: Instant,
}

impl Steady {
    /// Logins of all sources, then the stage's.
    ///
    /// # Errors
    /// The house has other devices.
    pub(crate) fn logins(house: &House) -> Result<Vec<Login>> {
        let sources = (0..SOURCES).map(|ix| format!("source{ix}"));
        let names = sources.chain(["stage".to_owned()]);
        names.map(|name| house.device_login(&name)).collect()
    }

    /// Connects all of them; `per_s` reports a second leave them together.
    ///
    /// # Errors
    /// Somebody is not let in.
    pub(crate) fn join(
        address: SocketAddr,
        logins: &[Login],
        tally: &Tally,
        per_s: u32,
    ) -> Result<Self> {
        let tally = Tally {
            told: [None; SOURCES],
            floor: tally.newest_acked,
            ..tally.clone()
        };
        let stage = Module::join(address, &logins[SOURCES], &["iot/stage/+/target"])?;
        let sources = logins[..SOURCES].iter();
        Ok(Self {
            sources: sources
                .map(|login| Module::join(address, login, &[]))
                .collect::<Result<_>>()?,
            stage,
            base: tally.clone(),
            tally,
            pause: Duration::from_secs_f64(SOURCES as f64 / f64::from(per_s)),
            next: Instant::now(),
        })
    }

    /// Waits for the next beat, lets every source report once, and takes what came.
    ///
    /// # Errors
    /// A connection is over.
    pub(crate) fn beat(&mut self) -> Result<()> {
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += self.pause;
        for (ix, source) in self.sources.iter_mut().enumerate() {
            self.tally.sent[ix] += 1;
            let number = self.tally.sent[ix] % NUMBERS;
            let payload = format!(
                "{{\"event\":\"control\",\"number\":{},\"value\":{}}}",
                number / 128,
                number % 128
            );
            source.report(&format!("iot/source{ix}/keys/event"), &payload)?;
        }
        self.listen()
    }

    /// Beats for so long.
    ///
    /// # Errors
    /// A connection is over.
    pub(crate) fn run(&mut self, span: Duration) -> Result<()> {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.beat()?;
        }
        Ok(())
    }

    /// Takes what came.
    ///
    /// # Errors
    /// A connection is over.
    pub(crate) fn listen(&mut self) -> Result<()> {
        for source in &mut self.sources {
            source.take()?;
        }
        self.book();
        for told in self.stage.take()? {
            self.tally.take(&told);
        }
        Ok(())
    }

    /// Waits until all is acknowledged and the stage has its newest targets.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub(crate) fn settle(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            self.listen()?;
            let unacked: u64 = self.sources.iter().map(Module::unacked).sum();
            let behind = self.behind();
            if unacked == 0 && behind == 0 {
                return Ok(());
            }
            if start.elapsed() > patience {
                bail!(
                    "{unacked} reports are not acknowledged, {behind} servos not at their target"
                );
            }
            self.stage.wait(Duration::from_millis(5))?;
        }
    }

    /// Servos that were not told the newest number of their source.
    pub(crate) fn behind(&self) -> usize {
        let both = self.tally.told.iter().zip(&self.tally.sent);
        both.filter(|(told, sent)| **sent > 0 && **told != Some(**sent))
            .count()
    }

    /// After the dispatcher's end: what was acknowledged until then.
    pub(crate) fn last_words(self) -> Tally {
        let Self {
            sources,
            mut tally,
            base,
            ..
        } = self;
        for (ix, source) in sources.into_iter().enumerate() {
            note_acked(&mut tally, &base, ix, source.last_words());
        }
        tally
    }

    fn book(&mut self) {
        for (ix, source) in self.sources.iter().enumerate() {
            note_acked(&mut self.tally, &self.base, ix, source.acked);
        }
    }
}

/// So many reports of source `ix` were acknowledged since `base`.
fn note_acked(tally: &mut Tally, base: &Tally, ix: usize, acked: u64) {
    tally.acked[ix] = base.acked[ix] + acked;
    if acked > 0 {
        tally.newest_acked[ix] = base.sent[ix] + acked;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(angle: u64) -> Told {
        Told {
            topic: "iot/stage/servo3/target".to_owned(),
            payload: json!({ "angle": angle }),
        }
    }

    #[test]
    fn a_target_behind_an_acknowledgement_or_another_target_is_stale() {
        let mut tally = Tally::default();
        (tally.sent[3], tally.floor[3]) = (9, 5);
        tally.take(&told(4));
        assert_eq!((tally.stale, tally.told[3]), (1, None));
        tally.take(&told(6));
        tally.take(&told(9));
        assert_eq!((tally.stale, tally.told[3]), (1, Some(9)));
        tally.take(&told(8));
        assert_eq!(tally.stale, 2, "it goes back");
        tally.take(&told(10));
        assert_eq!(tally.stale, 3, "nobody asked for it");
        assert_eq!(tally.targets, 5);
    }

    #[test]
    fn numbers_begin_again_without_a_step_back() {
        let mut tally = Tally::default();
        (tally.sent[3], tally.floor[3]) = (3 * NUMBERS + 5, 3 * NUMBERS - 2);
        tally.take(&told(NUMBERS - 1));
        tally.take(&told(2));
        assert_eq!((tally.stale, tally.told[3]), (0, Some(3 * NUMBERS + 2)));
    }

    #[test]
    fn what_a_killed_dispatcher_did_not_acknowledge_counts_for_nothing() {
        let mut base = Tally::default();
        base.sent[3] = 100;
        base.acked[3] = 90;
        base.newest_acked[3] = 90;
        let mut tally = base.clone();
        note_acked(&mut tally, &base, 3, 0);
        assert_eq!((tally.acked[3], tally.newest_acked[3]), (90, 90));
        note_acked(&mut tally, &base, 3, 2);
        assert_eq!((tally.acked[3], tally.newest_acked[3]), (92, 102));
    }
}
