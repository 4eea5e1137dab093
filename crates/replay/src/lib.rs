//! Time travel: the records of the journal through the very code that ran when they came.
//!
//! Called by the binary, at a restart and for everything that looks into the past. Must not know
//! sockets or tokio, and never writes to a state folder.

pub mod archive;
pub mod changes;
mod chronicle;
mod comparison;
pub mod events;
mod fate;
mod heirs;
mod history;
mod hold;
mod lineage;
mod paint;
mod player;
mod programs;
mod recent;
pub mod record;
mod restore;
mod series;
pub mod state;
mod target;
mod touched;
mod travel;
pub mod trial;
mod trouble;
mod waits;
mod way;
mod when;
pub mod why;
pub mod why_not;
mod words;

pub use comparison::Differing;
pub use history::{History, Until, Window};
pub use lineage::path_after;
pub use paint::Paint;
pub use player::{Fed, Player};
pub use programs::{Programs, StandIn};
pub use restore::{Restored, from_nothing, restore};
pub use series::Series;
pub use target::Target;
pub use travel::{Step, Travel};
pub use trouble::{HistoryError, Trouble};
pub use when::{Shown, When, WhenError};
