//! The program that runs on every module of ours, whatever board it is: who it is lies in its flash, what it does comes
//! from the dispatcher at each boot.
//!
//! Called by a board's `main`, which brings the network, the pins, the flash and a source of random bytes. Knows no board
//! and no role but the one it plays; the `device` crate decides what happens, this one does it.

#![no_std]

mod board;
mod entropy;
mod memory;
mod network;
mod wiring;

use core::fmt;

use device::{Runtime, record_len};
use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_time::{Instant, Timer};
use embedded_storage_async::nor_flash::NorFlash;
use link::Millis;
use log::{info, warn};
use rand_core::RngCore;
use wire::{HelloFlags, HelloPayload, IdentityError, NetError};

pub use board::{NoPin, Pins, Random};
use entropy::Entropy;
use memory::Memory;
pub use memory::Partitions;
use network::{Sockets, Way};
use wiring::Wiring;

/// Channels that a module has at most.
pub const CHANNELS_MAX: usize = 32;

/// The version that it says it is.
const FIRMWARE_VERSION: u32 = 1;

/// Why a module can't begin: it needs to be flashed anew.
#[derive(Debug)]
pub enum StartError<E> {
    /// There is no identity in its flash.
    Identity(IdentityError),
    /// Its flash does not say where the dispatcher is.
    Net(NetError),
    /// The flash itself.
    Flash(E),
}

impl<E: fmt::Debug> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(why) => write!(f, "who am I? {why}"),
            Self::Net(why) => write!(f, "where is the dispatcher? {why}"),
            Self::Flash(why) => write!(f, "the flash fails: {why:?}"),
        }
    }
}

/// What a board brings.
#[derive(Debug)]
pub struct Board<P, F, R> {
    /// Its pins.
    pub pins: P,
    /// Its flash, and where in it lies what.
    pub flash: F,
    /// See there.
    pub partitions: Partitions,
    /// Random bytes of the hardware.
    pub random: R,
}

/// Runs until the power goes.
///
/// # Errors
/// The module was never flashed right, or its flash is broken.
pub async fn run<P, F, R>(
    stack: Stack<'static>,
    board: Board<P, F, R>,
) -> Result<core::convert::Infallible, StartError<F::Error>>
where
    P: Pins,
    F: NorFlash,
    R: Random,
{
    let Board {
        pins,
        flash,
        partitions,
        mut random,
    } = board;
    let mut memory = Memory::new(flash, partitions);
    let identity = memory.identity().await?;
    let mut net = [0; wire::NET_LEN_MAX];
    let net = memory.net(&mut net).await?;
    let boot_count = memory.count_boot().await;
    let mut entropy = Entropy::new(&mut random, &identity, boot_count);
    let about = HelloPayload {
        version_min: wire::VERSION,
        version_max: wire::VERSION,
        flags: HelloFlags::UDP
            .with(HelloFlags::PRODUCER)
            .with(HelloFlags::CONSUMER),
        boot_id: entropy.next_u64(),
        boot_count,
        firmware_version: FIRMWARE_VERSION,
        firmware_hash: [0; 8],
        config_hash: 0,
    };
    let mut kept = [0; record_len(CHANNELS_MAX)];
    let kept = memory.kept(&mut kept).await;
    info!("boot {boot_count}, the dispatcher is at {}:{}", net.host, net.port);
    let mut module = Module {
        runtime: Runtime::new(&identity, about, kept, now()),
        wiring: Wiring::new(pins),
        memory,
        entropy,
        is_up: false,
    };
    let mut sockets = Sockets::new();
    let way = Way::open(stack, &mut sockets, net.host, net.port).await;
    module.live(way).await
}

fn now() -> Millis {
    Millis(Instant::now().as_millis())
}

struct Module<P: Pins, F> {
    runtime: Runtime<CHANNELS_MAX>,
    wiring: Wiring<P, CHANNELS_MAX>,
    memory: Memory<F>,
    entropy: Entropy,
    is_up: bool,
}

impl<P: Pins, F: NorFlash> Module<P, F> {
    async fn live(&mut self, mut way: Way<'_>) -> ! {
        let mut room = [0; wire::FRAME_LEN_MAX + 1];
        loop {
            self.turn(&mut way, &mut room).await;
            let due = Timer::at(Instant::from_millis(self.runtime.deadline().0));
            match select3(way.receive(&mut room), self.wiring.changed(), due).await {
                Either3::First(len) => {
                    self.runtime
                        .handle(now(), &room[..len], &mut self.entropy);
                }
                Either3::Second(()) => {}
                Either3::Third(()) => self.runtime.handle_timeout(now()),
            }
        }
    }

    /// Everything that is to be done after something happened.
    async fn turn(&mut self, way: &mut Way<'_>, room: &mut [u8]) {
        if self.runtime.poll_role()
            && let Some(role) = self.runtime.role()
        {
            self.wiring.wire(&role);
            info!("a role of {} channels", role.channels().count());
        }
        self.wiring.sample(&mut self.runtime, now());
        while let Some((channel, drive)) = self.runtime.poll_drive() {
            self.wiring.drive(channel, drive);
        }
        while let Some(len) = self
            .runtime
            .poll_transmit(now(), &mut self.entropy, room)
        {
            way.send(&room[..len]).await;
        }
        let mut record = [0; record_len(CHANNELS_MAX)];
        if let Some(len) = self.runtime.poll_store(now(), &mut record) {
            self.memory.keep(&record[..len]).await;
        }
        if self.is_up != self.runtime.is_up() {
            self.is_up = !self.is_up;
            if self.is_up {
                info!("up");
            } else {
                warn!("the dispatcher is gone");
            }
        }
    }
}
