//! From a HELLO to a half-session, cheap checks first: `mac1`, repetition, budget, cookie, handshake, registry.
//! Called by the dispatcher's end. An unconfirmed HELLO changes no session.

use alloc::boxed::Box;

use rand_core::CryptoRngCore;
use wire::{HELLO_LEN, Hello, PublicKey, WelcomePayload};

use super::{Address, Dispatcher, HALF_MS, REKEY_S, Told, bucket::Bucket, peer::Live, random};
use crate::{acks::Taken, noise::Heard, time::Millis};

impl Dispatcher {
    pub(super) fn hello(
        &mut self,
        now: Millis,
        from: Address,
        hello: &Hello,
        unix_ms: u64,
        rng: &mut dyn CryptoRngCore,
    ) {
        if !self.macs.knows(hello) {
            self.counters.wrong_mac1 += 1;
            self.blame(from, now);
            return;
        }
        let bytes = hello.encode();
        if self.repeat(from, hello, &bytes) {
            return;
        }
        if self.handshake_bucket.is_low(self.limits.handshakes, now) {
            let (source, len) = name(from);
            if !self.jar.proves(hello, &source[..len]) {
                if self.blame(from, now) {
                    let cookie = self.jar.cookie(&source[..len]);
                    let mut nonce = [0; 24];
                    rng.fill_bytes(&mut nonce);
                    let cookie = self.macs.seal_cookie(&cookie, hello, nonce);
                    self.counters.cookies += 1;
                    self.out.push_back((from, cookie.encode().to_vec()));
                }
                return;
            }
        }
        if self.halves >= self.limits.halves_max
            || !self.handshake_bucket.take(self.limits.handshakes, now)
        {
            self.counters.limited_hellos += 1;
            return;
        }
        match Heard::new(&self.own, hello, &random(rng)) {
            Ok(heard) => self.heard(now, from, bytes, heard, unix_ms, rng),
            Err(_) => self.counters.refused_hellos += 1,
        }
    }

    /// A HELLO that was answered is answered with the same bytes; it makes nothing new.
    fn repeat(&mut self, from: Address, hello: &Hello, bytes: &[u8; HELLO_LEN]) -> bool {
        let peer = self
            .hellos
            .get(&hello.mac1)
            .and_then(|device| self.peers.get(device));
        let Some(live) = peer.and_then(|peer| peer.same_hello(bytes)) else {
            return false;
        };
        if !from.fits(live.device, live.says.flags) {
            self.counters.refused_hellos += 1;
            return true;
        }
        self.out.push_back((from, live.welcome.to_vec()));
        true
    }

    /// Counts against a source; whether it may be answered.
    fn blame(&mut self, from: Address, now: Millis) -> bool {
        let rate = self.limits.source;
        if !self.sources.contains_key(&from) && self.sources.len() >= self.limits.sources_max {
            return false;
        }
        let bucket = self.sources.entry(from);
        bucket
            .or_insert_with(|| Bucket::new(rate, now))
            .take(rate, now)
    }

    fn heard(
        &mut self,
        now: Millis,
        from: Address,
        bytes: [u8; HELLO_LEN],
        heard: Heard,
        unix_ms: u64,
        rng: &mut dyn CryptoRngCore,
    ) {
        let Some(device) = self.keys.get(&heard.device).copied() else {
            self.unknown(heard.device, from, now);
            return;
        };
        if !from.fits(device, heard.payload.flags) {
            self.counters.refused_hellos += 1;
            return;
        }
        let mut index = rng.next_u32();
        while self.indices.contains_key(&index) {
            index = index.wrapping_add(1);
        }
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let out = peer.block_in && peer.block_out || peer.quarantined;
        if out || self.revoked.contains(&heard.device) {
            self.counters.blocked_hellos += 1;
            return;
        }
        let mac1 = wire_mac1(&bytes);
        let stale = peer.is_stale(&heard.payload, &mac1);
        let crowded = self.sessions >= self.limits.sessions_max && peer.current.is_none();
        // Somebody who replays HELLOs must not use up what the device itself needs.
        let crowded = crowded || stale && !peer.halves.is_empty();
        if crowded || !peer.hellos.take(self.limits.device, now) {
            self.counters.limited_hellos += 1;
            return;
        }
        // What belongs to the past gives way to what does not.
        if peer.halves.len() >= self.limits.device_halves_max {
            let gives_way = peer
                .halves
                .iter()
                .position(|half| half.stale)
                .filter(|_| !stale);
            let Some(place) = gives_way else {
                self.counters.limited_hellos += 1;
                return;
            };
            let half = peer.halves.remove(place);
            self.indices.remove(&half.index);
            self.hellos.remove(&wire_mac1(&half.hello));
            self.halves -= 1;
        }
        let says = heard.payload;
        let payload = WelcomePayload {
            dispatcher_index: index,
            version: wire::VERSION,
            status: 0,
            keepalive_s: 30,
            rekey_s: REKEY_S,
            epoch: self.epoch,
            unix_ms,
            config_rev: 0,
            reset_token: self.resets.token(index),
        };
        let Ok(answer) = heard.answer(&peer.psk, &payload) else {
            self.counters.refused_hellos += 1;
            return;
        };
        let welcome = answer.welcome.encode();
        self.out.push_back((from, welcome.to_vec()));
        self.indices.insert(index, device);
        self.hellos.insert(mac1, device);
        self.halves += 1;
        peer.halves.push(Live {
            session: Box::new(answer.session),
            device,
            index,
            hello: bytes,
            welcome,
            says,
            from,
            began: now,
            heard: now,
            stale,
            seq: 0,
            taken: Taken::default(),
            ack_due: false,
        });
    }

    fn unknown(&mut self, key: PublicKey, from: Address, now: Millis) {
        self.counters.unknown_keys += 1;
        self.pending
            .retain(|_, since| now.since(*since) < self.limits.pending_ms);
        let known = self.pending.contains_key(&key);
        if known || self.revoked.contains(&key) || self.pending.len() >= self.limits.pending_max {
            return;
        }
        self.pending.insert(key, now);
        self.tell(Told::Pending { key, from });
    }

    /// Half-sessions that nobody confirmed.
    pub(super) fn drop_old_halves(&mut self, now: Millis) {
        for peer in self.peers.values_mut() {
            peer.halves.retain(|half| {
                let keep = now.since(half.began) < HALF_MS;
                if !keep {
                    self.indices.remove(&half.index);
                    self.hellos.remove(&wire_mac1(&half.hello));
                    self.halves -= 1;
                }
                keep
            });
        }
    }
}

/// A HELLO's `mac1`.
pub(super) fn wire_mac1(hello: &[u8; HELLO_LEN]) -> [u8; 16] {
    core::array::from_fn(|i| hello[Hello::MAC1_AT + i])
}

/// Bytes that name a source, and how many.
fn name(from: Address) -> ([u8; 19], usize) {
    let mut out = [0; 19];
    let len = match from {
        Address::Mqtt(broker, device) => {
            out[1..9].copy_from_slice(&device.0);
            out[9] = u8::from(broker == super::Broker::External);
            10
        }
        Address::Udp(address) => {
            out[0] = 1;
            out[1..3].copy_from_slice(&address.port().to_le_bytes());
            match address.ip() {
                core::net::IpAddr::V4(ip) => out[3..7].copy_from_slice(&ip.octets()),
                core::net::IpAddr::V6(ip) => out[3..19].copy_from_slice(&ip.octets()),
            }
            19
        }
    };
    (out, len)
}
