//! A module's channels and its runtime on virtual time: what comes in, and what its pins and the dispatcher get.

mod bench;
mod chaos;
mod covers;
mod house;
mod inputs;
mod keys;
mod lamps;
mod outputs;
mod pins;
mod roles;
mod runtime;
mod stage;
