//! The engine: a [`mapping::Program`] plus state plus inputs -> outputs plus one decision for each cause.
//!
//! Sans-io: time comes in with every input, outputs and the next deadline go out; the same inputs
//! give the same bytes. Called by the dispatcher, by house tests and by replay. Must not know tokio,
//! clocks, files or sockets.

mod decision;
pub mod depend;
pub mod eval;
pub mod index;
mod input;
mod output;

pub use decision::{Cause, Decision, Disposition, Outcome, RuleTrace, Seen, Sent, Step, Term};
pub use input::{Input, Who};
pub use output::{Effects, Output};
