//! The numbers that SPECIFICATION.md promises of the mapping language and of time travel, measured.
//!
//! Called by the programs `engine` and `travel`, which `cargo xtask bench engine` and `cargo xtask bench travel` run.
//! Must not be built into the house's binary: it knows the libraries that ours are compared with.

pub mod estate;
pub mod expressions;
pub mod house;
pub mod loading;
pub mod matching;
pub mod reloading;
pub mod report;
pub mod travel;
pub mod values;
