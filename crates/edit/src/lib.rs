//! What programs change in a house: single values, rules, names, and the whole house as JSON.
//!
//! The files belong to people: an edit changes the lines that it is about and keeps every other byte,
//! comments too. An edit whose result would not check is refused, and files are written all or not at all:
//! [`finish`] completes what the end of a process interrupted.
//!
//! ```
//! use edit::{Edit, House};
//!
//! let house = House::from_texts([("mapping.toml", "format = 1\n[var]\nnight = { kind = \"bool\" } # or day\n")]);
//! let change = house.edit(&Edit::set("/var/night/start", true)?)?;
//! assert_eq!(
//!     change.text("mapping.toml"),
//!     Some("format = 1\n[var]\nnight = { kind = \"bool\", start = true } # or day\n")
//! );
//! # Ok::<(), edit::Refusal>(())
//! ```
//!
//! Used by the command line, the web page and the language server. Must not know sessions, sockets, the
//! dispatcher, or how a rule is run.

mod change;
mod devices;
mod export;
mod files;
mod house;
mod import;

mod list;
mod model;
mod page;
mod place;
mod pointer;
mod refusal;
mod rename;
mod splice;
mod texts;
mod toml_text;

pub use change::{Change, Line};
pub use devices::NewDevice;
pub use export::export;
pub use files::{
    Alone, WriteError, alone, finish, is_leftover, is_unfinished, replace, replace_in,
};
pub use house::{Edit, House};
pub use import::{
    BYTES_MAX as JSON_BYTES_MAX, ImportError, Imported, Problem, from_model, import, read_json,
};

pub use model::Model;
pub use pointer::Pointer;
pub use refusal::Refusal;
pub use rename::bare_name;
