//! One sample of each system at one QoS: they take turns at each pace. Called by the bench.

use std::time::Duration;

use anyhow::Result;

use super::{
    Bench, Side,
    generator::Load,
    ledger::{Faults, Ledger},
    report::{self, RATES, Sample},
    stats::Latency,
};

/// Turns that the sides take at one event at a time.
const SLICES: usize = 10;

/// Between two events one at a time: time for a broker to get done with acks. Without it a broker that is slow with
/// acks is found awake by the event behind them, and rewarded for it.
const PAUSE: Duration = Duration::from_micros(100);

/// Between two events of a quiet house: who sleeps at all is asleep, and its processor as well.
const REST: Duration = Duration::from_millis(2);

/// Of so many events one at a time, one from rest is measured too.
const RESTED_SHARE: usize = 20;

/// Events one at a time.
#[derive(Clone, Debug, Default)]
struct OneByOne {
    latencies_us: Vec<f64>,
    /// Processor time that the system took for all of them, in seconds.
    cpu_s: f64,
}

impl Bench<'_> {
    /// One sample of each side; events at a rate where it is everybody's house.
    pub(super) fn samples(
        &self,
        sides: &[Side],
        ledgers: &mut [Ledger<'_>],
        qos: u8,
        has_rates: bool,
    ) -> Result<Vec<Sample>> {
        let before: Vec<u64> = ledgers.iter().map(|ledger| ledger.received()).collect();
        let all = sides.iter().zip(&mut *ledgers);
        let connect = |(side, ledger): (&Side, _)| Load::connect(&side.server.door, ledger, qos);
        let mut loads: Vec<Load<'_, '_>> = all.map(connect).collect::<Result<_>>()?;
        let mut samples = vec![Sample::default(); sides.len()];

        let processes: Vec<u32> = sides.iter().flat_map(|side| side.server.ids()).collect();
        self.processors.part(&processes);
        self.one_at_a_time(sides, &mut loads, &mut samples)?;
        if has_rates {
            self.at_a_rate(&mut loads, &mut samples)?;
        }
        self.processors.join(&processes);
        for ((side, load), sample) in sides.iter().zip(&mut loads).zip(&mut samples) {
            let cpu_s = side.server.cpu_s()?;
            let saturated = load.saturated(self.options.saturated)?;
            let cpu_s = side.server.cpu_s()? - cpu_s;
            sample.commands_per_s = saturated.commands_per_s;
            sample.cpu_s = cpu_s * 1e5 / saturated.commands as f64;
            sample.load_share = saturated.load_share;
            sample.faults.add(saturated.faults);
        }
        drop(loads);
        for ((ledger, before), sample) in ledgers.iter().zip(before).zip(&mut samples) {
            sample.commands = ledger.received() - before;
        }
        Ok(samples)
    }

    fn at_a_rate(&self, loads: &mut [Load<'_, '_>], samples: &mut [Sample]) -> Result<()> {
        for (ix, rate) in RATES.into_iter().enumerate() {
            for (load, sample) in loads.iter_mut().zip(&mut *samples) {
                let open = load.open_loop(rate, self.options.paced)?;
                sample.open[ix] = Latency::of(&open.latencies_us);
                sample.late_p99_us[ix] = Latency::of(&open.late_us).p99_us;
                sample.faults.add(open.faults);
            }
        }
        Ok(())
    }

    fn one_at_a_time(
        &self,
        sides: &[Side],
        loads: &mut [Load<'_, '_>],
        samples: &mut [Sample],
    ) -> Result<()> {
        let mut faults = vec![Faults::default(); sides.len()];
        let mut take_turns = |round_trips: usize, pause| -> Result<Vec<OneByOne>> {
            let mut taken = vec![OneByOne::default(); sides.len()];
            for slice in 0..=SLICES {
                for (ix, load) in loads.iter_mut().enumerate() {
                    if slice == 1 {
                        // It does nothing while others have their turn.
                        taken[ix].cpu_s = -sides[ix].server.cpu_s()?;
                    }
                    let (us, slice_faults) = load.closed_loop(round_trips / SLICES, pause)?;
                    faults[ix].add(slice_faults);
                    // The first events find cold caches everywhere.
                    if slice > 0 {
                        taken[ix].latencies_us.extend(us);
                    }
                }
            }
            for (one_by_one, side) in taken.iter_mut().zip(sides) {
                one_by_one.cpu_s += side.server.cpu_s()?;
            }
            Ok(taken)
        };
        let paced = take_turns(self.options.round_trips, PAUSE)?;
        let rested = take_turns(self.options.round_trips / RESTED_SHARE, REST)?;
        for (ix, sample) in samples.iter_mut().enumerate() {
            let us = &paced[ix].latencies_us;
            sample.closed = Latency::of(us);
            sample.closed_cpu_s = paced[ix].cpu_s * 1e5 / us.len().max(1) as f64;
            sample.step_share = report::step_share(us);
            sample.rested = Latency::of(&rested[ix].latencies_us);
            sample.faults.add(faults[ix]);
        }
        Ok(())
    }
}
