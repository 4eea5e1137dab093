//! Numbers -> the rules that ask for them.
//!
//! Keys, controls and buttons are numbered one after the other: those are found by a subtraction, in one read of memory.
//! In a large house each read that a search makes on its way waits for memory, which takes longer than all the rest.

use mapping::program::Few;

use super::{Hit, table::by_key};

/// A table of so many places for each number that stands in it is still one without a search.
const PLACES_OF_A_NUMBER_MAX: usize = 2;

/// What stands under numbers.
#[derive(Debug)]
pub(super) struct Numbers {
    keys: Keys,
    hits: Box<[Few<Hit>]>,
}

/// Which number stands at which place.
#[derive(Debug)]
enum Keys {
    /// This whole number and those that follow it, those that nobody asks for too.
    From(f64),
    /// Ascending.
    Listed(Box<[f64]>),
}

impl Numbers {
    /// From numbers and what stands under them. None is -0.0 or not finite.
    pub(super) fn new(mut rows: Vec<(f64, Hit)>) -> Self {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rows = by_key(rows);
        let Some(places) = places(&rows) else {
            let (keys, hits) = rows.into_iter().unzip::<_, _, Vec<f64>, Vec<_>>();
            return Self {
                keys: Keys::Listed(keys.into()),
                hits: hits.into(),
            };
        };
        let first = rows[0].0;
        let mut hits = vec![Few::default(); places];
        for (number, found) in rows {
            hits[(number - first) as usize] = found;
        }
        Self {
            keys: Keys::From(first),
            hits: hits.into(),
        }
    }

    /// What stands under a number that is not -0.0.
    pub(super) fn under(&self, number: f64) -> &[Hit] {
        let place = match &self.keys {
            Keys::From(first) => {
                let is_behind = number.fract() == 0.0 && number >= *first;
                // What is too large for a place becomes the largest one, which no table has.
                is_behind.then(|| (number - first) as usize)
            }
            Keys::Listed(keys) => keys.binary_search_by(|key| key.total_cmp(&number)).ok(),
        };
        let hits = place.and_then(|place| self.hits.get(place));
        hits.map_or(&[], |hits| hits)
    }
}

/// How many places a table without a search takes; `None` where it would be too large, or the numbers are not whole.
fn places(rows: &[(f64, Few<Hit>)]) -> Option<usize> {
    let (first, last) = (rows.first()?.0, rows.last()?.0);
    let is_whole = |(number, _): &(f64, _)| number.fract() == 0.0;
    let places = last - first + 1.0;
    let is_small = places <= (rows.len() * PLACES_OF_A_NUMBER_MAX) as f64;
    (is_small && rows.iter().all(is_whole)).then_some(places as usize)
}

#[cfg(test)]
mod tests {
    use mapping::program::RuleIx;

    use super::*;

    fn hit(rule: u32) -> Hit {
        (RuleIx(rule), 0)
    }

    /// Asks for each number of `rows`, and for numbers beside them.
    fn check(rows: &[(f64, u32)], is_listed: bool) {
        let numbers = Numbers::new(rows.iter().map(|row| (row.0, hit(row.1))).collect());
        assert_eq!(
            matches!(numbers.keys, Keys::Listed(_)),
            is_listed,
            "{rows:?}"
        );
        let asked = rows.iter().flat_map(|row| {
            let number = row.0;
            [number, number - 1.0, number + 1.0, number + 0.5, -number]
        });
        let strange = [1e-20, 1e300, -1e300, 9_007_199_254_740_993.0, f64::MAX];
        for number in asked.chain(strange).map(|number| number + 0.0) {
            let mut expected: Vec<Hit> = rows
                .iter()
                .filter(|row| row.0 == number)
                .map(|row| hit(row.1))
                .collect();
            expected.sort();
            expected.dedup();
            assert_eq!(numbers.under(number), expected, "{number} of {rows:?}");
        }
    }

    #[test]
    fn whole_numbers_in_a_row_are_found_without_a_search() {
        check(&[(36.0, 0), (37.0, 1), (38.0, 2)], false);
        check(&[(2.0, 0), (1.0, 1), (1.0, 2), (1.0, 2), (2.0, 3)], false);
        check(&[(-1.0, 0), (0.0, 1), (1.0, 2)], false);
        check(&[(1e15, 7)], false);
    }

    #[test]
    fn a_row_may_have_gaps() {
        check(&[(0.0, 0), (3.0, 1), (4.0, 2)], false);
    }

    #[test]
    fn numbers_far_apart_or_not_whole_are_searched_for() {
        check(&[(0.0, 0), (1000.0, 1)], true);
        check(&[(0.5, 0), (1.5, 1), (2.5, 2)], true);
        check(&[(-1e300, 0), (1e300, 1)], true);
        check(&[], true);
    }
}
