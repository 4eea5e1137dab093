//! The language server: what editors ask about a house's files while they are being written.
//!
//! Diagnostics are those of `check`, completion and hovers come from the tables that the loader reads by,
//! definitions and references from the index of names that the compiler fills, renames from [`edit`].
//!
//! [`Server`] takes one message after the other and has no threads, no clock and no sockets; [`serve()`] puts it
//! between a reader and a writer. What a running dispatcher knows of the house comes through [`Values`]. Must not
//! know the dispatcher, its control socket, or tokio.

mod around;
mod complete;
mod diagnostics;
mod expression;
mod houses;
mod hover;
mod position;
mod serve;
mod server;
mod shape;
mod uri;
mod wire;

use std::path::Path;

use mapping::index::Symbol;

pub use serve::serve;
pub use server::Server;

/// What is known of a house that runs.
pub trait Values {
    /// What a device, a channel, a field or a variable of the house in `folder` is now, in a few words; `None`:
    /// nobody knows. Asked while an editor waits: it must not take long.
    fn value(&mut self, folder: &Path, symbol: &Symbol) -> Option<String>;
}

/// No house runs.
impl Values for () {
    fn value(&mut self, _: &Path, _: &Symbol) -> Option<String> {
        None
    }
}
