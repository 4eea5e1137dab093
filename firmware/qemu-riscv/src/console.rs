//! The serial line: the log goes out, as does what outputs do; a test's lines come in.

use core::{
    cell::RefCell,
    fmt::{self, Write},
};

use critical_section::Mutex;
use log::{LevelFilter, Log, Metadata, Record};
use portable_atomic::{AtomicBool, Ordering};

use crate::{clint, pins, plic};

/// Its number at the interrupt controller.
pub(crate) const INTERRUPT: u32 = 10;

const UART: *mut u8 = 0x1000_0000 as *mut u8;
/// Registers of a 16550: interrupts that are on, FIFO, what the line is about.
const IER: usize = 1;
const FCR: usize = 2;
const LSR: usize = 5;
const HAS_BYTE: u8 = 1;
const HAS_ROOM: u8 = 1 << 5;

const LINE_MAX: usize = 128;

static LINE: Mutex<RefCell<heapless::Vec<u8, LINE_MAX>>> =
    Mutex::new(RefCell::new(heapless::Vec::new()));

static LISTENING: AtomicBool = AtomicBool::new(false);

struct Port;

impl Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: a 16550 lies there.
            unsafe {
                while UART.add(LSR).read_volatile() & HAS_ROOM == 0 {}
                UART.write_volatile(byte);
            }
        }
        Ok(())
    }
}

/// Writes a line for whoever holds the other end.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    // The port never fails. An interrupt's line must not come in the middle of another.
    critical_section::with(|_| {
        let _ = writeln!(Port, "{line}");
    });
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let us = clint::now();
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        tell(format_args!(
            "log {s}.{us:06} {} {}",
            record.level(),
            record.args()
        ));
    }

    fn flush(&self) {}
}

pub(crate) fn begin() {
    static LOGGER: Logger = Logger;
    // SAFETY: nothing else runs yet; a 16550 lies there.
    unsafe {
        let _ = log::set_logger_racy(&LOGGER);
        log::set_max_level_racy(LevelFilter::Info);
        UART.add(FCR).write_volatile(1);
    }
    plic::enable(INTERRUPT);
}

/// Takes what came in. A whole line goes to the pins; the next one waits until what it changed was looked at, as a hand at a
/// button is slower than the firmware.
pub(crate) fn on_interrupt() {
    // One that was on its way when they were switched off.
    if !LISTENING.load(Ordering::Relaxed) {
        return;
    }
    critical_section::with(|section| {
        let mut line = LINE.borrow(section).borrow_mut();
        // SAFETY: a 16550 lies there.
        while unsafe { UART.add(LSR).read_volatile() } & HAS_BYTE != 0 {
            // SAFETY: as above.
            let byte = unsafe { UART.read_volatile() };
            if byte != b'\n' {
                // A line that is too long is refused as it is.
                let _ = line.push(byte);
                continue;
            }
            let text = core::str::from_utf8(&line).unwrap_or_default();
            if !pins::take(text) {
                let _ = writeln!(Port, "log what is {text:?}?");
            }
            line.clear();
            listen(false);
            return;
        }
    });
}

/// Whether lines are taken.
pub(crate) fn listen(is_on: bool) {
    LISTENING.store(is_on, Ordering::Relaxed);
    // SAFETY: a 16550 lies there.
    unsafe { UART.add(IER).write_volatile(is_on.into()) };
}
