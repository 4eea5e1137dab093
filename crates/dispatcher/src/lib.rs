//! The brain of the house, sans-io: topics and payloads of devices, availability, blocks, delivery and
//! reconciliation around the [`engine`], and the rehearsal that runs a house's tests.
//!
//! Called by the binary, which owns sockets, the journal and the clock. Must not know tokio, sockets or files.

pub mod access;
mod blocklist;
mod conduct;
mod config;
mod delivery;
mod dispatcher;
mod duplicates;
mod effects;
pub mod explain;
pub mod home_assistant;
mod input;
mod observed;
mod outputs;
mod payload;
mod presence;
mod refusal;
pub mod rehearsal;
pub mod role;
mod sealed;
mod span;
mod topics;

pub use blocklist::{Block, Blocklist, Sides, Subject};
pub use conduct::{ALL, Conduct};
pub use config::Config;
pub use dispatcher::{
    Admitted, Dispatcher, LastWill, Message, Outside, Publisher, STATE_FORMAT, SnapshotError, Will,
};
pub use effects::{Effects, Note, Notify, Qos, Send, Token};
pub use input::{DecodeError, Input, Stamp};
pub use observed::Observed;
pub use outputs::{Mark, Outputs, OutputsHash};
pub use presence::promises;
pub use refusal::{Counters, Reason, Refusal};
pub use sealed::{Said, Tell};

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
