//! A module on the sealed link: the firmware's own runtime over a real socket, on a thread of its own. What it drives and
//! which role it plays is told; what its pins say is given to it.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use device::{Drive, Runtime, Sample};
use link::Millis;
use rand_core::{CryptoRng, RngCore};
use wire::{HelloPayload, Identity};

use super::{
    line::{Came, Line, To},
    wait::Log,
};

/// How long a finger stays, and stays away: longer than a button is given to bounce.
const FINGER: Duration = Duration::from_millis(25);

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
    orders: Option<SyncSender<Order>>,
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
        let (orders, inbox) = sync_channel(1_024);
        let (did, said) = (Log::default(), Log::default());
        let (identity, log) = (identity.clone(), did.clone());
        let connections = Log::default();
        let notes = (said.clone(), connections.clone());
        let line = Line::to(to, &identity, boot_id, notes);
        let thread = thread::spawn(move || run(&identity, about, line, &inbox, &log));
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
        orders.send(order).expect("it runs until it is dropped");
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

fn run(
    identity: &Identity,
    about: HelloPayload,
    mut line: Line,
    inbox: &Receiver<Order>,
    did: &Log<Did>,
) {
    let start = Instant::now();
    let now = || Millis(start.elapsed().as_millis() as u64);
    let mut module: Box<Runtime<16>> = Box::new(Runtime::new(identity, about, &[], now()));
    let mut room = [0; wire::FRAME_LEN_MAX + 1];
    let mut moved = start;
    loop {
        let order = match moved.elapsed() < FINGER {
            true => Err(TryRecvError::Empty),
            false => inbox.try_recv(),
        };
        match order {
            Ok(Order::Sample(channel, sample)) => {
                if matches!(sample, Sample::Level(_)) {
                    moved = Instant::now();
                }
                module.sample(channel, sample, now()).expect("it has that");
            }
            Ok(Order::LoseConnection) => line.lose(),
            Ok(Order::Leave) => {
                let len = module.bye(0, now(), &mut room).unwrap();
                line.send(&room[..len]);
                return line.leave();
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match line.receive() {
                Came::Frame(frame) => {
                    module.handle(now(), &frame, &mut Kernel);
                }
                Came::Connected => module.reconnected(now()),
                Came::Nothing => {}
            },
        }
        if module.deadline() <= now() {
            module.handle_timeout(now());
        }
        if module.poll_role() {
            let channels = module.role().map_or(0, |role| role.len());
            for channel in 0..channels {
                // How things are at the start is no event. What has no such pin doesn't take it.
                let _ = module.sample(channel, Sample::Level(false), now());
            }
            did.push(Did::Role(channels));
        }
        while let Some((channel, drive)) = module.poll_drive() {
            did.push(Did::Drive(channel, drive));
        }
        while line.is_open()
            && let Some(len) = module.poll_transmit(now(), &mut Kernel, &mut room)
        {
            line.send(&room[..len]);
        }
    }
}
