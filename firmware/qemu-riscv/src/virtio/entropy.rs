//! Random numbers of the host.

use module::Random;
use virtio_drivers::{
    device::rng::VirtIORng,
    transport::{DeviceType, mmio::MmioTransport},
};

use super::{Flat, find};

pub(crate) struct Entropy(VirtIORng<Flat, MmioTransport<'static>>);

impl Entropy {
    /// The machine's.
    ///
    /// # Panics
    /// It has none.
    pub(crate) fn find() -> Self {
        let (transport, ..) = find(DeviceType::EntropySource, "virtio-rng-device");
        Self(VirtIORng::new(transport).expect("QEMU's source of random numbers can be set up"))
    }
}

impl Random for Entropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            done += self.0.request_entropy(rest).unwrap_or_default();
        }
    }
}
