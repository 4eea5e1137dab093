//! Measures the journal: bytes on disk and records a second for bodies of 60 bytes, appended in
//! batches of 1 and 64, alone and through the store thread, then read back.
//!
//! `cargo run --release -p store --example journal_rate [FOLDER]`; the folder is where it writes.

#![allow(clippy::print_stdout, reason = "its table is its result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use store::disk::RealDisk;
use store::journal::Journal;
use store::{Batch, Class, Durability, Options, Refusal, Store};
use types::{InputNo, Now};

const BODY: [u8; 60] = [0xA5; 60];
const RECORDS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!("records of 60 bytes      batch   bytes each   records/s");
    for size in [1, 64] {
        let folder = tempfile::tempdir_in(&parent)?;
        let (elapsed, bytes) = alone(folder.path(), size)?;
        print("appended alone", size, bytes, elapsed);
        let folder = tempfile::tempdir_in(&parent)?;
        let (elapsed, bytes) = through_the_thread(folder.path(), size)?;
        print("through the thread", size, bytes, elapsed);
    }
    Ok(())
}

fn print(what: &str, size: u64, bytes: u64, elapsed: Duration) {
    let each = bytes as f64 / RECORDS as f64;
    let rate = RECORDS as f64 / elapsed.as_secs_f64();
    println!("{what:<24} {size:>5} {each:>12.1} {rate:>11.0}");
}

fn batch(first: u64, size: u64) -> Result<Batch, store::Refused> {
    let mut batch = Batch::new(Durability::Soon);
    // 20,000 events a day: one every 4.3 s.
    let now = Now::default().after(Duration::from_micros(first * 4_320_017));
    for no in first..first + size {
        batch.push(InputNo(no), now, Class::Input, &BODY)?;
    }
    Ok(batch)
}

fn alone(folder: &Path, size: u64) -> Result<(Duration, u64), Box<dyn Error>> {
    let (mut journal, _) = Journal::open(folder, 4 << 20, Arc::new(RealDisk))?;
    let start = Instant::now();
    for first in (1..=RECORDS).step_by(usize::try_from(size)?) {
        journal.append(&[batch(first, size)?], 0)?;
    }
    let elapsed = start.elapsed();
    let bytes = journal.view().bytes();
    let start = Instant::now();
    let mut read = 0;
    for record in journal.view().reader(InputNo(1)) {
        record?;
        read += 1;
    }
    print("read back", size, bytes * read / RECORDS, start.elapsed());
    Ok((elapsed, bytes))
}

fn through_the_thread(folder: &Path, size: u64) -> Result<(Duration, u64), Box<dyn Error>> {
    let (store, _) = Store::open(folder, Options::default())?;
    let (durable, acknowledged) = sync_channel(65_536);
    let handle = store.start(move |no| durable.send(no).unwrap_or(()))?;
    let start = Instant::now();
    for first in (1..=RECORDS).step_by(usize::try_from(size)?) {
        let mut next = batch(first, size)?;
        while let Err(refused) = handle.submit(next) {
            if refused.why != Refusal::Full {
                return Err(refused.into());
            }
            next = refused.batch;
            acknowledged.recv()?;
        }
    }
    while acknowledged.recv()? < InputNo(RECORDS) {}
    Ok((start.elapsed(), handle.health().journal_bytes))
}
