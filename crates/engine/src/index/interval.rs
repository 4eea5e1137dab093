//! Intervals of numbers -> those that hold a given number.
//!
//! An implicit balanced tree over the intervals sorted by their lower end; each subtree knows its
//! greatest upper end. A query visits the intervals that it returns and O(log n) others for each.

use super::Hit;

/// A static set of intervals, both ends included.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    /// Sorted by lower end.
    rows: Box<[Row]>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    low: f64,
    high: f64,
    /// Greatest upper end in the subtree of which this row is the root.
    highest: f64,
    hit: Hit,
}

impl Intervals {
    /// From lower end, upper end and what a query returns.
    pub(super) fn new(intervals: impl IntoIterator<Item = (f64, f64, Hit)>) -> Self {
        let mut rows: Box<[Row]> = intervals
            .into_iter()
            .filter(|(low, high, _)| low <= high)
            .map(|(low, high, hit)| Row {
                low,
                high,
                highest: high,
                hit,
            })
            .collect();
        rows.sort_by(|a, b| a.low.total_cmp(&b.low).then(a.hit.cmp(&b.hit)));
        fill(&mut rows);
        Self { rows }
    }

    /// Appends what stands for the intervals that hold `value`, in no particular order.
    pub(super) fn holding(&self, value: f64, out: &mut Vec<Hit>) {
        visit(&self.rows, value, out);
    }
}

/// Sets `highest` of each root; the depth is logarithmic.
fn fill(rows: &mut [Row]) -> f64 {
    if rows.is_empty() {
        return f64::NEG_INFINITY;
    }
    let (left, rest) = rows.split_at_mut(rows.len() / 2);
    let Some((root, right)) = rest.split_first_mut() else {
        return f64::NEG_INFINITY;
    };
    root.highest = root.high.max(fill(left)).max(fill(right));
    root.highest
}

fn visit(rows: &[Row], value: f64, out: &mut Vec<Hit>) {
    let mut rows = rows;
    while let Some(root) = rows.get(rows.len() / 2) {
        if root.highest < value {
            return;
        }
        let (left, rest) = rows.split_at(rows.len() / 2);
        visit(left, value, out);
        if root.low > value {
            return;
        }
        if root.high >= value {
            out.push(root.hit);
        }
        rows = &rest[1..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use mapping::program::RuleIx;

    use super::{Hit, Intervals};

    proptest! {
        #[test]
        fn the_tree_finds_what_a_scan_finds(
            ends in prop::collection::vec((-20_i8..20, -20_i8..20), 0..60),
            value in -25_i8..25,
        ) {
            let rows = || ends.iter().enumerate().map(|(ix, (low, high))| {
                (f64::from(*low), f64::from(*high), (RuleIx(ix as u32), 0))
            });
            let value = f64::from(value);
            let mut found = Vec::new();
            Intervals::new(rows()).holding(value, &mut found);
            found.sort_unstable();
            let scanned: Vec<Hit> = rows()
                .filter(|(low, high, _)| *low <= value && value <= *high)
                .map(|(.., hit)| hit)
                .collect();
            prop_assert_eq!(found, scanned);
        }
    }
}
