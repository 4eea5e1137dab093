//! A test that needs to see keys: those of a session that ended are nowhere in this process's heap.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    vec,
    vec::Vec,
};

use rand_core::{CryptoRng, RngCore};
use wire::{HelloFlags, HelloPayload, Identity, Site};

use super::*;
use crate::Device;

/// Counts up: nobody attacks this test.
struct Counting(u64);

impl RngCore for Counting {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 16
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.iter_mut()
            .for_each(|byte| *byte = self.next_u64() as u8);
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Counting {}

/// How often a key lies in the heap, where the kernel shows a process its own memory. A thread's arena begins at 64 MiB.
fn found(flipped: &[u8; 32]) -> Option<usize> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let mut memory = File::open("/proc/self/mem").ok()?;
    let mut count = 0;
    // So large that it does not lie in what is searched.
    let mut page = vec![0; 1 << 22];
    for line in maps.lines().filter(|line| line.contains("rw-p")) {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        if !line.contains("[heap]") && !start.is_multiple_of(64 << 20) {
            continue;
        }
        // Flipped as it is read: what was read is not found again.
        let mut bytes: Vec<u8> = Vec::with_capacity((end - start) as usize);
        let mut at = start;
        while at < end {
            let len = page.len().min((end - at) as usize);
            memory.seek(SeekFrom::Start(at)).ok()?;
            memory.read_exact(&mut page[..len]).ok()?;
            bytes.extend(page[..len].iter().map(|byte| !byte));
            page.fill(0);
            at += len as u64;
        }
        count += bytes.windows(32).filter(|window| window == flipped).count();
        bytes.fill(0);
    }
    Some(count)
}

#[test]
fn keys_of_a_session_that_ended_are_nowhere_in_the_heap() {
    let (now, mut rng) = (Millis(0), Counting(7));
    let from = Address::Udp(([10, 0, 0, 1], 5_000).into());
    let (secret, psk) = (Secret::new([3; 32]), Secret::new([4; 32]));
    let own = Own::new(Secret::new([1; 32]));
    let identity = Identity {
        flags: 0,
        device_public: Own::new(secret.clone()).public(),
        device_secret: secret,
        dispatcher: own.public(),
        dispatcher_next: None,
        psk: psk.clone(),
        site: Site([0; 8]),
        seed: Secret::new([5; 32]),
        ota_key: PublicKey([0; 32]),
    };
    let about = HelloPayload {
        version_min: 1,
        version_max: 1,
        flags: HelloFlags::UDP,
        boot_id: 7,
        boot_count: 1,
        firmware_version: 1,
        firmware_hash: [0; 8],
        config_hash: 0,
    };
    let resets = ResetKey::new(Secret::new([2; 32]));
    let mut dispatcher = Dispatcher::new(own, resets, Limits::default(), now, &mut rng);
    let handle = dispatcher.register(identity.device_public, psk, now);
    {
        let mut device = Device::new(&identity, about, now);
        let (mut out, mut room) = ([0; wire::FRAME_LEN_MAX], [0; wire::PLAIN_LEN_MAX]);
        for _ in 0..4 {
            while let Some(len) = device.poll_transmit(now, &mut rng, &mut out) {
                dispatcher.handle(now, from, &out[..len], 0, &mut rng);
            }
            while let Some((_, bytes)) = dispatcher.poll_transmit() {
                device.handle(now, &bytes, &mut room, &mut rng);
            }
        }
        assert!(device.is_up());
    }
    let live = dispatcher
        .peers
        .get(&handle)
        .and_then(|peer| peer.current.as_ref());
    let keys = live.expect("it is online").session.keys_flipped();
    let Some(there) = found(&keys[0]) else {
        return; // This system has no such files.
    };
    assert_eq!(there, 1, "the search finds a key, and no copy of it");
    dispatcher.block(handle, true, true);
    for key in &keys {
        assert_eq!(found(key), Some(0));
    }
}
