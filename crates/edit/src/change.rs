//! What an edit comes to: the new texts, what is different, and how they get onto the disk.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use mapping::Analysis;

use crate::{
    files::{self, WriteError},
    house::House,
};

/// A change that has not been written yet.
#[derive(Clone, Debug)]
pub struct Change {
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
    analysis: Analysis,
}

/// A line that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file's name, relative to the house's folder.
    pub file: String,
    /// Its number in the old text, from 1; for a new line that of the one before.
    pub number: usize,
    /// As it was; `None`: it is new.
    pub old: Option<String>,
    /// As it is now; `None`: it is gone.
    pub new: Option<String>,
}

impl Change {
    pub(crate) fn new(
        before: BTreeMap<String, String>,
        after: BTreeMap<String, String>,
        analysis: Analysis,
    ) -> Self {
        Self {
            before,
            after,
            analysis,
        }
    }

    /// The same as a change of `house`, where this is a change of what came of it.
    pub(crate) fn since(self, house: &House) -> Self {
        Self {
            before: house.texts(),
            ..self
        }
    }

    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files().next().is_none()
    }

    /// The files that are different: name and new text.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.after.iter();
        all.filter(|(name, text)| self.before.get(*name) != Some(*text))
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The text of a file afterwards.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.after.get(name).map(String::as_str)
    }

    /// What the files mean afterwards.
    #[must_use]
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// All lines that are different, by file and place.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (name, new) in self.files() {
            let old = self
                .before
                .get(name)
                .map(String::as_str)
                .unwrap_or_default();
            compare(name, old, new, &mut lines);
        }
        lines
    }

    /// Writes the files that are different: all, or none where that is possible.
    ///
    /// # Errors
    /// A file is no longer as it was read, or can't be written; what was written is taken back.
    pub fn write(&self, folder: &Path) -> Result<(), WriteError> {
        let files: Vec<files::Replacement<'_>> = self
            .files()
            .map(|(name, text)| files::Replacement {
                name,
                old: self.before.get(name).map(String::as_str),
                new: text,
            })
            .collect();
        files::replace_all(folder, &files)
    }
}

/// Lines of one file: equal ones at both ends are left out, then those in the middle are matched.
fn compare(file: &str, old: &str, new: &str, out: &mut Vec<Line>) {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let ends = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = ends.take_while(|(a, b)| a == b).count();
    let (old_mid, new_mid) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let mut line = |number: usize, old: Option<&&str>, new: Option<&&str>| {
        out.push(Line {
            file: file.to_owned(),
            number,
            old: old.map(|line| (*line).to_owned()),
            new: new.map(|line| (*line).to_owned()),
        });
    };
    if old_mid.len() == new_mid.len() {
        // Values and names change within their lines.
        for (at, (old, new)) in old_mid.iter().zip(new_mid).enumerate() {
            if old != new {
                line(start + at + 1, Some(old), Some(new));
            }
        }
        return;
    }
    let last: HashMap<&str, usize> = new_mid.iter().copied().zip(0..).collect();
    let (mut a, mut b) = (0, 0);
    while a < old_mid.len() || b < new_mid.len() {
        if a < old_mid.len() && b < new_mid.len() && old_mid[a] == new_mid[b] {
            (a, b) = (a + 1, b + 1);
        } else if a < old_mid.len() && last.get(old_mid[a]).is_none_or(|last| *last < b) {
            line(start + a + 1, Some(&old_mid[a]), None);
            a += 1;
        } else if b < new_mid.len() {
            line(start + a, None, Some(&new_mid[b]));
            b += 1;
        } else {
            line(start + a + 1, Some(&old_mid[a]), None);
            a += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        let mut lines = Vec::new();
        compare("f", old, new, &mut lines);
        let show = |line: Line| {
            let old = line.old.map(|old| format!("-{old}")).unwrap_or_default();
            let new = line.new.map(|new| format!("+{new}")).unwrap_or_default();
            format!("{}{old}{new}", line.number)
        };
        lines.into_iter().map(show).collect()
    }

    #[test]
    fn lines_that_differ_are_told_and_others_are_not() {
        assert_eq!(shown("a\nb\nc\n", "a\nx\nc\n"), ["2-b+x"]);
        assert_eq!(shown("a\nb\nc\n", "a\nc\n"), ["2-b"]);
        assert_eq!(shown("a\nc\n", "a\nb\nb\nc\n"), ["1+b", "1+b"]);
        assert_eq!(shown("a\nb\nc\nd\n", "x\nb\nd\n"), ["1-a", "1+x", "3-c"]);
        assert_eq!(shown("", "a\n"), ["0+a"]);
        assert_eq!(shown("a\n", "a\n"), [""; 0]);
    }
}
