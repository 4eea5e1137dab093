//! The store thread: acknowledgements, durability, a disk that fails and comes back, restarts.

use crate::disk::FaultyDisk;
use crate::{PATIENCE, batch, batch_of, db, record, second};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use store::{
    Durability, HealthState, Options, QueueLimits, Refusal, Retention, Store, StoreError,
    StoreHandle,
};
use types::InputNo;

fn options(disk: &FaultyDisk) -> Options {
    Options {
        retry_first: Duration::from_millis(1),
        retry_max: Duration::from_millis(4),
        shutdown_wait: Duration::from_millis(20),
        disk: Arc::new(disk.clone()),
        ..Options::default()
    }
}

pub(crate) fn start(folder: &Path, options: Options) -> (StoreHandle, Receiver<InputNo>) {
    let (mut store, _) = Store::open(folder, options).unwrap();
    store
        .database()
        .archive_mapping(&db::mapping(1, 0))
        .unwrap();
    let (durable, acknowledged) = sync_channel(100_000);
    let handle = store.start(move |no| durable.send(no).unwrap()).unwrap();
    (handle, acknowledged)
}

pub(crate) fn wait_for(acknowledged: &Receiver<InputNo>, no: u64) {
    while acknowledged.recv_timeout(PATIENCE).unwrap() < InputNo(no) {}
}

/// Asks for a snapshot and waits for the reply.
pub(crate) fn snapshot(handle: &StoreHandle, no: u64) -> Result<(), StoreError> {
    let (reply, replied) = sync_channel(1);
    handle
        .snapshot(db::snapshot(no, 1), move |result| {
            reply.send(result).unwrap();
        })
        .unwrap();
    replied.recv_timeout(PATIENCE).unwrap()
}

/// Waits until the store thread has tried in vain at least once.
fn wait_until_failing(handle: &StoreHandle) -> HealthState {
    let start = std::time::Instant::now();
    loop {
        match handle.health().state {
            HealthState::Good => assert!(start.elapsed() < PATIENCE),
            state => return state,
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_was_acknowledged_is_read_back_after_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    for first in [1, 11, 21] {
        handle.submit(batch_of(first..=first + 9)).unwrap();
    }
    wait_for(&acknowledged, 30);
    handle.shutdown().unwrap();
    assert!(matches!(handle.shutdown(), Err(StoreError::Stopped)));
    let refused = handle.submit(batch_of(31..=31)).unwrap_err();
    assert_eq!(refused.why, Refusal::Closed);
    assert_eq!(handle.health().state, HealthState::Stopped);

    let (_, recovered) = Store::open(folder.path(), options(&disk)).unwrap();
    assert_eq!(recovered.last, InputNo(30));
    assert_eq!(recovered.last_now, Some(second(30)));
    let tail: Vec<_> = recovered.tail.map(Result::unwrap).collect();
    assert_eq!(tail, (1..=30).map(record).collect::<Vec<_>>());
}

#[test]
fn a_journal_that_is_deleted_under_it_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, acknowledged) = start(folder.path(), options(&FaultyDisk::default()));
    handle.submit(batch_of(1..=3)).unwrap();
    wait_for(&acknowledged, 3);
    std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
    assert!(snapshot(&handle, 3).is_err(), "what is before it is gone");
    handle.submit(batch_of(4..=4)).unwrap();
    assert!(handle.shutdown().is_err());
    assert!(acknowledged.try_recv().is_err());
}

#[test]
fn what_people_change_is_on_the_disk_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=5)).unwrap();
    wait_for(&acknowledged, 5);
    let before = disk.0.lock().unwrap().syncs;
    handle.submit(batch(&[record(6)], Durability::Now)).unwrap();
    wait_for(&acknowledged, 6);
    assert_eq!(disk.0.lock().unwrap().syncs, before + 1);
    handle.submit(batch_of(7..=7)).unwrap();
    wait_for(&acknowledged, 7);
    assert_eq!(disk.0.lock().unwrap().syncs, before + 1);
}

#[test]
fn the_rest_is_on_the_disk_within_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (on_sync, synced) = sync_channel(100);
    let options = Options {
        sync_interval: Duration::from_millis(5),
        ..options(&disk)
    };
    let (handle, acknowledged) = start(folder.path(), options);
    handle.submit(batch_of(1..=5)).unwrap();
    wait_for(&acknowledged, 5);
    disk.set(|faults| faults.on_sync = Some(on_sync));
    handle.submit(batch_of(6..=6)).unwrap();
    synced.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_batch_is_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=1)).unwrap();
    wait_for(&acknowledged, 1);
    let before = disk.0.lock().unwrap().writes;
    handle.submit(batch_of(2..=500)).unwrap();
    wait_for(&acknowledged, 500);
    assert_eq!(disk.0.lock().unwrap().writes, before + 1);
}

#[test]
fn a_failing_disk_stops_acknowledgements_and_comes_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=5)).unwrap();
    wait_for(&acknowledged, 5);

    disk.set(|faults| faults.write = Some(ErrorKind::Other));
    handle.submit(batch_of(6..=9)).unwrap();
    handle
        .submit(batch(&[record(10)], Durability::Now))
        .unwrap();
    let state = wait_until_failing(&handle);
    assert!(
        matches!(state, HealthState::Failing { full: false, .. }),
        "{state}"
    );
    assert!(matches!(snapshot(&handle, 5), Err(StoreError::Behind(_))));
    assert!(acknowledged.try_recv().is_err());
    assert_eq!(handle.health().waiting_batches, 2);
    assert_eq!(handle.health().written, InputNo(5));
    let readable = handle.reader(InputNo(1)).map(Result::unwrap).count();
    assert_eq!(readable, 5);

    // The database still takes what people change, and says for itself when it can't.
    let (reply, replied) = sync_channel(1);
    handle
        .change(
            |db| db.archive_mapping(&db::mapping(2, 0)),
            move |result| reply.send(result.is_ok()).unwrap(),
        )
        .unwrap();
    assert!(replied.recv_timeout(PATIENCE).unwrap());

    disk.set(|faults| faults.write = None);
    wait_for(&acknowledged, 10);
    assert_eq!(handle.health().waiting_batches, 0);
    handle.shutdown().unwrap();
    let (_, recovered) = Store::open(folder.path(), options(&disk)).unwrap();
    let tail: Vec<_> = recovered.tail.map(Result::unwrap).collect();
    assert_eq!(tail, (1..=10).map(record).collect::<Vec<_>>());
}

#[test]
fn a_failing_fsync_acknowledges_nothing_and_writes_the_data_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=5)).unwrap();
    wait_for(&acknowledged, 5);
    let before = disk.0.lock().unwrap().writes;
    disk.set(|faults| faults.sync = true);
    handle.submit(batch(&[record(6)], Durability::Now)).unwrap();
    wait_until_failing(&handle);
    assert!(acknowledged.try_recv().is_err());
    disk.set(|faults| faults.sync = false);
    wait_for(&acknowledged, 6);
    assert!(disk.0.lock().unwrap().writes >= before + 2);
    assert_eq!(handle.reader(InputNo(1)).map(Result::unwrap).count(), 6);
}

#[test]
fn a_full_queue_gives_the_batch_back_and_a_shutdown_says_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = Options {
        queue: QueueLimits {
            batches_max: 3,
            ..QueueLimits::default()
        },
        ..options(&disk)
    };
    let (handle, _acknowledged) = start(folder.path(), options);
    disk.set(|faults| faults.write = Some(ErrorKind::Other));
    for no in 1..=3 {
        handle.submit(batch_of(no..=no)).unwrap();
    }
    wait_until_failing(&handle);
    let refused = handle.submit(batch_of(4..=4)).unwrap_err();
    assert_eq!(refused.why, Refusal::Full);
    assert_eq!(refused.batch.last(), Some(InputNo(4)));
    let error = handle.shutdown().unwrap_err();
    assert!(
        matches!(error, StoreError::Unwritten { batches: 3, .. }),
        "{error}"
    );
}

#[test]
fn a_shutdown_tries_once_more_where_the_next_try_would_come_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = Options {
        retry_first: PATIENCE,
        retry_max: PATIENCE,
        ..options(&disk)
    };
    let (handle, _acknowledged) = start(folder.path(), options.clone());
    disk.set(|faults| faults.write = Some(ErrorKind::Other));
    handle.submit(batch_of(1..=3)).unwrap();
    wait_until_failing(&handle);
    disk.set(|faults| faults.write = None);
    handle.shutdown().unwrap();
    let (_, recovered) = Store::open(folder.path(), options).unwrap();
    assert_eq!(recovered.tail.map(Result::unwrap).count(), 3);
}

#[test]
fn numbers_never_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=5)).unwrap();
    let refused = handle.submit(batch_of(4..=6)).unwrap_err();
    assert_eq!(refused.why, Refusal::OutOfOrder);
    handle.submit(batch_of(6..=6)).unwrap();
    wait_for(&acknowledged, 6);
}

#[test]
fn a_full_disk_drops_the_oldest_segments_but_not_what_a_restart_needs() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = Options {
        segment_bytes: 1_000,
        ..options(&disk)
    };
    let (handle, acknowledged) = start(folder.path(), options.clone());
    for no in 1..=200 {
        handle.submit(batch_of(no..=no)).unwrap();
    }
    wait_for(&acknowledged, 200);

    disk.set(|faults| (faults.room, faults.segment_bytes) = (Some(0), 1_000));
    handle.submit(batch_of(201..=201)).unwrap();
    let state = wait_until_failing(&handle);
    assert!(
        matches!(state, HealthState::Failing { full: true, .. }),
        "{state}"
    );
    assert!(
        acknowledged.try_recv().is_err(),
        "without a snapshot all is needed"
    );

    disk.set(|faults| faults.room = None);
    wait_for(&acknowledged, 201);
    snapshot(&handle, 150).unwrap();
    disk.set(|faults| faults.room = Some(0));
    for no in 202..=240 {
        handle.submit(batch_of(no..=no)).unwrap();
    }
    wait_for(&acknowledged, 240);
    assert_eq!(handle.health().state, HealthState::Good);
    assert!(handle.health().segments_sacrificed > 0);
    handle.shutdown().unwrap();

    let (_, recovered) = Store::open(folder.path(), options).unwrap();
    assert_eq!(recovered.snapshot, Some(db::snapshot(150, 1)));
    let tail: Vec<_> = recovered.tail.map(Result::unwrap).collect();
    assert_eq!(tail, (151..=240).map(record).collect::<Vec<_>>());
}

#[test]
fn a_snapshot_lets_old_segments_go_and_the_ones_before_it_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = Options {
        segment_bytes: 1_000,
        retention: Retention {
            age_max: Duration::ZERO,
            bytes_max: 0,
        },
        snapshots_kept: 2,
        ..options(&disk)
    };
    let (handle, acknowledged) = start(folder.path(), options);
    for hundred in 0..4 {
        for no in hundred * 100 + 1..=hundred * 100 + 100 {
            handle.submit(batch_of(no..=no)).unwrap();
        }
        snapshot(&handle, hundred * 100 + 100).unwrap();
        wait_for(&acknowledged, hundred * 100 + 100);
    }
    // What is old goes after the reply; the next job comes after that.
    let (reply, replied) = sync_channel(1);
    handle
        .change(|_| Ok(()), move |_| reply.send(()).unwrap())
        .unwrap();
    replied.recv_timeout(PATIENCE).unwrap();
    let kept = handle.database().unwrap().snapshots().unwrap();
    let kept: Vec<_> = kept.iter().map(|info| info.no.0).collect();
    assert_eq!(kept, [400, 300]);
    assert!(handle.reader(InputNo(1)).next().unwrap().is_err());
    let from_older = handle.reader(InputNo(301)).map(Result::unwrap).count();
    assert_eq!(from_older, 100);
}

#[test]
fn a_damaged_snapshot_means_an_older_one_and_a_longer_tail() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, _acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=10)).unwrap();
    snapshot(&handle, 10).unwrap();
    handle.submit(batch_of(11..=20)).unwrap();
    snapshot(&handle, 20).unwrap();
    handle.submit(batch_of(21..=25)).unwrap();
    handle.shutdown().unwrap();
    let raw = rusqlite::Connection::open(handle.folder().database()).unwrap();
    raw.execute("UPDATE snapshots SET crc = 0 WHERE no = 20", [])
        .unwrap();
    let (_, recovered) = Store::open(folder.path(), options(&disk)).unwrap();
    assert_eq!(recovered.snapshot, Some(db::snapshot(10, 1)));
    assert_eq!(recovered.rejected[0].no, InputNo(20));
    let tail: Vec<_> = recovered.tail.map(|record| record.unwrap().no.0).collect();
    assert_eq!(tail, (11..=25).collect::<Vec<_>>());
}

#[test]
fn a_journal_that_lost_its_end_goes_on_after_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=10)).unwrap();
    snapshot(&handle, 10).unwrap();
    handle.shutdown().unwrap();
    drop(acknowledged);
    let file = crate::segments(&handle.folder().journal()).remove(0);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..200]).unwrap();

    let (store, mut recovered) = Store::open(folder.path(), options(&disk)).unwrap();
    assert!(recovered.torn.is_some());
    assert_eq!(recovered.last, InputNo(10));
    assert!(recovered.tail.next().is_none());
    let (durable, acknowledged) = sync_channel(10);
    let handle = store.start(move |no| durable.send(no).unwrap()).unwrap();
    handle.submit(batch_of(11..=12)).unwrap();
    wait_for(&acknowledged, 12);
    handle.shutdown().unwrap();

    let (_, recovered) = Store::open(folder.path(), options(&disk)).unwrap();
    let tail: Vec<_> = recovered.tail.map(Result::unwrap).collect();
    assert_eq!(tail, [record(11), record(12)]);
    assert!(handle.reader(InputNo(1)).any(|read| read.is_err()));
}

#[test]
fn a_handle_that_is_dropped_writes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, acknowledged) = start(folder.path(), options(&disk));
    handle.submit(batch_of(1..=10)).unwrap();
    drop(handle);
    wait_for(&acknowledged, 10);
    // The sender goes with the store thread, after the folder's lock.
    while acknowledged.recv_timeout(PATIENCE).is_ok() {}
}

#[test]
fn a_reply_that_panics_ends_the_store_visibly() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (handle, _acknowledged) = start(folder.path(), options(&disk));
    handle
        .change(|_| Ok(()), |_| panic!("a mistake in a reply"))
        .unwrap();
    assert!(matches!(handle.shutdown(), Err(StoreError::Stopped)));
    assert_eq!(handle.health().state, HealthState::Stopped);
}
