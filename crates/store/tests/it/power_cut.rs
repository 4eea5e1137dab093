//! Power cuts: whatever of the unsynced writes is on the disk afterwards, the journal opens, has all that was synced in its
//! order, nothing that was never written, and goes on under numbers that were not used.

use crate::cut_disk::{CutDisk, Dice};
use crate::{batch, keep, record};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::journal::Journal;
use store::{Durability, Record, Retention};
use types::InputNo;

/// How many random cases a test tries; more on demand.
fn cases() -> u64 {
    let asked = std::env::var_os("IOT_CONTROL_CASES");
    let asked = asked.and_then(|number| number.to_str()?.parse().ok());
    asked.unwrap_or(200)
}

/// What a house did before the power went.
#[derive(Default)]
struct Life {
    /// The last number that was given.
    last: u64,
    /// Numbers that are on the disk for sure.
    synced: BTreeSet<u64>,
    /// Those that are written, and not on the disk for sure.
    written: BTreeSet<u64>,
    /// What is older may have been dropped.
    oldest: u64,
}

#[test]
fn after_a_power_cut_the_journal_opens_with_all_that_was_synced() {
    for seed in 0..cases() {
        for in_memory in [false, true] {
            let outcome = std::panic::catch_unwind(|| live_and_cut(seed, in_memory));
            assert!(outcome.is_ok(), "seed {seed}, in memory: {in_memory}");
        }
    }
}

/// A few powers of one house, one after the other; each takes with it what was in memory.
fn live_and_cut(seed: u64, in_memory: bool) {
    let mut dice = Dice::new(seed);
    let segment_bytes = 200 + dice.below(4_000) * (1 + dice.below(2) * 4);
    let mut folder = tempfile::tempdir().unwrap();
    let mut life = Life::default();
    for _ in 0..1 + dice.below(3) {
        let disk = CutDisk::with_what_is_in(folder.path());
        let opened = Journal::open(folder.path(), segment_bytes, Arc::new(disk.clone()));
        let (mut journal, _) = opened.expect("a power cut keeps no journal from opening");
        check(&journal, &mut life);
        let memory = tempfile::tempdir().unwrap();
        let works_in = in_memory.then_some(memory.path());
        journal.work_in(works_in).unwrap();
        work(&mut journal, &mut life, &mut dice);
        let left = tempfile::tempdir().unwrap();
        disk.cut(left.path(), &mut dice);
        leave_note(folder.path(), left.path(), &mut dice);
        folder = left;
    }
    let disk = Arc::new(CutDisk::with_what_is_in(folder.path()));
    let (journal, _) = Journal::open(folder.path(), segment_bytes, disk).unwrap();
    check(&journal, &mut life);
}

/// Appends, syncs, drops what is old.
fn work(journal: &mut Journal, life: &mut Life, dice: &mut Dice) {
    for _ in 0..dice.below(12) {
        match dice.below(7) {
            0..=3 => {
                let count = 1 + dice.below(20);
                let new: Vec<Record> = (life.last + 1..=life.last + count).map(record).collect();
                journal.append(&[batch(&new, Durability::Soon)], 0).unwrap();
                life.written.extend(life.last + 1..=life.last + count);
                life.last += count;
            }
            4 => {
                journal.sync().unwrap();
                life.synced.append(&mut life.written);
            }
            5 => {
                if let Some(last) = journal.sync_full_pages().unwrap() {
                    let rest = life.written.split_off(&(last.0 + 1));
                    life.synced.append(&mut life.written);
                    life.written = rest;
                }
            }
            _ => {
                let synced = life.synced.last().copied().unwrap_or(0);
                let from = synced.saturating_sub(dice.below(40));
                let all = Retention {
                    age_max: Duration::ZERO,
                    bytes_max: 0,
                };
                journal.retain(all, journal.last_at(), keep(from)).unwrap();
                let before = journal.view().before_oldest();
                life.oldest = life.oldest.max(before.map_or(0, |before| before.0) + 1);
            }
        }
    }
}

/// What is there is what was written, and what was synced is there.
fn check(journal: &Journal, life: &mut Life) {
    let records: Vec<Record> = journal
        .view()
        .reader(InputNo(life.oldest))
        .filter_map(Result::ok)
        .collect();
    let numbers: Vec<u64> = records.iter().map(|record| record.no.0).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    for found in &records {
        let no = found.no.0;
        let is_known = life.synced.contains(&no) || life.written.contains(&no);
        assert!(is_known, "{no} was never written");
        assert_eq!(*found, record(no), "as it was written");
    }
    for no in life.synced.range(life.oldest..) {
        assert!(
            numbers.contains(no),
            "{no} was synced and is gone: {numbers:?}"
        );
    }
    let newest = numbers.last().copied().unwrap_or(0);
    assert!(journal.last().0 >= newest, "no number is used twice");
    // What the cut took does not come back; the house goes on behind what there is.
    life.last = journal.last().0;
    life.synced = numbers.into_iter().collect();
    life.written.clear();
}

/// The note of the end is written beside the disk's seam, and never synced: it is as it was, or not there, or torn.
fn leave_note(from: &Path, to: &Path, dice: &mut Dice) {
    let Ok(mut note) = fs::read(from.join("end")) else {
        return;
    };
    match dice.below(4) {
        0 => return,
        1 => note.truncate(dice.below(note.len() as u64 + 1) as usize),
        2 => note.fill(0),
        _ => {}
    }
    fs::write(to.join("end"), note).unwrap();
}
