//! The report as Markdown. Called by the bench; for target/bench/report.md and docs/performance.md alike.

use std::fmt::Write as _;

use super::{
    idle::Growth,
    options::RULES,
    promises::{self, Verdict},
    report::{Report, Sample, Start},
    stats::Spread,
};

/// What a column shows of a sample.
type Column<T> = (&'static str, usize, fn(&T) -> f64);

/// All of a report, by the names that the marks of docs/performance.md have. `setting` says what was measured where.
pub(crate) fn parts(
    report: &Report,
    verdicts: &[Verdict],
    setting: String,
) -> [(&'static str, String); 7] {
    [
        ("setting", setting),
        ("promises", promises::table(verdicts)),
        ("counted", faults(report)),
        ("one at a time", one_at_a_time(report)),
        ("at a rate", at_a_rate(report)),
        ("saturated", saturated(report)),
        ("starts and memory", starts(report)),
    ]
}

/// Events one at a time.
fn one_at_a_time(report: &Report) -> String {
    samples(
        report,
        |_| true,
        &[
            ("p50 us", 0, |sample| sample.closed.p50_us),
            ("p99 us", 0, |sample| sample.closed.p99_us),
            ("p50 us from rest", 0, |sample| sample.rested.p50_us),
            ("CPU s per 100,000 events", 1, |sample| sample.closed_cpu_s),
        ],
    )
}

/// Events at a rate.
fn at_a_rate(report: &Report) -> String {
    samples(
        report,
        |rules| rules == RULES,
        &[
            ("1,000/s: p50 us", 0, |sample| sample.open[0].p50_us),
            ("p99 us", 0, |sample| sample.open[0].p99_us),
            ("10,000/s: p50 us", 0, |sample| sample.open[1].p50_us),
            ("p99 us", 0, |sample| sample.open[1].p99_us),
            ("p99.9 us", 0, |sample| sample.open[1].p999_us),
            ("load late, p99 us", 0, |sample| sample.late_p99_us[1]),
        ],
    )
}

/// As many events as go.
fn saturated(report: &Report) -> String {
    samples(
        report,
        |_| true,
        &[
            ("commands/s", 0, |sample| sample.commands_per_s),
            ("CPU s per 100,000 commands", 2, |sample| sample.cpu_s),
            ("CPU of the load, %", 0, |sample| sample.load_share * 100.0),
        ],
    )
}

/// Starts and memory.
fn starts(report: &Report) -> String {
    let columns: [Column<Start>; 3] = [
        ("ready ms", 0, |start| start.ready_ms),
        ("RSS MiB idle", 1, |start| start.idle_mib),
        ("RSS MiB after load", 1, |start| start.loaded_mib),
    ];
    let mut text = head("| rules | |", &columns);
    for ((rules, system), starts) in &report.starts {
        let _ = write!(text, "\n| {} | {} |", grouped(*rules), system.name());
        cells(&mut text, starts, &columns);
    }
    let columns: [Column<Growth>; 2] = [
        ("bytes of one idle client", 0, |growth| growth.connected),
        ("of its subscription", 0, |growth| growth.subscribed),
    ];
    text.push_str("\n\n");
    text.push_str(&head("| |", &columns));
    for (system, growths) in &report.idle {
        let _ = write!(text, "\n| {} |", system.name());
        cells(&mut text, growths, &columns);
    }
    text.push('\n');
    text
}

/// What was counted, and where something was wrong.
fn faults(report: &Report) -> String {
    let sum = report.faults();
    let mut text = format!(
        "{} commands were counted by what they hold: {} lost, {} wrong, {} twice, {} out of order.\n",
        grouped(report.commands() as usize),
        sum.lost,
        sum.wrong,
        sum.duplicates,
        sum.misordered
    );
    for ((rules, qos, system), samples) in &report.samples {
        for sample in samples.iter().filter(|sample| !sample.faults.none()) {
            let _ = writeln!(
                text,
                "- {}, {rules} rules, QoS {qos}: {:?}",
                system.name(),
                sample.faults
            );
        }
    }
    text
}

/// A row for each case with such a number of rules.
fn samples(report: &Report, rows: fn(usize) -> bool, columns: &[Column<Sample>]) -> String {
    let mut text = head("| rules | QoS | |", columns);
    for ((rules, qos, system), samples) in report
        .samples
        .iter()
        .filter(|((rules, ..), _)| rows(*rules))
    {
        let _ = write!(
            text,
            "\n| {} | {qos} | {} |",
            grouped(*rules),
            system.name()
        );
        cells(&mut text, samples, columns);
    }
    text.push('\n');
    text
}

fn head<T>(first: &str, columns: &[Column<T>]) -> String {
    let mut text = first.to_owned();
    for (name, ..) in columns {
        let _ = write!(text, " {name} |");
    }
    text.push('\n');
    let names = first.matches('|').count() - 2;
    text.push_str(&"|---:".repeat(names));
    text.push_str("|---|");
    text.push_str(&"---:|".repeat(columns.len()));
    text
}

fn cells<T>(text: &mut String, runs: &[T], columns: &[Column<T>]) {
    for &(_, digits, of) in columns {
        match Spread::of(runs.iter().map(of)) {
            Some(spread) => {
                let _ = write!(text, " {spread:.digits$} |");
            }
            None => text.push_str(" - |"),
        }
    }
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (ix, digit) in digits.chars().enumerate() {
        if ix > 0 && (digits.len() - ix).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::{ledger::Faults, stats::Latency, systems::System};

    fn report() -> Report {
        let mut report = Report::default();
        let sample = |p50| Sample {
            closed: Latency::of(&[p50]),
            rested: Latency::of(&[90.0]),
            open: [Latency::of(&[120.0]); 2],
            commands_per_s: 512_345.0,
            load_share: 0.5,
            commands: 1_000_000,
            ..Sample::default()
        };
        let runs = vec![sample(50.0), sample(60.0), sample(70.0)];
        report.samples.insert((1_000, 1, System::Ours), runs);
        report
            .starts
            .insert((1_000, System::Ours), vec![Start::default()]);
        let growth = Growth {
            connected: 700.0,
            subscribed: 90.0,
        };
        report.idle.insert(System::Relay, vec![growth]);
        report
    }

    #[test]
    fn each_table_shows_median_least_and_most_of_its_runs() {
        let report = report();
        let one = one_at_a_time(&report);
        assert!(
            one.contains("\n| 1,000 | 1 | iot-control | 60 (50-70) | 60 (50-70) | 90 (90-90) |"),
            "{one}"
        );
        assert!(one.starts_with("| rules | QoS | | p50 us |"), "{one}");
        assert!(
            one.contains("\n|---:|---:|---|---:|---:|---:|---:|\n"),
            "{one}"
        );
        assert!(at_a_rate(&report).contains("| 120 (120-120) |"));
        assert!(saturated(&report).contains("| 512345 (512345-512345) |"));
        let starts = starts(&report);
        assert!(
            starts.contains("| 1,000 | iot-control | 0 (0-0) |"),
            "{starts}"
        );
        assert!(starts.contains("| mosquitto, bare relay | 700 (700-700) | 90 (90-90) |"));
    }

    #[test]
    fn what_was_wrong_is_told_with_its_place() {
        let mut report = report();
        assert!(faults(&report).starts_with("3,000,000 commands were counted"));
        assert_eq!(faults(&report).lines().count(), 1);
        let samples = report.samples.get_mut(&(1_000, 1, System::Ours));
        samples.expect("it is there")[2].faults = Faults {
            lost: 7,
            ..Faults::default()
        };
        let text = faults(&report);
        assert!(text.contains("7 lost"), "{text}");
        assert!(
            text.contains("- iot-control, 1000 rules, QoS 1: "),
            "{text}"
        );
    }
}
