//! Lengths of time as people write them.

use std::{fmt, time::Duration};

/// A time as it is written in a mapping, `8m59s`.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mapping::duration_in_words(self.0))
    }
}
