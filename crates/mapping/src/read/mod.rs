//! TOML with places: documents that survive syntax errors, tables that know their keys, texts that
//! know where each of their characters stands in the file.
//!
//! Used by everything that reads a house's files. Must not know what the tables mean.

mod headers;
mod mistakes;
mod node;
mod sections;
mod size;
mod slip;
mod text;
mod unquoted;

pub(crate) use node::{Key, Node, Table, did_you_mean, its_fields, list, one_of, unknown_key};
pub(crate) use sections::{Document, head, sections};
pub(crate) use size::{Size, TooMuch};
pub(crate) use text::Text;
