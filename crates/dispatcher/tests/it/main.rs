//! What the dispatcher does at its boundary: messages and time in, messages and records out.

#![allow(clippy::unwrap_used)] // a rig that can't be set up fails the test, wherever that is

mod absolute_targets;
mod blocklist;
mod command_arguments;
mod conduct;
mod day;
mod dead_man;
mod deliver;
mod docs;
mod duplicates;
mod enforce;
mod examples;
mod explanations;
mod fades;
mod home_assistant;
mod house;
mod identity;
mod modules;
mod observed;
mod own_kinds;
mod payloads;
mod presence;
mod presets;
mod reconciliation;
mod rehearsals;
mod rehearsed_pasts;
mod reloads;
mod reported_and_desired;
mod restarts;
mod roles;
mod rules_off;
mod sealed;
mod signless_zero;
mod unchanged_target;
mod virtual_devices;
mod waits;
