//! The journal against a `Vec`: any order of appends, reopenings, retention and failing writes, in memory and without.

use crate::disk::FaultyDisk;
use crate::{batch, record};
use proptest::prelude::*;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use store::journal::Journal;
use store::{Durability, Record, Retention};
use types::InputNo;

#[derive(Clone, Debug)]
enum Op {
    /// So many records with the next numbers, the last of them twice.
    Append(u64),
    /// The same with a disk that fails in the middle of a write; then repeated.
    FailThenAppend(u64, bool),
    Sync,
    /// As after kill -9, working in memory or not.
    Reopen(bool),
    /// The copy in memory is deleted, or memory is full for one append.
    LoseMemory,
    FillMemory(u64),
    /// Keeping the newest so many records.
    Retain(u64),
    ReadFrom(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1..30_u64).prop_map(Op::Append),
        2 => (1..30_u64, any::<bool>()).prop_map(|(n, full)| Op::FailThenAppend(n, full)),
        1 => Just(Op::Sync),
        2 => any::<bool>().prop_map(Op::Reopen),
        1 => Just(Op::LoseMemory),
        1 => (1..30_u64).prop_map(Op::FillMemory),
        1 => (0..50_u64).prop_map(Op::Retain),
        2 => (1..200_u64).prop_map(Op::ReadFrom),
    ];
    proptest::collection::vec(op, 1..40)
}

struct Model {
    records: Vec<Record>,
    next: u64,
}

impl Model {
    fn take(&mut self, count: u64) -> Vec<Record> {
        let mut new: Vec<_> = (self.next..self.next + count).map(record).collect();
        let last = new[new.len() - 1].clone();
        new.push(last);
        self.next += count;
        self.records.extend_from_slice(&new);
        new
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_the_list_of_what_was_appended(ops in ops(), segment_bytes in 100..2_000_u64) {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::unsynced();
        let open = || Journal::open(folder.path(), segment_bytes, Arc::new(disk.clone())).unwrap();
        let memory = tempfile::tempdir().unwrap();
        let mut journal = open().0;
        journal.work_in(Some(memory.path())).unwrap();
        let mut model = Model { records: Vec::new(), next: 1 };
        for op in ops {
            match op {
                Op::Append(count) => {
                    let new = model.take(count);
                    journal.append(&[batch(&new, Durability::Soon)], 0).unwrap();
                }
                Op::FailThenAppend(count, full) => {
                    let new = [batch(&model.take(count), Durability::Soon)];
                    disk.set(|faults| {
                        faults.room = full.then_some(count * 20);
                        faults.write = (!full).then_some(ErrorKind::Other);
                    });
                    let skip = match journal.append(&new, 0) {
                        Ok(_) => new[0].len(),
                        Err(error) => error.written,
                    };
                    disk.set(|faults| (faults.room, faults.write) = (None, None));
                    journal.append(&new, skip).unwrap();
                }
                Op::Sync => journal.sync().unwrap(),
                Op::Reopen(in_memory) => {
                    let (again, found) = open();
                    prop_assert!(found.torn.is_none() && found.damaged.is_empty());
                    journal = again;
                    journal.work_in(in_memory.then_some(memory.path())).unwrap();
                }
                Op::LoseMemory => {
                    for copy in memory.path().read_dir().unwrap() {
                        std::fs::remove_file(copy.unwrap().path()).unwrap();
                    }
                    journal.check().unwrap();
                }
                Op::FillMemory(count) => {
                    let new = model.take(count);
                    disk.set(|faults| faults.memory_is_full = true);
                    journal.append(&[batch(&new, Durability::Soon)], 0).unwrap();
                    disk.set(|faults| faults.memory_is_full = false);
                }
                Op::Retain(count) => {
                    let keep_from = InputNo(model.next.saturating_sub(count));
                    let all = Retention { age_max: Duration::ZERO, bytes_max: 0 };
                    let dropped = journal.retain(all, journal.last_at(), crate::keep(keep_from.0)).unwrap();
                    let before = journal.view().before_oldest();
                    prop_assert!(dropped.segments == 0 || before.unwrap() < keep_from);
                }
                Op::ReadFrom(from) => {
                    let mut read = journal.view().reader(InputNo(from));
                    let gone = journal.view().before_oldest().is_some_and(|before| before.0 >= from);
                    if gone {
                        prop_assert!(read.next().unwrap().is_err());
                    } else {
                        let read: Vec<_> = read.map(Result::unwrap).collect();
                        let expected = model.records.iter().filter(|record| record.no.0 >= from);
                        prop_assert!(read.iter().eq(expected));
                    }
                }
            }
            prop_assert_eq!(journal.last(), InputNo(model.next - 1));
        }
    }
}
