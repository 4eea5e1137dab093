//! What the loader says of houses, good and bad.

mod any_text;
mod compiled;
mod golden;
mod house;
mod include;
mod index;
mod limits;
mod reference;
mod schema;
mod slips;
mod succession;
