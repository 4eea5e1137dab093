//! Patterns of `include`: which files of a house they stand for.
//!
//! Called by [`super::read`], and again by [`super::Reads`] to see whether they stand for other files now.

use std::{collections::BTreeMap, path::Path};

/// Entries of folders that all patterns of a house may come across; more is no house but a disk.
pub(super) const ENTRIES_MAX: usize = 50_000;

/// What a pattern stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Files by their names relative to the house's folder, sorted.
    pub(super) names: Vec<String>,
    /// There was more to look at than may be.
    pub(super) cut: bool,
}

/// Files among texts in memory that match a pattern, sorted.
pub(super) fn among(texts: &BTreeMap<String, String>, pattern: &str) -> Listing {
    let parts: Vec<&str> = pattern.split('/').collect();
    let fits = |name: &&String| {
        let names: Vec<&str> = name.split('/').collect();
        let mut pairs = names.iter().zip(&parts);
        names.len() == parts.len() && pairs.all(|(name, part)| matches(name, part))
    };
    Listing {
        names: texts.keys().filter(fits).cloned().collect(),
        cut: false,
    }
}

/// Files on disk that match a pattern, sorted; `*` stands for anything within one part of the path. `left`
/// counts down the entries that may still be looked at.
pub(super) fn on_disk(folder: &Path, pattern: &str, left: &mut usize) -> Listing {
    let parts: Vec<&str> = pattern.split('/').collect();
    let mut listing = Listing::default();
    walk(folder, &parts, "", left, &mut listing);
    listing.names.sort();
    listing
}

fn walk(folder: &Path, parts: &[&str], above: &str, left: &mut usize, listing: &mut Listing) {
    let Some((part, rest)) = parts.split_first() else {
        return;
    };
    if !part.contains('*') {
        let here = folder.join(part);
        if !rest.is_empty() {
            walk(&here, rest, &format!("{above}{part}/"), left, listing);
        } else if here.symlink_metadata().is_ok() {
            listing.names.push(format!("{above}{part}"));
        }
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if *left == 0 {
            listing.cut = true;
            return;
        }
        *left -= 1;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // Editors leave hidden files beside the one they save.
        if name.starts_with('.') || !matches(&name, part) {
            continue;
        }
        let path = format!("{above}{name}");
        if !rest.is_empty() {
            walk(&entry.path(), rest, &format!("{path}/"), left, listing);
        } else if name.ends_with(".toml") || !entry.path().is_dir() {
            // What has the name of a file but is none is said, not passed over.
            listing.names.push(path);
        }
    }
}

/// Whether `name` fits `pattern`, in which each `*` stands for any letters.
fn matches(name: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (name, pattern, expected) in [
            ("a.toml", "*.toml", true),
            ("a.test.toml", "*.test.toml", true),
            ("a.toml", "*.test.toml", false),
            ("ab.toml", "a*b*.toml", true),
            ("a", "a*a", false),
        ] {
            assert_eq!(matches(name, pattern), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn the_work_of_a_pattern_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        for at in 0..5 {
            let inner = folder.path().join(format!("f{at}"));
            std::fs::create_dir(&inner).expect("a folder for the test");
            std::fs::write(inner.join("a.toml"), "").expect("a file for the test");
        }
        let mut left = 100;
        let all = on_disk(folder.path(), "*/*.toml", &mut left);
        assert_eq!((all.names.len(), all.cut, left), (5, false, 90));
        let cut = on_disk(folder.path(), "*/*.toml", &mut 7);
        assert!(cut.cut && cut.names.len() < 5);
    }
}
