//! A newest segment that is not there any more, or holds nothing any more.
//!
//! A segment that follows tells of the one before it; of the newest only the database knows that inputs were
//! written to it. Called by [`crate::Store::open`], before the journal is opened.

use super::cursor::used_bytes;
use super::open::open_file;
use super::segment::Sequence;
use std::fmt;
use std::path::{Path, PathBuf};
use types::InputNo;

/// A segment to which inputs were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Which file, by the number in its name.
    pub sequence: u32,
    /// The first of its inputs.
    pub first: InputNo,
}

/// Inputs were written to a segment, and none of them is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The segment.
    pub file: PathBuf,
    /// The first of its inputs.
    pub first: InputNo,
    /// The file is there, and holds nothing or zeros.
    pub is_there: bool,
}

impl Lost {
    /// Looks whether what was begun in `folder` is lost. What a file that can't be read holds is not known: who
    /// opens it says so.
    #[must_use]
    pub fn find(folder: &Path, begun: Begun) -> Option<Self> {
        let file = Sequence(begun.sequence).path(folder);
        let is_there = file.try_exists().ok()?;
        if is_there {
            let (opened, bytes) = open_file(&file).ok()?;
            if used_bytes(&opened, 0, bytes) > 0 {
                return None;
            }
        }
        Some(Self {
            file,
            first: begun.first,
            is_there,
        })
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_there { "is empty" } else { "is gone" };
        write!(
            f,
            "{} {how}, and inputs from {} on were written to it: what no snapshot holds of them is lost. Look whether \
             lights and timers are as they should be; check the disk, or what emptied the folder",
            self.file.display(),
            self.first
        )
    }
}
