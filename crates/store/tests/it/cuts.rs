//! Crashes: every cut point. What a power cut leaves is cut off and said.

use crate::{append, open, open_fast, read, record, segments};
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

            let (mut journal, found) = open_fast(case.path(), 4_096);
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
            let (journal, found) = open_fast(case.path(), 4_096);
            assert_eq!(found.torn, None);
            assert_eq!(read(&journal, 1).len() as u64, kept + 2);
        }
    }
    assert_eq!(prefixes, (0..=RECORDS).collect());
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
