//! The engine at its boundary: inputs with a time in, outputs, decisions and deadlines out.

mod bench;
mod build;

mod coalescing;
mod cycles;
mod dead_man;
mod deadlines;
mod emits;
mod gestures;
mod holds;
mod hot_reload;
mod inspect;
mod kinds;
mod modes;
mod order;
mod output_holds;
mod properties;
mod records;
mod reports;
mod restart;
mod sequences;
mod time;
mod timers;
mod types;
mod under_way;
mod unknown;
mod waits;
