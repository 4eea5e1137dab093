//! Payloads of devices and people: hostile-proof decoding, and one canonical form for what we write.
//!
//! Bytes from outside never panic: what does not fit is a [`crate::Reason`]. Our own form is read with
//! a visitor straight into flat pairs; only foreign payloads are read into a tree.

mod event;
mod flat;
mod foreign;
mod plain;
mod set;
mod state;
mod write;

pub(crate) use event::{DecodedEvent, event, named_event};
pub(crate) use flat::{Pair, Scalar};
pub(crate) use foreign::{Said, availability, foreign};
pub(crate) use set::{Asked, set};
pub(crate) use state::{state, state_of};
pub(crate) use write::{
    emitted, foreign_command, foreign_target, momentary, presence, role, target,
    text as write_text, value as write_value,
};
