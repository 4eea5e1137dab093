//! A batch: the records that go to the disk together, in one buffer.
//!
//! Filled on the hot thread, which pays one copy a record and no allocation of its own; written by
//! the store thread. Must not know files.

use super::record::{BODY_BYTES_MAX, Class, Meta};
use std::fmt;
use types::{InputNo, Now};

/// What must have happened before a batch counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The kernel has it: it survives the end of the process. The disk has it within the sync
    /// interval of the settings. For what devices report.
    #[default]
    Soon,
    /// The disk has it: it survives a power cut. For what people change.
    Now,
}

/// Records in the order of their numbers, to be written together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    durability: Durability,
    metas: Vec<(Meta, usize)>,
    bodies: Vec<u8>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self {
            durability,
            ..Self::default()
        }
    }

    /// Adds a record. Several may share a number (an input, what was seen with it, its outputs' hash).
    ///
    /// # Errors
    /// [`Refused`] where the number is below the one before, or the body too long. The batch stays
    /// as it was.
    pub fn push(
        &mut self,
        no: InputNo,
        now: Now,
        class: Class,
        body: &[u8],
    ) -> Result<(), Refused> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Refused::TooLong { bytes: body.len() });
        }
        if let Some(last) = self.last().filter(|last| *last > no) {
            return Err(Refused::OutOfOrder { no, last });
        }
        self.metas.push((Meta { no, now, class }, body.len()));
        self.bodies.extend_from_slice(body);
        Ok(())
    }

    /// Asks for more durability than the batch was made with; never for less.
    pub fn raise(&mut self, durability: Durability) {
        self.durability = self.durability.max(durability);
    }

    /// What must have happened before it counts as written.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The number of its first record.
    #[must_use]
    pub fn first(&self) -> Option<InputNo> {
        self.metas.first().map(|(meta, _)| meta.no)
    }

    /// The number of its last record.
    #[must_use]
    pub fn last(&self) -> Option<InputNo> {
        self.metas.last().map(|(meta, _)| meta.no)
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metas.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    /// The memory that its records take, in bytes; what the queue's limit counts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bodies.len() + self.metas.len() * size_of::<(Meta, usize)>()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (Meta, &[u8])> {
        let mut start = 0;
        self.metas.iter().map(move |(meta, bytes)| {
            let body = &self.bodies[start..start + bytes];
            start += bytes;
            (*meta, body)
        })
    }
}

/// Why a batch does not take a record: a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The body is longer than [`BODY_BYTES_MAX`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The number is below the last one; numbers never go back.
    OutOfOrder {
        /// The number that came.
        no: InputNo,
        /// The last number before it.
        last: InputNo,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(
                f,
                "a journal record of {bytes} bytes is longer than {BODY_BYTES_MAX}"
            ),
            Self::OutOfOrder { no, last } => {
                write!(
                    f,
                    "journal record {no} came after {last}; numbers never go back"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}
