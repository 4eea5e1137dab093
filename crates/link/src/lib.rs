//! The sealed link between devices and the dispatcher, both ends: handshake, sealed frames, replay window, tokens.
//!
//! Called by the dispatcher's transports and by a device's runtime. Sans-io: bytes, time and random numbers come
//! in, bytes and events go out. Knows no std, socket or clock; without the feature `dispatcher` no allocator.
//! Noise is `clatter`'s, behind [`Initiator`] and [`Heard`]; frames are sealed here, with explicit counters.
//!
//! ```
//! use link::{Address, Broker, Device, Dispatcher, Limits, Millis, Own, ResetKey, Told};
//! use wire::{Event, Fields, Handle, HelloFlags, HelloPayload, Identity, PublicKey, RoleId, Secret, Site};
//! # #[derive(Clone)]
//! # struct Rng(u64);
//! # impl rand_core::RngCore for Rng {
//! #     fn next_u32(&mut self) -> u32 { self.next_u64() as u32 }
//! #     fn next_u64(&mut self) -> u64 { self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1); self.0 >> 16 }
//! #     fn fill_bytes(&mut self, out: &mut [u8]) { out.iter_mut().for_each(|byte| *byte = self.next_u64() as u8) }
//! #     fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> { self.fill_bytes(out); Ok(()) }
//! # }
//! # impl rand_core::CryptoRng for Rng {}
//! # let mut rng = Rng(1);
//! # let (dispatcher_secret, reset_secret) = ([1; 32], [2; 32]);
//! # let own = Own::new(Secret::new([3; 32]));
//! # let identity = Identity { flags: 0, device_secret: Secret::new([3; 32]), device_public: own.public(),
//! #     dispatcher: Own::new(Secret::new(dispatcher_secret)).public(), dispatcher_next: None, psk: Secret::new([4; 32]),
//! #     site: Site([0; 8]), seed: Secret::new([5; 32]), ota_key: PublicKey([0; 32]) };
//! # let about = HelloPayload { version_min: 1, version_max: 1, flags: HelloFlags::PRODUCER, boot_id: 7, boot_count: 1,
//! #     firmware_version: 1, firmware_hash: [0; 8], config_hash: 0 };
//! let now = Millis(0); // of the transport's clock
//! let from = Address::Mqtt(Broker::Own, Handle::of(&identity.device_public));
//! let resets = ResetKey::new(Secret::new(reset_secret));
//! let own = Own::new(Secret::new(dispatcher_secret));
//! let mut dispatcher = Dispatcher::new(own, resets, Limits::default(), now, &mut rng);
//! let handle = dispatcher.register(identity.device_public, identity.psk.clone(), now);
//! let mut device = Device::new(&identity, about, now);
//! device.event(Event { seq: 0, role: RoleId::default(), channel: 0, name: "press", fields: Fields::default(), t_ms: 0 }, now)?;
//!
//! // The transport: whatever one end gives is brought to the other, until both are done.
//! loop {
//!     let (mut out, mut room) = ([0; wire::FRAME_LEN_MAX], [0; wire::PLAIN_LEN_MAX]);
//!     let mut quiet = true;
//!     while let Some(len) = device.poll_transmit(now, &mut rng, &mut out) {
//!         dispatcher.handle(now, from, &out[..len], 0, &mut rng);
//!         quiet = false;
//!     }
//!     while let Some((_to, bytes)) = dispatcher.poll_transmit() {
//!         device.handle(now, &bytes, &mut room, &mut rng);
//!         quiet = false;
//!     }
//!     if quiet {
//!         break;
//!     }
//! }
//! assert!(device.is_up() && dispatcher.is_online(handle));
//! assert_eq!(dispatcher.poll_told(), Some(Told::Online { device: handle, boot_id: 7, rekeyed: false }));
//! let Some(Told::Event { boot_id: 7, seq: 1, .. }) = dispatcher.poll_told() else { panic!() };
//! // Once it is kept, the device may forget it.
//! dispatcher.journalled(handle, 7, 1, now);
//! # Ok::<(), wire::BodyError>(())
//! ```

#![no_std]

#[cfg(feature = "dispatcher")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod acks;
mod device;
#[cfg(feature = "dispatcher")]
mod dispatcher;
mod macs;
mod noise;
#[cfg(feature = "pairing")]
mod pairing;
mod replay;
mod session;
mod time;

pub use device::{Device, Received};
#[cfg(feature = "dispatcher")]
pub use dispatcher::{
    Address, Broker, CloneSign, Counters, Dispatcher, Limits, Rate, SendError, Told,
};
pub use macs::{CookieJar, DispatcherMacs, ResetKey};
pub use noise::{Answer, HandshakeError, Heard, Initiator, Own, PROLOGUE};
#[cfg(feature = "pairing")]
pub use pairing::{
    ATTEMPTS_MAX, Code, Granted, Joining, PairingError, PairingEvent, PairingWindow, REVEAL_MS,
    WINDOW_MS,
};
pub use replay::{WINDOW, Window};
pub use session::{FRAMES_HARD_MAX, OpenError, SealError, Session};
pub use time::Millis;
