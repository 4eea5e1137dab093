//! blocklist.toml: who is not heard, or not told anything. Read on its own, so that a broken mapping never
//! lifts a block; edited in place, so that people's comments stay.
//!
//! ```toml
//! [[block]]
//! device = "piano"              # or id = 17, or both: whichever fits
//! as     = "producer"           # or "consumer"; absent: both
//! since  = "2026-11-24 21:00"
//! why    = "it plays at night"
//! ```
//!
//! Called by the command line, which reads and writes the file. Reading it must not know the mapping: a block for
//! a device that the mapping lacks is kept, and [`Blocklist::warn_of_nobody`] only says so.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table as EditTable, value};
use types::DeviceId;

use crate::{
    diagnostic::{Diagnostic, Severity},
    disk,
    grammar::{BLOCK, BLOCKLIST},
    names::{self, Letters},
    program::{Device, Program},
    read::{Document, Key, Node, Size, Table, TooMuch, unknown_key},
    report::Report,
    source::{SourceFile, Sources, Span},
    suggest,
};

/// Its name in the house's folder.
pub const FILE: &str = "blocklist.toml";

/// Largest blocklist in bytes: a block for each of ten thousand devices.
pub const BYTES_MAX: u64 = 1_000_000;

/// Whom a block is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whoever bears this name.
    Name(Arc<str>),
    /// The device with this number, whatever its name; never 0.
    Id(DeviceId),
}

/// Which of its roles a device loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sides {
    /// What it says is not matched.
    Producer,
    /// Nothing is sent to it.
    Consumer,
    /// Both.
    #[default]
    Both,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whom.
    pub subject: Subject,
    /// Beside a name: the number of the device that bore it, which outlives a rename.
    pub id: Option<DeviceId>,
    /// As what.
    pub sides: Sides,
    /// Since when, as written.
    pub since: Option<Arc<str>>,
    /// Why, as written.
    pub why: Option<Arc<str>>,
}

/// A blocklist as it was read.
#[derive(Clone, Debug)]
pub struct Blocklist {
    /// The file, for messages.
    pub sources: Sources,
    /// The blocks; `None` where anything in the file is wrong: the ones in force stay.
    pub blocks: Option<Vec<Block>>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// By blocks: where each says whom it is about.
    places: Vec<Span>,
}

impl Blocklist {
    /// Adds a warning for each block of a device that `program` does not have: it may be out of the mapping for a
    /// while, or somebody misspelt it and believes it blocked.
    pub fn warn_of_nobody(&mut self, program: &Program) {
        let names: BTreeSet<&str> = program.devices.iter().map(|it| &*it.name).collect();
        let numbers: BTreeSet<_> = program.devices.iter().filter_map(Device::number).collect();
        let bears = |id: &DeviceId| numbers.contains(id);
        let is_there = |block: &Block| match &block.subject {
            Subject::Name(name) => names.contains(&**name) || block.id.as_ref().is_some_and(bears),
            Subject::Id(id) => bears(id),
        };
        let blocks = self.blocks.iter().flatten().zip(&self.places);
        let mut of_nobody = blocks.filter(|(block, _)| !is_there(block));
        for (block, place) in of_nobody.by_ref().take(OF_NOBODY_MAX) {
            let (whom, near) = match &block.subject {
                Subject::Name(name) => {
                    let near = suggest::closest(name, names.iter().copied());
                    (format!("device `{name}`"), near)
                }
                Subject::Id(id) => (format!("device with the id {}", id.0), None),
            };
            let message = format!("this blocks nobody: the house has no {whom}");
            let warning = Diagnostic::warning("blocks-nobody", place.clone(), message);
            self.diagnostics.push(match near {
                Some(near) => warning.help(format!("did you mean `{near}`?")),
                None => warning.help("the block stays, and holds once the mapping has that device"),
            });
        }
        if let Some((_, place)) = of_nobody.next() {
            let more = 1 + of_nobody.count();
            let message = format!("{more} more block nobody");
            let warning = Diagnostic::warning("blocks-nobody", place.clone(), message);
            let help = "they stay, and hold once the mapping has those devices";
            self.diagnostics.push(warning.help(help));
        }
    }
}

/// Blocks of nobody that are told one by one: each is looked for among all names.
const OF_NOBODY_MAX: usize = 20;

/// Reads the blocklist of the house in `folder`; where there is no file, nobody is blocked.
#[must_use]
pub fn load(folder: &Path) -> Blocklist {
    match disk::text_or_empty(&folder.join(FILE), BYTES_MAX) {
        Ok(text) => parse(FILE, &text),
        Err(why) => refused("unreadable-file", &format!("`{FILE}` {why}")),
    }
}

fn refused(code: &'static str, message: &str) -> Blocklist {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile {
        name: FILE.into(),
        path: PathBuf::new(),
        text: String::new(),
    });
    let span = Span { file, bytes: 0..0 };
    Blocklist {
        sources,
        blocks: None,
        diagnostics: vec![Diagnostic::error(code, span, message)],
        places: Vec::new(),
    }
}

/// Reads the text of a blocklist; `name` stands in messages.
#[must_use]
pub fn parse(name: &str, text: &str) -> Blocklist {
    let size = Size::of(text);
    if text.len() as u64 > BYTES_MAX {
        return refused("file-too-large", "a blocklist has at most 1 MB");
    }
    if let Err(TooMuch(said)) = size.fits_a_file() {
        return refused("file-too-large", &format!("a blocklist has at most {said}"));
    }
    if size.too_deep().is_some() {
        return refused("key-too-deep", "no key of a blocklist has so many parts");
    }
    let mut sources = Sources::default();
    let file = sources.add(SourceFile {
        name: name.into(),
        path: PathBuf::new(),
        text: text.to_owned(),
    });
    let mut report = Report::default();
    let mut syntax = Vec::new();
    let mut blanked = String::new();
    let document = Document::read(file, text, &mut blanked, &mut syntax);
    report.extend(syntax);
    let mut blocks = Vec::new();
    for (key, node) in document.tops().flat_map(|top| top.entries()) {
        if key.name == "block" {
            read_blocks(&mut report, &key, node, &mut blocks);
        } else {
            report.push(unknown_key(&key, BLOCKLIST.what, BLOCKLIST.names));
        }
    }
    let (blocks, places) = blocks.into_iter().unzip();
    let diagnostics = report.into_sorted();
    let sound = diagnostics
        .iter()
        .all(|found| found.severity == Severity::Warning);
    Blocklist {
        sources,
        blocks: sound.then_some(blocks),
        diagnostics,
        places,
    }
}

fn read_blocks(
    report: &mut Report,
    key: &Key<'_>,
    node: Node<'_>,
    blocks: &mut Vec<(Block, Span)>,
) {
    let Some(list) = node.as_list() else {
        let error = Diagnostic::error("wrong-type", key.span.clone(), "`block` must be a list");
        report.push(error.help("write each block below a [[block]] of its own"));
        return;
    };
    for node in list {
        if report.is_full() {
            break;
        }
        if let Some(table) = node.table(report, "a block")
            && let Some(block) = read_block(report, &table)
        {
            blocks.push(block);
        }
    }
}

/// A block, and where it says whom it is about.
fn read_block(report: &mut Report, table: &Table<'_>) -> Option<(Block, Span)> {
    table.reject_unknown(report, BLOCK.what, BLOCK.names);
    let sides = match table.field("as") {
        Some(node) => match node.word(report, "`as`", &["producer", "consumer", "both"])? {
            "producer" => Sides::Producer,
            "consumer" => Sides::Consumer,
            _ => Sides::Both,
        },
        None => Sides::Both,
    };
    let mut text = |key: &str| {
        let node = table.field(key)?;
        if let toml::de::DeValue::Datetime(when) = node.value() {
            return Some(Arc::from(when.to_string()));
        }
        let text = node.text(report, &format!("`{key}`"))?;
        Some(Arc::from(text.text))
    };
    let (since, why) = (text("since"), text("why"));
    let has_name = table.field("device").is_some();
    let id = match table.field("id") {
        // So did earlier versions write a virtual device that has none.
        Some(node) if has_name && node.as_number() == Some(0.0) => {
            let message = "no device has the number 0: this block goes by its name alone";
            let warning = Diagnostic::warning("number-of-nobody", node.span(), message);
            report.push(warning.help("leave `id` out"));
            None
        }
        Some(node) => {
            let id = node.whole(report, "`id`", 1, i64::from(u16::MAX))?;
            Some(DeviceId(id as u16))
        }
        None => None,
    };
    let subject = match (table.field("device"), id) {
        (Some(node), _) => {
            let text = node.text(report, "`device`")?;
            if !names::matches(text.text, Letters::Expression) {
                let message = format!("\"{}\" can't be the name of a device", text.text);
                report.push(Diagnostic::error("bad-name", text.span(), message));
                return None;
            }
            Subject::Name(text.text.into())
        }
        (None, Some(id)) => Subject::Id(id),
        (None, None)
            if ["device", "id"]
                .iter()
                .any(|key| table.misspells(key, BLOCK.names)) =>
        {
            return None;
        }
        (None, None) => {
            let message = "a block needs `device` or `id`";
            report.push(Diagnostic::error(
                "missing-key",
                table.span.clone(),
                message,
            ));
            return None;
        }
    };
    let id = id.filter(|_| matches!(subject, Subject::Name(_)));
    let place = table.field("device").or_else(|| table.field("id"))?.span();
    let block = Block {
        subject,
        id,
        sides,
        since,
        why,
    };
    Some((block, place))
}

/// Why a blocklist could not be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// It can't be read: mend it by hand first. Holds what the parser says.
    Unreadable(String),
    /// It could not be read any more. Holds what the parser would say.
    Unfit(String),
}

impl std::fmt::Display for EditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "the blocklist can't be read, mend it first: {why}"),
            Self::Unfit(why) => write!(f, "the blocklist could not be read with this block: {why}"),
        }
    }
}

impl std::error::Error for EditError {}

/// The text with `block` in it; an older block of the same subject is replaced, comments stay.
///
/// # Errors
/// The text can't be read as a blocklist, or could not with `block` in it.
pub fn add(text: &str, block: &Block) -> Result<String, EditError> {
    let mut document = edit(text)?;
    let list = blocks_of(&mut document)?;
    // One that follows a device to its new name is the same block.
    let id = block.id.map(Subject::Id);
    let place = |subject: &Subject| list.iter().position(|table| is_about(table, subject));
    let found = place(&block.subject).or_else(|| id.as_ref().and_then(place));
    if let Some(table) = found.and_then(|place| list.get_mut(place)) {
        fill(table, block);
    } else {
        let mut table = EditTable::new();
        fill(&mut table, block);
        list.push(table);
    }
    let text = document.to_string();
    match first_error(&text) {
        None => Ok(text),
        Some(why) => Err(EditError::Unfit(why)),
    }
}

/// The text without blocks of these subjects (a device's name and its id); `None`: there was none.
///
/// # Errors
/// The text can't be read as a blocklist.
pub fn remove(text: &str, subjects: &[Subject]) -> Result<Option<String>, EditError> {
    let mut document = edit(text)?;
    let list = blocks_of(&mut document)?;
    let before = list.len();
    list.retain(|table| !subjects.iter().any(|subject| is_about(table, subject)));
    let changed = list.len() < before;
    Ok(changed.then(|| document.to_string()))
}

fn edit(text: &str) -> Result<DocumentMut, EditError> {
    // What is no blocklist would not be in force once it is edited.
    if let Some(why) = first_error(text) {
        return Err(EditError::Unreadable(why));
    }
    text.parse::<DocumentMut>()
        .map_err(|error| EditError::Unreadable(error.message().to_owned()))
}

/// What the parser says first against a text.
fn first_error(text: &str) -> Option<String> {
    let read = parse(FILE, text);
    let mut wrong = read.diagnostics.iter();
    let wrong = wrong.find(|found| found.severity == Severity::Error)?;
    let place = wrong.labels.first().map(|label| &label.span);
    let line = place.map_or(1, |span| {
        read.sources.line_column(span.file, span.bytes.start).0
    });
    Some(format!("line {line}: {}", wrong.message))
}

fn blocks_of(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, EditError> {
    document
        .as_table_mut()
        .entry("block")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or_else(|| EditError::Unreadable("`block` must be written as [[block]]".to_owned()))
}

fn is_about(table: &EditTable, subject: &Subject) -> bool {
    match subject {
        Subject::Name(name) => table.get("device").and_then(Item::as_str) == Some(&**name),
        Subject::Id(id) => table.get("id").and_then(Item::as_integer) == Some(i64::from(id.0)),
    }
}

fn fill(table: &mut EditTable, block: &Block) {
    match &block.subject {
        Subject::Name(name) => set(table, "device", &**name),
        Subject::Id(id) => set(table, "id", i64::from(id.0)),
    }
    if let Some(id) = block.id {
        set(table, "id", i64::from(id.0));
    } else if is_about(table, &Subject::Id(DeviceId(0))) {
        table.remove("id");
    }
    match block.sides {
        Sides::Producer => set(table, "as", "producer"),
        Sides::Consumer => set(table, "as", "consumer"),
        Sides::Both => set(table, "as", "both"),
    }
    for (key, text) in [("since", &block.since), ("why", &block.why)] {
        match text {
            Some(text) => set(table, key, &**text),
            None => {
                table.remove(key);
            }
        }
    }
}

/// Writes a value; a comment behind an older one stays.
fn set(table: &mut EditTable, key: &str, new: impl Into<toml_edit::Value>) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name(name: &str) -> Block {
        Block {
            subject: Subject::Name(name.into()),
            id: None,
            sides: Sides::Producer,
            since: None,
            why: Some("it plays at night".into()),
        }
    }

    #[test]
    fn a_block_that_is_added_is_read_again_and_comments_stay() {
        let text = "# who may not play\n[[block]]\nid = 21 # the hall\n";
        let text = add(text, &by_name("piano")).unwrap();
        assert!(text.starts_with("# who may not play\n[[block]]\nid = 21 # the hall\n"));
        let blocks = parse("blocklist.toml", &text).blocks.unwrap();
        assert_eq!(blocks[0].subject, Subject::Id(DeviceId(21)));
        assert_eq!(blocks[0].sides, Sides::Both);
        assert_eq!(blocks[1], by_name("piano"));
        let same = add(&text, &by_name("piano")).unwrap();
        assert_eq!(same, text);
        let without = remove(&text, &[Subject::Name("piano".into())]).unwrap();
        let blocks = parse("blocklist.toml", &without.unwrap()).blocks.unwrap();
        assert_eq!(blocks.len(), 1);
        assert_eq!(remove(&text, &[Subject::Name("desk".into())]), Ok(None));
        assert_eq!(
            add("", &by_name("piano"))
                .unwrap()
                .matches("[[block]]")
                .count(),
            1
        );
    }

    #[test]
    fn a_name_may_have_its_number_beside_it_and_either_finds_the_block() {
        let block = Block {
            id: Some(DeviceId(17)),
            ..by_name("piano")
        };
        let text = add("", &block).unwrap();
        let blocks = parse(FILE, &text).blocks.unwrap();
        assert_eq!(blocks.as_slice(), std::slice::from_ref(&block));
        let renamed = Block {
            subject: Subject::Name("organ".into()),
            ..block
        };
        let again = add(&text, &renamed).unwrap();
        assert_eq!(parse(FILE, &again).blocks.unwrap(), [renamed]);
        for subject in [Subject::Name("piano".into()), Subject::Id(DeviceId(17))] {
            let without = remove(&text, &[subject]).unwrap();
            assert_eq!(parse(FILE, &without.unwrap()).blocks.unwrap(), []);
        }
    }

    #[test]
    fn a_number_that_no_device_has_beside_a_name_is_warned_of_and_the_block_goes_by_its_name() {
        let text = "[[block]]\ndevice = \"mode\"\nid = 0 # ours\n";
        let read = parse(FILE, text);
        let blocks = read.blocks.expect("it is in force");
        assert_eq!(
            (&blocks[0].subject, blocks[0].id),
            (&Subject::Name("mode".into()), None)
        );
        let codes: Vec<_> = read.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, ["number-of-nobody"]);
        // Each edit mends it.
        let again = add(text, &by_name("mode")).unwrap();
        assert!(!again.contains("id"), "{again}");
        assert_eq!(parse(FILE, &again).diagnostics, []);
        let without = remove(text, &[Subject::Name("mode".into())]).unwrap();
        assert_eq!(parse(FILE, &without.unwrap()).blocks.unwrap(), []);
    }

    #[test]
    fn a_block_that_would_make_the_blocklist_unreadable_is_not_added() {
        let nobody = Block {
            id: Some(DeviceId(0)),
            ..by_name("Front Door")
        };
        let why = add("", &nobody).expect_err("it can't be read").to_string();
        assert!(why.contains("Front Door") && !why.contains("mend"), "{why}");
        let full = "#".repeat(BYTES_MAX as usize - 10);
        let why = add(&full, &by_name("piano"))
            .expect_err("it is full")
            .to_string();
        assert!(why.contains("1 MB"), "{why}");
    }

    #[test]
    fn a_block_of_nobody_is_warned_of_with_its_place_and_is_kept() {
        let house = "format = 1\n[device.taster]\nid = 7\nio.button = { kind = \"button\" }\n";
        let loaded = crate::load_texts([("mapping.toml", house)]);
        let program = loaded.program.expect("it checks");
        let warnings = |text: &str| -> Vec<_> {
            let mut read = parse(FILE, text);
            read.warn_of_nobody(&program);
            assert!(read.blocks.is_some_and(|blocks| blocks.len() == 1));
            let found = read.diagnostics.iter();
            found
                .map(|found| {
                    let place = &found.labels[0].span;
                    let (line, _) = read.sources.line_column(place.file, place.bytes.start);
                    (line, found.message.clone(), found.help.join(" "))
                })
                .collect()
        };
        for text in [
            "[[block]]\ndevice = \"taster\"\n",
            "[[block]]\nid = 7\n",
            "[[block]]\ndevice = \"knopf\"\nid = 7\n",
        ] {
            assert_eq!(warnings(text), []);
        }
        let misspelt = warnings("# who\n[[block]]\ndevice = \"tastr\"\n");
        let [(3, message, help)] = misspelt.as_slice() else {
            panic!("{misspelt:?}");
        };
        assert!(message.contains("has no device `tastr`"), "{message}");
        assert_eq!(help, "did you mean `taster`?");
        let gone = warnings("[[block]]\nid = 8\n");
        assert!(gone[0].1.ends_with("no device with the id 8"), "{gone:?}");
    }

    #[test]
    fn a_blocklist_that_would_not_be_in_force_is_not_edited() {
        let refused = add("[[block]]\ndevise = \"piano\"\n", &by_name("piano"));
        let why = refused.expect_err("it is no blocklist").to_string();
        assert!(why.contains("line 2") && why.contains("devise"), "{why}");
    }

    #[test]
    fn a_blocklist_that_is_giant_or_wrong_is_refused() {
        for (text, code) in [
            ("#".repeat(BYTES_MAX as usize + 1), "file-too-large"),
            ("a.b = {}\n".repeat(60_000), "file-too-large"),
            (format!("a{} = 1\n", ".a".repeat(400_000)), "file-too-large"),
            (format!("a{} = 1\n", ".a".repeat(40)), "key-too-deep"),
            ("=\n".repeat(400_000), "too-many-mistakes"),
            ("[[block]]\nid = 0\n".repeat(20_000), "too-many-problems"),
            (
                "[[block]]\ndevice = \"Front Door\"\n".to_owned(),
                "bad-name",
            ),
        ] {
            let read = parse(FILE, &text);
            assert!(read.blocks.is_none());
            let codes: Vec<_> = read.diagnostics.iter().map(|found| found.code).collect();
            assert!(
                codes.contains(&code),
                "{code}: {} {:?}",
                codes.len(),
                codes.first()
            );
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        std::fs::create_dir(folder.path().join(FILE)).expect("a folder for the test");
        let read = load(folder.path());
        assert!(read.blocks.is_none());
        assert_eq!(
            read.diagnostics[0].message,
            "`blocklist.toml` is a folder, not a file"
        );
    }

    #[test]
    fn a_blocklist_with_any_mistake_gives_no_blocks() {
        for (text, code) in [
            ("[[block]]\ndevise = \"piano\"\n", "unknown-key"),
            ("[[block]]\nas = \"producer\"\n", "missing-key"),
            ("[[block]]\nid = 0\n", "out-of-range"),
            ("[[block]\nid = 1\n", "syntax"),
            ("block = 3\n", "wrong-type"),
            ("[[block]]\nid = 1\nas = \"boht\"\n", "unknown-word"),
        ] {
            let read = parse("blocklist.toml", text);
            assert!(read.blocks.is_none(), "{text}");
            assert!(
                read.diagnostics.iter().any(|found| found.code == code),
                "{text}"
            );
        }
    }

    #[test]
    fn of_many_blocks_of_nobody_some_are_told_and_how_many_more() {
        let text: String = (0..4_000)
            .map(|at| format!("[[block]]\ndevice = \"gone{at}\"\n"))
            .collect();
        let mut read = parse("blocklist.toml", &text);
        let house = "format = 1\n[device.piano]\nid = 1\nio.keys = { kind = \"keyboard\" }\n";
        let loaded = crate::load_texts(vec![("mapping.toml".to_owned(), house.to_owned())]);
        read.warn_of_nobody(&loaded.program.unwrap());
        assert_eq!(read.diagnostics.len(), OF_NOBODY_MAX + 1);
        let last = read.diagnostics.last().unwrap();
        assert_eq!(last.message, "3980 more block nobody");
        assert_eq!(read.blocks.unwrap().len(), 4_000);
    }
}
