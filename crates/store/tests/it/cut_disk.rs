//! A disk whose power can be cut: it knows of each file what was synced and what was only written since, and makes the folder
//! as a cut may leave it. What was not synced is there or not, each sector for itself and in any order; the newest writes may
//! end within a sector; a file that was made or removed since the folder was synced may be gone or back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::disk::is_in_memory;
use store::disk::{Disk, DiskFile, RealDisk};

/// What a disk writes as a whole, or not at all.
const SECTOR: usize = 512;

/// Choices of a cut.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// A change of a file since its last sync.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    /// What is on the disk for sure.
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, FileState>,
    /// Names that the folder had when it was synced.
    listed: BTreeSet<PathBuf>,
    /// Those of them that were removed since.
    removed: BTreeMap<PathBuf, FileState>,
}

/// The disk; its files are real ones as well, so that they can be read back while it has power.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct CutFile {
    real: Box<dyn DiskFile>,
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

impl CutDisk {
    /// Goes on with what a cut has left in `folder`: all of it is on the disk.
    pub(crate) fn with_what_is_in(folder: &Path) -> Self {
        let disk = Self::default();
        let mut state = disk.0.lock().unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let synced = fs::read(&path).unwrap();
            let since = Vec::new();
            state
                .files
                .insert(path.clone(), FileState { synced, since });
            state.listed.insert(path);
        }
        drop(state);
        disk
    }

    /// Writes into `to` what a power cut at this moment may leave; nothing of what is in memory.
    pub(crate) fn cut(&self, to: &Path, dice: &mut Dice) {
        let state = self.0.lock().unwrap();
        // What was made or removed since the folder was synced is there or not.
        let made = state
            .files
            .iter()
            .filter(|(path, _)| state.listed.contains(*path) || dice.coin());
        let made: Vec<_> = made.filter(|(path, _)| !is_in_memory(path)).collect();
        let back = state
            .removed
            .iter()
            .filter(|(path, _)| !state.files.contains_key(*path));
        let back: Vec<_> = back.filter(|_| dice.coin()).collect();
        for (path, file) in made.into_iter().chain(back) {
            fs::write(to.join(path.file_name().unwrap()), file.after_cut(dice)).unwrap();
        }
    }
}

impl FileState {
    fn after_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        // All, none, or some of it; sectors of one write by themselves.
        let mood = dice.below(4);
        for change in &self.since {
            match change {
                Change::SetLen(_) if mood == 1 => {}
                Change::SetLen(len) if mood == 0 || dice.coin() => bytes.resize(*len, 0),
                Change::SetLen(_) => {}
                Change::Write { offset, bytes: new } => {
                    for (start, end) in sectors(*offset, new.len()) {
                        let is_there = mood == 0 || mood != 1 && dice.coin();
                        // Some cards tear within a sector.
                        let end = match mood {
                            3 if is_there => start + dice.below((end - start) as u64 + 1) as usize,
                            _ => end,
                        };
                        if is_there {
                            write(&mut bytes, start, &new[start - offset..end - offset]);
                        }
                    }
                }
            }
        }
        bytes
    }

    fn apply(&mut self) {
        for change in std::mem::take(&mut self.since) {
            match change {
                Change::SetLen(len) => self.synced.resize(len, 0),
                Change::Write { offset, bytes } => write(&mut self.synced, offset, &bytes),
            }
        }
    }
}

/// The pieces of a write, each within one sector.
fn sectors(offset: usize, len: usize) -> Vec<(usize, usize)> {
    let (mut pieces, mut start) = (Vec::new(), offset);
    while start < offset + len {
        let end = ((start / SECTOR + 1) * SECTOR).min(offset + len);
        pieces.push((start, end));
        start = end;
    }
    pieces
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl Disk for CutDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let real = RealDisk.create(path)?;
        let mut state = self.0.lock().unwrap();
        // An existing one is emptied, which is a change like others.
        let file = state.files.entry(path.to_owned()).or_default();
        file.since.push(Change::SetLen(0));
        drop(state);
        Ok(self.file(real, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path)?, path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)?;
        let mut state = self.0.lock().unwrap();
        if let Some(file) = state.files.remove(path)
            && state.listed.contains(path)
        {
            state.removed.insert(path.to_owned(), file);
        }
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.listed = state.files.keys().cloned().collect();
        state.removed.clear();
        Ok(())
    }
}

impl CutDisk {
    fn file(&self, real: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        Box::new(CutFile {
            real,
            path: path.to_owned(),
            state: Arc::clone(&self.0),
        })
    }
}

impl CutFile {
    fn note(&self, change: Change) {
        let mut state = self.state.lock().unwrap();
        if let Some(file) = state.files.get_mut(&self.path) {
            file.since.push(change);
        }
    }
}

impl DiskFile for CutFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.note(Change::Write {
            offset: offset as usize,
            bytes: bytes.to_vec(),
        });
        self.real.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.note(Change::SetLen(bytes as usize));
        self.real.set_len(bytes)
    }

    /// Nothing waits for the real disk: power is cut in the model only.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if let Some(file) = state.files.get_mut(&self.path) {
            file.apply();
        }
        Ok(())
    }

    fn check_at(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.real.check_at(path, bytes)
    }
}

#[test]
fn a_cut_leaves_what_was_synced_and_any_part_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let disk = CutDisk::default();
    let path = folder.path().join("a");
    let file = disk.create(&path).unwrap();
    file.write_all_at(&[1; 100], 0).unwrap();
    file.sync().unwrap();
    disk.sync_folder(folder.path()).unwrap();
    file.write_all_at(&[2; 2_000], 100).unwrap();
    let mut found = BTreeSet::new();
    let mut dice = Dice::new(1);
    for _ in 0..200 {
        let cut = tempfile::tempdir().unwrap();
        disk.cut(cut.path(), &mut dice);
        let bytes = fs::read(cut.path().join("a")).unwrap();
        assert_eq!(bytes[..100], [1; 100]);
        assert!(bytes.len() <= 2_100 && bytes[100..].iter().all(|byte| [0, 2].contains(byte)));
        found.insert(bytes);
    }
    assert!(found.iter().any(|bytes| bytes.len() == 100), "none of it");
    assert!(
        found.iter().any(|bytes| bytes[100..] == [2; 2_000]),
        "all of it"
    );
    let reordered = |bytes: &&Vec<u8>| bytes.len() == 2_100 && bytes[100] == 0;
    assert!(
        found.iter().any(|bytes| reordered(&bytes)),
        "its end without its start"
    );
    assert!(found.len() > 20, "{}", found.len());
}
