//! Time travel over real state folders that a house on virtual time left.

#![allow(
    clippy::unwrap_used,
    reason = "a house that can't be set up fails the test, wherever that is"
)]

mod beginnings;
mod chances;
mod chronicles;
mod close_records;
mod conditions;
mod examples;
mod gone;
mod home;
mod misses;
mod record_edits;
mod records;
mod records_held;
mod records_running;
mod refusals;
mod renames;
mod returns;
mod states;
mod travels;
mod trials;
mod why_edits;
mod why_nots;
mod whys;
