//! A house folder, read, checked and tested: what may come into force.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use dispatcher::{Block, Blocklist, Sides, Subject, rehearsal};
use mapping::{Program, Reads, Severity, disk};
use store::db::{ArchivedMapping, MappingHash};
use types::Instant;

use crate::printer;

/// A mapping that checks and whose tests pass.
pub(crate) struct House {
    /// The checked mapping.
    pub(crate) program: Arc<Program>,
    /// How many tests passed.
    pub(crate) tests: usize,
    /// Warnings, rendered; empty where there are none.
    pub(crate) warnings: String,
    /// All files, for the archive.
    files: Vec<u8>,
}

impl House {
    /// The house as it is archived when it comes into force.
    pub(crate) fn archived(&self, used_at: Instant) -> ArchivedMapping {
        let hash = MappingHash(self.program.hash);
        ArchivedMapping {
            hash,
            files: self.files.clone(),
            used_at,
        }
    }
}

/// What came of reading a house.
pub(crate) struct Reading {
    /// The house, or everything that is wrong with it, rendered for people.
    pub(crate) house: Result<House, String>,
    /// What to look at for changes, as it was before it was read; `None`: reading it did not end as it should.
    pub(crate) reads: Option<Reads>,
}

/// Where the blocklist of a house stands.
pub(crate) fn blocklist_path(folder: &Path) -> PathBuf {
    folder.join(mapping::blocklist::FILE)
}

/// The blocks of the house in `folder`.
///
/// # Errors
/// Why they can't be known, rendered for people.
pub(crate) fn blocklist(folder: &Path) -> Result<Blocklist, String> {
    let read = mapping::blocklist::load(folder);
    let blocks = read
        .blocks
        .ok_or_else(|| mapping::render(&read.sources, &read.diagnostics, printer::has_colors()))?;
    Ok(Blocklist::new(blocks.into_iter().map(block)))
}

fn block(written: mapping::blocklist::Block) -> Block {
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
    Block { subject, sides }
}

/// The text of a house's blocklist, to be edited; empty where there is none.
///
/// # Errors
/// Why it can't be read, with its place.
pub(crate) fn blocklist_text(path: &Path) -> Result<String, String> {
    disk::text_or_empty(path, mapping::blocklist::BYTES_MAX)
        .map_err(|why| format!("{} {why}", path.display()))
}

/// Replaces a file so that after a power cut either the old or the new text is there.
pub(crate) fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = path.with_added_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}

/// Reads `folder`, checks it and runs its tests, on a thread of its own: reading a house of 10,000
/// rules takes several times the memory that running it does, and the allocator gives that back when
/// the thread that took it ends.
pub(crate) fn read(folder: &Path) -> Reading {
    let unread = |why: String| Reading {
        house: Err(why),
        reads: None,
    };
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("read".to_owned());
        let reading = match reader.spawn_scoped(scope, || read_here(folder)) {
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

fn read_here(folder: &Path) -> Reading {
    let mut loaded = mapping::load(folder);
    let reads = std::mem::take(&mut loaded.reads);
    Reading {
        house: accept(loaded),
        reads: Some(reads),
    }
}

/// The house, where it checks and its tests pass.
fn accept(loaded: mapping::Loaded) -> Result<House, String> {
    let rendered = mapping::render(&loaded.sources, &loaded.diagnostics, printer::has_colors());
    let broken = loaded
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error);
    let program = match loaded.program {
        Some(program) if !broken => program,
        _ => return Err(rendered),
    };
    let mut failures = String::new();
    for test in &loaded.tests {
        let verdict = rehearsal::run(&program, test);
        if !verdict.passed() {
            // Writing to a string can't fail.
            let _ = writeln!(failures, "{verdict}");
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    let files = replay::archive::pack(&loaded.sources).map_err(|error| error.to_string())?;
    Ok(House {
        program,
        tests: loaded.tests.len(),
        warnings: rendered,
        files,
    })
}
