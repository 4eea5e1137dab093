//! Each call of the dispatcher on its state's files fails in turn: opened, read, written, synced, renamed, removed. It says
//! why it does not start, or serves; and what was acknowledged is there when the disk works again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Way,
    findings::{Findings, Unable},
    rig::{House, Memory, SOURCES, Steady, Tally, Tracer, mapping},
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

/// Calls that put something on the disk: an error of one that nobody looks at loses what people count on.
const WRITES: [&str; 4] = ["pwrite64", "write", "fsync", "fdatasync"];

/// Calls by which a file is opened: an error that nobody looks at passes over what it holds.
const OPENS: [&str; 2] = ["openat", "statx"];

/// Calls that change what is on the disk.
const CHANGES: [&str; 9] = [
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "mkdir",
    "rename",
    "unlink",
    "fchmod",
];

/// Calls that take room on the disk.
const TAKES_ROOM: [&str; 3] = ["pwrite64", "write", "ftruncate"];

/// So many writes to one file fail in the short form, and so many opens, evenly over the run.
const QUICK_WRITES: usize = 4;

/// See the module.
///
/// # Errors
/// The machine does not let us trace, or the dispatcher does not work where nothing fails.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut trial = Trial::new(way)?;
    let mut findings = Findings::default();
    trial.strike_each(way, &mut findings)?;
    let memory = Memory::new("io-error")?;
    trial.house.has_variables(memory.variables());
    findings.note("records in memory:");
    trial.strike_each(way, &mut findings)?;
    findings.none("acknowledged reports lost", trial.lost);
    findings.none("blocks lost that people heard were done", trial.undone);
    findings.none("refused starts that did not say why", trial.silent);
    trial.changes_need_the_disk(&memory, &mut findings)?;
    findings.none("panics", trial.house.panics());
    Ok(findings)
}

/// How many calls of a name on a file fail in the short form.
fn quick_of(name: &str) -> usize {
    if WRITES.contains(&name) || OPENS.contains(&name) {
        QUICK_WRITES
    } else {
        1
    }
}

/// Whose calls count and fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// All files of the state.
    State,
    /// Those of the journal. One thread alone writes them, so that a number means the same call in each run.
    Journal,
}

impl On {
    fn has(self, file: &Path) -> bool {
        self == Self::State
            || file
                .parent()
                .is_some_and(|parent| parent.ends_with("journal"))
    }
}

/// What a failing call came to.
enum Came {
    /// It ended by itself.
    Ended,
    /// Somebody blocked a device meanwhile, and heard that it is done or that it is not.
    Served { blocked: bool },
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

    /// Lets each call fail, or in the short form some of each kind.
    fn strike_each(&mut self, way: &Way, findings: &mut Findings) -> Result<()> {
        let calls = self.calls(On::State)?;
        let quick = [
            ("EIO", "", sample(&calls, quick_of)),
            (
                "ENOSPC",
                "",
                sample(&calls, |name| usize::from(TAKES_ROOM.contains(&name))),
            ),
        ];
        let all = sample(&calls, |_| usize::MAX);
        let full = [
            ("EIO", "", all.clone()),
            ("ENOSPC", "", all.clone()),
            ("EIO", "+", all.clone()),
        ];
        for (error, more, cases) in if way.quick { &quick[..] } else { &full[..] } {
            let mut ended = 0;
            for (name, number) in cases {
                let what = format!("{error} at {name} {number}{more}");
                let when = format!("{number}{more}");
                let before = (self.lost, self.undone, self.silent);
                match self.strike(name, On::State, (error, &when), Path::new("/dev/null")) {
                    Ok(Came::Ended) => ended += 1,
                    Ok(Came::Served { .. }) => {}
                    Err(wrong) => findings.holds(&format!("{what}: {wrong:#}"), false),
                }
                if before != (self.lost, self.undone, self.silent) {
                    findings.note(format!("not survived: {what}"));
                }
            }
            let from = if more.is_empty() { "at" } else { "from" };
            findings.note(format!(
                "{error} {from} {} of {} calls: {ended} starts refused, the others served",
                cases.len(),
                all.len(),
            ));
        }
        Ok(())
    }

    /// kill -9 shows no write that never came to the disk itself, but what people hear does: a block is not done while
    /// nothing is synced, nor, with records in memory, while nothing is written.
    fn changes_need_the_disk(&mut self, memory: &Memory, findings: &mut Findings) -> Result<()> {
        for (name, in_memory) in [
            ("fdatasync", false),
            ("fdatasync", true),
            ("pwrite64", true),
        ] {
            let variables = in_memory.then(|| memory.variable());
            self.house.has_variables(variables.into_iter().collect());
            let calls = self.calls(On::Journal)?;
            let of_block = calls
                .iter()
                .filter(|call| call.name == name && call.file.ends_with(".journal"))
                .map(|call| call.number)
                .max()
                .with_context(|| format!("a block makes no {name} of the journal"))?;
            let when = format!("{of_block}+");
            let came = self.strike(name, On::Journal, ("EIO", &when), Path::new("/dev/null"))?;
            let place = if in_memory { ", records in memory" } else { "" };
            findings.holds(
                &format!("no block is done where each {name} from its own on fails{place}"),
                matches!(came, Came::Served { blocked: false }),
            );
        }
        self.house.has_variables(Vec::new());
        Ok(())
    }

    /// Calls of a run in which nothing fails, numbered as strace counts them: each name in each thread for itself.
    fn calls(&mut self, on: On) -> Result<Vec<Call>> {
        let trace = self.house.folder().join("trace");
        let came = self.strike(CALLS, on, ("EIO", NEVER), &trace)?;
        let lines = fs::read_to_string(&trace).unwrap_or_default();
        let calls = counted(&lines);
        if calls.is_empty() || matches!(came, Came::Ended) {
            return Err(Unable("strace may not look at our own process".to_owned()).into());
        }
        Ok(calls)
    }

    /// Starts the dispatcher on a copy of the state with such an error, lets it work, kills it, and looks with a disk that
    /// works what is there.
    fn strike(
        &mut self,
        calls: &str,
        on: On,
        (error, when): (&str, &str),
        trace: &Path,
    ) -> Result<Came> {
        let state = self.house.state();
        fs::remove_dir_all(&state).context("can't empty the state folder")?;
        copy(&self.base, &state)?;
        // There is none before the first block.
        let _ = fs::remove_file(self.house.files().join("blocklist.toml"));
        let files: Vec<_> = self.files.iter().filter(|file| on.has(file)).collect();
        let words = Tracer::from_start(calls, (error, when), &files, trace)?;
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
                Came::Served { blocked }
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

/// A call of a run in which nothing fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    name: String,
    /// The name of the file that it is about.
    file: String,
    /// The how manieth of its name in its thread.
    number: usize,
}

/// The calls of a trace; those of two threads that can't be told apart are one.
fn counted(trace: &str) -> Vec<Call> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        // `2299  mkdir("/state", 0700) = -1 EEXIST (File exists)`, `2299  fsync(3</state/house.db>) = 0`
        let Some((thread, (name, rest))) = line
            .split_once(' ')
            .and_then(|(thread, call)| Some((thread, call.trim_start().split_once('(')?)))
        else {
            continue;
        };
        let number = counts.entry((name, thread)).or_default();
        *number += 1;
        // A path in quotes is in the folder that is open.
        let path = match rest.starts_with("AT_FDCWD") || rest.starts_with('"') {
            true => rest.split('"').nth(1),
            false => rest.split(['<', '>']).nth(1),
        };
        let path = path.unwrap_or_default();
        calls.insert(Call {
            name: name.to_owned(),
            file: path.rsplit('/').next().unwrap_or_default().to_owned(),
            number: *number,
        });
    }
    calls.into_iter().collect()
}

/// Of the calls of each name on each file as many as `most` says for the name, evenly over the run: names and numbers. What
/// changes nothing is sampled by its name alone, but on the journal.
fn sample(calls: &[Call], most: impl Fn(&str) -> usize) -> Vec<(String, usize)> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for call in calls {
        let file = if CHANGES.contains(&&*call.name) || call.file.ends_with(".journal") {
            &*call.file
        } else {
            ""
        };
        let group = groups.entry((&call.name, file)).or_default();
        group.push(call.number);
    }
    let mut chosen = BTreeSet::new();
    for ((name, _), numbers) in groups {
        let most = most(name).min(numbers.len());
        // Each stands in the middle of its part.
        let places = (0..most).map(|ix| (2 * ix + 1) * numbers.len() / (2 * most));
        chosen.extend(places.filter_map(|place| Some((name.to_owned(), *numbers.get(place)?))));
    }
    chosen.into_iter().collect()
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
    fn calls_are_counted_by_name_and_thread_and_know_their_file() {
        let trace = "7  openat(AT_FDCWD</s>, \"/s/a\", O_RDONLY) = 3</s/a>\n7  pread64(3</s/a>, \"\", 9, 0) = 0\n\
                     8  pread64(3</s/b>, \"</c>\", 9, 0) = 0\n8  pread64(3</s/b>, \"\", 9, 0) = -1 EIO (Input) (INJECTED)\n\
                     8  rename(\"/s/b\", \"/s/c\") = 0\n8  +++ exited with 0 +++\n";
        let call = |name: &str, file: &str, number| Call {
            name: name.to_owned(),
            file: file.to_owned(),
            number,
        };
        assert_eq!(
            counted(trace),
            [
                call("openat", "a", 1),
                call("pread64", "a", 1),
                call("pread64", "b", 1),
                call("pread64", "b", 2),
                call("rename", "b", 1),
            ]
        );
    }

    #[test]
    fn a_sample_has_calls_of_every_name_on_every_file_evenly_over_the_run() {
        let call = |name: &str, file: &str, number| Call {
            name: name.to_owned(),
            file: file.to_owned(),
            number,
        };
        let mut calls: Vec<Call> = (1..=100).map(|number| call("write", "a", number)).collect();
        calls.extend([
            call("write", "b", 101),
            call("read", "a", 1),
            call("read", "b", 1),
        ]);
        let of = |name: &str, number| (name.to_owned(), number);
        let some = sample(&calls, |name| if name == "write" { 2 } else { 1 });
        assert_eq!(
            some,
            [
                of("read", 1),
                of("write", 26),
                of("write", 76),
                of("write", 101)
            ]
        );
        assert_eq!(
            sample(&calls, |name| usize::from(name == "read")),
            [of("read", 1)]
        );
        assert_eq!(sample(&calls, |_| usize::MAX).len(), 102);
    }
}
