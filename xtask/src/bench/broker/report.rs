//! The numbers of all runs, and what follows from them. Called by the bench and by the promises; measures nothing.

use std::collections::BTreeMap;

use super::{
    idle::Growth,
    ledger::Faults,
    stats::{Latency, Spread},
    systems::System,
};

/// Events a second where they come at a rate.
pub(crate) const RATES: [f64; 2] = [1_000.0, 10_000.0];

/// One run at one QoS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) run: usize,
    /// Events one at a time.
    pub(crate) closed: Latency,
    /// The same where everybody had gone to sleep before each event.
    pub(crate) rested: Latency,
    /// Processor time of the system for 100,000 events one at a time, in seconds.
    pub(crate) closed_cpu_s: f64,
    /// Events one at a time that took 35 to 45 ms, as a share of all.
    pub(crate) step_share: f64,
    /// Events at [`RATES`], from the moment each was due; with [`super::options::RULES`] rules only.
    pub(crate) open: [Latency; RATES.len()],
    /// How much later than due the load wrote 1 % of them, in microseconds.
    pub(crate) late_p99_us: [f64; RATES.len()],
    pub(crate) commands_per_s: f64,
    /// Processor time of the system for 100,000 commands at saturation, in seconds.
    pub(crate) cpu_s: f64,
    /// Share of a processor that the load took at saturation.
    pub(crate) load_share: f64,
    /// Commands that came, at whatever pace.
    pub(crate) commands: u64,
    pub(crate) faults: Faults,
}

/// Where delayed acknowledgements of TCP meet Nagle's algorithm, many events take so long.
const STEP_US: std::ops::Range<f64> = 35_000.0..45_000.0;

/// Which of these latencies are a step, as a share.
pub(crate) fn step_share(us: &[f64]) -> f64 {
    let steps = us.iter().filter(|us| STEP_US.contains(*us)).count();
    steps as f64 / us.len().max(1) as f64
}

/// One start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    pub(crate) ready_ms: f64,
    /// With all clients connected, before any event.
    pub(crate) idle_mib: f64,
    /// After all load.
    pub(crate) loaded_mib: f64,
}

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// By rules, QoS, system.
    pub(crate) samples: BTreeMap<(usize, u8, System), Vec<Sample>>,
    /// By rules, system.
    pub(crate) starts: BTreeMap<(usize, System), Vec<Start>>,
    /// Memory of one idle client.
    pub(crate) idle: BTreeMap<System, Vec<Growth>>,
}

impl Report {
    /// Ours over the bare relay's: of each run, in which both take turns, then the median. A machine that is slower
    /// for a whole run is so for both.
    pub(crate) fn ratio(&self, rules: usize, qos: u8, of: fn(&Sample) -> f64) -> Option<f64> {
        self.over((rules, qos, System::Ours), (rules, qos, System::Relay), of)
    }

    /// Throughput of ours at QoS 0 with so many rules over that with few, by runs.
    pub(crate) fn growth(&self, many: usize, few: usize) -> Option<f64> {
        let of = |sample: &Sample| sample.commands_per_s;
        self.over((many, 0, System::Ours), (few, 0, System::Ours), of)
    }

    /// What the load can take over what ours gives it.
    pub(crate) fn headroom(&self, rules: usize, qos: u8) -> Option<f64> {
        let of = |sample: &Sample| sample.commands_per_s;
        self.over((rules, qos, System::Null), (rules, qos, System::Ours), of)
    }

    fn over(
        &self,
        above: (usize, u8, System),
        below: (usize, u8, System),
        of: fn(&Sample) -> f64,
    ) -> Option<f64> {
        // Not everybody takes part in each run.
        let below = self.samples.get(&below)?;
        let ratio = |above: &Sample| {
            let below = below.iter().find(|below| below.run == above.run)?;
            Some(of(above) / of(below))
        };
        let ratios = self.samples.get(&above)?.iter().filter_map(ratio);
        Some(Spread::of(ratios)?.median)
    }

    /// Median of ours.
    pub(crate) fn start(&self, rules: usize, of: fn(&Start) -> f64) -> Option<f64> {
        let starts = self.starts.get(&(rules, System::Ours))?;
        Some(Spread::of(starts.iter().map(of))?.median)
    }

    /// Median memory of one idle client, in kB.
    pub(crate) fn idle_kb(&self, system: System) -> Option<f64> {
        let idle = self.idle.get(&system)?;
        Some(Spread::of(idle.iter().map(|growth| growth.connected))?.median / 1e3)
    }

    /// The worst of ours in any run.
    pub(crate) fn worst(&self, of: fn(&Sample) -> f64) -> Option<f64> {
        let ours = self
            .samples
            .iter()
            .filter(|((.., system), _)| *system == System::Ours);
        let all = ours.flat_map(|(_, samples)| samples);
        Some(Spread::of(all.map(of))?.max)
    }

    /// Of everybody.
    pub(crate) fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for sample in self.samples.values().flatten() {
            faults.add(sample.faults);
        }
        faults
    }

    /// Commands that were counted, of everybody.
    pub(crate) fn commands(&self) -> u64 {
        let samples = self.samples.values().flatten();
        samples.map(|sample| sample.commands).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_runs_that_took_turns() {
        let mut report = Report::default();
        let runs = |speeds: [f64; 3]| -> Vec<Sample> {
            let sample = |(run, commands_per_s)| Sample {
                run,
                commands_per_s,
                ..Sample::default()
            };
            speeds.into_iter().enumerate().map(sample).collect()
        };
        // The machine was half as fast in the second run: for both.
        report
            .samples
            .insert((10, 0, System::Relay), runs([100.0, 50.0, 100.0]));
        report
            .samples
            .insert((10, 0, System::Ours), runs([500.0, 260.0, 510.0]));
        let ratio = report.ratio(10, 0, |sample| sample.commands_per_s);
        assert!(
            ratio.is_some_and(|ratio| (ratio - 5.1).abs() < 1e-9),
            "{ratio:?}"
        );
        assert_eq!(report.ratio(10, 1, |sample| sample.commands_per_s), None);
        // A run in which only one of them took part says nothing.
        let ours = report.samples.get_mut(&(10, 0, System::Ours));
        ours.expect("it is there").remove(0);
        let ratio = report.ratio(10, 0, |sample| sample.commands_per_s);
        assert!(
            ratio.is_some_and(|ratio| (ratio - 5.15).abs() < 1e-9),
            "{ratio:?}"
        );
    }

    #[test]
    fn steps_are_what_takes_about_40_ms() {
        assert_eq!(step_share(&[50.0, 40_000.0, 46_000.0, 60.0]), 0.25);
        assert_eq!(step_share(&[]), 0.0);
    }
}
