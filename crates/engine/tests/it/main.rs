//! The engine at its boundary: inputs with a time in, outputs, decisions and deadlines out.

mod bench;
mod build;

mod clocks;
mod cycles;
mod emits;
mod gestures;
mod holds;
mod inspect;
mod kinds;
mod order;
mod properties;
mod records;
mod reload;
mod reports;
mod restart;
mod timers;
mod unknown;
