//! A role as it comes in the parts of CONFIG, and the one that is played. In RAM alone: a flash that somebody reads out
//! shows drivers, and not what they are for. Called by the runtime; must not know channels' machines.

use wire::{Channel, Config, PART_LEN_MAX, ROLE_LEN_MAX, Role, RoleError, RoleId};

/// Why a role is not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleFault {
    /// It is none.
    Role(RoleError),
    /// It has more channels than this firmware has room for.
    Channels {
        /// Channels that it has.
        found: u8,
    },
    /// Its parts don't fit together: all but the last are full.
    Parts,
}

impl core::fmt::Display for RoleFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Role(error) => error.fmt(f),
            Self::Channels { found } => write!(f, "{found} channels are more than fit"),
            Self::Parts => f.write_str("the parts of the role don't fit together"),
        }
    }
}

impl core::error::Error for RoleFault {}

/// What comes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Others are still to come.
    More,
    /// The role is whole, and the one that was played before.
    Same,
    /// The role is whole, and another one.
    New,
}

struct Text {
    bytes: [u8; ROLE_LEN_MAX],
    len: usize,
}

impl Text {
    const EMPTY: Self = Self {
        bytes: [0; ROLE_LEN_MAX],
        len: 0,
    };

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A revision of a role, and how many parts it has.
type Which = (u32, u8);

/// What became of the newest revision of this session.
#[derive(Clone, Copy)]
enum Stage {
    /// None came.
    Idle,
    /// A bit for each part that is there.
    Coming(Which, u32),
    /// It is played.
    Played(Which),
    /// It can't be played.
    Refused(Which),
}

/// Parts that come, and the role that is played.
pub(super) struct Roles {
    played: Text,
    id: RoleId,
    /// The one before, until the machines have changed over.
    coming: Text,
    stage: Stage,
}

impl Roles {
    pub(super) fn new() -> Self {
        Self {
            played: Text::EMPTY,
            id: RoleId::of(&[]),
            coming: Text::EMPTY,
            stage: Stage::Idle,
        }
    }

    /// A session begins: its dispatcher counts revisions as it likes.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Idle;
    }

    /// Which role is played.
    pub(super) fn id(&self) -> RoleId {
        self.id
    }

    /// The role that is played; `None`: none yet.
    pub(super) fn role(&self) -> Option<Role<'_>> {
        Role::decode(self.played.get()).ok()
    }

    /// Takes a part; with the last one the role is played that was coming, unless it has more than `room` channels. A
    /// part that comes again, or of an older revision, changes nothing.
    pub(super) fn part(&mut self, config: &Config<'_>, room: usize) -> Result<Came, RoleFault> {
        let which = (config.rev, config.parts);
        let there = match self.stage {
            Stage::Played(known) | Stage::Refused(known) | Stage::Coming(known, _)
                if config.rev < known.0 =>
            {
                return Ok(Came::More);
            }
            Stage::Played(known) | Stage::Refused(known) if known == which => {
                return Ok(Came::More);
            }
            Stage::Coming(known, there) if known == which => there,
            _ => {
                self.coming.len = 0;
                0
            }
        } | 1 << config.part;
        let came = self.place(config, there, room);
        self.stage = match came {
            Ok(Came::More) => Stage::Coming(which, there),
            Ok(Came::Same | Came::New) => Stage::Played(which),
            Err(_) => Stage::Refused(which),
        };
        came
    }

    fn place(&mut self, config: &Config<'_>, there: u32, room: usize) -> Result<Came, RoleFault> {
        let last = config.part + 1 == config.parts;
        if !last && config.bytes.len() != PART_LEN_MAX {
            return Err(RoleFault::Parts);
        }
        let start = usize::from(config.part) * PART_LEN_MAX;
        let end = start + config.bytes.len();
        let to = self.coming.bytes.get_mut(start..end);
        to.ok_or(RoleFault::Parts)?.copy_from_slice(config.bytes);
        self.coming.len = self.coming.len.max(end);
        if there.count_ones() < config.parts.into() {
            return Ok(Came::More);
        }
        let role = Role::decode(self.coming.get()).map_err(RoleFault::Role)?;
        let found = role.len();
        if usize::from(found) > room {
            return Err(RoleFault::Channels { found });
        }
        if self.coming.get() == self.played.get() {
            return Ok(Came::Same);
        }
        core::mem::swap(&mut self.coming, &mut self.played);
        self.id = RoleId::of(self.played.get());
        Ok(Came::New)
    }

    /// Each channel of the role before the one that is played, and of that, as far as there are.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Option<Channel>, Option<Channel>)> {
        let mut before = channels(&self.coming);
        let mut after = channels(&self.played);
        core::iter::from_fn(move || {
            let pair = (before.next(), after.next());
            (pair != (None, None)).then_some(pair)
        })
    }
}

fn channels(text: &Text) -> impl Iterator<Item = Channel> + use<'_> {
    let role = Role::decode(text.get()).ok();
    role.into_iter().flat_map(|role| role.channels())
}
