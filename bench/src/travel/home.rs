//! A dispatcher on virtual time with its store: what the binary does between a socket and the disk, without sockets. Its
//! consumers acknowledge what they are told after 12 ms and report after 60 ms.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use anyhow::{Context, anyhow};
use dispatcher::{
    Blocklist, Config, Dispatcher, Effects, Input, Mark, Message, Observed, Outputs, OutputsHash,
    Publisher, Token,
};
use mapping::program::{Carrier, DeviceIx};
use store::{
    ArchivedMapping, Batch, Class, Durability, MappingHash, Options, Snapshot, Store, StoreHandle,
};
use types::{InputNo, Instant, Now};

const ACKNOWLEDGES_AFTER: Duration = Duration::from_millis(12);
const REPORTS_AFTER: Duration = Duration::from_millis(60);

/// When the binary takes a snapshot, and for how long it collects a batch.
const SNAPSHOT_INPUTS: u64 = 50_000;
const SNAPSHOT_EVERY: Duration = Duration::from_secs(24 * 3_600);
const HOLD_MAX: Duration = Duration::from_millis(20);

/// Batches that are handed over before it is waited for the disk; the store's queue takes 16,384.
const UNAWAITED_MAX: u64 = 1_000;

/// What a consumer will do.
enum Due {
    Acknowledge(DeviceIx, Token),
    Report(DeviceIx, String, Vec<u8>),
}

/// A house that lives.
pub(super) struct Home {
    dispatcher: Dispatcher,
    store: StoreHandle,
    now: Now,
    last: InputNo,
    batch: Batch,
    opened: Option<Instant>,
    outputs: Outputs,
    unawaited: u64,
    snapshot: (InputNo, Instant),
    due: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    commands: u64,
}

impl Home {
    /// Starts for the first time at `now`, and lets all devices connect.
    pub(super) fn start(
        folder: &Path,
        files: Vec<(String, String)>,
        now: Now,
    ) -> anyhow::Result<Self> {
        let loaded = mapping::load_texts(files);
        let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        let program = loaded.program.ok_or_else(|| anyhow!(complaints))?;
        let (blocks, config) = (Blocklist::default(), Config::default());
        let dispatcher = Dispatcher::new(Arc::clone(&program), config, blocks, now);
        let (store, _) = Store::open(folder, Options::default())?;
        let store = store.start(|_| {})?;
        let mut home = Self {
            dispatcher,
            store,
            now,
            last: InputNo(0),
            batch: Batch::default(),
            opened: None,
            outputs: Outputs::default(),
            unawaited: 0,
            snapshot: (InputNo(0), now.at),
            due: BTreeMap::new(),
            serial: 0,
            commands: 0,
        };
        let archived = ArchivedMapping {
            hash: MappingHash(program.hash),
            files: replay::archive::pack(&loaded.sources).context("the mapping's archive")?,
            used_at: now.at,
        };
        home.change(move |database| database.archive_mapping(&archived))?;
        let mut effects = Effects::default();
        home.dispatcher.announce(home.now, &mut effects);
        home.hand_out(effects);
        home.take_snapshot()?;
        for device in DeviceIx::all(program.devices.len()) {
            if program[device].carrier == Carrier::Own {
                home.connect(device)?;
            }
        }
        Ok(home)
    }

    /// Inputs so far.
    pub(super) fn inputs(&self) -> u64 {
        self.last.0
    }

    /// Commands that were sent so far.
    pub(super) fn commands(&self) -> u64 {
        self.commands
    }

    /// Devices called `room0`, `room1` and so on.
    pub(super) fn rooms(&self) -> u64 {
        self.dispatcher.program().devices.len() as u64 - 1
    }

    fn connect(&mut self, device: DeviceIx) -> anyhow::Result<()> {
        let mut effects = Effects::default();
        let input = self.dispatcher.connected(self.now, device, &mut effects);
        self.hand_out(effects);
        match input {
            Some(input) => self.take(input),
            None => self.observe(&Observed::Connected(device)),
        }
    }

    /// A device says something on one of its topics.
    pub(super) fn says(&mut self, device: &str, topic: &str, payload: &str) -> anyhow::Result<()> {
        let ix = self.dispatcher.program().device(device);
        let ix = ix.with_context(|| format!("no device {device}"))?;
        self.publish(ix, &format!("iot/{device}/{topic}"), payload.as_bytes())
    }

    fn publish(&mut self, from: DeviceIx, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        let message = Message {
            topic,
            payload,
            retain: false,
            will: None,
        };
        let admitted = self
            .dispatcher
            .admit(self.now, &Publisher::Device(from), &message);
        let admitted = admitted.map_err(|refusal| anyhow!("{topic}: {refusal}"))?;
        admitted.input.map_or(Ok(()), |input| self.take(input))
    }

    /// Journals and applies.
    fn take(&mut self, input: Input) -> anyhow::Result<()> {
        self.last = self.last.next();
        let mut body = Vec::new();
        input.encode(self.dispatcher.program(), &mut body);
        self.batch.push(self.last, self.now, Class::Input, &body)?;
        self.opened.get_or_insert(self.now.at);
        let mut effects = Effects::default();
        self.dispatcher.apply(self.now, input, &mut effects);
        self.outputs.take(&effects, Mark::default());
        self.hand_out(effects);
        if self.last.0 - self.snapshot.0.0 >= SNAPSHOT_INPUTS {
            self.take_snapshot()?;
        }
        Ok(())
    }

    fn observe(&mut self, observed: &Observed) -> anyhow::Result<()> {
        let mut body = Vec::new();
        observed.encode(self.dispatcher.program(), &mut body);
        self.batch
            .push(self.last, self.now, Class::Observed, &body)?;
        Ok(())
    }

    /// Consumers begin to do what they are told.
    fn hand_out(&mut self, effects: Effects) {
        for send in effects.sends {
            let mut parts = send.topic.split('/');
            let (Some("iot"), Some(device), Some(channel), Some(leaf)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let ix = self.dispatcher.program().device(device);
            let Some(ix) = ix.filter(|ix| self.dispatcher.online(*ix)) else {
                continue;
            };
            self.commands += u64::from(leaf == "target" || leaf == "command");
            let reports = leaf == "target" && !send.payload.is_empty();
            let topic = reports.then(|| format!("iot/{device}/{channel}/state"));
            if let Some(token) = send.token {
                self.later(ACKNOWLEDGES_AFTER, Due::Acknowledge(ix, token));
            }
            if let Some(topic) = topic {
                self.later(REPORTS_AFTER, Due::Report(ix, topic, send.payload));
            }
        }
    }

    fn later(&mut self, span: Duration, due: Due) {
        self.serial += 1;
        self.due.insert((self.now.at.after(span), self.serial), due);
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass(&mut self, span: Duration) -> anyhow::Result<()> {
        let until = self.now.after(span);
        loop {
            let house = self.dispatcher.next_deadline(self.now);
            let consumers = self.due.keys().next().map(|(at, _)| *at);
            let batch = self.opened.map(|opened| opened.after(HOLD_MAX));
            let snapshot = Some(self.snapshot.1.after(SNAPSHOT_EVERY));
            let next = [house, consumers, batch, snapshot]
                .into_iter()
                .flatten()
                .min();
            let Some(at) = next.filter(|at| *at <= until.at) else {
                break;
            };
            self.now = self.now.after(at.since(self.now.at));
            while let Some(input) = self.dispatcher.due(self.now) {
                self.take(input)?;
            }
            let mut effects = Effects::default();
            if let Some(observed) = self.dispatcher.tick(self.now, &mut effects) {
                self.observe(&observed)?;
            }
            self.hand_out(effects);
            self.consumers_act()?;
            if batch.is_some_and(|at| at <= self.now.at) {
                self.hand_over()?;
            }
            if snapshot.is_some_and(|at| at <= self.now.at) {
                self.take_snapshot()?;
            }
        }
        self.now = until;
        Ok(())
    }

    fn consumers_act(&mut self) -> anyhow::Result<()> {
        while let Some(first) = self.due.first_entry() {
            if first.key().0 > self.now.at {
                break;
            }
            match first.remove() {
                Due::Acknowledge(by, token) => {
                    if let Some(observed) = self.dispatcher.delivered(by, token) {
                        self.observe(&observed)?;
                    }
                }
                Due::Report(by, topic, payload) => self.publish(by, &topic, &payload)?,
            }
        }
        Ok(())
    }

    /// Gives the open batch to the store, with the hash of what its inputs put out.
    fn hand_over(&mut self) -> anyhow::Result<()> {
        self.opened = None;
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut body = Vec::new();
        OutputsHash::encode(self.outputs.finish(), &mut body);
        self.batch
            .push(self.last, self.now, Class::OutputsHash, &body)?;
        let mut batch = std::mem::take(&mut self.batch);
        batch.raise(Durability::Soon);
        self.store.submit(batch)?;
        self.unawaited += 1;
        if self.unawaited >= UNAWAITED_MAX {
            self.change(|_| Ok(()))?;
        }
        Ok(())
    }

    fn take_snapshot(&mut self) -> anyhow::Result<()> {
        self.hand_over()?;
        self.snapshot = (self.last, self.now.at);
        let snapshot = Snapshot {
            no: self.last,
            now: self.now,
            mapping: MappingHash(self.dispatcher.program().hash),
            format: dispatcher::STATE_FORMAT,
            binary: dispatcher::VERSION.to_owned(),
            body: self.dispatcher.state(),
            broker: None,
        };
        let (reply, done) = sync_channel(1);
        self.store
            .snapshot(snapshot, move |result| drop(reply.send(result)))?;
        done.recv()??;
        self.unawaited = 0;
        Ok(())
    }

    /// Changes the database, and waits for that and for all that was handed over before.
    fn change(
        &mut self,
        work: impl FnOnce(&mut store::Database) -> Result<(), store::DbError> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (reply, done) = sync_channel(1);
        self.store
            .change(work, move |result| drop(reply.send(result)))?;
        done.recv()??;
        self.unawaited = 0;
        Ok(())
    }

    /// Writes what waits. There is no last snapshot: what came since the one before is to be replayed, as with a house that
    /// still runs.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.hand_over()?;
        self.change(|_| Ok(()))
    }
}
