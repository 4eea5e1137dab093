//! The network card, as embassy's network stack wants it.

use core::{cell::RefCell, ptr, task::Context};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use portable_atomic::{AtomicUsize, Ordering};
use static_cell::StaticCell;
use virtio_drivers::{
    device::net::VirtIONetRaw,
    transport::{DeviceType, mmio::MmioTransport},
};

use super::{Flat, find};
use crate::plic;

/// Frames that wait for being read.
const FRAMES: usize = 8;
/// Bytes of a frame, and of the card's header before it.
const FRAME_LEN: usize = 1_536;
/// What is larger is no frame of ours.
const MTU: usize = 1_514;
/// Of the card: what its interrupt was about, and that it was taken.
const STATUS: usize = 0x60;
const ACKNOWLEDGE: usize = 0x64;

type Frames = [[u8; FRAME_LEN]; FRAMES];

static FRAMES_IN: StaticCell<Frames> = StaticCell::new();
/// Where the card's registers are.
static REGISTERS: AtomicUsize = AtomicUsize::new(0);
static WAKER: AtomicWaker = AtomicWaker::new();

struct Card {
    device: VirtIONetRaw<Flat, MmioTransport<'static>, FRAMES>,
    frames: &'static mut Frames,
    /// The place in `frames` of each of the queue's buffers.
    places: [usize; FRAMES],
    out: [u8; FRAME_LEN],
}

impl Card {
    fn lend(&mut self, place: usize) {
        let frame = &mut self.frames[place];
        // SAFETY: the frame is not touched until the card gives it back.
        let token = unsafe { self.device.receive_begin(frame) };
        // As many as the queue has room for.
        if let Ok(token) = token {
            self.places[usize::from(token)] = place;
        }
    }
}

pub(crate) struct Net {
    card: RefCell<Card>,
    mac: [u8; 6],
}

impl Net {
    /// The machine's.
    ///
    /// # Panics
    /// It has none.
    pub(crate) fn find() -> Self {
        let (transport, registers, interrupt) = find(DeviceType::Network, "virtio-net-device");
        let mut device = VirtIONetRaw::new(transport).expect("QEMU's network card can be set up");
        let mac = device.mac_address();
        device.enable_interrupts();
        let mut card = Card {
            device,
            frames: FRAMES_IN.init([[0; FRAME_LEN]; FRAMES]),
            places: [0; FRAMES],
            out: [0; FRAME_LEN],
        };
        for place in 0..FRAMES {
            card.lend(place);
        }
        REGISTERS.store(registers, Ordering::Relaxed);
        plic::enable(interrupt);
        Self {
            card: RefCell::new(card),
            mac,
        }
    }
}

/// The card has a frame, or took one.
pub(crate) fn on_interrupt(_: u32) {
    let registers = ptr::with_exposed_provenance_mut::<u8>(REGISTERS.load(Ordering::Relaxed));
    if registers.is_null() {
        return;
    }
    // SAFETY: the card's registers are words at these places.
    unsafe {
        let about = registers.add(STATUS).cast::<u32>().read_volatile();
        registers
            .add(ACKNOWLEDGE)
            .cast::<u32>()
            .write_volatile(about);
    }
    WAKER.wake();
}

pub(crate) struct In<'c> {
    card: &'c RefCell<Card>,
    token: u16,
}

pub(crate) struct Out<'c> {
    card: &'c RefCell<Card>,
}

impl RxToken for In<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        let mut card = self.card.borrow_mut();
        let card = &mut *card;
        let place = card.places[usize::from(self.token)];
        let frame = &mut card.frames[place];
        // SAFETY: it is the frame that was lent for this token.
        let came = unsafe { card.device.receive_complete(self.token, frame) };
        let bytes = came
            .ok()
            .and_then(|(head, len)| frame.get_mut(head..head + len));
        let taken = take(bytes.unwrap_or_default());
        card.lend(place);
        taken
    }
}

impl TxToken for Out<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut card = self.card.borrow_mut();
        let card = &mut *card;
        // The stack asks for no more than the MTU.
        let frame = &mut card.out[..len];
        let filled = fill(frame);
        // What does not leave is said again.
        let _ = card.device.send(frame);
        filled
    }
}

impl Driver for Net {
    type RxToken<'c> = In<'c>;
    type TxToken<'c> = Out<'c>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(In<'_>, Out<'_>)> {
        WAKER.register(context.waker());
        let token = self.card.borrow().device.poll_receive()?;
        let card = &self.card;
        Some((In { card, token }, Out { card }))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Out<'_>> {
        Some(Out { card: &self.card })
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.max_transmission_unit = MTU;
        can.max_burst_size = Some(1);
        can
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}
