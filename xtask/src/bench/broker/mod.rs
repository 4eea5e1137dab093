//! `cargo xtask bench`: one event, one command; ours beside mosquitto's bare relay and beside what people build of
//! other parts, in turn, in one run, under the same generator. Prints tables and what became of each promise, and
//! fails where a floor is broken or a message was lost, doubled or out of order.
//!
//! mosquitto gets one hop and no rules; ours gets rules, users, ACLs, decision records and the journal on disk.

pub(crate) mod client;
mod docs;
mod generator;
mod idle;
mod ledger;
mod mosquitto;
pub(crate) mod null;
mod options;
mod ours;
pub(crate) mod packet;
mod plot;
mod processors;
mod promises;
mod report;
mod route;
mod sample;
pub(crate) mod server;
mod stats;
mod stream;
mod systems;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{alone, folder, keep};
use crate::peers;
use generator::Load;
use ledger::Ledger;
pub(crate) use options::Options;
pub(crate) use ours::build;
use processors::Processors;
use report::{Report, Sample, Start};
use route::Route;
use server::Server;
use systems::System;

/// Memory is read once a start has settled.
const SETTLE: Duration = Duration::from_millis(300);

/// Those that no ratio is of take part in the first of so many runs.
const OTHERS_EVERY: usize = 2;

/// A load above this is somebody else's, who takes turns with us.
const QUIET_MAX: f64 = 1.0;

/// What is the same for all runs.
struct Bench<'o> {
    options: &'o Options,
    /// The dispatcher.
    binary: PathBuf,
    /// Where systems write.
    folder: PathBuf,
    processors: Processors,
}

/// Measures, prints the report and writes it to target/bench/report.md.
///
/// # Errors
/// A floor is broken, or something can't be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(load) = load_average().filter(|load| *load > QUIET_MAX) {
        eprintln!("this machine is busy (load {load}): the numbers will be of little use");
    }
    if !options.is_quick && !options.is_alone {
        peers::install(true)?;
    }
    let bench = Bench {
        options,
        binary: ours::build()?,
        folder: folder()?,
        processors: Processors::find(),
    };
    let _alone = alone(&bench.folder)?;
    idle::make_room_for(options.idle_clients);
    let start = Instant::now();
    let mut report = Report::default();
    let measured = bench.all_runs(&mut report);
    eprintln!("took {:.0} s", start.elapsed().as_secs_f64());
    // What was measured before something failed is told all the same.
    let verdicts = promises::verdicts(&report);
    let parts = tables::parts(&report, &verdicts, bench.setting());
    let sections = parts
        .iter()
        .map(|(name, text)| format!("## {name}\n{text}"));
    let text = sections.collect::<Vec<_>>().join("\n");
    keep(&bench.folder, "report.md", &text)?;
    let picture = plot::svg(&report);
    fs::write(bench.folder.join("report.svg"), &picture)?;
    measured?;
    if options.writes_docs {
        docs::update(&parts, &picture)?;
    }
    let broken = verdicts.iter().filter(|verdict| verdict.is_broken());
    match broken.count() {
        0 => Ok(()),
        broken => bail!("{broken} floors are broken"),
    }
}

/// One system of a run.
struct Side {
    system: System,
    server: Server,
    route: Route,
    start: Start,
}

impl Bench<'_> {
    fn all_runs(&self, report: &mut Report) -> Result<()> {
        let start = Instant::now();
        for run in 1..=self.options.runs {
            for &rules in &self.options.rules {
                eprintln!(
                    "{:4.0} s: run {run} of {}, {rules} rules",
                    start.elapsed().as_secs_f64(),
                    self.options.runs
                );
                let logs = || format!("{rules} rules (logs in {})", self.folder.display());
                self.measure(run, rules, report).with_context(logs)?;
            }
        }
        Ok(())
    }

    /// One start of each system: memory, then all QoS, one event at a time, at a rate and saturated. They take turns,
    /// and who is first changes from run to run, so that none gets the quieter machine; who waits for a turn does
    /// nothing.
    fn measure(&self, run: usize, rules: usize, report: &mut Report) -> Result<()> {
        let mut systems = self.systems(run, rules);
        let first = run % systems.len();
        systems.rotate_left(first);
        let mut sides: Vec<Side> = Vec::new();
        for system in systems {
            let side = self.start(system, rules);
            sides.push(side.with_context(|| system.name())?);
        }
        let mut ledgers: Vec<_> = sides.iter().map(|side| Ledger::new(&side.route)).collect();
        for &qos in qos_of(rules) {
            let samples = self.samples(&sides, &mut ledgers, qos, rules == options::RULES);
            let samples = samples.with_context(|| format!("at QoS {qos}"))?;
            for (side, sample) in sides.iter().zip(samples) {
                let sample = Sample { run, ..sample };
                let key = (rules, qos, side.system);
                report.samples.entry(key).or_default().push(sample);
            }
        }
        for side in &mut sides {
            side.start.loaded_mib = side.server.rss_mib()?;
            let key = (rules, side.system);
            report.starts.entry(key).or_default().push(side.start);
        }
        drop(sides);
        if rules == options::RULES {
            self.idle(run, report)?;
        }
        Ok(())
    }

    /// Who takes part in a run with so many rules; in a quick one only who is installed.
    fn systems(&self, run: usize, rules: usize) -> Vec<System> {
        if self.options.is_alone {
            return vec![System::Ours];
        }
        let mut systems = match rules {
            options::RULES if run % OTHERS_EVERY == 1 => System::ALL.to_vec(),
            _ => vec![System::Relay, System::Ours],
        };
        systems.retain(|system| !self.options.is_quick || system.is_installed());
        systems
    }

    /// Memory of idle clients, at starts of their own. It varies little: the others take part once.
    fn idle(&self, run: usize, report: &mut Report) -> Result<()> {
        for system in self.systems(run, options::RULES) {
            let is_core = matches!(system, System::Relay | System::Ours);
            if is_core || run == 1 && system != System::Null {
                let side = self.start(system, options::RULES)?;
                let clients = self.options.idle_clients;
                let growth = idle::growth(&side.server, &side.route, clients)
                    .with_context(|| format!("{clients} clients of {}", system.name()))?;
                report.idle.entry(system).or_default().push(growth);
            }
        }
        Ok(())
    }

    fn start(&self, system: System, rules: usize) -> Result<Side> {
        let folder = self.folder.join(format!("{system:?}").to_lowercase());
        empty(&folder)?;
        let (server, route) = system.start(rules, &self.binary, &folder)?;
        // Connected and idle, as a house is at night.
        let mut ledger = Ledger::new(&route);
        let clients = Load::connect(&server.door, &mut ledger, 0)?;
        thread::sleep(SETTLE);
        let start = Start {
            ready_ms: server.ready.as_secs_f64() * 1e3,
            idle_mib: server.rss_mib()?,
            loaded_mib: 0.0,
        };
        drop(clients);
        Ok(Side {
            system,
            server,
            route,
            start,
        })
    }

    /// What was measured, and on what.
    fn setting(&self) -> String {
        let options = self.options;
        let systems = self.systems(1, options::RULES).into_iter();
        let versions: Vec<String> = systems.filter_map(System::version).collect();
        format!(
            "{}; {}.\nMeasured beside iot-control: {}.\n{} runs of iot-control and the bare relay, every second of them with the others; each of {} \
             events one at a time, {:.1} s at each rate and {:.1} s saturated. Numbers are medians of the runs, least and most in brackets.\n",
            machine(),
            self.processors.describe(),
            versions.join(", "),
            options.runs,
            options.round_trips,
            options.paced.as_secs_f64(),
            options.saturated.as_secs_f64(),
        )
    }
}

/// The QoS that are measured with so many rules.
fn qos_of(rules: usize) -> &'static [u8] {
    match rules {
        options::RULES => &[0, 1, 2],
        _ => &[0, 1],
    }
}

/// Processors of this machine: how many, and their model.
fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown model", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {model}")
}

/// Processes that want a processor, over the last minute.
fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))
}
