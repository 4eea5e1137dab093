//! The numbers of all runs, as a table with floors. Called by the bench; measures nothing.

use std::{collections::BTreeMap, fmt::Write as _};

use super::ledger::Faults;

/// Commands a second at QoS 0, in times of mosquitto's.
const SATURATED_RATIO_MIN: f64 = 3.0;
/// Median latency of one event at a time, in times of mosquitto's.
const LATENCY_RATIO_MAX: f64 = 1.0;
/// Idle with [`RSS_RULES`] rules.
const RSS_MIB_MAX: f64 = 40.0;
const RSS_RULES: usize = 10_000;
/// From start to the first client let in, with [`READY_RULES`] rules.
const READY_MS_MAX: f64 = 150.0;
const READY_RULES: usize = 1_000;
/// Share of events that take 35 to 45 ms: where delayed acknowledgements of TCP meet Nagle's algorithm, many do.
const STEP_SHARE_MAX: f64 = 0.001;

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Mosquitto,
    Ours,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto, bare relay",
            Self::Ours => "iot-control",
        }
    }
}

/// One run at one QoS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Median where everybody had gone to sleep before each event.
    pub(crate) rested_p50_us: f64,
    /// Processor time of the broker for 100,000 events one at a time, in seconds.
    pub(crate) paced_cpu_s: f64,
    /// Events that took 35 to 45 ms, as a share of all.
    pub(crate) step_share: f64,
    pub(crate) commands_per_s: f64,
    /// Processor time of the broker for 100,000 commands at saturation, in seconds.
    pub(crate) cpu_s: f64,
    pub(crate) faults: Faults,
}

/// Events one at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct OneByOne {
    pub(crate) latencies_us: Vec<f64>,
    /// Processor time that the broker took for all of them, in seconds.
    pub(crate) cpu_s: f64,
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
    /// What was measured where.
    pub(crate) title: String,
    /// By rules, QoS, system.
    pub(crate) samples: BTreeMap<(usize, u8, System), Vec<Sample>>,
    /// By rules, system.
    pub(crate) starts: BTreeMap<(usize, System), Vec<Start>>,
}

/// A promise, and whether it is kept.
#[derive(Debug, PartialEq)]
pub(crate) struct Floor {
    what: String,
    pub(crate) holds: bool,
}

impl Report {
    /// Tables and floors as Markdown.
    pub(crate) fn markdown(&self) -> String {
        // Writing to a string doesn't fail.
        let mut text = format!("{}\n\n", self.title);
        text.push_str("| rules | QoS | | p50 us | p99 us | p50 us from rest | commands/s | CPU s per 100 k: one at a time | saturated | lost | wrong | twice |\n");
        text.push_str("|---:|---:|---|---|---|---|---|---|---:|---:|---:|\n");
        for ((rules, qos, system), samples) in &self.samples {
            let column = |of: fn(&Sample) -> f64| Spread::of(samples.iter().map(of));
            let faults = sum(samples);
            let _ = writeln!(
                text,
                "| {rules} | {qos} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} | {} | {} | {} |",
                system.name(),
                column(|sample| sample.p50_us),
                column(|sample| sample.p99_us),
                column(|sample| sample.rested_p50_us),
                column(|sample| sample.commands_per_s),
                column(|sample| sample.paced_cpu_s),
                column(|sample| sample.cpu_s),
                faults.lost,
                faults.wrong,
                faults.duplicates
            );
        }
        text.push_str("\n| rules | | ready ms | RSS MiB idle | RSS MiB after load |\n|---:|---|---|---|---|\n");
        for ((rules, system), starts) in &self.starts {
            let column = |of: fn(&Start) -> f64| Spread::of(starts.iter().map(of));
            let _ = writeln!(
                text,
                "| {rules} | {} | {:.0} | {:.1} | {:.1} |",
                system.name(),
                column(|start| start.ready_ms),
                column(|start| start.idle_mib),
                column(|start| start.loaded_mib)
            );
        }
        text.push('\n');
        for floor in self.floors() {
            let word = if floor.holds { "pass" } else { "FAIL" };
            let _ = writeln!(text, "- {word}: {}", floor.what);
        }
        text
    }

    /// What we promise, held against these runs.
    pub(crate) fn floors(&self) -> Vec<Floor> {
        let mut floors = Vec::new();
        for (rules, qos) in self.cases() {
            floors.extend(self.throughput(rules, qos));
            floors.extend(self.latency(rules, qos));
            floors.extend(self.rested(rules, qos));
            floors.extend(self.faultless(rules, qos));
        }
        let median = |rules, of: fn(&Start) -> f64| {
            let starts = self.starts.get(&(rules, System::Ours))?;
            Some(Spread::of(starts.iter().map(of)).median)
        };
        floors.extend(median(RSS_RULES, |start| start.idle_mib).map(|mib| Floor {
            what: format!("idle with {RSS_RULES} rules: {mib:.1} MiB, below {RSS_MIB_MAX}"),
            holds: mib < RSS_MIB_MAX,
        }));
        floors.extend(median(READY_RULES, |start| start.ready_ms).map(|ms| Floor {
            what: format!("ready with {READY_RULES} rules: {ms:.0} ms, at most {READY_MS_MAX}"),
            holds: ms <= READY_MS_MAX,
        }));
        floors
    }

    fn cases(&self) -> Vec<(usize, u8)> {
        let mut cases: Vec<_> = self
            .samples
            .keys()
            .map(|(rules, qos, _)| (*rules, *qos))
            .collect();
        cases.dedup();
        cases
    }

    /// Ours over mosquitto's: of each run, in which both take turns, then the median. A machine that is slower
    /// for a whole run is so for both.
    fn ratio(&self, rules: usize, qos: u8, of: fn(&Sample) -> f64) -> Option<f64> {
        let samples = |system| self.samples.get(&(rules, qos, system));
        let runs = samples(System::Ours)?
            .iter()
            .zip(samples(System::Mosquitto)?);
        Some(Spread::of(runs.map(|(ours, theirs)| of(ours) / of(theirs))).median)
    }

    fn throughput(&self, rules: usize, qos: u8) -> Option<Floor> {
        let ratio = self.ratio(rules, qos, |sample| sample.commands_per_s)?;
        let (promise, holds) = match qos {
            0 => (
                format!(", at least {SATURATED_RATIO_MIN}"),
                ratio >= SATURATED_RATIO_MIN,
            ),
            _ => (String::new(), true),
        };
        let what =
            format!("{rules} rules, QoS {qos}: commands/s {ratio:.2} times mosquitto's{promise}");
        Some(Floor { what, holds })
    }

    fn latency(&self, rules: usize, qos: u8) -> Option<Floor> {
        let ratio = self.ratio(rules, qos, |sample| sample.p50_us)?;
        let what = format!(
            "{rules} rules, QoS {qos}: p50 {ratio:.2} times mosquitto's, at most {LATENCY_RATIO_MAX}"
        );
        Some(Floor {
            what,
            holds: ratio <= LATENCY_RATIO_MAX,
        })
    }

    /// Reported; nothing is promised.
    fn rested(&self, rules: usize, qos: u8) -> Option<Floor> {
        let ratio = self.ratio(rules, qos, |sample| sample.rested_p50_us)?;
        Some(Floor {
            what: format!("{rules} rules, QoS {qos}: p50 from rest {ratio:.2} times mosquitto's"),
            holds: true,
        })
    }

    fn faultless(&self, rules: usize, qos: u8) -> Option<Floor> {
        let samples = self.samples.get(&(rules, qos, System::Ours))?;
        let step = samples
            .iter()
            .map(|sample| sample.step_share)
            .fold(0.0, f64::max);
        let faults = sum(samples);
        let what = format!(
            "{rules} rules, QoS {qos}: {} lost, {} wrong, {} twice; {:.2} % of events at 40 ms",
            faults.lost,
            faults.wrong,
            faults.duplicates,
            step * 100.0
        );
        Some(Floor {
            what,
            holds: faults.none() && step <= STEP_SHARE_MAX,
        })
    }
}

fn sum(samples: &[Sample]) -> Faults {
    let mut faults = Faults::default();
    for sample in samples {
        faults.add(sample.faults);
    }
    faults
}

/// What a sample has of events one at a time: a little apart, and from rest.
pub(crate) fn one_by_one(paced: &OneByOne, rested: &OneByOne) -> Sample {
    let us = sorted(&paced.latencies_us);
    let step = us
        .iter()
        .filter(|us| (35_000.0..45_000.0).contains(*us))
        .count();
    Sample {
        p50_us: at(&us, 0.5),
        p99_us: at(&us, 0.99),
        rested_p50_us: at(&sorted(&rested.latencies_us), 0.5),
        paced_cpu_s: paced.cpu_s * 1e5 / us.len().max(1) as f64,
        step_share: step as f64 / us.len().max(1) as f64,
        ..Sample::default()
    }
}

fn sorted(us: &[f64]) -> Vec<f64> {
    let mut us = us.to_vec();
    us.sort_by(f64::total_cmp);
    us
}

/// Where no command ever came, no latency is good enough.
fn at(sorted_us: &[f64], share: f64) -> f64 {
    let place = (sorted_us.len() as f64 * share) as usize;
    let us = sorted_us.get(place).or(sorted_us.last());
    us.copied().unwrap_or(f64::INFINITY)
}

/// Median, least and most of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |ix: usize| values.get(ix).copied().unwrap_or(f64::NAN);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            at(half)
        } else {
            (at(half.saturating_sub(1)) + at(half)) / 2.0
        };
        Self {
            median,
            min: at(0),
            max: at(values.len().saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(0);
        write!(
            f,
            "{:.digits$} ({:.digits$}-{:.digits$})",
            self.median, self.min, self.max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ours: Sample, start: Start) -> Report {
        let mut report = Report::default();
        let mosquitto = Sample {
            p50_us: 70.0,
            commands_per_s: 50_000.0,
            ..Sample::default()
        };
        report
            .samples
            .insert((1_000, 0, System::Mosquitto), vec![mosquitto]);
        report.samples.insert((1_000, 0, System::Ours), vec![ours]);
        report.starts.insert((1_000, System::Ours), vec![start]);
        report.starts.insert((10_000, System::Ours), vec![start]);
        report
    }

    fn good() -> (Sample, Start) {
        let sample = Sample {
            p50_us: 60.0,
            commands_per_s: 300_000.0,
            ..Sample::default()
        };
        let start = Start {
            ready_ms: 40.0,
            idle_mib: 12.0,
            loaded_mib: 14.0,
        };
        (sample, start)
    }

    fn broken(sample: Sample, start: Start) -> Vec<String> {
        let floors = report(sample, start).floors();
        floors
            .into_iter()
            .filter(|floor| !floor.holds)
            .map(|floor| floor.what)
            .collect()
    }

    #[test]
    fn good_runs_keep_every_promise() {
        let (sample, start) = good();
        assert_eq!(broken(sample.clone(), start), Vec::<String>::new());
        let text = report(sample, start).markdown();
        assert!(
            text.contains("| 1000 | 0 | iot-control | 60 (60-60) |"),
            "{text}"
        );
        assert!(
            text.contains("- pass: 1000 rules, QoS 0: commands/s 6.00 times"),
            "{text}"
        );
    }

    #[test]
    fn each_promise_can_be_broken() {
        let (sample, start) = good();
        let lost = Faults {
            lost: 1,
            ..Faults::default()
        };
        for (planted, why) in [
            (
                Sample {
                    commands_per_s: 149_000.0,
                    ..sample.clone()
                },
                "commands/s 2.98",
            ),
            (
                Sample {
                    p50_us: 71.0,
                    ..sample.clone()
                },
                "p50 1.01",
            ),
            (
                Sample {
                    faults: lost,
                    ..sample.clone()
                },
                "1 lost",
            ),
            (
                Sample {
                    step_share: 0.02,
                    ..sample
                },
                "2.00 % of events at 40 ms",
            ),
        ] {
            let broken = broken(planted, start);
            assert!(broken.len() == 1 && broken[0].contains(why), "{broken:?}");
        }
        for (planted, why) in [
            (
                Start {
                    idle_mib: 40.0,
                    ..start
                },
                "40.0 MiB",
            ),
            (
                Start {
                    ready_ms: 151.0,
                    ..start
                },
                "151 ms",
            ),
        ] {
            let broken = broken(sample.clone(), planted);
            assert!(broken.len() == 1 && broken[0].contains(why), "{broken:?}");
        }
    }

    #[test]
    fn a_spread_is_median_least_and_most() {
        assert_eq!(
            format!("{:.1}", Spread::of([3.0, 1.0, 2.0].into_iter())),
            "2.0 (1.0-3.0)"
        );
        assert_eq!(
            format!("{:.1}", Spread::of([3.0, 1.0].into_iter())),
            "2.0 (1.0-3.0)"
        );
    }

    #[test]
    fn events_one_at_a_time_tell_their_percentiles_the_step_and_their_cost() {
        let paced = OneByOne {
            latencies_us: (1..=100).map(f64::from).chain([40_000.0]).collect(),
            cpu_s: 0.0101,
        };
        let rested = OneByOne {
            latencies_us: vec![90.0, 70.0, 80.0],
            cpu_s: 1.0,
        };
        let sample = one_by_one(&paced, &rested);
        assert_eq!((sample.p50_us, sample.p99_us), (51.0, 100.0));
        assert_eq!(sample.rested_p50_us, 80.0);
        assert!((sample.paced_cpu_s - 10.0).abs() < 1e-9);
        assert!((sample.step_share - 1.0 / 101.0).abs() < 1e-9);
        let nothing = OneByOne::default();
        assert_eq!(one_by_one(&nothing, &nothing).p50_us, f64::INFINITY);
    }
}
