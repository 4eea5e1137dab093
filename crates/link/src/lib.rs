//! The sealed link between devices and the dispatcher, both ends: handshake, sealed frames, replay window, tokens.
//!
//! Called by the dispatcher's transports and by a device's runtime. Sans-io: bytes, time and random numbers come
//! in, bytes and events go out. Knows no std, socket or clock; without the feature `dispatcher` no allocator.
//! Noise is `clatter`'s, behind [`Initiator`] and [`Heard`]; frames are sealed here, with explicit counters.

#![no_std]

#[cfg(test)]
extern crate std;

mod macs;
mod noise;
mod replay;
mod session;

pub use macs::{CookieJar, DispatcherMacs, ResetKey};
pub use noise::{Answer, HandshakeError, Heard, Initiator, Own, PROLOGUE};
pub use replay::{WINDOW, Window};
pub use session::{FRAMES_HARD_MAX, OpenError, SealError, Session};
