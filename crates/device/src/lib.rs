//! What runs on a module of ours: outputs that are what the house wishes, inputs that tell what happens, and the
//! runtime that drives the link with them.
//!
//! Called by a board's firmware. Sans-io, without an allocator: bytes, levels of pins and time come in, frames, levels
//! and a deadline go out. Knows no board, no network, no clock; nothing of the mapping but the device's own role.
//!
//! ```
//! use device::{Drive, Output};
//! use link::Millis;
//! use wire::{Channel, ChannelKind, Fields, Options, RoleId, Set, Value};
//!
//! let lamp = Channel { kind: ChannelKind::Dimmer, options: Options::default() };
//! let mut lamp = Output::new(&lamp, None, Millis(0)).expect("a dimmer is an output");
//! assert_eq!(lamp.poll_drive(), Some(Drive::Lamp([0, 0, 0, 0])));
//!
//! let fields = Fields::new(&[("brightness", Value::Number(40.0))])?;
//! let set = Set { rev: 1, role: RoleId::default(), channel: 0, command: None, fields, fade_ms: Some(1_000), for_ms: None };
//! lamp.set(&set, Millis(0)).expect("a dimmer has a brightness");
//! lamp.handle_timeout(Millis(500));
//! assert_eq!(lamp.poll_drive(), Some(Drive::Lamp([0, 0, 0, 2_000])));
//! lamp.handle_timeout(Millis(1_000));
//! assert_eq!(lamp.poll_drive(), Some(Drive::Lamp([0, 0, 0, 4_000])));
//! assert!(lamp.poll_report());
//! # Ok::<(), wire::BodyError>(())
//! ```

#![no_std]

#[cfg(test)]
extern crate std;

mod every;
mod input;
mod limit;
mod output;
pub mod pins;
mod runtime;

pub use input::{Happened, Input, Misfit, ROWS_MAX, Sample, Sink};
pub use output::{Drive, FADE_MS_MAX, FULL, KEPT_LEN, Kept, Moving, Order, Output, Refused, Tint};
pub use runtime::{Counters, LOST_MS, RoleFault, Runtime, record_len};
