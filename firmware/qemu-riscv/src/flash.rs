//! The machine's second flash chip, by the commands that Intel's have: `-drive if=pflash,unit=1`, 32 MiB in sectors of
//! 256 KiB. What it holds outlives the machine.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use module::Partitions;

const START: *mut u8 = 0x2200_0000 as *mut u8;
const LEN: usize = 32 << 20;
const SECTOR: usize = 256 << 10;
const WORD: usize = 4;

/// A sector for each thing, two for what the module writes.
pub(crate) const PARTITIONS: Partitions = Partitions {
    identity: 0,
    net: SECTOR as u32,
    own: 2 * SECTOR as u32..4 * SECTOR as u32,
};

/// Commands, and the sign that one is done; both halves of the bus have a chip.
const ERASE: u32 = 0x0020_0020;
const CONFIRM: u32 = 0x00D0_00D0;
const PROGRAM: u32 = 0x0040_0040;
const READ: u32 = 0x00FF_00FF;
const READY: u32 = 0x0080_0080;
const FAILED: u32 = 0x003A_003A;

#[derive(Debug)]
pub(crate) struct Flash;

/// The chip did not do it, or can't.
#[derive(Debug)]
pub(crate) struct Refused(NorFlashErrorKind);

impl NorFlashError for Refused {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl ErrorType for Flash {
    type Error = Refused;
}

/// Where `len` bytes lie.
fn place(at: u32, len: usize, step: usize) -> Result<*mut u8, Refused> {
    let at = at as usize;
    if at.checked_add(len).is_none_or(|end| end > LEN) {
        return Err(Refused(NorFlashErrorKind::OutOfBounds));
    }
    if !at.is_multiple_of(step) || !len.is_multiple_of(step) {
        return Err(Refused(NorFlashErrorKind::NotAligned));
    }
    // SAFETY: it is within the chip.
    Ok(unsafe { START.add(at) })
}

/// Gives the chip a command and its argument, waits until it is done and lets it be read again.
fn order(at: *mut u32, command: u32, argument: u32) -> Result<(), Refused> {
    // SAFETY: the chip's memory is nobody's but this file's.
    let status = unsafe {
        at.write_volatile(command);
        at.write_volatile(argument);
        let status = loop {
            let status = at.read_volatile();
            if status & READY == READY {
                break status;
            }
        };
        at.write_volatile(READ);
        status
    };
    if status & FAILED == 0 {
        Ok(())
    } else {
        Err(Refused(NorFlashErrorKind::Other))
    }
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Refused> {
        let from = place(offset, bytes.len(), 1)?;
        for (place, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: it is within the chip, which is in its reading mode.
            *byte = unsafe { from.add(place).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        LEN
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        let len = to.saturating_sub(from) as usize;
        let from = place(from, len, SECTOR)?;
        for sector in 0..len / SECTOR {
            // SAFETY: it is within the chip, and aligned.
            let at = unsafe { from.add(sector * SECTOR) };
            order(at.cast(), ERASE, CONFIRM)?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        let to: *mut u32 = place(offset, bytes.len(), WORD)?.cast();
        for (place, word) in bytes.as_chunks::<WORD>().0.iter().enumerate() {
            // SAFETY: it is within the chip, and aligned.
            let at = unsafe { to.add(place) };
            order(at, PROGRAM, u32::from_le_bytes(*word))?;
        }
        Ok(())
    }
}
