//! Pieces of a text replaced, everything else kept.

use std::{fmt, ops::Range};

/// Replacements in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Splices(Vec<(Range<usize>, String)>);

/// Two replacements meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlap;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two replacements meet")
    }
}

impl Splices {
    /// Puts `new` in the place of a range of the old text.
    pub(crate) fn replace(&mut self, range: Range<usize>, new: impl Into<String>) {
        self.0.push((range, new.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether some of `others` hang on these: they are about the same letters, or come to the same place, which looks otherwise
    /// once something stands there.
    pub(crate) fn meet(&self, others: &Self, text: &str) -> bool {
        let meet = |(old, _): &(Range<usize>, String), (new, with): &(Range<usize>, String)| {
            let overlap = old.start < new.end && new.start < old.end;
            let is_next = new.is_empty() && old.end == new.start;
            let before = text.get(..new.start).unwrap_or_default();
            let ends_line = with.starts_with(['\r', '\n']) && !before.ends_with('\n');
            overlap || (is_next && (before.trim().is_empty() || ends_line))
        };
        let mut others = others.0.iter();
        others.any(|new| self.0.iter().any(|old| meet(old, new)))
    }

    /// The new text. Insertions at one place stand in the order in which they were added.
    ///
    /// # Errors
    /// Replaced ranges overlap, or don't fit the text.
    pub(crate) fn apply(&self, text: &str) -> Result<String, Overlap> {
        let mut all: Vec<&(Range<usize>, String)> = self.0.iter().collect();
        all.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, new) in all {
            let kept = text.get(at..range.start).ok_or(Overlap)?;
            text.get(range.clone()).ok_or(Overlap)?;
            out.push_str(kept);
            out.push_str(new);
            at = range.end;
        }
        out.push_str(text.get(at..).ok_or(Overlap)?);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_replaced_and_overlaps_are_refused() {
        let mut splices = Splices::default();
        splices.replace(4..5, "");
        splices.replace(0..1, "A");
        splices.replace(2..2, "-");
        splices.replace(2..2, "+");
        assert_eq!(splices.apply("abcde").as_deref(), Ok("Ab-+cd"));
        splices.replace(3..5, "x");
        assert_eq!(splices.apply("abcde"), Err(Overlap));
        let mut beyond = Splices::default();
        beyond.replace(9..9, "x");
        assert_eq!(beyond.apply("ä"), Err(Overlap));
    }
}
