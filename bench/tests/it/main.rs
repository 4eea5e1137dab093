//! The benches run small, and our expressions against those of the Common Expression Language.

mod differential;
mod small;
