//! What the dispatcher does at its boundary: messages and time in, messages and records out.

#![allow(clippy::unwrap_used)] // a rig that can't be set up fails the test, wherever that is

mod blocks;
mod dead_man;
mod delivery;
mod explanations;
mod house;
mod identity;
mod observed;
mod own_kinds;
mod payloads;
mod presence;
mod rehearsals;
mod reloads;
mod restarts;
mod virtual_devices;
mod waits;
