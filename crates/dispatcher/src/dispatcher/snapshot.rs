//! Everything that follows from the journal, as bytes: the engine's state, blocks, copies seen, who was heard
//! when, the revisions of roles, and which targets were dropped. Names instead of places, fields with numbers, one format number.

use std::{fmt, sync::Arc};

use engine::{Engine, Resume, StateError};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};
use minicbor::{Decode, Encode};
use types::{Instant, Now, UnixTime};

use super::Dispatcher;
use crate::{
    blocklist::{Block, Blocklist},
    conduct::Conduct,
    config::Config,
    duplicates::Windows,
    effects::Note,
};

/// Format of [`Dispatcher::state`]: counts up whenever an older binary could not read what we write.
/// 2: with what of the settings was in force.
pub const STATE_FORMAT: u32 = 2;

#[derive(Encode, Decode)]
struct Saved {
    #[n(0)]
    format: u32,
    #[n(1)]
    engine: engine::State,
    #[n(2)]
    blocks: Vec<Block>,
    #[n(3)]
    devices: Vec<SavedDevice>,
    #[n(4)]
    conduct: Option<Conduct>,
    /// Absent: it began, under a version that did not write that down.
    #[n(5)]
    begun: Option<bool>,
    /// Paths of the channels whose newest target was dropped. Absent: none, or a version that did not write that down.
    #[n(6)]
    dropped: Option<Vec<String>>,
}

#[derive(Encode, Decode)]
struct SavedDevice {
    #[n(0)]
    name: String,
    #[n(1)]
    windows: Windows,
    #[n(2)]
    heard: Option<(Instant, UnixTime)>,
    #[n(3)]
    role_rev: u32,
    /// The role itself: another one after a restart with an edited mapping is a new revision.
    #[n(4)]
    role: String,
}

/// Why a snapshot could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not the bytes of a snapshot.
    Malformed(String),
    /// Written by a newer binary.
    Format(u32),
    /// What it holds of the engine is of another format.
    Engine(StateError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) => {
                write!(f, "it is damaged ({detail})")
            }
            Self::Engine(why) => why.fmt(f),
            Self::Format(format) => write!(
                f,
                "it has format {format}, this program reads up to {STATE_FORMAT}; start the newer version that wrote it, or restore a backup made before the upgrade"
            ),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Dispatcher {
    /// Everything that follows from the journal. The same history gives the same bytes.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let devices = DeviceIx::all(self.program.devices.len()).map(|ix| SavedDevice {
            name: self.program[ix].name.to_string(),
            windows: self.windows[ix.index()].clone(),
            heard: self.presence.row(ix).heard,
            role_rev: self.roles[ix.index()],
            role: self.program[ix].role.to_string(),
        });
        let channels = ChannelIx::all(self.program.channels.len());
        let dropped = channels
            .filter(|channel| self.is_dropped(*channel))
            .map(|channel| self.program.channel_path(channel));
        let saved = Saved {
            format: STATE_FORMAT,
            engine: self.engine.state(),
            blocks: self.blocklist.iter().collect(),
            devices: devices.collect(),
            conduct: Some(self.config.conduct.clone()),
            begun: Some(self.begun),
            dropped: Some(dropped.collect()).filter(|dropped: &Vec<_>| !dropped.is_empty()),
        };
        // Writing to a Vec can't fail; an empty snapshot would be refused as malformed.
        minicbor::to_vec(&saved).unwrap_or_default()
    }

    /// Goes on from a snapshot, as if there had been no restart. `program` is the one that was in force when the
    /// snapshot was taken, `now` the time of that. Then come, in this order: the journal's tail, each record
    /// decoded and applied at its own time, its effects thrown away; [`crate::Input::Resumed`];
    /// [`crate::Input::Config`] and [`Dispatcher::replace`], where other settings or another mapping are to be in
    /// force; [`Dispatcher::announce`]. The snapshot's [`Conduct`] is in force, and not the one in `config`; one of
    /// format 1 has none, and the defaults are.
    ///
    /// # Errors
    /// Bytes that are no snapshot, or one that a newer binary wrote.
    pub fn restore(
        program: Arc<Program>,
        mut config: Config,
        bytes: &[u8],
        now: Now,
    ) -> Result<(Self, Vec<Note>), SnapshotError> {
        let malformed =
            |error: minicbor::decode::Error| SnapshotError::Malformed(error.to_string());
        let mut d = minicbor::Decoder::new(bytes);
        let format = d.array().and_then(|_| d.u32());
        match format {
            Ok(format) if format > STATE_FORMAT => return Err(SnapshotError::Format(format)),
            Ok(_) => {}
            Err(error) => return Err(malformed(error)),
        }
        let saved: Saved = minicbor::decode(bytes).map_err(malformed)?;
        saved.engine.check().map_err(SnapshotError::Engine)?;
        let (engine, notes) =
            Engine::restore(Arc::clone(&program), &saved.engine, now, Resume::Replay);
        let blocklist = Blocklist::new(saved.blocks);
        config.conduct = saved.conduct.unwrap_or_default();
        let mut dispatcher = Self::around(program, config, blocklist, engine);
        dispatcher.begun = saved.begun.unwrap_or(true);
        for path in saved.dropped.unwrap_or_default() {
            if let Some(channel) = dispatcher.program.channel_by_path(&path) {
                dispatcher.deliveries.drop_target(channel);
            }
        }
        for device in saved.devices {
            let Some(ix) = dispatcher.program.device(&device.name) else {
                continue;
            };
            dispatcher.windows[ix.index()] = device.windows;
            dispatcher.presence.remember(ix, device.heard);
            let same = *dispatcher.program[ix].role == *device.role;
            dispatcher.roles[ix.index()] = device.role_rev.saturating_add(u32::from(!same));
        }
        Ok((dispatcher, notes.into_iter().map(Note::from).collect()))
    }

    /// The dispatcher was down until `now`: what fell due meanwhile is treated as each rule's `after_downtime`
    /// says, with the next input. [`crate::Input::Resumed`] calls it, so that a replay does the same.
    pub(super) fn resume(&mut self, now: Now) -> Vec<Note> {
        self.deliveries.restarted();
        let notes = self.engine.resume(now).into_iter();
        notes.map(Note::from).collect()
    }

    /// For house tests: consumers were told long ago what they were told.
    pub(crate) fn settle_deliveries(&mut self) {
        self.deliveries.settle();
    }

    /// For house tests: the engine, to make the house as it was before the first step.
    pub(crate) fn engine_given(&mut self) -> &mut Engine {
        &mut self.engine
    }
}
