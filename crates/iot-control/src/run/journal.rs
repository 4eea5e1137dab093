//! The hot thread's end of the journal: numbers inputs, collects them, hands each batch to the store
//! thread once per wake-up.

use broker::Ack;
use dispatcher::Input;
use mapping::Program;
use store::{
    StoreHandle,
    journal::{Batch, Class, Durability},
};
use types::{InputNo, Now};

/// Bytes that may wait here while the disk is away. Beyond it inputs still switch lights, but are
/// not kept and so never acknowledged.
const OPEN_BYTES_MAX: usize = 8 << 20;

/// Numbers and collects inputs.
pub(super) struct Journal {
    store: Option<StoreHandle>,
    batch: Batch,
    body: Vec<u8>,
    last: InputNo,
    /// Inputs since the last snapshot.
    pub(super) inputs: u64,
    /// Inputs that could not be kept since the process started.
    pub(super) unkept: u64,
}

impl Journal {
    /// Goes on after `last`; keeps what comes until there is a store.
    pub(super) fn after(last: InputNo) -> Self {
        Self {
            store: None,
            batch: Batch::default(),
            body: Vec::new(),
            last,
            inputs: 0,
            unkept: 0,
        }
    }

    pub(super) fn start(&mut self, store: StoreHandle) {
        self.store = Some(store);
    }

    /// The number of the newest input.
    pub(super) fn last(&self) -> InputNo {
        self.last
    }

    /// Numbers an input and adds it to the open batch; says when it may be acknowledged.
    pub(super) fn take(&mut self, now: Now, program: &Program, input: &Input) -> (InputNo, Ack) {
        let no = self.last.next();
        self.last = no;
        self.inputs += 1;
        self.body.clear();
        input.encode(program, &mut self.body);
        let full = self.batch.bytes() > OPEN_BYTES_MAX;
        if full || self.batch.push(no, now, Class::Input, &self.body).is_err() {
            self.unkept += 1;
            return (no, Ack::Never);
        }
        if input.by_people() {
            self.batch.raise(Durability::Now);
        }
        (no, Ack::After(no))
    }

    /// Gives what was collected to the store thread. Where its queue is full the batch stays open
    /// and goes with a later one.
    pub(super) fn hand_over(&mut self) {
        let Some(store) = self.store.as_ref().filter(|_| !self.batch.is_empty()) else {
            return;
        };
        if let Err(refused) = store.submit(std::mem::take(&mut self.batch)) {
            self.batch = refused.batch;
        }
    }

    pub(super) fn store(&self) -> Option<&StoreHandle> {
        self.store.as_ref()
    }
}
