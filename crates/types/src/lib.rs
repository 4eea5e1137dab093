//! The words every other crate speaks: values and their types, moments in time, ids.
//!
//! Called by everyone, calls nobody. Must not know files, sockets, clocks or any other crate of the
//! workspace; `no_std`, so that a module's firmware can use the same words.

#![no_std]

extern crate alloc;

mod shown;
mod time;
mod value;

pub use shown::{Shown, ShownLines, is_acting};
pub use time::{Instant, Now, UnixTime};
pub use value::{Refusal, Type, Value, without_sign_of_zero};

/// The number that a person gives a device in the mapping; it outlives renames and new keys.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode,
)]
#[cbor(transparent)]
pub struct DeviceId(#[n(0)] pub u16);

/// The place of an input in the one total order of inputs. The first input of a house is 1.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
)]
#[cbor(transparent)]
pub struct InputNo(#[n(0)] pub u64);

impl InputNo {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl core::fmt::Display for InputNo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}
