//! The engine: a [`mapping::Program`] plus state plus inputs -> outputs plus one decision for each cause.
//!
//! Sans-io: time comes in with every input, outputs and the next deadline go out; the same inputs
//! give the same bytes. Called by the dispatcher, by house tests and by replay. Must not know tokio,
//! clocks, files or sockets.

mod agenda;
mod almanac;
mod bounds;
mod cascade;
mod clock;
mod decision;
pub mod depend;
mod engine;
pub mod eval;
mod firing;
mod fit;
mod gesture;
mod given;
mod holds;
mod house;
pub mod index;
mod input;
mod inspect;
mod output;
mod plan;
mod rate;
mod resume;
mod runs;
mod sequence;
mod state;
mod succeed;
mod targets;
mod times;
mod under_way;
mod work;

pub use almanac::Almanac;
pub use decision::{
    Cause, Decision, Deed, Did, Disposition, Outcome, RuleTrace, Seen, Sent, Step, Term,
};
pub use engine::Engine;
pub use input::{Input, Who};
pub use inspect::{ButtonView, HoldView, RunView, RunningTimer};
pub use output::{Cut, Effects, Output};
pub use resume::{Note, Resume};
pub use state::{State, StateError};
pub use under_way::UnderWay;
