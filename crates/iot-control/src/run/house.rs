//! A house folder, read, checked and tested: what may come into force.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{self, Duration},
};

use dispatcher::{
    Block, Blocklist, Sides, Subject,
    rehearsal::{Rehearsal, Verdict},
};
use mapping::{Program, Reads, disk};
use store::{
    DatabaseReader, StateFolder,
    db::{ArchivedMapping, DbError, MappingHash},
};
use types::Instant;

use crate::{printer, whose};

/// The file that makes a folder a house.
const MAPPING: &str = "mapping.toml";

/// Tests that may fail before the others are not worth running: the house is not in force anyhow.
const FAILED_TESTS_MAX: usize = 20;

/// How long tests may keep a house from starting: whoever comes home to a power cut waits for the light. They passed
/// when the house came into force.
const START_TESTS_MAX: Duration = Duration::from_secs(20);

/// A mapping that checks and whose tests pass.
pub(crate) struct House {
    /// The checked mapping.
    pub(crate) program: Arc<Program>,
    /// How many tests passed.
    pub(crate) tests: usize,
    /// How many were not run, for want of time.
    pub(crate) tests_left: usize,
    /// Warnings, rendered; empty where there are none.
    pub(crate) warnings: String,
    /// When it came into force, where it is an archived one that goes on instead of its files.
    pub(crate) goes_on_since: Option<Instant>,
    /// All files, for the archive.
    files: Vec<u8>,
}

impl House {
    /// The house whose mapping was archived, and of which `program` was made; it goes on.
    pub(crate) fn going_on(program: Arc<Program>, archived: ArchivedMapping) -> Self {
        Self {
            program,
            tests: 0,
            tests_left: 0,
            warnings: String::new(),
            goes_on_since: Some(archived.used_at),
            files: archived.files,
        }
    }

    /// The house as it is archived when it comes into force.
    pub(crate) fn archived(&self, used_at: Instant) -> ArchivedMapping {
        let hash = MappingHash(self.program.hash);
        ArchivedMapping {
            hash,
            files: self.files.clone(),
            used_at: self.goes_on_since.unwrap_or(used_at),
        }
    }
}

/// The mapping that was in force last, by what is kept in the folder `state`: it goes on where the files in `folder` can't come
/// into force, as it does while the dispatcher runs. `None`: nothing was in force yet, or what was belongs to another folder
/// and no house is in this one.
///
/// # Errors
/// Why it can't be known, or must not go on: for people.
pub(crate) fn last_in_force(folder: &Path, state: &Path) -> Result<Option<House>, String> {
    let database = StateFolder::new(state).database();
    let is_at_home = whose::is_at_home(state, folder);
    if !database.is_file() || !(is_at_home || folder.join(MAPPING).is_file()) {
        return Ok(None);
    }
    let said = |error: DbError| format!("{}: {error}", database.display());
    let reader = DatabaseReader::open(&database).map_err(said)?;
    let Some(hash) = reader.newest_mapping().map_err(said)? else {
        return Ok(None);
    };
    let Some(archived) = reader.mapping(hash).map_err(said)? else {
        return Ok(None);
    };
    let program = replay::archive::unpack(&archived)?;
    // As far as the files can be understood: a folder that was named by mistake must not start another house.
    let draft = mapping::analyze(Some(folder), &BTreeMap::new()).draft;
    if whose::is_another_house(&program, &draft, is_at_home) {
        return Err(whose::another_house(state, &program));
    }
    Ok(Some(House::going_on(program, archived)))
}

/// What came of reading a house.
pub(crate) struct Reading {
    /// The house, or everything that is wrong with it, rendered for people.
    pub(crate) house: Result<House, String>,
    /// What to look at for changes, as it was before it was read; `None`: reading it did not end as it should.
    pub(crate) reads: Option<Reads>,
}

/// Whether neither mapping.toml nor blocklist.toml lies in a house's folder, as where the disk that holds it did not come up.
pub(crate) fn is_cleared(folder: &Path) -> bool {
    let lies_there = |name| folder.join(name).symlink_metadata().is_ok();
    ![MAPPING, mapping::blocklist::FILE]
        .into_iter()
        .any(lies_there)
}

/// Where the blocklist of a house stands.
pub(crate) fn blocklist_path(folder: &Path) -> PathBuf {
    folder.join(mapping::blocklist::FILE)
}

/// The blocks of a house.
pub(crate) struct Blocks {
    /// All of them.
    pub(crate) list: Blocklist,
    /// Warnings, rendered; empty where there are none.
    pub(crate) warnings: String,
}

/// The blocks of the house in `folder`, whose mapping is `program`.
///
/// # Errors
/// Why they can't be known, rendered for people.
pub(crate) fn blocks(folder: &Path, program: &Program) -> Result<Blocks, String> {
    let mut read = mapping::blocklist::load(folder);
    read.warn_of_nobody(program);
    let warnings = mapping::render(&read.sources, &read.diagnostics, printer::has_colors());
    match read.blocks {
        Some(blocks) => Ok(Blocks {
            list: Blocklist::new(blocks.into_iter().flat_map(in_force)),
            warnings,
        }),
        None => Err(warnings),
    }
}

/// A name with its number beside it is two blocks: whichever fits.
fn in_force(written: mapping::blocklist::Block) -> impl Iterator<Item = Block> {
    use mapping::blocklist as file;
    let subject = match written.subject {
        file::Subject::Name(name) => Subject::Name(name.to_string()),
        file::Subject::Id(id) => Subject::Id(id),
    };
    let sides = match written.sides {
        file::Sides::Producer => Sides::PRODUCER,
        file::Sides::Consumer => Sides::CONSUMER,
        file::Sides::Both => Sides::BOTH,
    };
    let id = written.id.map(Subject::Id);
    let subjects = std::iter::once(subject).chain(id);
    subjects.map(move |subject| Block { subject, sides })
}

/// The text of a house's blocklist, to be edited; empty where there is none.
///
/// # Errors
/// Why it can't be read, with its place.
pub(crate) fn blocklist_text(path: &Path) -> Result<String, String> {
    disk::text_or_empty(path, mapping::blocklist::BYTES_MAX)
        .map_err(|why| format!("{} {why}", path.display()))
}

/// Reads `folder`, checks it and runs its tests, on a thread of its own: reading a house of 10,000
/// rules takes several times the memory that running it does, and the allocator gives that back when
/// the thread that took it ends.
pub(crate) fn read(folder: &Path) -> Reading {
    read_within(folder, Duration::MAX)
}

/// As [`read`], at a start: tests that are not done in time are left out.
pub(crate) fn read_to_start(folder: &Path) -> Reading {
    read_within(folder, START_TESTS_MAX)
}

fn read_within(folder: &Path, tests_max: Duration) -> Reading {
    let unread = |why: String| Reading {
        house: Err(why),
        reads: None,
    };
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("read".to_owned());
        let reading = match reader.spawn_scoped(scope, || read_here(folder, tests_max)) {
            Ok(reading) => reading,
            Err(error) => return unread(format!("no thread to read the house: {error}")),
        };
        reading.join().unwrap_or_else(|_| {
            let folder = folder.display();
            unread(format!(
                "{folder}: reading it ended with a panic; this is a bug"
            ))
        })
    })
}

fn read_here(folder: &Path, tests_max: Duration) -> Reading {
    let mut loaded = mapping::load(folder);
    let reads = std::mem::take(&mut loaded.reads);
    Reading {
        house: accept(loaded, tests_max),
        reads: Some(reads),
    }
}

/// The house, where it checks and its tests pass, as far as they are run within `tests_max`.
fn accept(loaded: mapping::Loaded, tests_max: Duration) -> Result<House, String> {
    let tests = judge(&loaded, tests_max).map_err(|unfit| unfit.to_string())?;
    let drawn = mapping::render(&loaded.sources, &loaded.diagnostics, printer::has_colors());
    let warnings = format!("{drawn}{tests}");
    let files = replay::archive::pack(&loaded.sources).map_err(|error| error.to_string())?;
    Ok(House {
        program: loaded.program.ok_or_else(|| warnings.clone())?,
        tests: tests.passed,
        tests_left: loaded.tests.len() - tests.passed - tests.skipped.len(),
        warnings,
        goes_on_since: None,
        files,
    })
}

/// What came of the tests of a house that may come into force. Shown as the warnings about them, a line each.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    /// How many passed.
    pub(crate) passed: usize,
    /// Those that need rules that are off.
    pub(crate) skipped: Vec<Verdict>,
}

impl fmt::Display for Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lacks = self.skipped.iter().filter_map(Verdict::lack);
        lacks.try_for_each(|lack| writeln!(f, "warning: {lack}"))
    }
}

/// Why a house can't come into force.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It does not check; holds what is wrong, rendered.
    Unsound(String),
    /// These of its tests fail, and more where there were too many to go on.
    Failing(Vec<Verdict>),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failing = match self {
            Self::Unsound(why) => return f.write_str(why),
            Self::Failing(failing) => failing,
        };
        for verdict in failing {
            writeln!(f, "{verdict}")?;
        }
        if failing.len() == FAILED_TESTS_MAX {
            writeln!(f, "the tests after these were not run")?;
        }
        f.write_str(
            "the tests guard the rules: change those named above along with the rule, or take the rule back",
        )
    }
}

/// Whether a house that was read may come into force: what came of its tests, as far as they are run within `tests_max`.
///
/// # Errors
/// Why not.
pub(crate) fn judge(loaded: &mapping::Loaded, tests_max: Duration) -> Result<Tests, Unfit> {
    let program = match &loaded.program {
        Some(program) if !loaded.has_errors() => program,
        _ => {
            let colors = printer::has_colors();
            let why = mapping::render(&loaded.sources, &loaded.diagnostics, colors);
            return Err(Unfit::Unsound(why));
        }
    };
    let mut rehearsal = Rehearsal::new(program);
    let mut failing = Vec::new();
    let (started, mut tests) = (time::Instant::now(), Tests::default());
    for test in &loaded.tests {
        if started.elapsed() >= tests_max {
            break;
        }
        let verdict = rehearsal.run(test);
        if verdict.failed() {
            failing.push(verdict);
        } else if verdict.passed() {
            tests.passed += 1;
        } else {
            tests.skipped.push(verdict);
        }
        if failing.len() == FAILED_TESTS_MAX {
            break;
        }
    }
    match failing.is_empty() {
        true => Ok(tests),
        false => Err(Unfit::Failing(failing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n[rule.a]\nwhen = \"hall.online\"\ndo = \"hall.lamp.on\"\n";

    fn accepted(tests: &str, tests_max: Duration) -> Result<House, String> {
        let loaded = mapping::load_texts([("mapping.toml", MAPPING), ("a.test.toml", tests)]);
        accept(loaded, tests_max)
    }

    #[test]
    fn tests_keep_a_house_from_starting_for_so_long_and_no_longer() {
        let fails = "[test.a]\nsteps = [{ expect = [\"hall.lamp.on\"] }]\n[test.b]\nsteps = []\n";
        let house = accepted(fails, Duration::ZERO).expect("nothing was tested");
        assert_eq!((house.tests, house.tests_left), (0, 2));
        let why = accepted(fails, Duration::MAX).err().expect("one fails");
        assert!(
            why.contains("FAILED  a  (a.test.toml:1)") && why.contains("expected: hall.lamp.on"),
            "{why}"
        );
        assert!(
            why.ends_with("change those named above along with the rule, or take the rule back"),
            "{why}"
        );
    }

    #[test]
    fn where_many_tests_fail_the_rest_is_left_out() {
        let fails: String = (0..50)
            .map(|at| format!("[test.t{at}]\nsteps = [{{ expect = [\"hall.lamp.on\"] }}]\n"))
            .collect();
        let why = accepted(&fails, Duration::MAX).err().expect("all fail");
        assert_eq!(why.matches("FAILED").count(), FAILED_TESTS_MAX);
        assert!(why.contains("the tests after these were not run"), "{why}");
    }
}
