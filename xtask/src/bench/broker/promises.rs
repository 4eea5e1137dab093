//! What we promise of the broker, each with its floor and what we aim at. The table of SPECIFICATION.md says the same,
//! and a test holds the two together. Called by the report.

use std::fmt::Write as _;

use super::{options::RULES, report::Report, systems::System};

/// Rules of a large house.
const RULES_LARGE: usize = 10_000;
/// Far more than any house has: it shows whether rules are looked for or found.
const RULES_MOST: usize = 100_000;
const RULES_FEW: usize = 10;

/// Which side of the floor is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    AtLeast,
    AtMost,
}

/// One promise.
pub(crate) struct Promise {
    what: &'static str,
    side: Side,
    floor: f64,
    aim: f64,
    /// Stands behind the number.
    unit: &'static str,
    /// Nothing where a run doesn't measure it.
    measured: fn(&Report) -> Option<f64>,
}

use Side::{AtLeast, AtMost};

/// All of them, in the order of SPECIFICATION.md.
pub(crate) const PROMISES: [Promise; 13] = [
    Promise {
        what: "commands a second, saturated, QoS 0, 1,000 rules, against mosquitto's bare relay",
        side: AtLeast,
        floor: 5.0,
        aim: 8.0,
        unit: "x",
        measured: |report| report.ratio(RULES, 0, |sample| sample.commands_per_s),
    },
    Promise {
        what: "the same at QoS 1, acknowledged once journalled",
        side: AtLeast,
        floor: 3.0,
        aim: 8.0,
        unit: "x",
        measured: |report| report.ratio(RULES, 1, |sample| sample.commands_per_s),
    },
    Promise {
        what: "p50 one at a time, QoS 0, 10,000 rules, against the bare relay's",
        side: AtMost,
        floor: 1.0,
        aim: 0.8,
        unit: "x",
        measured: |report| report.ratio(RULES_LARGE, 0, |sample| sample.closed.p50_us),
    },
    Promise {
        what: "p50 one at a time, QoS 1, 10,000 rules, against the bare relay's",
        side: AtMost,
        floor: 1.2,
        aim: 1.0,
        unit: "x",
        measured: |report| report.ratio(RULES_LARGE, 1, |sample| sample.closed.p50_us),
    },
    Promise {
        what: "commands a second, saturated, QoS 0, 100,000 rules, against 10",
        side: AtLeast,
        floor: 0.7,
        aim: 0.95,
        unit: "x",
        measured: |report| report.growth(RULES_MOST, RULES_FEW),
    },
    Promise {
        what: "processor time of 100,000 events, saturated, QoS 0, 1,000 rules, against the bare relay's",
        side: AtMost,
        floor: 0.3,
        aim: 0.15,
        unit: "x",
        measured: |report| report.ratio(RULES, 0, |sample| sample.cpu_s),
    },
    Promise {
        what: "memory idle with 10,000 rules",
        side: AtMost,
        floor: 32.0,
        aim: 16.0,
        unit: " MiB",
        measured: |report| report.start(RULES_LARGE, |start| start.idle_mib),
    },
    Promise {
        what: "memory of one of 2,000 idle clients",
        side: AtMost,
        floor: 3.0,
        aim: 1.2,
        unit: " kB",
        measured: |report| report.idle_kb(System::Ours),
    },
    Promise {
        what: "start of the process to serving, 1,000 rules",
        side: AtMost,
        floor: 100.0,
        aim: 40.0,
        unit: " ms",
        measured: |report| report.start(RULES, |start| start.ready_ms),
    },
    Promise {
        what: "start of the process to serving, 10,000 rules",
        side: AtMost,
        floor: 400.0,
        aim: 200.0,
        unit: " ms",
        measured: |report| report.start(RULES_LARGE, |start| start.ready_ms),
    },
    Promise {
        what: "commands lost, wrong, doubled or out of order, whoever was measured",
        side: AtMost,
        floor: 0.0,
        aim: 0.0,
        unit: "",
        measured: |report| Some(report.faults().sum() as f64),
    },
    Promise {
        what: "events one at a time that take 35 to 45 ms (delayed acknowledgements of TCP), of 1,000",
        side: AtMost,
        floor: 1.0,
        aim: 0.0,
        unit: "",
        measured: |report| report.worst(|sample| sample.step_share * 1e3),
    },
    Promise {
        what: "commands a second that the load can take, against iot-control's, saturated, QoS 0, 1,000 rules",
        side: AtLeast,
        floor: 1.2,
        aim: 2.0,
        unit: "x",
        measured: |report| report.headroom(RULES, 0),
    },
];

/// A promise, and what a run says of it.
pub(crate) struct Verdict {
    promise: &'static Promise,
    /// Nothing where the run doesn't measure it.
    measured: Option<f64>,
}

impl Verdict {
    pub(crate) fn is_broken(&self) -> bool {
        self.measured
            .is_some_and(|measured| !self.promise.side.holds(measured, self.promise.floor))
    }

    fn word(&self) -> &'static str {
        match self.measured {
            None => "not measured",
            Some(_) if self.is_broken() => "BROKEN",
            Some(measured) if self.promise.side.holds(measured, self.promise.aim) => "as aimed at",
            Some(_) => "kept",
        }
    }
}

impl Side {
    fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            AtLeast => measured >= bound,
            AtMost => measured <= bound,
        }
    }
}

/// What a run says of each promise.
pub(crate) fn verdicts(report: &Report) -> Vec<Verdict> {
    let verdict = |promise: &'static Promise| Verdict {
        promise,
        measured: (promise.measured)(report),
    };
    PROMISES.iter().map(verdict).collect()
}

/// A table for people.
pub(crate) fn table(verdicts: &[Verdict]) -> String {
    let mut text = "| promise | floor | aim | measured | |\n|---|---|---|---|---|\n".to_owned();
    for verdict in verdicts {
        let Promise { what, unit, .. } = verdict.promise;
        let (floor, aim) = verdict.promise.bounds();
        let measured = verdict
            .measured
            .map_or_else(|| "-".to_owned(), |measured| format!("{measured:.2}{unit}"));
        // Writing to a string doesn't fail.
        let _ = writeln!(
            text,
            "| {what} | {floor} | {aim} | {measured} | {} |",
            verdict.word()
        );
    }
    text
}

impl Promise {
    /// Floor and aim as text.
    fn bounds(&self) -> (String, String) {
        let sign = match self.side {
            AtLeast => "at least",
            AtMost => "at most",
        };
        let bound = |number: f64| match number {
            0.0 => "none".to_owned(),
            _ => format!("{sign} {number}{}", self.unit),
        };
        (bound(self.floor), bound(self.aim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::broker::{
            idle::Growth,
            ledger::Faults,
            report::{Sample, Start},
            stats::Latency,
        },
        shell,
    };

    fn sample(commands_per_s: f64, p50_us: f64, cpu_s: f64) -> Sample {
        let closed = Latency::of(&[p50_us]);
        Sample {
            closed,
            commands_per_s,
            cpu_s,
            ..Sample::default()
        }
    }

    /// A report in which every promise is as aimed at, spoiled.
    fn report(spoil: impl Fn(&mut Report)) -> Report {
        let mut report = Report::default();
        for rules in [RULES_FEW, RULES, RULES_LARGE, RULES_MOST] {
            for qos in [0, 1] {
                for (system, sample) in [
                    (System::Relay, sample(1e5, 100.0, 1.0)),
                    (System::Ours, sample(9e5, 70.0, 0.1)),
                    (System::Null, sample(3e6, 30.0, 0.1)),
                ] {
                    report.samples.insert((rules, qos, system), vec![sample]);
                }
            }
            let start = Start {
                ready_ms: 20.0,
                idle_mib: 12.0,
                loaded_mib: 14.0,
            };
            report.starts.insert((rules, System::Ours), vec![start]);
        }
        report.idle.insert(System::Ours, vec![idle(1_000.0)]);
        spoil(&mut report);
        report
    }

    fn idle(connected: f64) -> Growth {
        Growth {
            connected,
            subscribed: 1_000.0,
        }
    }

    /// The one run of a system.
    fn of(report: &mut Report, system: System, rules: usize, qos: u8) -> &mut Sample {
        let samples = report.samples.get_mut(&(rules, qos, system));
        &mut samples.expect("it was measured")[0]
    }

    #[test]
    fn a_run_that_is_as_aimed_at_says_so() {
        let verdicts = verdicts(&report(|_| {}));
        let words: Vec<&str> = verdicts.iter().map(Verdict::word).collect();
        assert_eq!(words, ["as aimed at"; PROMISES.len()]);
        let text = table(&verdicts);
        assert!(
            text.contains("| at least 5x | at least 8x | 9.00x | as aimed at |"),
            "{text}"
        );
    }

    #[test]
    fn what_was_not_measured_breaks_nothing() {
        let verdicts = verdicts(&Report::default());
        assert!(!verdicts.iter().any(Verdict::is_broken));
        assert_eq!(verdicts[0].word(), "not measured");
    }

    #[test]
    fn each_promise_can_be_broken_and_only_it() {
        let start = |report: &mut Report, rules, spoil: fn(&mut Start)| {
            let starts = report.starts.get_mut(&(rules, System::Ours));
            starts.expect("it was measured").iter_mut().for_each(spoil);
        };
        let spoils: [&dyn Fn(&mut Report); PROMISES.len()] = [
            &|report| of(report, System::Ours, RULES, 0).commands_per_s = 4.9e5,
            &|report| of(report, System::Ours, RULES, 1).commands_per_s = 2.9e5,
            &|report| of(report, System::Ours, RULES_LARGE, 0).closed = Latency::of(&[101.0]),
            &|report| of(report, System::Ours, RULES_LARGE, 1).closed = Latency::of(&[121.0]),
            &|report| of(report, System::Ours, RULES_MOST, 0).commands_per_s = 6.2e5,
            &|report| of(report, System::Ours, RULES, 0).cpu_s = 0.31,
            &|report| start(report, RULES_LARGE, |start| start.idle_mib = 32.1),
            &|report| drop(report.idle.insert(System::Ours, vec![idle(3_001.0)])),
            &|report| start(report, RULES, |start| start.ready_ms = 101.0),
            &|report| start(report, RULES_LARGE, |start| start.ready_ms = 401.0),
            &|report| {
                of(report, System::Ours, RULES, 1).faults = Faults {
                    misordered: 1,
                    ..Faults::default()
                }
            },
            &|report| of(report, System::Ours, RULES_FEW, 0).step_share = 0.002,
            &|report| of(report, System::Null, RULES, 0).commands_per_s = 1e6,
        ];
        for (ix, spoil) in spoils.iter().enumerate() {
            let report = report(spoil);
            let broken: Vec<usize> = verdicts(&report)
                .iter()
                .enumerate()
                .filter(|(_, verdict)| verdict.is_broken())
                .map(|(ix, _)| ix)
                .collect();
            assert_eq!(broken, [ix], "{}", PROMISES[ix].what);
        }
    }

    #[test]
    fn the_specification_says_the_same() {
        let path = shell::root().join("SPECIFICATION.md");
        let text = std::fs::read_to_string(path).expect("it is there");
        for promise in &PROMISES {
            let (floor, aim) = promise.bounds();
            let row = format!(
                "| {} | {floor} | {aim} | `cargo xtask bench` |",
                promise.what
            );
            assert!(text.contains(&row), "SPECIFICATION.md lacks: {row}");
        }
    }
}
