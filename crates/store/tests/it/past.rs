//! Looking into the past: nothing is changed, a writer may run meanwhile, and what is kept suffices.

use crate::{append, batch_of, open, record, second, segments, writer};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Credential, Database, Options, Past, PastError, Retention, Store, User, UserKind};
use types::InputNo;

/// Every file below `folder`, but for the side files that SQLite's readers share.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if !["db-shm", "db-wal"]
            .iter()
            .any(|end| path.extension().is_some_and(|e| e == *end))
        {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn numbers(past: &Past, from: u64) -> Vec<u64> {
    let records = past.reader(InputNo(from)).map(Result::unwrap);
    records.map(|record| record.no.0).collect()
}

#[test]
fn a_look_changes_nothing_and_sees_what_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), Options::default()).unwrap());
    let journal_folder = folder.path().join("journal");
    let (mut journal, _) = open(&journal_folder, 1_000);
    append(&mut journal, &(1..=60).map(record).collect::<Vec<_>>());
    drop(journal);
    // A write that a crash stopped.
    let newest = segments(&journal_folder).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 2..].fill(0);
    fs::write(&newest, bytes).unwrap();

    let before = files(folder.path());
    let past = Past::open(folder.path()).unwrap();
    assert_eq!(past.last(), InputNo(59));
    assert_eq!(past.last_now(), Some(second(59)));
    assert!(past.unfinished().is_some());
    assert_eq!(numbers(&past, 50), (50..=59).collect::<Vec<_>>());
    assert!(files(folder.path()) == before, "a file changed");
}

/// The names in a folder, side files and all.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_glance_leaves_not_even_a_side_file() {
    let folder = tempfile::tempdir().unwrap();
    // Letters that mean something in an address.
    let folder = folder.path().join("a house? 100% #1 ü");
    drop(Store::open(&folder, Options::default()).unwrap());
    let before = names(&folder);
    let past = Past::open_untouched(&folder).unwrap();
    assert_eq!(past.last(), InputNo(0));
    assert!(past.database().users().unwrap().0.is_empty());
    assert_eq!(names(&folder), before);
    drop(past);
    assert_eq!(names(&folder), before);
}

#[test]
fn a_glance_sees_what_stands_in_the_log_of_the_database_only() {
    let folder = tempfile::tempdir().unwrap();
    let (house, crashed) = (folder.path().join("house"), folder.path().join("crashed"));
    drop(Store::open(&house, Options::default()).unwrap());
    let mut database = Database::open(&house.join("house.db")).unwrap();
    let anna = User {
        name: "anna".to_owned(),
        kind: UserKind::Person,
        credential: Credential::Blake2s([9; 32]),
        grants: String::new(),
    };
    database.put_user(&anna).unwrap();
    let users = |folder: &Path| {
        let past = Past::open_untouched(folder).unwrap();
        past.database().users().unwrap().0.len()
    };
    assert_eq!(users(&house), 1, "while somebody works on it");
    fs::create_dir_all(crashed.join("journal")).unwrap();
    for name in ["house.db", "house.db-wal"] {
        fs::copy(house.join(name), crashed.join(name)).unwrap();
    }
    assert_eq!(users(&crashed), 1, "after a crash");
}

#[test]
fn a_look_at_a_running_house_sees_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, acknowledged) = writer::start(folder.path(), Options::default());
    for no in 1..=200 {
        handle.submit(batch_of(no..=no)).unwrap();
        writer::wait_for(&acknowledged, no);
        let past = Past::open(folder.path()).unwrap();
        assert_eq!(past.last(), InputNo(no));
        assert_eq!(numbers(&past, 1).len() as u64, no);
    }
    writer::snapshot(&handle, 200).unwrap();
    let past = Past::open(folder.path()).unwrap();
    let (snapshot, _) = past.database().newest_snapshot(InputNo(200)).unwrap();
    assert_eq!(snapshot.unwrap().no, InputNo(200));
}

#[test]
fn what_is_no_state_folder_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let check = |folder: &Path, expected: &str| {
        let error = Past::open(folder).unwrap_err();
        assert!(matches!(error, PastError::NoHouse { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("--state"),
            "{text}"
        );
    };
    check(&folder.path().join("nothing"), "no such folder");
    check(folder.path(), "no house.db");
    fs::write(folder.path().join("house.db"), "").unwrap();
    check(folder.path(), "no journal");
    fs::create_dir(folder.path().join("journal")).unwrap();
    check(folder.path(), "nothing of a house");
    assert_eq!(fs::read(folder.path().join("house.db")).unwrap(), b"");
    fs::write(folder.path().join("house.db"), vec![b'x'; 5_000]).unwrap();
    assert!(matches!(
        Past::open(folder.path()).unwrap_err(),
        PastError::Db(_)
    ));
    drop(fs::remove_file(folder.path().join("house.db")));
    drop(Database::open(&folder.path().join("house.db")).unwrap());
    assert_eq!(Past::open(folder.path()).unwrap().last(), InputNo(0));
}

#[test]
fn every_moment_within_retention_has_a_snapshot_before_it_and_all_inputs_since() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 1_000,
        retention: Retention {
            age_max: Duration::from_secs(100),
            bytes_max: 1 << 20,
        },
        ..Options::default()
    };
    let (handle, acknowledged) = writer::start(folder.path(), options);
    for no in 1..=600_u64 {
        handle.submit(batch_of(no..=no)).unwrap();
        if no % 70 == 0 {
            writer::snapshot(&handle, no).unwrap();
        }
        writer::wait_for(&acknowledged, no);
        if no % 35 != 0 {
            continue;
        }
        let past = Past::open(folder.path()).unwrap();
        let oldest = no.saturating_sub(100).max(1);
        let (snapshot, _) = past.database().newest_snapshot(InputNo(oldest)).unwrap();
        // Before the first snapshot the house starts from nothing.
        let from = snapshot.map_or(1, |snapshot| snapshot.no.0 + 1);
        assert!(from == 1 || from > 1 && oldest + 70 >= from, "{no}: {from}");
        assert_eq!(numbers(&past, from), (from..=no).collect::<Vec<_>>());
    }
    let past = Past::open(folder.path()).unwrap();
    let before_oldest = past.before_oldest().unwrap().0;
    assert!(before_oldest > 300, "what is older went: {before_oldest}");
    let snapshots = past.database().snapshots().unwrap();
    assert!(snapshots.iter().all(|info| info.no.0 >= before_oldest));
}
