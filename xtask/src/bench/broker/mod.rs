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
mod processors;
mod report;
mod route;
pub(crate) mod server;

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, bail};

use super::{alone, folder, keep};
use generator::Load;
use ledger::{Faults, Ledger};
pub(crate) use ours::build;
use processors::Processors;
use report::{OneByOne, Report, Sample, Start, System};
use route::Route;
use server::Server;

/// Memory is read once a start has settled.
const SETTLE: Duration = Duration::from_millis(300);

/// Turns that the sides take at one event at a time.
const SLICES: usize = 10;

/// Between two events one at a time: time for a broker to get done with acks. Without it a broker that is slow with
/// acks is found awake by the event behind them, and rewarded for it.
const PAUSE: Duration = Duration::from_micros(100);

/// Between two events of a quiet house: who sleeps at all is asleep, and its processor as well.
const REST: Duration = Duration::from_millis(2);

/// Of so many events one at a time, one from rest is measured too.
const RESTED_SHARE: usize = 20;

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
    let folder = folder()?;
    let _alone = alone(&folder)?;
    let mut report = Report {
        title: title(options, &Processors::find()),
        ..Report::default()
    };
    for run in 1..=options.runs {
        for &rules in &options.rules {
            eprintln!("run {run} of {}: {rules} rules", options.runs);
            measure(run, rules, &binary, &folder, options, &mut report)
                .with_context(|| format!("{rules} rules (logs in {})", folder.display()))?;
        }
    }
    keep(&folder, "report.md", &report.markdown())?;
    match report.floors().iter().filter(|floor| !floor.holds).count() {
        0 => Ok(()),
        broken => bail!("{broken} floors are broken"),
    }
}

/// One broker of a run.
struct Side {
    system: System,
    server: Server,
    route: Route,
    start: Start,
}

/// One start of each broker: memory, then both QoS, one event at a time and saturated. They take turns, and who is
/// first changes from run to run, so that neither gets the quieter machine; who waits for a turn does nothing.
fn measure(
    run: usize,
    rules: usize,
    binary: &Path,
    folder: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let mut systems = [System::Mosquitto, System::Ours];
    systems.rotate_left(run % 2);
    let start = |system| Side::start(system, rules, binary, folder);
    let mut sides: Vec<Side> = systems.into_iter().map(start).collect::<Result<_>>()?;
    let mut ledgers: Vec<_> = sides.iter().map(|side| Ledger::new(&side.route)).collect();
    for qos in [0, 1] {
        let samples =
            samples(&sides, &mut ledgers, qos, options).with_context(|| format!("at QoS {qos}"))?;
        for (side, sample) in sides.iter().zip(samples) {
            let key = (rules, qos, side.system);
            report.samples.entry(key).or_default().push(sample);
        }
    }
    for side in &mut sides {
        side.start.loaded_mib = side.server.rss_mib()?;
        let key = (rules, side.system);
        report.starts.entry(key).or_default().push(side.start);
    }
    Ok(())
}

impl Side {
    fn start(system: System, rules: usize, binary: &Path, folder: &Path) -> Result<Self> {
        let folder = folder.join(format!("{system:?}").to_lowercase());
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("can't empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("can't create {}", folder.display()))?;
        let (server, route) = match system {
            System::Mosquitto => (mosquitto::start(&folder)?, Route::relay(rules)),
            System::Ours => {
                let mut route = Route::rules(rules);
                ours::prepare(binary, &folder, &mut route)?;
                (ours::start(binary, &folder, &route)?, route)
            }
        };
        // Connected and idle, as a house is at night.
        let mut ledger = Ledger::new(&route);
        let clients = Load::connect(server.address, &mut ledger, 0)?;
        thread::sleep(SETTLE);
        let start = Start {
            ready_ms: server.ready.as_secs_f64() * 1e3,
            idle_mib: server.rss_mib()?,
            loaded_mib: 0.0,
        };
        drop(clients);
        Ok(Self {
            system,
            server,
            route,
            start,
        })
    }
}

/// One sample of each side.
fn samples(
    sides: &[Side],
    ledgers: &mut [Ledger<'_>],
    qos: u8,
    options: &Options,
) -> Result<Vec<Sample>> {
    let both = sides.iter().zip(ledgers);
    let connect = |(side, ledger): (&Side, _)| Load::connect(side.server.address, ledger, qos);
    let mut loads: Vec<Load<'_, '_>> = both.map(connect).collect::<Result<_>>()?;

    let processors = Processors::find();
    let brokers: Vec<u32> = sides.iter().map(|side| side.server.id()).collect();
    processors.part(&brokers);
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
    let paced = take_turns(options.round_trips, PAUSE)?;
    let rested = take_turns(options.round_trips / RESTED_SHARE, REST)?;
    processors.join(&brokers);
    let mut samples = Vec::new();
    for (ix, load) in loads.iter_mut().enumerate() {
        let server = &sides[ix].server;
        let cpu_s = server.cpu_s()?;
        let saturated = load.saturated(options.saturated)?;
        let cpu_s = server.cpu_s()? - cpu_s;
        faults[ix].add(saturated.faults);
        samples.push(Sample {
            commands_per_s: saturated.commands_per_s,
            cpu_s: cpu_s * 1e5 / saturated.commands as f64,
            faults: faults[ix],
            ..report::one_by_one(&paced[ix], &rested[ix])
        });
    }
    Ok(samples)
}

/// What was measured, and on what.
fn title(options: &Options, processors: &Processors) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} producers, {} consumers, one event -> one command; {} runs of {} round trips and {:.1} s saturated: median \
         (min-max).\n{} against iot-control on {model}, {threads} threads; {}.",
        route::PRODUCERS,
        route::CONSUMERS,
        options.runs,
        options.round_trips,
        options.saturated.as_secs_f64(),
        mosquitto::version(),
        processors.describe()
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
