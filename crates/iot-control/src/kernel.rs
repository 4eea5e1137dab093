//! The kernel's random numbers, as the sealed link takes them.

use rand_core::{CryptoRng, RngCore};

/// The kernel's random numbers.
pub(crate) struct Kernel;

impl RngCore for Kernel {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    #[expect(
        clippy::expect_used,
        reason = "it gave some at the start, and without any no key may be made"
    )]
    fn fill_bytes(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("the kernel has random numbers");
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Kernel {}
