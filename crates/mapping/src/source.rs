//! The texts a mapping is read from, and places in them.

use std::{ops::Range, path::PathBuf, sync::Arc};

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIx(pub u32);

/// A byte range in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Which file.
    pub file: FileIx,
    /// Byte offsets into its text.
    pub bytes: Range<usize>,
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to the house folder, with `/`: what people see in messages.
    pub name: Arc<str>,
    /// Where it lies on disk; empty for texts that never were a file.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// All files of one house, in the order they were included.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// For each file the byte offsets at which its lines begin: places are asked for by the thousand.
    line_starts: Vec<Vec<usize>>,
}

impl Sources {
    /// Adds a file and says how it is named from now on.
    pub fn add(&mut self, file: SourceFile) -> FileIx {
        let ix = FileIx(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        let breaks = file.text.bytes().enumerate();
        let after_breaks = breaks.filter_map(|(at, byte)| (byte == b'\n').then_some(at + 1));
        self.line_starts
            .push(std::iter::once(0).chain(after_breaks).collect());
        self.files.push(file);
        ix
    }

    /// The file `ix`; every [`FileIx`] comes from [`Sources::add`] of the same value.
    #[must_use]
    pub fn file(&self, ix: FileIx) -> &SourceFile {
        &self.files[ix.0 as usize]
    }

    /// All files with their index.
    pub fn iter(&self) -> impl Iterator<Item = (FileIx, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(ix, file)| (FileIx(ix as u32), file))
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, file: FileIx, offset: usize) -> (u32, u32) {
        let text = &self.file(file).text;
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let starts = &self.line_starts[file.0 as usize];
        let line = starts.partition_point(|start| *start <= offset);
        let start = starts.get(line - 1).copied().unwrap_or_default();
        let column = text[start..offset].chars().count() + 1;
        (line as u32, column as u32)
    }
}
