//! Interrupts of devices, by their numbers.

use crate::{console, virtio};

const PRIORITIES: *mut u32 = 0x0C00_0000 as *mut u32;
const ENABLED: *mut u32 = 0x0C00_2000 as *mut u32;
const THRESHOLD: *mut u32 = 0x0C20_0000 as *mut u32;
const CLAIM: *mut u32 = 0x0C20_0004 as *mut u32;

/// All that are enabled are taken from now on.
pub(crate) fn begin() {
    // SAFETY: the controller's threshold is a word; the handler is below.
    unsafe {
        THRESHOLD.write_volatile(0);
        riscv::register::mie::set_mext();
        riscv::interrupt::enable();
    }
}

/// Enables the interrupt of this number, below 32.
pub(crate) fn enable(number: u32) {
    // SAFETY: the controller has a word for each number's priority, and a bit for each number in its first word.
    critical_section::with(|_| unsafe {
        PRIORITIES.add(number as usize).write_volatile(1);
        ENABLED.write_volatile(ENABLED.read_volatile() | 1 << number);
    });
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn on_device() {
    // SAFETY: reading claims an interrupt, writing its number ends it.
    let number = unsafe { CLAIM.read_volatile() };
    match number {
        0 => return,
        console::INTERRUPT => console::on_interrupt(),
        _ => virtio::on_interrupt(number),
    }
    // SAFETY: as above.
    unsafe { CLAIM.write_volatile(number) };
}
