//! Long-term history: periodically summarises the journal, whose inputs are dropped after some days.
//!
//! A thread of its own, woken when a snapshot is kept; it reads the state folder as everybody who looks into the past
//! does. Must not keep the hot thread or the store's waiting.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use replay::History;
use store::{Chronicle, StoreHandle};
use types::UnixTime;

use super::clock::Machine;

/// A start is busy enough.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);

/// History is for charts: what is not written down yet is read from the journal.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Wakes the thread.
#[derive(Clone)]
pub(super) struct Historian {
    nudge: SyncSender<()>,
}

impl Historian {
    /// Starts the thread; it ends with the last clone. `keep`: how long changes are kept.
    pub(super) fn start(store: StoreHandle, keep: Duration) -> std::io::Result<Self> {
        let (nudge, nudges) = sync_channel(1);
        let thread = thread::Builder::new().name("history".to_owned());
        thread.spawn(move || go_on(&store, keep, &nudges))?;
        Ok(Self { nudge })
    }

    /// A snapshot was kept: there is something to write.
    pub(super) fn nudge(&self) {
        // One that waits is enough.
        let _ = self.nudge.try_send(());
    }
}

fn go_on(store: &StoreHandle, keep: Duration, nudges: &Receiver<()>) {
    let mut next = Instant::now() + FIRST_AFTER;
    while nudges.recv().is_ok() && rest(next, nudges) {
        let machine = Machine::read();
        // A clock that nobody set may show any year: nothing is too old by it.
        let now = machine.synced.then_some(machine.wall);
        if let Err(why) = write_down(store, keep, now) {
            tracing::warn!(
                "long-term history could not be written, which is tried again with the next snapshot: {why:#}"
            );
        }
        next = Instant::now() + EVERY;
    }
}

/// Waits until then, whatever nudges it meanwhile; false: the last clone went.
fn rest(until: Instant, nudges: &Receiver<()>) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match nudges.recv_timeout(left) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Brings history up to the newest snapshot, and drops what is older than `keep` where it is known what time it is.
fn write_down(store: &StoreHandle, keep: Duration, now: Option<UnixTime>) -> anyhow::Result<()> {
    let history = History::open(store.folder().root()).context("looking back")?;
    let database = store.database()?;
    while let Some(chronicle) = history.chronicle(database.history_up_to()?.unwrap_or_default())? {
        add(store, chronicle)?;
    }
    let Some(now) = now else {
        return Ok(());
    };
    let keep_us = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let before = UnixTime(now.0.saturating_sub(keep_us));
    change(store, move |database| {
        database.prune_history(before).map(drop)
    })
}

fn add(store: &StoreHandle, chronicle: Chronicle) -> anyhow::Result<()> {
    change(store, move |database| database.add_history(&chronicle))
}

/// Changes the database, and waits until it is kept.
fn change(
    store: &StoreHandle,
    work: impl FnOnce(&mut store::Database) -> Result<(), store::DbError> + Send + 'static,
) -> anyhow::Result<()> {
    let (reply, done) = sync_channel(1);
    store.change(work, move |result| {
        // Nobody waits any more where the process ends.
        let _ = reply.send(result);
    })?;
    Ok(done.recv().context("the store has ended")??)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dispatcher::{Blocklist, Config, Dispatcher, Effects, Input};
    use store::{ArchivedMapping, Batch, Class, Durability, MappingHash, Options, Snapshot, Store};
    use types::{InputNo, Now, Value};

    use super::*;

    const HOUSE: &str = "format = 1\n[device.a]\nid = 7\nio.t = { kind = \"temperature\" }\n";

    /// A store with a house that reported three temperatures, an hour apart, and a snapshot before and behind them.
    fn lived_in(folder: &std::path::Path) -> StoreHandle {
        let loaded = mapping::load_texts([("mapping.toml", HOUSE.to_owned())]);
        let program = loaded.program.expect("it checks");
        let hash = MappingHash(program.hash);
        let (store, _) = Store::open(folder, Options::default()).expect("it opens");
        let store = store.start(|_| ()).expect("a thread");
        let archived = ArchivedMapping {
            hash,
            files: replay::archive::pack(&loaded.sources).expect("it is short"),
            used_at: Now::default().at,
        };
        change(&store, move |database| database.archive_mapping(&archived)).expect("it is kept");

        let hour = |hours: u64| {
            let first = Now {
                wall: UnixTime(1_774_724_400_000_000),
                synced: true,
                ..Now::default()
            };
            first.after(Duration::from_secs(hours * 3_600))
        };
        let blocks = Blocklist::default();
        let mut house = Dispatcher::new(Arc::clone(&program), Config::default(), blocks, hour(0));
        let snapshot = |house: &Dispatcher, no, now| {
            let snapshot = Snapshot {
                no: InputNo(no),
                now,
                mapping: hash,
                format: dispatcher::STATE_FORMAT,
                binary: String::new(),
                body: house.state(),
                broker: None,
            };
            let (reply, done) = sync_channel(1);
            let reply = move |kept| reply.send(kept).expect("it is awaited");
            store.snapshot(snapshot, reply).expect("there is room");
            done.recv().expect("a reply").expect("it is kept");
        };
        snapshot(&house, 0, hour(0));
        let mut batch = Batch::new(Durability::Now);
        for no in 1..=3 {
            let device = program.device("a").expect("it is there");
            let channel = program.channel(device, "t").expect("it is there");
            let slot = program[channel].slots[0];
            let input = Input::Report {
                channel,
                fields: vec![(slot, Value::Number(20.0 + no as f64))],
                live: true,
                adopt: false,
            };
            let mut body = Vec::new();
            input.encode(&program, &mut body);
            batch
                .push(InputNo(no), hour(no), Class::Input, &body)
                .expect("it fits");
            house.apply(hour(no), input, &mut Effects::default());
        }
        store.submit(batch).expect("there is room");
        snapshot(&house, 3, hour(3));
        store
    }

    #[test]
    fn the_thread_ends_with_its_last_clone_and_keeps_no_store_from_ending() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path(), Options::default()).expect("it opens");
        let (lives, ended) = sync_channel::<()>(1);
        // The sender goes with the store's thread.
        let on_durable = move |_| {
            let _ = lives.try_send(());
        };
        let store = store.start(on_durable).expect("a thread");
        let historian = Historian::start(store, FIRST_AFTER).expect("a thread");
        historian.nudge();
        drop(historian);
        let ended = ended.recv_timeout(Duration::from_secs(20));
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn the_journal_is_written_down_once_and_dropped_when_it_is_too_old() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = lived_in(folder.path());
        let keep = Duration::from_secs(3_600 + 1);
        let now = UnixTime(1_774_724_400_000_000 + 3 * 3_600_000_000);
        let ever = UnixTime(i64::MIN)..UnixTime(i64::MAX);
        let kept = || {
            let database = store.database().expect("it opens");
            let thing = store::Thing {
                number: Some(types::DeviceId(7)),
                device: "a".into(),
                channel: "t".into(),
                kind: "temperature".into(),
            };
            let rows = database.history((&thing, None), "temperature", ever.start, ever.end, 10);
            let values = rows
                .expect("it reads")
                .into_iter()
                .filter_map(|(_, value)| value);
            values.collect::<Vec<_>>()
        };
        write_down(&store, keep, None).expect("it is written");
        assert_eq!(kept().len(), 3, "nobody knows how old it is");
        for _ in 0..2 {
            write_down(&store, keep, Some(now)).expect("it is written");
        }
        let database = store.database().expect("it opens");
        assert_eq!(
            database.history_up_to().expect("it reads"),
            Some(InputNo(3))
        );
        assert_eq!(kept(), [Value::Number(22.0), Value::Number(23.0)]);
        let devices = database.devices().expect("it reads");
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].name, "a");
    }
}
