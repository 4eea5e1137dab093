//! A module's channels and its runtime on virtual time: what comes in, and what its pins and the dispatcher get.

mod bench;
mod covers;
mod house;
mod inputs;
mod keys;
mod lamps;
mod outputs;
mod pins;
mod runtime;
mod stage;
