//! What all faults are made with: a house of modules that report at a steady pace, its dispatcher as a process, and the
//! disks, wires and clocks under it that can be made to fail.

mod bell;
mod dice;
mod disk;
mod house;
mod memory;
mod module;
mod steady;
mod tracer;

pub(crate) use bell::{BELL, Bell};
pub(crate) use dice::Dice;
pub(crate) use disk::SmallDisk;
pub(crate) use house::House;
pub(crate) use memory::Memory;
pub(crate) use module::{Module, Told};
pub(crate) use steady::{SOURCES, Steady, Tally, mapping};
pub(crate) use tracer::{FILE_CHANGES, Tracer};
