//! The machine's virtio devices: network and random numbers.

mod entropy;
mod net;

use core::ptr::NonNull;

use portable_atomic::{AtomicUsize, Ordering};
use virtio_drivers::{
    BufferDirection, Hal, PAGE_SIZE, PhysAddr,
    transport::{
        DeviceType,
        mmio::{MmioTransport, VirtIOHeader},
    },
};

pub(crate) use entropy::Entropy;
pub(crate) use net::{Net, on_interrupt};

/// Where devices may be, one behind the other; their interrupts are counted from 1.
const FIRST: usize = 0x1000_1000;
const STEP: usize = 0x1000;
const DEVICES: usize = 8;

/// Pages for the queues of both devices.
const PAGES: usize = 8;

#[repr(align(4096))]
struct Pages(
    #[expect(dead_code, reason = "read and written by its address")] [u8; PAGES * PAGE_SIZE],
);

static mut POOL: Pages = Pages([0; PAGES * PAGE_SIZE]);
static USED: AtomicUsize = AtomicUsize::new(0);

/// Memory as the devices see it: as the processor does.
pub(crate) struct Flat;

// SAFETY: pages are handed out once, are aligned, zeroed and never freed; addresses are the same on both sides.
unsafe impl Hal for Flat {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let at = USED.fetch_add(pages, Ordering::Relaxed);
        assert!(at + pages <= PAGES, "queues need more than {PAGES} pages");
        let pool = (&raw mut POOL).cast::<u8>();
        // SAFETY: it is within the pool.
        let page = unsafe { NonNull::new_unchecked(pool.add(at * PAGE_SIZE)) };
        (page.as_ptr() as PhysAddr, page)
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// Of each device's registers: which type it is.
const DEVICE_TYPE: usize = 8;

/// The device of this type: its registers, and its interrupt's number.
///
/// # Panics
/// The machine has none: it was started without `what`.
fn find(kind: DeviceType, what: &str) -> (MmioTransport<'static>, usize, u32) {
    for place in 0..DEVICES {
        let at = FIRST + place * STEP;
        // Looked at by hand: a transport that is dropped resets its device, which may be in use.
        // SAFETY: each place has registers, that of no device says 0.
        let found = unsafe { ((at + DEVICE_TYPE) as *const u32).read_volatile() };
        let header = NonNull::new(at as *mut VirtIOHeader);
        if found == kind as u32
            && let Some(header) = header
            // SAFETY: a device's registers lie there.
            && let Ok(transport) = unsafe { MmioTransport::new(header, STEP) }
        {
            return (transport, at, place as u32 + 1);
        }
    }
    panic!("this machine has no {what}");
}
