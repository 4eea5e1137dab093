//! "Did you mean ..": the nearest of the names that would have been right.
//!
//! Called by everything in this crate that reports an unknown word. Runs only when something is wrong,
//! so it may look at every name. Must not know where the names come from.

/// Longest word that a name may be a slip of, and longest name.
const BYTES_MAX: usize = 100;

/// Names that are compared for one unknown word.
const CANDIDATES_MAX: usize = 5_000;

/// The candidate nearest to `word` in spelling, or `None` where nothing is near enough to be a
/// plausible slip: a third of the letters (at least one) may be missing, added, changed or swapped
/// with their neighbour; the beginning of a candidate counts as near, other case always.
/// Among equals wins what the word is the beginning of, then the first candidate.
///
/// Its work is bounded: a word too long for a name is near to nothing, and of many candidates only the first
/// are looked at.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if word.len() > BYTES_MAX {
        return None;
    }
    let letters: Vec<char> = word.to_lowercase().chars().collect();
    let slips_max = match letters.len() {
        0 | 1 => 0,
        length => (length / 3).max(1),
    };
    let mut best: Option<((usize, bool), &str)> = None;
    let candidates = candidates.into_iter().take(CANDIDATES_MAX);
    for candidate in candidates.filter(|candidate| candidate.len() <= BYTES_MAX) {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        let mut slips = distance(&letters, &other, slips_max);
        if slips.is_none() && letters.len() >= 3 && other.starts_with(&letters) {
            slips = Some(slips_max + 1);
        }
        let rank = slips.map(|slips| (slips, !other.starts_with(&letters)));
        if let Some(rank) = rank
            && best.is_none_or(|(first, _)| rank < first)
        {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

/// Optimal string alignment distance (insert, delete, change, swap neighbours), `None` above `max`.
fn distance(a: &[char], b: &[char], max: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > max {
        return None;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, &left) in a.iter().enumerate() {
        let mut line = vec![row + 1; b.len() + 1];
        for (column, &right) in b.iter().enumerate() {
            let changed = above[column] + usize::from(left != right);
            line[column + 1] = changed.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && left == b[column - 1] && a[row - 1] == right {
                line[column + 1] = line[column + 1].min(before[column - 1] + 1);
            }
        }
        if line.iter().all(|slips| *slips > max) {
            return None;
        }
        before = std::mem::replace(&mut above, line);
    }
    Some(above[b.len()]).filter(|slips| *slips <= max)
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, CANDIDATES_MAX, closest};

    #[test]
    fn the_work_is_bounded() {
        let long = "x".repeat(BYTES_MAX + 1);
        assert_eq!(closest(&long, [&*long]), None);
        assert_eq!(closest("word", [&*long, "wort"]).as_deref(), Some("wort"));
        let far = std::iter::repeat_n("name", CANDIDATES_MAX);
        assert_eq!(closest("word", far.chain(["wort"])), None);
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        for (word, candidates, expected) in [
            ("velocty", &["key", "velocity"][..], Some("velocity")),
            ("strat", &["stop", "start"], Some("start")),
            ("lmap", &["lux", "lamp"], Some("lamp")),
            ("hal-off", &["hall-off", "hall-on"], Some("hall-off")),
            ("of", &["on", "off"], Some("off")),
            ("Key", &["key"], Some("key")),
            ("bright", &["on", "brightness"], Some("brightness")),
            ("dim", &["on", "off", "toggle"], None),
            ("x", &["y"], None),
            ("", &["y", ""], Some("")),
        ] {
            assert_eq!(
                closest(word, candidates.iter().copied()).as_deref(),
                expected,
                "{word}"
            );
        }
    }
}
