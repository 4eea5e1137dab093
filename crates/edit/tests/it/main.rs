//! What edits keep and change, on houses of all kinds.

mod blocks;
mod changes;
mod devices;
mod hostile;
mod houses;
mod json;
mod renames;
mod schema;
