//! A house that lives on virtual time and leaves a real state folder: what the binary does, without sockets.
//! Its modules acknowledge what they are told after 12 ms and report after 60 ms.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use dispatcher::{
    Block, Blocklist, Config, Dispatcher, Effects, Input, Message, Observed, Publisher, Sides,
    Subject, Token,
    explain::{self, Explainer},
};
use mapping::{Program, program::DeviceIx};
use replay::{Fed, History, Player, Programs};
use store::{
    ArchivedMapping, Batch, Chronicle, Class, Database, DbError, Durability, MappingHash, Options,
    Snapshot, Store, StoreHandle,
};
use tempfile::TempDir;
use types::{InputNo, Instant, Now, UnixTime};

/// Files of a house by name.
pub(crate) type Files = BTreeMap<String, String>;

const ACKNOWLEDGES_AFTER: Duration = Duration::from_millis(12);
const REPORTS_AFTER: Duration = Duration::from_millis(60);

/// The house of these tests: its lines have numbers that answers name.
pub(crate) fn piano_house() -> Files {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/house");
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        (name.to_owned(), text)
    };
    ["mapping.toml", "devices.toml", "rules.toml"]
        .map(read)
        .into()
}

/// The house of these tests with `more` rules.
pub(crate) fn with_rules(more: &str) -> Files {
    let mut files = piano_house();
    files.get_mut("rules.toml").unwrap().push_str(more);
    files
}

/// The house of these tests, with other names.
pub(crate) fn renamed(names: &[(&str, &str)]) -> Files {
    let mut files = piano_house();
    for text in files.values_mut() {
        for (old, new) in names {
            *text = text.replace(old, new);
        }
    }
    files
}

/// Saturday, 28 March 2026, 20:00 in Berlin: the sun is down.
pub(crate) fn evening() -> Now {
    Now {
        at: Instant(1_000_000),
        wall: UnixTime(1_774_724_400_000_000),
        synced: true,
    }
}

/// What a module will do.
enum Due {
    Acknowledge(DeviceIx, Token),
    Report(String, Vec<u8>),
}

pub(crate) struct Home {
    folder: TempDir,
    store: Option<(StoreHandle, Receiver<InputNo>)>,
    files: Files,
    pub(crate) program: Arc<Program>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) now: Now,
    batch: Batch,
    pub(crate) last: InputNo,
    due: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    /// The live stream, line by line, with the number of the input.
    pub(crate) live: Vec<String>,
    /// Whether consumers do what they are told.
    pub(crate) modules: bool,
    pub(crate) watched: bool,
}

impl Home {
    /// A house that starts for the first time, on an evening, with all devices connected.
    pub(crate) fn new(files: &Files) -> Self {
        Self::starting(files, evening())
    }

    pub(crate) fn starting(files: &Files, now: Now) -> Self {
        Self::with(files, now, Dispatcher::new, None)
    }

    /// As [`Self::new`], with its beginning in the journal. [`Self::new`] is a house that an older version began.
    pub(crate) fn beginning(files: &Files) -> Self {
        Self::with(files, evening(), Dispatcher::unbegun, Some(Input::Began))
    }

    fn with(
        files: &Files,
        now: Now,
        house: impl FnOnce(Arc<Program>, Config, Blocklist, Now) -> Dispatcher,
        first: Option<Input>,
    ) -> Self {
        let program = load(files);
        let dispatcher = house(
            Arc::clone(&program),
            Config::default(),
            Blocklist::default(),
            now,
        );
        let mut home = Self {
            folder: tempfile::tempdir().unwrap(),
            store: None,
            files: files.clone(),
            program,
            dispatcher,
            now,
            batch: Batch::default(),
            last: InputNo(0),
            due: BTreeMap::new(),
            serial: 0,
            live: Vec::new(),
            modules: true,
            watched: true,
        };
        let (store, _) = Store::open(&home.state(), home.options()).unwrap();
        home.start(store);
        first.into_iter().for_each(|input| home.take(input));
        home.connect_all();
        home.pass_ms(10_000);
        home
    }

    fn options(&self) -> Options {
        Options {
            segment_bytes: 64 << 10,
            ..Options::default()
        }
    }

    fn start(&mut self, store: Store) {
        let (durable, done) = sync_channel(1_000_000);
        let handle = store.start(move |no| durable.send(no).unwrap()).unwrap();
        self.store = Some((handle, done));
        self.archive();
        let mut effects = Effects::default();
        self.dispatcher.announce(self.now, &mut effects);
        self.hand_out(effects);
        self.snapshot();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The past as it is now.
    pub(crate) fn history(&mut self) -> History {
        self.flush();
        History::open(&self.state()).unwrap()
    }

    pub(crate) fn connect_all(&mut self) {
        for device in DeviceIx::all(self.program.devices.len()) {
            if self.program[device].carrier == mapping::program::Carrier::Own {
                let name = self.program[device].name.clone();
                self.connect(&name);
            }
        }
    }

    pub(crate) fn device(&self, name: &str) -> DeviceIx {
        self.program.device(name).unwrap()
    }

    pub(crate) fn connect(&mut self, device: &str) {
        let mut effects = Effects::default();
        let ix = self.device(device);
        let input = self.dispatcher.connected(self.now, ix, &mut effects);
        self.hand_out(effects);
        match input {
            Some(input) => self.take(input),
            None => self.observe(&Observed::Connected(ix)),
        }
    }

    pub(crate) fn disconnect(&mut self, device: &str) {
        let ix = self.device(device);
        let input = self
            .dispatcher
            .disconnected(ix, dispatcher::LastWill::Published);
        input.into_iter().for_each(|input| self.take(input));
    }

    /// A device says something on one of its topics, as in `says("hall", "motion/event", "..")`.
    pub(crate) fn says(&mut self, device: &str, topic: &str, payload: &str) {
        let from = Publisher::Device(self.device(device));
        self.publish(&from, &format!("iot/{device}/{topic}"), payload);
    }

    pub(crate) fn asks(&mut self, who: &str, topic: &str, payload: &str) {
        self.publish(&Publisher::Person(who.into()), topic, payload);
    }

    pub(crate) fn publish(&mut self, from: &Publisher, topic: &str, payload: &str) {
        let message = Message {
            topic,
            payload: payload.as_bytes(),
            retain: false,
            will: None,
        };
        match self.dispatcher.admit(self.now, from, &message) {
            Ok(admitted) => admitted
                .input
                .into_iter()
                .for_each(|input| self.take(input)),
            Err(refusal) => {
                self.observe(&Observed::Refused {
                    text: refusal.to_string().into(),
                    device: refusal.device,
                    topic: Some(refusal.topic.into()),
                });
            }
        }
    }

    pub(crate) fn press(&mut self, key: u32) {
        let payload = format!(r#"{{"event":"press","key":{key},"velocity":64}}"#);
        self.says("piano", "keys/event", &payload);
    }

    pub(crate) fn motion(&mut self) {
        self.says("hall", "motion/event", r#"{"event":"start"}"#);
    }

    pub(crate) fn lux(&mut self, lux: u32) {
        self.says("hall", "lux/state", &lux.to_string());
    }

    pub(crate) fn block(&mut self, device: &str, sides: Sides) {
        let subject = Subject::Name(device.to_owned());
        self.take(Input::Block(Block { subject, sides }));
    }

    pub(crate) fn unblock(&mut self, device: &str) {
        self.take(Input::Unblock(Subject::Name(device.to_owned())));
    }

    /// Journals and applies.
    pub(crate) fn take(&mut self, input: Input) {
        self.last = self.last.next();
        let mut body = Vec::new();
        input.encode(&self.program, &mut body);
        self.batch
            .push(self.last, self.now, Class::Input, &body)
            .unwrap();
        let mut effects = Effects::default();
        self.dispatcher.apply(self.now, input, &mut effects);
        self.hand_out(effects);
    }

    pub(crate) fn observe(&mut self, observed: &Observed) {
        let mut body = Vec::new();
        observed.encode(&self.program, &mut body);
        self.batch
            .push(self.last, self.now, Class::Observed, &body)
            .unwrap();
    }

    fn hand_out(&mut self, mut effects: Effects) {
        if self.watched {
            explain::fill_texts(&self.program, &mut effects);
            let explainer = Explainer::new(&self.program);
            for told in explain::told(&effects, self.now) {
                let line = explainer.told(&told);
                self.live.push(format!("{} {line}", self.last));
            }
        }
        if !self.modules {
            return;
        }
        for send in effects.sends {
            let mut parts = send.topic.split('/');
            let (Some("iot"), Some(device), Some(channel), Some(leaf)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            // What is retained under a name that a reload took away is cleared; nobody has that name.
            let Some(ix) = self.program.device(device) else {
                continue;
            };
            if !self.dispatcher.online(ix) {
                continue;
            }
            if let Some(token) = send.token {
                self.after(ACKNOWLEDGES_AFTER, Due::Acknowledge(ix, token));
            }
            if leaf == "target" && !send.payload.is_empty() {
                let topic = format!("iot/{device}/{channel}/state");
                self.after(REPORTS_AFTER, Due::Report(topic, send.payload));
            }
        }
    }

    fn after(&mut self, span: Duration, due: Due) {
        self.serial += 1;
        self.due.insert((self.now.at.after(span), self.serial), due);
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.pass_us(ms * 1_000);
    }

    pub(crate) fn pass_us(&mut self, us: u64) {
        let until = self.now.after(Duration::from_micros(us));
        loop {
            let house = self.dispatcher.next_deadline(self.now);
            let modules = self.due.keys().next().map(|(at, _)| *at);
            let Some(at) = house.into_iter().chain(modules).min() else {
                break;
            };
            if at > until.at {
                break;
            }
            self.now = self.now.after(at.since(self.now.at));
            while let Some(input) = self.dispatcher.due(self.now) {
                self.take(input);
            }
            let mut effects = Effects::default();
            let observed = self.dispatcher.tick(self.now, &mut effects);
            observed.iter().for_each(|observed| self.observe(observed));
            self.hand_out(effects);
            self.modules_act();
        }
        self.now = until;
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1_000);
    }

    fn modules_act(&mut self) {
        while let Some(first) = self.due.first_entry() {
            if first.key().0 > self.now.at {
                return;
            }
            match first.remove() {
                Due::Acknowledge(by, token) => {
                    if let Some(observed) = self.dispatcher.delivered(by, token) {
                        self.observe(&observed);
                    }
                }
                Due::Report(topic, payload) => {
                    let device = topic.split('/').nth(1).unwrap().to_owned();
                    let Some(ix) = self.program.device(&device) else {
                        continue;
                    };
                    if self.dispatcher.online(ix) {
                        let from = Publisher::Device(ix);
                        self.publish(&from, &topic, &String::from_utf8_lossy(&payload));
                    }
                }
            }
        }
    }

    /// Waits until all so far is in the journal.
    pub(crate) fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.raise(Durability::Soon);
        let (store, durable) = self.store.as_ref().unwrap();
        let last = batch.last().unwrap();
        store.submit(batch).unwrap();
        while durable.recv_timeout(Duration::from_secs(20)).unwrap() < last {}
    }

    pub(crate) fn snapshot(&mut self) {
        self.flush();
        let snapshot = Snapshot {
            no: self.last,
            now: self.now,
            mapping: MappingHash(self.program.hash),
            format: dispatcher::STATE_FORMAT,
            binary: "0.1.0".to_owned(),
            body: self.dispatcher.state(),
            broker: None,
        };
        let (reply, done) = sync_channel(1);
        let (store, _) = self.store.as_ref().unwrap();
        store
            .snapshot(snapshot, move |result| reply.send(result).unwrap())
            .unwrap();
        done.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    }

    fn archive(&mut self) {
        let loaded = mapping::load_texts(self.files.clone());
        let archived = ArchivedMapping {
            hash: MappingHash(self.program.hash),
            files: replay::archive::pack(&loaded.sources).unwrap(),
            used_at: self.now.at,
        };
        self.change_database(move |database| database.archive_mapping(&archived));
    }

    pub(crate) fn write_history(&mut self, chronicle: Chronicle) {
        self.change_database(move |database| database.add_history(&chronicle));
    }

    /// Drops what was before the newest snapshot, as after `keep_days`: no question and no history comes from there any more.
    pub(crate) fn forget(&mut self) {
        self.snapshot();
        let last = self.last;
        self.change_database(move |database| {
            database.prune_snapshots(last, 1)?;
            database.prune_mappings().map(drop)
        });
    }

    fn change_database(
        &mut self,
        change: impl FnOnce(&mut Database) -> Result<(), DbError> + Send + 'static,
    ) {
        let (reply, done) = sync_channel(1);
        let (store, _) = self.store.as_ref().unwrap();
        store
            .change(change, move |result| reply.send(result).unwrap())
            .unwrap();
        done.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    }

    /// Another mapping comes into force.
    pub(crate) fn reload(&mut self, files: &Files) {
        let next = load(files);
        self.files = files.clone();
        self.last = self.last.next();
        let mut body = Vec::new();
        Input::Reload { hash: next.hash }.encode(&self.program, &mut body);
        self.batch
            .push(self.last, self.now, Class::Input, &body)
            .unwrap();
        self.program = next;
        self.archive();
        let mut effects = Effects::default();
        self.due.retain(|_, due| matches!(due, Due::Report(..)));
        self.dispatcher
            .replace(self.now, Arc::clone(&self.program), &mut effects);
        self.hand_out(effects);
        self.snapshot();
    }

    /// The process is killed, and started again after `down`.
    pub(crate) fn restart(&mut self, down: Duration) {
        self.flush();
        drop(self.store.take());
        self.due.clear();
        self.now = self.now.after(down);
        let store = loop {
            // The store thread lets go of the folder when it has ended.
            match Store::open(&self.state(), self.options()) {
                Ok(opened) => break opened,
                Err(store::OpenError::Folder(store::FolderError::Locked { .. })) => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        };
        let (store, found) = store;
        let snapshot = found.snapshot.unwrap();
        let mut programs = Programs::default();
        let program = programs.find(store.read(), snapshot.mapping).unwrap();
        let (dispatcher, _) =
            Dispatcher::restore(program, Config::default(), &snapshot.body, snapshot.now).unwrap();
        let mut player = Player::new(dispatcher);
        for record in found.tail {
            let mut find = |hash| programs.find(store.read(), hash).unwrap();
            let fed = player.feed(
                &record.unwrap(),
                |hash, _| find(hash),
                &mut Effects::default(),
            );
            assert!(!matches!(fed, Fed::Unreadable(_)), "{fed:?}");
        }
        let lived = self.dispatcher.state();
        self.dispatcher = player.into_dispatcher();
        assert!(
            self.dispatcher.state() == lived,
            "a restart changed the house"
        );
        self.take(Input::Resumed);
        self.start(store);
        self.connect_all();
    }
}

pub(crate) fn load(files: &Files) -> Arc<Program> {
    let loaded = mapping::load_texts(files.clone());
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    loaded.program.unwrap_or_else(|| panic!("{complaints}"))
}
