//! The store from outside: journal, store thread, database and state folder on real files, and on a
//! disk that fails on demand.

#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers too"
)]

mod cut_disk;
mod cuts;
mod damage;
mod db;
mod disk;
mod folder;
mod journal;
mod kill;
mod memory;
mod model;
mod past;
mod power_cut;
mod writer;

use crate::disk::FaultyDisk;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::disk::RealDisk;
use store::journal::{Found, Journal};
use store::{Batch, Class, Durability, Keep, Record};
use types::{InputNo, Instant, Now, UnixTime};

/// Longest that a test waits for another thread; it only matters when the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A moment `no` seconds into the house's life.
fn second(no: u64) -> Now {
    Now {
        at: Instant(no * 1_000_000),
        wall: UnixTime(1_790_000_000_000_000 + no as i64 * 1_000_003),
        synced: !no.is_multiple_of(3),
    }
}

/// The record that tests write under this number.
fn record(no: u64) -> Record {
    Record {
        no: InputNo(no),
        now: second(no),
        class: match no % 5 {
            0 => Class::Observed,
            2 => Class::Facts,
            4 => Class::OutputsHash,
            _ => Class::Input,
        },
        body: vec![no as u8; (no % 7 * 9) as usize],
    }
}

fn batch(records: &[Record], durability: Durability) -> Batch {
    let mut batch = Batch::new(durability);
    for record in records {
        batch
            .push(record.no, record.now, record.class, &record.body)
            .unwrap();
    }
    batch
}

/// A batch of the tests' records with these numbers.
fn batch_of(numbers: std::ops::RangeInclusive<u64>) -> Batch {
    batch(&numbers.map(record).collect::<Vec<_>>(), Durability::Soon)
}

/// Keeps the records from `no` on, for restarts and for the past.
fn keep(no: u64) -> Keep {
    Keep {
        restart: InputNo(no),
        past: InputNo(no),
    }
}

fn open(folder: &Path, segment_bytes: u64) -> (Journal, Found) {
    Journal::open(folder, segment_bytes, Arc::new(RealDisk)).unwrap()
}

/// As [`open`], without waiting for the disk.
fn open_fast(folder: &Path, segment_bytes: u64) -> (Journal, Found) {
    Journal::open(folder, segment_bytes, Arc::new(FaultyDisk::unsynced())).unwrap()
}

fn append(journal: &mut Journal, records: &[Record]) {
    journal
        .append(&[batch(records, Durability::Soon)], 0)
        .unwrap();
}

fn read(journal: &Journal, from: u64) -> Vec<Record> {
    let records = journal.view().reader(InputNo(from));
    records.collect::<Result<_, _>>().unwrap()
}

/// The journal's files, oldest first.
fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "journal"))
        .collect();
    files.sort();
    files
}
