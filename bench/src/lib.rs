//! The numbers that SPECIFICATION.md promises of time travel: the house that is asked about.
//!
//! Called by the program `travel`, which `cargo xtask bench travel` runs. Must not be built into the house's binary.

pub mod house;
pub mod travel;
