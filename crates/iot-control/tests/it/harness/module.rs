//! A module on the sealed link: the firmware's own runtime over a real socket, on a thread of its own. What it drives and
//! which role it plays is told; what its pins say is given to it.

use std::{
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use device::{Drive, Runtime, Sample, record_len};
use link::Millis;
use rand_core::{CryptoRng, RngCore};
use tokio::{
    runtime,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep_until},
};
use wire::{HelloPayload, Identity};

use super::{
    line::{Came, Line, To},
    wait::Log,
};

/// How long a finger stays, and stays away: longer than a button is given to bounce.
const FINGER: Duration = Duration::from_millis(25);

/// A module has no more.
const CHANNELS: usize = 16;

/// No timer is set farther ahead: a module that waits for nothing has no deadline.
const AHEAD_MAX_MS: u64 = 60_000;

/// Without a connection a module looks no more often than this at what is due.
const LOST_LOOK_MS: u64 = 10;

/// What a module told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Did {
    /// It plays a role with so many channels.
    Role(u8),
    /// A channel's pins are so.
    Drive(u8, Drive),
}

enum Order {
    Sample(u8, Sample<'static>),
    LoseConnection,
    Leave,
}

/// A running module; without power once dropped.
pub struct Module {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    did: Log<Did>,
    said: Log<Vec<u8>>,
    connections: Log<()>,
    boot_id: u64,
}

/// The system's random numbers.
struct Kernel;

impl RngCore for Kernel {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        getrandom::fill(out).unwrap();
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Kernel {}

/// The identity in a file.
pub fn identity(file: &Path) -> Identity {
    Identity::decode(&std::fs::read(file).unwrap()).unwrap()
}

impl Module {
    /// Boots for the `count`th time and looks for its dispatcher at `to`.
    pub fn boot(identity: &Identity, count: u32, to: impl Into<To>) -> Self {
        let (to, boot_id) = (to.into(), Kernel.next_u64());
        let about = HelloPayload {
            version_min: 1,
            version_max: 1,
            flags: to.flags(),
            boot_id,
            boot_count: count,
            firmware_version: 1,
            firmware_hash: [0; 8],
            config_hash: 0,
        };
        let (orders, inbox) = channel(1_024);
        let (did, said) = (Log::default(), Log::default());
        let (identity, log) = (identity.clone(), did.clone());
        let connections = Log::default();
        let notes = (said.clone(), connections.clone());
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let line = Line::to(to, &identity, boot_id, notes).await;
                let running = Running::new((&identity, about), line, inbox, log);
                running.run().await;
            });
        });
        Self {
            said,
            connections,
            boot_id,
            orders: Some(orders),
            thread: Some(thread),
            did,
        }
    }

    /// As [`Self::boot`], and waits until it plays its role.
    pub fn up(identity: &Identity, count: u32, to: impl Into<To>) -> Self {
        let module = Self::boot(identity, count, to);
        module.plays(0);
        module
    }

    /// A place to wait from.
    pub fn mark(&self) -> usize {
        self.did.len()
    }

    /// Waits until it plays a role after `mark`; gives how many channels that has.
    pub fn plays(&self, mark: usize) -> u8 {
        self.did.find(mark, "a role", |did| match did {
            Did::Role(channels) => Some(*channels),
            _ => None,
        })
    }

    /// Waits until a switch is driven so after `mark`.
    pub fn switches(&self, mark: usize, channel: u8, on: bool) {
        let expected = Did::Drive(channel, Drive::Level(on));
        let what = format!("{expected:?}");
        self.did
            .find(mark, &what, |did| (*did == expected).then_some(()));
    }

    /// Waits until a dimmer shines, or does not, after `mark`.
    pub fn shines(&self, mark: usize, channel: u8, shines: bool) {
        let what = format!("a lamp at {channel} that shines: {shines}");
        self.did.find(mark, &what, |did| match did {
            Did::Drive(at, Drive::Lamp([.., white])) if *at == channel => {
                ((*white > 0) == shines).then_some(())
            }
            _ => None,
        });
    }

    /// All that it did so far.
    pub fn did(&self) -> Vec<Did> {
        self.did.since(0)
    }

    /// All frames that it sent so far.
    pub fn said(&self) -> Vec<Vec<u8>> {
        self.said.since(0)
    }

    /// How often a broker let it in so far.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Of this boot.
    pub fn boot_id(&self) -> u64 {
        self.boot_id
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().unwrap();
        let taken = orders.blocking_send(order);
        taken.expect("it runs until it is dropped");
    }

    /// Its hardware says something.
    pub fn sample(&self, channel: u8, sample: Sample<'static>) {
        self.order(Order::Sample(channel, sample));
    }

    /// A finger on a button.
    pub fn press(&self, channel: u8) {
        self.sample(channel, Sample::Level(true));
        self.sample(channel, Sample::Level(false));
    }

    /// A key of a MIDI instrument.
    pub fn key(&self, channel: u8, key: u8) {
        for byte in [0x90, key, 80] {
            self.sample(channel, Sample::Byte(byte));
        }
    }

    /// Its connection to a broker breaks, without a goodbye; it makes another.
    pub fn lose_connection(&self) {
        self.order(Order::LoseConnection);
    }

    /// Says goodbye and ends.
    pub fn leave(mut self) {
        self.order(Order::Leave);
        self.thread.take().unwrap().join().unwrap();
    }

    /// Is without power from now on.
    pub fn cut_off(self) {
        drop(self);
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What a module wakes for.
enum Wake {
    Order(Order),
    /// Its line has something.
    Line,
    /// Something is due.
    Time,
    NoPower,
}

/// A module with power.
struct Running {
    module: Box<Runtime<CHANNELS>>,
    line: Line,
    inbox: Receiver<Order>,
    did: Log<Did>,
    start: Instant,
    /// The finger that moved last moves no earlier again.
    finger_until: Instant,
}

impl Running {
    fn new(
        (identity, about): (&Identity, HelloPayload),
        line: Line,
        inbox: Receiver<Order>,
        did: Log<Did>,
    ) -> Self {
        let start = Instant::now();
        Self {
            module: Box::new(Runtime::new(identity, about, &[], Millis(0))),
            line,
            inbox,
            did,
            start,
            finger_until: start,
        }
    }

    fn now(&self) -> Millis {
        Millis(self.start.elapsed().as_millis() as u64)
    }

    /// Runs until it leaves or is without power.
    async fn run(mut self) {
        loop {
            let wake = self.wake().await;
            match wake {
                Wake::NoPower => return,
                Wake::Order(Order::Leave) => return self.leave().await,
                Wake::Order(Order::Sample(channel, sample)) => self.sample(channel, sample),
                Wake::Order(Order::LoseConnection) => self.line.lose(),
                Wake::Line => self.hear().await,
                Wake::Time => {}
            }
            self.turn().await;
        }
    }

    /// Waits until there is something to do.
    async fn wake(&mut self) -> Wake {
        let due = match self.line.is_open() {
            true => self.module.deadline(),
            // What can't be sent is due all the time.
            false => self.module.deadline().max(self.now().after(LOST_LOOK_MS)),
        };
        let due = due.min(self.now().after(AHEAD_MAX_MS));
        let due = self.start + Duration::from_millis(due.0);
        let is_free = self.finger_until <= Instant::now();
        tokio::select! {
            biased;
            order = self.inbox.recv(), if is_free => order.map_or(Wake::NoPower, Wake::Order),
            () = self.line.ready() => Wake::Line,
            () = sleep_until(self.finger_until), if !is_free => Wake::Time,
            () = sleep_until(due) => Wake::Time,
        }
    }

    fn sample(&mut self, channel: u8, sample: Sample<'static>) {
        if matches!(sample, Sample::Level(_)) {
            self.finger_until = Instant::now() + FINGER;
        }
        let taken = self.module.sample(channel, sample, self.now());
        taken.expect("it has that");
    }

    async fn hear(&mut self) {
        for came in self.line.receive().await {
            let now = self.now();
            match came {
                Came::Frame(frame) => {
                    self.module.handle(now, &frame, &mut Kernel);
                }
                Came::Connected => self.module.reconnected(now),
            }
        }
    }

    /// Everything that is to be done after something happened.
    async fn turn(&mut self) {
        let now = self.now();
        let module = &mut self.module;
        if module.deadline() <= now {
            module.handle_timeout(now);
        }
        if module.poll_role() {
            let channels = module.role().map_or(0, |role| role.len());
            for channel in 0..channels {
                // How things are at the start is no event. What has no such pin doesn't take it.
                let _ = module.sample(channel, Sample::Level(false), now);
            }
            self.did.push(Did::Role(channels));
        }
        while let Some((channel, drive)) = module.poll_drive() {
            self.did.push(Did::Drive(channel, drive));
        }
        // It has no flash: what it would write counts as written, and is no longer due.
        module.poll_store(now, &mut [0; record_len(CHANNELS)]);
        let mut room = [0; wire::FRAME_LEN_MAX + 1];
        while self.line.is_open()
            && let Some(len) = module.poll_transmit(now, &mut Kernel, &mut room)
        {
            self.line.send(&room[..len]).await;
        }
    }

    async fn leave(mut self) {
        let mut room = [0; wire::FRAME_LEN_MAX + 1];
        let len = self.module.bye(0, self.now(), &mut room).unwrap();
        self.line.send(&room[..len]).await;
        self.line.leave().await;
    }
}
