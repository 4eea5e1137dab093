//! Time: the machine's counter and its one alarm.

use core::{cell::RefCell, task::Waker};

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

const MTIME: *mut u32 = 0x0200_BFF8 as *mut u32;
const MTIMECMP: *mut u32 = 0x0200_4000 as *mut u32;
/// The counter runs at 10 MHz, embassy's time at 1 MHz.
const COUNTS: u64 = 10;

struct Clint {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: Clint = Clint {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// No alarm is due; interrupts of the counter are on.
pub(crate) fn begin() {
    alarm_at(u64::MAX);
    // SAFETY: its handler is below.
    unsafe { riscv::register::mie::set_mtimer() };
}

/// Microseconds since the start.
pub(crate) fn now() -> u64 {
    // SAFETY: the counter's two halves can be read at any time.
    let read = |half| unsafe { MTIME.add(half).read_volatile() };
    loop {
        let high = read(1);
        let low = read(0);
        // Unless the low half ran over in between.
        if high == read(1) {
            return (u64::from(high) << 32 | u64::from(low)) / COUNTS;
        }
    }
}

fn alarm_at(count: u64) {
    // SAFETY: the alarm's two halves can be written at any time; in this order it never rings too early.
    unsafe {
        MTIMECMP.add(1).write_volatile(u32::MAX);
        MTIMECMP.write_volatile(count as u32);
        MTIMECMP.add(1).write_volatile((count >> 32) as u32);
    }
}

fn arm(queue: &mut Queue) {
    alarm_at(queue.next_expiration(now()).saturating_mul(COUNTS));
}

impl Driver for Clint {
    fn now(&self) -> u64 {
        now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow(section).borrow_mut();
            if queue.schedule_wake(at, waker) {
                arm(&mut queue);
            }
        });
    }
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn on_alarm() {
    critical_section::with(|section| arm(&mut DRIVER.queue.borrow(section).borrow_mut()));
}
