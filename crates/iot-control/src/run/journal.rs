//! The hot thread's end of the journal: numbers inputs and the broker's facts, collects them, hands each batch to the store
//! thread once per wake-up.

use std::time::Duration;

use broker::{Ack, tcp::Durable};
use dispatcher::{Effects, Input, Mark, Observed, Outputs, OutputsHash, Publisher};
use mapping::Program;
use store::{
    StoreHandle,
    journal::{Batch, Class, Durability},
};
use types::{InputNo, Instant, Now};

/// Bytes that may wait here while the disk is away. Beyond it inputs still switch lights, but the journal
/// misses them: they are acknowledged once a snapshot holds what came of them.
const OPEN_BYTES_MAX: usize = 8 << 20;

/// How long inputs that nobody waits for are collected while more come.
const HOLD: Duration = Duration::from_millis(20);

/// How long they are collected at the most: what kill -9 can take of unacknowledged events. Longer than [`HOLD`], so
/// that a busy house never comes near this timer: otherwise each event would have to re-arm the kernel's timer, and wait
/// for that.
const HOLD_MAX: Duration = Duration::from_millis(100);

/// How long what was only seen waits for an input to go with: it explains, and nobody waits for it.
const OBSERVED_HOLD_MAX: Duration = Duration::from_secs(1);

/// Bytes after which a batch is sent even if nobody waits for it: some hundred inputs.
const HELD_BYTES_MAX: usize = 16 << 10;

/// Inputs and facts after which a snapshot is taken: replaying so many takes a tenth of a second.
const SNAPSHOT_RECORDS: u64 = 50_000;

/// A snapshot waits until the records behind the last one are so many times as large as that was: writing the whole house
/// down shall cost little beside what happens in it, however large it is.
const SNAPSHOT_TIMES: u64 = 8;

/// Bytes of records for which a large snapshot waits at the most: replaying them takes half a second.
const SNAPSHOT_BYTES_MAX: u64 = 16 << 20;

/// Bytes of facts after which one is taken. What a restart needs is never dropped, however large the journal is, and a
/// client may send the largest messages all day.
const SNAPSHOT_FACTS_BYTES: u64 = 16 << 20;

/// About what an input takes in the journal beside its own bytes.
const FRAME_BYTES: u64 = 16;

/// Who waits for what the open batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    Nobody,
    /// A client waits for its acknowledgement.
    Client,
    /// Somebody changed something and wants to hear that it is kept.
    Person,
}

/// How soon an input is to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Somebody changed something and wants to hear that a power cut does not lose it.
    Now,
    /// With the others; its acknowledgement waits until it is written.
    WithOthers,
}

impl Haste {
    /// Of an input that nobody published: what people command goes at once.
    pub(super) fn of(input: &Input) -> Self {
        if input.by_people() {
            Self::Now
        } else {
            Self::WithOthers
        }
    }

    /// Of an input that `from` published. Programs ask for targets all day; each of them would cost a sync.
    pub(super) fn of_published(input: &Input, from: &Publisher) -> Self {
        match from {
            Publisher::Tool(_) => Self::WithOthers,
            Publisher::Device(_)
            | Publisher::Person(_)
            | Publisher::Superuser
            | Publisher::ExternalBroker => Self::of(input),
        }
    }
}

/// Numbers and collects inputs.
pub(super) struct Journal {
    store: Option<StoreHandle>,
    durable: Durable,
    batch: Batch,
    body: Vec<u8>,
    last: InputNo,
    /// When the newest record was added.
    added: Now,
    /// What the inputs since the last hash put out.
    outputs: Outputs,
    /// Whether there were any.
    is_unhashed: bool,
    waiting: Waiting,
    /// When the open batch got its first input.
    opened: Option<Instant>,
    /// When the open batch got its first observation.
    seen: Option<Instant>,
    /// The last number that went to the store.
    submitted: InputNo,
    /// Inputs and facts since the last snapshot.
    since_snapshot: u64,
    /// Their bytes.
    bytes_since_snapshot: u64,
    /// Bytes of the facts among them.
    facts_bytes: u64,
    /// Bytes of the last snapshot.
    snapshot_bytes: u64,
    /// Bytes of all inputs since the process started.
    pub(super) bytes: u64,
    /// Inputs that could not be kept since the process started.
    pub(super) unkept: u64,
}

impl Journal {
    /// Goes on after `last`; keeps what comes until there is a store.
    pub(super) fn after(last: InputNo) -> Self {
        Self {
            store: None,
            durable: Durable::default(),
            batch: Batch::default(),
            body: Vec::new(),
            last,
            added: Now::default(),
            outputs: Outputs::default(),
            is_unhashed: false,
            waiting: Waiting::Nobody,
            opened: None,
            seen: None,
            submitted: InputNo::default(),
            since_snapshot: 0,
            bytes_since_snapshot: 0,
            facts_bytes: 0,
            snapshot_bytes: 0,
            bytes: 0,
            unkept: 0,
        }
    }

    pub(super) fn start(&mut self, store: StoreHandle, durable: Durable) {
        self.store = Some(store);
        self.durable = durable;
    }

    /// The newest number: of an input, or of facts.
    pub(super) fn last(&self) -> InputNo {
        self.last
    }

    /// Numbers an input and adds it to the open batch; says when it may be acknowledged.
    pub(super) fn take(
        &mut self,
        now: Now,
        program: &Program,
        input: &Input,
        haste: Haste,
    ) -> (InputNo, Ack) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        input.encode(program, &mut body);
        self.bytes += body.len() as u64 + FRAME_BYTES;
        let (no, is_added) = self.add(now, Class::Input, &body);
        self.body = body;
        if is_added && haste == Haste::Now {
            self.batch.raise(Durability::Now);
            self.waiting = Waiting::Person;
        }
        (no, Ack::After(no))
    }

    /// Numbers what of the broker's own is to survive, as an input, and adds it to the open batch; says when it is stored.
    pub(super) fn keep(&mut self, now: Now, facts: &[u8], is_awaited: bool) -> Ack {
        self.facts_bytes += facts.len() as u64 + FRAME_BYTES;
        let (no, _) = self.add(now, Class::Facts, facts);
        if is_awaited {
            self.await_ack();
        }
        Ack::After(no)
    }

    /// Gives a record its number and adds it; false: the journal misses it.
    fn add(&mut self, now: Now, class: Class, body: &[u8]) -> (InputNo, bool) {
        let no = self.last.next();
        self.last = no;
        self.since_snapshot += 1;
        self.bytes_since_snapshot += body.len() as u64 + FRAME_BYTES;
        let full = self.batch.bytes() > OPEN_BYTES_MAX;
        if full || self.batch.push(no, now, class, body).is_err() {
            self.unkept += 1;
            self.durable.missed(no);
            return (no, false);
        }
        self.added = now;
        self.opened.get_or_insert(now.at);
        (no, true)
    }

    /// Whether so much came since the last snapshot that a restart would take long, or the journal could not drop it.
    pub(super) fn wants_snapshot(&self) -> bool {
        let bytes_due = (self.snapshot_bytes * SNAPSHOT_TIMES).min(SNAPSHOT_BYTES_MAX);
        let is_due =
            self.since_snapshot >= SNAPSHOT_RECORDS && self.bytes_since_snapshot >= bytes_due;
        is_due || self.facts_bytes >= SNAPSHOT_FACTS_BYTES
    }

    /// Takes what the input that was numbered last put out, before it is handed out.
    pub(super) fn put_out(&mut self, effects: &Effects) {
        self.outputs.take(effects, Mark::default());
        self.is_unhashed = true;
    }

    /// Adds what was seen to the open batch. It goes with the inputs, and makes none of them go earlier.
    pub(super) fn observe(&mut self, now: Now, program: &Program, observed: &Observed) {
        self.body.clear();
        observed.encode(program, &mut self.body);
        let full = self.batch.bytes() > HELD_BYTES_MAX;
        if !full
            && self
                .batch
                .push(self.last, now, Class::Observed, &self.body)
                .is_ok()
        {
            self.added = now;
            self.seen.get_or_insert(now.at);
        }
    }

    /// A client waits for the acknowledgement of what comes next.
    pub(super) fn await_ack(&mut self) {
        self.waiting = self.waiting.max(Waiting::Client);
    }

    /// Whether a batch is on its way to the disk.
    fn is_at_store(&self) -> bool {
        self.durable.written() < self.submitted
    }

    /// When the open batch is to be handed over, though nothing more comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due_after(HOLD_MAX)
    }

    fn due_after(&self, hold: Duration) -> Option<Instant> {
        let inputs = self.opened.map(|opened| match self.waiting {
            Waiting::Nobody => opened.after(hold),
            // The store sets the pace: the next batch goes when this one is written. A timer of ours would be
            // set and cleared with every event, which costs more than the event where clocks are virtual.
            Waiting::Client if self.is_at_store() => opened.after(hold),
            Waiting::Client | Waiting::Person => opened,
        });
        let seen = self.seen.map(|seen| seen.after(OBSERVED_HOLD_MAX));
        inputs.into_iter().chain(seen).min()
    }

    /// Hands the open batch over where it is due or large.
    pub(super) fn hand_over_if_due(&mut self, now: Now) {
        let due = self.due_after(HOLD).is_some_and(|due| due <= now.at);
        if due || self.batch.bytes() > HELD_BYTES_MAX {
            self.hand_over(now);
        }
    }

    /// Gives what was collected to the store thread. Where its queue is full the batch stays open
    /// and goes with a later one.
    pub(super) fn hand_over(&mut self, now: Now) {
        self.opened = None;
        self.seen = None;
        if self.store.is_none() || self.batch.is_empty() {
            return;
        }
        self.add_hash();
        let Some(store) = &self.store else { return };
        self.waiting = Waiting::Nobody;
        // Not the last number of all: the store reports what it was given, and may not have been given that one.
        let last = self.batch.last().unwrap_or(self.submitted);
        match store.submit(std::mem::take(&mut self.batch)) {
            Ok(()) => self.submitted = last,
            Err(refused) => {
                self.batch = refused.batch;
                // Tried again after a pause.
                self.opened = Some(now.at);
            }
        }
    }

    /// A snapshot of so many bytes is on its way; the next one is counted for from here.
    pub(super) fn snapshot_taken(&mut self, bytes: usize) {
        self.snapshot_bytes = bytes as u64;
        self.since_snapshot = 0;
        self.bytes_since_snapshot = 0;
        self.facts_bytes = 0;
    }

    /// Adds the hash of what the batch's inputs put out: a replay that differs is to say so. Not where inputs before it are
    /// missing and no snapshot makes up for them yet: a replay of the others can't put out the same.
    fn add_hash(&mut self) {
        let hash = self.outputs.finish();
        if !std::mem::take(&mut self.is_unhashed) || self.durable.waits_for_snapshot() {
            return;
        }
        self.body.clear();
        OutputsHash::encode(hash, &mut self.body);
        let pushed = self
            .batch
            .push(self.last, self.added, Class::OutputsHash, &self.body);
        debug_assert!(pushed.is_ok(), "{pushed:?}: it belongs to the last number");
    }

    /// What is stored, for whoever stores it otherwise.
    pub(super) fn durable(&self) -> &Durable {
        &self.durable
    }

    pub(super) fn store(&self) -> Option<&StoreHandle> {
        self.store.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use dispatcher::Subject;
    use store::{Options, Store};
    use tempfile::TempDir;

    use super::*;

    /// A journal with its store, and the numbers that this wrote.
    fn journal() -> (TempDir, Journal, Receiver<InputNo>) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path(), Options::default()).expect("it opens");
        let (report, written) = sync_channel(100);
        let store = store
            .start(move |no| report.try_send(no).expect("there is room"))
            .expect("a thread");
        let mut journal = Journal::after(InputNo(0));
        journal.start(store, Durable::default());
        (folder, journal, written)
    }

    fn program() -> std::sync::Arc<Program> {
        let text = "format = 1\n[device.a]\nid = 1\nio.b = { kind = \"button\" }\n";
        let loaded = mapping::load_texts([("mapping.toml", text.to_owned())]);
        loaded.program.expect("it checks")
    }

    fn now(seconds: u64) -> Now {
        Now::default().after(Duration::from_secs(seconds))
    }

    fn take_one(journal: &mut Journal, now: Now, program: &Program, input: &Input) -> Ack {
        journal.take(now, program, input, Haste::of(input)).1
    }

    /// What is written, as numbers and classes.
    fn records(journal: &Journal) -> Vec<(u64, Class)> {
        let reader = journal.store().expect("it has one").reader(InputNo(1));
        let records = reader.map(|read| read.expect("it is whole"));
        records.map(|record| (record.no.0, record.class)).collect()
    }

    #[test]
    fn a_batch_ends_with_the_hash_of_its_inputs() {
        let (_folder, mut journal, written) = journal();
        let program = program();
        let mut effects = Effects::default();
        for second in 1..=3 {
            for _ in 0..second {
                take_one(&mut journal, now(second), &program, &Input::Tick);
                journal.put_out(&effects);
            }
            journal.hand_over(now(second));
            assert_eq!(written.recv(), Ok(journal.last()));
        }
        use Class::{Input as I, OutputsHash as H};
        let expected = [
            (1, I),
            (1, H),
            (2, I),
            (3, I),
            (3, H),
            (4, I),
            (5, I),
            (6, I),
            (6, H),
        ];
        assert_eq!(records(&journal), expected);

        let last = journal.store().expect("it has one").reader(InputNo(6));
        let hash = last
            .map(|read| read.expect("it is whole"))
            .last()
            .expect("it is there");
        let hash = OutputsHash::decode(&hash.body).expect("it is one");
        let mut outputs = Outputs::default();
        for _ in 0..3 {
            outputs.take(&effects, Mark::default());
        }
        assert_eq!(hash.hash, outputs.finish());
        assert_eq!(hash.binary, dispatcher::VERSION);
        effects.clear();
    }

    #[test]
    fn a_batch_goes_with_what_comes_later_or_alone_when_nothing_comes() {
        let (_folder, mut journal, written) = journal();
        let program = program();
        take_one(&mut journal, now(1), &program, &Input::Tick);
        assert_eq!(journal.due(), Some(now(1).at.after(HOLD_MAX)));
        journal.hand_over_if_due(now(1));
        assert!(!journal.batch.is_empty(), "it collects");
        take_one(&mut journal, now(1).after(HOLD), &program, &Input::Tick);
        journal.hand_over_if_due(now(1).after(HOLD));
        assert_eq!(written.recv(), Ok(InputNo(2)));
        assert_eq!(journal.due(), None);
    }

    #[test]
    fn facts_have_numbers_of_their_own_and_ask_for_a_snapshot_where_they_are_many() {
        let (_folder, mut journal, written) = journal();
        take_one(&mut journal, now(1), &program(), &Input::Tick);
        assert_eq!(journal.keep(now(1), b"one", false), Ack::After(InputNo(2)));
        assert_eq!(
            journal.due(),
            Some(now(1).at.after(HOLD_MAX)),
            "nobody waits"
        );
        assert_eq!(journal.keep(now(1), b"two", true), Ack::After(InputNo(3)));
        assert_eq!(journal.due(), Some(now(1).at), "somebody waits");
        journal.hand_over(now(1));
        assert_eq!(written.recv(), Ok(InputNo(3)));
        use Class::{Facts as F, Input as I};
        assert_eq!(records(&journal), [(1, I), (2, F), (3, F)]);

        let large = vec![0; 1 << 20];
        for _ in 0..16 {
            assert!(!journal.wants_snapshot());
            journal.keep(now(2), &large, false);
        }
        assert!(journal.wants_snapshot());
        journal.snapshot_taken(0);
        assert!(!journal.wants_snapshot());
        assert_eq!(journal.unkept, 8, "beyond what waits in memory");
    }

    /// How many inputs of 100 bytes behind a snapshot of so many bytes ask for the next one.
    fn inputs_until_a_snapshot(snapshot_bytes: usize) -> u64 {
        let mut journal = Journal::after(InputNo(0));
        journal.snapshot_taken(snapshot_bytes);
        let body = [0; 100 - FRAME_BYTES as usize];
        (1..)
            .find(|_| {
                journal.add(now(1), Class::Input, &body);
                journal.wants_snapshot()
            })
            .expect("it comes to an end")
    }

    #[test]
    fn a_large_house_is_written_down_after_more_inputs_and_never_after_too_many() {
        assert_eq!(inputs_until_a_snapshot(0), SNAPSHOT_RECORDS);
        assert_eq!(inputs_until_a_snapshot(500_000), SNAPSHOT_RECORDS);
        assert_eq!(inputs_until_a_snapshot(1_000_000), 80_000);
        assert_eq!(
            inputs_until_a_snapshot(1 << 30),
            SNAPSHOT_BYTES_MAX.div_ceil(100)
        );
    }

    #[test]
    fn inputs_that_are_not_kept_leave_no_hash_until_a_snapshot_covers_them() {
        let (_folder, mut journal, written) = journal();
        let program = program();
        let effects = Effects::default();
        let too_long = Input::Unblock(Subject::Name("x".repeat(2 << 20)));
        let take = |journal: &mut Journal, input: &Input| {
            let ack = take_one(journal, now(1), &program, input);
            journal.put_out(&effects);
            ack
        };
        assert_eq!(take(&mut journal, &Input::Tick), Ack::After(InputNo(1)));
        assert_eq!(take(&mut journal, &too_long), Ack::After(InputNo(2)));
        assert_eq!(take(&mut journal, &Input::Tick), Ack::After(InputNo(3)));
        journal.hand_over(now(1));
        assert_eq!(written.recv(), Ok(InputNo(3)));
        journal.durable.report(InputNo(3));
        assert_eq!(journal.durable.reached(), InputNo(1), "not acknowledged");
        assert_eq!(journal.unkept, 1);
        take(&mut journal, &Input::Tick);
        journal.hand_over(now(2));
        assert_eq!(written.recv(), Ok(InputNo(4)));
        journal.durable.covered(InputNo(4));
        take(&mut journal, &Input::Tick);
        journal.hand_over(now(3));
        assert_eq!(written.recv(), Ok(InputNo(5)));
        use Class::{Input as I, OutputsHash as H};
        assert_eq!(records(&journal), [(1, I), (3, I), (4, I), (5, I), (5, H)]);
    }

    #[test]
    fn the_store_has_all_that_it_was_given_though_the_last_input_is_missed() {
        let (_folder, mut journal, written) = journal();
        let program = program();
        journal.await_ack();
        take_one(&mut journal, now(1), &program, &Input::Tick);
        let too_long = Input::Unblock(Subject::Name("x".repeat(2 << 20)));
        take_one(&mut journal, now(1), &program, &too_long);
        journal.hand_over(now(1));
        assert_eq!(written.recv(), Ok(InputNo(1)));
        journal.durable.report(InputNo(1));
        assert!(!journal.is_at_store(), "nothing is on its way");
        // So that who waits next does not wait for more to come.
        journal.await_ack();
        take_one(&mut journal, now(2), &program, &Input::Tick);
        assert_eq!(journal.due(), Some(now(2).at));
    }

    #[test]
    fn what_a_person_asks_for_is_synced_and_what_a_program_asks_for_goes_with_the_others() {
        let text = "format = 1\n[device.a]\nid = 1\nio.b = { kind = \"switch\" }\n";
        let loaded = mapping::load_texts([("mapping.toml", text.to_owned())]);
        let program = loaded.program.expect("it checks");
        let blocks = dispatcher::Blocklist::default();
        let config = dispatcher::Config::default();
        let program_of = std::sync::Arc::clone(&program);
        let mut house = dispatcher::Dispatcher::new(program_of, config, blocks, now(0));
        for (from, haste, due) in [
            (Publisher::Person("anna".into()), Haste::Now, now(1).at),
            (Publisher::Superuser, Haste::Now, now(1).at),
            (
                Publisher::Tool("node-red".into()),
                Haste::WithOthers,
                now(1).at.after(HOLD_MAX),
            ),
        ] {
            let message = dispatcher::Message {
                topic: "iot/a/b/set",
                payload: b"ON",
                retain: false,
                will: None,
            };
            let admitted = house.admit(now(1), &from, &message).expect("it may");
            let input = admitted.input.expect("it changes something");
            assert_eq!(Haste::of_published(&input, &from), haste, "{from:?}");
            let (_folder, mut journal, _) = journal();
            let (no, ack) = journal.take(now(1), &program, &input, haste);
            assert_eq!(ack, Ack::After(no), "at QoS 1, once it is journalled");
            assert_eq!(journal.due(), Some(due), "{from:?}");
            journal.await_ack();
            assert_eq!(journal.due(), Some(now(1).at), "or somebody waits");
        }
    }
}
