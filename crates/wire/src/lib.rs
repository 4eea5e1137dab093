//! The bytes between a device and its dispatcher: frames, what is sealed in them, and what a device keeps in flash.
//!
//! Called by `link`, by the firmware and by whatever writes a device's flash. Knows layouts and limits, no keys'
//! use, sessions, clocks or sockets; `no_std`, without an allocator. Whatever bytes come in, a decoder gives a
//! value or a typed error: none panics.
//!
//! All integers are little-endian but in CBOR. Layouts of bodies and of a role: `spec/bodies.cddl` and `spec/role.cddl` beside
//! this crate.
//!
//! ```
//! use wire::{Frame, FrameError, Reset};
//!
//! let frame = Frame::Reset(Reset { dispatcher_index: 7, token: [1; 16] });
//! let mut bytes = [0; wire::FRAME_LEN_MAX];
//! let len = frame.encode(&mut bytes).expect("there is room");
//! assert_eq!(len, 22);
//! assert_eq!(Frame::decode(&bytes[..len]), Ok(frame));
//! assert_eq!(Frame::decode(&bytes[..21]), Err(FrameError::Length { found: 21, expected: 22 }));
//! ```

#![no_std]

#[cfg(test)]
extern crate std;

mod body;
mod bytes;
mod frame;
mod identity;
mod key;
mod net;
mod payload;
mod plain;
mod role;
mod topic;

pub use body::{
    BODY_LEN_MAX, Body, BodyError, CHANNELS_MAX, Config, EVENT_LEN_MAX, EVENTS_MAX, Event, Events,
    FIELDS_MAX, Fields, LOG_TEXT_LEN_MAX, NAME_LEN_MAX, Ota, PART_LEN_MAX, PARTS_MAX, Set, State,
    TEXT_LEN_MAX, Value,
};
pub use frame::{
    COOKIE_LEN, COUNTER_MAX, Cookie, DATA_OVERHEAD, Data, FRAME_LEN_MAX, Frame, FrameError,
    HELLO_LEN, Hello, PLAIN_LEN_MAX, RESET_LEN, Reset, SUITE, TAG_LEN, WELCOME_LEN, WILL_LEN,
    Welcome, Will,
};
pub use identity::{IDENTITY_LEN, Identity, IdentityError, Site};
pub use key::{Handle, PublicKey, Secret};
pub use net::{NET_LEN_MAX, Net, NetError, Transport, WIFIS_MAX, Wifi};
pub use payload::{HelloFlags, HelloPayload, VERSION, WelcomePayload};
pub use plain::{Kind, PLAIN_HEADER_LEN, Plain, PlainError};
pub use role::{
    Buses, Channel, ChannelKind, Fallback, Options, PINS_MAX, Pin, Pins, Pull, ROLE_LEN_MAX, Role,
    RoleError, RoleId,
};
pub use topic::{Topic, TopicText};
