//! The mapping: TOML files of a house -> [`Sources`] -> model -> [`Program`], and every complaint on the way.
//!
//! Called by the engine (which runs a [`Program`]), the dispatcher and the command line. Must not know
//! sessions, sockets or tokio. After a [`Program`] exists nothing is checked again.

pub mod blocklist;
mod constant;
mod cycles;
pub mod diagnostic;
pub mod disk;
pub mod expr;
mod files;
pub mod grammar;
mod habits;
mod house;
pub mod house_test;
pub mod index;
pub mod kinds;
mod lint;
mod load;
mod names;
pub mod outline;
mod paths;
pub mod program;
mod read;
mod render;
mod report;
mod rules;
mod schema;
mod some_of;
pub mod source;
pub mod suggest;
pub mod toml_text;
mod units;
pub mod vocabulary;

pub use constant::expected as type_in_words;
pub use diagnostic::{Diagnostic, Severity};
pub use files::Reads;
pub use house::{options::of_kind as options_of, renamed::name_of as name_in_renamed};
pub use load::{Analysis, Loaded, analyze, load, load_texts};
#[doc(hidden)]
pub use load::{Stage, load_texts_in_stages};
pub use names::{is_name, why_no_name};
pub use program::Program;
pub use render::{Finding, findings, render, summary};
pub use schema::schema;
pub use some_of::some_of;
pub use source::{FileIx, Sources, Span};
pub use units::{FORM as DURATION_FORM, parse as duration, written as duration_in_words};
