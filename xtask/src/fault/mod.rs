//! `cargo xtask fault NAME`: breaks what a house stands on, and looks whether it keeps what it promises. Called by people, and
//! in its short form by `.ci/run`.
//!
//! Each fault has a file; what they share is in `rig`. A fault that finds a promise broken makes the command fail.

mod block;
mod by_tests;
mod card;
mod clock;
mod disk_full;
mod findings;
mod flood;
mod io_error;
mod kill;
mod line_cut;
mod read_only;
mod rig;
mod slow_reader;
mod soak;

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{bench, metadata::Workspace, shell};
use findings::{Findings, Unable};

/// How a fault is made.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// In seconds and with a debug build, as on every change; what depends on the machine's speed is told, not judged.
    quick: bool,
    /// The dispatcher.
    binary: PathBuf,
    /// How long what goes on for long goes on, where somebody said so.
    span: Option<Duration>,
    /// Where random choices begin.
    seed: u64,
}

/// One thing that can happen to a house.
struct Fault {
    name: &'static str,
    what: &'static str,
    /// About how long it takes in full.
    takes: &'static str,
    /// Whether it has a short form; what has none is made by tests, which run on every change anyhow.
    is_quick: bool,
    run: fn(&Way) -> Result<Findings>,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "kill",
        what: "kill -9 under 1,000 reports a second, again and again",
        takes: "5 min",
        is_quick: true,
        run: kill::run,
    },
    Fault {
        name: "power-cut",
        what: "power cuts of the journal: unsynced writes lost, reordered, torn",
        takes: "1 min",
        is_quick: false,
        run: by_tests::power_cut,
    },
    Fault {
        name: "day",
        what: "days of 200 devices on virtual time, with whatever happens in one",
        takes: "3 min",
        is_quick: false,
        run: by_tests::day,
    },
    Fault {
        name: "disk-full",
        what: "a disk that is full in the middle of the work, and has room again",
        takes: "1 min",
        is_quick: true,
        run: disk_full::run,
    },
    Fault {
        name: "read-only",
        what: "a disk that can only be read, or errs, for a while and at a start",
        takes: "1 min",
        is_quick: true,
        run: read_only::run,
    },
    Fault {
        name: "io-error",
        what: "each call on the state's files fails in turn",
        takes: "30 min",
        is_quick: true,
        run: io_error::run,
    },
    Fault {
        name: "clock",
        what: "a wall clock that is set, stopped, or not known at a start",
        takes: "1 min",
        is_quick: true,
        run: clock::run,
    },
    Fault {
        name: "soak",
        what: "500 reports a second for long: memory, open files, counts",
        takes: "20 min, or --hours",
        is_quick: true,
        run: soak::run,
    },
    Fault {
        name: "line-cut",
        what: "lines that break in the middle of a packet",
        takes: "10 min",
        is_quick: true,
        run: line_cut::run,
    },
    Fault {
        name: "external-broker",
        what: "restarts of the broker that a house meets at",
        takes: "1 min",
        is_quick: false,
        run: by_tests::external_broker,
    },
    Fault {
        name: "flood",
        what: "one producer that reports as much as it can",
        takes: "2 min",
        is_quick: true,
        run: flood::run,
    },
    Fault {
        name: "slow-reader",
        what: "crowds that don't read, and crowds that don't speak",
        takes: "2 min",
        is_quick: true,
        run: slow_reader::run,
    },
    Fault {
        name: "block",
        what: "a device that is blocked while it works, and kill -9 behind it",
        takes: "1 min",
        is_quick: true,
        run: block::run,
    },
    Fault {
        name: "card",
        what: "what is written to the disk in a day",
        takes: "22 min, or --minutes",
        is_quick: true,
        run: card::run,
    },
];

/// Faults at once in the short form.
const QUICK_LANES: usize = 4;

/// What to do.
#[derive(Debug)]
pub(crate) struct Options {
    /// Empty: list them.
    names: Vec<&'static str>,
    quick: bool,
    span: Option<Duration>,
    seed: u64,
    /// A dispatcher that is built already.
    binary: Option<PathBuf>,
}

impl Options {
    /// Takes the words after `fault`.
    ///
    /// # Errors
    /// There is no such fault or option, or a value is none.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            names: Vec::new(),
            quick: false,
            span: None,
            seed: 1,
            binary: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next();
                let value = value.and_then(|value| value.parse::<f64>().ok());
                let value = value.filter(|value| (0.0..1e9).contains(value));
                value.with_context(|| format!("{word} needs a number"))
            };
            match *word {
                "--quick" => options.quick = true,
                "--binary" => {
                    let path = words.next().context("--binary needs a path")?;
                    options.binary = Some(std::path::absolute(path)?);
                }
                "--hours" => options.span = Some(Duration::from_secs_f64(number()? * 3_600.0)),
                "--minutes" => options.span = Some(Duration::from_secs_f64(number()? * 60.0)),
                "--seed" => options.seed = number()? as u64,
                "all" => options.names = FAULTS.iter().map(|fault| fault.name).collect(),
                name => {
                    let known = FAULTS.iter().find(|fault| fault.name == name);
                    let known = known.with_context(|| {
                        format!("there is no fault {name}; `cargo xtask fault` lists them")
                    })?;
                    options.names.push(known.name);
                }
            }
        }
        if options.quick && options.names.is_empty() {
            let quick = FAULTS.iter().filter(|fault| fault.is_quick);
            options.names = quick.map(|fault| fault.name).collect();
        }
        Ok(options)
    }
}

/// Makes the faults that were asked for, one after the other, or lists them all.
///
/// # Errors
/// A promise is broken, or a fault can't be made; in the short form those that this machine does not let us make are left out.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.names.is_empty() {
        for fault in FAULTS {
            println!("{:<16} {} ({})", fault.name, fault.what, fault.takes);
        }
        println!(
            "\ncargo xtask fault NAME.. | all  [--quick] [--seed N] [--hours N] [--minutes N] [--binary PATH]"
        );
        return Ok(());
    }
    let way = Way {
        quick: options.quick,
        binary: match &options.binary {
            Some(binary) => binary.clone(),
            None => build(options.quick)?,
        },
        span: options.span,
        seed: options.seed,
    };
    let faults: Vec<&Fault> = FAULTS
        .iter()
        .filter(|fault| options.names.contains(&fault.name))
        .collect();
    // In full each has the machine for itself; in short nothing is judged by time, and most of them wait most of the time.
    let lanes = if way.quick { QUICK_LANES } else { 1 };
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !survives(fault, &way) {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(fault.name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        bail!("not survived: {}", failed.join(", "));
    }
    Ok(())
}

/// Makes one fault and tells of it.
fn survives(fault: &Fault, way: &Way) -> bool {
    let start = Instant::now();
    let came = (fault.run)(way);
    let (is_survived, text) = match came {
        Ok(findings) => (findings.broken() == 0, findings.to_string()),
        Err(error) if way.quick && error.is::<Unable>() => (true, format!("  skipped: {error}\n")),
        Err(error) => (false, format!("  FAIL  {error:#}\n")),
    };
    let took = start.elapsed().as_secs();
    println!("{}: {} ({took} s)\n{text}", fault.name, fault.what);
    is_survived
}

/// Builds the dispatcher; gives its path.
fn build(quick: bool) -> Result<PathBuf> {
    if !quick {
        return bench::broker::build();
    }
    // As the tests build it: alone it would be built with other features, and all that it is made of.
    shell::run(&mut shell::cargo(["build", "--workspace", "--all-targets"]))?;
    Ok(Workspace::read()?.target.join("debug/iot-control"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        assert!(Options::parse(&[]).is_ok_and(|options| options.names.is_empty()));
        let all = Options::parse(&["--quick"]).expect("it exists");
        assert!(all.names.contains(&"kill") && !all.names.contains(&"power-cut"));
        let one = Options::parse(&["kill", "--hours", "2", "--seed", "7"]).expect("it exists");
        assert_eq!((one.names, one.seed, one.quick), (vec!["kill"], 7, false));
        assert_eq!(one.span, Some(Duration::from_secs(7_200)));
        for wrong in [&["flod"][..], &["--hours"], &["--hours", "-1"], &["--fast"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        for (ix, fault) in FAULTS.iter().enumerate() {
            assert!(
                !FAULTS[..ix].iter().any(|other| other.name == fault.name),
                "{}",
                fault.name
            );
        }
    }
}
