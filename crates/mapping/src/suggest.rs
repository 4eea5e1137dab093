//! "Did you mean ..": the nearest of the names that would have been right.
//!
//! Called by everything in this crate that reports an unknown word. Runs only when something is wrong,
//! so it may look at every name. Must not know where the names come from.

mod elsewhere;

/// Longest word that a name may be a slip of, and longest name.
const BYTES_MAX: usize = 100;

/// Fewest letters of a name that a longer word may be a compound of: `motionsensor`.
const PART_LETTERS_MIN: usize = 4;

/// Names that are compared for one unknown word.
const CANDIDATES_MAX: usize = 5_000;

/// Pairs of letters that are compared for one unknown word: a millisecond, which a house full of mistakes takes a
/// thousand times. That is 2,500 names as long as most are, and 250 of the longest that differ throughout.
const PAIRS_MAX: usize = 250_000;

/// The candidate nearest to `word` in spelling, or `None` where nothing is near enough to be a
/// plausible slip: a third of the letters (at least one) may be missing, added, changed or swapped
/// with their neighbour; the beginning of a candidate counts as near, other case always.
/// Among equals wins what the word is the beginning of, then the first candidate. Where none is near, it is the one that
/// the word begins or ends with. What other systems have this very word for comes before all of these.
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
    let mut pairs_left = PAIRS_MAX;
    let mut translated: Option<(usize, &str)> = None;
    let candidates = candidates.into_iter().take(CANDIDATES_MAX);
    for candidate in candidates.filter(|candidate| candidate.len() <= BYTES_MAX) {
        if let Some(place) = elsewhere::ours(word).position(|ours| ours == candidate)
            && translated.is_none_or(|(first, _)| place < first)
        {
            translated = Some((place, candidate));
        }
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        let (left, right) = different(&letters, &other);
        let mut slips = None;
        if left.len().abs_diff(right.len()) <= slips_max {
            let Some(rest) = pairs_left.checked_sub(left.len() * right.len()) else {
                break;
            };
            pairs_left = rest;
            slips = distance(left, right, slips_max);
        }
        if slips.is_none() && letters.len() >= 3 && other.starts_with(&letters) {
            slips = Some(slips_max + 1);
        }
        let is_part = letters.starts_with(&other) || letters.ends_with(&other);
        if slips.is_none() && other.len() >= PART_LETTERS_MIN && is_part {
            slips = Some(slips_max + 2);
        }
        let rank = slips.map(|slips| (slips, !other.starts_with(&letters)));
        if let Some(rank) = rank
            && best.is_none_or(|(first, _)| rank < first)
        {
            best = Some((rank, candidate));
        }
    }
    let best = best.map(|(_, candidate)| candidate);
    let translated = translated.map(|(_, candidate)| candidate);
    translated.or(best).map(str::to_owned)
}

/// Both words without the letters that they begin and end with alike: their distance is the same.
fn different<'a>(a: &'a [char], b: &'a [char]) -> (&'a [char], &'a [char]) {
    let same = |(a, b): &(&char, &char)| a == b;
    let begin = a.iter().zip(b).take_while(same).count();
    let (a, b) = (&a[begin..], &b[begin..]);
    let end = (a.iter().rev())
        .zip(b.iter().rev())
        .take_while(same)
        .count();
    (&a[..a.len() - end], &b[..b.len() - end])
}

/// Optimal string alignment distance (insert, delete, change, swap neighbours), `None` above `max`.
fn distance(a: &[char], b: &[char], max: usize) -> Option<usize> {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut line = before.clone();
    for (row, &left) in a.iter().enumerate() {
        line[0] = row + 1;
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
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut line);
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
        let different = "abcdefghijklmnopqrstuvwxyz012345";
        let word: String = different.chars().rev().collect();
        let near = format!("{word}x");
        let far = |count| std::iter::repeat_n(different, count).chain([&*near]);
        assert_eq!(closest(&word, far(200)), Some(near.clone()));
        assert_eq!(closest(&word, far(250)), None);
    }

    #[test]
    fn what_words_have_in_common_changes_no_distance() {
        for (word, candidate, expected) in [
            ("abab", "ab", None),
            ("hallal", "hall", Some("hall")),
            ("aaaa", "aaa", Some("aaa")),
            ("swpa", "swap", Some("swap")),
            ("xswpa", "xswap", Some("xswap")),
            ("stairs_lmap_on", "stairs_lamp_on", Some("stairs_lamp_on")),
        ] {
            assert_eq!(closest(word, [candidate]).as_deref(), expected, "{word}");
        }
    }

    #[test]
    fn words_of_other_systems_are_known_before_names_that_are_near() {
        for (word, candidates, expected) in [
            ("trigger", &["when", "if", "do"][..], Some("when")),
            ("condition", &["when", "if", "do"], Some("if")),
            ("condition", &["timer", "holds"], Some("holds")),
            ("Condition", &["timer", "holds"], Some("holds")),
            ("turn_on", &["off", "on"], Some("on")),
            ("relay", &["switch", "delay"], Some("switch")),
            ("then", &["when", "do"], Some("do")),
            ("time", &["timer", "at"], Some("at")),
            ("motionsensor", &["motion", "sequence"], Some("motion")),
            ("pushbutton", &["light", "button"], Some("button")),
            ("reason", &["on", "off"], None),
        ] {
            let found = closest(word, candidates.iter().copied());
            assert_eq!(found.as_deref(), expected, "{word}");
        }
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
