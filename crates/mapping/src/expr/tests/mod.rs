//! What expressions compile to, and what is said about wrong ones.

mod accepted;
mod any_text;
mod house;
mod messages;

use std::ops::Range;

use crate::source::{FileIx, Span};

/// Expressions stand alone in these tests: places are byte ranges of the text.
fn here(bytes: Range<usize>) -> Span {
    Span {
        file: FileIx(0),
        bytes,
    }
}
