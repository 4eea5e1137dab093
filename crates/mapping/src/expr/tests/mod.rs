//! What expressions compile to, and what is said about wrong ones.

mod accepted;
mod any_text;
mod house;
mod messages;

use std::ops::Range;

use crate::source::{FileIx, Span};

#[test]
fn every_function_is_explained_and_no_other() {
    let known = super::check::call::FUNCTIONS.iter().map(|row| row.0);
    let known: Vec<&str> = known.chain(["has", "age"]).collect();
    let explained: Vec<&str> = super::words::names(super::words::FUNCTIONS).collect();
    assert_eq!(known, explained);
}

/// Expressions stand alone in these tests: places are byte ranges of the text.
fn here(bytes: Range<usize>) -> Span {
    Span {
        file: FileIx(0),
        bytes,
    }
}
