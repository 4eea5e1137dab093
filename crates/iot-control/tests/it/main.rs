//! End to end: the real binary, real clients of several makes, real sockets.
//!
//! Each test has a house folder, a state folder and a dispatcher of its own. What belongs to one
//! crate is tested there; here stands what a person at home relies on.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]
#![allow(
    clippy::print_stdout,
    reason = "who reads the test's output is to know"
)]
#![allow(unreachable_pub, reason = "the modules share a harness")]

mod access;
mod at_home;
mod availability;
mod backups;
mod blocks;
mod command_line;
mod confined;
mod damage;
mod damaged_keys;
mod disk;
mod doctor;
mod editor;
mod external_broker;
mod files;
mod finding;
mod firmware;
mod foreign;
mod going_on;
mod harness;
mod home_assistant;
mod importing;
mod kept;
mod machines;
mod outlast;
mod outputs;
mod recording;
mod reload;
mod report;
mod rubbish;
mod sealed;
mod sealed_external;
mod sealed_mqtt;
mod sealed_simulation;
mod simulated_edits;
mod simulation;
mod status;
mod supervised;
mod survival;
mod switching;
mod taplo;
mod targets;
mod telling;
mod terminal;
mod tls;
mod tools;
mod unarchived;
mod variables;
mod watching;
mod which_house;
