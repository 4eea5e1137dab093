//! The mapping: TOML files of a house -> [`Sources`] -> model -> [`Program`], and every complaint on the way.
//!
//! Called by the engine (which runs a [`Program`]), the dispatcher and the command line. Must not know
//! sessions, sockets or tokio. After a [`Program`] exists nothing is checked again.

pub mod diagnostic;
pub mod expr;
pub mod house_test;
pub mod program;
pub mod source;
pub mod suggest;

pub use diagnostic::{Diagnostic, Severity};
pub use program::Program;
pub use source::{FileIx, Sources, Span};
