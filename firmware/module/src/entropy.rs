//! Random numbers of one boot: from the hardware's, the identity's seed and the number of the boot, so that one of them that
//! is known or repeats gives nothing away.

use blake2::{Blake2s256, Digest};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{CryptoRng, Error, RngCore, SeedableRng},
};
use wire::Identity;

use crate::board::Random;

pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    pub(crate) fn new(random: &mut impl Random, identity: &Identity, boot_count: u32) -> Self {
        let mut hardware = [0; 32];
        random.fill(&mut hardware);
        let seed = Blake2s256::new()
            .chain_update(hardware)
            .chain_update(identity.seed.expose())
            .chain_update(boot_count.to_le_bytes())
            .finalize();
        Self(ChaCha20Rng::from_seed(seed.into()))
    }
}

impl RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.try_fill_bytes(bytes)
    }
}

impl CryptoRng for Entropy {}
