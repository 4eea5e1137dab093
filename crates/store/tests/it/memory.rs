//! The newest segment in memory: what is accepted survives the process there, comes to the disk together, and whatever
//! becomes of memory or disk, nothing is lost that would not be lost without it.

use crate::disk::FaultyDisk;
use crate::writer::{snapshot, start, wait_for};
use crate::{PATIENCE, append, batch, batch_of, open, read, record, segments};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::journal::Journal;
use store::{Durability, HealthState, Options, Past, Store};
use tempfile::TempDir;
use types::InputNo;

/// A journal, and what stands for a folder in memory.
struct Folders {
    journal: TempDir,
    memory: TempDir,
}

impl Folders {
    fn new() -> Self {
        Self {
            journal: tempfile::tempdir().unwrap(),
            memory: tempfile::tempdir().unwrap(),
        }
    }

    /// Opens the journal, as after an orderly end or kill -9, and works in memory.
    fn open(&self) -> Journal {
        let (mut journal, found) = open(self.journal.path(), 4_096);
        assert_eq!((found.torn, found.damaged), (None, Vec::new()));
        journal.work_in(Some(self.memory.path())).unwrap();
        journal
    }

    fn copies(&self) -> Vec<PathBuf> {
        let copies = self.memory.path().read_dir().unwrap();
        copies.map(|copy| copy.unwrap().path()).collect()
    }

    fn newest(&self) -> PathBuf {
        segments(self.journal.path()).pop().unwrap()
    }

    /// The numbers that stand on the disk, as a power cut leaves it.
    fn on_the_disk(&self) -> u64 {
        let cut = tempfile::tempdir().unwrap();
        for segment in segments(self.journal.path()) {
            fs::copy(&segment, cut.path().join(segment.file_name().unwrap())).unwrap();
        }
        read(&open(cut.path(), 4_096).0, 1).len() as u64
    }
}

fn is_all(journal: &Journal, last: u64) {
    assert_eq!(read(journal, 1), (1..=last).map(record).collect::<Vec<_>>());
    assert_eq!(journal.last(), InputNo(last));
}

#[test]
fn what_is_appended_comes_to_the_disk_with_a_sync_and_survives_the_process_before() {
    let folders = Folders::new();
    let mut journal = folders.open();
    append(&mut journal, &[record(1), record(2)]);
    is_all(&journal, 2);
    assert_eq!(folders.on_the_disk(), 0);
    journal.sync().unwrap();
    assert_eq!(folders.on_the_disk(), 2);
    append(&mut journal, &[record(3)]);
    assert_eq!(folders.on_the_disk(), 2);
    drop(journal);

    let mut journal = folders.open();
    is_all(&journal, 3);
    append(&mut journal, &[record(4)]);
    journal.sync().unwrap();
    assert_eq!(folders.on_the_disk(), 4);
}

#[test]
fn full_pages_come_to_the_disk_by_themselves_and_none_of_them_is_written_again() {
    let folders = Folders::new();
    let disk = FaultyDisk::unsynced();
    let opened = Journal::open(folders.journal.path(), 1 << 20, Arc::new(disk.clone()));
    let mut journal = opened.unwrap().0;
    journal.work_in(Some(folders.memory.path())).unwrap();
    let mut synced = 0;
    let mut pages = 0;
    for no in 1..=600 {
        append(&mut journal, &[record(no)]);
        let before = disk.0.lock().unwrap().writes;
        let came = journal.sync_full_pages().unwrap();
        pages += disk.0.lock().unwrap().writes - before;
        if let Some(last) = came {
            assert_eq!(last, InputNo(no - 1), "what came just now is not whole");
            synced = last.0;
            assert_eq!(journal.sync_full_pages().unwrap(), None, "once each");
        }
        if no % 100 == 0 {
            assert_eq!(folders.on_the_disk(), synced);
        }
    }
    assert_eq!(pages as u64, journal.view().bytes() / 4_096);
    assert!(pages > 5, "{pages}");
    is_all(&journal, 600);
}

#[test]
fn an_orderly_end_leaves_nothing_in_memory() {
    let folders = Folders::new();
    let mut journal = folders.open();
    append(&mut journal, &(1..=300).map(record).collect::<Vec<_>>());
    assert_eq!(folders.copies().len(), 1, "full segments are on the disk");
    journal.close().unwrap();
    assert_eq!(folders.copies().len(), 0);
    assert_eq!(folders.on_the_disk(), 300);
}

#[test]
fn a_start_without_a_folder_in_memory_takes_what_an_earlier_run_left_there() {
    let folders = Folders::new();
    append(&mut folders.open(), &[record(1), record(2)]);
    let (mut journal, _) = open(folders.journal.path(), 4_096);
    journal.work_in(None).unwrap();
    assert_eq!(folders.copies().len(), 0);
    assert_eq!(folders.on_the_disk(), 2);
    append(&mut journal, &[record(3)]);
    assert_eq!(folders.on_the_disk(), 3);
    is_all(&open(folders.journal.path(), 4_096).0, 3);
}

#[test]
fn a_write_to_memory_that_kill_9_tore_is_cut_and_the_records_before_it_are_there() {
    let folders = Folders::new();
    append(&mut folders.open(), &[record(1), record(8)]);
    let copy = folders.copies().remove(0);
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, &bytes[..bytes.len() - 3]).unwrap();
    let (mut journal, found) = open(folders.journal.path(), 4_096);
    assert_eq!(found.torn.unwrap().after, InputNo(1));
    journal.work_in(Some(folders.memory.path())).unwrap();
    append(&mut journal, &[record(2)]);
    drop(journal);
    is_all(&folders.open(), 2);
}

#[test]
fn what_is_in_memory_does_not_come_back_into_a_journal_from_a_backup() {
    let folders = Folders::new();
    let mut journal = folders.open();
    append(&mut journal, &[record(1)]);
    journal.sync().unwrap();
    let backup = fs::read(folders.newest()).unwrap();
    append(&mut journal, &[record(2), record(3)]);
    drop(journal);
    let restored = folders.newest().with_extension("restored");
    fs::write(&restored, backup).unwrap();
    fs::rename(restored, folders.newest()).unwrap();
    is_all(&folders.open(), 1);
    assert_eq!(folders.copies().len(), 1, "the other one was swept up");
}

#[test]
fn memory_that_stays_behind_the_disk_is_no_copy() {
    let folders = Folders::new();
    let mut journal = folders.open();
    append(&mut journal, &[record(1)]);
    let old = fs::read(folders.copies().remove(0)).unwrap();
    append(&mut journal, &[record(2)]);
    journal.sync().unwrap();
    drop(journal);
    fs::write(folders.copies().remove(0), old).unwrap();
    is_all(&folders.open(), 2);
}

#[test]
fn what_the_disk_has_lost_of_the_newest_file_is_still_in_memory_after_kill_9() {
    let folders = Folders::new();
    let mut journal = folders.open();
    append(&mut journal, &(1..=30).map(record).collect::<Vec<_>>());
    journal.sync().unwrap();
    append(&mut journal, &[record(31)]);
    drop(journal);
    let mut bytes = fs::read(folders.newest()).unwrap();
    bytes[200..].fill(0);
    fs::write(folders.newest(), bytes).unwrap();
    let mut journal = folders.open();
    is_all(&journal, 31);
    journal.sync().unwrap();
    assert_eq!(folders.on_the_disk(), 31);
}

#[test]
fn where_memory_is_full_or_was_emptied_all_goes_on_on_the_disk() {
    let full = |disk: &FaultyDisk, _: &Folders| disk.set(|faults| faults.memory_is_full = true);
    let deleted = |_: &FaultyDisk, folders: &Folders| {
        fs::remove_file(folders.copies().remove(0)).unwrap();
    };
    let strikes: [fn(&FaultyDisk, &Folders); 2] = [full, deleted];
    for strike in strikes {
        let folders = Folders::new();
        let disk = FaultyDisk::unsynced();
        let opened = Journal::open(folders.journal.path(), 4_096, Arc::new(disk.clone()));
        let mut journal = opened.unwrap().0;
        journal.work_in(Some(folders.memory.path())).unwrap();
        append(&mut journal, &[record(1), record(2)]);
        let mut reader = journal.view().reader(InputNo(1));
        assert_eq!(reader.next().unwrap().unwrap(), record(1));
        strike(&disk, &folders);
        append(&mut journal, &(3..=20).map(record).collect::<Vec<_>>());
        assert_eq!(folders.on_the_disk(), 20);
        assert_eq!(folders.copies().len(), 0);
        let rest: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(rest, (2..=20).map(record).collect::<Vec<_>>());
        is_all(&journal, 20);
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_and_the_disk_serves() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        memory: Some(folder.path().join("nowhere")),
        ..Options::default()
    };
    let (handle, acknowledged) = start(&folder.path().join("state"), options.clone());
    handle.submit(batch_of(1..=3)).unwrap();
    wait_for(&acknowledged, 3);
    handle.shutdown().unwrap();
    let (_, recovered) = Store::open(&folder.path().join("state"), options).unwrap();
    let told = recovered.warnings.join("\n");
    assert!(told.contains("nowhere can't be used"), "{told}");
    assert_eq!(recovered.tail.map(Result::unwrap).count(), 3);
}

/// A store in memory on a disk of faults.
fn options(memory: &Path, disk: &FaultyDisk) -> Options {
    Options {
        memory: Some(memory.to_owned()),
        disk: Arc::new(disk.clone()),
        retry_first: Duration::from_millis(1),
        retry_max: Duration::from_millis(4),
        sync_interval: Duration::from_millis(1),
        ..Options::default()
    }
}

#[test]
fn after_a_sync_that_failed_nothing_more_is_acknowledged_until_one_succeeds() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(memory.path(), &disk));
    handle.submit(batch_of(1..=3)).unwrap();
    wait_for(&acknowledged, 3);
    snapshot(&handle, 3).unwrap();
    disk.set(|faults| faults.room = Some(0));
    handle.submit(batch_of(4..=4)).unwrap();
    let begun = std::time::Instant::now();
    while handle.health().state == HealthState::Good {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    while acknowledged.try_recv().is_ok() {}
    handle.submit(batch_of(5..=9)).unwrap();
    let HealthState::Failing { attempts, .. } = handle.health().state else {
        panic!("{}", handle.health().state);
    };
    // Tries go on, and none of them is a success for memory has room.
    while !matches!(handle.health().state, HealthState::Failing { attempts: now, .. } if now > attempts + 2)
    {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert!(acknowledged.try_recv().is_err());
    disk.set(|faults| faults.room = None);
    wait_for(&acknowledged, 9);
    handle.shutdown().unwrap();
    let (_, recovered) = Store::open(folder.path(), Options::default()).unwrap();
    assert_eq!(recovered.tail.map(Result::unwrap).count(), 6);
}

#[test]
fn what_people_change_is_on_the_disk_before_it_is_acknowledged_in_memory_too() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = FaultyDisk::default();
    let options = Options {
        sync_interval: PATIENCE,
        ..options(memory.path(), &disk)
    };
    let (handle, acknowledged) = start(folder.path(), options);
    handle.submit(batch_of(1..=5)).unwrap();
    wait_for(&acknowledged, 5);
    let before = disk.0.lock().unwrap().writes;
    for no in 6..=60 {
        handle.submit(batch_of(no..=no)).unwrap();
        wait_for(&acknowledged, no);
    }
    assert_eq!(
        disk.0.lock().unwrap().writes,
        before,
        "the disk is left alone"
    );
    handle
        .submit(batch(&[record(61)], Durability::Now))
        .unwrap();
    wait_for(&acknowledged, 61);
    assert_eq!(
        disk.0.lock().unwrap().writes,
        before + 1,
        "all comes together"
    );
    let cut = tempfile::tempdir().unwrap();
    let segment = segments(&handle.folder().journal()).remove(0);
    fs::copy(&segment, cut.path().join(segment.file_name().unwrap())).unwrap();
    assert_eq!(read(&open(cut.path(), 4_096).0, 1).len(), 61);
}

#[test]
fn whoever_looks_in_from_another_process_sees_what_is_in_memory() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options {
        sync_interval: PATIENCE,
        ..options(memory.path(), &FaultyDisk::default())
    };
    let (handle, acknowledged) = start(folder.path(), options);
    for no in 1..=4 {
        handle.submit(batch_of(no..=no)).unwrap();
        wait_for(&acknowledged, no);
        let past = Past::open(folder.path()).unwrap();
        assert_eq!(past.last(), InputNo(no));
        let records: Vec<_> = past.reader(InputNo(1)).map(Result::unwrap).collect();
        assert_eq!(records, (1..=no).map(record).collect::<Vec<_>>());
    }
    let files = handle.folder().journal_files().unwrap();
    let [(name, source)] = &files[..] else {
        panic!("what leads to memory is no file of the journal: {files:?}")
    };
    assert_eq!(name, "00000001.journal");
    assert!(source.starts_with(memory.path()), "{}", source.display());
}
