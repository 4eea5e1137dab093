//! Damage: every flipped bit, whole pages, lost and absurd files. A start comes up with all that is whole, and
//! what is missing is said with its place.

use crate::{append, batch, open_fast, segments};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use store::journal::Journal;
use store::{Class, Damage, Durability, Gap, GapCause, ReadError, Record};
use types::InputNo;

const RECORDS: u64 = 20;

/// Inputs only: each number stands for itself.
fn record(no: u64) -> Record {
    Record {
        class: Class::Input,
        ..crate::record(no)
    }
}

fn journal_of(folder: &Path, segment_bytes: u64, records: u64) {
    let (mut journal, _) = open_fast(folder, segment_bytes);
    for no in 1..=records {
        append(&mut journal, &[record(no)]);
    }
}

/// What a reader gives from `from` on, with the gaps that it came over.
fn read_over(journal: &Journal, from: u64) -> (Vec<Record>, Vec<Gap>) {
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    for read in journal.view().reader(InputNo(from)) {
        match read {
            Ok(record) => records.push(record),
            Err(ReadError::Gap(gap)) => gaps.push(gap),
            Err(error) => panic!("{error}"),
        }
    }
    (records, gaps)
}

/// Checks that all of `1..=last` is either read as it was written or inside a gap; returns what is missing.
fn check(journal: &Journal, last: u64) -> (BTreeSet<u64>, Vec<Gap>) {
    let (records, gaps) = read_over(journal, 1);
    let mut missing: BTreeSet<u64> = (1..=last).collect();
    let mut before = 0;
    for read in &records {
        assert_eq!(*read, record(read.no.0), "nothing wrong is read");
        assert!(read.no.0 > before, "in order, each once");
        before = read.no.0;
        missing.remove(&before);
    }
    for no in &missing {
        let is_said = |gap: &Gap| gap.from.0 <= *no && gap.until.is_none_or(|until| *no < until.0);
        assert!(
            gaps.iter().any(is_said),
            "{no} is missing and no gap says so: {gaps:?}"
        );
    }
    (missing, gaps)
}

/// Appends two records behind everything and finds them again after another start.
fn goes_on(folder: &Path, mut journal: Journal, segment_bytes: u64) {
    let next = journal.last().0 + 1;
    append(&mut journal, &[record(next), record(next + 1)]);
    drop(journal);
    let (journal, found) = open_fast(folder, segment_bytes);
    assert_eq!(found.torn, None);
    assert_eq!(journal.last(), InputNo(next + 1));
    let (records, _) = read_over(&journal, next);
    assert_eq!(records, [record(next), record(next + 1)]);
}

fn damage_of(gap: &Gap) -> &Damage {
    match &gap.cause {
        GapCause::Damage(damage) => damage,
        cause => panic!("{cause:?}"),
    }
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[test]
fn every_flipped_bit_of_an_old_segment_costs_its_record_and_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 250, RECORDS);
    let files = segments(folder.path());
    assert!(files.len() > 3);
    let old = &files[1];
    let whole = std::fs::read(old).unwrap();
    for bit in 0..whole.len() * 8 {
        let at = bit as u64 / 8;
        std::fs::write(old, flip(&whole, bit)).unwrap();
        let (journal, found) = open_fast(folder.path(), 250);
        assert_eq!(journal.last(), InputNo(RECORDS));
        let (missing, gaps) = check(&journal, RECORDS);
        let [gap] = &gaps[..] else {
            panic!("bit {bit}: {gaps:?}")
        };
        let damage = damage_of(gap);
        assert_eq!(&damage.file, old);
        assert!(
            damage.offset <= at && at < damage.offset + damage.bytes,
            "{bit}: {damage}"
        );
        // The checksum of a record is what the next one is known by.
        assert!(missing.len() <= 2, "bit {bit}: {missing:?}");
        if at < 48 {
            assert_eq!(damage.offset, 0);
            assert_eq!(found.damaged.len(), 1, "the header is read at the start");
            assert!(
                missing.len() <= 1,
                "a header costs at most the record that is known by it"
            );
        } else {
            assert!(
                found.damaged.is_empty(),
                "an old segment is read by who needs it"
            );
            assert!(!missing.is_empty());
        }
        // Whoever starts behind the damage is not bothered with it.
        let (_, gaps) = read_over(&journal, RECORDS);
        assert_eq!(gaps, []);
    }
    std::fs::write(old, whole).unwrap();
    goes_on(folder.path(), open_fast(folder.path(), 250).0, 250);
}

#[test]
fn damage_in_the_newest_segment_is_no_torn_tail_and_the_records_behind_it_stay() {
    const RECORDS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 4_096, RECORDS);
    let name = segments(folder.path()).remove(0);
    let mut whole = std::fs::read(&name).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    whole.truncate(used);
    let (mut torn, mut damaged) = (0, 0);
    for bit in 0..whole.len() * 8 {
        let case = tempfile::tempdir().unwrap();
        let file = case.path().join(name.file_name().unwrap());
        let mut flipped = flip(&whole, bit);
        flipped.resize(4_096, 0);
        std::fs::write(&file, &flipped).unwrap();
        let (journal, found) = open_fast(case.path(), 4_096);
        let (missing, _) = check(&journal, RECORDS.min(journal.last().0));
        assert!(missing.len() <= 2, "bit {bit}: {missing:?}");
        match (&found.damaged[..], &found.torn) {
            ([], Some(tail)) => {
                torn += 1;
                assert!(journal.last() < InputNo(RECORDS), "it ends before");
                assert!(tail.offset <= bit as u64 / 8);
            }
            ([damage], None) => {
                damaged += 1;
                assert_eq!(journal.last(), InputNo(RECORDS));
                assert_eq!(damage.file, file);
                assert_eq!(damage.behind, RECORDS - missing.last().map_or(0, |no| *no));
                let copy = damage.set_aside.as_ref().unwrap();
                assert_eq!(std::fs::read(copy).unwrap(), flipped);
                assert_eq!(copy.extension().unwrap(), "damaged");
            }
            other => panic!("bit {bit}: {other:?}"),
        }
        goes_on(case.path(), journal, 4_096);
    }
    assert!(
        torn > 0 && damaged > 3 * torn,
        "{torn} torn, {damaged} damaged"
    );
}

#[test]
fn damage_is_told_with_file_offset_and_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 4_096, RECORDS);
    let file = segments(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (journal, found) = open_fast(folder.path(), 4_096);
    let text = found.damaged[0].to_string();
    let start = format!("{} is damaged at byte ", file.display());
    assert!(text.starts_with(&start), "{text}");
    assert!(text.contains(" whole records follow in it"), "{text}");
    assert!(text.ends_with("00000001.damaged"), "{text}");
    let (missing, gaps) = check(&journal, RECORDS);
    let missing = missing.first().unwrap();
    let text = gaps[0].to_string();
    assert!(
        text.ends_with(&format!("input {missing} is missing")),
        "{text}"
    );
}

#[test]
fn a_page_that_a_power_cut_kept_from_the_disk_is_told_from_damage() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 1 << 20, 400);
    let file = segments(folder.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    for unwritten in [true, false] {
        let mut bytes = whole.clone();
        let page = &mut bytes[8_192..12_288];
        page.fill(0);
        if !unwritten {
            page.iter_mut().step_by(2).for_each(|byte| *byte = 0x3C);
            page[1..]
                .iter_mut()
                .step_by(2)
                .for_each(|byte| *byte = 0xC3);
        }
        let case = tempfile::tempdir().unwrap();
        std::fs::write(case.path().join(file.file_name().unwrap()), bytes).unwrap();
        let (journal, found) = open_fast(case.path(), 1 << 20);
        let [damage] = &found.damaged[..] else {
            panic!("{found:?}")
        };
        assert_eq!(damage.is_unwritten, unwritten, "{damage}");
        assert_eq!(damage.to_string().contains("power cut"), unwritten);
        let (missing, gaps) = check(&journal, 400);
        assert!(missing.len() > 50);
        assert_eq!(damage_of(&gaps[0]).is_unwritten, unwritten);
    }
}

#[test]
fn a_lost_segment_is_a_gap_and_what_follows_is_read() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 250, RECORDS);
    let files = segments(folder.path());
    std::fs::remove_file(&files[1]).unwrap();
    let (journal, found) = open_fast(folder.path(), 250);
    assert!(found.damaged.is_empty());
    let (missing, gaps) = check(&journal, RECORDS);
    assert!(missing.len() > 1);
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!(gap.from.0, *missing.first().unwrap());
    assert_eq!(gap.until.unwrap().0, missing.last().unwrap() + 1);
    assert_eq!(
        gap.cause,
        GapCause::Missing {
            before: files[2].clone()
        }
    );
    goes_on(folder.path(), journal, 250);
}

#[test]
fn a_damaged_segment_is_copied_once_and_its_copy_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 250, RECORDS);
    let old = segments(folder.path()).remove(0);
    let (mut journal, _) = open_fast(folder.path(), 250);
    let copy = journal.set_aside(&old).unwrap();
    let first = std::fs::read(&copy).unwrap();
    assert_eq!(first, std::fs::read(&old).unwrap());
    std::fs::write(&old, vec![7; first.len()]).unwrap();
    journal.set_aside(&old).unwrap();
    assert_eq!(
        std::fs::read(&copy).unwrap(),
        first,
        "the first copy is the best"
    );
    assert!(journal.set_aside(&folder.path().join("house.db")).is_err());
    assert_eq!(journal.drop_oldest(InputNo(RECORDS)).unwrap().segments, 1);
    assert!(!copy.exists() && !old.exists());
}

#[test]
fn numbers_that_may_stand_in_a_newest_segment_that_is_rubbish_are_not_used_again() {
    for rubbish in [vec![0xA5; 700], b"#!/bin/sh\n".repeat(20)] {
        let folder = tempfile::tempdir().unwrap();
        journal_of(folder.path(), 250, RECORDS);
        let newest = segments(folder.path()).pop().unwrap();
        std::fs::write(&newest, &rubbish).unwrap();
        let (journal, found) = open_fast(folder.path(), 250);
        assert_eq!(found.damaged.len(), 1);
        assert_eq!(found.damaged[0].behind, 0);
        let before = journal.last().0;
        assert!(before >= RECORDS.min(before) && before > RECORDS - 10);
        goes_on(folder.path(), journal, 250);
        let (journal, _) = open_fast(folder.path(), 250);
        let (_, gaps) = read_over(&journal, 1);
        assert!(gaps.iter().any(Gap::is_felt), "{gaps:?}");
        assert_eq!(
            std::fs::read(&newest).unwrap(),
            rubbish,
            "it is left as it is"
        );
    }
}

#[test]
fn what_is_no_segment_does_not_stop_a_start() {
    let folder = tempfile::tempdir().unwrap();
    journal_of(folder.path(), 250, RECORDS);
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("1.journal", b"a segment is named with eight digits");
    put("4294967295.journal", b"and not so");
    put("+0000001.journal", b"");
    put("notes.txt", b"what is this?");
    std::fs::create_dir(folder.path().join("00000900.journal")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("00000901.journal")).unwrap();
    put("00000902.journal", b"");
    let (journal, found) = open_fast(folder.path(), 250);
    let said: Vec<_> = found.damaged.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("00000900.journal") && said[0].contains("it is no file"),
        "{said:#?}"
    );
    assert!(
        said[1].contains("00000901.journal") && said[1].contains("a link"),
        "{said:#?}"
    );
    assert_eq!(check(&journal, RECORDS).0, BTreeSet::new());
    goes_on(folder.path(), journal, 250);
}

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    Bytes(usize, Vec<u8>),
    Zeros(usize, usize),
    Cut(usize),
    Gone,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..200)).prop_map(|(at, bytes)| Harm::Bytes(at, bytes)),
        2 => (any::<usize>(), 1..5_000_usize).prop_map(|(at, bytes)| Harm::Zeros(at, bytes)),
        1 => any::<usize>().prop_map(Harm::Cut),
        1 => Just(Harm::Gone),
    ]
}

fn strike(file: &Path, harm: &Harm) {
    let mut bytes = std::fs::read(file).unwrap();
    let size = bytes.len();
    match harm {
        Harm::Bytes(at, new) => {
            let at = at % size;
            let end = size.min(at + new.len());
            bytes[at..end].copy_from_slice(&new[..end - at]);
        }
        Harm::Zeros(at, count) => {
            let at = at % size;
            bytes[at..size.min(at + count)].fill(0);
        }
        Harm::Cut(at) => bytes.truncate(at % size),
        Harm::Gone => return std::fs::remove_file(file).unwrap(),
    }
    std::fs::write(file, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_damaged_a_start_comes_up_and_no_wrong_record_is_read(
        harms in proptest::collection::vec((any::<prop::sample::Index>(), harm()), 1..4),
        segment_bytes in 200..20_000_u64, records in 1..300_u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open_fast(folder.path(), segment_bytes);
        let all: Vec<_> = (1..=records).map(record).collect();
        journal.append(&[batch(&all, Durability::Soon)], 0).unwrap();
        drop(journal);
        for (which, harm) in &harms {
            let files = segments(folder.path());
            let has_bytes = |file: &&PathBuf| file.metadata().unwrap().len() > 0;
            let full: Vec<&PathBuf> = files.iter().filter(has_bytes).collect();
            if !full.is_empty() {
                strike(full[which.index(full.len())], harm);
            }
        }
        let (journal, found) = open_fast(folder.path(), segment_bytes);
        // What is lost at the very end is told by the start; a whole file that went with it is not missed.
        let last = read_over(&journal, 1).0.last().map_or(0, |record| record.no.0);
        let is_told = found.torn.is_some() || !found.damaged.is_empty();
        let is_cut = |harm: &Harm| matches!(harm, Harm::Gone | Harm::Cut(_) | Harm::Zeros(..));
        prop_assert!(last == records || is_told || harms.iter().any(|(_, harm)| is_cut(harm)));
        check(&journal, last);
        goes_on(folder.path(), journal, segment_bytes);
    }
}

#[test]
fn the_end_is_noted_with_the_first_sync_and_every_half_hour_and_a_cut_is_told_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_fast(folder.path(), 1 << 20);
    let note = || std::fs::read(folder.path().join("end")).ok();
    let mut notes = BTreeSet::new();
    // A record a second: an hour, with a sync every half minute.
    for no in 1..=3_600 {
        append(&mut journal, &[record(no)]);
        if no % 30 == 0 {
            journal.sync().unwrap();
            notes.extend(note());
        }
    }
    assert_eq!(notes.len(), 2, "at 30 s and half an hour later");
    drop(journal);
    let newest = segments(folder.path()).remove(0);
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..4_096]).unwrap();
    let (journal, _) = open_fast(folder.path(), 1 << 20);
    let cut_off = journal.cut_off(InputNo(0)).unwrap();
    assert_eq!(cut_off.until, InputNo(1_830));
    assert_eq!(cut_off.lost_from(), Some(journal.last().next()));
    let told = cut_off.to_string();
    assert!(told.contains("to 1830 are lost"), "{told}");
    assert!(told.contains("half hour"), "{told}");
}

#[test]
fn an_orderly_end_is_noted_and_a_run_without_records_notes_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_fast(folder.path(), 1 << 20);
    append(&mut journal, &(1..=100).map(record).collect::<Vec<_>>());
    journal.close().unwrap();
    let (mut journal, _) = open_fast(folder.path(), 1 << 20);
    // A snapshot was newer than the journal; nothing is written behind it.
    journal.skip_to(InputNo(500)).unwrap();
    journal.close().unwrap();
    let (journal, _) = open_fast(folder.path(), 1 << 20);
    assert_eq!(journal.cut_off(InputNo(0)), None, "nothing is missing");
    let newest = segments(folder.path()).remove(0);
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..1_000]).unwrap();
    drop(journal);
    let (journal, _) = open_fast(folder.path(), 1 << 20);
    assert_eq!(journal.cut_off(InputNo(0)).unwrap().until, InputNo(100));
}
