//! What is wrong with a journal, in words for people: a torn end, damaged places, inputs that are missing.
//!
//! Found by [`super::Journal::open`] and by readers. None of it stops a start.

use std::fmt;
use std::path::PathBuf;
use types::InputNo;

/// Bytes after the last whole record: a write that a crash or a power cut stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment that was cut.
    pub file: PathBuf,
    /// Where, in bytes; 0 where no record was in it, and the file was removed.
    pub offset: u64,
    /// How many bytes were cut, up to the last one that was not zero.
    pub bytes: u64,
    /// The last number that is whole.
    pub after: InputNo,
    /// Where the bytes were put aside, unless the disk refused.
    pub set_aside: Option<PathBuf>,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            bytes,
            after,
            ..
        } = self;
        write!(
            f,
            "cut {bytes} bytes of an unfinished write from {} at byte {offset}; the last input is {after}",
            file.display()
        )
    }
}

/// A place of a segment that is no record although there should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// Where in it, in bytes; 0 is its header.
    pub offset: u64,
    /// How many bytes can't be used.
    pub bytes: u64,
    /// Whole records behind it in the same segment.
    pub behind: u64,
    /// Most of it is zeros: a power cut kept it from the disk, and the disk may well be whole.
    pub is_unwritten: bool,
    /// What the operating system says, where it could not read.
    pub trouble: Option<String>,
    /// Where a copy of the segment was put.
    pub set_aside: Option<PathBuf>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(
            f,
            "{file} is damaged at byte {}: {} bytes are no records",
            self.offset, self.bytes
        )?;
        if let Some(trouble) = &self.trouble {
            write!(f, " (reading it says: {trouble})")?;
        }
        if self.is_unwritten {
            f.write_str(
                " but mostly zeros, as a power cut leaves where the disk had not come to yet",
            )?;
        }
        match self.behind {
            0 => f.write_str(", and nothing whole follows in it")?,
            1 => f.write_str("; 1 whole record follows in it")?,
            behind => write!(f, "; {behind} whole records follow in it")?,
        }
        if let Some(copy) = &self.set_aside {
            write!(f, "; a copy is kept as {}", copy.display())?;
        }
        Ok(())
    }
}

/// Inputs that can't be read. The reader that met them goes on behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first input that is missing, if one is.
    pub from: InputNo,
    /// The next one that is there; `from` where only something that belongs to an input is missing, such
    /// as the hash of its outputs. `None`: nothing follows.
    pub until: Option<InputNo>,
    /// Why.
    pub cause: GapCause,
}

/// Why inputs can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapCause {
    /// Their bytes are damaged.
    Damage(Box<Damage>),
    /// They are not there: retention dropped them, or a file was lost.
    Missing {
        /// The segment before which they should stand.
        before: PathBuf,
    },
}

impl Gap {
    /// Whether an input is missing.
    #[must_use]
    pub fn is_felt(&self) -> bool {
        self.until.is_none_or(|until| self.from < until)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            GapCause::Damage(damage) => write!(f, "{damage}: ")?,
            GapCause::Missing { before } => write!(f, "before {}: ", before.display())?,
        }
        let from = self.from;
        match self.until.map(|until| until.0.saturating_sub(from.0)) {
            None => write!(f, "the inputs from {from} on are missing"),
            Some(0) => f.write_str("no input is missing"),
            Some(1) => write!(f, "input {from} is missing"),
            Some(count) => write!(
                f,
                "inputs {from} to {} are missing",
                InputNo(from.0 + count - 1)
            ),
        }
    }
}
