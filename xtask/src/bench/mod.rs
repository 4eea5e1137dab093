//! `cargo xtask bench`: one event, one command; ours beside mosquitto's bare relay, in turn, in one run, under the
//! same generator. Prints a table with our floors and fails where one is broken.
//!
//! mosquitto gets one hop and no rules; ours gets rules, users, ACLs, decision records and the journal on disk.

mod client;
mod generator;
mod ledger;
mod mosquitto;
mod ours;
mod packet;
mod report;
mod route;
mod server;

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, bail};

use crate::shell;
use generator::Load;
use ledger::Ledger;
use report::{Report, Sample, Start, System};
use route::Route;
use server::Server;

/// Memory is read once a start has settled.
const SETTLE: Duration = Duration::from_millis(300);

/// How much to measure.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    runs: usize,
    rules: Vec<usize>,
    round_trips: usize,
    saturated: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 5,
            rules: vec![10, 1_000, 10_000],
            round_trips: 5_000,
            saturated: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// Takes the words after `bench`.
    ///
    /// # Errors
    /// There is no such option, or its value is none.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match *word {
                "--quick" => {
                    options.runs = 3;
                    options.round_trips = 1_000;
                    options.saturated = Duration::from_millis(500);
                }
                "--runs" => options.runs = value()?.parse().context("--runs needs a number")?,
                "--rules" => {
                    let numbers = value()?
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>();
                    options.rules =
                        numbers.context("--rules needs numbers with commas between them")?;
                }
                _ => bail!("bench has no option {word}"),
            }
        }
        // Every producer needs a rule of its own.
        if options.runs == 0 || options.rules.iter().any(|rules| *rules < route::PRODUCERS) {
            bail!("bench needs a run, and {} rules at least", route::PRODUCERS);
        }
        Ok(options)
    }
}

/// Measures, prints the report and writes it to target/bench/report.md.
///
/// # Errors
/// A floor is broken, or something can't be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = ours::build()?;
    let folder = shell::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    let _alone = alone(&folder)?;
    let mut report = Report {
        title: title(options),
        ..Report::default()
    };
    for run in 1..=options.runs {
        for &rules in &options.rules {
            eprintln!("run {run} of {}: {rules} rules", options.runs);
            // In turn, and who is first changes: neither gets the quieter machine.
            let mut systems = [System::Mosquitto, System::Ours];
            systems.rotate_left(run % 2);
            for system in systems {
                let folder = folder.join(format!("{system:?}").to_lowercase());
                measure(system, rules, &binary, &folder, options, &mut report).with_context(
                    || {
                        format!(
                            "{system:?} with {rules} rules (log in {})",
                            folder.display()
                        )
                    },
                )?;
            }
        }
    }
    let text = report.markdown();
    println!("{text}");
    let path = folder.join("report.md");
    fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    println!("written to {}", path.display());
    match report.floors().iter().filter(|floor| !floor.holds).count() {
        0 => Ok(()),
        broken => bail!("{broken} floors are broken"),
    }
}

/// Waits until no other bench runs here: two at once would measure each other.
fn alone(folder: &Path) -> Result<fs::File> {
    let path = folder.join("lock");
    let lock =
        fs::File::create(&path).with_context(|| format!("can't create {}", path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("another bench is running: waiting for its end");
        lock.lock()?;
    }
    Ok(lock)
}

/// One start of one system: memory, then both QoS, one event at a time and saturated.
fn measure(
    system: System,
    rules: usize,
    binary: &Path,
    folder: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    let (server, route) = start(system, rules, binary, folder)?;
    let mut start = Start {
        ready_ms: server.ready.as_secs_f64() * 1e3,
        ..Start::default()
    };
    let mut ledger = Ledger::new(&route);
    for qos in [0, 1] {
        let mut load = Load::connect(server.address, &mut ledger, qos)?;
        if qos == 0 {
            thread::sleep(SETTLE);
            start.idle_mib = server.rss_mib()?;
        }
        let sample =
            sample(&mut load, &server, options).with_context(|| format!("at QoS {qos}"))?;
        report
            .samples
            .entry((rules, qos, system))
            .or_default()
            .push(sample);
    }
    start.loaded_mib = server.rss_mib()?;
    report
        .starts
        .entry((rules, system))
        .or_default()
        .push(start);
    Ok(())
}

fn start(system: System, rules: usize, binary: &Path, folder: &Path) -> Result<(Server, Route)> {
    match system {
        System::Mosquitto => Ok((mosquitto::start(folder)?, Route::relay(rules))),
        System::Ours => {
            let mut route = Route::rules(rules);
            ours::prepare(binary, folder, &mut route)?;
            Ok((ours::start(binary, folder, &route)?, route))
        }
    }
}

fn sample(load: &mut Load<'_, '_>, server: &Server, options: &Options) -> Result<Sample> {
    // The first events find cold caches everywhere.
    let (_, mut faults) = load.closed_loop(options.round_trips / 10)?;
    let (latencies_us, late) = load.closed_loop(options.round_trips)?;
    faults.add(late);
    let cpu_s = server.cpu_s()?;
    let saturated = load.saturated(options.saturated)?;
    let cpu_s = server.cpu_s()? - cpu_s;
    faults.add(saturated.faults);
    Ok(Sample {
        commands_per_s: saturated.commands_per_s,
        cpu_s: cpu_s * 1e5 / saturated.commands as f64,
        faults,
        ..report::latencies(latencies_us)
    })
}

/// What was measured, and on what.
fn title(options: &Options) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} producers, {} consumers, one event -> one command; {} runs of {} round trips and {:.1} s saturated: median \
         (min-max).\n{} against iot-control on {model}, {threads} threads.",
        route::PRODUCERS,
        route::CONSUMERS,
        options.runs,
        options.round_trips,
        options.saturated.as_secs_f64(),
        mosquitto::version()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        assert_eq!(Options::parse(&[]).ok(), Some(Options::default()));
        let quick =
            Options::parse(&["--quick", "--runs", "7", "--rules", "10,100"]).expect("they exist");
        assert_eq!(
            (quick.runs, quick.rules, quick.round_trips),
            (7, vec![10, 100], 1_000)
        );
        for wrong in [
            &["--fast"][..],
            &["--runs"],
            &["--runs", "x"],
            &["--runs", "0"],
            &["--rules", "3"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
