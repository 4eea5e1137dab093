//! What a house remembers: the journal of its inputs and its database, in one state folder.
//!
//! Called by the binary, which opens the store at start, replays the tail and wires the rest. The
//! store does not know sockets, the mapping or the engine: the bodies of records and snapshots are
//! opaque bytes here.
//!
//! ```
//! use store::{Batch, Class, Durability, Options, Store};
//! use types::{InputNo, Now};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let house = tempfile::tempdir()?;
//! let (store, recovered) = Store::open(house.path(), Options::default())?;
//! for record in recovered.tail {
//!     let _replay = record?;
//! }
//! let (durable, acknowledged) = std::sync::mpsc::sync_channel(64);
//! let handle = store.start(move |no| durable.send(no).unwrap_or(()))?;
//!
//! let mut batch = Batch::new(Durability::Soon);
//! batch.push(recovered.last.next(), Now::default(), Class::Input, b"hall.motion")?;
//! handle.submit(batch)?;
//! assert_eq!(acknowledged.recv()?, InputNo(1));
//! # Ok(())
//! # }
//! ```

pub mod contents;
pub mod db;
pub mod disk;
mod folder;
mod handle;
mod health;
pub mod journal;
mod keys;
mod open;
mod past;
mod queue;
mod regular;
mod reserve;
mod writer;

pub use db::{
    ArchivedMapping, BrokerPart, Change, Chronicle, Credential, Database, DatabaseReader, DbError,
    Device, Edit, MappingHash, Rejected, Rename, Snapshot, SnapshotInfo, Thing, User, UserKind,
};
pub use folder::{FolderError, FolderLock, StateFolder, check_private};
pub use handle::{StoreHandle, SubmitError};
pub use health::{Health, HealthState, StoreError};
pub use journal::{
    Batch, Class, CutOff, Damage, Durability, Gap, GapCause, JournalError, JournalReader,
    JournalView, Keep, ReadError, Record, Refused, Retention, TornTail,
};
pub use keys::{HouseKeys, KeyError, KeyFolder, SealedDevice};
pub use open::{OpenError, Recovered, Store};
pub use past::{Past, PastError};
pub use queue::{QueueLimits, Refusal};
pub use writer::Options;
