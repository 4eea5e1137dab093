//! Crashes and damage: every cut point, every flipped bit.

use crate::{append, open, read, record, segments};
use store::ReadError;
use store::journal::Journal;
use types::InputNo;

const RECORDS: u64 = 20;

fn small_journal(folder: &std::path::Path, segment_bytes: u64) -> Journal {
    let (mut journal, _) = open(folder, segment_bytes);
    for no in 1..=RECORDS {
        append(&mut journal, &[record(no)]);
    }
    journal
}

/// Where the file's last whole record ends, found by reading it back.
fn used(file: &std::path::Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

#[test]
fn every_cut_reopens_to_a_prefix_and_says_what_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    drop(small_journal(folder.path(), 4_096));
    let file = segments(folder.path()).remove(0);
    let whole = used(&file);
    let mut prefixes = std::collections::BTreeSet::new();
    for cut in 0..=whole.len() {
        for preallocated in [false, true] {
            let case = tempfile::tempdir().unwrap();
            let mut bytes = whole[..cut].to_vec();
            if preallocated {
                bytes.resize(4_096, 0);
            }
            let file = case.path().join(file.file_name().unwrap());
            std::fs::write(&file, bytes).unwrap();

            let (mut journal, found) = open(case.path(), 4_096);
            let records = read(&journal, 1);
            let kept = records.len() as u64;
            assert_eq!(records, (1..=kept).map(record).collect::<Vec<_>>());
            assert_eq!(journal.last(), InputNo(kept));
            assert!(found.damaged.is_empty());
            if let Some(torn) = &found.torn {
                assert_eq!(torn.file, file);
                assert_eq!(torn.after, InputNo(kept));
                let (start, end) = (torn.offset as usize, (torn.offset + torn.bytes) as usize);
                assert!(end <= cut && whole[end..cut].iter().all(|byte| *byte == 0));
                if let Some(aside) = &torn.set_aside {
                    assert_eq!(std::fs::read(aside).unwrap(), &whole[start..end]);
                }
            } else {
                prefixes.insert(kept);
            }

            append(&mut journal, &[record(kept + 1), record(kept + 2)]);
            drop(journal);
            let (journal, found) = open(case.path(), 4_096);
            assert_eq!(found.torn, None);
            assert_eq!(read(&journal, 1).len() as u64, kept + 2);
        }
    }
    assert_eq!(prefixes, (0..=RECORDS).collect());
}

#[test]
fn every_flipped_bit_of_an_old_segment_is_an_error_with_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    drop(small_journal(folder.path(), 250));
    let files = segments(folder.path());
    assert!(files.len() > 3);
    let old = &files[1];
    let whole = std::fs::read(old).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(old, flipped).unwrap();

        let (journal, found) = open(folder.path(), 250);
        assert_eq!(journal.last(), InputNo(RECORDS));
        let mut reader = journal.view().reader(InputNo(1));
        let read: Vec<_> = reader.by_ref().map_while(Result::ok).collect();
        assert_eq!(
            read,
            (1..=read.len() as u64).map(record).collect::<Vec<_>>()
        );
        assert!(read.len() < RECORDS as usize, "bit {bit} was not found");
        assert!(reader.next().is_none(), "nothing is skipped silently");

        let mut again = journal.view().reader(InputNo(1)).filter_map(Result::err);
        match again.next().unwrap() {
            ReadError::Corrupt {
                file,
                offset,
                after,
                resume,
            } => {
                assert_eq!(&file, old);
                assert!(offset <= bit as u64 / 8);
                assert_eq!(after, InputNo(read.len() as u64));
                let resumed = journal.view().reader(resume.unwrap());
                assert!(resumed.map(Result::unwrap).count() > 0);
            }
            ReadError::Missing { file, .. } => {
                assert_eq!(found.damaged.len(), 1);
                assert_eq!(&found.damaged[0].file, old);
                assert_eq!(file, files[2]);
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn every_flipped_bit_of_the_last_segment_is_said_and_nothing_wrong_is_read() {
    let folder = tempfile::tempdir().unwrap();
    drop(small_journal(folder.path(), 4_096));
    let name = segments(folder.path()).remove(0);
    let whole = used(&name);
    for bit in 0..whole.len() * 8 {
        let case = tempfile::tempdir().unwrap();
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(case.path().join(name.file_name().unwrap()), flipped).unwrap();
        let (journal, found) = open(case.path(), 4_096);
        assert!(found.torn.is_some() == found.damaged.is_empty());
        let records = read(&journal, 1);
        let kept = records.len() as u64;
        assert_eq!(records, (1..=kept).map(record).collect::<Vec<_>>());
        assert!(kept < RECORDS);
    }
}

#[test]
fn a_lost_segment_is_an_error_and_not_a_jump() {
    let folder = tempfile::tempdir().unwrap();
    drop(small_journal(folder.path(), 250));
    std::fs::remove_file(&segments(folder.path())[1]).unwrap();
    let (journal, _) = open(folder.path(), 250);
    let error = journal.view().reader(InputNo(1)).find_map(Result::err);
    assert!(
        matches!(error, Some(ReadError::Missing { .. })),
        "{error:?}"
    );
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    drop(small_journal(folder.path(), 4_096));
    let file = segments(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..44]);
    bytes[44..48].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    let disk = std::sync::Arc::new(store::disk::RealDisk);
    let error = Journal::open(folder.path(), 4_096, disk).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("newer iot-control (journal format 9"),
        "{text}"
    );
    assert!(text.contains("restore a backup"), "{text}");
}
