//! Each call of the dispatcher on its state's files fails in turn: opened, read, written, synced, renamed, removed. It says
//! why it does not start, or serves; and what was acknowledged is there when the disk works again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Way,
    findings::{Findings, Unable},
    rig::{House, SOURCES, Steady, Tally, Tracer, mapping},
};
use crate::{bench::broker::packet::Login, shell};

/// Calls that can fail where a disk does.
const CALLS: &str = "openat,read,pread64,getdents64,statx,newfstatat,lseek,write,pwrite64,ftruncate,fallocate,fsync,\
                     fdatasync,mkdir,rename,renameat,renameat2,unlink,unlinkat,fchmod";

/// A call's number that is never reached; strace takes none that is larger.
const NEVER: &str = "65000";

/// A device that is blocked meanwhile.
const MORE: &str = "\n[device.guest]\nid = 120\nio.button = { kind = \"button\" }\n";

/// Beats of the load; a report of each source in each.
const BEATS: usize = 3;

const PER_S: u32 = 400;

/// An error that comes once is over with the next try.
const PATIENCE: Duration = Duration::from_secs(15);

/// See the module.
///
/// # Errors
/// The machine does not let us trace, or the dispatcher does not work where nothing fails.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut trial = Trial::new(way)?;
    let calls = trial.calls()?;
    let mut findings = Findings::default();
    let quick = [("EIO", "", 6), ("ENOSPC", "", 4)];
    let full = [
        ("EIO", "", calls.len()),
        ("ENOSPC", "", calls.len()),
        ("EIO", "+", calls.len()),
    ];
    let ways = if way.quick { &quick[..] } else { &full[..] };
    for (error, more, cases) in ways {
        let mut ended = 0;
        let step = calls.len().div_ceil(*cases).max(1);
        for (name, number) in calls.iter().skip(step / 2).step_by(step) {
            let what = format!("{error} at {name} {number}{more}");
            match trial.strike(
                name,
                (error, &format!("{number}{more}")),
                Path::new("/dev/null"),
            ) {
                Ok(Came::Ended) => ended += 1,
                Ok(Came::Served) => {}
                Err(wrong) => findings.holds(&format!("{what}: {wrong:#}"), false),
            }
        }
        let from = if more.is_empty() { "at" } else { "from" };
        findings.note(format!(
            "{error} {from} {} of {} calls: {ended} starts refused, the others served",
            calls.len().div_ceil(step),
            calls.len(),
        ));
    }
    findings.none("acknowledged reports lost", trial.lost);
    findings.none("blocks lost that people heard were done", trial.undone);
    findings.none("refused starts that did not say why", trial.silent);
    findings.none("panics", trial.house.panics());
    Ok(findings)
}

/// What a failing call came to.
enum Came {
    /// It ended by itself.
    Ended,
    Served,
}

struct Trial {
    house: House,
    logins: Vec<Login>,
    /// Files of the state, and a copy of them as each case begins.
    files: Vec<PathBuf>,
    base: PathBuf,
    /// What the copy holds.
    tally: Tally,
    lost: u64,
    undone: u64,
    silent: u64,
}

impl Trial {
    /// A house with a past.
    fn new(way: &Way) -> Result<Self> {
        let house = House::new(way, "io-error", &mapping(MORE))?;
        let logins = Steady::logins(&house)?;
        let server = house.start(&logins[0])?;
        let mut steady = Steady::join(server.door.address, &logins, &Tally::default(), PER_S)?;
        steady.run(Duration::from_millis(200))?;
        steady.settle(PATIENCE)?;
        let mut files = files(&house.state())?;
        server.kill_9()?;
        let tally = steady.last_words();
        // What a start makes and takes away again.
        for name in ["time-line.new", "house.db-journal"] {
            files.push(house.state().join(name));
        }
        files.push(house.state().join("journal/00000002.journal"));
        let base = house.folder().join("base");
        copy(&house.state(), &base)?;
        Ok(Self {
            house,
            logins,
            files,
            base,
            tally,
            lost: 0,
            undone: 0,
            silent: 0,
        })
    }

    /// Calls of a run in which nothing fails, by their names and numbers: strace counts them so, each thread for itself.
    fn calls(&mut self) -> Result<Vec<(String, usize)>> {
        let trace = self.house.folder().join("trace");
        let came = self.strike(CALLS, ("EIO", NEVER), &trace)?;
        let lines = fs::read_to_string(&trace).unwrap_or_default();
        let calls = counted(&lines);
        if calls.is_empty() || matches!(came, Came::Ended) {
            return Err(Unable("strace may not look at our own process".to_owned()).into());
        }
        Ok(calls)
    }

    /// Starts the dispatcher on a copy of the state with such an error, lets it work, kills it, and looks with a disk that
    /// works what is there.
    fn strike(&mut self, calls: &str, (error, when): (&str, &str), trace: &Path) -> Result<Came> {
        let state = self.house.state();
        fs::remove_dir_all(&state).context("can't empty the state folder")?;
        copy(&self.base, &state)?;
        // There is none before the first block.
        let _ = fs::remove_file(self.house.files().join("blocklist.toml"));
        let words = Tracer::from_start(calls, (error, when), &self.files, trace)?;
        let before = self.house.said().len();
        self.house.goes_within(words);
        let server = self.house.start(&self.logins[0]);
        self.house.goes_within::<String>([]);
        let (mut tally, mut blocked) = (self.tally.clone(), false);
        let came = match server {
            Err(_) => {
                self.silent += u64::from(self.house.said()[before..].trim().is_empty());
                Came::Ended
            }
            Ok(server) => {
                let mut steady = Steady::join(server.door.address, &self.logins, &tally, PER_S)?;
                for _ in 0..BEATS {
                    steady.beat()?;
                }
                let block = self.house.tries(&["device", "block", "guest"])?;
                blocked = block.status.success();
                if when.ends_with('+') {
                    let start = Instant::now();
                    while steady.behind() > 0 && start.elapsed() < PATIENCE {
                        steady.listen()?;
                    }
                    anyhow::ensure!(steady.behind() == 0, "servos do not turn");
                } else {
                    steady.settle(PATIENCE)?;
                }
                server.kill_9()?;
                tally = steady.last_words();
                anyhow::ensure!(tally.stale == 0, "a stale target was told");
                Came::Served
            }
        };
        let server = self.house.start(&self.logins[0]);
        let server = server.context("with a disk that works again")?;
        let state = self.house.ask_json(&["state", "--json"])?;
        for ix in 0..SOURCES {
            let counted = self.house.number(&state, &format!("n{ix}"))?;
            self.lost += tally.acked[ix].saturating_sub(counted);
        }
        if blocked {
            let guest = self
                .house
                .ask_json(&["device", "show", "guest", "--json"])?;
            self.undone += u64::from(guest["blocked"] != "both");
        }
        server.kill_9()?;
        Ok(came)
    }
}

/// The calls of a trace, each with its numbers up to the most that one thread made of it.
fn counted(trace: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        // `2299  mkdir("/state", 0700) = -1 EEXIST (File exists)`
        let mut words = line.split_whitespace();
        let name = words.nth(1).and_then(|call| call.split_once('('));
        if let (Some(thread), Some((name, _))) = (line.split(' ').next(), name) {
            *counts.entry((name, thread)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((name, _), count) in counts {
        let of_one = most.entry(name).or_default();
        *of_one = count.max(*of_one);
    }
    let numbers = most.into_iter();
    let numbers = numbers.flat_map(|(name, most)| (1..=most).map(move |number| (name, number)));
    numbers
        .map(|(name, number)| (name.to_owned(), number))
        .collect()
}

/// All files in a folder, and the folders.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Copies a folder, with rights and holes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut command = std::process::Command::new("cp");
    shell::output(command.args(["-a", "--sparse=always"]).arg(from).arg(to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_name_and_thread() {
        let trace = "7  openat(AT_FDCWD, \"a\", O_RDONLY) = 3\n7  pread64(3, \"\", 9, 0) = 0\n\
                     8  pread64(3, \"\", 9, 0) = 0\n8  pread64(3, \"\", 9, 0) = -1 EIO (Input) (INJECTED)\n8  +++ exited with 0 +++\n";
        let of = |name: &str, number| (name.to_owned(), number);
        assert_eq!(
            counted(trace),
            [of("openat", 1), of("pread64", 1), of("pread64", 2)]
        );
    }
}
