//! The journal while all goes well: order, limits, retention, readers beside the writer.

use crate::{append, batch, keep, open, read, record, second, segments};
use std::time::Duration;
use store::journal::{BODY_BYTES_MAX, Dropped};
use store::{Batch, Class, Durability, ReadError, Record, Refused, Retention};
use types::{InputNo, Instant, Now};

#[test]
fn a_reader_goes_on_where_the_writer_went_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 300);
    let mut reader = journal.view().reader(InputNo(5));
    assert!(reader.next().is_none());
    for no in 1..=60 {
        append(&mut journal, &[record(no)]);
        match reader.next() {
            Some(read) => assert_eq!(read.unwrap(), record(no)),
            None => assert!(no < 5),
        }
    }
}

#[test]
fn readers_beside_a_writer_see_whole_records_in_order() {
    let memory = tempfile::tempdir().unwrap();
    for memory in [None, Some(memory.path())] {
        read_beside_a_writer(memory);
    }
}

fn read_beside_a_writer(memory: Option<&std::path::Path>) {
    const LAST: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 16_384);
    journal.work_in(memory).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|ix| {
            let view = journal.view().clone();
            std::thread::spawn(move || {
                let mut expected = 1 + ix * 1_000;
                let mut reader = view.reader(InputNo(expected));
                while expected <= LAST {
                    match reader.next() {
                        Some(read) => {
                            assert_eq!(read.unwrap(), record(expected));
                            expected += 1;
                        }
                        None => {
                            // The oldest segment is listed with the first record.
                            std::thread::yield_now();
                        }
                    }
                }
            })
        })
        .collect();
    for first in (1..=LAST).step_by(10) {
        append(
            &mut journal,
            &(first..first + 10).map(record).collect::<Vec<_>>(),
        );
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_reader_outlives_the_segment_it_reads_and_says_what_is_missing_after() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 300);
    append(&mut journal, &(1..=40).map(record).collect::<Vec<_>>());
    let mut reader = journal.view().reader(InputNo(1));
    assert_eq!(reader.next().unwrap().unwrap(), record(1));
    let everything = Retention {
        age_max: Duration::ZERO,
        bytes_max: 0,
    };
    let dropped = journal
        .retain(everything, second(1_000).at, keep(30))
        .unwrap();
    assert!(dropped.segments > 1);
    let read: Vec<_> = reader.collect();
    let gap = read.iter().position(Result::is_err).unwrap();
    assert!(gap > 1);
    assert!(matches!(&read[gap], Err(ReadError::Gap(gap)) if gap.is_felt()));
    assert_eq!(*read.last().unwrap().as_ref().unwrap(), record(40));
}

#[test]
fn retention_drops_by_age_and_size_but_never_what_a_restart_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 300);
    append(&mut journal, &(1..=100).map(record).collect::<Vec<_>>());
    let before = segments(folder.path()).len();
    let generous = Retention {
        age_max: Duration::from_secs(1_000),
        bytes_max: 1 << 20,
    };
    let now = second(100).at;
    let kept = journal.retain(generous, now, keep(100)).unwrap();
    assert_eq!(kept, Dropped::default());

    let short = Retention {
        age_max: Duration::from_secs(50),
        ..generous
    };
    let nothing = journal.retain(short, now, keep(0)).unwrap();
    assert_eq!(nothing, Dropped::default());
    let old = journal.retain(short, now, keep(20)).unwrap();
    assert_eq!(read(&journal, 20)[0], record(20));
    let older = journal.retain(short, now, keep(100)).unwrap();
    assert!(old.segments > 0 && older.segments > 0);
    assert_eq!(read(&journal, 50)[0], record(50), "50 seconds are kept");

    let small = Retention {
        bytes_max: 700,
        ..generous
    };
    journal.retain(small, now, keep(100)).unwrap();
    assert!(journal.view().bytes() <= 700);
    let after = segments(folder.path()).len();
    assert!((2..before).contains(&after));
}

#[test]
fn an_ordinary_record_costs_at_most_24_bytes_more_than_its_body() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 4 << 20);
    let start = Instant(86_400_000_000 * 300);
    for no in 1..=1_000 {
        // A batch is taken at one moment; the next one comes two minutes later.
        let now = second(0).after(Duration::from_micros(start.0 + no / 8 * 120_000_017));
        append(
            &mut journal,
            &[Record {
                no: InputNo(no),
                now,
                class: Class::Input,
                body: vec![7; 60],
            }],
        );
    }
    let each = (journal.view().bytes() - 48) as f64 / 1_000.0;
    println!("{each} bytes for a record of 60");
    assert!(each <= 84.0);
}

#[test]
fn records_larger_than_a_segment_get_one_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 300);
    let large = |no, bytes| Record {
        body: vec![no as u8; bytes],
        ..record(no)
    };
    let records = [
        record(1),
        large(2, 5_000),
        record(3),
        large(4, BODY_BYTES_MAX),
    ];
    append(&mut journal, &records);
    assert_eq!(read(&journal, 1), records);
    drop(journal);
    let (journal, found) = open(folder.path(), 300);
    assert_eq!(found.torn, None);
    assert_eq!(read(&journal, 2), records[1..]);
}

#[test]
fn a_batch_refuses_what_can_not_be_kept_and_stays_as_it_was() {
    let mut batch = Batch::new(Durability::Soon);
    let now = Now::default();
    batch.push(InputNo(7), now, Class::Input, b"a").unwrap();
    batch.push(InputNo(7), now, Class::Observed, b"b").unwrap();
    assert_eq!(
        batch.push(InputNo(6), now, Class::Input, b"c"),
        Err(Refused::OutOfOrder {
            no: InputNo(6),
            last: InputNo(7)
        })
    );
    let bytes = BODY_BYTES_MAX + 1;
    let refused = batch.push(InputNo(8), now, Class::Input, &vec![0; bytes]);
    assert_eq!(refused, Err(Refused::TooLong { bytes }));
    assert_eq!((batch.len(), batch.last()), (2, Some(InputNo(7))));
}

#[test]
fn many_records_of_one_number_stay_together_across_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 200);
    let facts: Vec<_> = (0..20)
        .map(|ix| Record {
            no: InputNo(2),
            body: vec![ix; 30],
            ..record(5)
        })
        .collect();
    append(&mut journal, &[record(1)]);
    append(&mut journal, &facts);
    append(&mut journal, &[record(3)]);
    let from_two = read(&journal, 2);
    assert_eq!(&from_two[..20], &facts[..]);
    assert_eq!(from_two[20], record(3));
    assert!(segments(folder.path()).len() > 3);
}

#[test]
fn an_append_after_a_skip_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), 4_096);
    append(&mut journal, &[record(1), record(2)]);
    journal.skip_to(InputNo(10)).unwrap();
    journal
        .append(&[batch(&[record(11)], Durability::Soon)], 0)
        .unwrap();
    assert_eq!(read(&journal, 11), [record(11)]);
    let error = journal.view().reader(InputNo(1)).find_map(Result::err);
    match error {
        Some(ReadError::Gap(gap)) => {
            assert_eq!((gap.from, gap.until), (InputNo(3), Some(InputNo(11))));
        }
        other => panic!("{other:?}"),
    }
}
